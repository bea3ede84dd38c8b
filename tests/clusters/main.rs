//! Whole clusters drawn at random, with their traffic and every option of `learn`: whatever objects and traffic hold, a run ends with
//! proved policies, keeps its promise, says what it cannot allow, and gives the same bytes for the same facts in another order.
//!
//! `make clusters COUNT=100000 SEED=1` runs many. A failure names its seed; `make clusters COUNT=1 SEED=...` repeats
//! it, and with `KEEP=DIRECTORY` leaves the capture and the inventory there.

#![expect(clippy::unwrap_used, reason = "in tests a failed unwrap is the failure to report")]

#[path = "../support/mod.rs"]
mod support;

mod binary;
mod cluster;
mod options;
mod owners;
mod promise;
mod random;
mod run;
mod services;
mod traffic;

use std::collections::BTreeMap;
use std::panic::catch_unwind;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use cluster::Cluster;
use options::Options;
use random::Random;
use serde_json::Value;
use traffic::Conversation;

/// So many clusters are drawn unasked.
const COUNT: u64 = 200;
/// Failures that are shown.
const SHOWN: u64 = 20;

/// All that a seed draws.
pub(crate) struct Drawn {
    pub(crate) cluster: Cluster,
    pub(crate) traffic: Vec<Conversation>,
    pub(crate) options: Options,
    /// For what is drawn afterwards.
    pub(crate) random: Random,
}

impl Drawn {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let cluster = Cluster::draw(&mut random);
        let traffic = traffic::draw(&cluster, &mut random);
        let options = Options::draw(&cluster, &mut random);
        Self { cluster, traffic, options, random }
    }

    /// All frames in order of time.
    pub(crate) fn frames(&self) -> Vec<(i64, Vec<u8>)> {
        let mut frames: Vec<(i64, Vec<u8>)> = self.traffic.iter().flat_map(|conversation| conversation.frames.clone()).collect();
        frames.sort_by_key(|(at, _)| *at);
        frames
    }

    /// The same facts in another order: objects shuffled, frames of one time from other conversations first.
    fn reordered(&self, random: &mut Random) -> (Vec<Value>, Vec<(i64, Vec<u8>)>) {
        let mut objects = self.cluster.objects.clone();
        random.shuffle(&mut objects);
        let mut traffic: Vec<&Conversation> = self.traffic.iter().collect();
        random.shuffle(&mut traffic);
        let mut frames: Vec<(i64, Vec<u8>)> = traffic.into_iter().flat_map(|conversation| conversation.frames.clone()).collect();
        frames.sort_by_key(|(at, _)| *at);
        (objects, frames)
    }
}

/// What came of a seed: policies, or the reason why there are none.
enum Came {
    Policies,
    /// Decisions contradict what was seen, or one another.
    Refused,
}

/// Runs one cluster; the error is all that is wrong.
fn check(seed: u64) -> Result<Came, Vec<String>> {
    let drawn = Drawn::new(seed);
    if let Some(directory) = std::env::var_os("KEEP") {
        binary::keep(&drawn, Path::new(&directory));
    }
    let mut random = drawn.random.clone();
    let frames = drawn.frames();
    let first = run::run(&drawn.cluster.objects, &frames, &drawn.options);
    let (objects, reordered) = drawn.reordered(&mut random);
    let second = run::run(&objects, &reordered, &drawn.options);
    match (first, second) {
        (Ok(first), Ok(second)) => {
            let mut breaches = promise::breaches(&drawn.cluster, &drawn.traffic, &first, &mut random);
            if first.text != second.text {
                breaches.push(format!("another order gave other policies: {}", difference(&first.text, &second.text)));
            }
            let said = |run: &run::Run| run.findings.iter().map(|finding| format!("{finding:?}")).collect::<Vec<_>>().join("\n");
            if said(&first) != said(&second) {
                breaches.push(format!("another order gave other findings: {}", difference(&said(&first), &said(&second))));
            }
            if breaches.is_empty() { Ok(Came::Policies) } else { Err(breaches) }
        }
        (Err(first), Err(second)) if first != second => Err(vec![format!("another order failed otherwise: {first} | {second}")]),
        (Err(reason), Err(_)) if reason.starts_with("decisions: ") => Ok(Came::Refused),
        (Err(reason), _) | (_, Err(reason)) => Err(vec![reason]),
    }
}

/// The first line that differs.
fn difference(one: &str, other: &str) -> String {
    let mut others = other.lines();
    let line = one.lines().find_map(|line| {
        let other = others.next().unwrap_or_default();
        (line != other).then(|| format!("`{line}` | `{other}`"))
    });
    line.unwrap_or_else(|| format!("{} and {} lines", one.lines().count(), other.lines().count()))
}

fn number(variable: &str, usual: u64) -> u64 {
    std::env::var(variable).ok().filter(|text| !text.is_empty()).map_or(usual, |text| text.parse().unwrap())
}

#[test]
fn every_cluster_keeps_the_promise() {
    let (first, count) = (number("SEED", 1), number("COUNT", COUNT));
    let next = AtomicU64::new(first);
    let failed: Mutex<BTreeMap<u64, Vec<String>>> = Mutex::default();
    let refused: Mutex<u64> = Mutex::default();
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + count {
                        break;
                    }
                    let came = catch_unwind(|| check(seed)).unwrap_or_else(|_| Err(vec!["panicked".to_owned()]));
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
