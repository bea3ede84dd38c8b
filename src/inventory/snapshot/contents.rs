//! What a file holds, for messages: what was expected, and what was found instead.
//!
//! No message quotes a value of such a file: whoever names the wrong one may have named a token, a key or a kubeconfig. Keys that look
//! like words are named.

use super::node::Tree;

/// What every message says was expected.
pub(super) const EXPECTED: &str = "expected Kubernetes objects (kind and apiVersion)";

/// The most keys of a mapping that a message names.
const KEYS: usize = 6;
/// The longest key that a message names. Longer ones are nobody's choice, and may be a secret.
const LONGEST_KEY: usize = 40;

/// What was come upon in one file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Contents {
    /// Objects, records of a watch, and lists, also empty ones.
    pub(super) recognized: u64,
    /// Whether there were lists among them, or several objects.
    pub(super) is_list: bool,
    /// Values that are nothing of that.
    pub(super) foreign: u64,
    /// The first of these.
    first: Option<String>,
}

impl Contents {
    /// Counts something that is no Kubernetes object.
    pub(super) fn add_foreign(&mut self, describe: impl FnOnce() -> String) {
        self.foreign += 1;
        self.first.get_or_insert_with(describe);
    }

    /// What was found; nothing if any of it is a Kubernetes object.
    pub(super) fn found(&self) -> Option<String> {
        if self.recognized > 0 {
            return None;
        }
        let first = self.first.as_deref()?;
        Some(match self.foreign {
            0 | 1 => first.to_owned(),
            more => format!("{more} values, the first of them {first}"),
        })
    }
}

/// What a value is, in a few words.
pub(super) fn describe(tree: &Tree) -> String {
    match tree {
        Tree::Mapping(members) => described_keys(members.keys().map(String::as_str), members.len()),
        Tree::Sequence(_) => "a list".into(),
        Tree::Plain(text) if text.parse::<f64>().is_ok() => "a number".into(),
        Tree::Text(text) | Tree::Plain(text) => described_text(text).unwrap_or("a text without keys").into(),
    }
}

/// What a text is by its first words; nothing if they say nothing.
fn described_text(text: &str) -> Option<&'static str> {
    let is_heading = |word: &str| word.bytes().all(|byte| byte.is_ascii_uppercase() || matches!(byte, b'-' | b'(' | b')'));
    let mut words = text.split_whitespace();
    match words.next()? {
        "-----BEGIN" => Some("a key or certificate in PEM format"),
        "NAME" | "NAMESPACE" if words.next().is_some_and(is_heading) => Some("a table, as kubectl prints it without `-o yaml`"),
        _ => None,
    }
}

/// A mapping by its keys.
fn described_keys<'k>(keys: impl IntoIterator<Item = &'k str>, count: usize) -> String {
    let named: Vec<&str> = keys.into_iter().filter(|key| is_word(key)).take(KEYS).collect();
    let others = if count > named.len() { ", …" } else { "" };
    match named.as_slice() {
        [] if count > 0 => "an object whose keys are no words".into(),
        [] => "an object without keys".into(),
        [key] if others.is_empty() => format!("an object with the key {key}"),
        _ => format!("an object with the keys {}{others}", named.join(", ")),
    }
}

/// What a file is that begins with these bytes and cannot be read as YAML or JSON; nothing if it may well be text.
pub(super) fn sniff(beginning: &[u8]) -> Option<&'static str> {
    const TAR: usize = 257;
    let is = |magic: &[u8]| beginning.starts_with(magic);
    Some(match beginning {
        [] => "an empty file",
        _ if beginning.get(TAR..).is_some_and(|rest| rest.starts_with(b"ustar")) => "a tar archive, which must be unpacked first",
        _ if is(b"PK\x03\x04") => "a zip archive, which must be unpacked first",
        _ if is(b"7z\xbc\xaf") || is(b"\xfd7zXZ") || is(b"BZh") => "a compressed file of another kind than gzip and zstd",
        [0xd4, 0xc3, 0xb2, 0xa1, ..]
        | [0xa1, 0xb2, 0xc3, 0xd4, ..]
        | [0x4d, 0x3c, 0xb2, 0xa1, ..]
        | [0xa1, 0xb2, 0x3c, 0x4d, ..]
        | [0x0a, 0x0d, 0x0d, 0x0a, ..] => "a capture, which belongs to --read",
        _ if is(b"\x7fELF") => "a program",
        _ if is(b"\x89PNG") || is(b"\xff\xd8\xff") || is(b"GIF8") => "a picture",
        _ if is(b"SQLite format 3") => "a database",
        _ if super::bounded::is_binary(beginning) => "binary data",
        _ if is(b"<") => "a page of HTML or XML",
        _ => return None,
    })
}

