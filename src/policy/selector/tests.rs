//! Pods in, selectors out.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::inventory::{InventoryBuilder, InventoryOptions};

fn pod(name: &str, owner: (&str, &str), labels: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "n", "name": name, "labels": labels,
        "ownerReferences": [{"kind": owner.0, "name": owner.1, "controller": true}]},
        "status": {"podIP": "10.244.1.9"}})
}

/// The selectors of these pods' workloads, as `kubectl get -l` takes them; `?` before one that is not exact.
fn selectors(pods: &[Value]) -> BTreeMap<String, String> {
    selectors_within(pods, Budget::STEPS)
}

fn selectors_within(pods: &[Value], steps: u64) -> BTreeMap<String, String> {
    let mut builder = InventoryBuilder::new();
    for pod in pods {
        builder.apply_value(pod.clone());
    }
    let text = |selection: Selection| match selection {
        Selection::Exact(selector) => selector.to_string(),
        Selection::Broad(selector, _) => format!("?{selector}"),
        Selection::Impossible => "impossible".into(),
        Selection::TooCostly => "too costly".into(),
    };
    let all = select_within(&builder.build(&InventoryOptions::default()), steps);
    all.into_iter().map(|(name, selection)| (format!("{}/{}", name.kind.0, name.name), text(selection))).collect()
}

#[test]
fn controllers_with_the_same_labels_are_told_apart_by_what_they_add() {
    let found = selectors(&[
        pod("web-abc-1", ("ReplicaSet", "web-abc"), &json!({"app": "web", "pod-template-hash": "abc"})),
        pod("web-0", ("StatefulSet", "web"), &json!({"app": "web", "statefulset.kubernetes.io/pod-name": "web-0"})),
    ]);
    assert_eq!(found["Deployment/web"], "app=web,pod-template-hash");
    assert_eq!(found["StatefulSet/web"], "app=web,statefulset.kubernetes.io/pod-name");
}

#[test]
fn very_many_that_are_alike_cost_their_own_namespace_no_more_than_it_may() {
    let alike = |number: usize| {
        let labels = json!({"uid": format!("u{number}"), "tier": "back"});
        pod(&format!("w{number}-x"), ("StatefulSet", &format!("w{number}")), &labels)
    };
    let mut pods: Vec<Value> = (0..400).map(alike).collect();
    // One that keeps its label, so that those of the others are no less labels.
    pods.push(pod("web-x", ("StatefulSet", "web"), &json!({"uid": "web", "tier": "back"})));
    let mut other = pod("db-0", ("StatefulSet", "db"), &json!({"app": "db"}));
    other["metadata"]["namespace"] = "other".into();
    pods.push(other);
    let found = selectors_within(&pods, 1_000_000);
    let costly = found.values().filter(|found| found.as_str() == "too costly").count();
    let broad = found.values().filter(|found| found.starts_with('?')).count();
    assert!(costly > 200 && broad > 50 && costly + broad >= 400, "{costly} too costly, {broad} broad");
    assert_eq!(found["StatefulSet/db"], "app=db");
}

#[test]
fn what_no_label_tells_apart_is_said() {
    let found = selectors(&[
        pod("a-abc-1", ("ReplicaSet", "a-abc"), &json!({"app": "web", "pod-template-hash": "abc"})),
        pod("b-cba-1", ("ReplicaSet", "b-cba"), &json!({"app": "web", "pod-template-hash": "cba"})),
    ]);
    assert_eq!(found["Deployment/a"], "?app=web", "no hash is written: the next rollout has another");
    assert_eq!(found["Deployment/b"], "?app=web");
}

#[test]
fn jobs_without_labels_of_their_own() {
    let run = |name: &str| json!({"batch.kubernetes.io/job-name": name, "job-name": name, "controller-uid": "1"});
    let found = selectors(&[
        pod("report-29395000-x", ("Job", "report-29395000"), &run("report-29395000")),
        pod("migrate-x", ("Job", "migrate"), &run("migrate")),
        pod("web-abc-1", ("ReplicaSet", "web-abc"), &json!({"app": "web", "pod-template-hash": "abc"})),
    ]);
    assert_eq!(found["CronJob/report"], "batch.kubernetes.io/job-name notin (migrate),batch.kubernetes.io/job-name");
    assert_eq!(found["Job/migrate"], "batch.kubernetes.io/job-name=migrate", "its name lasts: nobody makes it anew");
    let alone = selectors(&[pod("report-29395000-x", ("Job", "report-29395000"), &run("report-29395000"))]);
    assert_eq!(alone["CronJob/report"], "batch.kubernetes.io/job-name", "not every pod that may come");
}

#[test]
fn a_subset_of_anothers_labels_is_told_apart_by_the_label_it_lacks() {
    let found = selectors(&[
        pod("stable-abc-1", ("ReplicaSet", "stable-abc"), &json!({"app": "web", "pod-template-hash": "abc"})),
        pod("canary-cba-1", ("ReplicaSet", "canary-cba"), &json!({"app": "web", "track": "canary", "pod-template-hash": "cba"})),
    ]);
    assert_eq!(found["Deployment/stable"], "app=web,!track");
    assert_eq!(found["Deployment/canary"], "app=web,track=canary");
}

