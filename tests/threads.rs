//! Captures read by several threads: the result is that of reading them frame by frame, record by record.

#![expect(clippy::unwrap_used, reason = "in tests a failed unwrap is the failure to report")]

#[path = "support/traffic.rs"]
mod traffic;

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{Seek, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::Command;

use netpol_gen::capture::{CaptureError, Following, Input, Merged, Observed, Splitting};
use netpol_gen::decode::{DecodeOptions, Decoder, Tally};
use netpol_gen::flow::{FlowTable, Record};
use netpol_gen::model::{Code, Flow, Timestamp};
use traffic::Kind;

/// What reading gives: flows, counts, findings with their counts, errors, and the times of all frames in the order in which they came.
type Read = (Vec<Flow>, Tally, Vec<(Code, String, String, u64)>, Vec<String>, Vec<Timestamp>);

/// Reads inputs to their end; how many frames came in pieces. `meanwhile` is called after each step.
fn read(inputs: &[PathBuf], threads: Option<usize>, mut meanwhile: impl FnMut(u64)) -> (Read, u64) {
    let inputs = inputs.iter().cloned().map(Input::File).collect();
    let mut decoder = Decoder::new(DecodeOptions::default());
    let mut table = FlowTable::new(1_000_000);
    let threads = threads.and_then(NonZeroUsize::new);
    let mut merged = match threads {
        Some(threads) => Merged::splitting(inputs, Splitting { threads, decoder: decoder.clone(), batch: table.batch() }),
        None => Merged::new(inputs),
    };
    let (mut tally, mut in_pieces, mut times, mut one_by_one) = (Tally::default(), 0, Vec::new(), table.batch());
    while let Some(following) =
        if threads.is_some() { merged.read_following() } else { merged.read_next().map(|one| Following::One(0, one)) }
    {
        match following {
            Following::One(_, Observed::Frame(frame)) => {
                times.push(frame.at);
                if let Some(packet) = decoder.decode(&frame) {
                    table.observe(&packet);
                }
            }
            Following::One(_, Observed::Record(record)) => panic!("{record:?} in a capture"),
            Following::Many(mut frames) => {
                in_pieces += frames.tally.frames;
                tally.merge(&frames.tally);
                while let Some(at) = frames.batch.next_at() {
                    times.push(at);
                    frames.batch.hand_on(&mut one_by_one, |_| false);
                }
                table.observe_all(&mut one_by_one);
                merged.recycle(frames.batch);
            }
        }
        meanwhile(tally.frames + decoder.tally().frames);
    }
    tally.merge(decoder.tally());
    table.finish();
    let mut flows = table.take_finished();
    // A packet by itself does not say between which stations it went.
    for flow in &mut flows {
        (flow.origins, flow.refusers, flow.input) = ([[0; 2]; 2], [0; 2], 0);
    }
    flows.sort();
    let findings = merged.take_findings().sorted().into_iter();
    let findings = findings.map(|finding| (finding.code, finding.subject, finding.message, finding.count)).collect();
    let errors = merged.take_errors().iter().map(CaptureError::to_string).collect();
    ((flows, tally, findings, errors, times), in_pieces)
}

fn capture(kind: Kind, packets: u64, is_pcapng: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    traffic::write(kind, packets, is_pcapng, &mut bytes).unwrap();
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Something else at six tenths of it.
fn damaged(mut bytes: Vec<u8>) -> Vec<u8> {
    let at = bytes.len() / 10 * 6;
    bytes[at..at + 64].iter_mut().for_each(|byte| *byte ^= 0xa5);
    bytes
}

/// The bounds of the records of a little-endian pcap file.
fn records(pcap: &[u8]) -> Vec<(usize, usize)> {
    let mut bounds = Vec::new();
    let mut at = 24;
    while at < pcap.len() {
        let length = u32::from_le_bytes(pcap[at + 8..at + 12].try_into().unwrap()) as usize;
        bounds.push((at, at + 16 + length));
        at += 16 + length;
    }
    bounds
}

/// A pcap file whose frames are full of what looks like records of the file itself, at every byte that could mislead.
fn full_of_lures(packets: u64) -> Vec<u8> {
    let pcap = capture(Kind::Small, packets, false);
    let mut whole = pcap[..24].to_vec();
    for (number, (from, to)) in records(&pcap).into_iter().enumerate() {
        let record = &pcap[from..to];
        // Times of its own, in the past, that would be believed if they were read.
        let mut lure = record.to_vec();
        lure[0] ^= 1;
        let lures = lure.repeat(1 + number % 12);
        let length = u32::try_from(record.len() - 16 + lures.len()).unwrap().to_le_bytes();
        whole.extend([&record[..8], &length, &length, &record[16..], &lures].concat());
    }
    whole
}

#[test]
fn pieces_add_up_to_the_whole() {
    let directory = tempfile::tempdir().unwrap();
    let mixed = capture(Kind::Mixed, 24_000, false);
    let pcapng = capture(Kind::Mixed, 24_000, true);
    let bounds = records(&mixed);
    let middle = bounds[12_000].0;
    let change = |from: usize, bytes: &[u8]| {
        let mut changed = mixed.clone();
        changed[from..from + bytes.len()].copy_from_slice(bytes);
        changed
    };
    // The times of one frame, and of all from one on, a year and more away.
    let stray = change(middle, &1_000_000_000u32.to_le_bytes());
    let mut clock_set = mixed.clone();
    let mut backwards = mixed.clone();
    for (number, (from, _)) in bounds.iter().enumerate() {
        let seconds = u32::from_le_bytes(mixed[*from..from + 4].try_into().unwrap());
        if number >= 12_000 {
            clock_set[*from..from + 4].copy_from_slice(&(seconds - 50_000_000).to_le_bytes());
        }
        if number % 7 == 0 {
            backwards[*from..from + 4].copy_from_slice(&(seconds - 3).to_le_bytes());
        }
    }
    // A second section, and before it a packet of an interface that nobody described.
    let mut stranger = pcapng[60..60 + u32::from_le_bytes(pcapng[64..68].try_into().unwrap()) as usize].to_vec();
    stranger[8] = 9;
    let sections = [&pcapng[..], &stranger, &pcapng[..]].concat();
    let rows: Vec<(&'static str, Vec<u8>, bool)> = vec![
        ("as it should be", mixed.clone(), true),
        ("of pcapng", pcapng.clone(), true),
        ("of small frames", capture(Kind::Small, 100_000, false), true),
        ("every packet a flow", capture(Kind::Flows, 100_000, false), true),
        ("full of lures", full_of_lures(15_000), true),
        ("cut inside a frame", mixed[..bounds[20_000].1 - 3].to_vec(), true),
        ("cut inside a header", mixed[..bounds[20_000].0 + 5].to_vec(), true),
        ("a stray time", stray, true),
        ("a clock that was set", clock_set, true),
        ("out of order", backwards, true),
        ("damaged in the middle", change(middle + 8, &[0xff; 8]), true),
        ("zeros in the middle", change(middle, &[0; 16]), true),
        ("two sections", sections, true),
        ("a short one", mixed[..bounds[3000].0].to_vec(), true),
        ("a few frames", mixed[..bounds[5].0].to_vec(), false),
    ];
    let compressed = |(what, bytes, _): &(&'static str, Vec<u8>, bool)| {
        // What is cut or damaged inside is a whole stream outside.
        (*what, zstd::encode_all(&bytes[..], 1).unwrap(), true)
    };
    let mut compressed: Vec<_> = rows.iter().filter(|(.., is_split)| *is_split).map(compressed).collect();
    for (what, bytes) in [("zstd, damaged", zstd::encode_all(&mixed[..], 3).unwrap()), ("gzip, damaged", gzip(&mixed))] {
        compressed.push((what, damaged(bytes), true));
    }
    for (what, bytes, is_split) in rows.into_iter().chain(compressed) {
        let path = directory.path().join("capture");
        fs::write(&path, &bytes).unwrap();
        let (expected, _) = read(std::slice::from_ref(&path), None, |_| {});
        for threads in [1, 2, 3] {
            let (found, in_pieces) = read(std::slice::from_ref(&path), Some(threads), |_| {});
            assert_eq!(found.1, expected.1, "{what}, {threads} threads: frames");
            assert_eq!((&found.2, &found.3), (&expected.2, &expected.3), "{what}, {threads} threads: findings");
            assert!(found.0 == expected.0, "{what}, {threads} threads: flows");
            assert!(found.4 == expected.4, "{what}, {threads} threads: times");
            assert_eq!(in_pieces > 0, is_split, "{what}: {in_pieces} frames in pieces");
        }
    }
}

#[test]
fn several_files_are_merged_as_ever() {
    let directory = tempfile::tempdir().unwrap();
    let mixed = capture(Kind::Mixed, 40_000, false);
    let bounds = records(&mixed);
    let slice = |name: &str, numbers: &mut dyn Iterator<Item = usize>| {
        let mut bytes = mixed[..24].to_vec();
        numbers.for_each(|number| bytes.extend_from_slice(&mixed[bounds[number].0..bounds[number].1]));
        let path = directory.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let changed = |of: &Path, name: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = fs::read(of).unwrap();
        change(&mut bytes);
        let path = directory.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let alternating = [slice("c", &mut (0..40_000).step_by(2)), slice("d", &mut (1..40_000).step_by(2))];
    let compressed = alternating.each_ref().map(|path| {
        let name = format!("{}.zst", path.file_name().unwrap().display());
        changed(path, &name, &|bytes| *bytes = zstd::encode_all(&bytes[..], 1).unwrap())
    });
    let nodes: Vec<PathBuf> = (0..20).map(|node| slice(&format!("node-{node:02}"), &mut (node..40_000).step_by(20))).collect();
    let torn = compressed.each_ref().map(|path| {
        let name = format!("{}.damaged", path.file_name().unwrap().display());
        changed(path, &name, &|bytes| *bytes = damaged(std::mem::take(bytes)))
    });
    let cut = changed(&alternating[0], "cut", &|bytes| bytes.truncate(bytes.len() / 2 + 5));
    // A time of its own in a frame of one file, a year and more away; and from another frame on a clock that was set.
    let year = |bytes: &mut Vec<u8>, at: usize| {
        let seconds = u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) - 50_000_000;
        bytes[at..at + 4].copy_from_slice(&seconds.to_le_bytes());
    };
    let stray = changed(&alternating[0], "stray", &|bytes| {
        let at = records(bytes)[9000].0;
        year(bytes, at);
    });
    let set = changed(&alternating[1], "set", &|bytes| {
        records(bytes).into_iter().skip(9000).for_each(|(at, _)| year(bytes, at));
    });
    let backwards = changed(&alternating[1], "backwards", &|bytes| {
        for (at, _) in records(bytes).into_iter().step_by(7) {
            let seconds = u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) - 3;
            bytes[at..at + 4].copy_from_slice(&seconds.to_le_bytes());
        }
    });
    let now_and_then = (0..40_000).filter(|number| number % 5000 == 0);
    let rows: [(&str, Vec<PathBuf>, bool); 12] = [
        ("one after the other", vec![slice("a", &mut (0..20_000)), slice("b", &mut (20_000..40_000))], true),
        ("alternating", alternating.to_vec(), true),
        ("alternating, compressed", compressed.to_vec(), true),
        ("alternating, compressed and damaged", torn.to_vec(), false),
        ("overlapping at the end", vec![slice("e", &mut (0..22_000)), slice("f", &mut (18_000..40_000))], true),
        (
            "one within the other",
            vec![slice("g", &mut now_and_then.clone()), slice("h", &mut (0..40_000).filter(|number| number % 5000 != 0))],
            true,
        ),
        ("many", nodes.clone(), true),
        ("one of them cut", vec![cut.clone(), alternating[1].clone()], false),
        ("a stray time", vec![stray.clone(), alternating[1].clone()], false),
        ("a clock that was set", vec![alternating[0].clone(), set.clone()], false),
        ("out of order", vec![alternating[0].clone(), backwards.clone()], false),
        ("many, some of them odd", [&nodes[..], &[cut, stray, set, backwards]].concat(), false),
    ];
    let (whole, _) = read(&[slice("whole", &mut (0..40_000))], None, |_| {});
    for (what, files, is_whole) in rows {
        let (expected, _) = read(&files, None, |_| {});
        assert!(!is_whole || expected.0 == whole.0, "{what}: frame by frame");
        for threads in [1, 2, 3] {
            let (found, in_pieces) = read(&files, Some(threads), |_| {});
            assert!(found.4 == expected.4, "{what}, {threads} threads: times");
            assert!(found.0 == expected.0, "{what}, {threads} threads: flows");
            assert_eq!(found.1, expected.1, "{what}, {threads} threads: frames");
            assert_eq!((&found.2, &found.3), (&expected.2, &expected.3), "{what}, {threads} threads: findings");
            assert!(in_pieces * 2 > found.1.frames, "{what}, {threads} threads: {in_pieces} frames in pieces");
        }
    }
}

/// What flow files tell, in order, what is to be said of them, and how many bytes were read.
fn told(files: &[PathBuf], threads: Option<usize>) -> (Vec<Record>, Vec<String>, Vec<String>, u64) {
    let inputs = files.iter().cloned().map(Input::File).collect();
    let (decoder, batch) = (Decoder::new(DecodeOptions::default()), FlowTable::new(16).batch());
    let mut merged = match threads.and_then(NonZeroUsize::new) {
        Some(threads) => Merged::splitting(inputs, Splitting { threads, decoder, batch }),
        None => Merged::new(inputs),
    };
    let mut records = Vec::new();
    while let Some(following) = merged.read_following() {
        match following {
            Following::One(_, Observed::Record(record)) => records.push(record.clone()),
            other => panic!("{other:?} in a flow file"),
        }
    }
    let findings = merged.take_findings().sorted().iter().map(|finding| format!("{finding:?}")).collect();
    let errors = merged.take_errors().iter().map(CaptureError::to_string).collect();
    (records, findings, errors, merged.bytes_read())
}

#[test]
fn flow_files_are_merged_as_ever() {
    let directory = tempfile::tempdir().unwrap();
    let mixed = capture(Kind::Mixed, 24_000, false);
    let bounds = records(&mixed);
    // Each node sees some of the packets, at the same time as all others.
    let nodes = (0..20).map(|node| {
        let frames = bounds.iter().skip(node).step_by(20);
        let bytes = frames.fold(mixed[..24].to_vec(), |bytes, (from, to)| [&bytes[..], &mixed[*from..*to]].concat());
        let (pcap, flows) = (directory.path().join("node.pcap"), directory.path().join(format!("{node:02}.flows.zst")));
        fs::write(&pcap, bytes).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_netpol-gen"));
        let output = command.args(["capture", "--read"]).arg(&pcap).arg("--output").arg(&flows).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        flows
    });
    let nodes: Vec<PathBuf> = nodes.collect();
    let changed = |name: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = fs::read(&nodes[0]).unwrap();
        change(&mut bytes);
        let path = directory.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let torn = changed("torn", &|bytes| bytes.truncate(bytes.len() / 2));
    let twice = changed("twice", &|bytes| bytes.extend(fs::read(&nodes[1]).unwrap()));
    let none = changed("none", &|bytes| bytes.fill(b'x'));
    let plain = changed("plain", &|bytes| {
        let mut text = zstd::decode_all(&bytes[..]).unwrap();
        let middle = text.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at).nth(300).unwrap();
        text.splice(middle..middle, *b"\nno record\n{\"of another version\":{}}");
        *bytes = text;
    });
    let rows = [
        ("one", nodes[..1].to_vec()),
        ("a few", nodes[..5].to_vec()),
        ("a few, some of them damaged", [&nodes[2..5], &[torn.clone(), twice.clone(), none.clone(), plain.clone()]].concat()),
        ("many", nodes.clone()),
        ("many, some of them damaged", [&nodes[1..], &[torn, twice, none, plain]].concat()),
    ];
    for (what, files) in rows {
        let expected = told(&files, None);
        assert!(expected.0.len() > files.len() * 20, "{what}: {} records", expected.0.len());
        for threads in [1, 2, 3] {
            let found = told(&files, Some(threads));
            assert_eq!((&found.1, &found.2, found.3), (&expected.1, &expected.2, expected.3), "{what}, {threads} threads");
            assert!(found.0 == expected.0, "{what}, {threads} threads: records");
        }
    }
}

