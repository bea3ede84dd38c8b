//! Capture files of every variant, whole and damaged, alone and merged.
#![expect(clippy::unwrap_used, reason = "a test fails by it")]

mod support;

use std::io::{self, Read};

use netpol_gen::capture::{CaptureError, CaptureFile};
use netpol_gen::decode::LinkType;
use netpol_gen::model::{Code, Findings};
use proptest::prelude::*;
use support::captures::*;

const SECOND: i64 = 1_000_000_000;
const NOW: i64 = 1_700_000_000 * SECOND + 123_456_000;

/// Three frames, one of them cut by the snaplen, one empty.
fn frames() -> Vec<Captured> {
    vec![
        Captured::whole(NOW, [1; 60]),
        Captured::cut(NOW + SECOND, &[2; 1500], 96),
        Captured::whole(NOW + 2 * SECOND, []),
        Captured::whole(NOW + 3 * SECOND, [4; 61]),
    ]
}

/// What a capture gives: its frames, their link types, its findings.
struct Reading {
    frames: Vec<Captured>,
    links: Vec<LinkType>,
    findings: Vec<(Code, String)>,
}

fn drain(source: &mut CaptureFile) -> (Vec<Captured>, Vec<LinkType>, Option<CaptureError>, Findings) {
    let (mut frames, mut links) = (Vec::new(), Vec::new());
    let error = loop {
        match source.read_next() {
            Ok(Some(Observed::Record(record))) => panic!("a capture holds no {record:?}"),
            Ok(Some(Observed::Frame(frame))) => {
                frames.push(Captured { at: frame.at.0, wire_length: frame.wire_length, bytes: frame.data.to_vec() });
                links.push(frame.link);
            }
            Ok(None) => break None,
            Err(error) => break Some(error),
        }
    };
    assert!(matches!(source.read_next(), Ok(None)), "after the end there is nothing");
    (frames, links, error, source.take_findings())
}

fn read_from(reader: impl Read + Send + 'static) -> Result<Reading, CaptureError> {
    let mut file = CaptureFile::from_reader("shop.pcap", reader)?;
    let (frames, links, error, findings) = drain(&mut file);
    let findings = findings.sorted().into_iter().map(|finding| (finding.code, finding.message)).collect();
    error.map_or(Ok(Reading { frames, links, findings }), Err)
}

fn read(bytes: &[u8]) -> Result<Reading, CaptureError> {
    read_from(io::Cursor::new(bytes.to_vec()))
}

/// Every variant of a file with [`frames`].
fn variants() -> Vec<(String, Vec<u8>)> {
    let mut variants = Vec::new();
    for order in [Order::Little, Order::Big] {
        for variant in [Variant::Microseconds, Variant::Nanoseconds, Variant::Kuznetzov] {
            variants.push((format!("pcap, {order:?}, {variant:?}"), pcap(order, variant, 1, &frames())));
        }
        variants.push((format!("pcapng, {order:?}"), pcapng(order, 1, &frames())));
    }
    variants
}

#[test]
fn every_variant_gives_the_frames() {
    for (what, bytes) in variants() {
        let reading = read(&bytes).unwrap();
        assert_eq!(reading.frames, frames(), "{what}");
        assert_eq!(reading.links, [LinkType::Ethernet; 4], "{what}");
        assert_eq!(reading.findings, [], "{what}");
    }
}

#[test]
fn compression_is_told_by_content() {
    for (what, bytes) in variants() {
        let half = bytes.len() / 2;
        let rows = [
            ("gzip", gzip(&bytes)),
            ("gzip in two members", [gzip(&bytes[..half]), gzip(&bytes[half..])].concat()),
            ("zstd", zstd(&bytes)),
            ("zstd in two frames", [zstd(&bytes[..half]), zstd(&bytes[half..])].concat()),
            ("zstd with a skippable frame first", [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3][..], &zstd(&bytes)].concat()),
            ("zstd in gzip", gzip(&zstd(&bytes))),
        ];
        for (compression, compressed) in rows {
            let reading = read(&compressed).unwrap();
            assert_eq!(reading.frames, frames(), "{what}, {compression}");
            assert_eq!(reading.findings, [], "{what}, {compression}");
        }
    }
}

