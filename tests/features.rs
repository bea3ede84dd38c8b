//! What a build without a feature lacks is not there, in name neither: no sub-command that only says it cannot.
#![expect(clippy::unwrap_used, reason = "in tests a failed unwrap is the failure to report")]

use std::process::{Command, Output};

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_netpol-gen")).args(arguments).output().unwrap()
}

#[test]
fn a_sub_command_is_there_with_its_feature_only() {
    let help = String::from_utf8(run(&["--help"]).stdout).unwrap();
    let rows = [
        ("learn", true),
        ("capture", true),
        ("findings", true),
        ("interfaces", cfg!(feature = "live")),
        ("inventory", cfg!(feature = "cluster")),
    ];
    for (name, expected) in rows {
        let listed = help.lines().any(|line| line.trim_start().split(' ').next() == Some(name));
        assert_eq!(listed, expected, "{name} in\n{help}");
        let code = run(&[name, "--help"]).status.code();
        assert_eq!(code, Some(if expected { 0 } else { 2 }), "{name} --help");
    }
}
