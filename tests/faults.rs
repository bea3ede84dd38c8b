//! Faults while policies are written: the process is killed, two runs write at once, the disk is full. Nothing is lost, and nothing half
//! done is taken for whole.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "in tests a failed unwrap is the failure to report")]

#[path = "support/mod.rs"]
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// So many runs are killed.
const KILLS: u32 = 200;
/// Of the workspace that is there while a run writes.
const WORKSPACE: &str = ".netpol-gen";

/// The demo, or the demo with traffic of another namespace, into a directory.
fn learn(which: Which, output: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_netpol-gen"));
    let (capture, inventory) = match which {
        Which::Small => ("captures/shop.pcap", "captures/shop.yaml"),
        Which::Large => ("captures/shop-namespaces.pcap", "captures/shop-namespaces.yaml"),
    };
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args([
        "learn",
        "--read",
        capture,
        "--inventory",
        inventory,
        "--no-decisions",
        // So what is written does not depend on what was there.
        "--refresh-evidence",
    ]);
    command.arg("--output").arg(output).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Which {
    Small,
    Large,
}

/// All that a run may have written, but for its workspace.
fn files(directory: &Path) -> BTreeMap<String, String> {
    support::files::below(directory, WORKSPACE)
}

/// The files by which two directories differ.
fn differing<'a>(one: &'a BTreeMap<String, String>, other: &'a BTreeMap<String, String>) -> Vec<&'a String> {
    let names: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    names.into_iter().filter(|name| one.get(*name) != other.get(*name)).collect()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What each input leaves in an empty directory.
fn expected(which: Which) -> BTreeMap<String, String> {
    let directory = tempfile::tempdir().unwrap();
    let output = learn(which, directory.path()).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    files(directory.path())
}

#[test]
fn a_run_killed_at_any_moment_of_writing_loses_nothing_and_is_recovered() {
    let after = [expected(Which::Small), expected(Which::Large)];
    assert_ne!(after[0].keys().collect::<Vec<_>>(), after[1].keys().collect::<Vec<_>>(), "files come and go between the two");
    let directory = tempfile::tempdir().unwrap();
    let output = directory.path().join("policies");
    let own = output.join("mine.txt");
    assert!(learn(Which::Small, &output).status().unwrap().success());
    fs::write(&own, "nobody's").unwrap();
    let with_own = |files: &BTreeMap<String, String>| {
        let mut files = files.clone();
        files.insert("mine.txt".into(), "nobody's".into());
        files
    };
    let states = after.each_ref().map(with_own);
    let workspace = output.join(WORKSPACE);
    let journal = workspace.join("journal.json");
    let (mut journals, mut prepared) = (0, 0);
    for kill in 0..KILLS {
        let which = [Which::Large, Which::Small][usize::from(kill % 2 == 1)];
        let mut running = learn(which, &output).spawn().unwrap();
        // Preparing takes some milliseconds and renaming a few; every run dies at another moment of one of them.
        let (begin_of_part, microseconds) = [(&workspace, 30_000), (&journal, 4000)][usize::from(kill / 2 % 2 == 1)];
        let begin = Instant::now();
        while !begin_of_part.exists() && running.try_wait().unwrap().is_none() && begin.elapsed() < Duration::from_mins(1) {
            thread::yield_now();
        }
        let end = begin.elapsed() + Duration::from_micros(u64::from(kill.wrapping_mul(2_654_435_761) % microseconds));
        while begin.elapsed() < end {
            thread::yield_now();
        }
        let _ = running.kill();
        running.wait().unwrap();
        journals += u32::from(journal.exists());
        prepared += u32::from(workspace.exists() && !journal.exists());
        let left = files(&output);
        if !journal.exists() {
            assert!(states.contains(&left), "kill {kill}: without a journal the directory is as before or as after the run");
        }
        for (name, text) in &left {
            let is_whole = states.iter().any(|state| state.get(name) == Some(text));
            assert!(is_whole, "kill {kill}: {name} is neither the old nor the new file");
        }
        // Every next run begins by undoing what this one began. Some of them come to their end.
        if kill % 4 == 3 {
            let then = usize::from(kill % 8 == 3);
            let recovered = learn([Which::Small, Which::Large][then], &output).output().unwrap();
            assert!(recovered.status.success(), "kill {kill}: {}", said(&recovered));
            let found = files(&output);
            let differing = differing(&found, &states[then]);
            assert!(differing.is_empty(), "kill {kill}: the next run leaves what it always leaves, but for {differing:?}");
            assert!(!workspace.exists(), "kill {kill}: the workspace is gone");
        }
    }
    assert!(prepared > KILLS / 20, "{prepared} runs were killed before their journal");
    assert!(journals > KILLS / 20, "{journals} runs were killed with their journal there");
}

#[test]
fn of_two_runs_at_once_each_writes_all_or_says_that_the_other_is_at_work() {
    let states = [expected(Which::Small), expected(Which::Large)];
    let directory = tempfile::tempdir().unwrap();
    let output = directory.path().join("policies");
    let (mut both, mut refused) = (0, 0);
    for round in 0..30 {
        let started = [Which::Small, Which::Large].map(|which| learn(which, &output).spawn().unwrap());
        let ended = started.map(|run| run.wait_with_output().unwrap());
        let done = ended.iter().filter(|output| output.status.success()).count();
        assert!(done >= 1, "round {round}: {} {}", said(&ended[0]), said(&ended[1]));
        for output in ended.iter().filter(|output| !output.status.success()) {
            assert_eq!(output.status.code(), Some(2), "round {round}: {}", said(output));
            assert!(said(output).contains("hint: "), "round {round}: {}", said(output));
        }
        both += u32::from(done == 2);
        refused += u32::from(done == 1);
        assert!(states.contains(&files(&output)), "round {round}: what is there is the work of one of them");
        assert!(!output.join(WORKSPACE).exists(), "round {round}");
    }
    assert!(both + refused == 30);
}

/// Runs with a limit to the size of every file that it writes.
fn with_largest_file(command: &Command, blocks: u32) -> Output {
    // To set a limit before another program begins is unsafe code in Rust; a shell has its own way.
    let arguments: Vec<_> = command.get_args().map(std::ffi::OsStr::to_owned).collect();
    let mut shell = Command::new("sh");
    shell.current_dir(env!("CARGO_MANIFEST_DIR"));
    shell.args(["-c", &format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_netpol-gen")]);
    shell.args(arguments).stdout(Stdio::null()).stderr(Stdio::piped());
    shell.output().unwrap()
}

#[test]
fn a_disk_that_takes_no_more_leaves_everything_as_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let output = directory.path().join("policies");
    assert!(learn(Which::Small, &output).status().unwrap().success());
    let before = files(&output);
    let full = with_largest_file(&learn(Which::Large, &output), 1);
    assert_eq!(full.status.code(), Some(2), "{}", said(&full));
    assert!(said(&full).contains("failed to write"), "{}", said(&full));
    assert!(differing(&files(&output), &before).is_empty(), "all is as before");
    assert!(!output.join(WORKSPACE).exists(), "nothing is left over");
    assert!(learn(Which::Large, &output).status().unwrap().success(), "with room again it goes on");
    assert!(differing(&files(&output), &expected(Which::Large)).is_empty(), "the rest is as if nothing had happened");
}

#[cfg(target_os = "linux")]
#[test]
fn standard_output_that_takes_nothing_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    for words in [&["--output", "-"][..], &["--format", "json", "--output", "policies"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_netpol-gen"));
        let path = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("captures").join(name);
        command.current_dir(directory.path()).args(["learn", "--no-decisions", "--read"]).arg(path("shop.pcap"));
        command.arg("--inventory").arg(path("shop.yaml")).args(words);
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let output = command.stdout(full).stderr(Stdio::piped()).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{words:?}: {}", said(&output));
        assert!(said(&output).contains("error: failed to "), "{words:?}: {}", said(&output));
    }
}