#[test]
fn a_file_that_grows_is_read_to_its_end() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("growing.pcap");
    let mixed = capture(Kind::Mixed, 40_000, false);
    let half = records(&mixed)[20_000].0 + 7;
    let (expected, _) = {
        fs::write(&path, &mixed).unwrap();
        read(std::slice::from_ref(&path), None, |_| {})
    };
    for threads in [1, 2] {
        let mut file = File::create(&path).unwrap();
        file.write_all(&mixed[..half]).unwrap();
        let (found, _) = read(std::slice::from_ref(&path), Some(threads), |frames| {
            if frames > 5000 && file.stream_position().unwrap() == half as u64 {
                file.write_all(&mixed[half..]).unwrap();
            }
        });
        assert!(found == expected, "{threads} threads");
    }
}

#[test]
fn a_file_that_shrinks_is_a_file_that_is_cut() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("shrinking.pcap");
    let mixed = capture(Kind::Mixed, 40_000, false);
    for threads in [1, 2] {
        fs::write(&path, &mixed).unwrap();
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        let to = records(&mixed)[20_000].0 as u64 + 7;
        let ((_, tally, findings, errors, _), _) = read(std::slice::from_ref(&path), Some(threads), |frames| {
            if frames > 5000 {
                file.set_len(to).unwrap();
            }
        });
        // What the threads had read before counts, and no more than was there.
        assert!((20_000..40_000).contains(&tally.frames), "{threads} threads: {} frames", tally.frames);
        assert_eq!(findings.first().map(|(code, ..)| *code), Some(Code::TruncatedFile), "{threads} threads: {findings:?}");
        assert!(errors.is_empty(), "{errors:?}");
    }
}

