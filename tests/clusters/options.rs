//! Every option of `learn`, drawn at random; decisions too.

use std::fmt::Write as _;

use netpol_gen::inventory::InventoryOptions;
use netpol_gen::policy::{DnsScope, PolicyOptions, Public};

use crate::cluster::Cluster;
use crate::random::Random;

#[derive(Clone, Debug)]
pub struct Options {
    pub inventory: InventoryOptions,
    pub policy: PolicyOptions,
    pub has_quarantine: bool,
    /// Whether one side of a connection will do.
    pub accepts_one_way: bool,
    /// A file of decisions; empty for none.
    pub decisions: String,
}

impl Options {
    pub fn draw(cluster: &Cluster, random: &mut Random) -> Self {
        let mut inventory = InventoryOptions::default();
        if random.chance(20) {
            inventory.pod_ranges.push("10.244.0.0/16".parse().unwrap());
            inventory.pod_ranges.push("fd00:10:244::/56".parse().unwrap());
        }
        if random.chance(20) {
            inventory.service_ranges.push("10.96.0.0/16".parse().unwrap());
        }
        let policy = PolicyOptions {
            namespaces: random.chance(15).then(|| [random.pick(&cluster.namespaces).clone()].into()),
            includes_system: random.chance(35),
            public: *random.pick(&[Public::Auto, Public::Any, Public::Exact]),
            dns: *random.pick(&[DnsScope::Seen, DnsScope::Seen, DnsScope::Namespace]),
            allows_port_ranges: random.chance(40),
            ..PolicyOptions::default()
        };
        let decisions = if random.chance(25) { draw_decisions(cluster, random) } else { String::new() };
        Self { inventory, policy, has_quarantine: random.chance(30), accepts_one_way: random.chance(20), decisions }
    }

    /// The same as arguments of the command line.
    pub fn arguments(&self) -> Vec<String> {
        let mut arguments: Vec<String> = Vec::new();
        let mut say = |words: &[&str]| arguments.extend(words.iter().map(|word| (*word).to_owned()));
        for range in &self.inventory.pod_ranges {
            say(&["--pod-cidr", &range.to_string()]);
        }
        for range in &self.inventory.service_ranges {
            say(&["--service-cidr", &range.to_string()]);
        }
        for namespace in self.policy.namespaces.iter().flatten() {
            say(&["--namespace", namespace]);
        }
        if self.policy.includes_system {
            say(&["--system"]);
        }
        say(&[
            "--public",
            match self.policy.public {
                Public::Auto => "auto",
                Public::Any => "any",
                Public::Exact => "exact",
            },
        ]);
        say(&["--dns", if self.policy.dns == DnsScope::Seen { "seen" } else { "namespace" }]);
        if self.policy.allows_port_ranges {
            say(&["--port-ranges"]);
        }
        if self.has_quarantine {
            say(&["--quarantine"]);
        }
        if self.accepts_one_way {
            say(&["--one-way", "accept"]);
        }
        arguments
    }
}

/// Decisions on what may be seen; whether one means anything is a matter of luck.
fn draw_decisions(cluster: &Cluster, random: &mut Random) -> String {
    let mut text = "version: 1\n".to_owned();
    let workload = |random: &mut Random| {
        let pod = random.pick_where(&cluster.pods, |_| true)?;
        let name = if random.chance(50) { "*" } else { pod.name.split('-').next()? };
        Some(format!("{}/{name}", pod.namespace))
    };
    for kind in ["accept", "reject"] {
        let (Some(from), Some(to)) = (workload(random), workload(random)) else { continue };
        if random.chance(60) {
            let outside = *random.pick(&["203.0.113.0/24", "198.51.100.7", "10.50.0.0/16"]);
            let (from, to) = match random.below(3) {
                0 => (from, outside.to_owned()),
                1 => (outside.to_owned(), to),
                _ => (from, to),
            };
            let port = *random.pick(&["TCP 443", "TCP 80", "TCP 8080", "UDP 53"]);
            let _ = write!(text, "{kind}:\n- {{from: \"{from}\", to: \"{to}\", port: {port}, reason: drawn}}\n");
        }
    }
    if let Some(from) = workload(random).filter(|_| random.chance(50)) {
        let _ = write!(text, "widen:\n- {{from: \"{from}\", to: 203.0.113.0/24, port: TCP 443, bound: 256, reason: drawn}}\n");
    }
    if random.chance(30) {
        let namespace = &cluster.namespaces[0];
        let _ = write!(text, "rename:\n- {{namespace: {namespace}, from: default-deny-all, to: nothing-else, reason: drawn}}\n");
    }
    if random.chance(30) {
        text.push_str("ignore:\n- {code: icmp, reason: drawn}\n");
    }
    text
}
