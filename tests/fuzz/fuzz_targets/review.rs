//! The JSON that `learn` leaves beside the policies and `plan` reads back.
#![no_main]

use libfuzzer_sys::fuzz_target;
use netpol_gen::output::report;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Some(learned) = report::read(text) {
        let _ = format!("{learned:?}");
    }
});
