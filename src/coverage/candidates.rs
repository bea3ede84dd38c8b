//! Rules that may be needed although nobody was seen to need them, for a person to complete.
//!
//! In: ports that are declared and were not called. Out: a [`Candidate`] for each, with the caller where that can be told: the API
//! server for its webhooks and aggregated APIs, and for what is to be scraped those that were seen scraping others. Who else may
//! come to call is not to be known from objects, so it is left open.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;

use super::blind::uncalled;
use crate::edge::Observation;
use crate::inventory::{Ground, Inventory};
use crate::model::{Block, NonEmpty, Party, Peer, PodSelector, Protocol, WorkloadName};

/// One port of one workload.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Candidate {
    /// Whose.
    pub workload: WorkloadName,
    /// Its protocol.
    pub protocol: Protocol,
    /// The port.
    pub port: u16,
    /// What declares it.
    pub grounds: Vec<String>,
    /// The pods.
    pub selects: PodSelector,
    /// Who may call.
    pub caller: Caller,
}

/// Who may call.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Caller {
    /// That cannot be told.
    Unknown,
    /// These, for this reason.
    Known(NonEmpty<Peer>, String),
}

/// All candidates, by workload and port. `selectors` are those of all workloads that can be selected.
#[must_use]
pub fn candidates(
    observation: &Observation,
    inventory: &Inventory,
    subjects: &BTreeSet<String>,
    selectors: &BTreeMap<WorkloadName, PodSelector>,
) -> Vec<Candidate> {
    let scrapers = scrapers(observation, inventory);
    let mut candidates = Vec::new();
    for (id, ports) in uncalled(observation, inventory, subjects) {
        let workload = WorkloadName::clone(&inventory.workload(id).name);
        let Some(selects) = selectors.get(&workload) else { continue };
        for ((protocol, port), grounds) in ports {
            let caller = if grounds.iter().any(|ground| matches!(ground, Ground::ApiServer(_))) {
                api_server(inventory)
            } else if grounds.iter().any(|ground| matches!(ground, Ground::Scrape(_))) {
                let others = scrapers.iter().filter(|scraper| **scraper != workload);
                scraped(others, &workload, selectors)
            } else {
                None
            };
            candidates.push(Candidate {
                workload: workload.clone(),
                protocol,
                port,
                grounds: grounds.iter().map(ToString::to_string).collect(),
                selects: selects.clone(),
                caller: caller.unwrap_or(Caller::Unknown),
            });
        }
    }
    candidates.sort();
    candidates
}

/// Workloads that were seen to call a port which is to be scraped.
fn scrapers(observation: &Observation, inventory: &Inventory) -> BTreeSet<WorkloadName> {
    let mut scraped: BTreeSet<(WorkloadName, Protocol, u16)> = BTreeSet::new();
    for (id, ports) in inventory.listeners() {
        for ((protocol, port), grounds) in ports {
            if grounds.iter().any(|ground| matches!(ground, Ground::Scrape(_))) {
                scraped.insert((WorkloadName::clone(&inventory.workload(id).name), protocol, port));
            }
        }
    }
    let callers = observation.edges.keys().filter_map(|edge| match (&edge.originator, &edge.responder) {
        (Party::Workload(originator), Party::Workload(responder)) => {
            let port = (WorkloadName::clone(responder), edge.protocol, edge.port.get());
            scraped.contains(&port).then(|| WorkloadName::clone(originator))
        }
        _ => None,
    });
    callers.collect()
}

/// The API server, at its endpoints.
fn api_server(inventory: &Inventory) -> Option<Caller> {
    let endpoints: BTreeSet<IpNet> = inventory.api_server().iter().map(|endpoint| endpoint.address.into()).collect();
    let peers = endpoints.into_iter().map(|cidr| Peer::Block(Block { cidr, except: BTreeSet::new() }));
    Some(Caller::Known(NonEmpty::new(peers)?, "the API server, if it calls from the addresses of its endpoints".to_owned()))
}

/// Those that were seen scraping others.
fn scraped<'a>(
    scrapers: impl Iterator<Item = &'a WorkloadName>,
    workload: &WorkloadName,
    selectors: &BTreeMap<WorkloadName, PodSelector>,
) -> Option<Caller> {
    let known: Vec<(&WorkloadName, Peer)> = scrapers
        .filter_map(|scraper| {
            let namespace = (scraper.namespace != workload.namespace).then(|| scraper.namespace.clone());
            Some((scraper, Peer::Pods { namespace, pods: selectors.get(scraper)?.clone() }))
        })
        .collect();
    let names: Vec<String> = known.iter().map(|(scraper, _)| scraper.to_string()).collect();
    let peers = NonEmpty::new(known.into_iter().map(|(_, peer)| peer))?;
    Some(Caller::Known(peers, format!("{}, seen scraping others", names.join(", "))))
}
