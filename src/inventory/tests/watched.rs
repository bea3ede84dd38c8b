//! Records of a watch in, who was who when out.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::*;
use crate::inventory::object::Body;
use crate::inventory::snapshot::Snapshot;

const HEADER: &str = r#"{"type":"HEADER","version":1,"tool":"t","server":"s","at":"2026-03-01T10:00:00.000001Z"}"#;
const END: &str = r#"{"type":"END","at":"2026-03-01T11:00:00.5Z"}"#;

fn record(kind: &str, time: &str, object: &Value) -> String {
    json!({"type": kind, "at": format!("2026-03-01T{time}Z"), "object": object}).to_string()
}

fn pod(name: &str, version: u32, address: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": "prod", "uid": name, "resourceVersion": version.to_string(),
            "creationTimestamp": "2026-03-01T10:00:00Z"},
        "spec": {"nodeName": "worker"},
        "status": {"phase": "Running", "startTime": "2026-03-01T10:00:00Z", "podIP": address},
    })
}

fn file(records: &[String]) -> String {
    format!("{HEADER}\n{}\n{END}\n", records.join("\n"))
}

fn read(text: &str) -> Snapshot {
    snapshot::read_bytes(text.as_bytes(), "watch").unwrap()
}

#[test]
fn a_pod_ends_when_it_is_gone_and_not_before() {
    let mut terminating = pod("a", 2, "10.0.0.1");
    // Half a minute of grace, of which it takes five seconds.
    terminating["metadata"]["deletionTimestamp"] = "2026-03-01T10:20:30Z".into();
    let text = file(&[
        record("ADDED", "10:10:00", &pod("a", 1, "10.0.0.1")),
        record("MODIFIED", "10:20:00", &terminating),
        record("DELETED", "10:20:05", &terminating),
    ]);
    let inventory = inventory(&[&text]);
    assert_eq!(inventory.pods()[0].until, at("10:20:05"));
    assert_eq!(who(&inventory, "10.0.0.1", "10:20:04"), "a", "it talks while it ends");
    assert_ne!(who(&inventory, "10.0.0.1", "10:20:31"), "a");
}

#[test]
fn an_address_that_changes_hands_within_a_watch_is_attributed_rightly() {
    let moved = pod("a", 5, "10.0.0.2");
    let mut later = pod("b", 9, "10.0.0.1");
    later["status"]["startTime"] = "2026-03-01T10:40:00Z".into();
    let text = file(&[
        record("ADDED", "10:10:00", &pod("a", 1, "10.0.0.1")),
        // Its node was rebooted: the same pod, another sandbox.
        record("MODIFIED", "10:30:00", &moved),
        record("MODIFIED", "10:35:00", &pod("a", 6, "10.0.0.2")),
        record("ADDED", "10:40:01", &later),
    ]);
    let inventory = inventory(&[&text]);
    let rows = [
        ("10.0.0.1", "10:20:00", "a"),
        ("10.0.0.2", "10:20:00", "Outside"),
        ("10.0.0.2", "10:29:55", "a"),
        ("10.0.0.2", "10:50:00", "a"),
        ("10.0.0.1", "10:35:00", "Outside"),
        ("10.0.0.1", "10:41:00", "b"),
    ];
    for (address, time, expected) in rows {
        let found = who(&inventory, address, time);
        // Ranges are guessed from two pods; an address that is nobody's is what matters here.
        let found = if found == "UnknownInCluster" { "Outside".to_owned() } else { found };
        assert_eq!(found, expected, "{address} at {time}");
    }
}

