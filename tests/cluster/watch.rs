//! A watch, and what may happen to it.

use std::collections::BTreeSet;
use std::fs;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use netpol_gen::cluster::{Access, ClusterError, LeftOutReason, RESOURCES, Resource, Watch, WatchReport};
use netpol_gen::inventory::{Gap, History, Identity, Inventory, InventoryBuilder, InventoryOptions, Record};
use netpol_gen::model::{Code, Timestamp};
use serde_json::{Value, json};

use crate::api::{Answer, kubeconfig, list};
use crate::live::{Live, granted, is_watch, until};
use crate::{Place, USER};

const PODS: &str = "/api/v1/pods";
const JOBS: &str = "/apis/batch/v1/jobs";
const INGRESSES: &str = "/apis/networking.k8s.io/v1/ingresses";

/// All other times are parts of it: here gaps from a third of a second on are told.
const PATIENCE: Duration = Duration::from_secs(4);

/// A watch and what it told.
struct Heard {
    watch: Watch,
    records: Arc<Mutex<Vec<Record>>>,
    place: Place,
}

impl Heard {
    fn start(live: &Live) -> Self {
        Self::try_start(live, PATIENCE).unwrap()
    }

    fn try_start(live: &Live, patience: Duration) -> Result<Self, ClusterError> {
        let place = Place::new(&live.kubeconfig(USER));
        let records = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&records);
        let access = Access { kubeconfig: Some(place.path("config")), context: None, patience };
        let watch = Watch::start(&access, move |record| shared.lock().unwrap().push(record))?;
        Ok(Self { watch, records, place })
    }

    fn records(&self) -> Vec<Record> {
        self.records.lock().unwrap().clone()
    }

    /// What was told of the objects of this name: `ADDED`, ….
    fn told(&self, name: &str) -> Vec<&'static str> {
        let of = |object: &Value, word| (object["metadata"]["name"] == name).then_some(word);
        let word = |record: &Record| match record {
            Record::Added { object, .. } => of(object, "ADDED"),
            Record::Modified { object, .. } => of(object, "MODIFIED"),
            Record::Deleted { object, .. } => of(object, "DELETED"),
            _ => None,
        };
        self.records().iter().filter_map(word).collect()
    }

    fn wait_for(&self, name: &str, expected: &[&str]) {
        until(&format!("{name}: {expected:?}"), || self.told(name) == expected);
    }

    fn stop(self) -> (WatchReport, Vec<Record>) {
        let begin = Instant::now();
        let report = self.watch.stop();
        assert!(begin.elapsed() < Duration::from_secs(1), "stopped after {:?}", begin.elapsed());
        let records = self.records.lock().unwrap().clone();
        assert!(matches!(records.first(), Some(Record::Header { version: 1, .. })), "{:?}", records.first());
        assert!(matches!(records.last(), Some(Record::End { .. })), "{:?}", records.last());
        let gaps = records.iter().filter_map(|record| if let Record::Gap(gap) = record { Some(gap.clone()) } else { None });
        assert_eq!(Gap::merged(gaps.collect()), report.gaps, "the records tell what the report tells");
        (report, records)
    }
}

fn inventory(records: Vec<Record>) -> Inventory {
    let mut history = History::default();
    for record in records {
        history.apply(record);
    }
    let mut builder = InventoryBuilder::new();
    builder.apply_snapshot(history.conclude("watch"));
    builder.build(&InventoryOptions::default())
}

fn now() -> Timestamp {
    Timestamp(i64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap())
}

/// A pod of a Job of its own, that began now.
fn pod(name: &str, address: &str) -> Value {
    let begun = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    json!({
        "metadata": {"name": name, "namespace": "prod", "uid": format!("uid-of-{name}"), "labels": {"job": name},
            "creationTimestamp": begun, "managedFields": [],
            "ownerReferences": [{"apiVersion": "batch/v1", "kind": "Job", "name": format!("job-{name}"), "controller": true}]},
        "spec": {"nodeName": "worker", "containers": [{"name": "main", "env": [{"name": "PASSWORD", "value": "secret"}]}]},
        "status": {"phase": "Running", "startTime": begun, "podIP": address, "podIPs": [{"ip": address}]},
    })
}

/// The kinds that the shop's cluster has; it has none of a platform.
fn served() -> impl Iterator<Item = &'static Resource> {
    RESOURCES.iter().filter(|kind| super::api::is_served(&kind.path()))
}

