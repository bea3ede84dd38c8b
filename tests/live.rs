//! What a live capture says before it captures; the rest needs rights, and network namespaces of its own: see `make e2e`.
#![cfg(feature = "live")]

use std::process::Command;

#[test]
fn what_cannot_be_captured_is_said_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("x.flows.zst");
    let rows: &[(&str, &[&str], &str)] = &[
        ("an interface that is not there", &["--interface", "no-such-0"], "find the interface no-such-0"),
        ("a pattern that none matches", &["--interface", "no-such-*"], "find the interface no-such-*"),
        ("a pattern that is none", &["--interface", "no-such-["], "read the pattern no-such-["),
        ("a number without a unit", &["--duration", "5"], "`5` has no unit"),
        ("capturing and converting", &["--duration", "5s", "--read", "x.pcap"], "cannot be used with"),
        ("no time at all", &["--duration", "0s"], "is not more than zero"),
    ];
    for (what, arguments, message) in rows {
        let mut command = Command::new(env!("CARGO_BIN_EXE_netpol-gen"));
        let result = command.arg("capture").args(*arguments).arg("--output").arg(&output).output().unwrap();
        let told = String::from_utf8(result.stderr).unwrap();
        assert_eq!(result.status.code(), Some(2), "{what}: {told}");
        assert!(told.contains(message), "{what}: {told}");
        assert!(told.contains("hint: ") || told.contains("--help") || told.contains("write a number"), "{what}: {told}");
        assert!(!output.exists(), "{what}: a file was made");
    }
}

#[test]
fn there_is_nothing_to_resume_where_nothing_was_killed() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_netpol-gen"));
    command.current_dir(folder.path()).args(["learn", "--resume", "--offline", "--duration", "1s"]);
    let result = command.output().unwrap();
    let told = String::from_utf8(result.stderr).unwrap();
    assert_eq!(result.status.code(), Some(2), "{told}");
    assert!(told.contains("policies.record") && told.contains("hint: "), "{told}");
    assert!(!folder.path().join("policies").exists());
}
