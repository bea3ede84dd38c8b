//! Random traffic of a random cluster with random options through `learn` to the end, drawn from the bytes; every second one with
//! its traffic disturbed. What holds is what `tests/clusters` holds.
#![no_main]
#![expect(dead_code, reason = "what only the test of whole clusters asks for")]

#[path = "../../clusters/check.rs"]
mod check;
#[path = "../../clusters/cluster.rs"]
mod cluster;
#[path = "../../clusters/disturbance.rs"]
mod disturbance;
#[path = "../../clusters/options.rs"]
mod options;
#[path = "../../clusters/owners.rs"]
mod owners;
#[path = "../../clusters/promise.rs"]
mod promise;
#[path = "../../clusters/random.rs"]
mod random;
#[path = "../../clusters/run.rs"]
mod run;
#[path = "../../clusters/services.rs"]
mod services;
#[path = "../../support/mod.rs"]
mod support;
#[path = "../../clusters/traffic.rs"]
mod traffic;

use check::{Drawn, check, check_disturbed};
use libfuzzer_sys::fuzz_target;
use random::Random;

fuzz_target!(|bytes: &[u8]| {
    let [disturbed, bytes @ ..] = bytes else { return };
    let drawn = Drawn::from(Random::from_bytes(bytes));
    let result = if disturbed & 1 == 0 { check(&drawn) } else { check_disturbed(&drawn) };
    if let Err(breaches) = result {
        panic!("{}", breaches.join("\n"));
    }
});
