//! The JSON that `learn` leaves beside the policies and `plan` reads back.
#![no_main]

use libfuzzer_sys::fuzz_target;
use netpol_gen::emit::review;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Some(learned) = review::read(text) {
        let _ = format!("{learned:?}");
    }
});
