//! Exit codes.

/// Done, and the result is not empty.
pub const DONE: u8 = 0;
/// Done, but there are findings that `--deny` names; or `verify`, `explain` or `diff` says no: something is denied or differs.
pub const DENIED: u8 = 1;
/// It could not be done, or there is no result.
pub const FAILED: u8 = 2;