#[test]
fn the_role_grants_what_is_asked_for_and_nothing_else() {
    let asked: BTreeSet<(String, String, String)> = RESOURCES
        .iter()
        .flat_map(|kind| ["list", "watch"].map(|verb| (kind.group.to_owned(), kind.plural.to_owned(), verb.to_owned())))
        .collect();
    assert_eq!(granted(), asked);
}

#[test]
fn everything_is_listed_and_then_what_changes_is_told() {
    let live = Live::shop();
    let heard = Heard::start(&live);
    assert_eq!(heard.watch.endpoint(), ("127.0.0.1".to_owned(), live.address().port()));
    let added = |record: &&Record| matches!(record, Record::Added { .. });
    assert_eq!(heard.records().iter().filter(added).count(), 36, "all objects are told before the start returns");

    live.apply(PODS, pod("a", "10.244.9.1"));
    heard.wait_for("a", &["ADDED"]);
    // A change of nothing that is kept, and then one that counts.
    let mut changed = pod("a", "10.244.9.1");
    changed["status"]["message"] = "a word".into();
    live.apply(PODS, changed.clone());
    changed["metadata"]["labels"]["more"] = "yes".into();
    live.apply(PODS, changed);
    live.bookmark(PODS);
    heard.wait_for("a", &["ADDED", "MODIFIED"]);
    live.delete(PODS, "prod", "a");
    heard.wait_for("a", &["ADDED", "MODIFIED", "DELETED"]);

    for kind in served() {
        let requests = live.requests(&kind.path());
        let (watches, lists): (Vec<_>, Vec<_>) = requests.iter().partition(|request| is_watch(request));
        assert_eq!((lists.len(), watches.len()), (1, 1), "{}", kind.plural);
        assert_eq!(watches[0].query["allowWatchBookmarks"], "true");
        assert_eq!(watches[0].query["resourceVersion"], "1000000", "from the list on");
        assert!(watches[0].query["timeoutSeconds"].parse::<u32>().unwrap() >= 240, "{:?}", watches[0].query);
    }
    assert_eq!(heard.watch.silent_since(), None);
    let (report, records) = heard.stop();
    assert_eq!(report, WatchReport { events: 39, ..WatchReport::default() });
    assert!(!serde_json::to_string(&records).unwrap().contains("secret"), "objects are narrowed");
}

/// A Job's pod, there for a moment; the next one gets its address at once.
#[test]
fn a_pod_that_was_there_for_a_moment_is_attributed() {
    let live = Live::shop();
    let heard = Heard::start(&live);
    let address = "10.244.9.7";
    live.apply(JOBS, json!({"metadata": {"name": "job-first", "namespace": "prod", "uid": "j1"}, "spec": {}}));
    live.apply(PODS, pod("first", address));
    let first = now();
    let mut told_to_go = pod("first", address);
    told_to_go["metadata"]["deletionTimestamp"] = told_to_go["metadata"]["creationTimestamp"].clone();
    live.apply(PODS, told_to_go);
    live.delete(PODS, "prod", "first");
    live.delete(JOBS, "prod", "job-first");
    heard.wait_for("first", &["ADDED", "MODIFIED", "DELETED"]);
    // Times of objects are in whole seconds, and the second pod's must be later.
    let begun = Instant::now();
    until("a second is over", || begun.elapsed() > Duration::from_millis(1100));
    live.apply(PODS, pod("second", address));
    let second = now();
    heard.wait_for("second", &["ADDED"]);

    let (_, records) = heard.stop();
    let inventory = inventory(records);
    let who = |at| match inventory.identify(address.parse().unwrap(), at) {
        Identity::Pod(id) => inventory.workload(inventory.pod(id).workload).name.name.clone(),
        other => format!("{other:?}"),
    };
    assert_eq!((who(first).as_str(), who(second).as_str()), ("job-first", "job-second"));
}

#[test]
fn a_connection_that_is_cut_is_resumed_where_it_was() {
    let live = Live::shop();
    let heard = Heard::start(&live);
    until("it is watched", || live.watching(PODS) == 1);
    let last = live.apply(PODS, pod("a", "10.244.9.1"));
    heard.wait_for("a", &["ADDED"]);
    live.cut();
    live.apply(PODS, pod("b", "10.244.9.2"));
    live.delete(PODS, "prod", "a");
    heard.wait_for("b", &["ADDED"]);
    heard.wait_for("a", &["ADDED", "DELETED"]);
    assert_eq!(live.lists(PODS), 1, "nothing was listed anew");
    let resumed = live.requests(PODS).into_iter().filter(is_watch).nth(1).unwrap();
    assert_eq!(resumed.query["resourceVersion"], last.to_string());
    assert_eq!(heard.stop().0.relists, 0);
}

