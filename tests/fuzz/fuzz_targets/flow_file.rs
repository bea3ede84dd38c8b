//! Lines of a flow file: the quick reader against the slow one, each record written and read again, and all of them in a table.
#![no_main]

use libfuzzer_sys::fuzz_target;
use netpol_gen::flow::{FlowTable, Lines, Record};

fuzz_target!(|bytes: &[u8]| {
    let mut table = FlowTable::recording(64);
    for line in bytes.split(|byte| *byte == b'\n') {
        let read = Record::parse(line);
        let slow = serde_json::from_slice::<Record>(line);
        assert_eq!(read.as_ref().ok().and_then(Option::as_ref), slow.as_ref().ok(), "both readers read the same");
        let Ok(Some(record)) = read else { continue };
        let json = serde_json::to_vec(&record).expect("every record has a form in JSON");
        assert_eq!(Record::parse(&json).expect("it is read again").as_ref(), Some(&record));
        let mut written = Vec::new();
        Lines::default().write(&record, &mut written).expect("every record has a line");
        let written = written.strip_suffix(b"\n").unwrap_or(&written);
        assert_eq!(Record::parse(written).expect("it is read again").as_ref(), Some(&record));
        if let Record::Conversation(conversation) = &record {
            let _ = conversation.flows();
        }
        table.recall(&record);
    }
    table.finish();
    for record in table.take_records(usize::MAX) {
        let line = serde_json::to_vec(&record).expect("every record has a form in JSON");
        assert_eq!(Record::parse(&line).expect("it is read again").as_ref(), Some(&record));
    }
});
