//! A file of decisions.
#![no_main]

use jiff::civil::date;
use libfuzzer_sys::fuzz_target;
use netpol_gen::review::decisions::{Decisions, PartyPattern, Ports, file};

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let _ = PartyPattern::parse(text);
    let _ = Ports::parse(text);
    match file::read(text) {
        Ok(decisions) => {
            for decision in &decisions {
                let what = format!("{:?}", decision.what);
                assert!(!decision.reason.contains('\n'), "the reason of {what} is one line");
            }
            let _ = Decisions::new(decisions, date(2026, 9, 21)).map_err(|error| error.to_string());
        }
        Err(error) => drop(error.to_string()),
    }
});