#[test]
fn bookmarks_keep_a_quiet_watch_from_expiring() {
    let live = Live::shop();
    let heard = Heard::start(&live);
    until("it is watched", || live.watching(PODS) == 1 && live.watching(JOBS) == 1);
    live.bookmark(PODS);
    // Told after the bookmark, over the same connection.
    live.apply(PODS, pod("a", "10.244.9.1"));
    heard.wait_for("a", &["ADDED"]);
    live.bookmark(PODS);
    live.compact(false);
    // A quiet kind has lost its place, the bookmarked one has not if the bookmark has come: the next event tells.
    live.apply(PODS, pod("b", "10.244.9.2"));
    heard.wait_for("b", &["ADDED"]);
    live.cut();
    until("all are back", || live.watches(PODS) >= 2 && live.lists(JOBS) == 2 && live.watching(JOBS) == 1);
    assert_eq!(live.lists(PODS), 1);
    heard.stop();
}

#[test]
fn what_expired_is_listed_anew_and_what_is_not_there_any_more_is_deleted() {
    for by_event in [false, true] {
        let live = Live::shop();
        live.apply(PODS, pod("before", "10.244.9.1"));
        live.apply(PODS, pod("again", "10.244.9.2"));
        let heard = Heard::start(&live);
        until("it is watched", || live.watching(PODS) == 1);
        live.set_down(true);
        live.delete(PODS, "prod", "before");
        live.delete(PODS, "prod", "again");
        let mut again = pod("again", "10.244.9.3");
        again["metadata"]["uid"] = "another".into();
        live.apply(PODS, again);
        live.apply(PODS, pod("after", "10.244.9.4"));
        live.compact(by_event);
        live.set_down(false);
        heard.wait_for("after", &["ADDED"]);
        heard.wait_for("before", &["ADDED", "DELETED"]);
        heard.wait_for("again", &["ADDED", "DELETED", "ADDED"]);
        live.apply(PODS, pod("later", "10.244.9.5"));
        heard.wait_for("later", &["ADDED"]);
        let (report, records) = heard.stop();
        assert!(report.relists >= 1, "{report:?}");
        let deleted = records.iter().find_map(|record| match record {
            Record::Deleted { object, .. } if object["metadata"]["name"] == "before" => Some(object),
            _ => None,
        });
        assert_eq!(deleted.unwrap()["status"]["podIP"], "10.244.9.1", "as it was last seen");
    }
}

#[test]
fn a_time_without_the_api_is_survived_and_told() {
    let live = Live::shop();
    let heard = Heard::start(&live);
    until("it is watched", || served().all(|kind| live.watching(&kind.path()) == 1));
    let before = now();
    live.set_down(true);
    live.apply(PODS, pod("meanwhile", "10.244.9.1"));
    let is_long = |since: Timestamp| now().since(since) > 1_500_000_000;
    until("it is missed", || heard.watch.silent_since().is_some_and(is_long));
    live.set_down(false);
    heard.wait_for("meanwhile", &["ADDED"]);
    until("all are back", || heard.watch.silent_since().is_none());
    let after = now();
    let (report, records) = heard.stop();
    assert_eq!(report.gaps.len(), 1, "one for all kinds: {:?}", report.gaps);
    let gap = &report.gaps[0];
    assert!(before <= gap.from && gap.until <= after && gap.until.since(gap.from) > 500_000_000, "{gap:?}");
    assert_eq!(gap.kinds.len(), served().count(), "{gap:?}");
    let findings = inventory(records).findings().sorted();
    let finding = findings.iter().find(|finding| finding.code == Code::InventoryGap).unwrap();
    assert!(finding.message.starts_with(&format!("changes between {} and {} were not seen", gap.from, gap.until)), "{finding:?}");
}

