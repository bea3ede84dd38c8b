//! Damaged captures: whatever bytes a file holds, the command ends in order, and what it writes is proved.
//!
//! Recorded captures are damaged at random places (from fixed seeds, so a failure can be repeated): bytes changed, pieces cut
//! out, doubled, or zeroed.

#![expect(clippy::unwrap_used, reason = "in tests a failed unwrap is the failure to report")]

use std::fs;
use std::path::Path;
use std::process::Command;

/// xorshift64*: enough to choose places, and the same everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        usize::try_from(self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33).unwrap() % sides.max(1)
    }
}

fn damaged(mut bytes: Vec<u8>, dice: &mut Dice) -> Vec<u8> {
    // The file header is left alone in most runs, so that the damage is inside.
    let from = if dice.roll(10) == 0 { 0 } else { 24 };
    for _ in 0..=dice.roll(40) {
        let place = from + dice.roll(bytes.len() - from);
        let length = (1 + dice.roll(64)).min(bytes.len() - place);
        match dice.roll(6) {
            0 | 1 => bytes[place] = u8::try_from(dice.roll(256)).unwrap(),
            2 => bytes[place] ^= 1 << dice.roll(8),
            3 => bytes[place..place + length].fill(if dice.roll(2) == 0 { 0 } else { 0xff }),
            4 => {
                bytes.drain(place..place + length);
            }
            _ => {
                let again = bytes[place..place + length].to_vec();
                bytes.splice(place..place, again);
            }
        }
        if bytes.len() < 64 {
            break;
        }
    }
    bytes
}

#[test]
fn damaged_captures_end_in_order() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().unwrap();
    let captures = [
        "shop.pcap",
        "node.pcap",
        "dual.pcap",
        "overlay-geneve.pcap",
        "overlay-gre.pcap",
        "cronjob.pcap",
        "shop.pcapng",
        "lab.pcap.gz",
        "lab.flows",
    ];
    let lines = folder.path().join("lab.flows.zst");
    let mut convert = Command::new(env!("CARGO_BIN_EXE_netpol-gen"));
    convert.current_dir(root).args(["capture", "--read", "captures/lab.pcap", "--output"]).arg(&lines);
    assert!(convert.output().unwrap().status.success());
    let (mut results, mut nothing) = (0, 0);
    for capture in captures {
        let bytes = match capture {
            // As plain lines, so that the damage is in them and not in their compression.
            "lab.flows" => zstd::decode_all(&fs::read(&lines).unwrap()[..]).unwrap(),
            _ => fs::read(root.join("captures").join(capture)).unwrap(),
        };
        let inventory = match capture.split(['.', '-']).next().unwrap() {
            name @ ("shop" | "node" | "dual" | "overlay" | "cronjob" | "lab") => format!("captures/{name}.yaml"),
            name => panic!("{name} has no inventory here"),
        };
        for seed in 1..=25u64 {
            let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            let path = folder.path().join("damaged");
            fs::write(&path, damaged(bytes.clone(), &mut dice)).unwrap();
            let output = Command::new(env!("CARGO_BIN_EXE_netpol-gen"))
                .current_dir(root)
                .args(["learn", "--output", "-", "--inventory", &inventory, "--read"])
                .arg(&path)
                .output()
                .unwrap();
            let stderr = String::from_utf8_lossy(&output.stderr);
            match output.status.code() {
                Some(0) => results += 1,
                Some(2) if stderr.contains("\nhint: ") && !stderr.contains("defect") => nothing += 1,
                code => panic!("{capture}, seed {seed}: {code:?}\n{stderr}"),
            }
        }
    }
    assert!(results > 100, "most of the damaged captures still give policies: {results}");
    assert!(nothing > 0, "some are damaged beyond use: {nothing}");
}
