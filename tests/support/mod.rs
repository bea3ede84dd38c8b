//! What integration tests build their inputs with.
#![expect(dead_code, reason = "each test binary uses its part")]
#![expect(clippy::unwrap_used, reason = "only tests see it")]

pub mod captures;
pub mod files;
pub mod frames;
