//! Policies as reviewed-ready files.

pub mod manifest;
#[cfg(test)]
mod tests;
pub mod text;
pub mod yaml;
