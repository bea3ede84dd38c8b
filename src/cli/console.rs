//! The amount of detail and the colors of messages on standard error, from `--quiet`, `--verbose`, `--color` and the environment.

use std::io::{self, IsTerminal, Write};
use std::sync::OnceLock;

use clap::ColorChoice;

use crate::output::report::{self, Detail, Style, Summary};
use crate::output::text::one_line;

use super::args::Telling;
#[cfg(feature = "live")]
use super::writer::as_named;

/// The style that the arguments ask for. It is unset until the arguments are parsed.
static STYLE: OnceLock<Style> = OnceLock::new();

/// Sets how much is printed, and whether in colors. Only the first call counts.
pub(super) fn set(telling: Telling) {
    let detail = match telling {
        Telling { quiet: true, .. } => Detail::Quiet,
        Telling { verbose: true, .. } => Detail::Verbose,
        _ => Detail::Normal,
    };
    let colours = has_colours(telling.color, &Surroundings::of_process());
    let _ = STYLE.set(Style { colours, detail });
}

/// The facts by which `--color auto` decides.
struct Surroundings {
    is_terminal: bool,
    /// `NO_COLOR` is set and not empty (<https://no-color.org>).
    has_no_color: bool,
    /// `TERM` is `dumb`: no escape sequence means anything there.
    is_dumb: bool,
}

impl Surroundings {
    fn of_process() -> Self {
        Self {
            is_terminal: io::stderr().is_terminal(),
            has_no_color: std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()),
            is_dumb: std::env::var_os("TERM").is_some_and(|value| value == "dumb"),
        }
    }
}

const fn has_colours(choice: ColorChoice, surroundings: &Surroundings) -> bool {
    match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto => surroundings.is_terminal && !surroundings.has_no_color && !surroundings.is_dumb,
    }
}

fn style() -> Style {
    STYLE.get().copied().unwrap_or_default()
}

/// Whether lines may be drawn over, as a progress bar does.
pub(super) fn can_redraw() -> bool {
    let Surroundings { is_terminal, is_dumb, .. } = Surroundings::of_process();
    is_terminal && !is_dumb && style().detail != Detail::Quiet
}

/// Prints one line on how things go, whatever names are in it; nothing with `--quiet`.
pub(super) fn say(line: &str) {
    if style().detail != Detail::Quiet {
        print(line);
    }
}

/// Prints one line that matters, whatever names are in it; with `--quiet` too.
pub(super) fn warn(line: &str) {
    print(line);
}

fn print(line: &str) {
    #[cfg(feature = "live")]
    let line = &as_named(line);
    let _ = writeln!(io::stderr(), "{}", one_line(line, usize::MAX));
}

/// Prints the summary of a run.
pub(super) fn summary(summary: &Summary) {
    let _ = write!(io::stderr(), "{}", report::terminal(summary, style()));
}

/// A word that begins a line, in bold and the color of this ANSI code.
pub(super) fn painted(word: &str, color: u8) -> String {
    if style().colours { format!("\u{1b}[1;{color}m{word}\u{1b}[0m") } else { word.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colors_need_a_terminal_that_wants_them() {
        let plain = Surroundings { is_terminal: true, has_no_color: false, is_dumb: false };
        let rows = [
            ("a terminal", Surroundings { ..plain }, true),
            ("a file", Surroundings { is_terminal: false, ..plain }, false),
            ("NO_COLOR", Surroundings { has_no_color: true, ..plain }, false),
            ("TERM=dumb", Surroundings { is_dumb: true, ..plain }, false),
        ];
        for (message, surroundings, expected) in rows {
            assert_eq!(has_colours(ColorChoice::Auto, &surroundings), expected, "{message}");
            assert!(has_colours(ColorChoice::Always, &surroundings), "{message}, always");
            assert!(!has_colours(ColorChoice::Never, &surroundings), "{message}, never");
        }
    }
}
