//! What patterns stand for, and many captures merged into one.
#![expect(clippy::unwrap_used, reason = "a test fails by it")]

mod support;

use std::path::{Path, PathBuf};

use netpol_gen::capture::{Input, Merged, Observed, expand};
use netpol_gen::model::{Code, Findings};
use support::captures::*;

const SECOND: i64 = 1_000_000_000;

fn write(directory: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = directory.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, bytes).unwrap();
    path
}

fn a_pcap(times: &[i64]) -> Vec<u8> {
    let frames: Vec<Captured> =
        times.iter().map(|at| Captured::whole(*at * SECOND, u64::try_from(*at).unwrap().to_be_bytes())).collect();
    pcap(Order::Little, Variant::Nanoseconds, 1, &frames)
}

fn expand_names(directory: &Path, patterns: &[&str]) -> Result<Vec<String>, String> {
    let patterns: Vec<String> = patterns
        .iter()
        .map(|pattern| if *pattern == "-" { "-".to_owned() } else { directory.join(pattern).display().to_string() })
        .collect();
    let inputs = expand(&patterns).map_err(|error| error.to_string().replace(&directory.display().to_string(), "DIR"))?.inputs;
    let name = |input: &Input| match input {
        Input::StandardInput => "-".to_owned(),
        Input::File(path) => path.strip_prefix(directory).unwrap().display().to_string(),
    };
    Ok(inputs.iter().map(name).collect())
}

