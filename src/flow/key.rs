//! The key of a conversation: an unordered pair of endpoints and a protocol, so that a reply finds what it replies to.

use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::model::{Endpoint, Protocol};

/// Both endpoints, the lesser first, and the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct FlowKey {
    ends: [Endpoint; 2],
    protocol: Protocol,
    /// In which tunnels, if it is kept apart for them: a number of [`Contexts`](super::contexts::Contexts).
    context: u16,
}

/// Which of a key's two endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum End {
    /// The lesser.
    Low,
    /// The greater.
    High,
}

impl End {
    /// A bit for each.
    #[inline]
    pub(super) const fn bit(self) -> u8 {
        match self {
            Self::Low => 1,
            Self::High => 2,
        }
    }

    /// The one across.
    #[inline]
    pub(super) const fn opposite(self) -> Self {
        match self {
            Self::Low => Self::High,
            Self::High => Self::Low,
        }
    }
}

impl FlowKey {
    /// The key of a packet between these two, and which of its ends is the sender.
    #[inline]
    pub(super) fn of(sender: Endpoint, receiver: Endpoint, protocol: Protocol) -> (Self, End) {
        if sender <= receiver {
            (Self { ends: [sender, receiver], protocol, context: 0 }, End::Low)
        } else {
            (Self { ends: [receiver, sender], protocol, context: 0 }, End::High)
        }
    }

    /// The same in these tunnels.
    pub(super) const fn within(self, context: u16) -> Self {
        Self { context, ..self }
    }

    /// In which tunnels it is.
    pub(super) const fn context(&self) -> u16 {
        self.context
    }

    /// The endpoint at that end.
    pub(super) const fn endpoint(&self, end: End) -> Endpoint {
        self.ends[end as usize]
    }

    /// The transport protocol.
    pub(super) const fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// The same in few bytes, where both ends are IPv4.
    pub(super) fn narrow(&self) -> Result<Narrow, Wide> {
        let [low, high] = self.ends;
        if let (IpAddr::V4(lesser), IpAddr::V4(greater)) = (low.address, high.address) {
            let [low, high] = [narrow_end(lesser, low.port), narrow_end(greater, high.port)];
            return Ok(Narrow([(self.protocol as u64) << 48 | low, high]).within(self.context));
        }
        let rest = rest(low.port, high.port, self.protocol);
        let [(a, b), (c, d)] = [low.address, high.address].map(|address| halves(wide(address)));
        Err(Wide([a, b, c, d, rest]).within(self.context))
    }
}

/// A key between two IPv4 endpoints: address and port of each, before the lesser the protocol, before the greater the context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Narrow([u64; 2]);

/// Any other key; IPv4 addresses are mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wide([u64; 5]);

/// A key as a table stores it.
pub(super) trait Packed: Copy + Eq {
    /// The key.
    fn key(self) -> FlowKey;
    /// The transport protocol alone.
    fn protocol(self) -> Protocol;
    /// As seeded.
    fn hash(self, seeds: &Seeds) -> u32;
}

impl Narrow {
    /// The key of a packet between these two IPv4 endpoints, and which of its ends is the sender: as [`FlowKey::of`].
    #[inline]
    pub(super) fn of(sender: (Ipv4Addr, u16), receiver: (Ipv4Addr, u16), protocol: Protocol) -> (Self, End) {
        let (sender, receiver) = (narrow_end(sender.0, sender.1), narrow_end(receiver.0, receiver.1));
        let end = if sender <= receiver { End::Low } else { End::High };
        (Self([(protocol as u64) << 48 | sender.min(receiver), sender.max(receiver)]), end)
    }

    /// The same in these tunnels.
    #[inline]
    pub(super) const fn within(self, context: u16) -> Self {
        let Self([low, high]) = self;
        Self([low, (context as u64) << 48 | high & 0xffff_ffff_ffff])
    }
}

impl Wide {
    /// The key of a packet between these two IPv6 endpoints, whose addresses are not mapped, and which of its ends is the sender: as
    /// [`FlowKey::of`].
    #[inline]
    pub(super) fn of(sender: (Ipv6Addr, u16), receiver: (Ipv6Addr, u16), protocol: Protocol) -> (Self, End) {
        let (sender, receiver) = ((sender.0.to_bits(), sender.1), (receiver.0.to_bits(), receiver.1));
        let (low, high, end) = if sender <= receiver { (sender, receiver, End::Low) } else { (receiver, sender, End::High) };
        let [(a, b), (c, d)] = [low, high].map(|(address, _)| halves(address));
        (Self([a, b, c, d, rest(low.1, high.1, protocol)]), end)
    }

    /// The same in these tunnels.
    #[inline]
    pub(super) const fn within(self, context: u16) -> Self {
        let Self([a, b, c, d, rest]) = self;
        Self([a, b, c, d, (context as u64) << 40 | rest & 0xff_ffff_ffff])
    }
}

impl Packed for Narrow {
    fn key(self) -> FlowKey {
        let ends = self.0.map(|end| {
            let [_, _, address @ .., high, low] = end.to_be_bytes();
            Endpoint { address: Ipv4Addr::from(address).into(), port: u16::from_be_bytes([high, low]) }
        });
        FlowKey { ends, protocol: self.protocol(), context: (self.0[1] >> 48) as u16 }
    }

