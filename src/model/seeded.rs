//! Hash maps with keys of few bytes that come from packets.
//!
//! Whoever sends packets chooses addresses and ports, so where keys lie depends on numbers that only this process knows, as with the
//! standard library's maps; but a key costs a few multiplications.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, Hasher, RandomState};

/// A map that nobody outside can fill badly.
pub type SeededMap<K, V> = HashMap<K, V, Seeded>;
/// A set that nobody outside can fill badly.
pub type SeededSet<K> = HashSet<K, Seeded>;

/// The secret numbers of one map.
#[derive(Clone, Copy, Debug)]
pub struct Seeded {
    start: u64,
    factor: u64,
}

impl Default for Seeded {
    fn default() -> Self {
        let random = RandomState::new();
        Self { start: random.hash_one(0u8), factor: random.hash_one(1u8) | 1 }
    }
}

impl BuildHasher for Seeded {
    type Hasher = Folding;

    #[inline]
    fn build_hasher(&self) -> Folding {
        Folding { state: self.start, factor: self.factor }
    }
}

/// Takes in a key: multiplies word after word, and folds the product.
#[derive(Debug)]
pub struct Folding {
    state: u64,
    factor: u64,
}

impl Hasher for Folding {
    #[inline]
    fn finish(&self) -> u64 {
        fold(self.state, self.factor)
    }

    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        for part in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..part.len()].copy_from_slice(part);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    #[inline]
    fn write_u8(&mut self, number: u8) {
        self.write_u64(number.into());
    }

    #[inline]
    fn write_u16(&mut self, number: u16) {
        self.write_u64(number.into());
    }

    #[inline]
    fn write_u32(&mut self, number: u32) {
        self.write_u64(number.into());
    }

    #[inline]
    fn write_u64(&mut self, number: u64) {
        self.state = fold(self.state ^ number, self.factor);
    }

    #[inline]
    fn write_usize(&mut self, number: usize) {
        self.write_u64(number as u64);
    }
}

/// The two halves of a product, folded: each bit of the result depends on all bits of both factors.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the halves of a number")]
const fn fold(one: u64, other: u64) -> u64 {
    let product = (one as u128).wrapping_mul(other as u128);
    (product >> 64) as u64 ^ product as u64
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    #[test]
    fn neighbours_lie_apart_and_every_map_has_its_own_places() {
        let (one, other) = (Seeded::default(), Seeded::default());
        let keys = (0..4096u32).map(|number| (IpAddr::from(number.to_be_bytes()), 80u16));
        let places: SeededSet<u64> = keys.clone().map(|key| one.hash_one(key) % 65536).collect();
        assert!(places.len() > 3600, "4096 neighbours lie in {} of 65536 places", places.len());
        let same = keys.filter(|key| one.hash_one(key) == other.hash_one(key)).count();
        assert_eq!(same, 0, "keys that lie alike in two maps");
    }
}
