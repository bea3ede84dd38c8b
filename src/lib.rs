//! `netpol-gen`: least-privilege Kubernetes NetworkPolicies from observed traffic.
//!
//! ```text
//!  capture ──frame──► decode ──packet──► flow ──conversation──► edge ──► review ──► policy ──► verify ──► output
//!                                                                ▲                            (proof)    (files)
//!  cluster, saved objects ──► inventory ─────────────────────────┘
//! ```
//!
//! Data flows one way. Every stage returns its result beside its findings. Nothing below `cli` prints. Nothing below `capture` and
//! `cluster` knows a clock, a file or a cluster, but for the files that `output` writes. A module imports only modules to its left:
//! `model < decode < flow < inventory < edge < review < policy < verify < coverage < migration < output < learn < {capture, cluster} < cli`.
//!
//! - `review` says what looks odd in the traffic, and holds what reviewers decided.
//! - `verify` knows nothing of how `policy` makes policies, so that a mistake there cannot hide.
//! - `coverage` says how much the capture can have shown, and `migration` in which steps to apply.
//! - `learn` goes from an observation to proved policies.
//! - `capture` and `cluster` know nothing of each other.

pub mod model;

pub mod decode;

pub mod flow;

pub mod inventory;

pub mod edge;

pub mod review;

pub mod policy;

pub mod verify;

pub mod coverage;

pub mod migration;

pub mod output;

pub mod learn;

pub mod capture;

#[cfg(feature = "cluster")]
pub mod cluster;

pub mod cli;
