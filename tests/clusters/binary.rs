//! Some of the clusters through the program itself: files in, the same policies out, however the capture is cut into files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use crate::check::Drawn;
use crate::run;
use crate::support::captures::{Captured, Order, Variant, pcap};

/// How many.
const COUNT: u64 = 6;

fn write(path: &Path, frames: &[(i64, Vec<u8>)]) -> PathBuf {
    let frames: Vec<Captured> = frames.iter().map(|(at, bytes)| Captured::whole(*at, bytes.clone())).collect();
    fs::write(path, pcap(Order::Little, Variant::Nanoseconds, 1, &frames)).unwrap();
    path.to_owned()
}

/// Leaves the files of a cluster in a directory, with the arguments of its options.
pub fn keep(drawn: &Drawn, directory: &Path) {
    fs::create_dir_all(directory).unwrap();
    write(&directory.join("capture.pcap"), &drawn.frames());
    write_inventory(&directory.join("inventory.json"), drawn);
    fs::write(directory.join("decisions.yaml"), &drawn.options.decisions).unwrap();
    fs::write(directory.join("arguments"), drawn.options.arguments().join(" ") + "\n").unwrap();
}

fn write_inventory(path: &Path, drawn: &Drawn) {
    let list = json!({"apiVersion": "v1", "kind": "List", "items": drawn.cluster.objects});
    fs::write(path, serde_json::to_string_pretty(&list).unwrap()).unwrap();
}

fn learn(captures: &[PathBuf], inventory: &Path, arguments: &[String]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_netpol-gen"));
    command.arg("learn").arg("--inventory").arg(inventory).args(["--output", "-", "--no-decisions"]).args(arguments);
    for capture in captures {
        command.arg("--read").arg(capture);
    }
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn the_program_gives_the_same_policies() {
    let directory = tempfile::tempdir().unwrap();
    let mut compared = 0;
    for seed in (1..).filter(|seed| Drawn::new(*seed).options.decisions.is_empty()).take(usize::try_from(COUNT).unwrap()) {
        let drawn = Drawn::new(seed);
        let frames = drawn.frames();
        let inside = run::run(&drawn.cluster.objects, &frames, &drawn.options).unwrap();
        let inventory = directory.path().join(format!("{seed}.json"));
        write_inventory(&inventory, &drawn);
        let whole = write(&directory.path().join(format!("{seed}.pcap")), &frames);
        // Conversations in two files that overlap in time.
        let halves = [0, 1].map(|half| {
            let own = (0..).zip(&drawn.traffic).filter(|(number, _)| number % 2 == half);
            let mut frames: Vec<(i64, Vec<u8>)> = own.flat_map(|(_, conversation)| conversation.frames.clone()).collect();
            frames.sort_by_key(|(at, _)| *at);
            write(&directory.path().join(format!("{seed}-{half}.pcap")), &frames)
        });
        let arguments = drawn.options.arguments();
        let (code, policies, said) = learn(&[whole], &inventory, &arguments);
        if code == Some(2) {
            assert!(!said.contains("defect"), "seed {seed}: {said}");
            assert!(said.contains("failed to find"), "seed {seed}: {said}");
            continue;
        }
        assert_eq!(code, Some(0), "seed {seed}: {said}");
        assert!(inside.text.starts_with(&policies), "seed {seed}: the program gives other policies than the library");
        assert_eq!(learn(&halves, &inventory, &arguments).1, policies, "seed {seed}: two files give other policies than one");
        compared += 1;
    }
    assert!(compared >= COUNT / 2, "{compared} clusters were compared");
}
