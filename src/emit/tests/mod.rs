//! Tests of the stage as a whole, over sample and arbitrary policies.

mod manifest;
mod render;
mod review;
pub mod samples;
mod sink;
mod strategies;
