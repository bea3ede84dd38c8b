//! Any conversation, for the tests of both ways.

use std::net::IpAddr;

use proptest::prelude::*;

use crate::flow::record::{Conversation, Deeds, End, Opening};
use crate::model::{Protocol, Timestamp};

fn end(time: impl Strategy<Value = Timestamp> + Clone) -> impl Strategy<Value = End> {
    let address = prop_oneof![any::<[u8; 4]>().prop_map(IpAddr::from), any::<[u16; 8]>().prop_map(IpAddr::from)];
    let times = proptest::option::of(time);
    let tenths = prop_oneof![Just(0), any::<u64>()];
    (address, any::<u16>(), times.clone(), times.clone(), times, any::<u8>(), tenths).prop_map(
        |(address, port, first, last, last_carried, did, tenths)| End {
            address,
            port,
            first,
            last,
            last_carried,
            did: Deeds(did),
            tenths,
        },
    )
}

/// Mostly with few openings, now and then with as many as there may be.
pub(super) fn conversation(time: impl Strategy<Value = Timestamp> + Clone) -> impl Strategy<Value = Conversation> {
    let opening = (0u8..2, any::<u32>(), time.clone(), any::<bool>(), any::<bool>())
        .prop_map(|(by, number, first, accepted, rejected)| Opening { by, number, first, accepted, rejected });
    let few = proptest::collection::vec(opening.clone(), 0..3);
    let openings = prop_oneof![4 => few, 1 => proptest::collection::vec(opening, 60..70)];
    let ends = [end(time.clone()), end(time.clone())];
    (proptest::sample::select(&Protocol::ALL), time.clone(), time, ends, openings)
        .prop_map(|(protocol, first, last, ends, openings)| Conversation { protocol, first, last, ends, openings })
}
