//! What became of the frames: counts by reason, and the findings they amount to.

use std::collections::BTreeMap;

use crate::model::{Code, Findings};

/// Why a frame gave no packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Skipped {
    /// ARP, LLDP, spanning tree and the like: nothing that a policy could be about.
    NotIp,
    /// The capture ends before the headers do; on the wire they were whole.
    Cut,
    /// It contradicts itself.
    Malformed,
    /// A link type that is not decoded.
    LinkType(u16),
    /// An Ethernet type that may carry IP, and is not decoded.
    EtherType(u16),
    /// More tunnels in each other than are followed.
    TooDeep,
}

/// What a [`Decoder`](super::Decoder) has seen. Every frame is in `decoded` or under exactly one reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// All frames.
    pub frames: u64,
    /// Frames that gave a packet.
    pub decoded: u64,
    /// Frames that carry no IP, and normally so: ARP, LLDP, spanning tree.
    pub not_ip: u64,
    /// Frames of which less than the headers was captured.
    pub cut: u64,
    /// Frames that contradict themselves.
    pub malformed: u64,
    /// Frames of link types that are not decoded, by `LINKTYPE_` number.
    pub unsupported_link_types: BTreeMap<u16, u64>,
    /// Frames of Ethernet types that are not decoded though they may carry IP, such as MPLS.
    pub unsupported_ether_types: BTreeMap<u16, u64>,
    /// Frames with more tunnels in each other than are followed.
    pub nested_too_deep: u64,
    /// Packets without ports, since they are fragments after the first. They are `decoded`, too.
    pub later_fragments: u64,
    /// Tunnel headers taken off (VXLAN, Geneve, IP in IP, GRE), not frames that had them.
    pub decapsulated: u64,
    /// Packets of tunnels that cannot be looked into, by the tunnel's name. They are `decoded`, too.
    pub opaque: BTreeMap<&'static str, u64>,
}

impl Tally {
    pub(super) fn skip(&mut self, reason: Skipped) {
        match reason {
            Skipped::NotIp => self.not_ip += 1,
            Skipped::Cut => self.cut += 1,
            Skipped::Malformed => self.malformed += 1,
            Skipped::LinkType(number) => *self.unsupported_link_types.entry(number).or_default() += 1,
            Skipped::EtherType(number) => *self.unsupported_ether_types.entry(number).or_default() += 1,
            Skipped::TooDeep => self.nested_too_deep += 1,
        }
    }

    /// Frames that gave no packet, by reason.
    #[must_use]
    pub fn left_out(&self) -> BTreeMap<&'static str, u64> {
        let named = [
            ("not-ip", self.not_ip),
            ("cut", self.cut),
            ("malformed", self.malformed),
            ("nested-too-deep", self.nested_too_deep),
            ("unsupported-link-type", self.unsupported_link_types.values().sum()),
            ("unsupported-ethernet-type", self.unsupported_ether_types.values().sum()),
        ];
        named.into_iter().filter(|(_, count)| *count > 0).collect()
    }

    /// Adds the counts of another decoder.
    pub fn merge(&mut self, other: &Self) {
        self.frames += other.frames;
        self.decoded += other.decoded;
        self.not_ip += other.not_ip;
        self.cut += other.cut;
        self.malformed += other.malformed;
        self.nested_too_deep += other.nested_too_deep;
        self.later_fragments += other.later_fragments;
        self.decapsulated += other.decapsulated;
        for (number, count) in &other.unsupported_link_types {
            *self.unsupported_link_types.entry(*number).or_default() += count;
        }
        for (number, count) in &other.unsupported_ether_types {
            *self.unsupported_ether_types.entry(*number).or_default() += count;
        }
        for (name, count) in &other.opaque {
            *self.opaque.entry(name).or_default() += count;
        }
    }

    /// What is to be said of it. ARP, LLDP and spanning tree are normal, and no finding; opaque tunnels are told by who speaks
    /// through them, a stage later.
    #[must_use]
    pub fn findings(&self) -> Findings {
        let mut findings = Findings::default();
        findings.add_many(Code::CutFrames, "frames", "were captured only in part: their headers are not whole", self.cut);
        findings.add_many(Code::MalformedFrame, "frames", "contradict themselves (lengths, versions)", self.malformed);
        for (number, count) in &self.unsupported_link_types {
            findings.add_many(Code::UnsupportedFrame, format!("link type {number}"), "is not decoded", *count);
        }
        for (number, count) in &self.unsupported_ether_types {
            let name = ether_type_name(*number);
            findings.add_many(Code::UnsupportedFrame, format!("Ethernet type {number:#06x}{name}"), "is not decoded", *count);
        }
        let message = format!("in each other are followed {} deep, not further", super::tunnel::MAX_NESTING);
        findings.add_many(Code::UnsupportedFrame, "tunnels", message, self.nested_too_deep);
        findings.add_many(Code::Fragment, "later fragments", "of datagrams carry no ports", self.later_fragments);
        findings
    }
}

/// The name of an Ethernet type that is likely met, in parentheses.
const fn ether_type_name(number: u16) -> &'static str {
    match number {
        0x8847 | 0x8848 => " (MPLS)",
        0x8863 | 0x8864 => " (PPPoE)",
        0x88e5 => " (MACsec)",
        0x894f => " (NSH)",
        _ => "",
    }
}
