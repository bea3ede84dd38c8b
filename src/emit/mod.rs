//! Policies as reviewed-ready files.
//!
//! In: [`Explained`](crate::model::Explained) policies and a [`Summary`] of the run. Out: the text of every file ([`render`]),
//! their layout ([`plan`]), the review ([`review`]), and, through [`sink`], the files themselves. Guarantees: a text that does not
//! read back as exactly its policy is never written; same input, same bytes; a file that the tool did not write is never
//! replaced unasked; every file is replaced whole or not at all. Only [`sink`] and [`Templates::load`] touch files.

mod error;
pub mod evidence;
pub mod manifest;
pub mod plan;
pub mod render;
pub mod review;
pub mod sink;
mod template;
#[cfg(test)]
mod tests;
pub mod text;
mod words;
mod yaml;

pub use error::EmitError;
pub use plan::{Plan, Scope};
pub use review::Summary;
pub use sink::{Written, write};
pub use template::Templates;
pub use yaml::YamlProblem;
