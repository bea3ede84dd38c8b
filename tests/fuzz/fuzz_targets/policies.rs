//! Policies that anyone may have written, judged by the evaluator and read as policies of the tool's own.
#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use netpol_gen::output::{policy_file, manifest, render};
use netpol_gen::inventory::{InventoryBuilder, InventoryOptions, snapshot};
use netpol_gen::model::Protocol;
use netpol_gen::verify::{Evaluator, Place, ClusterView};

static WORLD: OnceLock<ClusterView> = OnceLock::new();

fn world() -> ClusterView {
    let mut builder = InventoryBuilder::new();
    let snapshot = snapshot::read_bytes(include_bytes!("../corpus/inventory/documents.yaml"), "world");
    builder.apply_snapshot(snapshot.expect("the world of the fuzz target is an inventory"));
    ClusterView::from_inventory(&builder.build(&InventoryOptions::default()))
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let _ = policy_file::resources(text);
    if let Some(policy) = render::read_policy(text) {
        let written = manifest::write(&policy);
        assert_eq!(manifest::read(&written).expect("what is written can be read"), policy);
    }
    let Ok(contents) = policy_file::read(text, Some("prod")) else { return };
    let policies: Vec<_> = contents.policies.into_iter().map(|given| given.object).collect();
    for policy in &policies {
        let _ = manifest::digest(policy);
        if let Ok(read) = manifest::read(policy) {
            assert_eq!(manifest::read(&manifest::write(&read)).expect("what is written can be read"), read);
        }
    }
    let world = WORLD.get_or_init(world);
    let evaluator = match Evaluator::new(&policies, world) {
        Ok(evaluator) => evaluator,
        Err(error) => return drop(error.to_string()),
    };
    let outside = Place::Address([203, 0, 113, 7].into());
    for (one, _) in world.pods() {
        for (from, to) in world
            .pods()
            .map(|(other, _)| (Place::Pod(one), Place::Pod(other)))
            .chain([(Place::Pod(one), outside), (outside, Place::Pod(one))])
        {
            let _ = evaluator.verdict(from, to, Protocol::Tcp, 8080);
            let _ = evaluator.verdict(from, to, Protocol::Udp, 53);
        }
    }
});
