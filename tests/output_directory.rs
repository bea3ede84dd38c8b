//! An output directory in a state that no run left on purpose: half written, or with pipes, sockets and devices in place of files.
//! Nothing is read as if it were whole, and nothing hangs.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "in tests a failed unwrap is the failure to report")]

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How long a command may take that has nothing to wait for.
const PATIENCE: Duration = Duration::from_mins(1);

const CAPTURE: [&str; 4] = ["--read", "captures/shop.pcap", "--inventory", "captures/shop.yaml"];

/// Exit code and standard error of a command, which ends by itself.
fn run(arguments: &[&str]) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().unwrap();
    let stderr = folder.path().join("stderr");
    let mut command = Command::new(env!("CARGO_BIN_EXE_netpol-gen"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments).stdin(Stdio::null()).stdout(Stdio::null());
    let mut child = command.stderr(fs::File::create(&stderr).unwrap()).spawn().unwrap();
    let begin = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if begin.elapsed() > PATIENCE {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("{arguments:?} does not end");
        }
        thread::sleep(Duration::from_millis(10));
    };
    (status.code(), fs::read_to_string(stderr).unwrap())
}

/// A directory of policies that `learn` has written.
fn learned() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let policies = folder.path().join("policies");
    let (code, told) = run(&[&["learn", "--output", policies.to_str().unwrap()], CAPTURE.as_slice()].concat());
    assert_eq!(code, Some(0), "{told}");
    (folder, policies)
}

