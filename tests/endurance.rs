//! Time that is set back and forth while traffic is captured, and a week of it.
#![expect(clippy::unwrap_used, reason = "in tests a failed unwrap is the failure to report")]

#[path = "support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use support::captures::{Captured, Order, Variant, pcap_header, pcap_record};
use support::frames::{ACK, FIN, PSH, SYN, ethernet, ip, tcp_at};

const SECOND: i64 = 1_000_000_000;
const HOUR: i64 = 3600 * SECOND;
const DAY: i64 = 24 * HOUR;

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_netpol-gen")).current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What a text says beside its comments: they tell times.
fn rules(text: &str) -> Vec<String> {
    text.lines().filter(|line| !line.trim_start().starts_with('#')).map(str::to_owned).collect()
}

/// The policies of a directory, without their comments.
fn policies(directory: &Path) -> BTreeMap<String, Vec<String>> {
    let files = support::files::below(directory, "quarantine");
    files
        .iter()
        .filter(|(name, _)| Path::new(name).extension().is_some_and(|extension| extension == "yaml"))
        .map(|(name, text)| (name.clone(), rules(text)))
        .collect()
}

/// The demo's capture with another clock in its middle third. Records of pcap: seconds, fraction, length, length on the wire.
fn with_clock_set(capture: &[u8], seconds: i64) -> Vec<u8> {
    const HEADER: usize = 24;
    let number = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().unwrap());
    let mut places = Vec::new();
    let mut at = HEADER;
    while at < capture.len() {
        places.push(at);
        at += 16 + usize::try_from(number(&capture[at + 8..at + 12])).unwrap();
    }
    let mut changed = capture.to_vec();
    for place in &places[places.len() / 3..places.len() * 2 / 3] {
        let time = i64::from(number(&capture[*place..place + 4])) + seconds;
        changed[*place..place + 4].copy_from_slice(&u32::try_from(time.clamp(0, u32::MAX.into())).unwrap().to_le_bytes());
    }
    changed
}

#[test]
fn a_clock_that_is_set_back_and_forth_costs_no_run() {
    let directory = tempfile::tempdir().unwrap();
    let learn = |capture: &Path, name: &str| {
        let output = directory.path().join(name);
        let arguments = ["learn", "--read", capture.to_str().unwrap(), "--inventory", "captures/shop.yaml", "--no-decisions"];
        let output_words = ["--output", output.to_str().unwrap()];
        let result = run(&[&arguments[..], &output_words[..]].concat());
        (result, output)
    };
    let original = Path::new(env!("CARGO_MANIFEST_DIR")).join("captures/shop.pcap");
    let bytes = fs::read(&original).unwrap();
    let expected = policies(&learn(&original, "expected").1);
    // How far it is set, and whether what happened is as sure as before: a connection of which one part is a day away is two.
    for (name, seconds, is_same) in [
        ("not at all", 0, true),
        ("a second back", -1, true),
        ("a second forth", 1, true),
        ("a minute back", -60, true),
        ("an hour forth", 3600, true),
        ("an hour back", -3600, true),
        ("a day forth", 24 * 3600, false),
        ("a day back", -24 * 3600, false),
        ("two years forth", 2 * 365 * 24 * 3600, false),
        ("to 1970", -1_900_000_000, false),
        ("to 2106", 4_000_000_000, false),
    ] {
        let path = directory.path().join(format!("{seconds}.pcap"));
        fs::write(&path, with_clock_set(&bytes, seconds)).unwrap();
        let (result, output) = learn(&path, &format!("{seconds}"));
        assert_eq!(result.status.code(), Some(0), "{name}: {}", said(&result));
        assert!(said(&result).contains("edges are allowed, and nothing else"), "{name}: {}", said(&result));
        let learned = policies(&output);
        if is_same {
            assert_eq!(learned, expected, "{name}: the policies are the same");
        }
        // By way of a flow file too.
        let flows = directory.path().join(format!("{seconds}.flows"));
        let converted = run(&["capture", "--read", path.to_str().unwrap(), "--output", flows.to_str().unwrap()]);
        assert!(converted.status.success(), "{name}: {}", said(&converted));
        let (result, output) = learn(&flows, &format!("{seconds} by way of a flow file"));
        assert_eq!(result.status.code(), Some(0), "{name}: {}", said(&result));
        assert_eq!(policies(&output), learned, "{name}: a flow file gives the same policies");
    }
}

/// Since when the week is told.
const BEGIN: i64 = 1_790_000_000 * SECOND;
/// Time between two connections.
const BETWEEN: i64 = 15 * SECOND;
/// Every pod is replaced after this time.
const LIFE: i64 = HOUR;

/// The addresses of the two pods of a time: each pod has that of one that has gone.
fn addresses(at: i64) -> [String; 2] {
    let turn = at / LIFE % 40;
    [format!("10.244.0.{}", 10 + turn), format!("10.244.1.{}", 10 + turn)]
}

