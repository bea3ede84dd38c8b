//! `netpol-gen`: least-privilege Kubernetes NetworkPolicies from observed traffic.
//!
//! ```text
//!  capture ──Frame──► decode ──Packet──► flow ──Flow──► edge ──Edge+Evidence──► policy ──Policy──► emit ──► files
//!  (files, libpcap)                                      ▲            ▲           │
//!  cluster / snapshot file ───────Inventory──────────────┘            │           └──► verify (knows only Policy,
//!  a reviewer's file ─────────────────────────────────────────────decision             Inventory and Edge)
//! ```
//!
//! Data flows one way. Every stage returns its result beside its findings; nothing prints below `cli`, and nothing below the
//! adapters knows a clock, a file or a cluster. A module imports only modules to its left:
//! `model < decode < flow < inventory < edge < suspicion < decision < policy < verify < coverage < migration < output < learn < {capture, cluster} < cli`;
//! `suspicion` says which edges may not have been meant, `decision` what reviewers decided, `verify` knows nothing of how `policy` makes
//! policies, `coverage` says how much the capture can have shown, `migration` in which steps to apply, `learn` is the whole from an observation to proved policies, and `capture` and `cluster` know
//! nothing of each other.

pub mod model;

pub mod decode;

pub mod flow;

pub mod inventory;

pub mod edge;

pub mod suspicion;

pub mod decision;

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