fn tree(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut pending = vec![directory.to_owned()];
    while let Some(inner) = pending.pop() {
        for entry in fs::read_dir(inner).unwrap() {
            let path = entry.unwrap().path();
            if path.symlink_metadata().unwrap().is_dir() {
                pending.push(path);
            } else if path.symlink_metadata().unwrap().is_file() {
                found.push((path.clone(), fs::read(path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

/// Makes something at a path that is no file.
type Put = fn(&Path);

const PIPE: Put = |path| assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
const SOCKET: Put = |path| drop(UnixListener::bind(path).unwrap());
const DEVICE: Put = |path| symlink("/dev/zero", path).unwrap();

/// Every command that reads policies, for policies in this place.
fn readers(policies: &str) -> [(&'static str, Vec<String>); 4] {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let inventory = ["--inventory", "captures/shop.yaml"];
    [
        ("verify", words(&[&["verify", "--policies", policies], CAPTURE.as_slice()].concat())),
        (
            "explain",
            words(
                &[
                    &["explain", "--policies", policies, "--from", "prod/web", "--to", "prod/db", "--port", "5432"],
                    inventory.as_slice(),
                ]
                .concat(),
            ),
        ),
        ("diff", words(&[&["diff", policies, policies], inventory.as_slice()].concat())),
        ("plan", words(&[&["plan", "--policies", policies], inventory.as_slice()].concat())),
    ]
}

fn refused(command: &str, arguments: &[String], what: &str, message: &str) {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (code, told) = run(&arguments);
    assert_eq!(code, Some(2), "{command}, {what}: {told}");
    assert!(told.contains(message) && told.contains("hint: "), "{command}, {what}: {told}");
}

#[test]
fn what_a_run_left_half_written_is_not_read() {
    let (folder, policies) = learned();
    let workspace = policies.join(".netpol-gen");
    fs::create_dir(&workspace).unwrap();
    // Prepared and not begun: all files are as they were.
    for (command, arguments) in readers(policies.to_str().unwrap()) {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let (code, told) = run(&arguments);
        assert!(matches!(code, Some(0 | 1)), "{command}: {told}");
    }
    let journal = workspace.join("journal.json");
    let message = "a run is writing there, or ended before it was done";
    let rows: [(&str, Put); 3] = [("a journal", |path| fs::write(path, "[]").unwrap()), ("a pipe", PIPE), ("a socket", SOCKET)];
    for (what, put) in rows {
        put(&journal);
        let namespace = policies.join("prod");
        for place in [policies.as_path(), folder.path(), namespace.as_path()] {
            for (command, arguments) in readers(place.to_str().unwrap()) {
                refused(command, &arguments, &format!("{what}, {}", place.display()), message);
            }
        }
        let file = fs::read_dir(&namespace).unwrap().map(|entry| entry.unwrap().path());
        let file = file.filter(|path| path.is_file() && !path.ends_with("kustomization.yaml")).min().unwrap();
        let (command, arguments) = &readers(file.to_str().unwrap())[0];
        refused(command, arguments, what, message);
        fs::remove_file(&journal).unwrap();
    }
}

#[test]
fn what_is_no_file_is_no_policy() {
    for (what, put) in [("a pipe", PIPE), ("a socket", SOCKET), ("a device", DEVICE)] {
        for name in ["kustomization.yaml", "allow-more.yaml", "_quarantine/more.yaml"] {
            let (_folder, policies) = learned();
            let path = policies.join("prod").join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let _ = fs::remove_file(&path);
            put(&path);
            for (command, arguments) in readers(policies.to_str().unwrap()) {
                // What is in quarantine counts for no command but explain, which answers for both.
                if name.starts_with("_quarantine") {
                    run(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
                } else {
                    refused(command, &arguments, &format!("{what} as {name}"), "it is no ordinary file");
                }
            }
            let (command, arguments) = &readers(path.to_str().unwrap())[0];
            refused(command, arguments, &format!("{what} as {name}"), "it is no ordinary file");
        }
    }
}

#[test]
fn learn_writes_over_nothing_that_is_no_file() {
    for (what, put) in [("a pipe", PIPE), ("a socket", SOCKET), ("a device", DEVICE)] {
        let names = [
            "kustomization.yaml",
            "REVIEW.md",
            "REVIEW.json",
            "prod",
            "prod/kustomization.yaml",
            ".netpol-gen",
            ".netpol-gen/journal.json",
        ];
        for name in names {
            let (_folder, policies) = learned();
            let path = policies.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let _ = fs::remove_file(&path).or_else(|_| fs::remove_dir_all(&path));
            put(&path);
            let before = tree(&policies);
            let output = policies.to_str().unwrap();
            for force in [[].as_slice(), &["--force", "--refresh-evidence"]] {
                let (code, told) = run(&[&["learn", "--output", output], CAPTURE.as_slice(), force].concat());
                assert_eq!(code, Some(2), "{what} as {name}: {told}");
                let is_named = told.contains(path.to_str().unwrap()) && told.contains("hint: ");
                assert!(is_named, "{what} as {name}: {told}");
                assert_eq!(tree(&policies), before, "{what} as {name}: {told}");
            }
        }
    }
}

#[test]
fn what_a_directory_of_captures_holds_besides_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let (captures, output) = (folder.path().join("captures"), folder.path().join("policies"));
    fs::create_dir(&captures).unwrap();
    fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("captures/shop.pcap"), captures.join("shop.pcap")).unwrap();
    PIPE(&captures.join("pipe.pcap"));
    SOCKET(&captures.join("socket"));
    DEVICE(&captures.join("device.pcap"));
    symlink("nowhere", captures.join("gone.pcap")).unwrap();
    symlink(".", captures.join("round")).unwrap();
    let (captures, output) = (captures.to_str().unwrap(), output.to_str().unwrap());
    let arguments = ["learn", "--read", captures, "--inventory", "captures/shop.yaml", "--output", output];
    let (code, told) = run(&arguments);
    assert_eq!(code, Some(0), "{told}");
    let review = fs::read_to_string(Path::new(output).join("REVIEW.json")).unwrap();
    let review: serde_json::Value = serde_json::from_str(&review).unwrap();
    let findings = review["findings"].as_array().unwrap();
    for (name, reason) in [
        ("pipe.pcap", "not opened"),
        ("socket", "not opened"),
        ("device.pcap", "not opened"),
        ("gone.pcap", "leads to no file"),
        ("round", "not followed"),
    ] {
        let is_it = |finding: &&serde_json::Value| {
            finding["code"] == "file-passed-over" && finding["subject"].as_str().unwrap().ends_with(&format!("/{name}"))
        };
        let finding = findings.iter().find(is_it).unwrap_or_else(|| panic!("{name} is not said: {review:#}"));
        assert!(finding["message"].as_str().unwrap().contains(reason), "{finding}");
    }
}