/// Whether a key may be named.
fn is_word(key: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'/');
    (1..=LONGEST_KEY).contains(&key.len()) && key.bytes().all(is_inner)
}

/// What a text is that is not read as a whole: by its first line.
pub(super) fn described_beginning(beginning: &[u8]) -> String {
    let text = String::from_utf8_lossy(&beginning[..beginning.len().min(4096)]);
    let Some(line) = text.lines().map(str::trim).find(|line| !line.is_empty()) else { return "an empty file".into() };
    if let Some(kind) = described_text(line) {
        return kind.into();
    }
    // `mode: fast`, `- mode: fast`, `{"mode": "fast"`. A colon within a word (`user:password`) is none behind a key.
    let line = line.trim_start_matches(['-', ' ', '{', '[']);
    let key = line.split_once(':').filter(|(_, rest)| rest.is_empty() || rest.starts_with([' ', '\t']) || line.starts_with('"'));
    let key = key.map(|(key, _)| key.trim().trim_matches(['"', '\'']));
    match key.filter(|key| is_word(key)) {
        Some(key) => format!("text that begins with the key {key}"),
        None => "a text without keys".into(),
    }
}

/// Whether a text may be YAML of Kubernetes objects: one of its lines, at most a little indented, has a key that objects have.
/// Wrong for one whose first object says its kind after more than what is looked at.
pub(super) fn is_like_objects(beginning: &[u8]) -> bool {
    const KEYS: [&[u8]; 5] = [b"kind", b"apiVersion", b"items", b"Items", b"metadata"];
    beginning.split(|byte| *byte == b'\n').any(|line| {
        let indent = line.iter().take_while(|byte| matches!(byte, b' ' | b'-' | b'{' | b'"' | b'\'')).count();
        let rest = &line[indent..];
        let is_key = |key: &&[u8]| {
            let after = rest.strip_prefix(*key).map(<[u8]>::trim_ascii_start);
            after.is_some_and(|after| matches!(after.first(), Some(b':' | b'"' | b'\'')))
        };
        indent <= 6 && KEYS.iter().any(is_key)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_told_by_their_beginning() {
        let mut tar = vec![0; 512];
        tar[..4].copy_from_slice(b"pods");
        tar[257..262].copy_from_slice(b"ustar");
        for (bytes, expected) in [
            (&b""[..], Some("an empty file")),
            (&tar, Some("a tar archive, which must be unpacked first")),
            (b"PK\x03\x04rest", Some("a zip archive, which must be unpacked first")),
            (b"\xd4\xc3\xb2\xa1\x02\0", Some("a capture, which belongs to --read")),
            (b"\x7fELF\x02", Some("a program")),
            (b"\0\x01\x02", Some("binary data")),
            (b"<html>", Some("a page of HTML or XML")),
            (b"kind: Pod", None),
            (b"NAME   READY", None),
        ] {
            assert_eq!(sniff(bytes), expected, "{bytes:?}");
        }
    }

    #[test]
    fn yaml_of_objects_has_their_keys() {
        for (text, expected) in [
            ("apiVersion: v1\n", true),
            ("# a comment\n---\n- kind: Pod\n", true),
            ("{kind: Pod}", true),
            ("\"kind\" : Pod\n", true),
            ("items:\n", true),
            ("I0811 04:57:26 main.go:293] Error: kind of failed\n", false),
            ("kindness: great\n", false),
            ("NAME READY\nweb 1/1\n", false),
            ("mode: fast\nversion: 1\n", false),
        ] {
            assert_eq!(is_like_objects(text.as_bytes()), expected, "{text}");
        }
    }
}