/// What a watch hears is late and never early: so it ends the doubt, and does not begin it.
#[test]
fn what_a_watch_hears_ends_the_doubt_about_an_address() {
    /// What it shows, the records, who had the address at which time; `?` where it cannot be told.
    type Row<'a> = (&'a str, Vec<String>, &'a [(&'a str, &'a str)]);
    let old = pod("old", 1, "10.0.0.1");
    let mut going = old.clone();
    going["metadata"]["deletionTimestamp"] = "2026-03-01T10:30:35Z".into();
    let mut over = old.clone();
    over["status"]["phase"] = "Succeeded".into();
    let mut pending = pod("new", 5, "");
    pending["status"] = json!({"phase": "Pending"});
    let mut new = pod("new", 6, "10.0.0.1");
    new["status"]["startTime"] = "2026-03-01T10:30:05Z".into();
    let mut started = new.clone();
    started["status"]["containerStatuses"] =
        json!([{"restartCount": 0, "state": {"running": {"startedAt": "2026-03-01T10:30:06Z"}}}]);
    let begin = record("ADDED", "10:10:00", &old);
    let told = record("MODIFIED", "10:30:04.5", &going);
    let gone = |time: &str| record("DELETED", time, &going);
    let comes = record("ADDED", "10:30:05.1", &pending);
    let has = |time: &str| record("MODIFIED", time, &started);
    let rows: Vec<Row> = vec![
        (
            "gone before the second in which the next one starts",
            vec![begin.clone(), told.clone(), gone("10:30:05.6"), comes.clone(), has("10:30:07")],
            &[("10:30:05.5", "old"), ("10:30:05.9", "old"), ("10:30:06", "new")],
        ),
        (
            "gone within that second",
            vec![begin.clone(), told.clone(), gone("10:30:06.25"), comes.clone(), has("10:30:07")],
            &[("10:30:05.9", "old"), ("10:30:06", "?"), ("10:30:06.249", "?"), ("10:30:06.25", "new"), ("10:30:06.9", "new")],
        ),
        (
            "the address of the next one is heard within that second, and the deletion later",
            vec![begin.clone(), told.clone(), comes.clone(), has("10:30:06.5"), gone("10:30:08")],
            &[("10:30:05.9", "old"), ("10:30:06", "?"), ("10:30:06.499", "?"), ("10:30:06.5", "new"), ("10:30:09", "new")],
        ),
        (
            "nobody was told to go: it may go on for a time",
            vec![begin.clone(), record("DELETED", "10:30:05.6", &old), comes.clone(), has("10:30:07")],
            &[("10:30:05.9", "old"), ("10:30:06", "?"), ("10:30:06.999", "?"), ("10:30:07", "new")],
        ),
        (
            "a pod that has ended need not be told to go",
            vec![
                begin.clone(),
                record("MODIFIED", "10:30:05.5", &over),
                record("DELETED", "10:30:05.6", &over),
                comes.clone(),
                has("10:30:07"),
            ],
            &[("10:30:05.5", "old"), ("10:30:06", "new")],
        ),
        (
            "without starts of containers",
            vec![begin.clone(), told.clone(), gone("10:30:05.6"), comes.clone(), record("MODIFIED", "10:30:07", &new)],
            &[("10:30:04.9", "old"), ("10:30:05", "?"), ("10:30:05.599", "?"), ("10:30:05.6", "new"), ("10:30:06", "new")],
        ),
        (
            "one that comes and goes between two others",
            vec![
                begin.clone(),
                told.clone(),
                gone("10:30:05.6"),
                comes.clone(),
                has("10:30:06.8"),
                record("DELETED", "10:30:08", &started),
                record("ADDED", "10:50:00", &{
                    let mut last = pod("last", 9, "10.0.0.1");
                    last["status"]["startTime"] = "2026-03-01T10:49:58Z".into();
                    last
                }),
            ],
            &[("10:30:05.9", "old"), ("10:30:06", "new"), ("10:30:08", "new"), ("10:50:01", "last")],
        ),
    ];
    for (message, records, expected) in rows {
        let inventory = inventory(&[&file(&records)]);
        for (time, expected) in expected {
            let owner = if inventory.candidates(address("10.0.0.1"), at(time)).is_empty() {
                who(&inventory, "10.0.0.1", time)
            } else {
                "?".to_owned()
            };
            assert_eq!(owner, *expected, "{message}: {time}");
        }
    }
}

