//! Any conversation, for the tests of both ways.

use std::net::IpAddr;

use proptest::prelude::*;

use crate::decode::{Stations, Tunnel, TunnelKind};
use crate::flow::record::{After, Conversation, DEEDS, End, EndpointFlags, Opening, RefusedBy};
use crate::model::{Protocol, Timestamp};

fn after() -> impl Strategy<Value = After> + Clone {
    prop_oneof![Just(0), 0u64..200, 0u64..10_000_000_000, any::<u64>()].prop_map(After)
}

fn stations() -> impl Strategy<Value = Vec<Stations>> {
    let one = (any::<u64>(), 0u64..1 << 49, 0..4u8);
    let one = one.prop_map(Stations::from);
    proptest::collection::vec(one, 0..4)
}

fn end() -> impl Strategy<Value = End> {
    let address = prop_oneof![any::<[u8; 4]>().prop_map(IpAddr::from), any::<[u16; 8]>().prop_map(IpAddr::from)];
    let heard = proptest::option::of([after(), after()]);
    let deeds = (0..1u8 << DEEDS.len()).prop_map(EndpointFlags);
    let tenths = prop_oneof![Just(0), any::<u64>()];
    let acknowledges = proptest::option::weighted(0.2, any::<u32>());
    (address, any::<u16>(), heard, proptest::option::of(after()), acknowledges, deeds, tenths, stations()).prop_map(
        |(address, port, heard, carried, acknowledges, did, tenths, stations)| End {
            address,
            port,
            heard,
            carried,
            acknowledges,
            did,
            tenths,
            stations,
        },
    )
}

/// Mostly with few openings, now and then with as many as there may be.
pub(super) fn conversation(time: impl Strategy<Value = Timestamp>) -> impl Strategy<Value = Conversation> {
    let opening = (0u8..2, any::<u32>(), after(), proptest::option::of(any::<u32>()), any::<bool>())
        .prop_map(|(by, number, after, answer, rejected)| Opening { by, number, after, answer, rejected });
    let few = proptest::collection::vec(opening.clone(), 0..3);
    let openings = prop_oneof![4 => few, 1 => proptest::collection::vec(opening, 60..70)];
    let order = prop_oneof![4 => Just(0), 1 => any::<u8>()];
    let address = any::<[u8; 4]>().prop_map(IpAddr::from);
    let kind = proptest::sample::select(vec![TunnelKind::Vxlan, TunnelKind::Geneve, TunnelKind::Gre, TunnelKind::IpInIp]);
    let tunnel = (kind, address.clone(), address).prop_map(|(kind, source, destination)| Tunnel { kind, source, destination });
    let tunnels = prop_oneof![4 => Just(Vec::new()), 1 => proptest::collection::vec(tunnel, 1..3)];
    let refused_by = (any::<[u8; 4]>().prop_map(IpAddr::from), stations())
        .prop_map(|(address, stations)| RefusedBy { address, stations: stations.first().copied() });
    let refused_by = prop_oneof![4 => Just(Vec::new()), 1 => proptest::collection::vec(refused_by, 1..3)];
    let order = (order, tunnels, refused_by);
    (proptest::sample::select(&Protocol::ALL), time, proptest::option::of(after()), [end(), end()], openings, order).prop_map(
        |(protocol, first, last, ends, openings, (ordered, tunnels, refused_by))| Conversation {
            protocol,
            first,
            last,
            ends,
            openings,
            ordered,
            tunnels,
            refused_by,
        },
    )
}
