//! Captures and inventories of real clusters' kinds, kept outside this repository: `make field FIELD=DIRECTORY DUMPS=DIRECTORY`.
//!
//! Each case is a directory (`capture.pcap`, `inventory.yaml`, `inventory-next.yaml`) or a file of inventories; what must come out
//! is written here by hand. `cargo test` alone leaves this target out (Cargo.toml): it needs those directories, whose paths are in
//! `NETPOL_FIELD` and `NETPOL_DUMPS`.

#![expect(clippy::unwrap_used, reason = "in tests a failed unwrap is the failure to report")]

#[path = "support/mod.rs"]
mod support;
#[path = "kinds/world.rs"]
mod world;

use std::path::{Path, PathBuf};

use world::{Learned, learn_files};

/// What must hold of a case; panics where it does not.
type Check = fn(&Path);

/// The cases of the field directory.
const FIELD: &[(&str, Check)] = &[
    ("03-gke-metadata", gke_metadata),
    ("04-ambient-probe", ambient_probe),
    ("09-named-port-per-pod", named_port_per_pod),
    ("23-argo-rollouts", argo_rollouts),
];

/// The cases of the directory of inventories.
const DUMPS: &[(&str, Check)] = &[];

fn run_all(variable: &str, cases: &[(&str, Check)]) {
    let directory = PathBuf::from(std::env::var_os(variable).unwrap_or_else(|| panic!("{variable} is not set")));
    let mut failed = Vec::new();
    for (name, check) in cases {
        let path = directory.join(name);
        if std::panic::catch_unwind(|| check(&path)).is_err() {
            failed.push(*name);
        }
    }
    assert!(failed.is_empty(), "failed: {failed:?}");
}

#[test]
fn field_cases_give_what_their_facts_say() {
    run_all("NETPOL_FIELD", FIELD);
}

#[test]
fn inventories_of_real_clusters_are_read() {
    run_all("NETPOL_DUMPS", DUMPS);
}

/// Learns from `capture.pcap` and `inventory.yaml` of a case; the run must succeed.
fn learn(case: &Path, arguments: &[&str]) -> Learned {
    let capture = case.join("capture.pcap");
    let learned = learn_files(tempfile::tempdir().unwrap(), &capture, &[case.join("inventory.yaml")], arguments);
    assert_eq!(learned.code, Some(0), "{}: {}", case.display(), learned.messages);
    learned
}

/// The policies must deny nothing of the same traffic in the cluster of `inventory-next.yaml`.
#[expect(dead_code, reason = "used by cases to come")]
fn assert_lasts(learned: &Learned, case: &Path) {
    let (code, stdout, stderr) = learned.verify(&case.join("capture.pcap"), &case.join("inventory-next.yaml"), &[]);
    assert_eq!(code, Some(0), "{}: {stdout}\n{stderr}", case.display());
}

fn gke_metadata(case: &Path) {
    let learned = learn(case, &[]);
    let rules = learned.rules();
    let metadata: Vec<&String> = rules.iter().filter(|rule| rule.contains("169.254.169.254")).collect();
    assert_eq!(metadata, ["app/quarantined-allow-uploader-to-cloud-metadata [app=uploader] -> 169.254.169.254/32 TCP 80"]);
    assert!(learned.codes().contains("metadata-address"));
}

fn ambient_probe(case: &Path) {
    for public in ["auto", "any"] {
        let learned = learn(case, &["--public", public]);
        let rules = learned.rules();
        let of_web: Vec<&String> = rules.iter().filter(|rule| rule.contains("-to-web") && rule.contains("<-")).collect();
        assert_eq!(of_web, ["shop/allow-ambient-probe-to-web [app=web] <- 169.254.7.127/32 TCP 8080"], "{public}");
        assert!(rules.contains("shop/allow-ingress-to-api [app=api] <- [app=web] TCP 15008"), "{rules:#?}");
        assert!(learned.codes().contains("ambient-probe"));
    }
}

fn named_port_per_pod(case: &Path) {
    let learned = learn(case, &[]);
    let rules = learned.rules();
    for port in ["TCP 8080", "TCP 9090"] {
        assert!(rules.iter().any(|rule| rule.contains("<-") && rule.ends_with(port)), "{port}: {rules:#?}");
    }
}

fn argo_rollouts(case: &Path) {
    let learned = learn(case, &[]);
    let rules = learned.rules();
    assert!(rules.iter().any(|rule| rule.contains("[app=guestbook]")), "{rules:#?}");
    assert!(!rules.iter().any(|rule| rule.contains("role=") || rule.contains("hash")), "{rules:#?}");
}
