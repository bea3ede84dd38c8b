//! What became of each conversation: exactly one class, and how many there are of each.
//!
//! A conversation that may end in an edge is counted with that edge ([`Share`]) until it is certain that the edge stays. All
//! others are counted in their class at once. So the sum over all classes is the number of conversations.

/// What became of a conversation. The order is that of precedence: a conversation that may have reached several (the backends of
/// a Service, or the caller behind a node's address and the node) is in the first class that holds for one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FlowClass {
    /// It is part of an edge: a rule allows it, unless a reviewer or the quarantine keeps the rule back.
    Edge,
    /// It went to a port that was picked at run time; no rule is made of it.
    DynamicPort,
    /// Its edge was left out because there were too many.
    LeftOut,
    /// UDP that nobody answered, not repeated often enough to be an edge.
    OneWay,
    /// Nobody answered.
    Unanswered,
    /// It was refused.
    Refused,
    /// It failed, and a policy that is in the cluster denies it.
    DeniedByPolicy,
    /// It was accepted, and whoever opened it never acknowledged that.
    HalfOpen,
    /// What belongs to a connection was sent by one side, and the other was not heard.
    OneSided,
    /// Between a pod and its own node, which needs no rule.
    OwnNode,
    /// One end is an address inside the cluster of which it is not known whose it was.
    Unattributed,
    /// A Service was called, and nothing is known to stand behind it.
    ServiceWithoutBackends,
    /// It used another interface of a pod than the one that NetworkPolicy is about.
    SecondaryInterface,
    /// A pod reached itself through its Service.
    Hairpin,
    /// It stayed within one pod or one host: loopback, or a pod's own address.
    Loopback,
    /// To or from a multicast or broadcast address.
    Multicast,
    /// No pod is at either end.
    NoPod,
    /// No rule can express it.
    NotExpressible,
    /// A pod sent it with another's address.
    Spoofed,
    /// Part of a scan or flood that was summed up.
    Flood,
    /// Another view of a connection that is counted already: before and after address translation.
    OtherView,
}

impl FlowClass {
    /// All classes, in order.
    pub const ALL: [Self; 21] = [
        Self::Edge,
        Self::DynamicPort,
        Self::LeftOut,
        Self::OneWay,
        Self::Unanswered,
        Self::Refused,
        Self::DeniedByPolicy,
        Self::HalfOpen,
        Self::OneSided,
        Self::OwnNode,
        Self::Unattributed,
        Self::ServiceWithoutBackends,
        Self::SecondaryInterface,
        Self::Hairpin,
        Self::Loopback,
        Self::Multicast,
        Self::NoPod,
        Self::NotExpressible,
        Self::Spoofed,
        Self::Flood,
        Self::OtherView,
    ];

    /// The stable kebab-case name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Edge => "edge",
            Self::DynamicPort => "dynamic-port",
            Self::LeftOut => "left-out",
            Self::OneWay => "one-way",
            Self::Unanswered => "unanswered",
            Self::Refused => "refused",
            Self::DeniedByPolicy => "denied-by-policy",
            Self::HalfOpen => "half-open",
            Self::OneSided => "one-sided",
            Self::OwnNode => "own-node",
            Self::Unattributed => "unattributed",
            Self::ServiceWithoutBackends => "service-without-backends",
            Self::SecondaryInterface => "secondary-interface",
            Self::Hairpin => "hairpin",
            Self::Loopback => "loopback",
            Self::Multicast => "multicast",
            Self::NoPod => "no-pod",
            Self::NotExpressible => "not-expressible",
            Self::Spoofed => "spoofed",
            Self::Flood => "flood",
            Self::OtherView => "other-view",
        }
    }

    /// In plain words, to be read after a count.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Edge => "in edges",
            Self::DynamicPort => "to ports picked at run time",
            Self::LeftOut => "left out, for there were too many edges",
            Self::OneWay => "one-way UDP without a rule",
            Self::Unanswered => "not answered",
            Self::Refused => "refused",
            Self::DeniedByPolicy => "denied by policies of the cluster",
            Self::HalfOpen => "accepted and never acknowledged",
            Self::OneSided => "seen from one side only",
            Self::OwnNode => "between a pod and its own node",
            Self::Unattributed => "with an unattributed address",
            Self::ServiceWithoutBackends => "to Services without known backends",
            Self::SecondaryInterface => "over secondary interfaces",
            Self::Hairpin => "from a pod to itself through a Service",
            Self::Loopback => "within one pod or host",
            Self::Multicast => "multicast or broadcast",
            Self::NoPod => "without a pod at either end",
            Self::NotExpressible => "that no rule can express",
            Self::Spoofed => "sent by a pod with another's address",
            Self::Flood => "summed up as scans or floods",
            Self::OtherView => "other views of the same connections",
        }
    }
}

/// Conversations by class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlowClasses([u64; FlowClass::ALL.len()]);

impl FlowClasses {
    /// Counts conversations.
    pub(super) const fn add(&mut self, class: FlowClass, count: u64) {
        let counted = &mut self.0[class as usize];
        *counted = counted.saturating_add(count);
    }

    /// Moves conversations from one class to another, not more than there are. The sum stays the same.
    pub fn reclassify(&mut self, from: FlowClass, to: FlowClass, count: u64) {
        let moved = count.min(self.get(from));
        self.0[from as usize] -= moved;
        self.add(to, moved);
    }

    /// How many there are of a class.
    #[must_use]
    pub const fn get(&self, class: FlowClass) -> u64 {
        self.0[class as usize]
    }

    /// The classes of which there are some, in order.
    pub fn iter(&self) -> impl Iterator<Item = (FlowClass, u64)> + '_ {
        FlowClass::ALL.into_iter().map(|class| (class, self.get(class))).filter(|(_, count)| *count > 0)
    }

    /// All conversations.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().fold(0, |total, count| total.saturating_add(*count))
    }
}

/// One conversation that is not counted yet. Whatever takes it counts it; only the first that asks gets it.
#[derive(Debug)]
#[must_use]
pub(super) struct Share(bool);

impl Share {
    /// That of a new conversation.
    pub(super) const fn whole() -> Self {
        Self(true)
    }

    /// None: the conversation is counted elsewhere.
    pub(super) const fn none() -> Self {
        Self(false)
    }

    /// 1 for whoever asks first, 0 for all others.
    pub(super) fn take(&mut self) -> u64 {
        u64::from(std::mem::take(&mut self.0))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_class_is_listed_once_at_its_place() {
        for (position, class) in FlowClass::ALL.into_iter().enumerate() {
            assert_eq!(class as usize, position, "{}", class.name());
        }
        let names: BTreeSet<&str> = FlowClass::ALL.iter().map(|class| class.name()).collect();
        assert_eq!(names.len(), FlowClass::ALL.len());
    }

    #[test]
    fn what_is_moved_is_counted_once() {
        let mut classes = FlowClasses::default();
        classes.add(FlowClass::Unanswered, 3);
        classes.reclassify(FlowClass::Unanswered, FlowClass::DeniedByPolicy, 2);
        classes.reclassify(FlowClass::Unanswered, FlowClass::DeniedByPolicy, 2);
        let counted: Vec<(FlowClass, u64)> = classes.iter().collect();
        assert_eq!((counted.as_slice(), classes.total()), ([(FlowClass::DeniedByPolicy, 3)].as_slice(), 3));
    }
}
