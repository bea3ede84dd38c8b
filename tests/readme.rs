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

#[test]
fn the_checks_shown_are_real() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let result = Command::new(env!("CARGO_BIN_EXE_netpol-gen")).current_dir(root).args(arguments).output().unwrap();
        String::from_utf8(result.stdout).unwrap()
    };
    let place = |word: &str| folder.path().join(word).to_str().unwrap().to_owned();
    for (name, output) in [("shop-namespaces", "policies"), ("shop-staging-reads-db", "new-policies")] {
        let (capture, inventory) = (format!("captures/{name}.pcap"), format!("captures/{name}.yaml"));
        run(&["learn", "--read", &capture, "--inventory", &inventory, "--output", &place(output)]);
    }
    for command in ["verify", "explain", "diff"] {
        let console = block(&readme, &format!("```console\n$ netpol-gen {command} "));
        let (line, shown) = console.split_once('\n').unwrap();
        let is_place = |word: &str| ["policies", "new-policies"].contains(&word);
        let words = line.split(' ').map(|word| if is_place(word) { place(word) } else { word.to_owned() });
        let words: Vec<String> = [command.to_owned()].into_iter().chain(words).collect();
        assert_eq!(run(&words.iter().map(String::as_str).collect::<Vec<_>>()), shown, "{command}");
    }
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
fn the_plan_shown_is_real() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    // The plan names places as they were typed.
    fs::create_dir(folder.path().join("captures")).unwrap();
    for file in ["shop-namespaces.pcap", "shop-namespaces.yaml"] {
        fs::copy(root.join("captures").join(file), folder.path().join("captures").join(file)).unwrap();
    }
    let run = |arguments: &[&str]| {
        let result = Command::new(env!("CARGO_BIN_EXE_netpol-gen")).current_dir(folder.path()).args(arguments).output().unwrap();
        String::from_utf8(result.stdout).unwrap()
    };
    run(&["learn", "--read", "captures/shop-namespaces.pcap", "--inventory", "captures/shop-namespaces.yaml"]);
    let (line, shown) = block(&readme, "```console\n$ netpol-gen plan ").split_once('\n').unwrap();
    let plan = run(&["plan"].into_iter().chain(line.split(' ')).collect::<Vec<_>>());
    assert!(plan.contains(shown), "{plan}");
    let step = block(&readme, "```markdown\n");
    assert!(step.starts_with("#### dev, ingress deny\n") && plan.contains(step), "{plan}");
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
