//! YAML that every reader takes for the same: strings on the way out, a strict second reading on the way back.
//!
//! Kubernetes reads YAML 1.1 (sigs.k8s.io/yaml), most editors and this tool's parser read YAML 1.2. Where the two disagree
//! (`yes`, `1_000`, `12:30`, the line break U+0085, tags) a file says one thing to the reviewer and another to the cluster.
//! So what is written stays inside the part where they agree, and a text outside it is refused, whichever template made it.

use std::fmt::Write as _;

use serde_json::Value;
use serde_saphyr::granit_parser::{Event, Parser, ScalarStyle};

/// Words that some YAML reader takes for a boolean, a null or a float, in lower case.
const RESERVED: [&str; 11] = ["y", "n", "yes", "no", "true", "false", "on", "off", "null", "nan", "inf"];

/// The keys of a policy whose value is a number (`NetworkPolicyPort`).
const NUMBER_KEYS: [&str; 2] = ["port", "endPort"];

/// Where a text is not the YAML that all readers agree upon.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {what}")]
pub struct YamlProblem {
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1.
    pub column: usize,
    /// What is wrong there.
    pub what: String,
}

/// Whether a plain scalar of this text is a string to every reader. Says no to some that would be, such as `fe80::1`.
#[must_use]
pub fn is_plainly_string(text: &str) -> bool {
    let Some(first) = text.bytes().next() else { return false };
    // No number, time or date of YAML 1.1 or 1.2 has a slash; so CIDRs and paths may stay as people write them.
    let may_begin = first.is_ascii_alphabetic() || ((first.is_ascii_digit() || first == b'.') && text.contains('/'));
    may_begin
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'/' | b'-'))
        && !RESERVED.iter().any(|reserved| text.eq_ignore_ascii_case(reserved))
}

/// A string as a YAML scalar on one line: plain when that is certainly a string, in double quotes otherwise.
#[must_use]
pub fn scalar(text: &str) -> String {
    if is_plainly_string(text) { text.to_owned() } else { quoted(text) }
}

fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for letter in text.chars() {
        match letter {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            _ if !super::text::is_printable(letter) => {
                let code = u32::from(letter);
                // Not JSON's surrogate pairs: YAML has no such thing, but eight digits.
                let _ = if code > 0xffff { write!(quoted, "\\U{code:08x}") } else { write!(quoted, "\\u{code:04x}") };
            }
            _ => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}

/// Reads a text that must be one YAML document on which all readers agree.
///
/// # Errors
/// The first place where they do not, or where it is not YAML.
pub fn read(text: &str) -> Result<Value, YamlProblem> {
    check_letters(text)?;
    check_events(text)?;
    serde_saphyr::from_str(text).map_err(|error| {
        let (line, column) = error.location().map_or((1, 1), |place| (place.line(), place.column()));
        let (line, column) = (usize::try_from(line).unwrap_or(usize::MAX), usize::try_from(column).unwrap_or(usize::MAX));
        YamlProblem { line, column, what: error.without_snippet().to_string() }
    })
}

/// Reads a text as [`read`] does, but for what people may have put into comments of their own: any letter that ends no line.
///
/// # Errors
/// As [`read`].
pub fn read_commented(text: &str) -> Result<Value, YamlProblem> {
    let is_break = |letter: char| matches!(letter, '\r' | '\u{85}' | '\u{2028}' | '\u{2029}');
    let is_comment = |line: &str| line.trim_start_matches([' ', '\t']).starts_with('#');
    let checkable = |letter: &char| super::text::is_printable(*letter) || is_break(*letter);
    let lines =
        text.split('\n').map(|line| if is_comment(line) { line.chars().filter(checkable).collect() } else { line.to_owned() });
    read(&lines.collect::<Vec<String>>().join("\n"))
}

/// Letters that end a line for some readers only, or that show a reviewer something else than what is there.
fn check_letters(text: &str) -> Result<(), YamlProblem> {
    for (line, content) in text.split('\n').enumerate() {
        let odd = content.chars().enumerate().find(|(_, letter)| !super::text::is_printable(*letter));
        if let Some((column, letter)) = odd {
            let what = format!("the character U+{:04X} must be escaped", u32::from(letter));
            return Err(YamlProblem { line: line + 1, column: column + 1, what });
        }
    }
    Ok(())
}

/// Where an event stands.
enum Place {
    /// In a sequence.
    Item,
    /// In a mapping, before a key.
    Key,
    /// In a mapping, after this key; a key that is not a scalar has no name.
    Value(String),
}

fn check_events(text: &str) -> Result<(), YamlProblem> {
    let mut places: Vec<Place> = Vec::new();
    let mut documents = 0;
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| YamlProblem {
            line: error.marker().line(),
            column: error.marker().col() + 1,
            what: error.info(),
        })?;
        let problem = |what: String| YamlProblem { line: span.start.line(), column: span.start.col() + 1, what };
        match event {
            Event::DocumentStart(_, version) => {
                documents += 1;
                if documents > 1 {
                    return Err(problem("a second document".into()));
                }
                if version.is_some() {
                    return Err(problem("a %YAML directive".into()));
                }
            }
            Event::Alias(_) => return Err(problem("an alias; write the value out".into())),
            Event::Scalar(_, _, anchor, ref tag)
            | Event::SequenceStart(_, anchor, ref tag)
            | Event::MappingStart(_, anchor, ref tag)
                if anchor != 0 || tag.is_some() =>
            {
                return Err(problem("an anchor or a tag; write the plain value".into()));
            }
            Event::Scalar(value, style, ..) => {
                let number = matches!(places.last(), Some(Place::Value(key)) if NUMBER_KEYS.contains(&key.as_str()));
                if style == ScalarStyle::Plain && !(is_plainly_string(&value) || (number && is_port_number(&value))) {
                    let what = format!(
                        "`{}` is not a string to every YAML reader; put it in double quotes",
                        super::text::one_line(&value, 80)
                    );
                    return Err(problem(what));
                }
                match places.last_mut() {
                    Some(place @ Place::Key) => *place = Place::Value(value.into_owned()),
                    place => close(place),
                }
            }
            Event::SequenceStart(..) => places.push(Place::Item),
            Event::MappingStart(..) => {
                if matches!(places.last(), Some(Place::Key)) {
                    return Err(problem("a mapping as a key".into()));
                }
                places.push(Place::Key);
            }
            Event::SequenceEnd | Event::MappingEnd => {
                places.pop();
                close(places.last_mut());
            }
            _ => {}
        }
    }
    Ok(())
}

