//! Label sets, found by the labels in them.

use std::collections::BTreeMap;

use crate::model::{Labels, WorkloadName};

/// A label set of a workload's pods.
pub(super) type Other<'a> = (&'a WorkloadName, &'a Labels);

/// The label sets of a namespace. A search costs as much as its rarest label is frequent, so that of a workload with a label of its
/// own costs next to nothing.
pub(super) struct Index<'a> {
    sets: Vec<Other<'a>>,
    /// By key and value: positions in `sets`, ascending.
    by_label: BTreeMap<&'a str, BTreeMap<&'a str, Vec<usize>>>,
}

impl<'a> Index<'a> {
    pub(super) fn new(sets: impl IntoIterator<Item = Other<'a>>) -> Self {
        let sets: Vec<Other<'a>> = sets.into_iter().collect();
        let mut by_label: BTreeMap<&str, BTreeMap<&str, Vec<usize>>> = BTreeMap::new();
        for (position, (_, labels)) in sets.iter().enumerate() {
            for (key, value) in *labels {
                by_label.entry(key).or_default().entry(value).or_default().push(position);
            }
        }
        Self { sets, by_label }
    }

    /// The sets that have all of these labels, and maybe more, in the order they came; `visit` is called for each that is looked at.
    pub(super) fn having<F: Fn()>(&self, labels: &Labels, visit: F) -> impl Iterator<Item = Other<'a>> + use<'_, 'a, F> {
        let rarest = labels.iter().map(|(key, value)| self.positions(key, value)).min_by_key(|positions| positions.len());
        let labels = labels.clone();
        let candidates: Box<dyn Iterator<Item = &Other<'a>> + '_> = match rarest {
            Some(positions) => Box::new(positions.iter().map(|&position| &self.sets[position])),
            None => Box::new(self.sets.iter()),
        };
        let has_all = move |other: &Labels| labels.iter().all(|(key, value)| other.get(key) == Some(value));
        candidates.copied().inspect(move |_| visit()).filter(move |(_, other)| has_all(other))
    }

    fn positions(&self, key: &str, value: &str) -> &[usize] {
        self.by_label.get(key).and_then(|values| values.get(value)).map_or(&[], Vec::as_slice)
    }
}
