//! A file of any kind, read to its end, decoded and put into a flow table.
#![no_main]

use libfuzzer_sys::fuzz_target;
use netpol_gen::capture::{CaptureFile, Observed};
use netpol_gen::decode::{DecodeOptions, Decoder};
use netpol_gen::flow::FlowTable;

/// A bomb may go on for long; that it does not stop is no finding.
const MOST_FRAMES: u64 = 100_000;

fuzz_target!(|bytes: &[u8]| {
    let Ok(mut file) = CaptureFile::from_reader("fuzz", std::io::Cursor::new(bytes.to_vec())) else { return };
    let mut decoder = Decoder::new(DecodeOptions::default());
    // Small, so that it is full at times; recording, so that what comes out is written too.
    let mut table = FlowTable::recording(64);
    while let Ok(Some(observed)) = file.read_next() {
        match observed {
            Observed::Frame(frame) => {
                assert!(frame.wire_length as usize >= frame.data.len());
                if let Some(packet) = decoder.decode(&frame) {
                    table.observe(&packet);
                }
            }
            Observed::Record(record) => table.recall(record),
        }
        if file.frames() == MOST_FRAMES {
            return;
        }
    }
    assert!(matches!(file.read_next(), Ok(None)), "after the end there is nothing");
    let _ = file.take_findings().sorted();
    table.finish();
    for record in table.take_records(usize::MAX) {
        let line = serde_json::to_vec(&record).expect("every record has a form in JSON");
        let again = netpol_gen::flow::Record::parse(&line).expect("it is read again").expect("it is known");
        assert_eq!(again, record, "a record is read as it was written");
    }
});
