//! `netpol-gen verify`: policies and later traffic in; what would be denied, and what nobody used, out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use crate::capture;
use crate::edge::{DynamicPorts, Public};
use crate::inventory::Inventory;
use crate::model::{Code, Edge, Evidence, Party, Widening};
use crate::output::answer::{Held, RejectedEdge, Remedy, Unjudged, Withheld, replay_json, replay_text};
use crate::output::report::{self, Summary};
use crate::policy::{self, PolicyOptions};
use crate::verify::{self, ClusterView, Direction, Replay, Unmatched};

use super::args::Format;
use super::args_checks::{Replaying, Verify};
use super::console::{self, warn};
use super::decisions::Decided;
use super::exit;
use super::failure::Failure;
use super::flow_file_writer::tell_errors;
use super::ingest::{self, Limits, Reading};
use super::learn::nothing_seen;
use super::load_inventory;
use super::output::write_out;
use super::policy_set::{Policies, is_path};
use super::suggestion::{Learned, remedy};

/// Reads, holds against one another, tells.
pub(super) fn run(arguments: &Verify) -> Result<u8, Failure> {
    let paths: Vec<PathBuf> = arguments.given.policies.iter().filter(|word| is_path(word)).map(PathBuf::from).collect();
    let decided = Decided::read(&arguments.deciding, &paths)?;
    // Mistyped paths must not wait for the cluster.
    Policies::find(&arguments.given.policies)?;
    let inputs = capture::expand(&arguments.read)?;
    let inventory = load_inventory::inventory(&arguments.known)?;
    let mut policies = Policies::load(&arguments.given.policies, arguments.given.home.default_namespace.as_deref(), &inventory)?;
    if arguments.given.joins_cluster() {
        policies.join(&inventory);
    }
    if policies.objects.is_empty() {
        return Err(Failure::NoPolicies { given: "the inventory".to_owned(), others: String::new() });
    }
    let mut reading = read(inputs, &arguments.replaying, &inventory)?;
    let seen = seen(&reading);
    if seen.is_empty() {
        tell_reading(&reading, &inventory, &decided);
        return Err(nothing_seen(&reading));
    }
    let world = ClusterView::from_inventory(&inventory);
    let widenings = widenings(&reading, &seen, &inventory, &decided, arguments.beyond.options());
    let (judged, left_out) = judged(arguments, &policies, &inventory)?;
    let (list, to_come) = (policies.list(), world.with_pods_to_come(policies.list())?);
    let mut replay = verify::replay_in(Some(&judged), &list, &widenings, &to_come, seen.keys())?;
    for unmatched in verify::unmatched(&list, &world, seen.keys(), &replay)? {
        reading.findings.add(Code::SelectorMatchesNothing, unmatched.policy.to_string(), tell_unmatched(&unmatched));
    }
    tell_reading(&reading, &inventory, &decided);
    let rejected = rejected(&mut replay, &seen, &decided);
    let remedies = remedies(&replay, &seen, &policies, &inventory, (&decided, arguments.beyond.options().public));
    if !left_out.is_empty() {
        let names = left_out.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        warn(&format!(
            "not checked, because these namespaces have no policies (--deny-excess or --namespace checks them): {names}"
        ));
    }
    let unattributed = Unjudged::new(&reading.observation.unattributed, &judged, arguments.max_unattributed, left_out);
    let held = Held { replay: &replay, seen: &seen, remedies: &remedies, rejected: &rejected, unjudged: &unattributed };
    write_out(&match arguments.format {
        Format::Text => replay_text(held),
        Format::Json => replay_json(held)?,
    })?;
    let has_excess = arguments.deny_excess && replay.has_excess();
    let is_defied = rejected.values().any(|rejected| rejected.is_allowed);
    let code = if replay.denied.is_empty() && !has_excess && !is_defied && !unattributed.is_too_much() {
        exit::DONE
    } else {
        exit::DENIED
    };
    Ok(if reading.errors.is_empty() { code } else { exit::FAILED })
}

/// The namespaces that are judged, and those with pods that are not although policies are made for them, because they have none.
fn judged(
    arguments: &Verify,
    policies: &Policies,
    inventory: &Inventory,
) -> Result<(BTreeSet<String>, BTreeSet<String>), Failure> {
    let with_policies: BTreeSet<String> = policies.objects.keys().map(|name| name.namespace.clone()).collect();
    let subjects = policy::subjects(inventory, &PolicyOptions::default());
    if !arguments.namespace.is_empty() {
        let all = policy::subjects(inventory, &PolicyOptions { includes_system: true, ..PolicyOptions::default() });
        let is_there = |name: &&String| all.contains(*name) || with_policies.contains(*name);
        if let Some(missing) = arguments.namespace.iter().find(|name| !is_there(name)) {
            return Err(Failure::no_such_namespace(missing, inventory));
        }
        return Ok((arguments.namespace.iter().cloned().collect(), BTreeSet::new()));
    }
    if arguments.deny_excess {
        return Ok((with_policies.union(&subjects).cloned().collect(), BTreeSet::new()));
    }
    let left_out = subjects.difference(&with_policies).cloned().collect();
    Ok((with_policies, left_out))
}

/// What no longer matches, and for whom it was written.
fn tell_unmatched(unmatched: &Unmatched) -> String {
    let Unmatched { is_peer, workload, edge, .. } = unmatched;
    let selector = if *is_peer { "has a peer whose selector matches no pod" } else { "selects no pod" };
    format!("{selector} of the inventory: {workload} ({}), which it would fit, has other labels ({edge})", workload.kind.0)
}

