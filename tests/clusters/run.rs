//! One run of `learn` inside this process: objects and frames in, policies and what was said of them out.

use std::num::NonZeroUsize;

use jiff::civil::date;
use netpol_gen::coverage::blind_spots;
use netpol_gen::decode::{DecodeOptions, Decoder, Frame, LinkType};
use netpol_gen::edge::{Observation, Observer};
use netpol_gen::flow::FlowTable;
use netpol_gen::inventory::{Inventory, InventoryBuilder, snapshot};
use netpol_gen::learn::{LearnError, Learned, learn};
use netpol_gen::model::{Finding, Timestamp};
use netpol_gen::output::{Templates, render};
use netpol_gen::policy::PolicyOptions;
use netpol_gen::review::decisions::{Decisions, file};
use serde_json::{Value, json};

use crate::options::Options;

/// What a run gave.
pub struct Run {
    pub inventory: Inventory,
    pub observation: Observation,
    pub learned: Learned,
    /// What was asked for, decisions included.
    pub options: PolicyOptions,
    pub accepts_one_way: bool,
    pub findings: Vec<Finding>,
    /// The policies as they are written.
    pub text: String,
}

/// Learns. The error is what the run said instead.
pub fn run(objects: &[Value], frames: &[(i64, Vec<u8>)], options: &Options) -> Result<Run, String> {
    let mut builder = InventoryBuilder::new();
    builder.apply_snapshot(snapshot::read_value(json!({"apiVersion": "v1", "kind": "List", "items": objects}), "cluster"));
    let inventory = builder.build(&options.inventory);
    let mut decoder = Decoder::new(DecodeOptions::default());
    let mut table = FlowTable::new(100_000);
    let mut batch = table.batch();
    if let Some(first) = frames.iter().map(|(at, _)| *at).min() {
        table.begin_capture(Timestamp(first));
    }
    for (at, data) in frames {
        let wire_length = u32::try_from(data.len()).unwrap();
        batch.take(&Frame { at: Timestamp(*at), link: LinkType::Ethernet, wire_length, data }, &mut decoder);
    }
    table.observe_all(&mut batch);
    table.finish();
    let mut observer = Observer::new(&inventory, 100_000).accepting_one_way(options.accepts_one_way);
    observer.observe(table.take_finished(), table.names());
    observer.sight(table.sightings());
    observer.flood(table.floods());
    let mut observation = observer.conclude();
    let (flows, classes) = (observation.flows.values().sum::<u64>(), observation.classes.total());
    if flows != classes {
        return Err(format!("failed: {flows} conversations, {classes} in classes: {:?}", observation.classes));
    }
    let decisions = if options.decisions.is_empty() {
        Vec::new()
    } else {
        file::read(&options.decisions).map_err(|error| format!("decisions: {error:?}"))?
    };
    let mut decisions = Decisions::new(decisions, date(2026, 9, 21)).map_err(|error| format!("decisions: {error}"))?;
    let mut policy = options.policy.clone();
    let learned =
        learn(&mut observation, &inventory, &mut policy, &mut decisions, options.has_quarantine).map_err(
            |error| match error {
                LearnError::Decision(error) => format!("decisions: {error}"),
                other => format!("failed: {other:?}"),
            },
        )?;
    let mut findings = inventory.findings().clone();
    findings.merge(table.findings());
    findings.merge(observation.findings.clone());
    findings.merge(learned.findings.clone());
    findings.merge(blind_spots(&observation, &inventory, &learned.set.namespaces));
    let templates = Templates::embedded().unwrap();
    let mut text =
        render::stream(&learned.set.policies, &templates, NonZeroUsize::MIN).map_err(|error| format!("failed: {error}"))?;
    text.push_str(
        &render::stream(&learned.quarantined.policies, &templates, NonZeroUsize::MIN)
            .map_err(|error| format!("failed: {error}"))?,
    );
    let accepts_one_way = options.accepts_one_way;
    Ok(Run { inventory, observation, learned, options: policy, accepts_one_way, findings: findings.sorted(), text })
}
