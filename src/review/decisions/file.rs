//! The decisions file: YAML in, typed decisions out.
//!
//! Strict: an unknown field, a field twice, a word that means nothing or a version of the future is an error with its place, and
//! never passed over, because a decision that is not obeyed looks just like one that is.

use jiff::civil::Date;
use serde::{Deserialize, Deserializer};
use serde_saphyr::Spanned;

use super::error::DecisionError;
use super::kinds::{Decision, Ignore, QUARANTINED, Rename, What, Widen};
use super::pattern::{EdgePattern, PartyPattern, Ports, is_label};
use crate::model::Code;

/// The version of the form.
pub const VERSION: u64 = 1;
/// Nobody writes a longer file by hand, in bytes.
pub const LONGEST: u64 = 1 << 20;
/// How often a file may repeat what it said, and how many bytes that may be each time.
const ALIASES: usize = 1000;
const ANCHORED: usize = 16 << 10;

type Text = Spanned<String>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u64,
    #[serde(default)]
    accept: Vec<EdgeEntry>,
    #[serde(default)]
    reject: Vec<EdgeEntry>,
    #[serde(default)]
    widen: Vec<WidenEntry>,
    #[serde(default)]
    rename: Vec<RenameEntry>,
    #[serde(default)]
    ignore: Vec<IgnoreEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EdgeEntry {
    from: Text,
    to: Text,
    port: Text,
    reason: Text,
    #[serde(default, deserialize_with = "said")]
    by: Option<Text>,
    #[serde(default, deserialize_with = "said")]
    until: Option<Text>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WidenEntry {
    from: Text,
    to: Text,
    port: Text,
    bound: u64,
    reason: Text,
    #[serde(default, deserialize_with = "said")]
    by: Option<Text>,
    #[serde(default, deserialize_with = "said")]
    until: Option<Text>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RenameEntry {
    namespace: Text,
    from: Text,
    to: Text,
    reason: Text,
    #[serde(default, deserialize_with = "said")]
    by: Option<Text>,
    #[serde(default, deserialize_with = "said")]
    until: Option<Text>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IgnoreEntry {
    code: Text,
    #[serde(default, deserialize_with = "said")]
    subject: Option<Text>,
    reason: Text,
    #[serde(default, deserialize_with = "said")]
    by: Option<Text>,
    #[serde(default, deserialize_with = "said")]
    until: Option<Text>,
}

/// A field that may be left out, and if it is there says something: one left empty is no date and no subject, and neither is it every
/// day and everybody.
fn said<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Text>, D::Error> {
    let said = Option::<Text>::deserialize(deserializer)?;
    said.ok_or_else(|| serde::de::Error::custom("a field is there and says nothing")).map(Some)
}

/// What the YAML reader says beside what is wrong: to programmers.
const FOR_PROGRAMMERS: [&str; 2] = [", set DuplicateKeyPolicy", "; use from_str_multiple"];

/// The longest key that is quoted. What is longer, or no word, may be a secret in a file that was named by mistake.
const LONGEST_KEY: usize = 40;

fn without_odd_key(what: &str) -> String {
    let Some((key, rest)) = what.strip_prefix("unknown field `").and_then(|rest| rest.split_once("`, expected")) else {
        return what.to_owned();
    };
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'/');
    let is_word = key.len() <= LONGEST_KEY && key.bytes().all(is_inner);
    if is_word { what.to_owned() } else { format!("unknown field, expected{rest}") }
}

/// Reads a file of decisions.
///
/// # Errors
/// The first thing that is wrong with it, and where.
pub fn read(text: &str) -> Result<Vec<Decision>, DecisionError> {
    let budget = serde_saphyr::budget! { max_aliases: ALIASES, max_recorded_anchor_bytes: ANCHORED };
    let file: File = serde_saphyr::from_str_with_options(text, serde_saphyr::options! { budget: budget }).map_err(|error| {
        let (line, column) = error.location().map_or((1, 1), |place| (place.line(), place.column()));
        let what = error.without_snippet().to_string();
        // The reader says the place at the end as well.
        let what = what.strip_suffix(&format!(" at line {line}, column {column}")).unwrap_or(&what);
        let end = FOR_PROGRAMMERS.iter().filter_map(|words| what.find(words)).min();
        let what = without_odd_key(&what[..end.unwrap_or(what.len())]);
        DecisionError::Malformed { line, column, what }
    })?;
    if file.version != VERSION {
        return Err(DecisionError::Version(file.version));
    }
    let mut decisions = Vec::new();
    for EdgeEntry { from, to, port, reason, by, until } in file.accept {
        let what = What::Accept(edges(&from, &to, &port)?);
        decisions.push(decision(what, &from, &reason, by, until)?);
    }
    for EdgeEntry { from, to, port, reason, by, until } in file.reject {
        let what = What::Reject(edges(&from, &to, &port)?);
        decisions.push(decision(what, &from, &reason, by, until)?);
    }
    for WidenEntry { from, to, port, bound, reason, by, until } in file.widen {
        let edges = edges(&from, &to, &port)?;
        let Some((way, _, range)) = edges.outside() else {
            let what = "is not enough: one side must be a CIDR outside the cluster, the other workloads (namespace/workload, namespace/*)";
            return Err(field("to", &to, what));
        };
        let what = What::Widen(Widen { edges, way, range, bound });
        decisions.push(decision(what, &from, &reason, by, until)?);
    }
    for RenameEntry { namespace, from, to, reason, by, until } in file.rename {
        if !is_label(&namespace.value) {
            return Err(field("namespace", &namespace, "is no name of a namespace"));
        }
        if !is_label(&to.value) || to.value == "kustomization" {
            let what =
                "cannot be the name of a policy: write a DNS label (RFC 1123), at most 63 small letters, digits and dashes";
            return Err(field("to", &to, what));
        }
        if to.value.starts_with(QUARANTINED) {
            return Err(field("to", &to, "cannot be the name of a policy: those in quarantine are named so"));
        }
        let place = from.clone();
        let what = What::Rename(Rename { namespace: namespace.value, from: from.value, to: to.value });
        decisions.push(decision(what, &place, &reason, by, until)?);
    }
    for IgnoreEntry { code, subject, reason, by, until } in file.ignore {
        let Some(known) = Code::ALL.iter().find(|known| known.name() == code.value) else {
            return Err(field("code", &code, "is no code of a finding: `netpol-gen findings` lists them"));
        };
        if matches!(known, Code::DecisionUnmatched | Code::DecisionExpired) {
            return Err(field("code", &code, "is about decisions: take out the decision that it speaks of"));
        }
        let what = What::Ignore(Ignore { code: *known, subject: subject.map(|subject| subject.value) });
        decisions.push(decision(what, &code, &reason, by, until)?);
    }
    Ok(decisions)
}

fn edges(from: &Text, to: &Text, port: &Text) -> Result<EdgePattern, DecisionError> {
    let originator = PartyPattern::parse(&from.value).map_err(|what| field("from", from, &what))?;
    if matches!(originator, PartyPattern::Name(_)) {
        return Err(field("from", from, "is a name: only who is called is known by one"));
    }
    let responder = PartyPattern::parse(&to.value).map_err(|what| field("to", to, &what))?;
    let ports = Ports::parse(&port.value).map_err(|what| field("port", port, &what))?;
    Ok(EdgePattern { from: originator, to: responder, ports })
}

/// `first` is the field by which a person finds the decision again.
fn decision(what: What, first: &Text, reason: &Text, by: Option<Text>, until: Option<Text>) -> Result<Decision, DecisionError> {
    // However it is folded in the file, it is one line where it is told.
    let said = reason.value.split_whitespace().collect::<Vec<_>>().join(" ");
    if said.is_empty() {
        return Err(field("reason", reason, "says nothing"));
    }
    let until = until.map(|until| date(&until)).transpose()?;
    let line = first.referenced.line();
    Ok(Decision { what, reason: said, by: by.map(|by| by.value), until, line })
}

/// A date of RFC 3339 (`full-date`), and nothing with a time or a zone.
fn date(until: &Text) -> Result<Date, DecisionError> {
    let is_full = until.value.len() == 10 && until.value.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    let date = until.value.parse().ok().filter(|_| is_full);
    date.ok_or_else(|| field("until", until, "is no date: write it as 2027-12-31, the last day on which the decision counts"))
}

fn field(field: &'static str, text: &Text, what: &str) -> DecisionError {
    DecisionError::Field { line: text.referenced.line(), field, text: text.value.clone(), what: what.to_owned() }
}
