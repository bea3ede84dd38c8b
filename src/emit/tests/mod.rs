//! Tests of the stage as a whole, over sample and arbitrary policies.

mod manifest;
pub mod samples;
mod strategies;
