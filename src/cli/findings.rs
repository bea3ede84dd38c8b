//! `netpol-gen findings`: the codes of findings in, what each means out.

use std::fmt::Write as _;

use serde::Serialize;

use crate::model::{Code, Severity};
use crate::output::text::pretty_json;

use super::args::{Findings, Format};
use super::exit;
use super::failure::Failure;
use super::output::write_out;
use super::suggest::nearest;

/// The longest line of the text.
const WIDTH: usize = 100;

/// One code, for programs.
#[derive(Serialize)]
struct Entry {
    code: &'static str,
    severity: &'static str,
    seen: &'static str,
    why: &'static str,
    hint: &'static str,
}

/// Explains all codes, or those that were named.
pub(super) fn run(arguments: &Findings) -> Result<u8, Failure> {
    let codes = arguments.codes.iter().map(|name| find(name)).collect::<Result<Vec<Code>, Failure>>()?;
    let text = match arguments.format {
        Format::Json => {
            let codes = if codes.is_empty() { Code::ALL } else { &codes };
            pretty_json(&codes.iter().map(|&code| entry(code)).collect::<Vec<_>>())?
        }
        Format::Text if codes.is_empty() => list(),
        Format::Text => codes.iter().map(|&code| in_full(code)).collect::<Vec<_>>().join("\n"),
    };
    write_out(&text)?;
    Ok(exit::DONE)
}

/// The code of this name.
fn find(name: &str) -> Result<Code, Failure> {
    let known = Code::ALL.iter().find(|code| code.name() == name);
    known.copied().ok_or_else(|| Failure::UnknownCode { code: name.to_owned(), nearest: nearest_code(name) })
}

/// The code that a mistyped one may mean.
pub(super) fn nearest_code(name: &str) -> Option<&'static str> {
    nearest(name, Code::ALL.iter().map(|code| code.name()))
}

fn entry(code: Code) -> Entry {
    Entry { code: code.name(), severity: code.severity().name(), seen: code.seen(), why: code.why(), hint: code.hint() }
}

/// All codes, worst severity first.
fn list() -> String {
    let mut text = String::new();
    for severity in Severity::ALL.iter().rev() {
        let _ = writeln!(text, "{}: {}\n", severity.name().to_uppercase(), meaning(*severity));
        for code in Code::ALL.iter().filter(|code| code.severity() == *severity) {
            let _ = writeln!(text, "{code}");
            for (label, part) in [("seen", code.seen().to_owned()), ("why", code.why().to_owned()), ("do", sentence(code.hint()))]
            {
                paragraph(&mut text, &format!("  {label:<6}"), &part);
            }
            text.push('\n');
        }
    }
    text.push_str("`netpol-gen findings CODE` says more about one of them.\n");
    text
}

/// Everything about one code.
fn in_full(code: Code) -> String {
    let mut text = format!("{code}\n");
    let severity = code.severity();
    paragraph(&mut text, "Severity:          ", &format!("{} ({})", severity.name(), meaning(severity)));
    paragraph(&mut text, "What was seen:     ", code.seen());
    paragraph(&mut text, "Why it matters:    ", code.why());
    paragraph(&mut text, "What to do:        ", &sentence(code.hint()));
    paragraph(
        &mut text,
        "In a pipeline:     ",
        &format!("`netpol-gen learn --deny {code}` ends with exit code 1 if this is found."),
    );
    // A decision about decisions would never end.
    if !matches!(code, Code::DecisionUnmatched | Code::DecisionExpired) {
        paragraph(&mut text, "Once settled:      ", "An entry in netpol-gen.yaml removes it from later reviews:");
        let _ = writeln!(text, "\n    ignore:\n    - code: {code}\n      subject: \"*\"\n      reason: WHY");
    }
    text
}

const fn meaning(severity: Severity) -> &'static str {
    match severity {
        Severity::Note => "good to know",
        Severity::Warning => "read before you apply the policies",
        Severity::Serious => "applying the policies as they are may break or open something",
    }
}

/// A hint as sentences.
fn sentence(hint: &str) -> String {
    let mut letters = hint.chars();
    letters.next().map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), letters.as_str()))
}

/// A text behind its label, in lines of at most [`WIDTH`] characters; a longer word has a line of its own.
fn paragraph(text: &mut String, label: &str, words: &str) {
    let mut line = label.to_owned();
    let mut is_empty = true;
    for word in words.split_whitespace() {
        if !is_empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            let _ = writeln!(text, "{line}");
            line = " ".repeat(label.chars().count());
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        line.push_str(word);
        is_empty = false;
    }
    let _ = writeln!(text, "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paragraph_is_indented_like_its_label() {
        let mut text = String::new();
        paragraph(&mut text, "  why   ", &"word ".repeat(20));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2);
        assert!(lines[0].starts_with("  why   word word") && lines[0].len() <= WIDTH, "{text}");
        assert!(lines[1].starts_with("        word"), "{text}");
    }

    #[test]
    fn every_line_of_the_list_fits() {
        for line in list().lines() {
            assert!(line.chars().count() <= WIDTH || line.split_whitespace().count() <= 2, "{line}");
        }
    }
}
