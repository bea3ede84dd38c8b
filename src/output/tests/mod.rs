//! Tests of the stage as a whole, over sample and arbitrary policies.

mod manifest;
mod render;
mod report;
pub mod samples;
mod sink;
mod strategies;
