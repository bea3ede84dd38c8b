//! Whose an address was while it went from one pod to the next.

use std::fmt::Write as _;

use super::*;

/// A pod at 10.244.1.5. Times are of 2026-03-01; `status` is what is in its status beside its address.
#[derive(Clone, Copy)]
struct Shown<'a> {
    app: &'a str,
    deletion: &'a str,
    phase: &'a str,
    start: &'a str,
    containers: &'a str,
    init: &'a str,
}

const RUNNING: Shown = Shown { app: "", deletion: "", phase: "Running", start: "", containers: "", init: "" };

fn running(start: &str) -> String {
    format!("{{state: {{running: {{startedAt: '2026-03-01T{start}Z'}}}}}}")
}

fn ended(start: &str, end: &str) -> String {
    format!("{{state: {{terminated: {{startedAt: '2026-03-01T{start}Z', finishedAt: '2026-03-01T{end}Z'}}}}}}")
}

/// Of a container that was restarted so often; its last two starts.
fn restarted(count: u32, before: &str, start: &str) -> String {
    format!(
        "{{restartCount: {count}, lastState: {{terminated: {{startedAt: '{before}'}}}}, \
         state: {{running: {{startedAt: '2026-03-01T{start}Z'}}}}}}"
    )
}

impl Shown<'_> {
    fn yaml(&self, name: &str) -> String {
        let Self { app, deletion, phase, start, containers, init } = self;
        let time = |member: &str, time: &str| {
            if time.is_empty() { String::new() } else { format!(", {member}: '2026-03-01T{time}Z'") }
        };
        let mut text = String::from("kind: Pod\n");
        let owner = "ownerReferences: [{kind: StatefulSet, controller: true, name: ";
        let _ = writeln!(
            text,
            "metadata: {{name: {name}, namespace: prod, uid: {name}, {owner}{app}}}]{}}}",
            time("deletionTimestamp", deletion)
        );
        let _ = writeln!(
            text,
            "status: {{podIP: 10.244.1.5, phase: {phase}{}, containerStatuses: [{containers}], initContainerStatuses: [{init}]}}",
            time("startTime", start)
        );
        text
    }
}

const NODE: &str = "kind: Node\nmetadata: {name: worker-1}\nspec: {podCIDR: 10.244.1.0/24}\n---\n";

/// `?` where it cannot be told, `-` for nobody.
fn owner(inventory: &Inventory, time: &str) -> String {
    let candidates = inventory.candidates(address("10.244.1.5"), at(time));
    let name = who(inventory, "10.244.1.5", time);
    if !candidates.is_empty() {
        assert_eq!((name.as_str(), candidates.len()), ("UnknownInCluster", 2), "at {time}");
        return "?".to_owned();
    }
    if name == "UnknownInCluster" { "-".to_owned() } else { name }
}

/// The old pod is in one snapshot, the new one in a later.
fn check(rows: &[Row]) {
    for (message, old, new, expected) in rows {
        let inventory = inventory(&[&format!("{NODE}{}", old.yaml("old")), &new.yaml("new")]);
        for (time, expected) in *expected {
            assert_eq!(owner(&inventory, time), *expected, "{message}: {time}");
        }
        assert!(!found(&inventory).iter().any(|(code, _)| *code == Code::AddressClaimedTwice), "{message}");
    }
}

/// What it shows, the two pods, who had the address at which time.
type Row<'a> = (&'a str, Shown<'a>, Shown<'a>, &'a [(&'a str, &'a str)]);

#[test]
fn an_address_is_nobodys_in_the_second_in_which_the_next_pod_starts() {
    let from_ten = running("10:00:00");
    let old = Shown { app: "old", start: "10:00:00", containers: &from_ten, ..RUNNING };
    let new = Shown { app: "new", start: "10:10:02", ..RUNNING };
    let (started, init) = (running("10:10:05"), ended("10:10:03", "10:10:04"));
    let waiting = "{state: {waiting: {reason: ContainerCreating}}}";
    let once = restarted(1, "2026-03-01T10:10:05Z", "10:20:00");
    let failed_once = restarted(1, "1970-01-01T00:00:00Z", "10:10:05");
    let forgotten = restarted(1, "", "10:20:00");
    let often = restarted(7, "2026-03-01T10:15:00Z", "10:20:00");
    check(&[
        (
            "its first container's start tells",
            old,
            Shown { containers: &started, ..new },
            &[
                ("10:10:01.9", "old"),
                ("10:10:02", "old"),
                ("10:10:04.999999999", "old"),
                ("10:10:05", "?"),
                ("10:10:05.999999999", "?"),
                ("10:10:06", "new"),
            ],
        ),
        (
            "an init container is the first",
            old,
            Shown { containers: &started, init: &init, ..new },
            &[("10:10:02.9", "old"), ("10:10:03", "?"), ("10:10:03.9", "?"), ("10:10:04", "new"), ("10:10:05.5", "new")],
        ),
        (
            "an init container is the first, whatever others were restarted",
            old,
            Shown { containers: &often, init: &init, ..new },
            &[("10:10:02.9", "old"), ("10:10:03", "?"), ("10:10:04", "new")],
        ),
        (
            "restarted once: both starts are told",
            old,
            Shown { containers: &once, ..new },
            &[("10:10:04.9", "old"), ("10:10:05", "?"), ("10:10:06", "new"), ("10:15:00", "new")],
        ),
        (
            "the first start failed, which is told as 1970",
            old,
            Shown { containers: &failed_once, ..new },
            &[("10:00:30", "old"), ("10:10:04.9", "old"), ("10:10:05", "?"), ("10:10:06", "new")],
        ),
        (
            "restarted often: no start tells, and the sandbox takes a moment",
            old,
            Shown { containers: &often, ..new },
            &[("10:10:01.9", "old"), ("10:10:02", "?"), ("10:10:04.9", "?"), ("10:10:05", "new"), ("10:14:00", "new")],
        ),
        (
            "restarted once, and the first start is forgotten",
            old,
            Shown { containers: &forgotten, ..new },
            &[("10:10:01.9", "old"), ("10:10:02", "?"), ("10:10:05", "new"), ("10:14:00", "new")],
        ),
        (
            "not started yet when it was seen",
            old,
            Shown { containers: waiting, ..new },
            &[("10:10:01.9", "old"), ("10:10:02", "?"), ("10:10:04.9", "?"), ("10:10:05", "new")],
        ),
        ("nothing but the start of the pod", old, new, &[("10:10:01.9", "old"), ("10:10:02", "?"), ("10:10:05", "new")]),
    ]);
}

