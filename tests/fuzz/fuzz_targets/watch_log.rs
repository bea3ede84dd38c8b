//! A watch log, of which the first byte of each line chooses the record and the others say what is in it; the text at the end is
//! lines as they are.
#![no_main]

use libfuzzer_sys::fuzz_target;
use netpol_gen::inventory::{InventoryBuilder, InventoryOptions, snapshot};
use netpol_gen::model::Timestamp;
use serde_json::{Value, json};

const HEADER: &str = r#"{"type":"HEADER","version":"1"}"#;

fuzz_target!(|bytes: &[u8]| {
    let (drawn, text) = bytes.split_at(bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len()));
    let mut log = HEADER.as_bytes().to_vec();
    for record in drawn.chunks(4) {
        let [kind, what, which, when] = [0, 1, 2, 3].map(|at| record.get(at).copied().unwrap_or_default());
        log.push(b'\n');
        log.extend(drawn_record(kind, what, which, when).to_string().bytes());
    }
    log.extend_from_slice(text);
    let Ok(snapshot) = snapshot::read_bytes(&log, "fuzz") else { return };
    let mut builder = InventoryBuilder::new();
    builder.apply_snapshot(snapshot);
    let inventory = builder.build(&InventoryOptions::default());
    for pod in inventory.pods() {
        for address in &pod.addresses {
            for second in 0..4 {
                let _ = inventory.identify(*address, Timestamp(second * 60_000_000_000));
            }
        }
    }
    let _ = inventory.findings().clone().sorted();
});

fn drawn_record(kind: u8, what: u8, which: u8, when: u8) -> Value {
    let at = format!("1970-01-01T00:{:02}:{:02}Z", when % 60, which % 60);
    let until = format!("1970-01-01T00:{:02}:00Z", what % 60);
    match kind % 8 {
        0..3 => json!({"type": "ADDED", "at": at, "object": object(what, which)}),
        3 => json!({"type": "MODIFIED", "at": at, "object": object(what, which)}),
        4 => json!({"type": "DELETED", "at": at, "object": object(what, which)}),
        5 => json!({"type": "GAP", "from": at, "until": until, "kinds": ["Pod"], "reason": "fuzz"}),
        6 => json!({"type": "LEFT_OUT", "kinds": ["Service"], "reason": "fuzz"}),
        _ => json!({"type": "END", "at": at}),
    }
}

fn object(what: u8, which: u8) -> Value {
    let name = format!("web-{}", which % 4);
    let address = format!("10.244.0.{}", which % 8);
    let metadata = json!({
        "name": name, "namespace": "prod", "uid": format!("u{}", which / 4 % 3), "resourceVersion": which.to_string(),
        "labels": {"app": if which & 1 == 0 { "web" } else { "db" }},
        "creationTimestamp": if which & 16 == 0 { "1970-01-01T00:00:00Z" } else { "1970-01-01T00:02:00Z" },
    });
    match what % 4 {
        0..2 => json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": metadata,
            "spec": {"nodeName": "n1", "hostNetwork": what & 4 != 0},
            "status": {"podIP": address, "podIPs": [{"ip": address}], "phase": if what & 8 == 0 { "Running" } else { "Succeeded" }},
        }),
        2 => json!({
            "apiVersion": "v1", "kind": "Service", "metadata": metadata,
            "spec": {"clusterIP": format!("10.96.0.{}", which % 8), "selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]},
        }),
        _ => json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "prod"}}),
    }
}
