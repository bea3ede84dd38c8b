//! Objects in any form that an inventory is read from, and what an inventory says of them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use netpol_gen::inventory::{InventoryBuilder, InventoryOptions, snapshot};
use netpol_gen::model::{Protocol, Timestamp};
use netpol_gen::verify::ClusterView;

fuzz_target!(|bytes: &[u8]| {
    let Ok(snapshot) = snapshot::read_bytes(bytes, "fuzz") else { return };
    let mut builder = InventoryBuilder::new();
    builder.apply_snapshot(snapshot);
    let inventory = builder.build(&InventoryOptions::default());
    let _ = inventory.findings().clone().sorted();
    for pod in inventory.pods() {
        for address in &pod.addresses {
            let _ = inventory.identify(*address, Timestamp(0));
            let _ = inventory.declares(*address, Protocol::Tcp, 80, Timestamp(i64::MAX));
            let _ = inventory.service_call(*address, Protocol::Udp, 53);
        }
    }
    let _ = inventory.selectable();
    let _ = ClusterView::from_inventory(&inventory);
    // What is kept of an object is enough to read it again. A list and a record of a watch are no objects.
    let value = serde_json::from_slice::<serde_json::Value>(bytes).ok();
    if let Some(value) =
        value.filter(|value| value["kind"].is_string() && value.get("items").is_none() && value.get("type").is_none())
    {
        let narrowed = snapshot::narrow(&value);
        assert_eq!(snapshot::narrow(&narrowed), narrowed, "to narrow twice is to narrow once");
        let of = |value| format!("{:?}", snapshot::read_value(value, "fuzz").objects);
        assert_eq!(of(narrowed), of(value), "the inventory reads the same from the narrowed object");
    }
});
