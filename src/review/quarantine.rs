//! Doubted edges, taken out of an observation while policies are made of the rest.

use std::collections::{BTreeMap, BTreeSet};

use super::{Reason, Suspicions};
use crate::edge::{DynamicPorts, Observation};
use crate::model::{Edge, Evidence};

/// Why edges are doubted.
pub type Reasons = BTreeMap<Edge, BTreeSet<Reason>>;

/// Edges that are not to be allowed before somebody has accepted them.
#[derive(Clone, Debug, Default)]
pub struct Quarantine {
    /// The edges, which the observation does not have meanwhile.
    pub edges: BTreeMap<Edge, Evidence>,
    /// Connections to ports picked at run time, likewise.
    pub dynamic: Vec<DynamicPorts>,
    /// Why, for each of both.
    pub reasons: Reasons,
}

impl Suspicions<'_> {
    /// Takes what is doubted out of the observation: all of it if that `is_requested`, else that on which somebody has to decide.
    pub fn quarantine(&self, observation: &mut Observation, is_requested: bool) -> Quarantine {
        let mut reasons = Reasons::new();
        let mut is_doubted = |edge: &Edge, evidence: &Evidence| {
            let own = self.reasons(edge, evidence);
            let is_doubted = if is_requested { !own.is_empty() } else { own.iter().any(|reason| reason.needs_decision()) };
            if is_doubted {
                reasons.insert(edge.clone(), own);
            }
            is_doubted
        };
        let edges = observation.edges.extract_if(.., |edge, evidence| is_doubted(edge, evidence)).collect();
        let dynamic = observation.dynamic.extract_if(.., |dynamic| is_doubted(&dynamic.edge, &dynamic.evidence)).collect();
        Quarantine { edges, dynamic, reasons }
    }
}

impl Quarantine {
    /// Makes the observation whole again; what remains is why.
    pub fn give_back(&mut self, observation: &mut Observation) {
        observation.edges.append(&mut self.edges);
        observation.dynamic.append(&mut self.dynamic);
        observation.dynamic.sort_by(|one, other| one.edge.cmp(&other.edge));
    }
}