/// The definition: everyone is looked at for everyone.
fn select_naively(inventory: &Inventory) -> BTreeMap<WorkloadName, Selection> {
    let sets: Vec<(&WorkloadName, BTreeSet<&Labels>)> =
        inventory.workloads().iter().map(|workload| (&*workload.name, pod_labels(workload, inventory))).collect();
    let having = |wanted: &Labels| -> Box<dyn Iterator<Item = Other<'_>>> {
        let all = sets.iter().flat_map(|(name, own)| own.iter().map(|labels| (*name, *labels)));
        let found: Vec<Other<'_>> =
            all.filter(|(_, labels)| wanted.iter().all(|(key, value)| labels.get(key) == Some(value))).collect();
        Box::new(found.into_iter())
    };
    let workloads = inventory.workloads().iter().zip(0..);
    let drafts: Vec<Draft<'_>> = workloads.map(|(workload, id)| Draft::of(workload, WorkloadId(id), inventory)).collect();
    let endings = drafts.iter().map(|draft| (draft.name, &draft.stable.ending_keys)).collect();
    let budget = Budget(Cell::new(u64::MAX));
    let others = Others { having: &having, endings: &endings, budget: &budget };
    let selection = |draft: &Draft<'_>| select(&draft.traits(), &BTreeSet::from([draft.name]), &others);
    drafts.iter().map(|draft| (draft.name.clone(), selection(draft))).collect()
}

/// The choice as its description has it, with every count to its end.
fn additions_naively(rest: &[(String, String)], matched: impl Fn(&[(String, String)]) -> usize) -> Vec<(String, String)> {
    let subsets = (0_u32..1 << rest.len()).map(|bits| {
        let is_in = |position: usize| bits & (1 << position) != 0;
        (0..rest.len()).filter(|&position| is_in(position)).collect::<Vec<usize>>()
    });
    let labels = |set: &[usize]| set.iter().map(|&position| rest[position].clone()).collect::<Vec<_>>();
    let least = matched(rest);
    let best = subsets.filter(|set| set.len() <= 3 && matched(&labels(set)) == least).min_by_key(|set| (set.len(), set.clone()));
    best.map_or_else(|| rest.to_vec(), |set| labels(&set))
}

fn any_labels() -> impl Strategy<Value = Labels> {
    let keys = prop::sample::select(vec!["app", "tier", "x-hash", "pod-template-hash", RUN, "job-name"]);
    let values = prop::sample::select(vec!["a", "b", "w0"]);
    prop::collection::btree_map(keys.prop_map(str::to_owned), values.prop_map(str::to_owned), 0..5)
}

proptest! {
    #[test]
    fn the_same_as_by_looking_at_everyone(
        pods in prop::collection::vec((0_usize..6, prop::sample::select(vec!["StatefulSet", "Job"]), any_labels()), 1..14),
        owned in prop::collection::vec(any_labels(), 0..3),
    ) {
        let mut builder = InventoryBuilder::new();
        for (position, (owner, kind, labels)) in pods.iter().enumerate() {
            builder.apply_value(pod(&format!("p{position}"), (kind, &format!("w{owner}")), &json!(labels)));
        }
        for (position, labels) in owned.iter().enumerate() {
            builder.apply_value(json!({"apiVersion": "apps/v1", "kind": "StatefulSet",
                "metadata": {"namespace": "n", "name": format!("w{position}")},
                "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}}}}));
        }
        let inventory = builder.build(&InventoryOptions::default());
        let (found, expected) = (select_all(&inventory), select_naively(&inventory));
        prop_assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
        for (name, selection) in &found {
            let expected = &expected[name];
            prop_assert_eq!(selection.selector(), expected.selector(), "{}", name);
            prop_assert_eq!(selection.others(name).collect::<Vec<_>>(), expected.others(name).collect::<Vec<_>>(), "{}", name);
            prop_assert_eq!(matches!(selection, Selection::Exact(_)), matches!(expected, Selection::Exact(_)), "{}", name);
        }
    }

    #[test]
    fn the_fewest_additions_are_the_fewest(sets in prop::collection::vec(any_labels(), 0..8), rest in any_labels()) {
        let rest: Vec<(String, String)> = rest.into_iter().collect();
        let matched = |addition: &[(String, String)]| {
            sets.iter().filter(|labels| addition.iter().all(|(key, value)| labels.get(key) == Some(value))).count()
        };
        let found = fewest_additions(&rest, |addition, limit| matched(addition).min(limit));
        prop_assert_eq!(found, additions_naively(&rest, matched));
    }
}

/// Quadratic, each of these would take minutes.
#[test]
fn many_workloads_in_one_namespace_are_no_matter() {
    let labels: [fn(usize) -> Value; 4] = [
        |number| json!({"job": format!("j{number}"), "x": "y"}),
        |number| json!({"app": "web", "part": "x", "zone": format!("z{number}")}),
        |_| json!({"app": "web"}),
        |number| json!({"config-hash": format!("{number}"), "x-revision": format!("{number}")}),
    ];
    for labels in labels {
        let mut builder = InventoryBuilder::new();
        for number in 0..10_000 {
            builder.apply_value(pod(&format!("p{number}"), ("StatefulSet", &format!("w{number}")), &labels(number)));
        }
        let inventory = builder.build(&InventoryOptions::default());
        let began = processor_seconds();
        assert_eq!(select_all(&inventory).len(), 10_000);
        let took = processor_seconds() - began;
        assert!(took < 20.0, "{took} s of the processor with {}", labels(0));
    }
}

/// How long this thread has had a processor: unlike the time on the clock, it does not depend on what else the machine does. The first
/// number of `schedstat`, in nanoseconds (Documentation/scheduler/sched-stats.rst of Linux).
fn processor_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split_whitespace().next().unwrap().parse::<f64>().unwrap() / 1e9
}
