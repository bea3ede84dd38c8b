//! `REVIEW.md`: what someone reads before applying the policies.

use serde::Serialize;

use crate::model::{Code, length};
use crate::output::template::REVIEW;
use crate::output::{EmitError, Templates};

use super::{DecisionLine, Group, Namespace, Summary, coverage};

/// What a reviewer has to know about the limits of what was seen, where a finding says so.
const BLIND_SPOTS: [(Code, &str); 27] = [
    (Code::NamespaceWithoutTraffic, "Some namespaces had no traffic at all. Their default deny stops everything there."),
    (Code::WorkloadWithoutTraffic, "Some workloads took part in no connection. The default deny stops everything they do."),
    (Code::CronJobNotDue, "Some CronJobs did not run during the capture. Their policies deny everything they do."),
    (Code::NodeNotSeen, "On some nodes no traffic of any pod was seen."),
    (
        Code::ApiServerCallNotSeen,
        "Some webhooks or aggregated APIs were not called. The default deny will stop the API server's calls.",
    ),
    (Code::PortNotCalled, "Some declared ports were not called. No rule allows calls to them."),
    (Code::ScrapeNotSeen, "Some ports that Prometheus is configured to scrape were not scraped."),
    (Code::StartNotSeen, "No pod of some workloads started. What they do only at start was not seen."),
    (Code::ScalingNotSeen, "Some workloads have an autoscaler and were not scaled."),
    (Code::UnattributedAddress, "Some addresses could not be attributed to a pod. Their connections are in no policy."),
    (Code::NotExpressible, "Some connections cannot be expressed as NetworkPolicy. They will be denied."),
    (Code::FlowTableFull, "There were more concurrent connections than were tracked. Some evidence is incomplete."),
    (Code::ServiceBackendNotSeen, "For some Services the pod that answered was not captured."),
    (Code::SnatHidesOriginator, "Some clients are hidden behind a node's address."),
    (Code::ExposedNotOpened, "Some exposed ports were called by few addresses. All other clients will be denied."),
    (Code::SecondaryInterface, "Some traffic used secondary interfaces of pods, to which NetworkPolicy does not apply."),
    (Code::OneWayCapture, "The capture has mostly one direction. Many connections are in no policy."),
    (Code::OneSidedConnection, "Only one side of some connections was seen, and no rule was written for them."),
    (Code::HalfOpenConnection, "Some connections were accepted but never acknowledged, and no rule was written for them."),
    (Code::OneSidedRule, "Some rules rest on the packets of one side."),
    (Code::ProxyPeer, "Some peers are proxies that act for others."),
    (Code::OpaqueTunnel, "There was encrypted or unknown tunnel traffic. What is inside was not seen."),
    (Code::TruncatedFile, "A capture file ends in the middle."),
    (Code::CutFrames, "Some frames were cut too short to decode."),
    (Code::DirectionContradicted, "The direction of some connections is a guess that other connections contradict."),
    (Code::WeakDirection, "For some connections it is not certain which side is the client."),
    (Code::Icmp, "There was ICMP, which NetworkPolicy cannot express."),
];

#[derive(Serialize)]
struct Values<'a> {
    summary: &'a Summary,
    length: String,
    /// What became of the flows, in words, with their counts.
    classes: Vec<(&'static str, u64)>,
    policies: usize,
    namespaces: Vec<NamespaceValues<'a>>,
    groups: Vec<Group<'a>>,
    blind_spots: Vec<BlindSpot>,
    /// Whether there is anything for `kubectl apply -k .`.
    allows: bool,
    /// Whether there is anything for `kubectl apply -k _default-deny`.
    denies: bool,
    /// Absent when nothing was proved.
    proof: Option<bool>,
    coverage: Option<coverage::Values<'a>>,
    decisions: Vec<DecisionValues<'a>>,
}

#[derive(Serialize)]
struct DecisionValues<'a> {
    #[serde(flatten)]
    line: &'a DecisionLine,
    /// What became of it.
    extent: String,
}

#[derive(Serialize)]
struct NamespaceValues<'a> {
    name: &'a str,
    #[serde(flatten)]
    namespace: &'a Namespace,
    allows: bool,
    denies: bool,
}

#[derive(Serialize)]
struct BlindSpot {
    code: &'static str,
    sentence: &'static str,
}

/// The text of `REVIEW.md`. Says nothing of which files were written, so that a second run gives the same bytes.
///
/// # Errors
/// The template fails.
pub fn markdown(summary: &Summary, templates: &Templates) -> Result<String, EmitError> {
    let is_deny = |class: &str| class == crate::model::Class::DefaultDeny.name();
    let namespaces: Vec<NamespaceValues> = summary
        .namespaces
        .iter()
        .map(|(name, namespace)| NamespaceValues {
            name,
            namespace,
            allows: namespace.policies.iter().any(|policy| !is_deny(&policy.class)),
            denies: namespace.policies.iter().any(|policy| is_deny(&policy.class)),
        })
        .collect();
    let values = Values {
        length: length(summary.captures.seconds),
        classes: summary.classes(),
        policies: summary.policies(),
        allows: namespaces.iter().any(|namespace| namespace.allows),
        denies: namespaces.iter().any(|namespace| namespace.denies),
        namespaces,
        groups: summary.grouped(),
        blind_spots: BLIND_SPOTS
            .into_iter()
            .filter(|(code, _)| summary.has(*code))
            .map(|(code, sentence)| BlindSpot { code: code.name(), sentence })
            .collect(),
        proof: summary.proof.as_ref().map(super::Proof::holds),
        coverage: summary.coverage.as_ref().map(coverage::Values::new),
        decisions: summary
            .decisions
            .iter()
            .flat_map(|decided| &decided.decisions)
            .map(|line| DecisionValues { line, extent: line.extent() })
            .collect(),
        summary,
    };
    templates.render(REVIEW, REVIEW, &values)
}
