//! One cluster drawn, learned from and held against its promise.

use serde_json::Value;

use crate::cluster::Cluster;
use crate::options::Options;
use crate::random::Random;
use crate::traffic::{self, Conversation};
use crate::{disturbance, promise, run};

/// All that a seed draws.
pub struct Drawn {
    pub cluster: Cluster,
    pub traffic: Vec<Conversation>,
    pub options: Options,
    /// For what is drawn afterwards.
    pub random: Random,
}

impl Drawn {
    pub fn new(seed: u64) -> Self {
        Self::from(Random::new(seed))
    }

    pub fn from(mut random: Random) -> Self {
        let cluster = Cluster::draw(&mut random);
        let traffic = traffic::draw(&cluster, &mut random);
        let options = Options::draw(&cluster, &mut random);
        Self { cluster, traffic, options, random }
    }

    /// All frames in order of time.
    pub fn frames(&self) -> Vec<(i64, Vec<u8>)> {
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
pub enum Came {
    Policies,
    /// Decisions contradict what was seen, or one another.
    Refused,
}

/// Runs one cluster, and the same facts in another order; the error is all that is wrong.
pub fn check(drawn: &Drawn) -> Result<Came, Vec<String>> {
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

/// Runs one cluster with disturbed traffic, of which nobody knows what it means: what was seen is allowed, and nothing else.
pub fn check_disturbed(drawn: &Drawn) -> Result<Came, Vec<String>> {
    let mut random = drawn.random.clone();
    let frames = disturbance::disturb(drawn.frames(), &mut random);
    match run::run(&drawn.cluster.objects, &frames, &drawn.options) {
        Ok(run) => {
            let breaches = promise::breaches(&drawn.cluster, &[], &run, &mut random);
            if breaches.is_empty() { Ok(Came::Policies) } else { Err(breaches) }
        }
        Err(reason) if reason.starts_with("decisions: ") => Ok(Came::Refused),
        Err(reason) => Err(vec![reason]),
    }
}
