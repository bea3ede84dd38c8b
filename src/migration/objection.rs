//! Why something is not ready: each thing known to be unknown, with the workload it concerns.
//!
//! In: the evidence, later traffic, the inventory. Out: [`Objection`]s. A finding that names a workload or a namespace concerns that
//! one; one that names neither (a table that was full, an address of nobody) may concern anyone, so it stands against all.

use std::collections::{BTreeMap, BTreeSet};

use super::{Evidence, Found, Wanted};
use crate::coverage::{Basis, Course, FEW};
use crate::inventory::Inventory;
use crate::model::{Code, Party, Severity, WorkloadName, length};
use crate::verify::{Direction, PolicyName};

/// What is asked of the evidence.
#[derive(Clone, Debug, PartialEq)]
pub struct Terms {
    /// The greatest chance, from 0 to 1, that the next connection is on an edge not seen yet; also of connections that the back-test
    /// denied. No edge used once in `n` connections counts as one: less than `1 / n` cannot be told.
    pub most_chance: f64,
    /// The least time that must have been watched, in seconds.
    pub least_seconds: u64,
    /// Reasons that do not count.
    pub accepted: BTreeSet<String>,
}

/// What an objection is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum About {
    /// All of the plan.
    Everything,
    /// A namespace.
    Namespace(String),
    /// A workload.
    Workload(WorkloadName),
}

impl About {
    /// The namespace it is in.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        match self {
            Self::Everything => None,
            Self::Namespace(namespace) => Some(namespace),
            Self::Workload(workload) => Some(&workload.namespace),
        }
    }
}

/// One thing that stands against a step.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Objection {
    /// Whom it concerns.
    pub about: About,
    /// What kind.
    pub reason: Reason,
    /// A sentence without its full stop.
    pub message: String,
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident $name:literal $hint:literal;)*) => {
        /// Kinds of objections.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Reason {
            $($(#[$doc])* $variant,)*
            /// A finding of learning.
            Finding(Code),
        }

        impl Reason {
            /// Those that are no findings.
            const OWN: &'static [Self] = &[$(Self::$variant,)*];

            /// The stable kebab-case code.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* Self::Finding(code) => code.name() }
            }

            /// What to do about it.
            #[must_use]
            pub const fn hint(self) -> &'static str {
                match self { $(Self::$variant => $hint,)* Self::Finding(code) => code.hint() }
            }
        }
    };
}

reasons! {
    /// Nobody knows what the policies rest on.
    EvidenceMissing "evidence-missing"
        "keep the REVIEW.json that learn writes beside the policies, or give a capture with --read";
    /// The policies are not those that the evidence is of.
    PoliciesChanged "policies-changed"
        "learn again, or give a capture with --read to check the policies as they are now";
    /// A namespace that no policy is for.
    PoliciesMissing "policies-missing"
        "learn policies for it, or name other namespaces with --namespace; until then it stays open";
    /// A namespace without a default deny.
    DefaultDenyMissing "default-deny-missing"
        "add a policy that selects every pod, for both directions, or learn again";
    /// Policies that were set apart for a person to decide on.
    Quarantined "quarantined"
        "decide on them in netpol-gen.yaml: what is not accepted stays denied";
    /// Too short.
    WatchedTooShort "watched-too-short"
        "capture longer, or lower the limit with --min-watched";
    /// Too few connections for an estimate.
    FewConnections "few-connections"
        "capture longer: so few connections allow no estimate of what is missing";
    /// An estimate that is too bad.
    UnseenChance "unseen-chance"
        "capture longer, or raise the limit with --max-chance";
    /// New edges came up to the end.
    NewEdgeLate "new-edge-late"
        "capture longer: new edges still appeared when the capture ended";
    /// Learning earlier would have denied too much.
    BackTestDenied "back-test-denied"
        "capture longer: policies from the first part of the capture would have denied this much";
    /// Later traffic would be denied.
    ReplayDenied "replay-denied"
        "netpol-gen verify says which policy to change; or learn from this capture too";
}

/// Findings that stand against a step, besides the serious ones: what is unknown, or what will be denied.
const OPEN: [Code; 19] = [
    Code::WorkloadWithoutTraffic,
    Code::CronJobNotDue,
    Code::ApiServerCallNotSeen,
    Code::NodeNotSeen,
    Code::PortNotCalled,
    Code::ScrapeNotSeen,
    Code::StartNotSeen,
    Code::ScalingNotSeen,
    Code::SnatHidesOriginator,
    Code::ExposedNotOpened,
    Code::ManyAddresses,
    Code::WeakDirection,
    Code::OneSidedRule,
    Code::UnrepeatedUdp,
    Code::OpaqueTunnel,
    Code::TruncatedFile,
    Code::CutFrames,
    Code::InventoryGap,
    Code::InterfaceGap,
];