fn learn(capture: &Path, arguments: &[&str], directory: &Path) -> (String, BTreeMap<PathBuf, String>) {
    let output = directory.join("policies");
    let _ = fs::remove_dir_all(&output);
    let mut command = Command::new(env!("CARGO_BIN_EXE_netpol-gen"));
    command.args(["learn", "--format", "json", "--inventory", "cluster.json", "--output", "policies"]).args(arguments);
    // Under one name, since that is told.
    fs::copy(capture, directory.join("capture")).unwrap();
    let result = command.current_dir(directory).args(["--read", "capture"]).output().unwrap();
    assert!(result.status.success(), "{}", String::from_utf8_lossy(&result.stderr));
    let mut files = BTreeMap::new();
    let mut folders = vec![output];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else {
                files.insert(entry.path(), fs::read_to_string(entry.path()).unwrap());
            }
        }
    }
    (String::from_utf8(result.stdout).unwrap(), files)
}

#[test]
fn the_result_is_the_same_whoever_reads() {
    let directory = tempfile::tempdir().unwrap();
    let original = directory.path().join("original.pcap");
    fs::write(directory.path().join("cluster.json"), traffic::inventory()).unwrap();
    fs::write(&original, capture(Kind::Mixed, 60_000, false)).unwrap();
    let packed = directory.path().join("packed");
    fs::write(&packed, zstd::encode_all(File::open(&original).unwrap(), 1).unwrap()).unwrap();
    // What is compressed is not read in pieces.
    let (summary, files) = learn(&packed, &["--threads", "1"], directory.path());
    assert!(files.len() > 50, "policies are made: {}", files.len());
    let rows: [(&str, &Path, &[&str]); 4] = [
        ("one thread", &original, &["--threads", "1"]),
        ("two threads", &original, &["--threads", "2"]),
        ("as many as there are", &original, &[]),
        ("compressed, by two threads", &packed, &["--threads", "2"]),
    ];
    for (what, capture, arguments) in rows {
        let (other_summary, other_files) = learn(capture, arguments, directory.path());
        assert!(files == other_files, "{what}: files");
        assert_eq!(summary, other_summary, "{what}: summary");
    }
}

