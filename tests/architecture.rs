//! The import rule: data flows one way, and third-party crates stay where they belong.

#![expect(clippy::unwrap_used, reason = "in tests a failed unwrap is the failure to report")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Modules in pipeline order; a module imports only modules before it.
const ORDER: [&str; 15] = [
    "model",
    "decode",
    "flow",
    "inventory",
    "edge",
    "review",
    "policy",
    "verify",
    "coverage",
    "migration",
    "output",
    "learn",
    "capture",
    "cluster",
    "cli",
];

/// Crates and the only modules that may name them.
const CONFINED: [(&str, &[&str]); 19] = [
    ("etherparse", &["decode"]),
    ("simple_dns", &["decode"]),
    ("flate2", &["capture", "inventory"]),
    ("zstd", &["capture", "inventory", "cli"]),
    ("croner", &["inventory"]),
    ("glob", &["capture"]),
    ("pcap", &["capture"]),
    ("landlock", &["capture"]),
    ("libc", &["capture"]),
    ("seccompiler", &["capture"]),
    ("kube", &["cluster"]),
    ("tokio", &["cluster", "cli"]),
    ("http_body_util", &["cluster"]),
    ("serde_saphyr", &["review", "output", "inventory"]),
    ("minijinja", &["output"]),
    ("rustix", &["capture", "model"]),
    ("clap", &["cli"]),
    ("indicatif", &["cli"]),
    ("signal_hook", &["cli"]),
];

/// The sources of a module, without its unit tests (they may build what they need from anywhere).
fn sources(module: &str) -> Vec<(PathBuf, String)> {
    fn collect(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
        let mut entries: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        for path in entries {
            if path.is_dir() && path.file_name().is_some_and(|name| name != "tests") {
                collect(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned();
                found.push((path, code));
            }
        }
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(module);
    let mut found = Vec::new();
    if folder.is_dir() {
        collect(&folder, &mut found);
    }
    found.retain(|(path, _)| path.file_name().is_some_and(|name| name != "tests.rs"));
    found
}

fn names(code: &str, path: &str) -> bool {
    code.lines().map(str::trim_start).filter(|line| !line.starts_with("//")).any(|line| line.contains(path))
}

#[test]
fn modules_import_only_what_comes_before_them() {
    let mut wrong = BTreeSet::new();
    let mut read = 0;
    for (position, module) in ORDER.iter().enumerate() {
        for (path, code) in sources(module) {
            read += 1;
            for later in &ORDER[position + 1..] {
                if names(&code, &format!("crate::{later}")) {
                    wrong.insert(format!("{} imports {later}", path.display()));
                }
            }
            let other = match *module {
                "cluster" => "crate::capture",
                "capture" => "crate::cluster",
                _ => continue,
            };
            if names(&code, other) {
                wrong.insert(format!("{} imports {other}: the adapters do not know each other", path.display()));
            }
        }
    }
    assert!(read > 20, "the sources were found");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn verification_shares_no_code_with_the_making() {
    for (path, code) in sources("verify") {
        for maker in ["crate::policy", "crate::review::decisions", "crate::edge", "crate::flow", "crate::output"] {
            assert!(!names(&code, maker), "{} imports {maker}", path.display());
        }
    }
}

#[test]
fn crates_stay_in_their_modules() {
    let mut wrong = BTreeSet::new();
    for module in ORDER {
        for (path, code) in sources(module) {
            for (name, homes) in CONFINED {
                if !homes.contains(&module) && (names(&code, &format!("{name}::")) || names(&code, &format!("use {name};"))) {
                    wrong.insert(format!("{} uses {name}", path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// What a feature brings in is named only where the feature is on: the core builds alone.
#[test]
fn features_are_confined_too() {
    let library = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    assert!(
        library.contains("#[cfg(feature = \"cluster\")]\npub mod cluster;"),
        "the cluster adapter is there with its feature only"
    );
    assert!(!sources("cluster").is_empty() && !sources("capture").is_empty(), "the adapters were found");
    let mut users = BTreeSet::new();
    for (path, code) in sources("capture") {
        // `pcap` alone is also the module that reads files of that format.
        if names(&code, "::pcap::") && !names(&code, "super::pcap::") && !names(&code, "crate::capture::pcap::") {
            assert!(!names(&code, "kube::") && !names(&code, "tokio::"), "{}", path.display());
            users.insert(path.file_name().unwrap().to_str().unwrap().to_owned());
        }
    }
    let expected = ["error.rs", "interface.rs", "live.rs", "tap.rs"].map(str::to_owned);
    assert_eq!(users, BTreeSet::from(expected), "libpcap is called in few places");
    let gate = "#[cfg(feature = \"live\")]\n";
    let capture = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/capture/mod.rs")).unwrap();
    for module in ["capabilities", "interface", "live", "tap"] {
        assert!(capture.contains(&format!("{gate}mod {module};")), "{module} is there with its feature only");
    }
}

#[test]
fn nothing_prints_or_asks_the_clock_below_the_command_line() {
    let mut wrong = BTreeSet::new();
    for module in ORDER.iter().filter(|module| !["cli", "capture", "cluster"].contains(module)) {
        for (path, code) in sources(module) {
            for forbidden in
                ["println!", "eprintln!", "print!", "SystemTime", "Instant::now", "std::env", "Timestamp::now", "Zoned::now"]
            {
                if names(&code, forbidden) {
                    wrong.insert(format!("{}: {forbidden}", path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn one_module_is_unsafe() {
    let mut users = BTreeSet::new();
    for module in ORDER {
        let code = sources(module).into_iter();
        users.extend(code.filter(|(_, code)| names(code, "unsafe")).map(|(path, _)| path.file_name().unwrap().to_owned()));
    }
    assert_eq!(users, BTreeSet::from(["memory.rs".into()]));
}

#[test]
fn files_have_one_subject() {
    for module in ORDER {
        for (path, code) in sources(module) {
            let lines = code.lines().count();
            assert!(lines <= 600, "{} has {lines} lines: split it", path.display());
        }
    }
}
