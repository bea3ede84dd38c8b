//! Edges in, policies out: exact, least, named and explained.
//!
//! Over the workloads of the inventory and the addresses and ports seen, the policies of a subject namespace allow the
//! observed edges and nothing else. Where something wider is said on purpose (name resolution over both protocols, a workload
//! exposed to the internet, all endpoints of the API server, a port range asked for, a range that a reviewer decided on), it is listed
//! as a [`Widening`](crate::model::Widening) with exactly whom it means on which ports.

mod blocks;
mod builder;
mod cover;
mod decided;
mod draft;
mod name;
mod outside;
mod resolution;
mod selector;
mod set;
mod widenings;

pub use crate::edge::Public;
pub use selector::selectors;
pub use set::{DnsScope, PolicyOptions, PolicySet, make, make_quarantined, subjects};
pub use widenings::widenings;
