//! `netpol-gen inventory --watch`, and what is read from its file.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Output, Stdio};

use serde_json::Value;

use crate::api::captures;
use crate::live::{Live, until};
use crate::{Place, USER, files, stderr};

const PODS: &str = "/api/v1/pods";

fn start(place: &Place, arguments: &[&str]) -> Child {
    let mut command = place.command();
    command.args(["inventory", "--kubeconfig", "config"]).args(arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[cfg(unix)]
fn end(child: Child, signal: &str) -> Output {
    let status = std::process::Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    assert!(status.success());
    child.wait_with_output().unwrap()
}

fn lines(path: &Path) -> Vec<Value> {
    let Ok(file) = File::open(path) else { return Vec::new() };
    let mut text = String::new();
    // What is read before an error counts.
    let _ = zstd::Decoder::new(file).map(|mut decoder| decoder.read_to_string(&mut text));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn learn(place: &Place, inventory: &str, output: &str) -> Output {
    let mut command = place.command();
    command.args(["learn", "--output", output, "--inventory", inventory, "--read"]).arg(captures("shop.pcap"));
    command.output().unwrap()
}

/// Watches the shop until the signal, and returns what was said.
#[cfg(unix)]
fn watched(place: &Place, signal: &str) -> String {
    let child = start(place, &["--watch", "--output", "shop.inventory.zst"]);
    until("the file is there", || lines(&place.path("shop.inventory.zst")).len() > 30);
    let output = end(child, signal);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(output.stdout.is_empty());
    stderr(&output)
}

#[cfg(unix)]
#[test]
fn a_watched_file_teaches_the_same_as_the_recorded_inventory() {
    for signal in ["-INT", "-TERM"] {
        let live = Live::shop();
        let place = Place::new(&live.kubeconfig(USER));
        let told = watched(&place, signal);
        assert!(told.starts_with("watching http://127.0.0.1:") && told.contains("Ctrl-C ends it\n"), "{told}");
        assert!(told.ends_with("38 records, 10 pods, to shop.inventory.zst\n"), "{told}");
        let records = lines(&place.path("shop.inventory.zst"));
        assert_eq!((&records[0]["type"], &records[37]["type"]), (&"HEADER".into(), &"END".into()));
        assert_eq!(records[0]["version"], 1);
        assert!(records.iter().all(|record| record["at"].as_str().is_some_and(|at| at.ends_with('Z') && at.contains('.'))));

        let learned = learn(&place, "shop.inventory.zst", "a");
        assert_eq!(learned.status.code(), Some(0), "{}", stderr(&learned));
        let expected = learn(&place, captures("shop.yaml").to_str().unwrap(), "b");
        assert_eq!(files(&place.path("a")), files(&place.path("b")), "{}", stderr(&expected));
    }
}

#[cfg(unix)]
#[test]
fn a_file_that_breaks_off_counts_up_to_there() {
    let live = Live::shop();
    let place = Place::new(&live.kubeconfig(USER));
    watched(&place, "-TERM");
    let records = lines(&place.path("shop.inventory.zst"));
    let whole: Vec<String> = records.iter().map(ToString::to_string).collect();
    let text = format!("{}\n", whole.join("\n"));
    // Cut within the last line but one.
    let cut = &text.as_bytes()[..text.len() - whole[37].len() - 20];
    let frames = |parts: &[&[u8]]| -> Vec<u8> { parts.iter().flat_map(|part| zstd::encode_all(*part, 3).unwrap()).collect() };
    let half = text.match_indices('\n').nth(36).unwrap().0 + 1;
    let mut torn = frames(&[&text.as_bytes()[..half], &text.as_bytes()[half..]]);
    torn.truncate(torn.len() - 5);
    let mut zeros = frames(&[&text.as_bytes()[..half]]);
    zeros.extend([0; 300]);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(text.as_bytes()).unwrap();
    let gzip = gzip.finish().unwrap();
    let rows: [(&str, Vec<u8>, bool); 7] = [
        ("plain.jsonl", text.clone().into_bytes(), false),
        ("cut.jsonl", cut.to_vec(), true),
        ("stopped.zst", frames(&[&text.as_bytes()[..half]]), true),
        ("torn.zst", torn, true),
        ("zeros.zst", zeros, true),
        ("whole.json.gz", gzip.clone(), false),
        ("cut.json.gz", gzip[..gzip.len() - 9].to_vec(), true),
    ];
    for (name, bytes, is_torn) in rows {
        fs::create_dir(place.path("folder")).unwrap();
        fs::write(place.path("folder").join(name), bytes).unwrap();
        let learned = learn(&place, "folder", name.trim_end_matches(".zst"));
        let told = stderr(&learned);
        assert_eq!(learned.status.code(), Some(0), "{name}: {told}");
        assert_eq!(told.contains("truncated-file"), is_torn, "{name}: {told}");
        fs::remove_dir_all(place.path("folder")).unwrap();
    }
    let newer = text.replacen("\"version\":1", "\"version\":2", 1);
    fs::write(place.path("newer.jsonl"), &newer).unwrap();
    fs::write(place.path("newer.zst"), frames(&[newer.as_bytes()])).unwrap();
    for name in ["newer.jsonl", "newer.zst"] {
        let learned = learn(&place, name, "newer");
        assert_eq!(learned.status.code(), Some(2), "{}", stderr(&learned));
        assert!(
            stderr(&learned).contains("its format is version `2`, and only version 1 is known\nhint: "),
            "{}",
            stderr(&learned)
        );
    }
}

#[test]
fn a_watch_ends_by_itself_and_never_overwrites() {
    let live = Live::shop();
    let place = Place::new(&live.kubeconfig(USER));
    let output = start(&place, &["--watch", "50ms", "--output", "a.zst"]).wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let before = fs::read(place.path("a.zst")).unwrap();
    let output = start(&place, &["--watch", "50ms", "--output", "a.zst"]).wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("failed to make a new file a.zst: it is there already\nhint: "), "{}", stderr(&output));
    assert_eq!(fs::read(place.path("a.zst")).unwrap(), before);

    let output = start(&place, &["--watch", "50ms", "--output", "-"]).wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.lines().count() == 38 && text.ends_with("\"}\n"), "plain lines on standard output: {text}");

    live.set_down(true);
    let output = start(&place, &["--watch", "50ms", "--output", "b.zst"]).wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("failed to reach the cluster"), "{}", stderr(&output));
    assert!(!place.path("b.zst").exists(), "nothing is left lying about");

    for (length, reason) in [("30", "has no unit"), ("0s", "not more than zero"), ("2mo", "months and years")] {
        let output = start(&place, &["--watch", length, "--output", "c.zst"]).wait_with_output().unwrap();
        assert!(output.status.code() == Some(2) && stderr(&output).contains(reason), "{}", stderr(&output));
    }
}