#[test]
fn a_file_cut_anywhere_gives_all_whole_frames() {
    for (what, bytes) in variants() {
        let starts: Vec<usize> = (0..=4).map(|count| read(&bytes[..cut_after(&bytes, count)]).unwrap().frames.len()).collect();
        assert_eq!(starts, [0, 1, 2, 3, 4], "{what}: between two frames nothing is missing");
        let mut last = 0;
        for length in 28..bytes.len() {
            let Ok(reading) = read(&bytes[..length]) else { panic!("{what}, cut at {length}: an error") };
            let count = reading.frames.len();
            assert_eq!(reading.frames, frames()[..count], "{what}, cut at {length}");
            assert!(count >= last, "{what}, cut at {length}");
            last = count;
            let is_clean = read_boundary(&bytes, length);
            let codes: Vec<Code> = reading.findings.iter().map(|(code, _)| *code).collect();
            let expected: &[Code] = if is_clean { &[] } else { &[Code::TruncatedFile] };
            assert_eq!(codes, expected, "{what}, cut at {length}: {:?}", reading.findings);
        }
    }
}

/// Where a file ends after so many frames.
fn cut_after(bytes: &[u8], count: usize) -> usize {
    let boundaries: Vec<usize> = (24..=bytes.len()).filter(|length| read_boundary(bytes, *length)).collect();
    let last = boundaries.len() - 1;
    boundaries[last - (4 - count)]
}

/// Whether a record or block ends there: told by the lengths in the file, not by the reader.
fn read_boundary(bytes: &[u8], length: usize) -> bool {
    let is_pcapng = bytes[0] == 0x0a;
    let is_little = if is_pcapng { bytes[8] == 0x4d } else { bytes[0] == 0xd4 || bytes[0] == 0x4d || bytes[0] == 0x34 };
    let number = |at: usize| {
        let four: [u8; 4] = bytes[at..at + 4].try_into().unwrap();
        (if is_little { u32::from_le_bytes(four) } else { u32::from_be_bytes(four) }) as usize
    };
    let record_header = if bytes[..4] == [0x34, 0xcd, 0xb2, 0xa1] || bytes[..4] == [0xa1, 0xb2, 0xcd, 0x34] { 24 } else { 16 };
    let mut at = if is_pcapng { 0 } else { 24 };
    while at < length {
        at += if is_pcapng { number(at + 4) } else { record_header + number(at + 8) };
    }
    at == length
}

#[test]
fn a_cut_compressed_stream_gives_all_whole_frames() {
    let many: Vec<Captured> =
        (0..20_000).map(|number| Captured::whole(NOW + number * 1000, number.to_le_bytes().repeat(9))).collect();
    let bytes = pcap(Order::Little, Variant::Microseconds, 1, &many);
    for (what, compressed) in [("gzip", gzip(&bytes)), ("zstd", zstd(&bytes))] {
        let reading = read(&compressed[..compressed.len() / 2]).unwrap();
        let count = reading.frames.len();
        assert!(count > 5_000, "{what}: {count} frames");
        assert_eq!(reading.frames, many[..count], "{what}");
        let (code, message) = &reading.findings[0];
        assert_eq!(*code, Code::TruncatedFile, "{what}");
        assert!(message.starts_with(&format!("ends inside its {what} stream")), "{what}: {message}");
        let reading = read(&compressed[..compressed.len() - 1]).unwrap();
        assert!(reading.frames.len() > 15_000, "{what}, last byte missing: {} frames", reading.frames.len());
        assert_eq!(reading.findings.len(), 1, "{what}, last byte missing");
    }
}

#[test]
fn a_damaged_compressed_stream_ends_the_file() {
    let bytes = pcap(Order::Little, Variant::Microseconds, 1, &frames());
    let mut wrong_checksum = gzip(&bytes);
    let at = wrong_checksum.len() - 8;
    wrong_checksum[at] ^= 1;
    let garbage = |compressed: Vec<u8>| [compressed, b"garbage after the end".to_vec()].concat();
    for (what, compressed) in [("gzip", wrong_checksum), ("gzip", garbage(gzip(&bytes))), ("zstd", garbage(zstd(&bytes)))] {
        let reading = read(&compressed).unwrap();
        assert_eq!((&reading.frames, reading.findings.len()), (&frames(), 1), "{what}: {:?}", reading.findings);
        let (code, message) = &reading.findings[0];
        assert_eq!(*code, Code::TruncatedFile, "{what}");
        assert!(message.starts_with(&format!("has a damaged {what} stream")), "{what}: {message}");
    }
}

