//! Flows in, edges out: addresses become workloads, views of one connection become one, repetitions fold away.
//!
//! What cannot become an edge (nobody known behind an address, nothing answered, nothing that a NetworkPolicy can say) becomes
//! a finding, never a wider rule.

mod address_history;
mod address_reuse;
mod answered;
mod bounded_edges;
mod called_pods;
mod classes;
mod contradictions;
mod direction;
mod dns_cache;
mod exposure;
mod failures;
mod identified;
mod inputs;
mod link;
mod masked;
mod nat_correlation;
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
mod senders;
mod spoofed_answers;
mod start_histogram;
mod stations;
#[cfg(test)]
mod tests;
mod tunnel_exchange;
mod tunnels;
mod unattributed;

pub use classes::{FlowClass, FlowClasses};
pub use exposure::{Callers, Exposure, Public};
pub use failures::{FailedAttempts, FailedTargets};
pub use observation::Observation;
pub use observer::Observer;
pub use ports::DynamicPorts;
pub use start_histogram::StartHistogram;
pub use tunnels::ClusterTunnels;
pub use unattributed::{Unattributed, UnattributedFlows};
