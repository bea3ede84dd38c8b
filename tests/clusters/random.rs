//! Numbers drawn from a seed or from given bytes: the same seed draws the same cluster.

/// Given bytes as long as there are any, then SplitMix64.
#[derive(Clone, Debug)]
pub struct Random {
    state: u64,
    /// What is still to be drawn, last byte first.
    bytes: Vec<u8>,
}

impl Random {
    pub fn new(seed: u64) -> Self {
        let mut this = Self { state: seed ^ 0x6a09_e667_f3bc_c908, bytes: Vec::new() };
        this.next();
        this
    }

    /// Draws from these bytes, as few for each number as its bound asks for: a changed byte changes one choice.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self { bytes: bytes.iter().rev().copied().collect(), ..Self::new(0) }
    }

    pub fn next(&mut self) -> u64 {
        self.next_of(8)
    }

    /// A number of so many bytes, at least.
    fn next_of(&mut self, bytes: usize) -> u64 {
        let given = self.bytes.len().min(bytes);
        if given > 0 {
            return self.bytes.drain(self.bytes.len() - given..).rev().fold(0, |number, byte| number << 8 | u64::from(byte));
        }
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below the bound, which is not 0.
    pub fn below(&mut self, bound: usize) -> usize {
        let bytes = match bound {
            0..=0x100 => 1,
            0x101..=0x1_0000 => 2,
            _ => 8,
        };
        usize::try_from(self.next_of(bytes) % u64::try_from(bound).unwrap()).unwrap()
    }

    pub fn between(&mut self, first: usize, last: usize) -> usize {
        first + self.below(last - first + 1)
    }

    /// True in so many of a hundred cases.
    pub fn chance(&mut self, part: usize) -> bool {
        self.below(100) < part
    }

    pub fn pick<'a, T>(&mut self, values: &'a [T]) -> &'a T {
        &values[self.below(values.len())]
    }

    /// One of the values that `is_meant`.
    pub fn pick_where<'a, T>(&mut self, values: &'a [T], is_meant: impl Fn(&T) -> bool) -> Option<&'a T> {
        let meant: Vec<&T> = values.iter().filter(|value| is_meant(value)).collect();
        (!meant.is_empty()).then(|| meant[self.below(meant.len())])
    }

    pub fn shuffle<T>(&mut self, values: &mut [T]) {
        for last in (1..values.len()).rev() {
            values.swap(last, self.below(last + 1));
        }
    }

    pub fn u16(&mut self, first: u16, last: u16) -> u16 {
        u16::try_from(self.between(first.into(), last.into())).unwrap()
    }

    pub fn u32(&mut self) -> u32 {
        u32::try_from(self.next() >> 32).unwrap()
    }
}

#[test]
fn given_bytes_are_drawn_in_their_order_and_go_on_as_from_a_seed() {
    let mut given = Random::from_bytes(&[7, 1, 2, 9]);
    assert_eq!((given.below(10), given.below(1000), given.below(4)), (7, 0x102, 1));
    let (rest, next) = (given.next(), given.next());
    assert!(rest != 0 && rest != next, "{rest}, {next}");
    assert_eq!(Random::from_bytes(&[]).next(), Random::new(0).next());
}