#[test]
fn a_thousand_states_of_an_object_are_kept_as_one() {
    let mut history = History::default();
    let slice = |number: u32| {
        json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": {"name": "web-1", "namespace": "prod", "resourceVersion": number.to_string(),
                "labels": {"kubernetes.io/service-name": "web"}},
            "endpoints": [{"addresses": [format!("10.0.0.{}", number % 7)], "targetRef": {"kind": "Pod", "name": format!("p{}", number % 7)}}],
            "ports": [{"port": 80}],
        })
    };
    for number in 1..=1000 {
        let mut state = pod("a", number, "10.0.0.1");
        state["metadata"]["labels"] = json!({"number": number.to_string()});
        history.apply(Record::Modified { at: Timestamp::from_seconds(i64::from(number)), object: state });
        history.apply(Record::Modified { at: Timestamp::from_seconds(i64::from(number)), object: slice(number) });
    }
    let objects = history.conclude("watch").objects;
    assert_eq!(objects.len(), 2);
    let Body::Endpoints(endpoints) = &objects[0].body else { panic!("{objects:?}") };
    assert_eq!(endpoints.subsets.len(), 1, "endpoints are put together by their ports");
    assert_eq!(endpoints.subsets.first().unwrap().addresses.len(), 7, "all that ever were");
    assert_eq!(objects[1].metadata.labels["number"], "1000", "the last labels count");
}

#[test]
fn what_is_deleted_is_not_there_at_the_end() {
    let policy = json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"name": "old", "namespace": "prod"}, "spec": {"podSelector": {}}});
    let deployment = |name: &str| {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": "prod"},
            "spec": {"selector": {"matchLabels": {"app": name}}}})
    };
    let text = file(&[
        record("ADDED", "10:10:00", &pod("a", 1, "10.0.0.1")),
        record("ADDED", "10:10:00", &policy),
        record("DELETED", "10:20:00", &policy),
        record("ADDED", "10:10:00", &deployment("gone")),
        record("DELETED", "10:20:00", &deployment("gone")),
        record("ADDED", "10:10:00", &deployment("anew")),
        record("DELETED", "10:20:00", &deployment("anew")),
        record("ADDED", "10:20:01", &deployment("anew")),
    ]);
    let inventory = inventory(&[&text]);
    assert!(inventory.existing_policies().is_empty(), "what it allowed it does not allow any more");
    let names: Vec<&str> = inventory.workloads().iter().map(|workload| workload.name.name.as_str()).collect();
    assert_eq!(names, ["a", "anew"], "what will not have pods any more is no workload without traffic");
}

/// Pretty-printed, without times of its own, and cut.
#[test]
fn what_kubectl_prints_of_a_watch_is_read() {
    let mut text = String::new();
    for (kind, version) in [("ADDED", 1), ("MODIFIED", 2), ("BOOKMARK", 3), ("DELETED", 4)] {
        let mut object = pod("a", version, "10.0.0.1");
        object["metadata"]["deletionTimestamp"] = "2026-03-01T10:20:30Z".into();
        let _ = writeln!(text, "{:#}", json!({"type": kind, "object": object}));
    }
    let whole = inventory(&[&text]);
    assert_eq!(whole.pods()[0].until, at("10:20:30"), "the best there is");
    assert_eq!(found(&whole), found(&inventory(&[&file(&[record("ADDED", "10:00:00", &pod("a", 1, "10.0.0.1"))])])));
    let cut = inventory(&[&text[..text.len() - 10]]);
    assert!(found(&cut).contains(&(Code::TruncatedFile, "snapshot".to_owned())), "{:?}", found(&cut));
    assert_eq!(cut.pods().len(), 1);
}