/// Reads captures as `learn` does.
pub(super) fn read(inputs: capture::Expanded, replaying: &Replaying, inventory: &Arc<Inventory>) -> Result<Reading, Failure> {
    let limits = Limits {
        threads: ingest::threads(replaying.limits.threads),
        flows: replaying.limits.flows,
        edges: replaying.limits.edges,
        one_way: replaying.one_way,
    };
    let reading = ingest::read(inputs, &replaying.tunnelling, limits, inventory)?;
    tell_errors(&reading.errors);
    Ok(reading)
}

/// All answered connections, those to ports picked at run time too: they have no rule, and are denied where there is isolation.
pub(super) fn seen(reading: &Reading) -> BTreeMap<Edge, Evidence> {
    let mut seen = reading.observation.edges.clone();
    for dynamic in &reading.observation.dynamic {
        for &port in &dynamic.ports {
            // The evidence is of all ports together; each was called once.
            let evidence = Evidence { connections: 1, ..dynamic.evidence.clone() };
            seen.entry(Edge { port, ..dynamic.edge.clone() }).or_insert(evidence);
        }
    }
    seen
}

/// What the policies may allow beyond the traffic, by inventory, options and decisions: as `learn` would, whatever the policies say of
/// themselves. What a reviewer rejected is no reason for more.
fn widenings(
    reading: &Reading,
    seen: &BTreeMap<Edge, Evidence>,
    inventory: &Inventory,
    decided: &Decided,
    options: PolicyOptions,
) -> BTreeSet<Widening> {
    let decisions = &decided.decisions;
    let is_rejected = |edge: &Edge, evidence: &Evidence| decisions.rejects(edge, evidence).is_some();
    let mut edges = seen.clone();
    edges.retain(|edge, evidence| !is_rejected(edge, evidence));
    let mut dynamic = reading.observation.dynamic.clone();
    for DynamicPorts { edge, ports, .. } in &mut dynamic {
        ports.retain(|&port| edges.contains_key(&Edge { port, ..edge.clone() }));
    }
    let options =
        PolicyOptions { includes_system: true, widenings: decisions.widenings(), rejections: decisions.rejections(), ..options };
    policy::widenings(&edges, &dynamic, inventory, &options)
}

/// Edges that a reviewer rejected: that they are denied is no fault of the policies, and that they are allowed is one.
fn rejected(replay: &mut Replay, seen: &BTreeMap<Edge, Evidence>, decided: &Decided) -> BTreeMap<Edge, RejectedEdge> {
    let rejecting = seen.iter().filter_map(|(edge, evidence)| Some((edge, decided.decisions.rejects(edge, evidence)?)));
    let rejected = rejecting.map(|(edge, decision)| {
        let is_allowed = replay.denied.remove(edge).is_none();
        (edge.clone(), RejectedEdge { reason: decision.reason.clone(), is_allowed })
    });
    rejected.collect()
}

/// Says what was read and what could not be told of it.
pub(super) fn tell_reading(reading: &Reading, inventory: &Inventory, decided: &Decided) {
    let mut findings = reading.findings.clone();
    findings.merge(inventory.findings().clone());
    findings.merge(reading.observation.findings.clone());
    decided.decisions.tell_expired(&mut findings);
    let mut summary = Summary {
        captures: report::Captures::new(reading.sources.clone(), reading.observation.span),
        frames: reading.frames.clone(),
        ..Summary::default()
    };
    summary.set_flows(&reading.observation);
    summary.set_findings(&findings);
    // Which of the cluster's policies count has been said.
    summary.findings.retain(|finding| finding.code != Code::ExistingPolicy.name());
    console::summary(&summary);
}

/// Where the missing rules belong.
fn remedies(
    replay: &Replay,
    seen: &BTreeMap<Edge, Evidence>,
    policies: &Policies,
    inventory: &Inventory,
    (decided, public): (&Decided, Public),
) -> BTreeMap<(Edge, Direction), Remedy> {
    if replay.denied.is_empty() {
        return BTreeMap::new();
    }
    let denied = replay.denied.keys().filter_map(|edge| Some((edge.clone(), seen.get(edge)?.clone())));
    let learned = Learned::from(denied.collect(), public, inventory);
    let is_accepted = |edge: &Edge| seen.get(edge).is_some_and(|evidence| decided.decisions.accepts(edge, evidence).is_some());
    let mut remedies = BTreeMap::new();
    for (edge, missing) in &replay.denied {
        for missing in missing {
            if let Some(made) = learned.side(edge, missing.side) {
                let withheld = withheld(edge, seen).filter(|_| !is_accepted(edge));
                let remedy = Remedy { withheld, ..remedy(made, &missing.nearest, policies) };
                remedies.insert((edge.clone(), missing.side), remedy);
            }
        }
    }
    remedies
}

/// Why somebody has to decide on an edge.
fn withheld(edge: &Edge, seen: &BTreeMap<Edge, Evidence>) -> Option<Withheld> {
    if matches!(edge.responder, Party::Metadata(_)) {
        return Some(Withheld::Metadata);
    }
    seen.get(edge).is_some_and(Evidence::is_forwarded).then_some(Withheld::Forwarded)
}
