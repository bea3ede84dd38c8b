//! Documents for people: each command in them is run, or at least valid, and what they show is what the program prints.
//!
//! Blocks marked `console` hold commands of netpol-gen, with what they print. They run in the order of the document, in a folder that has
//! this repository's captures. Blocks marked `sh` hold commands that need a cluster, rights or time: those of netpol-gen have to be
//! valid.

#![expect(clippy::unwrap_used, reason = "in tests a failed unwrap is the failure to report")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use netpol_gen::model::Code;

/// A document, by its path in the repository.
struct Document {
    path: PathBuf,
    text: String,
}

impl Document {
    fn read(path: &str) -> Self {
        let path = PathBuf::from(path);
        let text = fs::read_to_string(root().join(&path)).unwrap();
        Self { path, text }
    }

    /// The blocks marked with a word, without the lines that begin and end them.
    fn blocks(&self, mark: &str) -> Vec<&str> {
        let opening = format!("```{mark}\n");
        let rest = self.text.split(opening.as_str()).skip(1);
        rest.map(|text| &text[..text.find("```").unwrap()]).collect()
    }

    /// Everything but blocks and tables.
    fn prose(&self) -> String {
        let outside = self.text.split("```").step_by(2).collect::<String>();
        let lines = outside.lines().filter(|line| !line.starts_with(['|', '#']) && !line.starts_with("    "));
        lines.collect::<Vec<_>>().join("\n")
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All documents for people.
fn documents() -> Vec<Document> {
    let mut paths = vec!["README.md".to_owned(), "CONTRIBUTING.md".to_owned(), "SECURITY.md".to_owned()];
    for entry in fs::read_dir(root().join("docs")).unwrap() {
        paths.push(format!("docs/{}", entry.unwrap().file_name().to_str().unwrap()));
    }
    paths.sort();
    paths.iter().map(|path| Document::read(path)).collect()
}

/// The commands of console blocks, each with the text below it.
fn commands(document: &Document) -> Vec<(&str, String)> {
    let mut commands: Vec<(&str, String)> = Vec::new();
    for block in document.blocks("console") {
        for (number, line) in block.lines().enumerate() {
            if let Some(command) = line.strip_prefix("$ netpol-gen ") {
                commands.push((command, String::new()));
                continue;
            }
            assert!(number > 0, "{}: {line}: printed by no command", document.path.display());
            let shown = &mut commands.last_mut().unwrap().1;
            shown.push_str(line);
            shown.push('\n');
        }
    }
    commands
}

fn netpol_gen(folder: &Path, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_netpol-gen")).current_dir(folder).args(words).output().unwrap()
}

/// Runs the commands of a document, and compares what they print. Returns their names with their exit codes, and the folder.
fn run(document: &Document) -> (Vec<(String, i32)>, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(root().join("captures"), folder.path().join("captures")).unwrap();
    let mut ended = Vec::new();
    for (command, shown) in commands(document) {
        let words: Vec<&str> = command.split(' ').collect();
        let output = netpol_gen(folder.path(), &words);
        let (stdout, stderr) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        match words[0] {
            "learn" => assert_eq!(stderr, shown, "{}: {command}", document.path.display()),
            // A part of the plan is shown.
            "plan" => assert!(stdout.contains(&shown), "{}: {command}: {stdout}", document.path.display()),
            _ => assert_eq!(stdout, shown, "{}: {command}: {stderr}", document.path.display()),
        }
        ended.push((words[0].to_owned(), output.status.code().unwrap()));
    }
    (ended, folder)
}

fn ends(expected: &[(&str, i32)]) -> Vec<(String, i32)> {
    expected.iter().map(|&(command, code)| (command.to_owned(), code)).collect()
}

#[test]
fn the_first_result_is_real() {
    let readme = Document::read("README.md");
    let (ended, folder) = run(&readme);
    assert_eq!(ended, ends(&[("learn", 0)]));
    let policy = fs::read_to_string(folder.path().join("policies/default/allow-ingress-to-frontend-nginx.yaml")).unwrap();
    assert_eq!(readme.blocks("yaml"), [policy]);
}

#[test]
fn the_guide_to_reviewing_is_real() {
    let (ended, _folder) = run(&Document::read("docs/reviewing.md"));
    assert_eq!(ended, ends(&[("learn", 0), ("verify", 1), ("explain", 1), ("learn", 0), ("diff", 1)]));
}

#[test]
fn the_guide_to_migrating_is_real() {
    let guide = Document::read("docs/migrating.md");
    let (ended, folder) = run(&guide);
    assert_eq!(ended, ends(&[("learn", 0), ("plan", 1)]));
    let words: Vec<&str> =
        commands(&guide).iter().find(|(command, _)| command.starts_with("plan")).unwrap().0.split(' ').collect();
    let plan = String::from_utf8(netpol_gen(folder.path(), &words).stdout).unwrap();
    let [step] = guide.blocks("markdown")[..] else { panic!("one step is shown") };
    assert!(step.starts_with("#### dev, ingress deny\n") && plan.contains(step), "{plan}");
}

#[test]
fn no_other_document_shows_what_nothing_compares() {
    for document in documents() {
        let path = document.path.to_str().unwrap();
        if !["README.md", "docs/reviewing.md", "docs/migrating.md"].contains(&path) {
            assert!(document.blocks("console").is_empty(), "{path} has a test of its own");
        }
    }
}

#[test]
fn the_decisions_shown_are_applied() {
    let shown = Document::read("docs/decisions.md");
    let [decisions] = shown.blocks("yaml")[..] else { panic!("one file is shown") };
    let folder = tempfile::tempdir().unwrap();
    let (file, output) = (folder.path().join("netpol-gen.yaml"), folder.path().join("policies"));
    fs::write(&file, decisions).unwrap();
    let mut words = vec!["learn", "--read", "captures/shop-backup-out.pcap", "--inventory", "captures/shop-backup-out.yaml"];
    words.extend(["--decisions", file.to_str().unwrap(), "--output", output.to_str().unwrap()]);
    let result = netpol_gen(root(), &words);
    let stderr = String::from_utf8(result.stderr).unwrap();
    assert!(stderr.contains("(1 accept, 1 reject, 1 widen, 1 rename, 1 ignore)\n"), "{stderr}");
    assert!(output.join("prod/allow-db-to-backup.yaml").exists());
}

/// What a command line of the shell runs: the words of each command between pipes, without comments.
fn shell_commands(line: &str) -> Vec<Vec<&str>> {
    let line = line.split(" #").next().unwrap_or_default();
    line.split(" | ").map(|command| command.split_whitespace().collect::<Vec<_>>()).filter(|words| !words.is_empty()).collect()
}

#[test]
fn commands_that_are_not_run_are_valid() {
    /// Others that the documents name.
    const OTHERS: &[&str] = &["kubectl", "sudo", "tcpdump"];
    let mut checked = 0;
    for document in documents() {
        for line in document.blocks("sh").iter().flat_map(|block| block.lines()) {
            for words in shell_commands(line) {
                let [program, arguments @ ..] = &words[..] else { continue };
                if *program != "netpol-gen" {
                    assert!(OTHERS.contains(program), "{}: {line}", document.path.display());
                    continue;
                }
                // Arguments before --help are parsed; help is printed in place of what they ask for.
                let output = netpol_gen(root(), &[arguments, &["--help"]].concat());
                assert!(
                    output.status.success(),
                    "{}: {line}: {}",
                    document.path.display(),
                    String::from_utf8_lossy(&output.stderr)
                );
                checked += 1;
            }
        }
    }
    assert!(checked >= 10, "{checked} commands");
    assert!(!netpol_gen(root(), &["learn", "--no-such-option", "--help"]).status.success());
    assert!(!netpol_gen(root(), &["learn", "--duration", "soon", "--help"]).status.success());
}

#[test]
fn targets_and_options_that_are_named_exist() {
    let makefile = fs::read_to_string(root().join("Makefile")).unwrap();
    let mut help = String::new();
    for command in ["learn", "capture", "verify", "explain", "diff", "plan", "findings", "inventory", "interfaces"] {
        help.push_str(&String::from_utf8(netpol_gen(root(), &[command, "--help"]).stdout).unwrap());
    }
    for document in documents() {
        let path = document.path.display();
        for quoted in document.text.split('`').skip(1).step_by(2) {
            if let Some(target) = quoted.strip_prefix("make ") {
                let target = target.split(' ').next().unwrap_or_default();
                assert!(makefile.contains(&format!("\n{target}: ")), "{path}: make {target}");
            } else if quoted.starts_with("--") && !quoted.starts_with("--no-default-features") {
                let option = quoted.split([' ', '=']).next().unwrap_or_default();
                assert!(help.contains(option), "{path}: {option}");
            }
        }
    }
}

/// The anchor by which a heading is linked to.
fn anchor(heading: &str) -> String {
    let letters = heading.trim_start_matches(['#', ' ']).to_lowercase();
    letters
        .chars()
        .filter(|letter| letter.is_alphanumeric() || [' ', '-', '_'].contains(letter))
        .collect::<String>()
        .replace(' ', "-")
}

#[test]
fn links_lead_somewhere() {
    let mut followed = 0;
    for document in documents() {
        let folder = root().join(document.path.parent().unwrap());
        for link in document.text.split("](").skip(1).filter_map(|text| text.split(')').next()) {
            assert!(!link.contains("://"), "{}: {link}", document.path.display());
            let (file, place) = link.split_once('#').map_or((link, None), |(file, place)| (file, Some(place)));
            let target = if file.is_empty() { root().join(&document.path) } else { folder.join(file) };
            let text = fs::read_to_string(&target).unwrap_or_else(|error| panic!("{}: {link}: {error}", document.path.display()));
            if let Some(place) = place {
                let found = text.lines().filter(|line| line.starts_with('#')).any(|line| anchor(line) == place);
                assert!(found, "{}: {link}: no such heading", document.path.display());
            }
            followed += 1;
        }
    }
    assert!(followed >= 20, "{followed} links");
}

#[test]
fn the_readme_is_short_and_its_sentences_too() {
    let readme = Document::read("README.md");
    assert!(readme.text.chars().count() <= 12_000, "{} characters", readme.text.chars().count());
    let prose = readme.prose();
    let marked = [".\n", ". ", ":\n", "?\n", "\n\n", "\n- ", ".** "].iter().fold(prose, |text, end| text.replace(end, "\u{0}"));
    let lengths: Vec<usize> =
        marked.split('\u{0}').map(|sentence| sentence.split_whitespace().count()).filter(|&count| count > 0).collect();
    let words: usize = lengths.iter().sum();
    assert!(words <= 20 * lengths.len(), "{words} words in {} sentences", lengths.len());
}

#[test]
fn the_list_of_findings_is_that_of_the_program() {
    let document = Document::read("docs/findings.md");
    let mut headings = document.text.lines().filter_map(|line| line.strip_prefix("## "));
    for code in Code::ALL {
        assert_eq!(headings.next(), Some(code.name()));
        let start = document.text.find(&format!("\n## {}\n", code.name())).unwrap();
        let section = document.text[start + 1..].split("\n## ").next().unwrap().replace('\n', " ");
        for text in [code.severity().name(), code.seen(), code.why(), code.hint()] {
            let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(section.to_lowercase().contains(&text.to_lowercase()), "{}: {text}", code.name());
        }
    }
    assert_eq!(headings.next(), None);
}

/// The names of members in a line of JSON, wherever they are.
fn members(value: &serde_json::Value, found: &mut std::collections::BTreeSet<String>) {
    match value {
        serde_json::Value::Object(object) => {
            for (name, value) in object {
                found.insert(name.clone());
                // Reasons are names of their own.
                if name != "left_out" {
                    members(value, found);
                }
            }
        }
        serde_json::Value::Array(values) => values.iter().for_each(|value| members(value, found)),
        _ => {}
    }
}

#[test]
fn every_field_of_flow_files_is_documented() {
    let document = Document::read("docs/flow-files.md");
    let folder = tempfile::tempdir().unwrap();
    let mut found = std::collections::BTreeSet::new();
    for capture in ["shop.pcap", "lab-refused.pcap", "overlay-geneve.pcap", "telemetry.pcap", "tenants.pcap", "dual.pcap"] {
        let file = folder.path().join("x.flows.zst");
        let words = ["capture", "--read", &format!("captures/{capture}"), "--output", file.to_str().unwrap()];
        let output = netpol_gen(root(), &words);
        assert!(output.status.success(), "{capture}: {}", String::from_utf8_lossy(&output.stderr));
        let lines = zstd::decode_all(fs::File::open(&file).unwrap()).unwrap();
        for line in String::from_utf8(lines).unwrap().lines() {
            members(&serde_json::from_str(line).unwrap(), &mut found);
        }
        fs::remove_file(file).unwrap();
    }
    assert!(found.len() >= 25 && found.contains("stations"), "{found:?}");
    let missing: Vec<_> = found.iter().filter(|name| !document.text.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "{missing:?} of {found:?}");
}