#[cfg(unix)]
#[test]
fn changes_are_in_the_file() {
    let live = Live::shop();
    let place = Place::new(&live.kubeconfig(USER));
    let mut child = start(&place, &["--watch", "1h", "--output", "-"]);
    let mut told = BufReader::new(child.stdout.take().unwrap()).lines().map(|line| line.unwrap());
    until("it is watched", || live.watching(PODS) == 1);
    assert_eq!(live.object(PODS, "prod", "db-0")["metadata"]["name"], "db-0");
    live.delete(PODS, "prod", "db-0");
    let deleted = told.find(|line| line.contains(r#""type":"DELETED""#)).unwrap();
    let deleted: Value = serde_json::from_str(&deleted).unwrap();
    assert_eq!(deleted["object"]["metadata"]["name"], "db-0");
    let output = end(child, "-INT");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let last: Value = serde_json::from_str(&told.last().unwrap()).unwrap();
    assert_eq!(last["type"], "END");
}

#[test]
fn the_role_is_printed() {
    let place = Place::new("");
    let output = place.command().args(["inventory", "--print-role"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), netpol_gen::cluster::ROLE);
}

#[test]
fn the_command_for_kubectl_is_printed() {
    let place = Place::new("");
    let output = place.command().args(["inventory", "--print-command"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), netpol_gen::cluster::kubectl_command());
}
