//! `netpol-gen explain`: policies and a connection in; by which rule it is possible, or what is missing, out.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::num::NonZeroU16;

use crate::capture;
use crate::edge::Public;
use crate::inventory::{Backend, Inventory};
use crate::model::{Code, DirectionEvidence, Edge, Evidence, Party, Protocol, Span, Timestamp};
use crate::output::answer::{Explanation, Proposal, explain_json, explain_text};
use crate::output::manifest;
use crate::verify::{self, Answer, Case, ClusterView, Direction, Evaluator, Place, RuleName, Side};

use super::args::Format;
use super::args_checks::Explain;
use super::exit;
use super::failure::Failure;
use super::load_inventory;
use super::output::write_out;
use super::peer_query::{PeerQueries, PeerQuery};
use super::policy_set::Policies;
use super::suggestion::{Learned, remedy};
use super::verify::read;

/// Reads, asks, tells.
pub(super) fn run(arguments: &Explain) -> Result<u8, Failure> {
    Policies::find(&arguments.given.policies)?;
    let inputs = capture::expand(&arguments.read)?;
    let inventory = load_inventory::inventory(&arguments.known)?;
    let mut policies = Policies::load(&arguments.given.policies, arguments.given.home.default_namespace.as_deref(), &inventory)?;
    if arguments.given.joins_cluster() {
        policies.join(&inventory);
    }
    let names = if arguments.read.is_empty() {
        BTreeMap::new()
    } else {
        names(&read(inputs, &arguments.replaying, &inventory)?.observation.edges)
    };
    let world = ClusterView::from_inventory(&inventory);
    let whoms = PeerQueries { inventory: &inventory, world: &world, names, has_captures: !arguments.read.is_empty() };
    let (from, to) = (whoms.find("--from", &arguments.from)?, whoms.find("--to", &arguments.to)?);
    let protocol = Protocol::from(arguments.protocol);
    let port = port(&arguments.port, protocol, &to, &world)?;
    let evaluator = Evaluator::new(policies.list(), &world)?;
    let cases = verify::explain(&evaluator, &from.places, &to.places, protocol, port.get());
    let asked = Asked { from: &from, to: &to, protocol, port, inventory: &inventory, world: &world, policies: &policies };
    let mut explanation = asked.explanation(&cases)?;
    if explanation.answer() != Answer::Allowed
        && let Some(with) = policies.with_quarantine(arguments.given.home.default_namespace.as_deref())?
    {
        explanation.quarantine = asked.in_quarantine(&with)?;
    }
    write_out(&match arguments.format {
        Format::Text => explain_text(&explanation),
        Format::Json => explain_json(&explanation)?,
    })?;
    Ok(if explanation.answer() == Answer::Allowed { exit::DONE } else { exit::DENIED })
}

/// The outside addresses by the names that pods asked for.
fn names(edges: &BTreeMap<Edge, Evidence>) -> BTreeMap<String, BTreeSet<IpAddr>> {
    let mut names: BTreeMap<String, BTreeSet<IpAddr>> = BTreeMap::new();
    for (edge, evidence) in edges {
        if let Party::Outside(address) = edge.responder {
            for (name, _) in evidence.names() {
                names.entry(name.to_string()).or_default().insert(address);
            }
        }
    }
    names
}

/// A number, or what the responder's pods call so.
fn port(text: &str, protocol: Protocol, to: &PeerQuery, world: &ClusterView) -> Result<NonZeroU16, Failure> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().map_err(|_| Failure::NoSuchPort { port: text.to_owned(), known: String::new() });
    }
    let pods = to.places.iter().filter_map(|place| match place {
        Place::Pod(id) => world.pods.get(id.0 as usize),
        Place::Address(_) => None,
    });
    let named: BTreeSet<_> = pods.flat_map(|pod| &pod.named_ports).filter(|port| port.protocol == protocol).collect();
    let meant: BTreeSet<u16> = named.iter().filter(|port| port.name == text).map(|port| port.port).collect();
    let mut numbers = meant.iter().filter_map(|&port| NonZeroU16::new(port));
    match (numbers.next(), numbers.next()) {
        (Some(port), None) => Ok(port),
        (None, _) => {
            let known: BTreeSet<String> = named.iter().map(|port| format!("{} ({})", port.name, port.port)).collect();
            Err(Failure::NoSuchPort { port: text.to_owned(), known: known.into_iter().collect::<Vec<_>>().join(", ") })
        }
        _ => {
            let candidates = meant.iter().map(ToString::to_string).collect();
            Err(Failure::Ambiguous { argument: "--port", text: text.to_owned(), candidates })
        }
    }
}

/// A question.
struct Asked<'a> {
    from: &'a PeerQuery,
    to: &'a PeerQuery,
    protocol: Protocol,
    port: NonZeroU16,
    inventory: &'a Inventory,
    world: &'a ClusterView,
    policies: &'a Policies,
}