impl Reason {
    /// All that there are.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::OWN.iter().copied().chain(Code::ALL.iter().copied().filter(|code| stands_against(*code)).map(Self::Finding))
    }
}

fn stands_against(code: Code) -> bool {
    code.severity() == Severity::Serious || OPEN.contains(&code)
}

/// What concerns the whole, and what findings say of anyone.
pub(super) fn general(wanted: &Wanted<'_>, terms: &Terms) -> BTreeSet<Objection> {
    let mut objections = BTreeSet::new();
    let mut object = |about, reason, message| objections.insert(Objection { about, reason, message });
    if let Some(evidence) = wanted.evidence {
        // The first packet of a capture comes after its beginning, the last one before its end.
        if evidence.seconds < terms.least_seconds - terms.least_seconds / 100 {
            let message = format!("{} captured; at least {} required", length(evidence.seconds), length(terms.least_seconds));
            object(About::Everything, Reason::WatchedTooShort, message);
        }
        if let Some(back_test) = &evidence.back_test
            && is_more(back_test.denied, back_test.connections, terms.most_chance)
        {
            let (denied, all) = (back_test.denied, back_test.connections);
            let message = format!(
                "policies learned from the first four fifths of the time deny {denied} of {all} connections that began later"
            );
            object(About::Everything, Reason::BackTestDenied, message);
        }
        let names = Names::new(wanted.inventory);
        for found in evidence.findings.iter().filter(|found| stands_against(found.code)) {
            for about in names.meant(found) {
                object(about, Reason::Finding(found.code), format!("{} {}", found.subject, found.message));
            }
        }
    }
    for (edge, missing) in wanted.denied {
        for missing in missing {
            let subject = if missing.side == Direction::Egress { &edge.originator } else { &edge.responder };
            if let Party::Workload(workload) = subject {
                let about = About::Workload(WorkloadName::clone(workload));
                object(about, Reason::ReplayDenied, format!("{edge} would be denied ({})", missing.side));
            }
        }
    }
    // Of namespaces that are not asked for, nothing is said.
    objections.retain(|objection| {
        objection.about.namespace().is_none_or(|namespace| {
            let is_given = || wanted.policies.keys().any(|name| name.namespace == namespace);
            wanted.namespaces.map_or_else(is_given, |names| names.contains(namespace))
        })
    });
    objections
}

/// A namespace that no policy is for.
pub(super) fn without_policies(namespace: &str, workloads: usize) -> Option<Objection> {
    let message =
        format!("no policy is for {namespace}, which has {workloads} workload{}", if workloads == 1 { "" } else { "s" });
    (workloads > 0).then(|| Objection { about: About::Namespace(namespace.to_owned()), reason: Reason::PoliciesMissing, message })
}

/// What concerns one namespace, but for findings.
pub(super) fn of_namespace(
    namespace: &str,
    wanted: &Wanted<'_>,
    workloads: &BTreeSet<WorkloadName>,
    terms: &Terms,
) -> BTreeSet<Objection> {
    let mut objections = BTreeSet::new();
    let mut object = |reason, message| {
        objections.insert(Objection { about: About::Namespace(namespace.to_owned()), reason, message });
    };
    match wanted.evidence {
        None => object(Reason::EvidenceMissing, format!("there is no evidence for the policies of {namespace}")),
        Some(evidence) => {
            match evidence.namespaces.get(namespace) {
                None => object(Reason::EvidenceMissing, format!("the evidence does not cover {namespace}")),
                Some(course) if !workloads.is_empty() => {
                    for (reason, message) in of_course(namespace, course, terms) {
                        object(reason, message);
                    }
                }
                Some(_) => {}
            }
            let changed = changed(namespace, evidence, wanted);
            if !changed.is_empty() {
                let names = changed.iter().map(|name| name.name.as_str()).collect::<Vec<_>>().join(", ");
                object(Reason::PoliciesChanged, format!("these changed since they were learned: {names}"));
            }
        }
    }
    let own = || wanted.policies.iter().filter(|(name, _)| name.namespace == namespace).map(|(_, given)| given);
    let open: Vec<&str> = [(Direction::Ingress, "ingress"), (Direction::Egress, "egress")]
        .into_iter()
        .filter(|(direction, _)| !own().any(|given| given.denies(*direction)))
        .map(|(_, name)| name)
        .collect();
    if !open.is_empty() {
        object(Reason::DefaultDenyMissing, format!("no policy denies all {} of {namespace}", open.join(" and ")));
    }
    if let Some(files) = wanted.quarantined.get(namespace) {
        object(Reason::Quarantined, format!("these policies are in quarantine: {}", files.join(", ")));
    }
    objections
}