/// A node has ended here: a value makes room for the next key.
fn close(place: Option<&mut Place>) {
    if let Some(place @ Place::Value(_)) = place {
        *place = Place::Key;
    }
}

fn is_port_number(text: &str) -> bool {
    !text.starts_with('0') && text.len() <= 5 && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_may_stay_plain() {
        for (text, plain) in [
            ("web", true),
            ("kubernetes.io/metadata.name", true),
            ("10.0.0.0/8", true),
            ("../prod/default-deny", true),
            ("e3", true),
            ("0x1f", false),
            ("1e3", false),
            ("1_000", false),
            ("12", false),
            ("4-tier", false),
            ("2001-12-14", false),
            ("12:30", false),
            ("fd00::/8", false),
            ("yes", false),
            ("On", false),
            ("Y", false),
            ("NULL", false),
            ("~", false),
            ("", false),
            ("-", false),
            ("---", false),
            ("...", false),
            (".inf", false),
            ("a b", false),
            ("a: b", false),
            ("a #b", false),
            ("ünï", false),
            ("a\nb", false),
        ] {
            assert_eq!(is_plainly_string(text), plain, "{text:?}");
        }
    }

    #[test]
    fn what_the_strict_reading_refuses() {
        for (text, expected) in [
            ("a: yes", "`yes` is not a string"),
            ("a: 80", "`80` is not a string"),
            ("port: 080", "`080` is not a string"),
            ("port: 1_0", "`1_0` is not a string"),
            ("port: [80]", "`80` is not a string"),
            ("a:", "is not a string"),
            ("a: &x b", "an anchor"),
            ("a: !!str b", "an anchor or a tag"),
            ("a: b\n---\nc: d", "a second document"),
            ("a: \"x\u{85}y\"", "U+0085"),
            ("# x\u{2028}a: b\na: c", "U+2028"),
            ("# \u{202e}x\na: c", "U+202E"),
            ("a: b\na: c", "duplicate"),
            ("? {a: b}\n: c", "a mapping as a key"),
            ("%YAML 1.1\n---\na: b", "%YAML"),
            ("a: \"b", ""),
        ] {
            let problem = read(text).expect_err(text).to_string();
            assert!(problem.contains(expected), "{text:?}: {problem}");
        }
    }

    #[test]
    fn what_the_strict_reading_takes() {
        let read = read("a: \"80\"\nports:\n- port: 80\n  endPort: 90\n  x: {}\nb: [c, d]\n").expect("reads");
        assert_eq!(read, serde_json::json!({"a": "80", "ports": [{"port": 80, "endPort": 90, "x": {}}], "b": ["c", "d"]}));
    }

    proptest! {
        #[test]
        fn every_string_comes_back(text in any::<String>()) {
            let written = format!("a: {}\n", scalar(&text));
            prop_assert_eq!(read(&written).map(|value| value["a"].clone()), Ok(Value::String(text)));
        }
    }
}