impl Asked<'_> {
    fn explanation(&self, cases: &[Case]) -> Result<Explanation, Failure> {
        let mut explanation = Explanation {
            originator: self.from.label.clone(),
            responder: self.to.label.clone(),
            port: format!("{} {}", self.protocol, self.port),
            cases: cases
                .iter()
                .map(|case| (case.verdict.clone(), self.name(case.originator), self.name(case.responder)))
                .collect(),
            comments: self.policies.comments.clone(),
            quarantine: BTreeSet::new(),
            proposals: Vec::new(),
            obstacles: Vec::new(),
        };
        if explanation.answer() != Answer::Allowed {
            self.propose(cases, &mut explanation)?;
        }
        Ok(explanation)
    }

    fn name(&self, place: Place) -> String {
        match place {
            Place::Pod(id) => self.world.pods.get(id.0 as usize).map_or_else(String::new, |pod| pod.name.to_string()),
            Place::Address(address) => address.to_string(),
        }
    }

    /// The least policies for the sides that do not allow it, checked: with them it is allowed.
    fn propose(&self, cases: &[Case], explanation: &mut Explanation) -> Result<(), Failure> {
        let edges = self.from.parties.iter().flat_map(|from| self.to.parties.iter().map(move |to| (from, to)));
        let edges = edges.map(|(from, to)| Edge {
            originator: from.clone(),
            responder: self.called(to),
            protocol: self.protocol,
            port: self.port,
        });
        let evidence = Evidence {
            connections: 0,
            span: Span::at(Timestamp::default()),
            direction: DirectionEvidence::Syn,
            weakest: DirectionEvidence::Syn,
            weak: 0,
            unchecked: 0,
            forwarded: 0,
            mid_stream: 0,
            one_way: 0,
            called: None,
        };
        let edges: Vec<Edge> = edges.collect();
        let wanted = edges.iter().map(|edge| (edge.clone(), evidence.clone())).collect();
        let learned = Learned::from(wanted, Public::Exact, self.inventory);
        let mut with = self.policies.list();
        for direction in [Direction::Egress, Direction::Ingress] {
            let lacks = |case: &&Case| case.nearest.contains_key(&direction);
            let Some(case) = cases.iter().find(lacks) else { continue };
            let nearest = case.nearest.get(&direction).map(Vec::as_slice).unwrap_or_default();
            let made: BTreeMap<_, _> =
                edges.iter().filter_map(|edge| learned.side(edge, direction)).map(|made| (made.policy.clone(), made)).collect();
            if made.is_empty() {
                explanation.obstacles.push(format!("no policy can allow the {direction}"));
            }
            for (policy, made) in made {
                with.push(manifest::write(&policy));
                explanation.proposals.push(Proposal { side: direction, remedy: remedy(made, nearest, self.policies), policy });
            }
        }
        if !explanation.obstacles.is_empty() {
            let says_why = |code: Code| matches!(code, Code::NotExpressible | Code::WorkloadNotSelectable);
            let why = learned.findings.sorted().into_iter().filter(|finding| says_why(finding.code));
            explanation.obstacles.extend(why.map(|finding| format!("{} {}", finding.subject, finding.message)));
        }
        let evaluator = Evaluator::new(&with, self.world)?;
        let after = verify::explain(&evaluator, &self.from.places, &self.to.places, self.protocol, self.port.get());
        if explanation.obstacles.is_empty()
            && let Some(case) = after.iter().find(|case| case.verdict.answer() != Answer::Allowed)
        {
            let side = if matches!(case.verdict.originator, Side::Denied { .. } | Side::Undefined { .. }) {
                "egress"
            } else {
                "ingress"
            };
            let pair = format!("{} -> {}", self.name(case.originator), self.name(case.responder));
            explanation.obstacles.push(format!("not enough for {pair}: its {side} would still not be allowed"));
        }
        Ok(())
    }

    /// The rules in quarantine that would allow it; none where they are not enough.
    fn in_quarantine(&self, with: &Policies) -> Result<BTreeSet<RuleName>, Failure> {
        let evaluator = Evaluator::new(with.list(), self.world)?;
        let cases = verify::explain(&evaluator, &self.from.places, &self.to.places, self.protocol, self.port.get());
        if cases.iter().any(|case| case.verdict.answer() != Answer::Allowed) {
            return Ok(BTreeSet::new());
        }
        let sides = cases.iter().flat_map(|case| [&case.verdict.originator, &case.verdict.responder]);
        let rules = sides.flat_map(|side| match side {
            Side::Allowed { by } => by.clone(),
            _ => BTreeSet::new(),
        });
        Ok(rules.filter(|rule| !self.policies.objects.contains_key(&rule.policy)).collect())
    }

    /// The API server is known by address and port together.
    fn called(&self, party: &Party) -> Party {
        let address = match party {
            Party::Outside(address) => *address,
            Party::Node(node) => node.address,
            _ => return party.clone(),
        };
        let is_api_server = self.inventory.api_server().contains(&Backend { address, port: self.port.get() });
        if is_api_server { Party::ApiServer } else { party.clone() }
    }
}
