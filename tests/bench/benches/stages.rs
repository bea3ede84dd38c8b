//! Each stage from bytes to flows by itself, on a hundred thousand packets that fit into the processor's cache or do not.

#[path = "../../support/traffic.rs"]
#[expect(dead_code, reason = "no inventory is needed here")]
mod traffic;

use std::fs;
use std::hint::black_box;
use std::io::Cursor;
use std::num::NonZeroUsize;
use std::path::Path;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use netpol_gen::capture::{CaptureFile, Following, Input, Merged, Observed, Splitting};
use netpol_gen::decode::{DecodeOptions, Decoder};
use netpol_gen::flow::{Batch, FlowTable};
use traffic::Kind;

const PACKETS: u64 = 100_000;

/// Reads a file as `learn` does, in pieces, and hands their packets on.
fn pieces(path: &Path, batch: &Batch, mut take: impl FnMut(&mut Batch)) {
    let splitting = Splitting { threads: NonZeroUsize::MIN, decoder: Decoder::new(DecodeOptions::default()), batch: batch.clone() };
    let mut merged = Merged::splitting(vec![Input::File(path.to_owned())], splitting);
    while let Some(following) = merged.read_following() {
        if let Following::Many(mut decoded) = following {
            take(&mut decoded.batch);
            merged.recycle(decoded.batch);
        }
    }
}

/// All packets of a capture.
fn filled(batch: &Batch, capture: &[u8]) -> Batch {
    let mut batch = batch.clone();
    let mut file = CaptureFile::from_reader("bench", Cursor::new(capture.to_vec())).expect("a capture");
    let mut decoder = Decoder::new(DecodeOptions::default());
    while let Some(Observed::Frame(frame)) = file.read_next().expect("frames") {
        batch.take(&frame, &mut decoder);
    }
    batch
}

fn stages(criterion: &mut Criterion) {
    for (name, kind) in [("mixed", Kind::Mixed), ("small", Kind::Small), ("flows", Kind::Flows)] {
        let mut capture = Vec::new();
        traffic::write(kind, PACKETS, false, &mut capture).expect("memory");
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Elements(PACKETS));
        group.bench_function("read", |bench| {
            let open = || CaptureFile::from_reader("bench", Cursor::new(capture.clone())).expect("a capture");
            let count = |mut file: CaptureFile| {
                while let Some(observed) = file.read_next().expect("frames") {
                    black_box(observed);
                }
            };
            bench.iter_batched(open, count, BatchSize::LargeInput);
        });
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.pcap"));
        fs::write(&path, &capture).expect("room");
        let batch = FlowTable::new(16).batch();
        group.bench_function("read and decode", |bench| {
            bench.iter(|| pieces(&path, &batch, |batch| {
                    black_box(batch.len());
                }));
        });
        group.bench_function("table", |bench| {
            let begin = || {
                let table = FlowTable::new(1_000_000);
                let batch = filled(&table.batch(), &capture);
                (table, batch)
            };
            let take = |(mut table, mut batch): (FlowTable, Batch)| {
                table.observe_all(&mut batch);
                table
            };
            bench.iter_batched(begin, take, BatchSize::LargeInput);
        });
        group.bench_function("finish", |bench| {
            let begin = || {
                let mut table = FlowTable::new(1_000_000);
                let mut batch = filled(&table.batch(), &capture);
                table.observe_all(&mut batch);
                table
            };
            let finish = |mut table: FlowTable| {
                table.finish();
                table.take_finished()
            };
            bench.iter_batched(begin, finish, BatchSize::LargeInput);
        });
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = stages
}
criterion_main!(benches);
