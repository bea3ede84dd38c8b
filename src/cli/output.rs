//! Text on its way out: data to standard output, nothing that could steer a terminal.

use std::io::{self, Write};

use super::failure::Failure;

/// Data for standard output, whole.
pub(super) fn write_out(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(())
}

/// Without the control characters that a name (of a file, an interface, an object) could bring to a terminal.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() && letter != '\n' { '\u{fffd}' } else { letter }).collect()
}
