//! `netpol-gen learn`: captures and an inventory in, policies out.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::capture;
use crate::coverage::{Coverage, Discovery, blind_spots, candidates};
use crate::inventory::{self, Inventory, InventoryOptions};
use crate::learn::{self, LearnError, Learned};
use crate::model::{Code, Findings, Severity};
use crate::output::text::counted;
use crate::output::{self, Scope, Summary, Templates, report};
use crate::policy::{self, PolicyOptions, PolicySet};
use crate::review::Reasons;
use crate::review::decisions::Rejected;

use super::args::{Format, Learn};
use super::console;
use super::decisions::Decided;
use super::exit;
use super::failure::Failure;
use super::findings::nearest_code;
use super::flow_file_writer::tell_errors;
use super::ingest::{self, Limits, Reading};
#[cfg(feature = "live")]
use super::live;
use super::output::write_out;
#[cfg(feature = "live")]
use super::writer::as_named;

/// Learns, writes, tells.
pub(super) fn run(arguments: &Learn) -> Result<u8, Failure> {
    let denied = Denied::parse(&arguments.deny)?;
    // Before anything is captured: what is wrong with them must not come up after an hour.
    let mut decided = Decided::read(&arguments.deciding, std::slice::from_ref(&arguments.output))?;
    let is_stream = arguments.output == Path::new("-");
    if is_stream && arguments.format == Format::Json {
        return Err(Failure::TwoOutputs);
    }
    let templates = match &arguments.templates {
        Some(directory) => Templates::load(directory)?,
        None => Templates::embedded()?,
    };
    let options =
        InventoryOptions { pod_ranges: arguments.ranges.pod_cidr.clone(), service_ranges: arguments.ranges.service_cidr.clone() };
    let Some(sources) = sources(arguments, &options)? else { return Ok(exit::DONE) };
    let Sources { captures, inventories, inventory, is_whole, output: directory } = sources;
    let inputs = capture::expand(&captures)?;
    let limits = Limits {
        threads: ingest::threads(arguments.limits.threads),
        flows: arguments.limits.flows,
        edges: arguments.limits.edges,
        one_way: arguments.one_way,
    };
    let mut reading = ingest::read(inputs, &arguments.tunnelling, limits, &inventory)?;
    tell_errors(&reading.errors);
    let mut options = policy_options(arguments);
    let learned = learn::learn(&mut reading.observation, &inventory, &mut options, &mut decided.decisions, arguments.quarantine);
    let Learned { set, quarantined, reasons, rejected, back_test, proof, quarantine, findings: found } =
        learned.map_err(|error| match error {
            LearnError::Decision(error) => decided.failure(error),
            LearnError::Policy(error) => error.into(),
        })?;
    if let Some(missing) = arguments.namespace.iter().find(|namespace| !set.namespaces.contains(*namespace)) {
        return Err(Failure::no_such_namespace(missing, &inventory));
    }

    let mut findings = reading.findings.clone();
    findings.merge(inventory.findings().clone());
    findings.merge(reading.observation.findings.clone());
    findings.merge(found);
    findings.merge(blind_spots(&reading.observation, &inventory, &set.namespaces));
    decided.decisions.ignore(&mut findings);
    decided.decisions.conclude(options.namespaces.as_ref(), &mut findings);
    let mut summary = summarise(arguments, &inventory, &reading, &set, &findings);
    summary.captures.inventories = inventories.iter().map(|path| path.display().to_string()).collect();
    summary.decisions = decided.summary(&rejected);
    #[cfg(feature = "live")]
    name_directories(&mut summary);
    let is_requested = arguments.quarantine;
    summary.quarantine = (is_requested || !reasons.is_empty()).then_some(report::Quarantine { is_requested, ..quarantine });
    // What is withheld without being asked for is a result: somebody has to decide on it.
    if is_empty(&set) && (arguments.quarantine || is_empty(&quarantined)) {
        tell(arguments.format, &summary)?;
        if !proof.withheld.is_empty() {
            return Err(Failure::Unproved(proof.withheld.into_iter().take(10).collect()));
        }
        return Err(if is_empty(&quarantined) { empty(&reading, &set, &rejected) } else { all_in_quarantine(&reasons) });
    }
    if !proof.holds() {
        return Err(Failure::Unproved(proof.denied.into_iter().chain(proof.excess).take(10).collect()));
    }
    summary.proof = Some(proof);
    summary.coverage = Some(Coverage { discovery: Discovery::new(&reading.observation, &inventory, &set), back_test });
    let candidates = if arguments.candidates {
        candidates(&reading.observation, &inventory, &set.namespaces, &policy::selectors(&inventory))
    } else {
        Vec::new()
    };
    if is_stream {
        write_out(&output::render::stream(&set.policies, &templates, limits.threads)?)?;
        write_out(&output::candidates::stream(&candidates))?;
    } else {
        let output = output::Output {
            policies: &set.policies,
            quarantined: &quarantined.policies,
            reasons: &reasons,
            summary: &summary,
            candidates: &candidates,
            threads: limits.threads,
        };
        let options = output::sink::Options { force: arguments.force, refresh_evidence: arguments.refresh_evidence };
        let written = output::write(&directory, output, scope(arguments), &templates, options)?;
        summary.files = Some(written);
    }
    tell(arguments.format, &summary)?;
    let is_withheld = findings.sorted().iter().any(|finding| finding.code == Code::PolicyWithheld);
    let code = if is_withheld || denied.is_hit_by(&findings) { exit::DENIED } else { exit::DONE };
    Ok(if reading.errors.is_empty() && is_whole { code } else { exit::FAILED })
}

