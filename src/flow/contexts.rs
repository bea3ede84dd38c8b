//! Tunnels around conversations that are kept apart until somebody can judge which tunnels are the cluster's own.
//!
//! In: the tunnels of a frame. Out: a small number that a [key](super::key::FlowKey) has room for. Number 0 stands for no tunnel.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::decode::Tunnel;

/// Tunnels of a conversation, outermost first, as its lesser end's packets travel: from `source` to `destination`.
pub(super) type Tunnels = Arc<[Tunnel]>;

/// Numbers for tunnels, shared by a table and those who fill its batches.
#[derive(Clone, Debug, Default)]
pub(super) struct Contexts(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    numbers: HashMap<Tunnels, u16>,
    all: Vec<Tunnels>,
}

impl Contexts {
    /// What is in no known tunnel any more: there were too many different ones.
    pub(super) const TOO_MANY: u16 = u16::MAX;

    /// The number of these tunnels.
    pub(super) fn number(&self, tunnels: &[Tunnel]) -> u16 {
        if tunnels.is_empty() {
            return 0;
        }
        let mut known = self.lock();
        if let Some(number) = known.numbers.get(tunnels) {
            return *number;
        }
        let number = u16::try_from(known.all.len() + 1).unwrap_or(Self::TOO_MANY);
        if number < Self::TOO_MANY {
            let tunnels = Tunnels::from(tunnels);
            known.numbers.insert(Arc::clone(&tunnels), number);
            known.all.push(tunnels);
        }
        number
    }

    /// The tunnels of that number; none for 0.
    pub(super) fn tunnels(&self, number: u16) -> Vec<Tunnel> {
        let Some(position) = usize::from(number).checked_sub(1) else { return Vec::new() };
        self.lock().all.get(position).map(|tunnels| tunnels.to_vec()).unwrap_or_default()
    }

    /// The number of the same tunnels in the other direction.
    pub(super) fn reversed(&self, number: u16) -> u16 {
        if number == 0 || number == Self::TOO_MANY {
            return number;
        }
        let tunnels: Vec<Tunnel> = self.tunnels(number).into_iter().map(Tunnel::reversed).collect();
        self.number(&tunnels)
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::decode::TunnelKind;

    #[test]
    fn the_same_tunnels_have_one_number_and_numbers_are_bounded() {
        let contexts = Contexts::default();
        let tunnel = |number: u32| Tunnel {
            kind: TunnelKind::Vxlan,
            source: IpAddr::from(number.to_be_bytes()),
            destination: IpAddr::from([10, 0, 0, 1]),
        };
        assert_eq!(contexts.number(&[]), 0);
        assert_eq!(contexts.number(&[tunnel(1)]), contexts.clone().number(&[tunnel(1)]));
        assert_ne!(contexts.number(&[tunnel(1)]), contexts.number(&[tunnel(1).reversed()]));
        let numbers: Vec<u16> = (0..70_000).map(|number| contexts.number(&[tunnel(number)])).collect();
        assert_eq!(contexts.tunnels(numbers[5]), [tunnel(5)]);
        assert_eq!((numbers[69_999], contexts.tunnels(numbers[69_999])), (Contexts::TOO_MANY, Vec::new()));
    }
}
