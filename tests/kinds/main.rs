//! Kinds of real clusters, a table for each: small inventories and traffic as platforms have them, and the results written by hand.

#![expect(clippy::unwrap_used, reason = "in tests a failed unwrap is the failure to report")]

#[path = "../support/mod.rs"]
mod support;
mod world;

mod accounting;
mod addresses;
mod basics;
mod direction;
mod excess;
mod exposure;
mod hostile_answers;
mod hostile_interfaces;
mod hostile_inventories;
mod hostile_names;
mod hostile_senders;
mod hostile_sizes;
mod hostile_stations;
mod hostile_tunnels;
mod inventories;
mod robustness;
mod runs;
mod selectors;
mod to_come;