/// What is learned from.
struct Sources {
    captures: Vec<String>,
    /// The files that `inventory` is from; none where the cluster was asked for its present state alone.
    inventories: Vec<PathBuf>,
    inventory: Arc<Inventory>,
    /// Whether a live capture kept all that it saw.
    is_whole: bool,
    /// By which path the output directory is reached.
    output: PathBuf,
}

/// What was given, or else what is captured and asked for now; nothing if a capture was all that was wanted.
fn sources(arguments: &Learn, options: &InventoryOptions) -> Result<Option<Sources>, Failure> {
    #[cfg(feature = "live")]
    if arguments.read.is_empty() {
        let live::Recorded { captures, inventories, given, is_whole, output } = live::record(arguments, options)?;
        if inventories.is_empty() {
            console::say(&format!("captured only; learn with --read {} --inventory FILE", captures.join(" --read ")));
            return Ok(None);
        }
        let inventory = match given {
            Some(inventory) => inventory,
            None => inventory::snapshot::load(&inventories, options)?,
        };
        return Ok(Some(Sources { captures, inventories, inventory: Arc::new(inventory), is_whole, output }));
    }
    let captures = arguments.read.clone();
    // A mistyped path must not wait for the cluster.
    capture::expand(&captures)?;
    let inventory = match arguments.inventory.as_slice() {
        #[cfg(feature = "cluster")]
        [] => super::load_inventory::present(&arguments.cluster, options)?,
        #[cfg(not(feature = "cluster"))]
        [] => return Err(Failure::NoInventory),
        given => inventory::snapshot::load(given, options)?,
    };
    let inventory = Arc::new(inventory);
    Ok(Some(Sources {
        captures,
        inventories: arguments.inventory.clone(),
        inventory,
        is_whole: true,
        output: arguments.output.clone(),
    }))
}

fn policy_options(arguments: &Learn) -> PolicyOptions {
    let namespaces: BTreeSet<String> = arguments.namespace.iter().cloned().collect();
    PolicyOptions {
        namespaces: (!namespaces.is_empty()).then_some(namespaces),
        includes_system: arguments.system,
        ..arguments.beyond.options()
    }
}

fn scope(arguments: &Learn) -> Scope {
    if arguments.namespace.is_empty() {
        Scope::Everything
    } else {
        Scope::Namespaces(arguments.namespace.iter().cloned().collect())
    }
}

fn is_empty(set: &PolicySet) -> bool {
    set.policies.iter().all(|explained| explained.grounds.is_empty())
}

/// Says where the traffic went, if not into edges.
pub(super) fn nothing_seen(reading: &Reading) -> Failure {
    let flows: u64 = reading.observation.flows.values().sum();
    let (reason, hint) = if reading.frames.total == 0 && reading.findings.worst().is_some() {
        ("no frame of the captures can be read".to_owned(), "the findings above say why")
    } else if reading.frames.total == 0 {
        ("the captures hold no frames".to_owned(), "was the capture stopped before it wrote anything, or its filter too narrow?")
    } else if flows == 0 {
        let frames = counted(reading.frames.total, "frame", "frames");
        let reason = format!("none of {frames} belongs to a TCP, UDP or SCTP conversation");
        (reason, "the findings above say what the frames were")
    } else {
        let flows = counted(flows, "flow", "flows");
        let reason = format!("none of {flows} was an answered connection of a pod that the inventory knows at that time");
        (reason, "is the inventory of the same cluster and time as the capture? The findings above name the addresses")
    };
    Failure::Empty { reason, hint }
}