#[test]
fn an_answer_of_any_kind_is_survived() {
    let rows: [fn() -> Answer; 5] = [
        || Answer::refusal(500, "InternalError", "etcdserver: no leader"),
        || Answer::refusal(429, "TooManyRequests", "slow down"),
        || Answer::refusal(403, "Forbidden", "not now"),
        || Answer::new(200, "<html>\n</html>\n"),
        || Answer::new(502, "<html>Bad Gateway</html>"),
    ];
    for answer in rows {
        let live = Live::shop();
        let heard = Heard::start(&live);
        until("it is watched", || live.watching(PODS) == 1);
        live.answer_instead(move |request| (request.path == PODS).then(answer));
        live.cut();
        live.apply(PODS, pod("meanwhile", "10.244.9.1"));
        let seen = live.watches(PODS) + live.lists(PODS);
        until("it was asked again and again", || live.watches(PODS) + live.lists(PODS) >= seen + 3);
        live.answer_instead(|_| None);
        heard.wait_for("meanwhile", &["ADDED"]);
        heard.stop();
    }
}

#[test]
fn a_token_that_is_replaced_is_read_anew() {
    let live = Live::shop();
    let heard = Heard::start(&live);
    until("it is watched", || live.watching(PODS) == 1);
    live.set_token("new");
    live.cut();
    live.apply(PODS, pod("meanwhile", "10.244.9.1"));
    until("the old token is refused", || heard.watch.silent_since().is_some());
    fs::write(heard.place.path("config"), live.kubeconfig("{token: new}")).unwrap();
    heard.wait_for("meanwhile", &["ADDED"]);
    heard.stop();
}

/// `kubectl config use-context` while the watch goes on.
#[test]
fn another_cluster_is_never_mixed_in() {
    let live = Live::shop();
    let other = Live::shop();
    let heard = Heard::start(&live);
    until("it is watched", || live.watching(PODS) == 1);
    fs::write(heard.place.path("config"), other.kubeconfig(USER)).unwrap();
    live.set_token("new");
    live.cut();
    let seen = live.watches(PODS);
    until("it was tried for a time", || live.watches(PODS) >= seen + 6);
    assert!(other.requests(PODS).is_empty());
    heard.stop();
}

#[test]
fn a_line_that_cannot_be_read_leads_to_a_new_list() {
    for line in ["{\"type\": \"ADDED\", \"object\"", "{\"type\": \"WHAT\", \"object\": {}}", "<html>", "[]"] {
        let live = Live::shop();
        let heard = Heard::start(&live);
        until("it is watched", || live.watching(PODS) == 1);
        live.apply(PODS, pod("before", "10.244.9.1"));
        heard.wait_for("before", &["ADDED"]);
        live.say(PODS, line);
        until(line, || live.lists(PODS) == 2);
        live.apply(PODS, pod("after", "10.244.9.2"));
        heard.wait_for("after", &["ADDED"]);
        assert_eq!(heard.told("before"), ["ADDED"], "told once");
        let (report, _) = heard.stop();
        assert_eq!((report.garbled, report.relists), (1, 1), "{line}");
    }
}

/// No one said that the connection is dead: a firewall forgot it.
#[test]
fn a_watch_that_falls_silent_is_begun_anew() {
    let live = Live::shop();
    let heard = Heard::try_start(&live, Duration::from_secs(6)).map_err(|error| error.to_string()).unwrap();
    until("it is watched", || live.watching(PODS) == 1);
    until("all are watched", || served().all(|kind| live.watching(&kind.path()) == 1));
    live.forget_watches();
    live.apply(PODS, pod("meanwhile", "10.244.9.1"));
    heard.wait_for("meanwhile", &["ADDED"]);
    until("all are watched anew", || served().all(|kind| live.watches(&kind.path()) >= 2));
    assert_eq!(live.lists(PODS), 1, "resumed, not begun anew");
    let (report, _) = heard.stop();
    let [gap] = &report.gaps[..] else { panic!("{:?}", report.gaps) };
    let pods = BTreeSet::from(["Pod".to_owned()]);
    assert_eq!((&gap.kinds, gap.reason.as_str()), (&pods, "events came late"), "of the others nothing was missed");
}