/// What the numbers say against a namespace.
fn of_course(namespace: &str, course: &Course, terms: &Terms) -> Vec<(Reason, String)> {
    let estimate = &course.estimate;
    let connections = estimate.connections;
    let mut objections = Vec::new();
    match estimate.basis {
        Basis::FewConnections => {
            let message =
                format!("{connections} connections of {namespace} were seen, fewer than {FEW}: too few for an estimate");
            objections.push((Reason::FewConnections, message));
        }
        Basis::AllSeenOnce => {
            let message = format!("every edge of {namespace} was seen only once, which does not tell how many are still unseen");
            objections.push((Reason::FewConnections, message));
        }
        Basis::EdgesLeftOut => {
            let message = format!("there were more edges than are kept, which leaves no estimate for {namespace}");
            objections.push((Reason::FewConnections, message));
        }
        Basis::Enough => {
            let once = estimate.seen_once.max(1);
            if is_more(once, connections, terms.most_chance) {
                let message = format!(
                    "of {connections} connections of {namespace} {} on edges seen once: up to 1 in {} to come may be on one not seen yet",
                    if estimate.seen_once == 1 { "1 was".to_owned() } else { format!("{} were", estimate.seen_once) },
                    (connections / once).max(1),
                );
                objections.push((Reason::UnseenChance, message));
            }
        }
    }
    let [.., before, last] = course.known;
    if last > before {
        let message = format!("{} of the {last} edges of {namespace} appeared in the last tenth of the time", last - before);
        objections.push((Reason::NewEdgeLate, message));
    }
    objections
}

#[expect(clippy::cast_precision_loss, reason = "a threshold has few digits")]
fn is_more(part: u64, all: u64, most: f64) -> bool {
    all > 0 && part as f64 / all as f64 > most
}

/// Policies that differ from those that were learned, are missing, or came in addition.
fn changed<'a>(namespace: &str, evidence: &'a Evidence, wanted: &Wanted<'a>) -> BTreeSet<&'a PolicyName> {
    let Some(learned) = &evidence.policies else { return BTreeSet::new() };
    let given = |name: &PolicyName| wanted.policies.get(name).map(|given| &given.digest);
    let names = learned.keys().chain(wanted.policies.keys()).filter(|name| name.namespace == namespace);
    names.filter(|name| learned.get(name) != given(name)).collect()
}

/// Who a finding may name.
struct Names<'a> {
    workloads: BTreeMap<String, Vec<&'a WorkloadName>>,
    by_node: BTreeMap<String, BTreeSet<&'a WorkloadName>>,
    namespaces: BTreeSet<&'a str>,
}

impl<'a> Names<'a> {
    fn new(inventory: &'a Inventory) -> Self {
        let mut workloads: BTreeMap<String, Vec<&WorkloadName>> = BTreeMap::new();
        let mut by_node: BTreeMap<String, BTreeSet<&WorkloadName>> = BTreeMap::new();
        for workload in inventory.workloads() {
            workloads.entry(workload.name.to_string()).or_default().push(&workload.name);
            for node in workload.pods.iter().filter_map(|&pod| inventory.pod(pod).node) {
                by_node.entry(format!("node {}", inventory.node(node).name)).or_default().insert(&workload.name);
            }
        }
        let namespaces = inventory.workloads().iter().map(|workload| workload.name.namespace.as_str()).collect();
        Self { workloads, by_node, namespaces }
    }

    /// Whom a finding is about. Its subject is a workload, both sides of an edge, a namespace, a node, or something else.
    fn meant(&self, found: &Found) -> BTreeSet<About> {
        let subject = found.subject.as_str();
        if let Some(workloads) = self.by_node.get(subject) {
            return workloads.iter().map(|workload| About::Workload((*workload).clone())).collect();
        }
        let sides = subject.split(" -> ").filter_map(|side| self.workloads.get(side.split(' ').next().unwrap_or_default()));
        let named: BTreeSet<About> = sides.flatten().map(|workload| About::Workload((*workload).clone())).collect();
        if !named.is_empty() {
            return named;
        }
        let is_namespace = self.namespaces.contains(subject);
        BTreeSet::from([if is_namespace { About::Namespace(subject.to_owned()) } else { About::Everything }])
    }
}