/// Says where the traffic went, if not into policies.
fn empty(reading: &Reading, set: &PolicySet, rejected: &Rejected) -> Failure {
    let edges = u64::try_from(reading.observation.edges.len()).unwrap_or(u64::MAX);
    if !rejected.is_empty() && reading.observation.edges.keys().all(|edge| rejected.contains(edge)) {
        return Failure::AllRejected(rejected.edges().len());
    }
    if reading.observation.edges.is_empty() {
        return nothing_seen(reading);
    }
    let (reason, hint) = if set.inexpressible.is_empty() {
        let reason =
            format!("{} to other namespaces", counted(edges, "edge was seen, which belongs", "edges were seen, which belong"));
        (reason, "name the namespace with --namespace, or add --system")
    } else {
        let reason = format!("none of {} seen can be said by a policy", counted(edges, "edge", "edges"));
        (reason, "the findings above say why; mostly pods have no labels by which to select them")
    };
    Failure::Empty { reason, hint }
}

/// Says that there is nothing left to make policies of.
fn all_in_quarantine(reasons: &Reasons) -> Failure {
    let edges = u64::try_from(reasons.len()).unwrap_or(u64::MAX);
    let reason =
        format!("{} of which policies would be made, all in quarantine", counted(edges, "edge was seen", "edges were seen"));
    Failure::Empty {
        reason,
        hint: "the findings above say why each is there; without --quarantine, policies are made of all of them",
    }
}

fn summarise(arguments: &Learn, inventory: &Inventory, reading: &Reading, set: &PolicySet, findings: &Findings) -> Summary {
    let mut summary = Summary {
        captures: report::Captures::new(reading.sources.clone(), reading.observation.span),
        frames: reading.frames.clone(),
        scope: (!arguments.namespace.is_empty()).then(|| arguments.namespace.clone()),
        options: typed(arguments),
        ..Summary::default()
    };
    summary.set_flows(&reading.observation);
    for workload in inventory.workloads() {
        if let Some(namespace) = set.namespaces.get(&workload.name.namespace) {
            let line = format!("{} ({})", workload.name.name, workload.name.kind.0);
            summary.namespaces.entry(namespace.clone()).or_default().workloads.push(line);
        }
    }
    summary.set_policies(&set.policies);
    summary.set_findings(findings);
    summary
}

/// Calls files of a live run as their directories were named.
#[cfg(feature = "live")]
fn name_directories(summary: &mut Summary) {
    let captures = &mut summary.captures;
    let findings = summary.findings.iter_mut().flat_map(|finding| [&mut finding.subject, &mut finding.message]);
    for text in captures.sources.iter_mut().chain(&mut captures.inventories).chain(findings) {
        *text = as_named(text);
    }
}

/// The options by which others learn the same from the same, as they are typed.
fn typed(arguments: &Learn) -> Vec<String> {
    let mut typed = arguments.beyond.typed();
    let mut add = |name: &str, value: String| typed.extend([format!("--{name}"), value]);
    arguments.ranges.pod_cidr.iter().for_each(|range| add("pod-cidr", range.to_string()));
    arguments.ranges.service_cidr.iter().for_each(|range| add("service-cidr", range.to_string()));
    arguments.tunnelling.vxlan_port.iter().for_each(|port| add("vxlan-port", port.to_string()));
    arguments.tunnelling.tunnel_endpoint.iter().for_each(|range| add("tunnel-endpoint", range.to_string()));
    if arguments.tunnelling.no_decapsulation {
        typed.push("--no-decapsulation".to_owned());
    }
    typed
}

fn tell(format: Format, summary: &Summary) -> Result<(), Failure> {
    match format {
        Format::Text => {
            console::summary(summary);
            Ok(())
        }
        Format::Json => write_out(&report::json(summary)?),
    }
}

/// What `--deny` asks for.
struct Denied {
    codes: BTreeSet<Code>,
    severity: Option<Severity>,
}

impl Denied {
    fn parse(words: &[String]) -> Result<Self, Failure> {
        let mut denied = Self { codes: BTreeSet::new(), severity: None };
        for word in words {
            let severity = Severity::ALL.iter().copied().find(|severity| severity.name() == word);
            let code = Code::ALL.iter().find(|code| code.name() == word);
            match (severity, code) {
                (Some(severity), _) => denied.severity = Some(denied.severity.map_or(severity, |known| known.min(severity))),
                (None, Some(code)) => {
                    denied.codes.insert(*code);
                }
                (None, None) => return Err(Failure::NoSuchCode { word: word.clone(), nearest: nearest_code(word) }),
            }
        }
        Ok(denied)
    }

    fn is_hit_by(&self, findings: &Findings) -> bool {
        findings.sorted().iter().any(|finding| {
            self.codes.contains(&finding.code) || self.severity.is_some_and(|severity| finding.code.severity() >= severity)
        })
    }
}