#[test]
fn what_is_no_capture_is_an_error() {
    let header = pcap_header(Order::Little, Variant::Microseconds, 65535, 1);
    let section = Pcapng::new(Order::Little).bytes;
    let mut no_order = section.clone();
    no_order[8..12].fill(0);
    let mut zstd_damaged = zstd(&header);
    zstd_damaged[5..9].fill(0xff);
    let rows: &[(&str, Vec<u8>, &str)] = &[
        ("nothing", vec![], "read shop.pcap: it is empty"),
        ("one byte", vec![0xa1], "read shop.pcap: it is neither pcap nor pcapng"),
        ("half a pcap header", header[..23].to_vec(), "read shop.pcap: it ends inside the pcap header"),
        ("half a section header", section[..20].to_vec(), "read shop.pcap: it ends inside the pcapng header"),
        ("a section without byte order", no_order, "read shop.pcap: its pcapng header is malformed"),
        ("noise", vec![0xfe; 100], "read shop.pcap: it is neither pcap nor pcapng"),
        ("text", b"kind: Pod\nmetadata:\n".to_vec(), "read shop.pcap: it is not a capture but looks like text"),
        ("xz", b"\xfd7zXZ\0rest of the archive".to_vec(), "read shop.pcap: it is not a capture but looks like an xz archive"),
        ("a gzip of nothing", gzip(b""), "read shop.pcap: it is empty"),
        ("half a gzip header", gzip(&header)[..7].to_vec(), "read shop.pcap: it ends inside the gzip header"),
        ("a gzip of text", gzip(b"hello, this is text"), "read shop.pcap: it is not a capture but looks like text"),
        ("a gzip of half a pcap header", gzip(&header[..10]), "read shop.pcap: it ends inside the pcap header"),
        ("a damaged zstd frame", zstd_damaged, "decompress shop.pcap (zstd)"),
    ];
    for (what, bytes, message) in rows {
        let error = read(bytes).err().map(|error| (error.to_string(), error.hint().is_empty()));
        assert_eq!(error, Some(((*message).to_owned(), false)), "{what}");
    }
    assert_eq!(read(&header).unwrap().frames, [], "a header alone is a capture without frames");
    assert_eq!(read(&section).unwrap().frames, [], "a section alone is a capture without frames");
}

#[test]
fn damaged_records_end_a_pcap_with_what_there_is() {
    let good = pcap(Order::Little, Variant::Microseconds, 1, &frames());
    let after = |record: &[u8]| [&good, record].concat();
    let huge = |length: u32| [&[0, 0, 0, 1, 0, 0, 0, 0][..], &length.to_le_bytes(), &length.to_le_bytes(), &[0; 40]].concat();
    let rows = [
        (
            "a length beyond all",
            after(&huge(u32::MAX)),
            "has a packet that claims 4294967295 bytes; what follows was not read, after 4 frames",
        ),
        (
            "a length beyond the snaplen",
            after(&huge(262_145)),
            "has a packet that claims 262145 bytes; what follows was not read, after 4 frames",
        ),
        (
            "a length beyond the file",
            after(&huge(1000)),
            "ends inside a packet, of which 40 of 1000 bytes are there, after 4 frames",
        ),
        ("zeros", after(&[0; 4096]), "ends in zeros: it was not written to its end, after 4 frames"),
    ];
    for (what, bytes, message) in rows {
        let reading = read(&bytes).unwrap();
        assert_eq!(reading.frames, frames(), "{what}");
        assert_eq!(reading.findings, [(Code::TruncatedFile, message.to_owned())], "{what}");
    }
}

#[test]
fn a_large_snaplen_admits_large_frames() {
    let large = Captured::whole(NOW, vec![7; 3_000_000]);
    for snaplen in [4_000_000, u32::MAX] {
        let file = [
            pcap_header(Order::Little, Variant::Microseconds, snaplen, 1),
            pcap_record(Order::Little, Variant::Microseconds, &large),
            pcap_record(Order::Little, Variant::Microseconds, &frames()[0]),
        ];
        assert_eq!(read(&file.concat()).unwrap().frames, [large.clone(), frames()[0].clone()], "snaplen {snaplen}");
    }
}

