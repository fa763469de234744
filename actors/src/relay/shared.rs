//! The record a call shares with its media thread: atomics, each with one writer.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use tollgate_media::quality::Summary;
use tollgate_media::relay::Reason;
use tollgate_types::Mono;

/// One call's record. The call writes [`SharedCall::pay_until`]; the media thread writes the rest.
#[derive(Debug)]
pub struct SharedCall {
    open_until: AtomicU64,
    legs: [SharedLeg; 2],
}

/// What has come from one leg, over all its lines.
#[derive(Debug, Default)]
pub struct SharedLeg {
    last_packet: AtomicU64,
    packets: AtomicU64,
    bytes: AtomicU64,
    drops: [AtomicU64; Reason::ALL.len()],
}

/// What a line carried, told when the call is closed. By [`tollgate_media::Leg::index`]: what came *from* that leg.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LineStats {
    /// One for each leg.
    pub legs: [Summary; 2],
}

/// What a call carried, by line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallStats {
    /// In the order of the SDP.
    pub lines: Vec<LineStats>,
}

/// What one media thread has on its hands.
#[derive(Debug, Default)]
pub struct Load {
    /// Calls open.
    pub calls: AtomicUsize,
    /// Sockets open.
    pub sockets: AtomicUsize,
    /// Packets forwarded since the start.
    pub forwarded: AtomicU64,
    /// Faults of ours that cost a stream.
    pub panics: AtomicU64,
}

impl SharedCall {
    pub(super) fn new(open_until: Mono) -> SharedCall {
        SharedCall { open_until: AtomicU64::new(open_until.micros()), legs: Default::default() }
    }

    /// Nothing is forwarded from `until` on, even if everybody else hangs.
    pub fn pay_until(&self, until: Mono) {
        self.open_until.store(until.micros(), Relaxed);
    }

    /// When forwarding ends.
    pub fn open_until(&self) -> Mono {
        Mono::from_micros(self.open_until.load(Relaxed))
    }

    /// By [`tollgate_media::Leg::index`].
    pub fn leg(&self, leg: tollgate_media::Leg) -> &SharedLeg {
        &self.legs[leg.index()]
    }
}

impl SharedLeg {
    /// When its last packet came that was its own, heard or not; `None` if none has come.
    pub fn last_packet(&self) -> Option<Mono> {
        Some(self.last_packet.load(Relaxed)).filter(|micros| *micros != 0).map(Mono::from_micros)
    }

    /// Packets forwarded from it.
    pub fn packets(&self) -> u64 {
        self.packets.load(Relaxed)
    }

    /// Bytes of UDP payload forwarded from it.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }

    /// Packets dropped on its ports for that reason.
    pub fn drops(&self, reason: Reason) -> u64 {
        self.drops[reason as usize].load(Relaxed)
    }

    pub(crate) fn forwarded(&self, bytes: usize, now: Mono) {
        self.alive(now);
        add(&self.packets, 1);
        add(&self.bytes, bytes as u64);
    }

    pub(crate) fn dropped(&self, reason: Reason, now: Mono) {
        if reason.is_own() {
            self.alive(now);
        }
        add(&self.drops[reason as usize], 1);
    }

    fn alive(&self, now: Mono) {
        self.last_packet.store(now.micros().max(1), Relaxed);
    }
}

impl CallStats {
    /// The line that says most of how `leg` sounded: the one with most packets.
    pub fn leg(&self, leg: tollgate_media::Leg) -> Summary {
        self.lines.iter().map(|line| line.legs[leg.index()]).max_by_key(|leg| leg.packets).unwrap_or_default()
    }
}

/// With one writer, a load and a store do: no bus lock.
pub(crate) fn add(counter: &AtomicU64, more: u64) {
    counter.store(counter.load(Relaxed).wrapping_add(more), Relaxed);
}
