//! Data on its way out, to standard output.

use std::io::{self, Write};

use super::failure::Failure;

/// Data for standard output, whole.
pub(super) fn write_out(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(())
}