/// The same frames, at times that are twenty times as far apart.
fn slowed(mut pcap: Vec<u8>) -> Vec<u8> {
    // The generator writes nanoseconds.
    const SECOND: u64 = 1_000_000_000;
    let time = |record: &[u8]| {
        let word = |at: usize| u64::from(u32::from_le_bytes(record[at..at + 4].try_into().unwrap()));
        word(0) * SECOND + word(4)
    };
    let first = time(&pcap[24..]);
    for (from, _) in records(&pcap) {
        let at = first + (time(&pcap[from..]) - first) * 20;
        for (place, number) in [(from, at / SECOND), (from + 4, at % SECOND)] {
            pcap[place..place + 4].copy_from_slice(&u32::try_from(number).unwrap().to_le_bytes());
        }
    }
    pcap
}

#[test]
fn a_flow_file_is_the_same_whoever_reads() {
    let directory = tempfile::tempdir().unwrap();
    let pcap = slowed(capture(Kind::Mixed, 60_000, false));
    let convert = |bytes: &[u8], threads: &str| {
        fs::write(directory.path().join("capture"), bytes).unwrap();
        let _ = fs::remove_file(directory.path().join("flows"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_netpol-gen"));
        command.args(["capture", "--read", "capture", "--output", "flows", "--threads", threads]);
        let result = command.current_dir(directory.path()).output().unwrap();
        assert!(result.status.success(), "{}", String::from_utf8_lossy(&result.stderr));
        let lines = zstd::decode_all(File::open(directory.path().join("flows")).unwrap()).unwrap();
        String::from_utf8(lines).unwrap()
    };
    let packed = zstd::encode_all(&pcap[..], 1).unwrap();
    let expected = convert(&packed, "1");
    let checkpoints = expected.matches("{\"checkpoint\"").count();
    assert!((6..=9).contains(&checkpoints), "72 s of traffic, told every 10 s: {checkpoints}");
    for (what, bytes, threads) in
        [("one", &pcap, "1"), ("two", &pcap, "2"), ("three", &pcap, "3"), ("two, compressed", &packed, "2")]
    {
        let lines = convert(bytes, threads);
        let differing = expected.lines().zip(lines.lines()).find(|(one, other)| one != other);
        assert!(expected == lines, "{what}: {differing:?}");
    }
}