#[test]
fn a_wire_length_is_never_less_than_what_was_captured() {
    let mut frame = Captured::whole(NOW, [1; 60]);
    frame.wire_length = 3;
    for bytes in [pcap(Order::Little, Variant::Microseconds, 1, &[frame.clone()]), pcapng(Order::Little, 1, &[frame])] {
        assert_eq!(read(&bytes).unwrap().frames[0].wire_length, 60);
    }
}

#[test]
fn pcapng_sections_and_interfaces() {
    let [first, second, ..] = &frames()[..] else { unreachable!("there are four") };
    let file = Pcapng::new(Order::Little)
        .block(0x0bad_f00d, &[0xff; 1000])
        .interface_with_resolution(1, 6)
        .interface_with_resolution(276, 9)
        .enhanced(1, first.at.unsigned_abs(), first)
        .block(5, &[0; 12])
        .enhanced(0, (second.at / 1000).unsigned_abs(), second)
        .section(Order::Big)
        .interface(101, 0, &[])
        .enhanced(0, (first.at / 1000).unsigned_abs(), first)
        .obsolete(0, 0xffff, (second.at / 1000).unsigned_abs(), second)
        .simple(&Captured::whole(0, [9; 30]));
    let reading = read(&file.bytes).unwrap();
    let simple = Captured::whole(second.at, [9; 30]);
    assert_eq!(reading.frames, [first, second, first, second, &simple].map(Clone::clone));
    let raw = LinkType::RawIp;
    assert_eq!(reading.links, [LinkType::LinuxCooked2, LinkType::Ethernet, raw, raw, raw]);
    let codes: Vec<Code> = reading.findings.iter().map(|(code, _)| *code).collect();
    assert_eq!(codes, [Code::OutOfOrderTime]);
}

#[test]
fn pcapng_time_options() {
    let frame = Captured::whole(0, [1; 60]);
    let empty = Pcapng::new(Order::Big);
    let rows: Vec<(&str, Vec<u8>, u64, i64)> = vec![
        ("none: microseconds", vec![], 5, 5000),
        ("seconds", empty.option(9, &[0]), 5, 5 * SECOND),
        ("binary", empty.option(9, &[0x8a]), 1024, SECOND),
        ("absurd", empty.option(9, &[127]), u64::MAX, 0),
        ("saturates", empty.option(9, &[0]), u64::MAX, i64::MAX),
        ("offset", empty.option(14, &100_i64.to_be_bytes()), 5, 100 * SECOND + 5000),
        ("negative offset", empty.option(14, &(-1_i64).to_be_bytes()), 5, 5000 - SECOND),
        ("absurd offset", empty.option(14, &i64::MIN.to_be_bytes()), 5, i64::MIN + 5000),
        ("after a name", [empty.option(2, b"veth0"), empty.option(9, &[9])].concat(), 5, 5),
        ("after the end of options", [empty.option(0, &[]), empty.option(9, &[9])].concat(), 5, 5000),
        ("of the wrong length", empty.option(9, &[9, 9]), 5, 5000),
        ("longer than the block", [&[0, 9, 0xff, 0xff][..], &[9; 4]].concat(), 5, 5000),
        ("cut", vec![0, 9], 5, 5000),
    ];
    for (what, options, ticks, expected) in rows {
        let file = Pcapng::new(Order::Big).interface(1, 0, &options).enhanced(0, ticks, &frame);
        let reading = read(&file.bytes).unwrap();
        assert_eq!(reading.frames.iter().map(|frame| frame.at).collect::<Vec<_>>(), [expected], "{what}");
    }
}

/// What it is, the file, how many frames it gives, what is said of it.
type BlockRow = (&'static str, Pcapng, usize, Option<(Code, &'static str)>);

