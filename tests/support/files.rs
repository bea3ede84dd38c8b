//! Directories that a run wrote.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// All files below a directory, by their path from there; nothing below `except`.
pub fn below(directory: &Path, except: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut directories = vec![directory.to_owned()];
    while let Some(inner) = directories.pop() {
        let Ok(entries) = fs::read_dir(&inner) else { continue };
        for path in entries.map(|entry| entry.unwrap().path()) {
            if !path.is_dir() {
                let name = path.strip_prefix(directory).unwrap().display().to_string();
                found.insert(name, fs::read_to_string(&path).unwrap_or_default());
            } else if !path.ends_with(except) {
                directories.push(path);
            }
        }
    }
    found
}
