//! Flow files that are torn, edited, of another version, or no flow files.
#![expect(clippy::unwrap_used, reason = "in tests a failed unwrap is the failure to report")]

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use netpol_gen::capture::{CaptureError, CaptureFile, Observed};
use netpol_gen::flow::Record;
use netpol_gen::model::Code;

const HEADER: &str =
    r#"{"header":{"version":4,"tool":"t","host":"h","interfaces":["any"],"filter":"","at":"2026-01-01T00:00:00Z"}}"#;
const CHECKPOINT: &str = r#"{"checkpoint":{"at":"2026-01-01T00:00:10Z"}}"#;
const CONVERSATION: &str = r#"{"conversation":{"protocol":"TCP","first":"2026-01-01T00:00:01Z","ends":[{"address":"10.0.0.1","port":40000,"heard":[0,0]},{"address":"10.0.0.2","port":80}],"openings":[{"by":0,"number":1,"after":0}]}}"#;
const END: &str = r#"{"end":{"at":"2026-01-01T00:01:00Z"}}"#;

/// The records of a file, and its findings.
type Reading = (Vec<Record>, Vec<(Code, String)>);

fn read(bytes: &[u8]) -> Result<Reading, CaptureError> {
    let mut file = CaptureFile::from_reader("x", Cursor::new(bytes.to_vec()))?;
    let mut records = Vec::new();
    while let Some(observed) = file.read_next()? {
        match observed {
            Observed::Record(record) => records.push(record.clone()),
            Observed::Frame(frame) => panic!("a flow file holds no {frame:?}"),
        }
    }
    let findings = file.take_findings().sorted().into_iter().map(|finding| (finding.code, finding.message)).collect();
    Ok((records, findings))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_netpol-gen")).current_dir(root()).args(arguments).output().unwrap()
}

/// The flow file of a recorded capture.
fn converted(folder: &Path) -> PathBuf {
    let path = folder.join("shop.flows.zst");
    let result = run(&["capture", "--read", "captures/shop.pcap", "--output", path.to_str().unwrap()]);
    assert!(result.status.success(), "{}", String::from_utf8_lossy(&result.stderr));
    path
}

