//! Flows in, edges out: addresses become workloads, views of one connection become one, repetitions fold away.
//!
//! What cannot become an edge (nobody known behind an address, nothing answered, nothing that a NetworkPolicy can say) becomes
//! a finding, never a wider rule.

mod answered;
mod arrivals;
mod book;
mod called_pods;
mod classes;
mod contradictions;
mod exposure;
mod failures;
mod handover;
mod identified;
mod inputs;
mod ledger;
mod link;
mod masked;
mod observation;
mod observer;
mod one_sided;
mod place;
mod portless;
mod ports;
mod proxies;
mod refusals;
mod repeated;
mod resolver;
mod roles;
mod senders;
mod spoofed_answers;
mod stations;
mod tenants;
#[cfg(test)]
mod tests;
mod tunnel_exchange;
mod tunnels;
mod unattributed;
mod views;

pub use arrivals::Arrivals;
pub use classes::{FlowClass, FlowClasses};
pub use exposure::{Callers, Exposure, Public};
pub use failures::{FailedAttempts, Vain};
pub use observation::Observation;
pub use observer::Observer;
pub use ports::DynamicPorts;
pub use tunnels::ClusterTunnels;
pub use unattributed::{Unattributed, UnattributedFlows};
