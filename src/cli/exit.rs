//! Exit codes.

/// Done, and the result is not empty.
pub const DONE: u8 = 0;
/// Done, but there are findings that `--deny` names; or `verify`, `explain`, `diff` or `plan` says no: something is
/// denied, differs or is not ready.
pub const DENIED: u8 = 1;
/// It could not be done, or there is no result.
pub const FAILED: u8 = 2;
