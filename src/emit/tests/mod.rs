//! Tests of the stage as a whole, over sample and arbitrary policies.

mod manifest;
mod render;
pub mod samples;
mod strategies;
