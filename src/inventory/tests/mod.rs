//! Objects in, values out.

mod handovers;
mod identities;
mod owners;
mod ranges;
mod services;
mod watched;

use std::net::IpAddr;

use super::*;
use crate::model::Code;

/// The inventory of these snapshots. Whatever their order, it must be the same.
fn inventory(snapshots: &[&str]) -> Inventory {
    let forward = build(snapshots.iter(), &InventoryOptions::default());
    let backward = build(snapshots.iter().rev(), &InventoryOptions::default());
    assert_eq!(format!("{:?}", forward.pods), format!("{:?}", backward.pods), "the order of snapshots must not matter");
    assert_eq!(format!("{:?}", forward.workloads), format!("{:?}", backward.workloads), "nor for workloads");
    assert_eq!(format!("{:?}", forward.services), format!("{:?}", backward.services), "nor for Services");
    assert_eq!(forward.findings, backward.findings, "nor for findings");
    forward
}

fn build<'a>(snapshots: impl Iterator<Item = &'a &'a str>, options: &InventoryOptions) -> Inventory {
    let mut builder = InventoryBuilder::new();
    for (number, text) in snapshots.enumerate().filter(|(_, text)| !text.is_empty()) {
        let snapshot = snapshot::read_bytes(text.as_bytes(), "snapshot").unwrap_or_else(|error| panic!("{number}: {error}"));
        builder.apply_snapshot(snapshot);
    }
    builder.build(options)
}

/// A time of the day of these tests.
fn at(time: &str) -> Timestamp {
    let time: jiff::Timestamp = format!("2026-03-01T{time}Z").parse().unwrap();
    Timestamp(i64::try_from(time.as_nanosecond()).unwrap())
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// Who an address was, in words.
fn who(inventory: &Inventory, text: &str, time: &str) -> String {
    match inventory.identify(address(text), at(time)) {
        Identity::Pod(id) => inventory.pod(id).name.name.clone(),
        Identity::Node(id) => format!("node {}", inventory.node(id).name),
        Identity::Service(id) => format!("service {}", inventory.service(id).name),
        other => format!("{other:?}"),
    }
}

/// Codes of findings with their subjects.
fn found(inventory: &Inventory) -> Vec<(Code, String)> {
    inventory.findings().sorted().into_iter().map(|finding| (finding.code, finding.subject)).collect()
}

fn workload_named(inventory: &Inventory, name: &str) -> WorkloadId {
    let position = inventory.workloads().iter().position(|workload| workload.name.name == name);
    WorkloadId(index(position.unwrap_or_else(|| panic!("no workload {name}"))))
}