#[test]
fn what_a_file_says_is_read_whatever_else_is_in_it() {
    let plain = |lines: &[&str]| lines.join("\n").into_bytes();
    let rows: Vec<(&str, Vec<u8>, usize, &[Code])> = vec![
        ("whole", plain(&[HEADER, CHECKPOINT, END, ""]), 3, &[]),
        ("no end: it was killed", plain(&[HEADER, CHECKPOINT, ""]), 2, &[Code::TruncatedFile]),
        ("torn inside a line", plain(&[HEADER, CHECKPOINT, &END[..20]]), 2, &[Code::TruncatedFile]),
        ("a line of noise", plain(&[HEADER, "noise", CHECKPOINT, END, ""]), 3, &[Code::RecordingIncomplete]),
        ("a record of a later version", plain(&[HEADER, r#"{"prophecy":{}}"#, END, ""]), 2, &[Code::UnsupportedFrame]),
        ("two files, one behind the other", plain(&[HEADER, CHECKPOINT, END, HEADER, CHECKPOINT, ""]), 5, &[Code::TruncatedFile]),
        (
            "an end that is none",
            plain(&[HEADER, &CONVERSATION.replace("\"by\":0", "\"by\":2"), END, ""]),
            2,
            &[Code::RecordingIncomplete],
        ),
        (
            "a time that no number holds",
            plain(&[HEADER, &CONVERSATION.replace("[0,0]", "[0,99999999999999999999]"), END, ""]),
            2,
            &[Code::RecordingIncomplete],
        ),
        ("an end that is one", plain(&[HEADER, CONVERSATION, END, ""]), 3, &[]),
        ("windows line ends", plain(&[HEADER, CHECKPOINT, END, ""]).join_crlf(), 3, &[]),
    ];
    for (what, bytes, records, codes) in rows {
        for (how, bytes) in [("plain", bytes.clone()), ("zstd", zstd::encode_all(&bytes[..], 1).unwrap())] {
            let (read, findings) = read(&bytes).unwrap_or_else(|error| panic!("{what}, {how}: {error}"));
            assert_eq!(read.len(), records, "{what}, {how}");
            let found: std::collections::BTreeSet<Code> = findings.iter().map(|(code, _)| *code).collect();
            assert_eq!(found.into_iter().collect::<Vec<_>>(), codes, "{what}, {how}: {findings:?}");
        }
    }
}

trait Lines {
    fn join_crlf(self) -> Self;
}

impl Lines for Vec<u8> {
    fn join_crlf(self) -> Self {
        String::from_utf8(self).unwrap().replace('\n', "\r\n").into_bytes()
    }
}

#[test]
fn what_is_no_flow_file_is_an_error() {
    let version = |number: u32| HEADER.replace(r#""version":4"#, &format!(r#""version":{number}"#));
    let rows = [
        (format!("{}\n", version(5)), "read x: it is a flow file of version 5, and this program knows version 4"),
        (format!("{}\n{CHECKPOINT}\n", version(3)), "read x: it is a flow file of version 3, and this program knows version 4"),
        (format!("{CHECKPOINT}\n"), "read x: it is not a capture but looks like JSON"),
        ("{\"kind\":\"List\"}\n".to_owned(), "read x: it is not a capture but looks like JSON"),
        (HEADER[..40].to_owned(), "read x: it ends inside the flow file header"),
    ];
    for (text, message) in rows {
        let error = read(text.as_bytes()).expect_err(&text);
        assert_eq!(error.to_string(), message, "{text}");
        assert!(!error.hint().is_empty());
    }
    // A line without an end must not be held whole.
    let endless = [HEADER.as_bytes(), b"\n", &vec![b'{'; 3 << 20]].concat();
    let (records, findings) = read(&endless).unwrap();
    assert_eq!(records.len(), 1);
    assert!(findings.iter().any(|(_, message)| message.contains("too long")), "{findings:?}");
}

#[test]
fn a_torn_file_gives_what_is_before_the_tear() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = fs::read(converted(folder.path())).unwrap();
    let (whole, findings) = read(&bytes).unwrap();
    assert!(whole.len() > 30 && findings.is_empty(), "{findings:?}");
    let mut lengths = std::collections::BTreeSet::new();
    for length in (40..bytes.len()).step_by(7) {
        let Ok((torn, findings)) = read(&bytes[..length]) else { continue };
        assert_eq!(torn, whole[..torn.len()], "cut to {length} bytes");
        assert!(findings.iter().any(|(code, _)| *code == Code::TruncatedFile), "cut to {length} bytes: {findings:?}");
        lengths.insert(torn.len());
    }
    assert!(lengths.len() >= 2, "a tear costs what is behind it, not what is before: {lengths:?}");
}

#[test]
fn payload_never_reaches_a_flow_file() {
    let folder = tempfile::tempdir().unwrap();
    let text = String::from_utf8(zstd::decode_all(&fs::read(converted(folder.path())).unwrap()[..]).unwrap()).unwrap();
    let capture = fs::read(root().join("captures/shop.pcap")).unwrap();
    for payload in ["HTTP/1.1", "Host:", "curl/", "nginx"] {
        let is_in = |haystack: &[u8]| haystack.windows(payload.len()).any(|window| window == payload.as_bytes());
        assert!(!is_in(text.as_bytes()), "{payload} is in the flow file");
        if payload == "HTTP/1.1" {
            assert!(is_in(&capture), "{payload} is in the capture");
        }
    }
}

#[test]
fn a_file_that_is_there_is_not_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = converted(folder.path());
    let before = fs::read(&path).unwrap();
    let result = run(&["capture", "--read", "captures/lab.pcap", "--output", path.to_str().unwrap()]);
    assert_eq!(result.status.code(), Some(2));
    let told = String::from_utf8(result.stderr).unwrap();
    assert!(told.contains("it is there already") && told.contains("hint: "), "{told}");
    assert_eq!(fs::read(&path).unwrap(), before);
}
