//! Policies as files ready for review.
//!
//! In: [`Explained`](crate::model::Explained) policies and a [`Summary`] of the run. Out: the text of every file ([`render`]),
//! their layout ([`layout`]), the review ([`report`]), the steps of a [`migration`], and, through [`sink`], the files themselves.
//! Guarantees: a text that does not read back as exactly its policy is never written; same input, same bytes; a file that the tool did not write is never
//! replaced unasked; all files of a run are replaced or none is. Only [`sink`] and [`Templates::load`] touch files.

pub mod answer;
pub mod candidates;
pub mod directories;
mod error;
pub mod evidence;
pub mod layout;
pub mod manifest;
pub mod migration;
mod ownership;
pub mod plain;
pub mod policy_file;
pub mod render;
pub mod report;
pub mod sink;
mod template;
#[cfg(test)]
mod tests;
pub mod text;
mod transaction;
mod words;
mod yaml;

pub use error::EmitError;
pub use layout::{Plan, Scope};
pub use report::Summary;
pub use sink::{Output, Written, write};
pub use template::Templates;
pub use yaml::YamlProblem;
