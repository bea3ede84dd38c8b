//! The README shows what the program really prints.

#![expect(clippy::unwrap_used, reason = "in tests a failed unwrap is the failure to report")]

use std::fs;
use std::path::Path;
use std::process::Command;

/// The text between a line that begins a block and the line that ends it.
fn block<'a>(readme: &'a str, opening: &str) -> &'a str {
    let start = readme.find(opening).unwrap_or_else(|| panic!("no {opening:?} in the README")) + opening.len();
    let end = readme[start..].find("```").unwrap();
    &readme[start..start + end]
}

#[test]
fn the_output_and_the_policy_shown_are_real() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let output = tempfile::tempdir().unwrap();
    let console = block(&readme, "```console\n$ netpol-gen ");
    let (line, shown) = console.split_once('\n').unwrap();
    let arguments = line.split(' ').map(|word| if word == "policies" { output.path().to_str().unwrap() } else { word });
    let result = Command::new(env!("CARGO_BIN_EXE_netpol-gen")).current_dir(root).args(arguments).output().unwrap();
    assert_eq!(String::from_utf8(result.stderr).unwrap(), shown);
    let policy = fs::read_to_string(output.path().join("default/allow-ingress-to-frontend-nginx.yaml")).unwrap();
    assert_eq!(policy, block(&readme, "```yaml\n"));
}

/// The commands of the console blocks, with what they print.
fn commands(section: &str) -> Vec<(&str, String)> {
    let mut commands: Vec<(&str, String)> = Vec::new();
    for block in section.split("```console\n").skip(1) {
        for line in block[..block.find("```").unwrap()].lines() {
            match (line.strip_prefix("$ netpol-gen "), commands.last_mut()) {
                (Some(command), _) => commands.push((command, String::new())),
                (None, Some((_, shown))) => {
                    shown.push_str(line);
                    shown.push('\n');
                }
                (None, None) => panic!("{line}: printed by no command"),
            }
        }
    }
    commands
}

#[test]
fn the_worked_example_is_real() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let start = readme.find("## From the first capture to the plan\n").unwrap();
    let section = &readme[start..start + readme[start..].find("\n## What becomes a rule\n").unwrap()];
    // Places are told as they were typed.
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("captures")).unwrap();
    for name in ["shop-namespaces.pcap", "shop-namespaces.yaml", "shop-staging-reads-db.pcap", "shop-staging-reads-db.yaml"] {
        fs::copy(root.join("captures").join(name), folder.path().join("captures").join(name)).unwrap();
    }
    let mut order = Vec::new();
    let mut plan = String::new();
    for (command, shown) in commands(section) {
        let words: Vec<&str> = command.split(' ').collect();
        let result = Command::new(env!("CARGO_BIN_EXE_netpol-gen")).current_dir(folder.path()).args(&words).output().unwrap();
        let (stdout, stderr) = (String::from_utf8(result.stdout).unwrap(), String::from_utf8(result.stderr).unwrap());
        order.push((words[0], result.status.code()));
        match words[0] {
            "learn" => assert_eq!(stderr, shown, "{command}"),
            "plan" => {
                assert!(stdout.contains(&shown), "{command}: {stdout}");
                plan = stdout;
            }
            _ => assert_eq!(stdout, shown, "{command}: {stderr}"),
        }
    }
    let says_no = Some(1);
    let expected =
        [("learn", Some(0)), ("verify", says_no), ("explain", says_no), ("learn", Some(0)), ("diff", says_no), ("plan", says_no)];
    assert_eq!(order, expected);
    let step = block(section, "```markdown\n");
    assert!(step.starts_with("#### dev, ingress deny\n") && plan.contains(step), "{plan}");
}

#[test]
fn the_decisions_shown_are_obeyed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (file, output) = (folder.path().join("netpol-gen.yaml"), folder.path().join("policies"));
    fs::write(&file, format!("version: 1\n{}", block(&readme, "```yaml\nversion: 1\n"))).unwrap();
    let capture = ["--read", "captures/shop-backup-out.pcap", "--inventory", "captures/shop-backup-out.yaml"];
    let mut command = Command::new(env!("CARGO_BIN_EXE_netpol-gen"));
    command.current_dir(root).arg("learn").args(capture).arg("--decisions").arg(&file).arg("--output").arg(&output);
    let result = command.output().unwrap();
    let stderr = String::from_utf8(result.stderr).unwrap();
    assert!(stderr.contains("netpol-gen.yaml: 5 obeyed (1 accept, 1 reject, 1 widen, 1 rename, 1 ignore)\n"), "{stderr}");
    assert!(output.join("prod/allow-db-to-backup.yaml").exists());
}

#[test]
fn the_commands_it_names_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let makefile = fs::read_to_string(root.join("Makefile")).unwrap();
    let targets: Vec<&str> = readme
        .split("make ")
        .skip(1)
        .filter_map(|text| text.split(|letter: char| !letter.is_ascii_lowercase() && !letter.is_ascii_digit()).next())
        .filter(|word| ["demo", "test", "captures", "independent", "conformance", "fuzz", "e2e"].contains(word))
        .collect();
    assert!(targets.len() >= 7, "{targets:?}");
    for target in targets {
        assert!(makefile.contains(&format!("\n{target}: ")), "make {target}");
    }
}
