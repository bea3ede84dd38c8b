//! Policies as reviewed-ready files.

mod error;
pub mod evidence;
pub mod manifest;
pub mod render;
mod template;
#[cfg(test)]
mod tests;
pub mod text;
mod words;
mod yaml;

pub use error::EmitError;
pub use template::Templates;
pub use yaml::YamlProblem;
