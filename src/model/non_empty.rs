//! Sets that cannot be empty: an absent `from`, `to` or `ports` means "everyone" or "every port" to Kubernetes.

use std::collections::BTreeSet;
use std::sync::Arc;

/// A set with at least one member. Copies share it: the same peers and selectors stand in many rules.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NonEmpty<T: Ord>(Arc<BTreeSet<T>>);

impl<T: Ord> NonEmpty<T> {
    /// The set of one member.
    pub fn one(member: T) -> Self {
        Self(Arc::new(BTreeSet::from([member])))
    }

    /// The set of these members, or nothing when there are none.
    pub fn new(members: impl IntoIterator<Item = T>) -> Option<Self> {
        let members: BTreeSet<T> = members.into_iter().collect();
        if members.is_empty() { None } else { Some(Self(Arc::new(members))) }
    }

    /// Adds a member.
    pub fn insert(&mut self, member: T)
    where
        T: Clone,
    {
        Arc::make_mut(&mut self.0).insert(member);
    }

    /// The members in order.
    pub fn iter(&self) -> std::collections::btree_set::Iter<'_, T> {
        self.0.iter()
    }

    /// How many there are; at least one.
    #[expect(clippy::len_without_is_empty, reason = "it never is")]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether `member` is one of them.
    pub fn contains(&self, member: &T) -> bool {
        self.0.contains(member)
    }

    /// The members as an ordinary set.
    pub fn as_set(&self) -> &BTreeSet<T> {
        &self.0
    }
}

impl<'a, T: Ord> IntoIterator for &'a NonEmpty<T> {
    type Item = &'a T;
    type IntoIter = std::collections::btree_set::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}
