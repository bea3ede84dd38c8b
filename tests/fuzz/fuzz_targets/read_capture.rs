//! A file of any kind, read to its end and decoded.
#![no_main]

use libfuzzer_sys::fuzz_target;
use netpol_gen::capture::CaptureFile;
use netpol_gen::decode::{DecodeOptions, Decoder, FrameSource as _};

/// A bomb may go on for long; that it does not stop is no finding.
const MOST_FRAMES: u64 = 100_000;

fuzz_target!(|bytes: &[u8]| {
    let Ok(mut file) = CaptureFile::from_reader("fuzz", std::io::Cursor::new(bytes.to_vec())) else { return };
    let mut decoder = Decoder::new(DecodeOptions::default());
    while let Ok(Some(frame)) = file.next_frame() {
        assert!(frame.wire_length as usize >= frame.data.len());
        decoder.decode(&frame);
        if decoder.tally().frames == MOST_FRAMES {
            return;
        }
    }
    assert!(matches!(file.next_frame(), Ok(None)), "after the end there is nothing");
    let _ = file.take_findings().sorted();
});
