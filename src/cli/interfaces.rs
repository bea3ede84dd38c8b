//! `netpol-gen interfaces`: what can be captured on here.

use std::fmt::Write as _;

use crate::capture::{self, Interface};
use crate::output::text::{one_line, pretty_json};

use super::args::{Format, Interfaces};
use super::exit;
use super::failure::Failure;
use super::output::write_out;

/// Lists them on standard output.
pub(super) fn run(arguments: &Interfaces) -> Result<u8, Failure> {
    let interfaces = capture::interfaces()?;
    let text = match arguments.format {
        Format::Text => table(&interfaces),
        Format::Json => pretty_json(&interfaces)?,
    };
    write_out(&text)?;
    Ok(exit::DONE)
}

/// One line an interface, under a line of headings.
fn table(interfaces: &[Interface]) -> String {
    let mut rows = vec![["NAME", "STATE", "ADDRESSES", "DESCRIPTION"].map(str::to_owned)];
    rows.extend(interfaces.iter().map(|interface| {
        let addresses: Vec<String> = interface.addresses.iter().map(ToString::to_string).collect();
        let addresses = if addresses.is_empty() { "-".to_owned() } else { addresses.join(", ") };
        let description = interface.description.as_deref().unwrap_or("-");
        // A line feed would begin a row of its own.
        [interface.name.as_str(), &state(interface), &addresses, description].map(|cell| one_line(cell, usize::MAX))
    }));
    let mut widths = [0; 4];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for [name, state, addresses, description] in &rows {
        let [first, second, third, _] = widths;
        let _ = writeln!(text, "{name:first$}  {state:second$}  {addresses:third$}  {description}");
    }
    text
}

fn state(interface: &Interface) -> String {
    let is_up = if interface.is_up { "up" } else { "down" };
    let words = [(true, is_up), (interface.is_running, "running"), (interface.is_loopback, "loopback")];
    words.iter().filter(|(holds, _)| *holds).map(|(_, word)| *word).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interface(name: &str, description: Option<&str>, addresses: &[&str], states: (bool, bool, bool)) -> Interface {
        Interface {
            name: name.into(),
            description: description.map(Into::into),
            addresses: addresses.iter().map(|text| text.parse().expect("an address")).collect(),
            is_up: states.0,
            is_running: states.1,
            is_loopback: states.2,
        }
    }

    #[test]
    fn the_table_lines_up_and_has_one_line_an_interface() {
        let interfaces = [
            interface("eth0", None, &["10.0.0.11", "fe80::1"], (true, true, false)),
            interface("any", Some("Pseudo-device"), &[], (true, false, false)),
            interface("lo", None, &["127.0.0.1"], (true, true, true)),
            interface("a\u{1b}[2J\nb", None, &[], (false, false, false)),
        ];
        let expected = "\
NAME           STATE                ADDRESSES           DESCRIPTION
eth0           up,running           10.0.0.11, fe80::1  -
any            up                   -                   Pseudo-device
lo             up,running,loopback  127.0.0.1           -
a\\u{1b}[2J\\nb  down                 -                   -
";
        assert_eq!(table(&interfaces), expected);
    }
}
