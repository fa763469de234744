//! Chance that repeats: the same seed throws the same numbers (SplitMix64).

/// See the module.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice(seed)
    }

    fn throw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From `least` up to, not including, `end`.
    pub fn within(&mut self, least: i64, end: i64) -> i64 {
        least + (self.throw() % (end - least) as u64) as i64
    }

    /// True in `part` of a hundred throws.
    pub fn percent(&mut self, part: i64) -> bool {
        self.within(0, 100) < part
    }

    /// A number that begins with `prefix` and has `digits` more.
    pub fn number(&mut self, prefix: &str, digits: u32) -> Box<str> {
        let rest = self.within(0, 10i64.pow(digits));
        format!("{prefix}{rest:0width$}", width = digits as usize).into()
    }
}
