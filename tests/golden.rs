//! The recorded scenarios: what a person wrote by hand is what the program must make.
//!
//! `tests/cases/<name>/case.toml` names captures and inventory; `expected/` holds the policies, written from the scenario.
//! Compared are namespace, name and spec as data; comments, labels and annotations belong to the program.

#![expect(clippy::unwrap_used, reason = "in tests a failed unwrap is the failure to report")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use netpol_gen::decode::{DecodeOptions, Decoder, Frame, LinkType, TcpFlags, Transport};
use netpol_gen::model::Timestamp;
use serde_json::Value;

#[derive(serde::Deserialize)]
struct Case {
    description: String,
    read: Vec<String>,
    inventory: Vec<String>,
    arguments: Vec<String>,
    findings: BTreeSet<String>,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn cases() -> BTreeMap<String, Case> {
    let mut cases = BTreeMap::new();
    for entry in fs::read_dir(root().join("tests/cases")).unwrap() {
        let path = entry.unwrap().path();
        if let Ok(text) = fs::read_to_string(path.join("case.toml")) {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let case = toml::from_str(&text).unwrap_or_else(|error| panic!("{name}/case.toml: {error}"));
            cases.insert(name, case);
        }
    }
    assert!(cases.len() >= 20, "the cases were found");
    cases
}

/// Runs `netpol-gen learn` on these captures with the case's inventory.
fn learn(case: &Case, captures: &[PathBuf], output: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_netpol-gen"));
    command.current_dir(root()).args(["learn", "--format", "json", "--output"]).arg(output);
    for capture in captures {
        command.arg("--read").arg(capture);
    }
    for inventory in &case.inventory {
        command.arg("--inventory").arg(root().join("captures").join(inventory));
    }
    command.args(&case.arguments).output().unwrap()
}

fn captures(case: &Case) -> Vec<PathBuf> {
    case.read.iter().map(|name| root().join("captures").join(name)).collect()
}

/// All files below a folder, by path.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path.strip_prefix(folder).unwrap().to_owned(), fs::read(&path).unwrap());
            }
        }
    }
    found
}

