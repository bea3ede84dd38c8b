//! `netpol-gen interfaces` on the machine that runs the tests.
#![cfg(feature = "live")]
#![expect(clippy::unwrap_used, reason = "in tests a failed unwrap is the failure to report")]

use std::process::{Command, Output};

use serde_json::Value;

fn interfaces(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_netpol-gen")).arg("interfaces").args(arguments).output().unwrap()
}

fn listed() -> Vec<Value> {
    let output = interfaces(&["--format", "json"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stderr.is_empty(), "standard error is for what goes wrong");
    serde_json::from_slice::<Value>(&output.stdout).unwrap().as_array().unwrap().clone()
}

/// Every machine has a loopback interface, and the kernel's own list names it.
#[cfg(target_os = "linux")]
#[test]
fn what_the_kernel_has_is_listed() {
    let listed = listed();
    let named = |name: &str| listed.iter().find(|interface| interface["name"] == name);
    for entry in std::fs::read_dir("/sys/class/net").unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        // Not `bonding_masters`, a file. libpcap opens each interface to look at it; those that are down may be left out.
        let flags = std::fs::read_to_string(entry.path().join("flags")).unwrap_or_default();
        let flags = u32::from_str_radix(flags.trim().trim_start_matches("0x"), 16).unwrap_or_default();
        if flags & 1 == 1 {
            // Another test, or the machine, may have removed it since.
            let Some(interface) = named(&name) else {
                assert!(!entry.path().exists(), "{name} is up and not listed");
                continue;
            };
            assert_eq!(interface["is_up"], true, "{interface}");
            assert_eq!(interface["is_loopback"], flags & 8 == 8, "{interface}");
        }
    }
    assert!(named("lo").is_some_and(|interface| interface["is_loopback"] == true), "{listed:#?}");
    assert!(named("any").is_some_and(|interface| interface["description"].is_string()), "{listed:#?}");
}

#[test]
fn the_table_has_the_same_names() {
    let output = interfaces(&[]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("NAME "), "{text}");
    for name in listed().iter().map(|interface| interface["name"].as_str().unwrap()).filter(|name| ["lo", "any"].contains(name)) {
        assert!(text.lines().any(|line| line.split_whitespace().next() == Some(name)), "{name} is missing:\n{text}");
    }
}
