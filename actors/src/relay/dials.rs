//! What an operator may turn while packets flow.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use tollgate_media::limit::Allowance;
use tollgate_media::relay::Caps;

/// Limits on media, as the settings say them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tuning {
    /// `media.stream_rate`: packets a second of one audio stream; `None`: four times what its ptime needs.
    pub stream_rate: Option<u32>,
    /// `media.network_speed`: kbit/s that all media may take; `None`: no limit.
    pub network_kbit: Option<u64>,
    /// `media.source_share`: per cent of that for one stream.
    pub source_share: u8,
}

impl Default for Tuning {
    fn default() -> Tuning {
        Tuning { stream_rate: None, network_kbit: Some(800_000), source_share: 10 }
    }
}

/// The same, where media threads read them.
#[derive(Debug)]
pub(crate) struct Dials {
    packets: AtomicU64,
    stream_bytes: AtomicU64,
    network_bytes: AtomicU64,
}

impl Dials {
    pub fn new(tuning: &Tuning) -> Dials {
        let dials =
            Dials { packets: AtomicU64::new(0), stream_bytes: AtomicU64::new(0), network_bytes: AtomicU64::new(0) };
        dials.turn(tuning);
        dials
    }

    pub fn turn(&self, tuning: &Tuning) {
        let network = tuning.network_kbit.map_or(u64::MAX, |kbit| kbit.saturating_mul(125));
        let share = |bytes: u64| if bytes == u64::MAX { bytes } else { bytes / 100 * u64::from(tuning.source_share) };
        self.packets.store(tuning.stream_rate.map_or(u64::MAX, u64::from), Relaxed);
        self.stream_bytes.store(share(network), Relaxed);
        self.network_bytes.store(network, Relaxed);
    }

    /// Of one stream.
    pub fn caps(&self) -> Caps {
        let packets = u32::try_from(self.packets.load(Relaxed)).unwrap_or(u32::MAX);
        Caps { packets, bytes: self.stream_bytes.load(Relaxed) }
    }

    /// Of one of `threads`.
    pub fn network(&self, threads: usize) -> Allowance {
        Allowance { packets: u32::MAX, bytes: self.network_bytes.load(Relaxed) / threads.max(1) as u64 }
    }
}