#[test]
fn what_stops_it_stops_it_at_the_start() {
    type Row = (&'static str, fn(&Live), fn(&ClusterError) -> bool);
    let rows: [Row; 6] = [
        ("401", |live| live.set_token("other"), |error| matches!(error, ClusterError::Unauthorized { .. })),
        (
            "403 for a list that is needed",
            |live| live.answer_instead(|request| (request.path == PODS).then(|| Answer::refusal(403, "Forbidden", "no"))),
            |error| matches!(error, ClusterError::Forbidden { resource, .. } if resource.kind == "Pod"),
        ),
        (
            "403 for a watch that is needed",
            |live| {
                live.answer_instead(|request| {
                    (request.path == PODS && is_watch(request)).then(|| Answer::refusal(403, "Forbidden", "no"))
                });
            },
            |error| matches!(error, ClusterError::Forbidden { resource, .. } if resource.kind == "Pod"),
        ),
        (
            "500",
            |live| live.answer_instead(|request| (request.path == JOBS).then(|| Answer::refusal(500, "InternalError", "no"))),
            |error| matches!(error, ClusterError::Refused { status: 500, .. }),
        ),
        (
            "malformed",
            |live| live.answer_instead(|request| (request.path == JOBS).then(|| Answer::new(200, "{"))),
            |error| matches!(error, ClusterError::Malformed { .. }),
        ),
        ("down", |live| live.set_down(true), |error| matches!(error, ClusterError::Unreachable { .. })),
    ];
    for (case, prepare, is_expected) in rows {
        let live = Live::shop();
        prepare(&live);
        let Err(error) = Heard::try_start(&live, PATIENCE) else { panic!("{case}: it began") };
        assert!(is_expected(&error), "{case}: {error}");
        assert!(!error.hint().is_empty(), "{case}");
    }
    let live = Live::shop();
    live.set_mute(true);
    let begin = Instant::now();
    let Err(error) = Heard::try_start(&live, Duration::from_millis(400)) else { panic!("it began") };
    assert!(matches!(error, ClusterError::TimedOut { .. }) && begin.elapsed() < PATIENCE, "{error}");
    let place = Place::new(&kubeconfig("http://127.0.0.1:1", USER));
    let access = Access { kubeconfig: Some(place.path("config")), ..Access::default() };
    assert!(matches!(Watch::start(&access, |_| {}), Err(ClusterError::Unreachable { .. })));
}

#[test]
fn kinds_that_may_not_be_read_are_left_out_and_told() {
    let live = Live::shop();
    live.answer_instead(|request| match request.path.as_str() {
        INGRESSES => Some(Answer::refusal(403, "Forbidden", "ingresses is forbidden")),
        path if path.ends_with("/servicecidrs") => Some(Answer::new(404, "404 page not found")),
        JOBS if is_watch(request) => Some(Answer::refusal(403, "Forbidden", "cannot watch jobs")),
        _ => None,
    });
    let heard = Heard::start(&live);
    until("jobs are missed", || heard.watch.silent_since().is_some_and(|since| now().since(since) > 600_000_000));
    let (report, records) = heard.stop();
    let left_out: Vec<_> = report.left_out.iter().map(|left_out| (left_out.resource.kind, left_out.reason.clone())).collect();
    let forbidden = LeftOutReason::Forbidden { message: "ingresses is forbidden".to_owned() };
    assert_eq!(left_out, [("Ingress", forbidden)]);
    assert_eq!(report.gaps.len(), 1);
    assert!(report.gaps[0].reason.contains("cannot watch jobs"), "{:?}", report.gaps);
    let inventory = inventory(records);
    let told: Vec<(Code, String)> =
        inventory.findings().sorted().into_iter().map(|finding| (finding.code, finding.subject)).collect();
    assert!(told.contains(&(Code::KindLeftOut, "Ingress".to_owned())), "{told:?}");
    assert!(told.contains(&(Code::InventoryGap, "Job".to_owned())), "{told:?}");
    assert!(!told.iter().any(|(_, subject)| subject.contains("ServiceCIDR")), "clusters may lack it: {told:?}");
}

#[test]
fn it_ends_at_once_also_while_the_api_does_not_answer() {
    let live = Live::shop();
    let heard = Heard::start(&live);
    until("it is watched", || live.watching(PODS) == 1);
    live.set_mute(true);
    live.cut();
    let seen = live.watches(PODS);
    until("it waits for an answer", || live.watches(PODS) > seen);
    heard.stop();
    let live = Live::shop();
    drop(Heard::start(&live));
    live.apply(PODS, pod("a", "10.244.9.1"));
    until("a dropped watch ends too", || {
        live.bookmark(PODS);
        live.watching(PODS) == 0
    });
}

#[test]
fn an_empty_cluster_may_be_watched() {
    let live = Live::shop();
    live.answer_instead(|request| (request.path == PODS && !is_watch(request)).then(|| list("Pod", &[], "")));
    let place = Place::new(&live.kubeconfig(USER));
    let access = Access { kubeconfig: Some(place.path("config")), ..Access::default() };
    let report = Watch::start(&access, |_| {}).map(Watch::stop);
    assert!(report.is_ok());
}
