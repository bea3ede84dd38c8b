//! A cluster that is asked beside a live capture: by a process that has credentials and no frames, while the one that captures has no
//! rights any more.

use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::json;

use crate::Place;
use crate::live::{Live, until};

const PODS: &str = "/api/v1/pods";

/// A program that prints the token of a file, which nobody but its owner can run or read.
fn plugin(place: &Place) -> String {
    let (program, token) = (place.path("plugin"), place.path("token"));
    let credential = r#"{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": "%s"}}"#;
    fs::write(&program, format!("#!/bin/sh\nprintf '{credential}' \"$(cat '{}')\"\n", token.display())).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).unwrap();
    fs::write(&token, "abc").unwrap();
    fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).unwrap();
    format!("{{exec: {{apiVersion: client.authentication.k8s.io/v1, command: '{}', interactiveMode: Never}}}}", program.display())
}

/// All lines of the inventories in a directory, as far as they are written.
fn heard(directory: &Path) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(directory).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.to_str().is_some_and(|path| path.ends_with(".inventory.zst")) {
            // What is read before an error counts.
            let _ = zstd::Decoder::new(File::open(path).unwrap()).map(|mut lines| lines.read_to_string(&mut text));
        }
    }
    text
}

#[test]
fn credentials_that_are_replaced_are_had_again_while_it_captures() {
    let live = Live::shop();
    let place = Place::new("");
    fs::write(place.path("config"), live.kubeconfig(&plugin(&place))).unwrap();
    let said = place.path("stderr");
    let mut command = place.command();
    command.env_remove("SUDO_UID").stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&said).unwrap());
    // On all interfaces of the machine, of which nothing is wanted.
    command.args(["learn", "--kubeconfig", "config", "--interface", "any", "--filter", "udp port 9", "--every", "1s"]);
    let mut child = command.spawn().unwrap();
    let told = || fs::read_to_string(&said).unwrap();
    let mut is_over = false;
    until("it captures, or may not", || {
        is_over = child.try_wait().unwrap().is_some();
        is_over || told().contains("capturing on")
    });
    assert!(!live.requests(PODS).is_empty(), "the cluster comes first: {}", told());
    if is_over {
        assert_ne!(place.path("config").metadata().unwrap().uid(), 0, "root may capture: {}", told());
        assert!(told().contains("sudo setcap cap_net_raw=ep"), "{}", told());
        return;
    }
    let record = place.path("policies.record");
    until("what is there is written", || heard(&record).contains("\"ADDED\""));
    live.set_token("new");
    fs::write(place.path("token"), "new").unwrap();
    live.cut();
    let metadata = json!({"name": "meanwhile", "namespace": "prod", "uid": "meanwhile"});
    let status = json!({"phase": "Running", "podIP": "10.244.9.1", "podIPs": [{"ip": "10.244.9.1"}]});
    live.apply(PODS, json!({"metadata": metadata, "spec": {"containers": []}, "status": status}));
    until("the new token is had", || heard(&record).contains("meanwhile"));
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    child.wait().unwrap();
    assert!(heard(&record).contains("\"END\""), "the last words are written: {}", told());
    assert!(!told().contains("/proc/self"), "{}", told());
}

/// A process that was started by hand has nobody to speak to, and ends.
#[test]
fn nobody_is_spoken_to_in_vain() {
    let live = Live::shop();
    let place = Place::new(&live.kubeconfig(crate::USER));
    let mut command = place.command();
    let mut child = command.args(["feed", "--kubeconfig", "config"]).stdout(Stdio::null()).spawn().unwrap();
    until("it ends", || child.try_wait().unwrap().is_some());
}