#[test]
fn pcapng_blocks_that_cannot_be() {
    let frame = &frames()[0];
    let start = || Pcapng::new(Order::Little).interface_with_resolution(1, 9);
    let good = |file: Pcapng| file.enhanced(0, frame.at.unsigned_abs(), frame);
    let mut claims_more = frame.clone();
    claims_more.bytes.truncate(8);
    let enhanced_with = |captured: u32| [&[0; 12][..], &captured.to_le_bytes(), &captured.to_le_bytes(), &[0; 60]].concat();
    let raw = |mut file: Pcapng, bytes: &[u8]| {
        file.bytes.extend(bytes);
        file
    };
    let left_out = "has packets that contradict their block or name an interface that is not described; they were left out";
    let rows: Vec<BlockRow> = vec![
        ("an interface out of range", good(start().enhanced(1, 0, frame)), 1, Some((Code::MalformedFrame, left_out))),
        ("an absurd interface", good(start().enhanced(u32::MAX, 0, frame)), 1, Some((Code::MalformedFrame, left_out))),
        (
            "packets before any interface",
            good(Pcapng::new(Order::Little).simple(frame).obsolete(0, 0, 0, frame).interface_with_resolution(1, 9)),
            1,
            Some((Code::MalformedFrame, left_out)),
        ),
        (
            "more captured than the block has",
            good(start().block(6, &enhanced_with(61))),
            1,
            Some((Code::MalformedFrame, left_out)),
        ),
        ("absurdly more", good(start().block(6, &enhanced_with(u32::MAX))), 1, Some((Code::MalformedFrame, left_out))),
        ("a packet block without packet", good(start().block(6, &[])), 1, Some((Code::MalformedFrame, left_out))),
        ("a simple packet block without packet", good(start().block(3, &[])), 1, Some((Code::MalformedFrame, left_out))),
        ("an interface without description keeps its number", good(start().block(1, &[])), 1, None),
        ("an unknown block without content", good(start().block(77, &[])), 1, None),
        (
            "a block of no length",
            raw(good(start()), &[6, 0, 0, 0, 0, 0, 0, 0, 1]),
            1,
            Some((
                Code::TruncatedFile,
                "has a block that claims 0 bytes, which is no block; what follows was not read, after 1 frames",
            )),
        ),
        (
            "a block of 8 bytes",
            raw(good(start()), &[6, 0, 0, 0, 8, 0, 0, 0]),
            1,
            Some((
                Code::TruncatedFile,
                "has a block that claims 8 bytes, which is no block; what follows was not read, after 1 frames",
            )),
        ),
        (
            "a packet block of 4 GB",
            raw(good(start()), &[6, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 1, 2, 3]),
            1,
            Some((Code::TruncatedFile, "has a block that claims 4294967295 bytes; what follows was not read, after 1 frames")),
        ),
        (
            "an unknown block of 4 GB",
            raw(good(start()), &[7, 0, 0, 0, 0xfc, 0xff, 0xff, 0xff, 1, 2, 3]),
            1,
            Some((Code::TruncatedFile, "ends inside a block of 4294967292 bytes, after 1 frames")),
        ),
        (
            "two lengths that differ",
            raw(good(start()), &[1, 0, 0, 0, 20, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 24, 0, 0, 0]),
            1,
            Some((Code::TruncatedFile, "has a block whose two lengths differ; what follows was not read, after 1 frames")),
        ),
        (
            "zeros",
            raw(good(start()), &[0; 512]),
            1,
            Some((Code::TruncatedFile, "ends in zeros: it was not written to its end, after 1 frames")),
        ),
        (
            "a second section without byte order",
            raw(
                good(start()),
                &[0x0a, 0x0d, 0x0d, 0x0a, 28, 0, 0, 0, 1, 2, 3, 4, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 28, 0, 0, 0],
            ),
            1,
            Some((Code::TruncatedFile, "has a section without byte order; what follows was not read, after 1 frames")),
        ),
    ];
    for (what, file, count, finding) in rows {
        let reading = read(&file.bytes).unwrap();
        assert_eq!(reading.frames.len(), count, "{what}: {:?}", reading.findings);
        let expected: Vec<(Code, String)> = finding.into_iter().map(|(code, message)| (code, message.to_owned())).collect();
        assert_eq!(reading.findings, expected, "{what}");
    }
}

#[test]
fn a_block_length_that_leaves_out_the_padding_is_read() {
    let mut file = Pcapng::new(Order::Little).interface_with_resolution(1, 9).bytes;
    let frame = Captured::whole(5, [1; 61]);
    let block = file.len();
    file = Pcapng { order: Order::Little, bytes: file }.enhanced(0, 5, &frame).enhanced(0, 6, &frame).bytes;
    let length = 32 + 61_u32;
    file[block + 4..block + 8].copy_from_slice(&length.to_le_bytes());
    file[block + 32 + 64 - 4..block + 32 + 64].copy_from_slice(&length.to_le_bytes());
    assert_eq!(read(&file).unwrap().frames.len(), 2);
}

#[test]
fn a_simple_packet_is_as_long_as_the_snaplen_admits() {
    let frame = Captured::cut(0, &[1; 100], 48);
    let file = Pcapng::new(Order::Little).interface(1, 48, &[]).simple(&frame);
    assert_eq!(read(&file.bytes).unwrap().frames, [frame]);
}