/// What it is, the patterns, the files they stand for or the error.
type PatternRow = (&'static str, &'static [&'static str], Result<&'static [&'static str], &'static str>);

#[test]
fn patterns_stand_for_files() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    let capture = a_pcap(&[1]);
    for name in ["b.pcap", "a.pcap", "node/eth0.log", "node/deep/er.bin", "odd[1].pcap"] {
        write(root, name, &capture);
    }
    write(root, "node/deep/packed", &gzip(&capture));
    write(root, "node/shop.yaml", b"kind: Pod");
    write(root, "node/empty", b"");
    write(root, "none/README.md", b"text");
    std::os::unix::fs::symlink(root.join("a.pcap"), root.join("z.pcap")).unwrap();
    std::os::unix::fs::symlink(root.join("node"), root.join("node/loop")).unwrap();
    let rows: &[PatternRow] = &[
        ("a path", &["a.pcap"], Ok(&["a.pcap"])),
        ("order of paths", &["b.pcap", "a.pcap"], Ok(&["a.pcap", "b.pcap"])),
        ("twice the same", &["a.pcap", "./a.pcap", "*a.pcap"], Ok(&["a.pcap"])),
        ("a link to the same", &["z.pcap", "a.pcap"], Ok(&["a.pcap"])),
        ("a pattern", &["*.pcap"], Ok(&["a.pcap", "b.pcap", "odd[1].pcap"])),
        ("brackets in a name", &["odd[1].pcap"], Ok(&["odd[1].pcap"])),
        (
            "a directory: captures by content, and what may be one",
            &["node"],
            Ok(&["node/deep/er.bin", "node/deep/packed", "node/empty", "node/eth0.log"]),
        ),
        ("a pattern for directories", &["no*/deep"], Ok(&["node/deep/er.bin", "node/deep/packed"])),
        ("files that are named are not looked into", &["node/shop.yaml"], Ok(&["node/shop.yaml"])),
        ("standard input", &["-", "a.pcap", "-"], Ok(&["-", "a.pcap"])),
        ("no match", &["*.cap"], Err("find a file that matches DIR/*.cap")),
        ("no such file", &["a.pcap", "c.pcap"], Err("find a file that matches DIR/c.pcap")),
        ("no capture in it", &["none"], Err("find a capture in the directory DIR/none")),
        ("no pattern", &["***"], Err("read the pattern DIR/***")),
    ];
    for (what, patterns, expected) in rows {
        let expected =
            expected.map(|names| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).map_err(str::to_owned);
        assert_eq!(expand_names(root, patterns), expected, "{what}");
    }
}

fn merge(inputs: Vec<Input>) -> (Vec<i64>, Merged, Findings) {
    let mut merged = Merged::new(inputs);
    let mut times = Vec::new();
    while let Some(Observed::Frame(frame)) = merged.read_next() {
        times.push(frame.at.0 / SECOND);
    }
    let findings = merged.take_findings();
    (times, merged, findings)
}

/// What it is, the times of the frames in each file, the times in the order they come out.
type MergeRow = (&'static str, &'static [&'static [i64]], &'static [i64]);

#[test]
fn files_are_merged_by_time() {
    let directory = tempfile::tempdir().unwrap();
    let rows: &[MergeRow] = &[
        ("one", &[&[1, 2, 3]], &[1, 2, 3]),
        ("one after the other, named backwards", &[&[4, 5], &[1, 2]], &[1, 2, 4, 5]),
        ("interleaved", &[&[1, 4, 7], &[2, 5, 8], &[3, 6, 9]], &[1, 2, 3, 4, 5, 6, 7, 8, 9]),
        ("the same times", &[&[1, 2], &[1, 2]], &[1, 1, 2, 2]),
        ("one without frames", &[&[], &[1, 2]], &[1, 2]),
        ("backwards inside a file stays so", &[&[5, 3, 6], &[4]], &[4, 5, 3, 6]),
    ];
    for (number, (what, files, expected)) in rows.iter().enumerate() {
        let inputs = files
            .iter()
            .enumerate()
            .map(|(file, times)| Input::File(write(directory.path(), &format!("{number}/{file}.pcap"), &a_pcap(times))));
        let (times, merged, findings) = merge(inputs.collect());
        assert_eq!(times, *expected, "{what}");
        assert!(merged.errors().is_empty(), "{what}: {:?}", merged.errors());
        assert_eq!(Some(merged.bytes_read()), merged.total_bytes(), "{what}: all bytes are read");
        let is_backwards = *what == "backwards inside a file stays so";
        let codes: Vec<Code> = findings.sorted().iter().map(|finding| finding.code).collect();
        assert_eq!(codes, if is_backwards { vec![Code::OutOfOrderTime] } else { vec![] }, "{what}");
    }
}

#[test]
fn a_broken_input_does_not_stop_the_others() {
    let directory = tempfile::tempdir().unwrap();
    let cut = a_pcap(&[1, 3, 5]);
    let inputs = [
        write(directory.path(), "cut.pcap", &cut[..cut.len() - 1]),
        write(directory.path(), "text.pcap", b"no capture"),
        write(directory.path(), "good.pcap", &a_pcap(&[2, 4])),
        directory.path().join("missing.pcap"),
    ];
    let (times, mut merged, findings) = merge(inputs.map(Input::File).to_vec());
    assert_eq!(times, [1, 2, 3, 4]);
    assert_eq!(merged.input_count(), 4);
    assert_eq!(merged.take_errors().len(), 2);
    assert_eq!(findings.sorted().iter().map(|finding| finding.code).collect::<Vec<_>>(), [Code::TruncatedFile]);
}

#[test]
fn many_files_in_a_row_need_few_descriptors() {
    let directory = tempfile::tempdir().unwrap();
    let inputs: Vec<Input> = (0..300)
        .map(|number| Input::File(write(directory.path(), &format!("{number}.pcap"), &a_pcap(&[number * 10, number * 10 + 5]))))
        .collect();
    let open = || {
        let descriptors =
            std::fs::read_dir("/proc/self/fd").unwrap().filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok());
        descriptors.filter(|target| target.starts_with(directory.path())).count()
    };
    let mut merged = Merged::new(inputs);
    let (mut most, mut count, mut last) = (open(), 0, i64::MIN);
    while let Some(Observed::Frame(frame)) = merged.read_next() {
        assert!(frame.at.0 >= last, "in order");
        last = frame.at.0;
        count += 1;
        most = most.max(open());
    }
    assert_eq!(count, 600);
    assert!(most <= 20, "{most} files were open at once");
}
