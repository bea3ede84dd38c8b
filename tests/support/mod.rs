//! What integration tests build their inputs with.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its part")]

pub mod captures;
pub mod frames;
