//! Lines of a flow file, in the form in which this program writes them: what is quicker than JSON in general, and the same.

#[cfg(test)]
mod any;
mod read;
mod write;

pub(super) use read::conversation;
pub use write::Lines;

use super::SECOND;
use super::record;
