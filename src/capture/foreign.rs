//! Files in a directory of captures that are obviously none: by their name and by their content.

use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The bytes that are looked at.
const HEAD: u64 = 1024;

/// File name extensions of files that are no captures.
const ENDINGS: &[&str] = &[
    "bash",
    "bat",
    "bmp",
    "cfg",
    "conf",
    "crt",
    "css",
    "csv",
    "env",
    "err",
    "gif",
    "go",
    "htm",
    "html",
    "ini",
    "inventory",
    "ipynb",
    "jpeg",
    "jpg",
    "js",
    "json",
    "jsonl",
    "lock",
    "log",
    "markdown",
    "md",
    "out",
    "pdf",
    "pem",
    "png",
    "ps1",
    "py",
    "rs",
    "rst",
    "sh",
    "sql",
    "sum",
    "svg",
    "tar",
    "tgz",
    "toml",
    "ts",
    "tsv",
    "txt",
    "webp",
    "xml",
    "yaml",
    "yml",
    "zip",
];

/// Names of other files that have no ending.
const NAMES: &[&str] =
    &["authors", "changelog", "copying", "dockerfile", "license", "makefile", "notes", "notice", "readme", "version"];

/// Endings of compressed files; what is inside is told by the ending before.
const COMPRESSED: &[&str] = &["bz2", "gz", "xz", "zst"];

/// File name extensions of captures.
const CAPTURES: &[&str] = &[".pcap", ".cap", ".flows", ".dmp"];

/// How other files begin: archives, images, documents, and compressed files of any kind.
const BEGINNINGS: &[&[u8]] = &[
    b"\x1f\x8b",
    b"\x28\xb5\x2f\xfd",
    b"\xfd7zXZ",
    b"BZh",
    b"PK\x03\x04",
    b"\x89PNG",
    b"\xff\xd8\xff",
    b"GIF8",
    b"RIFF",
    b"BM",
    b"%PDF",
    b"\xff\xfe",
    b"\xfe\xff",
];

/// Whether a file is no capture, by its name and by its content. A file that is called like a capture, or whose name says
/// nothing, is never passed over: it may be one that is damaged.
pub(super) fn is_foreign(path: &Path) -> bool {
    let Some(name) = path.file_name().map(|name| name.to_string_lossy().to_lowercase()) else { return false };
    has_foreign_name(&name) && has_foreign_content(path)
}

fn has_foreign_name(name: &str) -> bool {
    if CAPTURES.iter().any(|part| name.contains(part)) {
        return false;
    }
    if name.starts_with('.') || NAMES.contains(&name) {
        return true;
    }
    let mut parts: Vec<&str> = name.split('.').skip(1).collect();
    if parts.last().is_some_and(|last| COMPRESSED.contains(last)) {
        parts.pop();
    }
    parts.last().is_some_and(|last| ENDINGS.contains(last))
}

/// Whether it is text, empty, or of a known other kind. Wrong for text that is longer in other encodings than UTF-8 and UTF-16.
fn has_foreign_content(path: &Path) -> bool {
    let mut head = Vec::new();
    let read = File::open(path).and_then(|file| file.take(HEAD).read_to_end(&mut head));
    read.is_ok() && (BEGINNINGS.iter().any(|beginning| head.starts_with(beginning)) || is_text(&head) || is_archive(&head))
}

fn is_text(head: &[u8]) -> bool {
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        // The last character may be cut.
        Err(error) if error.error_len().is_none() => std::str::from_utf8(&head[..error.valid_up_to()]).unwrap_or_default(),
        Err(_) => return false,
    };
    text.chars().all(|character| !character.is_control() || matches!(character, '\t' | '\n' | '\r' | '\u{c}' | '\u{1b}'))
}

/// A tar archive, whose header has its magic at byte 257 (POSIX.1-1988, ustar).
fn is_archive(head: &[u8]) -> bool {
    head.get(257..262) == Some(b"ustar".as_slice())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_passed_over_by_name_and_content_together() {
        let directory = tempfile::tempdir().unwrap();
        // The 1,024th byte is in the middle of a character.
        let cut = format!("a{}", "ä".repeat(512));
        let rows: [(&str, &[u8], bool); 18] = [
            ("inventory.yaml", b"apiVersion: v1\n", true),
            ("README.md", b"# Captures\n", true),
            ("README", b"Captures\n", true),
            ("notes.txt", b"", true),
            (".gitkeep", b"", true),
            ("20260101T000000000Z.inventory.zst", b"\x28\xb5\x2f\xfd\x00", true),
            ("cluster.json.gz", b"\x1f\x8b\x08\x00", true),
            ("map.png", b"\x89PNG\r\n\x1a\n", true),
            ("cluster.yaml", b"\xff\xfea\0p\0i\0", true),
            ("umlaut.txt", cut.as_bytes(), true),
            ("node-3.pcap", b"tcpdump: any: no permission\n", false),
            ("node-3.pcap.txt", b"tcpdump: any: no permission\n", false),
            ("node-4", b"text without an ending\n", false),
            ("node-5", b"", false),
            ("node-6.yaml", b"\x01\x02\x03\x04garbage", false),
            ("trace.pcap.gz", b"\x1f\x8b\x08\x00", false),
            ("node-a.flows.zst", b"\x28\xb5\x2f\xfd\x00", false),
            ("unknown.bin", b"\x00\x01", false),
        ];
        for (name, content, expected) in rows {
            let path = directory.path().join(name);
            std::fs::write(&path, content).unwrap();
            assert_eq!(is_foreign(&path), expected, "{name}");
        }
        assert!(!is_foreign(&directory.path().join("gone.yaml")), "what cannot be read is said");
    }
}