/// Gives one byte at a time, and an interruption between two.
struct Dripping(io::Cursor<Vec<u8>>, bool);

impl Read for Dripping {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.1 = !self.1;
        if self.1 {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let length = buffer.len().min(1);
        self.0.read(&mut buffer[..length])
    }
}

/// Breaks after some bytes.
struct Breaking(io::Cursor<Vec<u8>>);

impl Read for Breaking {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer)? {
            0 => Err(io::Error::other("the disk is gone")),
            count => Ok(count),
        }
    }
}

#[test]
fn a_source_that_drips_gives_the_same() {
    for (what, bytes) in variants() {
        for bytes in [gzip(&bytes), zstd(&bytes), bytes] {
            assert_eq!(read_from(Dripping(io::Cursor::new(bytes), false)).unwrap().frames, frames(), "{what}");
        }
    }
}

#[test]
fn a_source_that_breaks_is_an_error_after_its_frames() {
    for (what, bytes) in variants() {
        for bytes in [gzip(&bytes), zstd(&bytes), bytes] {
            let mut file = CaptureFile::from_reader("shop.pcap", Breaking(io::Cursor::new(bytes))).unwrap();
            let (given, _, error, _) = drain(&mut file);
            assert_eq!(given, frames(), "{what}");
            let error = error.unwrap();
            assert_eq!(error.to_string(), "read on in shop.pcap after 4 frames", "{what}");
            let source = std::error::Error::source(&error).unwrap();
            assert_eq!(source.to_string(), "the disk is gone", "{what}");
        }
    }
}

fn arbitrary_frames() -> impl Strategy<Value = Vec<Captured>> {
    let frame = (0..4_000_000_000_i64, 0..SECOND, prop::collection::vec(any::<u8>(), 0..100), 0..5000_u32).prop_map(
        |(seconds, nanoseconds, bytes, beyond)| {
            let whole = Captured::whole(seconds * SECOND + nanoseconds, bytes);
            Captured { wire_length: whole.wire_length + beyond, ..whole }
        },
    );
    // An empty frame at the beginning of time is taken for zeros at the end of a file.
    prop::collection::vec(frame, 0..20)
        .prop_filter("zeros", |frames| frames.iter().all(|frame| frame.at / 1000 != 0 || frame.wire_length != 0))
}

/// Gives chunks of the lengths that it was told, over and over.
struct Chunked {
    bytes: io::Cursor<Vec<u8>>,
    lengths: std::iter::Cycle<std::vec::IntoIter<usize>>,
}

impl Read for Chunked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.lengths.next().unwrap_or(1).min(buffer.len());
        self.bytes.read(&mut buffer[..length])
    }
}

/// Bytes to be overwritten.
fn changes() -> impl Strategy<Value = Vec<(prop::sample::Index, u8)>> {
    prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)
}

proptest! {
    #[test]
    fn what_is_written_is_read_in_any_chunking(
        frames in arbitrary_frames(),
        lengths in prop::collection::vec(1_usize..50, 1..10),
    ) {
        for order in [Order::Little, Order::Big] {
            for bytes in [pcap(order, Variant::Nanoseconds, 1, &frames), pcapng(order, 1, &frames)] {
                let reader = Chunked { bytes: io::Cursor::new(bytes), lengths: lengths.clone().into_iter().cycle() };
                prop_assert_eq!(&read_from(reader).unwrap().frames, &frames);
            }
        }
    }

    #[test]
    fn arbitrary_bytes_end(magic in 0_usize..8, rest in prop::collection::vec(any::<u8>(), 0..400)) {
        let variants = variants();
        let mut bytes = variants[magic].1[..24].to_vec();
        bytes.extend(rest);
        if let Ok(reading) = read(&bytes) {
            let given: usize = reading.frames.iter().map(|frame| frame.bytes.len()).sum();
            prop_assert!(given <= bytes.len(), "frames are made of the file's bytes");
        }
    }

    #[test]
    fn damaged_files_end(variant in 0_usize..8, packing in 0..3, changes in changes()) {
        let bytes = &variants()[variant].1;
        let mut bytes = match packing { 0 => bytes.clone(), 1 => gzip(bytes), _ => zstd(bytes) };
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let _ = read(&bytes);
    }
}
