//! Numbers drawn from a seed: the same seed draws the same cluster.

/// SplitMix64.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        let mut this = Self(seed ^ 0x6a09_e667_f3bc_c908);
        this.next();
        this
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below the bound, which is not 0.
    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound).unwrap()).unwrap()
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