#[test]
fn what_a_file_says_of_itself_is_found() {
    let text = file(&[
        record("ADDED", "10:10:00", &pod("a", 1, "10.0.0.1")),
        json!({"type": "GAP", "from": "2026-03-01T10:20:00Z", "until": "2026-03-01T10:21:00Z", "kinds": ["Pod"], "reason": "cut"})
            .to_string(),
        json!({"type": "GAP", "from": "2026-03-01T10:20:30Z", "until": "2026-03-01T10:22:00Z", "kinds": ["Job"], "reason": "cut"})
            .to_string(),
        json!({"type": "LEFT_OUT", "at": "2026-03-01T10:00:00Z", "kinds": ["Node"], "reason": "forbidden"}).to_string(),
        json!({"type": "LATER", "object": {}}).to_string(),
        json!({"type": "GAP", "from": "yesterday"}).to_string(),
        json!({"type": "ERROR", "object": {"kind": "Status", "message": "too old"}}).to_string(),
        json!({"type": "ADDED", "object": {"kind": "Pod"}}).to_string(),
    ]);
    let findings: Vec<(Code, String, String)> =
        read(&text).findings.sorted().into_iter().map(|finding| (finding.code, finding.subject, finding.message)).collect();
    let unreadable =
        |subject: &str, reason: &str| (Code::UnreadableObject, subject.to_owned(), format!("cannot be read: {reason} (watch)"));
    let expected = [
        (
            Code::InventoryGap,
            "Job, Pod".to_owned(),
            "changes between 2026-03-01T10:20:00.000Z and 2026-03-01T10:22:00.000Z were not seen as they happened: cut (watch)"
                .to_owned(),
        ),
        (Code::KindLeftOut, "Node".to_owned(), "is not in the inventory: forbidden (watch)".to_owned()),
        unreadable("object 9 of watch", "it has no name"),
        unreadable("record of type `ERROR`", "the watch ended with an error: too old"),
        unreadable("record of type `GAP`", "`yesterday` is not a time"),
        unreadable("record of type `LATER`", "records of this type are not known"),
    ];
    assert_eq!(findings, expected);
}

#[test]
fn a_watch_without_an_end_was_stopped() {
    let object = record("ADDED", "10:10:00", &pod("a", 1, "10.0.0.1"));
    let stopped = read(&format!("{HEADER}\n{object}\n"));
    assert_eq!(stopped.findings.sorted()[0].message, "has no end, after 2 records");
    let twice = format!("{}{}", file(&[]), file(&[object]));
    assert_eq!(read(&twice).findings, Findings::default(), "two files in one");
    assert_eq!(read(&twice).objects.len(), 1);
}

/// What is written is what is read: every type, with its times.
#[test]
fn records_are_read_as_they_were_meant() {
    let instant = Timestamp(1_772_359_200_123_456_000);
    let gap = Gap { from: instant, until: instant.plus(9_000), kinds: ["Pod".to_owned()].into(), reason: "r".to_owned() };
    let object = pod("a", 1, "10.0.0.1");
    let records = [
        Record::Header { version: VERSION, tool: "t".into(), server: "s".into(), at: instant },
        Record::Added { at: instant, object: object.clone() },
        Record::Modified { at: instant, object: object.clone() },
        Record::Gap(gap),
        Record::LeftOut { at: instant, kinds: ["Node".to_owned()].into(), reason: "r".into() },
        Record::Deleted { at: instant.plus(3_000), object },
        Record::End { at: instant },
    ];
    let mut history = History::default();
    let mut text = String::new();
    for record in records {
        let _ = writeln!(text, "{}", serde_json::to_string(&record).unwrap());
        history.apply(record);
    }
    assert!(
        text.starts_with(r#"{"type":"HEADER","version":1,"tool":"t","server":"s","at":"2026-03-01T10:00:00.123456Z"}"#),
        "{text}"
    );
    let read = read(&text);
    assert_eq!(read, history.conclude("watch"));
    assert_eq!(read.objects[0].metadata.deleted, Some(instant.plus(3_000)), "to the microsecond");
    assert_eq!(read.findings.sorted().len(), 2);
}
