//! What one stream may carry: a bucket of packets and one of bytes, refilled as time goes by.

use std::time::Duration;

use tollgate_types::Mono;

/// Allowances a second; one second's worth may come at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// Packets a second.
    pub packets: u32,
    /// Bytes a second.
    pub bytes: u64,
}

/// How full the buckets are.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    allowance: Allowance,
    /// In packet·µs and byte·µs, so that nothing is lost to rounding.
    packets: u64,
    bytes: u64,
    refilled: Mono,
}

const SECOND: u64 = 1_000_000;

impl Limit {
    /// Full buckets.
    pub fn new(allowance: Allowance, now: Mono) -> Limit {
        Limit { allowance, packets: full(u64::from(allowance.packets)), bytes: full(allowance.bytes), refilled: now }
    }

    /// Another allowance from now on; the buckets keep what they hold, as far as it fits.
    pub fn set(&mut self, allowance: Allowance) {
        self.allowance = allowance;
        self.packets = self.packets.min(full(u64::from(allowance.packets)));
        self.bytes = self.bytes.min(full(allowance.bytes));
    }

    /// May a packet of that length pass? If so it is counted.
    pub fn take(&mut self, length: usize, now: Mono) -> bool {
        let passed = now.since(self.refilled).min(Duration::from_secs(1)).as_micros() as u64;
        self.refilled = self.refilled.max(now);
        let refill = |held: u64, rate: u64| held.saturating_add(rate.saturating_mul(passed)).min(full(rate));
        self.packets = refill(self.packets, u64::from(self.allowance.packets));
        self.bytes = refill(self.bytes, self.allowance.bytes);
        let cost = length as u64 * SECOND;
        let fits = self.packets >= SECOND && self.bytes >= cost;
        if fits {
            self.packets -= SECOND;
            self.bytes -= cost;
        }
        fits
    }
}

fn full(rate: u64) -> u64 {
    rate.saturating_mul(SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed(allowance: Allowance, every_us: u64, length: usize, seconds: u64) -> u64 {
        let mut limit = Limit::new(allowance, Mono::START);
        // The first second empties the bucket.
        (0..seconds * SECOND / every_us)
            .filter(|turn| limit.take(length, Mono::from_micros(turn * every_us)) && turn * every_us >= SECOND)
            .count() as u64
    }

    #[test]
    fn what_is_over_the_allowance_is_refused() {
        let audio = Allowance { packets: 200, bytes: 100_000 };
        //   every µs  bytes   a second
        for (every, length, rate) in
            [(20_000, 172, 50), (5_000, 172, 200), (1_000, 172, 200), (100, 172, 200), (10_000, 1400, 71)]
        {
            let got = passed(audio, every, length, 11) / 10;
            assert!(got.abs_diff(rate) <= 20, "{every} {length}: {got}");
        }
    }
}
