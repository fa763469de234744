//! What an operator may turn while packets flow.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tollgate_media::limit::Allowance;
use tollgate_media::relay::Caps;
use tollgate_settings::{Values, rows::media};

/// Limits on media, as the settings say them. The default is for a relay that nobody has tuned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tuning {
    /// `media.stream_rate`: packets a second of one audio stream; `None`: four times what its ptime needs.
    pub stream_rate: Option<u32>,
    /// `media.network_speed`: kbit/s that all media may take; `None`: no limit.
    pub network_kbit: Option<u64>,
    /// `media.source_share`: per cent of that for one stream.
    pub source_share: u8,
    /// `media.quarantine`: a closed port is not opened again for so long.
    pub quarantine: Duration,
}

impl Tuning {
    /// As the settings have it.
    pub fn read(values: &Values) -> Tuning {
        let count = |row| values.integer_or_off(row).map(|count| u64::try_from(count).unwrap_or(u64::MAX));
        Tuning {
            stream_rate: count(&media::STREAM_RATE).map(|rate| u32::try_from(rate).unwrap_or(u32::MAX)),
            network_kbit: count(&media::NETWORK_SPEED),
            source_share: u8::try_from(values.integer(&media::SOURCE_SHARE)).unwrap_or(100),
            quarantine: values.duration(&media::QUARANTINE),
        }
    }
}

impl Default for Tuning {
    fn default() -> Tuning {
        Tuning { stream_rate: None, network_kbit: Some(800_000), source_share: 10, quarantine: Duration::from_secs(60) }
    }
}

/// The same, where media threads read them.
#[derive(Debug)]
pub(crate) struct Dials {
    packets: AtomicU64,
    stream_bytes: AtomicU64,
    network_bytes: AtomicU64,
    quarantine_us: AtomicU64,
}

impl Dials {
    pub fn new(tuning: &Tuning) -> Dials {
        let unset = || AtomicU64::new(0);
        let dials = Dials { packets: unset(), stream_bytes: unset(), network_bytes: unset(), quarantine_us: unset() };
        dials.turn(tuning);
        dials
    }

    pub fn turn(&self, tuning: &Tuning) {
        let network = tuning.network_kbit.map_or(u64::MAX, |kbit| kbit.saturating_mul(125));
        let share = |bytes: u64| if bytes == u64::MAX { bytes } else { bytes / 100 * u64::from(tuning.source_share) };
        self.packets.store(tuning.stream_rate.map_or(u64::MAX, u64::from), Relaxed);
        self.stream_bytes.store(share(network), Relaxed);
        self.network_bytes.store(network, Relaxed);
        let quarantine = u64::try_from(tuning.quarantine.as_micros()).unwrap_or(u64::MAX);
        self.quarantine_us.store(quarantine, Relaxed);
    }

    /// Of one stream.
    pub fn caps(&self) -> Caps {
        let packets = u32::try_from(self.packets.load(Relaxed)).unwrap_or(u32::MAX);
        Caps { packets, bytes: self.stream_bytes.load(Relaxed) }
    }

    /// How long a closed port rests.
    pub fn quarantine(&self) -> Duration {
        Duration::from_micros(self.quarantine_us.load(Relaxed))
    }

    /// Of one of `threads`.
    pub fn network(&self, threads: usize) -> Allowance {
        Allowance { packets: u32::MAX, bytes: self.network_bytes.load(Relaxed) / threads.max(1) as u64 }
    }
}
