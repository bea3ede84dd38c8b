//! What is known of the labels that controllers put on pods: which last, and which the next event changes.
//!
//! Each row is of one project, with the place in its repository that says so. A row counts for a pod that has one of its `with`
//! labels, or for every pod where there are none: plain keys such as `role` or `app` mean different things to different projects.

mod platforms;
mod runs;
mod storage;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::Event;
use crate::model::Labels;

/// What one project does with labels.
pub(super) struct Known {
    /// Labels of which one must be there; empty for every pod.
    with: &'static [&'static str],
    /// Labels whose values do not last, and until when they do. A key that ends in `*` stands for all that begin so.
    ends: &'static [(&'static str, Event)],
    /// Labels that mean the same pods tomorrow.
    lasts: &'static [&'static str],
    /// Labels that are on every pod of the kind, whatever their values: that they are there lasts.
    marks: &'static [&'static str],
}

/// A project without marks.
const fn project(with: &'static [&'static str], ends: &'static [(&'static str, Event)], lasts: &'static [&'static str]) -> Known {
    Known { with, ends, lasts, marks: &[] }
}

/// The label that names a Job's pods.
pub(crate) const RUN: &str = "batch.kubernetes.io/job-name";

/// The projects; Kubernetes itself comes last.
const TABLES: [&[Known]; 3] = [storage::TABLE, runs::TABLE, platforms::TABLE];

fn table() -> impl Iterator<Item = &'static Known> {
    TABLES.iter().flat_map(|table| table.iter())
}

/// Whether a label is there; `key=value` asks for the value too.
pub(crate) fn has(labels: &Labels, wanted: &str) -> bool {
    match wanted.split_once('=') {
        Some((key, value)) => labels.get(key).is_some_and(|own| own == value),
        None => labels.contains_key(wanted),
    }
}

/// The table by its keys: a pod's labels are few, the rows are not.
struct Index {
    rows: Vec<&'static Known>,
    /// By a label's key: what rows ask for, and which rows.
    with: BTreeMap<&'static str, Vec<(&'static str, usize)>>,
    ends: BTreeMap<&'static str, Vec<(usize, Event)>>,
    /// Beginnings of keys.
    beginnings: Vec<(&'static str, usize, Event)>,
    lasts: BTreeMap<&'static str, Vec<usize>>,
}

static INDEX: LazyLock<Index> = LazyLock::new(|| {
    let mut index = Index {
        rows: table().collect(),
        with: BTreeMap::new(),
        ends: BTreeMap::new(),
        beginnings: Vec::new(),
        lasts: BTreeMap::new(),
    };
    for (row, known) in table().enumerate() {
        for wanted in known.with {
            let key = wanted.split_once('=').map_or(*wanted, |(key, _)| key);
            index.with.entry(key).or_default().push((wanted, row));
        }
        for (pattern, event) in known.ends {
            match pattern.strip_suffix('*') {
                Some(beginning) => index.beginnings.push((beginning, row, *event)),
                None => index.ends.entry(pattern).or_default().push((row, *event)),
            }
        }
        for key in known.lasts {
            index.lasts.entry(key).or_default().push(row);
        }
    }
    index
});

/// What is known of one pod's labels: the rows that count besides those that count for every pod.
pub(super) struct Knowledge(Vec<usize>);

impl Knowledge {
    /// The rows that count for pods with these labels.
    pub(super) fn of(labels: &Labels) -> Self {
        let asked = labels.keys().filter_map(|key| INDEX.with.get(key.as_str())).flatten();
        Self(asked.filter(|(wanted, _)| has(labels, wanted)).map(|(_, row)| *row).collect())
    }

    fn counts(&self, row: usize) -> bool {
        INDEX.rows[row].with.is_empty() || self.0.contains(&row)
    }

    /// When the value of this label ends, if that is known.
    pub(super) fn end(&self, key: &str) -> Option<Event> {
        let exact = INDEX.ends.get(key).into_iter().flatten().find(|(row, _)| self.counts(*row)).map(|(_, event)| *event);
        let begins = || INDEX.beginnings.iter().find(|(beginning, row, _)| key.starts_with(beginning) && self.counts(*row));
        exact.or_else(|| begins().map(|(_, _, event)| *event))
    }

    /// Whether the label is known to last.
    pub(super) fn lasts(&self, key: &str) -> bool {
        INDEX.lasts.get(key).is_some_and(|rows| rows.iter().any(|row| self.counts(*row)))
    }

    /// Whether the label is what the project that made the pod identifies its pods by.
    pub(super) fn identifies(&self, key: &str) -> bool {
        INDEX.lasts.get(key).is_some_and(|rows| rows.iter().any(|row| self.0.contains(row)))
    }
}

/// The labels whose presence lasts, those of projects before those of Kubernetes itself: `Exists` may be asked of them.
pub(crate) fn marks() -> impl Iterator<Item = &'static str> {
    table().flat_map(|known| known.marks.iter().copied())
}