    #[inline]
    fn protocol(self) -> Protocol {
        match self.0[0] >> 48 {
            0 => Protocol::ALL[0],
            1 => Protocol::ALL[1],
            _ => Protocol::ALL[2],
        }
    }

    #[inline]
    fn hash(self, seeds: &Seeds) -> u32 {
        // Without the context, which only few have.
        let Self([low, high]) = self.within(0);
        seeds.finish(fold(low ^ seeds.0[0], high ^ seeds.0[1]))
    }
}

impl Packed for Wide {
    fn key(self) -> FlowKey {
        let Self([a, b, c, d, rest]) = self;
        let [_, context @ .., protocol, _, _, _, _] = rest.to_be_bytes();
        let [.., ports_high, ports_low, to_high, to_low] = rest.to_be_bytes();
        let ports = [ports_high, ports_low, to_high, to_low];
        let address = |high: u64, low: u64| {
            let address = Ipv6Addr::from_bits(u128::from(high) << 64 | u128::from(low));
            IpAddr::V6(address).to_canonical()
        };
        let low = Endpoint { address: address(a, b), port: u16::from_be_bytes([ports[0], ports[1]]) };
        let high = Endpoint { address: address(c, d), port: u16::from_be_bytes([ports[2], ports[3]]) };
        FlowKey { ends: [low, high], protocol: Protocol::ALL[usize::from(protocol)], context: u16::from_be_bytes(context) }
    }

    #[inline]
    fn protocol(self) -> Protocol {
        Protocol::ALL[(self.0[4] >> 32 & 0xff) as usize]
    }

    #[inline]
    fn hash(self, seeds: &Seeds) -> u32 {
        let Self([a, b, c, d, rest]) = self.within(0);
        let low = fold(a ^ seeds.0[0], b ^ seeds.0[1]);
        let high = fold(c ^ seeds.0[1], d ^ seeds.0[2] ^ low);
        seeds.finish(fold(high ^ seeds.0[0], rest ^ low ^ seeds.0[3]))
    }
}

/// Random numbers that only this process knows: keys come from hostile packets, which must not be able to choose their places.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seeds([u64; 4]);

impl Seeds {
    /// Others for each table.
    pub(super) fn random() -> Self {
        let random = RandomState::new();
        Self([0u64, 1, 2, 3].map(|number| random.hash_one(number)))
    }

    #[inline]
    fn finish(&self, mixed: u64) -> u32 {
        (fold(mixed ^ self.0[2], self.0[3] | 1) & 0xffff_ffff) as u32
    }
}

/// The two halves of a product, folded: each bit of the result depends on all bits of both factors.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the halves of a number")]
const fn fold(one: u64, other: u64) -> u64 {
    let product = (one as u128).wrapping_mul(other as u128);
    (product >> 64) as u64 ^ product as u64
}

/// An IPv4 endpoint as a number of 48 bits; numbers are ordered as endpoints are.
#[inline]
const fn narrow_end(address: Ipv4Addr, port: u16) -> u64 {
    (address.to_bits() as u64) << 16 | port as u64
}

#[inline]
const fn rest(low_port: u16, high_port: u16, protocol: Protocol) -> u64 {
    (protocol as u64) << 32 | (low_port as u64) << 16 | high_port as u64
}

#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the halves of a number")]
const fn halves(bits: u128) -> (u64, u64) {
    ((bits >> 64) as u64, bits as u64)
}

const fn wide(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_out_as_they_went_in() {
        let addresses = ["10.0.0.1", "10.0.0.2", "fd00::1", "fd00::2", "255.255.255.255"];
        let addresses = addresses.map(|text| text.parse::<IpAddr>().expect("an address"));
        let seeds = Seeds::random();
        for (from, to) in addresses.iter().flat_map(|from| addresses.iter().map(move |to| (*from, *to))) {
            for (protocol, ports) in Protocol::ALL.into_iter().zip([(1, 65535), (443, 443), (40000, 80)]) {
                let (sender, receiver) = (Endpoint { address: from, port: ports.0 }, Endpoint { address: to, port: ports.1 });
                let (key, end) = FlowKey::of(sender, receiver, protocol);
                assert_eq!((key.endpoint(end), key.endpoint(end.opposite())), (sender, receiver));
                let inside = key.within(u16::MAX);
                let read_back = inside.narrow().map_or_else(Packed::key, Packed::key);
                assert_eq!((read_back, read_back.protocol()), (inside, protocol));
                assert_ne!(read_back, key);
                match key.narrow() {
                    Ok(narrow) => {
                        let (IpAddr::V4(from), IpAddr::V4(to)) = (from, to) else { panic!("{from} and {to} are not narrow") };
                        assert_eq!(Narrow::of((from, ports.0), (to, ports.1), protocol), (narrow, end));
                        assert_eq!((narrow.key(), narrow.protocol()), (key, protocol));
                        assert_eq!(narrow.hash(&seeds), narrow.hash(&seeds));
                    }
                    Err(wide) => {
                        assert_eq!((wide.key(), wide.protocol()), (key, protocol));
                        if let (IpAddr::V6(from), IpAddr::V6(to)) = (from, to) {
                            assert_eq!(Wide::of((from, ports.0), (to, ports.1), protocol), (wide, end));
                        }
                    }
                }
            }
        }
    }
}