#[test]
fn an_address_is_the_next_pods_alone_when_the_one_before_is_certainly_gone() {
    let from_ten = running("10:00:00");
    let started = running("10:10:05");
    let old = Shown { app: "old", start: "10:00:00", containers: &from_ten, ..RUNNING };
    let new = Shown { app: "new", start: "10:10:02", containers: &started, ..RUNNING };
    let job_before = ended("10:00:00", "10:10:04");
    let job_within = ended("10:00:00", "10:10:05");
    let short = ended("10:10:05", "10:10:05");
    check(&[
        (
            "the old one ended in the second before",
            Shown { phase: "Succeeded", containers: &job_before, ..old },
            new,
            &[("10:10:04.9", "old"), ("10:10:05", "new"), ("10:10:05.9", "new")],
        ),
        (
            "the old one ended in the same second",
            Shown { phase: "Succeeded", containers: &job_within, ..old },
            new,
            &[("10:10:04.9", "old"), ("10:10:05", "?"), ("10:10:05.9", "?"), ("10:10:06", "new")],
        ),
        (
            "the old one was to be gone long before",
            Shown { deletion: "10:09:00", ..old },
            new,
            &[("10:09:05", "old"), ("10:09:30", "-"), ("10:10:04.9", "new"), ("10:10:05", "new")],
        ),
        (
            "the old one was to be gone just before, which may take a little longer",
            Shown { deletion: "10:10:03", ..old },
            new,
            &[("10:10:04.9", "old"), ("10:10:05", "?"), ("10:10:06", "new")],
        ),
        (
            "the old one had time to go that it did not use",
            Shown { deletion: "10:10:31", ..old },
            new,
            &[("10:10:04.9", "old"), ("10:10:05", "?"), ("10:10:06", "new"), ("10:10:32", "new")],
        ),
        (
            "the new one comes and goes within the second",
            old,
            Shown { phase: "Succeeded", containers: &short, ..new },
            &[("10:10:04.9", "old"), ("10:10:05", "?"), ("10:10:06", "new"), ("10:10:20", "-")],
        ),
        (
            "one of the same workload follows",
            Shown { app: "same", ..old },
            Shown { app: "same", ..new },
            &[("10:10:04.9", "old"), ("10:10:05", "new"), ("10:10:05.9", "new")],
        ),
    ]);
}

/// Whom nobody else's claim stands against has the address from its start to its end, and a moment more on either side.
#[test]
fn a_pod_that_comes_and_goes_within_a_second_has_its_address() {
    let short = ended("10:10:05", "10:10:05");
    let job = Shown { app: "job", start: "10:10:04", phase: "Succeeded", containers: &short, ..RUNNING };
    let inventory = inventory(&[&format!("{NODE}{}", job.yaml("job"))]);
    let rows = [
        ("10:10:01.9", "-"),
        ("10:10:02", "job"),
        ("10:10:04.5", "job"),
        ("10:10:05", "job"),
        ("10:10:05.7", "job"),
        ("10:10:15", "job"),
        ("10:10:15.1", "-"),
    ];
    for (time, expected) in rows {
        assert_eq!(owner(&inventory, time), expected, "{time}");
    }
}

/// Three within two seconds: it may be any two of them, and it is said which.
#[test]
fn more_than_two_may_follow_one_another_at_once() {
    let from_ten = running("10:00:00");
    let (short, last) = (ended("10:10:05", "10:10:05"), running("10:10:05"));
    let pods = [
        Shown { app: "a", start: "10:00:00", containers: &from_ten, ..RUNNING }.yaml("a"),
        Shown { app: "b", start: "10:10:05", phase: "Succeeded", containers: &short, ..RUNNING }.yaml("b"),
        Shown { app: "a", start: "10:10:05", containers: &last, ..RUNNING }.yaml("c"),
    ];
    let inventory = inventory(&[NODE, &pods[0], &pods[1], &pods[2]]);
    let names = |time: &str| -> Vec<String> {
        inventory.candidates(address("10.244.1.5"), at(time)).iter().map(|id| inventory.pod(*id).name.name.clone()).collect()
    };
    assert_eq!(names("10:10:04.9"), [""; 0]);
    assert_eq!(names("10:10:05.5"), ["a", "b", "c"]);
    assert_eq!(names("10:10:06"), [""; 0]);
    assert_eq!(who(&inventory, "10.244.1.5", "10:10:04.9"), "a");
    assert_eq!(who(&inventory, "10.244.1.5", "10:10:06"), "c");
}
