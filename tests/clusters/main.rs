//! Whole clusters drawn at random, with their traffic and every option of `learn`: whatever objects and traffic hold, a run ends with
//! proved policies, keeps its promise, says what it cannot allow, and gives the same bytes for the same facts in another order.
//!
//! `make clusters COUNT=100000 SEED=1` runs many. A failure names its seed; `make clusters COUNT=1 SEED=...` repeats
//! it, and with `KEEP=DIRECTORY` leaves the capture and the inventory there. `make clusters COUNT=1 BYTES=FILE` repeats an input of the
//! fuzz target `learn`.

#![expect(clippy::unwrap_used, reason = "in tests a failed unwrap is the failure to report")]

#[path = "../support/mod.rs"]
mod support;

// All but `binary` are parts of the fuzz target `learn` too.
mod binary;
mod check;
mod cluster;
mod disturbance;
mod options;
mod owners;
mod promise;
mod random;
mod run;
mod services;
mod traffic;

use std::collections::BTreeMap;
use std::panic::{RefUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use check::{Came, Drawn};

/// So many clusters are drawn unasked.
const COUNT: u64 = 200;
/// Failures that are shown.
const SHOWN: u64 = 20;

fn number(variable: &str, usual: u64) -> u64 {
    std::env::var(variable).ok().filter(|text| !text.is_empty()).map_or(usual, |text| text.parse().unwrap())
}

/// Checks many seeds on all processors; a panic is a failure like any other.
#[expect(clippy::print_stdout, reason = "the seeds are for a person to repeat")]
fn check_many(check: impl Fn(&Drawn) -> Result<Came, Vec<String>> + Sync + RefUnwindSafe) {
    let (first, count) = (number("SEED", 1), number("COUNT", COUNT));
    let next = AtomicU64::new(first);
    let failed: Mutex<BTreeMap<u64, Vec<String>>> = Mutex::default();
    let refused: Mutex<u64> = Mutex::default();
    let check_one = |seed: u64| {
        let drawn = match std::env::var_os("BYTES") {
            // The first byte chooses the check, which here has a name.
            Some(file) => Drawn::from(random::Random::from_bytes(std::fs::read(file).unwrap().get(1..).unwrap_or_default())),
            None => Drawn::new(seed),
        };
        if let Some(directory) = std::env::var_os("KEEP") {
            binary::keep(&drawn, Path::new(&directory));
        }
        check(&drawn)
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + count {
                        break;
                    }
                    let came = catch_unwind(|| check_one(seed)).unwrap_or_else(|_| Err(vec!["panicked".to_owned()]));
                    match came {
                        Ok(Came::Policies) => {}
                        Ok(Came::Refused) => *refused.lock().unwrap_or_else(PoisonError::into_inner) += 1,
                        Err(breaches) => {
                            failed.lock().unwrap_or_else(PoisonError::into_inner).insert(seed, breaches);
                        }
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    for (seed, breaches) in failed.iter().take(usize::try_from(number("SHOWN", SHOWN)).unwrap()) {
        println!("seed {seed} (make clusters COUNT=1 SEED={seed}):");
        for breach in breaches.iter().take(20) {
            println!("  {breach}");
        }
    }
    let refused = refused.into_inner().unwrap();
    println!(
        "{count} clusters from seed {first}: {} failed, {refused} had decisions that contradict what was seen",
        failed.len()
    );
    assert!(failed.is_empty(), "{} of {count} clusters failed", failed.len());
    assert!(refused * 4 < count.max(4), "most runs get as far as policies");
}

#[test]
fn every_cluster_keeps_the_promise() {
    check_many(check::check);
}

#[test]
fn every_cluster_keeps_the_promise_in_disturbed_traffic() {
    check_many(check::check_disturbed);
}
