//! What people know from other tools of the command line: options, environment, colors, completions, and errors that help.

#![expect(clippy::unwrap_used, reason = "in tests a failed unwrap is the failure to report")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

fn captured(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("captures").join(name).display().to_string()
}

/// A directory with policies of the shop, and what reads them.
struct Place {
    folder: TempDir,
    capture: String,
    inventory: String,
}

impl Place {
    fn new() -> Self {
        let (capture, inventory) = (captured("shop-namespaces.pcap"), captured("shop-namespaces.yaml"));
        let place = Self { folder: tempfile::tempdir().unwrap(), capture, inventory };
        let (code, _, stderr) = place.run(&["learn", "-r", &place.capture, "-i", &place.inventory]);
        assert_eq!(code, Some(0), "{stderr}");
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_netpol-gen"));
        command.current_dir(self.folder.path()).args(arguments).env_remove("NO_COLOR");
        command
    }

    fn run(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        ended(self.command(arguments))
    }
}

fn ended(mut command: Command) -> (Option<i32>, String, String) {
    let output = command.output().unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn mistyped_paths_are_told_before_a_cluster_is_asked() {
    let place = Place::new();
    let rows: &[(&[&str], &str)] = &[
        (&["diff", "nope", "nope2"], "failed to read policies from nope: No such file"),
        (&["diff", "policies", "nope2"], "failed to read policies from nope2: No such file"),
        (&["verify", "-f", "nope", "--read", &place.capture], "failed to read policies from nope: No such file"),
        (&["verify", "-f", "policies", "--read", "nope.pcap"], "nope.pcap"),
        (&["explain", "-f", "nope", "--from", "a/b", "--to", "a/c", "--port", "1"], "failed to read policies from nope: "),
        (&["plan", "-f", "nope"], "failed to read policies from nope: "),
        (&["learn", "--read", "nope.pcap"], "nope.pcap"),
    ];
    for (arguments, expected) in rows {
        let mut command = place.command(arguments);
        command.env("KUBECONFIG", "no-such-config");
        let (code, stdout, stderr) = ended(command);
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{arguments:?}: {stderr}");
        assert!(stderr.contains(expected) && stderr.contains("\nhint: "), "{arguments:?}: {stderr}");
        assert!(!stderr.contains("kubeconfig"), "{arguments:?}: {stderr}");
    }
}

#[test]
fn a_namespace_that_is_not_there_suggests_the_nearest() {
    let place = Place::new();
    let (read, known) = (["-r", place.capture.as_str()], ["-i", place.inventory.as_str()]);
    let rows: &[(&str, Vec<&str>, &str)] = &[
        ("learn", [&["learn", "-n", "prdo", "-o", "other"], read.as_slice(), &known].concat(), "did you mean `prod`?"),
        ("verify", [&["verify", "-f", "policies", "-n", "stagin"], read.as_slice(), &known].concat(), "did you mean `staging`?"),
        ("plan", [&["plan", "-f", "policies", "-n", "prod2"], known.as_slice()].concat(), "did you mean `prod`?"),
        (
            "unlike any",
            [&["plan", "-f", "policies", "-n", "zzz"], known.as_slice()].concat(),
            "pods in dev, kube-system, prod, staging",
        ),
        (
            "explain",
            [&["explain", "-f", "policies", "--from", "prdo/web", "--to", "prod/db", "--port", "1"], known.as_slice()].concat(),
            "did you mean prod/Deployment/web?",
        ),
    ];
    for (message, arguments, expected) in rows {
        let (code, _, stderr) = place.run(arguments);
        assert_eq!(code, Some(2), "{message}: {stderr}");
        assert!(stderr.contains("\nhint: ") && stderr.contains(expected), "{message}: {stderr}");
    }
}

#[test]
fn verify_without_any_policy_is_no_success() {
    let place = Place::new();
    let (code, stdout, stderr) = place.run(&["verify", "-f", "cluster", "-r", &place.capture, "-i", &place.inventory]);
    assert_eq!((code, stdout.as_str()), (Some(2), ""), "{stderr}");
    assert!(stderr.contains("failed to find a NetworkPolicy in the inventory\nhint: "), "{stderr}");
    assert_eq!(stderr.matches("none").count(), 1, "said once: {stderr}");
}

#[test]
fn an_output_format_for_a_path_is_an_error_that_says_so() {
    let place = Place::new();
    let (read, known) = (["-r", place.capture.as_str()], ["-i", place.inventory.as_str()]);
    for word in ["json", "yaml", "wide", "jsonpath={.items}"] {
        let rows: &[(&str, Vec<&str>, &str)] = &[
            ("learn", [&["learn", "-o", word], read.as_slice(), &known].concat(), "`--output -` prints one YAML stream"),
            ("plan", [&["plan", "-f", "policies", "-o", word], known.as_slice()].concat(), "`--format json` prints the plan"),
            ("capture", [&["capture", "-o", word], read.as_slice()].concat(), "always holds JSON Lines"),
            #[cfg(feature = "cluster")]
            ("inventory", vec!["inventory", "-o", word], "always holds JSON"),
        ];
        for (message, arguments, expected) in rows {
            let (code, _, stderr) = place.run(arguments);
            assert_eq!(code, Some(2), "{message} -o {word}: {stderr}");
            assert!(stderr.contains(expected) && stderr.contains(&format!("./{word}")), "{message} -o {word}: {stderr}");
            assert!(!place.path(word).exists(), "{message} -o {word}");
        }
    }
    let (code, _, stderr) = place.run(&[&["learn", "-o", "./yaml"], read.as_slice(), &known].concat());
    assert_eq!((code, place.path("yaml/REVIEW.md").exists()), (Some(0), true), "{stderr}");
    // Commands that write no file take the format there, as kubectl does.
    for arguments in [
        vec!["findings", "-o", "json"],
        [&["verify", "-f", "policies", "-o", "json"], read.as_slice(), &known].concat(),
        [&["diff", "policies", "policies", "-o", "json"], known.as_slice()].concat(),
    ] {
        let (code, stdout, stderr) = place.run(&arguments);
        assert_eq!(code, Some(0), "{arguments:?}: {stderr}");
        serde_json::from_str::<serde_json::Value>(&stdout).unwrap();
    }
}

#[test]
fn options_can_be_set_by_the_environment_and_the_command_line_wins() {
    let place = Place::new();
    let learn = |arguments: &[&str], variables: &[(&str, &str)]| {
        let mut command = place.command(&[&["learn"], arguments].concat());
        command.envs(variables.iter().copied());
        ended(command)
    };
    let given = [
        ("NETPOL_GEN_READ", place.capture.as_str()),
        ("NETPOL_GEN_INVENTORY", place.inventory.as_str()),
        ("NETPOL_GEN_NAMESPACE", "prod,dev"),
        ("NETPOL_GEN_PUBLIC", "exact"),
        ("NETPOL_GEN_CANDIDATES", "1"),
    ];
    let (code, _, stderr) = learn(&["--output", "by-environment"], &given);
    assert_eq!(code, Some(0), "{stderr}");
    let there = |name: &str| place.path("by-environment").join(name).exists();
    assert!(there("prod") && there("dev") && !there("staging"));
    assert!(there("dev/_candidates.yaml") && !there("prod/allow-internet-to-web.yaml"));
    let (code, _, stderr) = learn(&["--output", "typed", "-n", "staging", "--public", "any"], &given);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(place.path("typed/staging").exists() && !place.path("typed/prod").exists());
    // Whoever has forgotten a variable is told.
    let (code, _, stderr) = learn(&[], &[("NETPOL_GEN_PUBLIC", "everybody"), ("NETPOL_GEN_DNS", "seen")]);
    assert_eq!(code, Some(2));
    assert!(stderr.contains("set options, too: NETPOL_GEN_DNS, NETPOL_GEN_PUBLIC"), "{stderr}");
}

#[test]
fn less_more_and_colors_as_asked_for() {
    let place = Place::new();
    let learn = |more: &[&str], variables: &[(&str, &str)]| {
        let arguments = [&["learn", "-r", &place.capture, "-i", &place.inventory], more].concat();
        let mut command = place.command(&arguments);
        command.envs(variables.iter().copied());
        let (code, stdout, stderr) = ended(command);
        assert_eq!((code, stdout.as_str()), (Some(0), ""), "{more:?}: {stderr}");
        stderr
    };
    assert_eq!(learn(&["-q"], &[]), "", "there is nothing serious");
    let (plain, verbose) = (learn(&[], &[]), learn(&["-v"], &[]));
    assert!(!plain.contains("  why: ") && plain.contains("note: start-not-seen ("), "{plain}");
    assert!(verbose.contains("  why: ") && verbose.contains("note: start-not-seen\n"), "{verbose}");
    let escape = '\u{1b}';
    assert!(!plain.contains(escape), "standard error is no terminal");
    assert!(learn(&["--color", "always"], &[]).contains(escape));
    assert!(learn(&["--color", "always"], &[("NO_COLOR", "1")]).contains(escape), "who asks gets it");
    assert!(!learn(&["--color", "never"], &[]).contains(escape));
    assert!(learn(&[], &[("NETPOL_GEN_COLOR", "always")]).contains(escape));
    let (_, help, _) = place.run(&["learn", "--help", "--color", "always"]);
    assert!(help.contains(escape));
    let (_, help, _) = place.run(&["learn", "--help"]);
    assert!(!help.contains(escape));
    let (_, _, error) = place.run(&["diff", "nope", "nope", "--color", "always"]);
    assert!(error.starts_with(escape) && error.contains("hint"), "{error}");
    let (_, _, error) = place.run(&["diff", "nope", "nope"]);
    assert!(error.starts_with("error: failed to "), "{error}");
}

#[test]
fn decisions_beside_the_policies_are_found_and_named() {
    let place = Place::new();
    let decisions = "version: 1\nignore:\n- code: start-not-seen\n  subject: \"*\"\n  reason: known\n";
    fs::create_dir(place.path("deploy")).unwrap();
    fs::write(place.path("deploy/netpol-gen.yaml"), decisions).unwrap();
    let learn = |more: &[&str]| {
        let arguments = [&["learn", "-r", &place.capture, "-i", &place.inventory, "-o", "deploy/policies"], more].concat();
        let (code, _, stderr) = place.run(&arguments);
        assert_eq!(code, Some(0), "{stderr}");
        stderr
    };
    let told = learn(&[]);
    assert!(told.contains("decisions: applying deploy/netpol-gen.yaml; ") && !told.contains("note: start-not-seen"), "{told}");
    let told = learn(&["--no-decisions"]);
    assert!(!told.contains("netpol-gen.yaml") && told.contains("note: start-not-seen"), "{told}");
    let verify = ["verify", "-f", "deploy/policies", "-r", &place.capture, "-i", &place.inventory];
    let (_, _, told) = place.run(&verify);
    assert!(told.contains("decisions: applying deploy/netpol-gen.yaml; "), "{told}");
    // Of two files the one beside the policies counts, and the other one is named.
    fs::write(place.path("netpol-gen.yaml"), "version: 1\n").unwrap();
    let told = learn(&[]);
    assert!(told.contains("applying deploy/netpol-gen.yaml; not used: netpol-gen.yaml; "), "{told}");
    // One file under two names is one.
    let (_, _, told) = place.run(&["plan", "-f", "./policies", "-i", &place.inventory]);
    assert!(told.contains("applying ./netpol-gen.yaml; --no-decisions ignores them\n"), "{told}");
}

#[test]
fn completions_and_man_pages_know_every_command() {
    let place = Place::new();
    let commands = ["learn", "capture", "verify", "explain", "diff", "plan", "findings", "completions"];
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let (code, script, _) = place.run(&["completions", shell]);
        assert_eq!(code, Some(0), "{shell}");
        for word in commands.iter().chain(&["deny-excess", "quarantine"]) {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
    let (code, _, stderr) = place.run(&["man", "pages/man1"]);
    assert_eq!(code, Some(0), "{stderr}");
    for command in commands {
        let page = fs::read_to_string(place.path("pages/man1").join(format!("netpol-gen-{command}.1"))).unwrap();
        assert!(page.contains("Examples:") && page.contains(".SH OPTIONS"), "{command}: {page}");
    }
    assert!(place.path("pages/man1/netpol-gen.1").exists());
    assert!(!place.path("pages/man1/netpol-gen-feed.1").exists() && !place.path("pages/man1/netpol-gen-man.1").exists());
}

#[cfg(feature = "live")]
#[test]
fn a_machine_that_is_no_node_is_not_captured_on() {
    let place = Place::new();
    let (code, stdout, stderr) = place.run(&["learn", "-i", &place.inventory, "-o", "live", "-d", "1s"]);
    assert_eq!((code, stdout.as_str()), (Some(2), ""), "{stderr}");
    assert!(stderr.contains(" is not one of its nodes (") && stderr.contains("--interface any"), "{stderr}");
    assert!(!place.path("live").exists() && !place.path("live.record").exists(), "nothing is left behind");
}
