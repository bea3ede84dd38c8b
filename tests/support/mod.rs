//! What integration tests build their inputs with.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its part")]
#![allow(clippy::unwrap_used, clippy::must_use_candidate, missing_docs, reason = "only tests see it")]

pub mod captures;
pub mod frames;