/// Policies of a folder: (namespace, name) to spec.
fn policies(folder: &Path) -> BTreeMap<(String, String), Value> {
    let mut found = BTreeMap::new();
    for (path, bytes) in files(folder) {
        let is_policy = path.extension().is_some_and(|extension| extension == "yaml") && !path.ends_with("kustomization.yaml");
        if !is_policy {
            continue;
        }
        let object: Value = serde_saphyr::from_slice(&bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!((&object["apiVersion"], &object["kind"]), (&"networking.k8s.io/v1".into(), &"NetworkPolicy".into()));
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let name = (text(&object["metadata"]["namespace"]), text(&object["metadata"]["name"]));
        assert!(found.insert(name, object["spec"].clone()).is_none(), "{}: a second policy of this name", path.display());
    }
    found
}

/// Whether each conversation is in exactly one class: the counts by outcome and by class have one sum.
fn accounted(summary: &Value) -> Result<(), String> {
    let sum = |field: &str| -> u64 { summary[field].as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum() };
    let (flows, classes) = (sum("flows"), sum("flow_classes"));
    if flows == classes && flows > 0 {
        return Ok(());
    }
    Err(format!("{flows} flows, {classes} in classes: {} {}", summary["flows"], summary["flow_classes"]))
}

#[test]
fn every_scenario_gives_the_policies_written_by_hand() {
    let mut wrong = Vec::new();
    for (name, case) in cases() {
        let output = tempfile::tempdir().unwrap();
        let result = learn(&case, &captures(&case), output.path());
        let stderr = String::from_utf8_lossy(&result.stderr);
        if result.status.code() != Some(0) {
            wrong.push(format!("{name} ({}): {}\n{stderr}", case.description, result.status));
            continue;
        }
        let expected = policies(&root().join("tests/cases").join(&name).join("expected"));
        let made = policies(output.path());
        assert!(expected.len() >= 2, "{name}: nothing is expected");
        for key in expected.keys().chain(made.keys()).collect::<BTreeSet<_>>() {
            let (expected, made) = (expected.get(key), made.get(key));
            if expected != made {
                let show = |spec: Option<&Value>| spec.map_or("no such policy".into(), |spec| format!("{spec:#}"));
                wrong.push(format!("{name}: {}/{}\nexpected {}\nmade {}", key.0, key.1, show(expected), show(made)));
            }
        }
        let summary: Value = serde_json::from_slice(&result.stdout).unwrap();
        if let Err(message) = accounted(&summary) {
            wrong.push(format!("{name}: {message}"));
        }
        let codes: BTreeSet<String> =
            summary["findings"].as_array().unwrap().iter().map(|finding| finding["code"].as_str().unwrap().to_owned()).collect();
        if codes != case.findings {
            wrong.push(format!("{name}: findings expected {:?}, made {:#}", case.findings, summary["findings"]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// A file header, and the records after it.
type Records = (Vec<u8>, Vec<Vec<u8>>);

/// A pcap file as its header and its records, by the lengths in the records (little endian, as tcpdump writes them here).
fn records(capture: &Path) -> Option<Records> {
    let bytes = fs::read(capture).unwrap();
    if !bytes.starts_with(&[0xd4, 0xc3, 0xb2, 0xa1]) && !bytes.starts_with(&[0x4d, 0x3c, 0xb2, 0xa1]) {
        return None;
    }
    let (header, mut rest) = bytes.split_at(24);
    let mut records = Vec::new();
    while rest.len() >= 16 {
        let length = usize::try_from(u32::from_le_bytes(rest[8..12].try_into().unwrap())).unwrap() + 16;
        if length > rest.len() {
            return None;
        }
        let (record, further) = rest.split_at(length);
        records.push(record.to_vec());
        rest = further;
    }
    Some((header.to_vec(), records))
}

fn write(folder: &Path, name: &str, header: &[u8], records: &[Vec<u8>]) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, [header, &records.concat()].concat()).unwrap();
    path
}

/// Flow files of captures, one each, beside them.
fn flow_files(captures: &[PathBuf]) -> Vec<PathBuf> {
    let convert = |capture: &PathBuf| {
        let output = capture.with_extension("flows.zst");
        let mut command = Command::new(env!("CARGO_BIN_EXE_netpol-gen"));
        let result = command.args(["capture", "--read"]).arg(capture).arg("--output").arg(&output).output().unwrap();
        assert!(result.status.success(), "{}: {}", capture.display(), String::from_utf8_lossy(&result.stderr));
        output
    };
    captures.iter().map(convert).collect()
}

/// Policies and kustomizations; the review names the files that were read.
fn without_review(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = files(folder);
    files.remove(Path::new("REVIEW.md"));
    files.remove(Path::new("REVIEW.json"));
    files
}

#[test]
fn however_a_capture_is_cut_up_the_output_is_the_same_bytes() {
    let mut compared = 0;
    for (name, case) in cases() {
        let plain: Vec<(PathBuf, Records)> =
            captures(&case).into_iter().filter_map(|path| Some((path.clone(), records(&path)?))).collect();
        if plain.len() != case.read.len() {
            continue;
        }
        let whole = tempfile::tempdir().unwrap();
        let reference = learn(&case, &captures(&case), whole.path());
        assert_eq!(reference.status.code(), Some(0), "{name}: {}", String::from_utf8_lossy(&reference.stderr));
        let coverage = |result: &Output| serde_json::from_slice::<Value>(&result.stdout).unwrap()["coverage"].clone();
        assert!(coverage(&reference)["all"]["edges"].as_u64() > Some(0), "{name}: there is something to compare");
        let expected = without_review(whole.path());
        assert!(!expected.is_empty(), "{name}: there is something to compare");

        let pieces = tempfile::tempdir().unwrap();
        let (mut halves, mut dealt, mut shuffled, mut doubled) = (vec![], vec![], vec![], vec![]);
        for (number, (path, (header, records))) in plain.iter().enumerate() {
            let folder = pieces.path();
            let (first, second) = records.split_at(records.len() / 2);
            // Later half first on the command line.
            halves.push(write(folder, &format!("{number}-a.pcap"), header, second));
            halves.push(write(folder, &format!("{number}-b.pcap"), header, first));
            for part in 0..3 {
                let every_third: Vec<Vec<u8>> = records.iter().skip(part).step_by(3).cloned().collect();
                dealt.push(write(folder, &format!("{number}-{part}.pcap"), header, &every_third));
            }
            let mut mixed = records.clone();
            // A fixed permutation: no two runs of this test differ.
            mixed.sort_by_key(|record| {
                record.iter().fold(17u32, |hash, byte| hash.wrapping_mul(31).wrapping_add(u32::from(*byte)))
            });
            assert_ne!(&mixed, records, "the shuffle does something");
            shuffled.push(write(folder, &format!("{number}-shuffled.pcap"), header, &mixed));
            doubled.extend([path.clone(), write(folder, &format!("{number}-again.pcap"), header, records)]);
        }
        let told = flow_files(&dealt);
        let ways = [("halves", halves), ("dealt", dealt), ("shuffled", shuffled), ("doubled", doubled), ("told", told)];
        for (way, captures) in ways {
            let output = tempfile::tempdir().unwrap();
            let result = learn(&case, &captures, output.path());
            assert_eq!(result.status.code(), Some(0), "{name}, {way}: {}", String::from_utf8_lossy(&result.stderr));
            let made = without_review(output.path());
            for (path, bytes) in &expected {
                let made = made.get(path).map(|bytes| String::from_utf8_lossy(bytes));
                assert_eq!(made.as_deref(), Some(&*String::from_utf8_lossy(bytes)), "{name}, {way}: {}", path.display());
            }
            assert_eq!(made.len(), expected.len(), "{name}, {way}");
            assert_eq!(coverage(&result), coverage(&reference), "{name}, {way}");
            assert_eq!(accounted(&serde_json::from_slice(&result.stdout).unwrap()), Ok(()), "{name}, {way}");
        }
        compared += 1;
    }
    assert!(compared >= 12, "only {compared} cases were compared");
}

/// Whether a record of a little-endian pcap file holds a TCP SYN or SYN+ACK.
fn is_opening(link: LinkType, record: &[u8]) -> bool {
    let data = &record[16..];
    let frame = Frame { at: Timestamp(0), link, wire_length: u32::try_from(data.len()).unwrap(), data };
    let packet = Decoder::new(DecodeOptions::default()).decode(&frame);
    packet.is_some_and(|packet| matches!(packet.transport, Transport::Tcp { flags: TcpFlags { syn: true, .. }, .. }))
}

#[test]
fn connections_under_way_before_the_capture_began_give_the_same_policies() {
    let all = cases();
    for name in ["shop", "shop-staging-reads-db", "cronjob", "overlay", "churn"] {
        let case = &all[name];
        let (header, records) = records(&captures(case)[0]).unwrap();
        let link = LinkType::from_number(u16::from_le_bytes([header[20], header[21]]));
        let kept: Vec<Vec<u8>> = records.iter().filter(|record| !is_opening(link, record)).cloned().collect();
        assert!(kept.len() < records.len(), "{name}: handshakes were taken out");
        let folder = tempfile::tempdir().unwrap();
        let capture = write(folder.path(), "late.pcap", &header, &kept);
        let output = folder.path().join("policies");
        let result = learn(case, &[capture], &output);
        assert_eq!(result.status.code(), Some(0), "{name}: {}", String::from_utf8_lossy(&result.stderr));
        let expected = policies(&root().join("tests/cases").join(name).join("expected"));
        assert_eq!(policies(&output), expected, "{name}");
        let summary: Value = serde_json::from_slice(&result.stdout).unwrap();
        assert!(summary["flows"]["mid-stream"].as_u64() > Some(0), "{name}: {}", summary["flows"]);
        let codes = summary["findings"].as_array().unwrap();
        assert!(codes.iter().any(|finding| finding["code"] == "weak-direction"), "{name}: it is said");
    }
}