/// A watch log of two workloads whose pods are replaced every hour, one after the other.
fn rolling(length: i64) -> String {
    let time = |at: i64| jiff::Timestamp::from_nanosecond(i128::from(BEGIN + at)).unwrap().to_string();
    let mut log = r#"{"type":"HEADER","version":"1"}"#.to_owned();
    let namespace =
        r#"{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"prod","labels":{"kubernetes.io/metadata.name":"prod"}}}"#;
    let _ = write!(log, "\n{{\"type\":\"ADDED\",\"at\":\"{}\",\"object\":{namespace}}}", time(-HOUR));
    for turn in 0..=length / LIFE {
        for (app, address) in ["web", "db"].into_iter().zip(addresses(turn * LIFE)) {
            let object = format!(
                r#"{{"apiVersion":"v1","kind":"Pod","metadata":{{"name":"{app}-{turn}","namespace":"prod","uid":"{app}-{turn}","creationTimestamp":"{}","labels":{{"app":"{app}"}},"ownerReferences":[{{"apiVersion":"apps/v1","kind":"StatefulSet","name":"{app}","controller":true}}]}},"status":{{"phase":"Running","podIP":"{address}","podIPs":[{{"ip":"{address}"}}]}}}}"#,
                time(turn * LIFE),
            );
            let _ = write!(log, "\n{{\"type\":\"ADDED\",\"at\":\"{}\",\"object\":{object}}}", time(turn * LIFE));
            let _ = write!(log, "\n{{\"type\":\"DELETED\",\"at\":\"{}\",\"object\":{object}}}", time((turn + 1) * LIFE - SECOND));
        }
    }
    log + "\n{\"type\":\"END\"}\n"
}

/// A connection, opened, used and closed.
fn connection(at: i64, number: u32) -> Vec<(i64, Vec<u8>)> {
    let [web, db] = addresses(at);
    let port = u16::try_from(32_768 + number % 20_000).unwrap();
    let (ours, theirs) = (number.wrapping_mul(7919), number.wrapping_mul(104_729));
    let there = |flags: u8, sent: u32, answered: u32, payload: &[u8]| {
        ip(&web, &db, tcp_at(port, 5432, flags, ours.wrapping_add(sent), theirs.wrapping_add(answered), payload))
    };
    let back = |flags: u8, answered: u32, sent: u32, payload: &[u8]| {
        ip(&db, &web, tcp_at(5432, port, flags, theirs.wrapping_add(answered), ours.wrapping_add(sent), payload))
    };
    let packets = [
        ip(&web, &db, tcp_at(port, 5432, SYN, ours, 0, b"")),
        back(SYN | ACK, 0, 1, b""),
        there(ACK | PSH, 1, 1, b"ping"),
        back(ACK | PSH, 1, 5, b"pong"),
        there(ACK | FIN, 5, 5, b""),
        back(ACK | FIN, 5, 6, b""),
        there(ACK, 6, 6, b""),
    ];
    let times = (0..).map(|position| BEGIN + at + position * 1_000_000);
    times.zip(packets).map(|(at, packet)| (at, ethernet(&packet))).collect()
}

/// Learns from so much time; the policies, and the most memory in MiB.
fn learn_rolling(length: i64) -> (String, u64) {
    let directory = tempfile::tempdir().unwrap();
    let inventory = directory.path().join("watch.log");
    fs::write(&inventory, rolling(length)).unwrap();
    let mut running = Command::new(env!("CARGO_BIN_EXE_netpol-gen"))
        .args(["learn", "--read", "-", "--no-decisions", "--output", "-", "--inventory", inventory.to_str().unwrap()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = BufWriter::new(running.stdin.take().unwrap());
    let status = format!("/proc/{}/status", running.id());
    let peak = thread::spawn(move || {
        let mut peak = 0;
        // The highest so far is what the kernel tells; it is gone with the process.
        while let Ok(text) = fs::read_to_string(&status) {
            let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let Some(line) = line else { break };
            peak = line.trim().trim_end_matches(" kB").parse().unwrap_or(peak);
            thread::sleep(Duration::from_millis(5));
        }
        peak / 1024
    });
    let write = move || {
        let (order, variant) = (Order::Little, Variant::Nanoseconds);
        input.write_all(&pcap_header(order, variant, 65_535, 1))?;
        for (number, at) in (0..).zip((0..length).step_by(usize::try_from(BETWEEN).unwrap())) {
            // Nobody calls while pods are replaced.
            if at % LIFE > LIFE - 30 * SECOND || at % LIFE < 30 * SECOND {
                continue;
            }
            for (at, bytes) in connection(at, number) {
                input.write_all(&pcap_record(order, variant, &Captured::whole(at, bytes)))?;
            }
        }
        input.flush()
    };
    let writing = thread::spawn(write);
    let output = running.wait_with_output().unwrap();
    writing.join().unwrap().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("proof: "), "{}", said(&output));
    (String::from_utf8(output.stdout).unwrap(), peak.join().unwrap())
}

#[cfg(target_os = "linux")]
#[test]
fn a_week_of_rolling_pods_takes_no_more_memory_than_a_day() {
    let (day, peak_of_day) = learn_rolling(DAY);
    let (week, peak_of_week) = learn_rolling(7 * DAY);
    assert!(week.contains("port: 5432"), "{week}");
    assert_eq!(rules(&week), rules(&day), "both see the same two workloads");
    assert!(peak_of_week <= peak_of_day + peak_of_day / 4 + 8, "{peak_of_day} MiB for a day, {peak_of_week} MiB for a week");
}
