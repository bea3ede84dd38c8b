//! Answered connections that cannot be held against policies, because one address is nobody's that is known.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::line;
use crate::edge::{Unattributed, UnattributedFlows};
use crate::output::text::counted;

/// The most examples.
const EXAMPLES: usize = 5;

/// Answered connections of workloads in the namespaces judged, whose other end is unattributed; and the namespaces not judged.
#[derive(Clone, Debug)]
pub struct Unjudged<'a> {
    flows: Vec<&'a UnattributedFlows>,
    connections: u64,
    most: u64,
    without_policies: BTreeSet<String>,
}

impl<'a> Unjudged<'a> {
    /// Those of workloads in these namespaces; up to `most` of them are borne. `without_policies` are namespaces that are not judged.
    #[must_use]
    pub fn new(
        unattributed: &'a Unattributed,
        namespaces: &BTreeSet<String>,
        most: u64,
        without_policies: BTreeSet<String>,
    ) -> Self {
        let is_meant = |flows: &&UnattributedFlows| namespaces.contains(&flows.workload.namespace);
        let flows: Vec<&UnattributedFlows> = unattributed.flows.iter().filter(is_meant).collect();
        let connections = flows.iter().fold(unattributed.beyond, |sum, flows| sum.saturating_add(flows.connections));
        Self { flows, connections, most, without_policies }
    }

    /// Whether there are more than are borne.
    #[must_use]
    pub const fn is_too_much(&self) -> bool {
        self.connections > self.most
    }

    /// For people; nothing where there are none.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        if self.connections == 0 {
            return text;
        }
        let what = counted(self.connections, "answered connection", "answered connections");
        let _ = writeln!(text, "not checked: {what} with addresses that no object of the inventory explains");
        for flows in self.flows.iter().take(EXAMPLES) {
            let _ = writeln!(text, "  {}", line(&told(flows)));
        }
        if self.flows.len() > EXAMPLES {
            let _ = writeln!(text, "  and {} more", self.flows.len() - EXAMPLES);
        }
        if self.is_too_much() {
            let most = self.most;
            let _ = writeln!(
                text,
                "  more than {most} (--max-unattributed): add an inventory taken while these addresses were in use (--inventory is repeatable)"
            );
        }
        text
    }

    /// Namespaces with pods and without policies, which were not judged.
    pub(super) const fn without_policies(&self) -> &BTreeSet<String> {
        &self.without_policies
    }

    /// For programs.
    pub(super) fn json(&self) -> Value {
        let one = |flows: &&UnattributedFlows| {
            json!({
                "workload": flows.workload.to_string(), "is_called": flows.is_called, "address": flows.address.to_string(),
                "protocol": flows.protocol.name(), "port": flows.port, "connections": flows.connections,
            })
        };
        let examples: Value = self.flows.iter().take(EXAMPLES).map(one).collect();
        json!({ "connections": self.connections, "most": self.most, "is_too_much": self.is_too_much(), "examples": examples })
    }
}

fn told(flows: &UnattributedFlows) -> String {
    let UnattributedFlows { workload, is_called, address, protocol, port, connections } = flows;
    let way = if *is_called { format!("{address} -> {workload}") } else { format!("{workload} -> {address}") };
    format!("{way} {protocol} {port} ({})", counted(*connections, "connection", "connections"))
}
