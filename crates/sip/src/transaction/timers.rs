//! The timers of RFC 3261 §17 and RFC 6026, named by their letters, and the spans they run.

use std::time::Duration;

use tollgate_settings::{Values, rows::sip as rows};

/// The spans every transaction's timers are made of, and how many transactions there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timers {
    /// Round-trip estimate, RFC 3261 §17.1.1.1: 500 ms.
    pub t1: Duration,
    /// Longest retransmit interval of non-INVITE requests and INVITE responses: 4 s.
    pub t2: Duration,
    /// Longest a message stays in the network: 5 s.
    pub t4: Duration,
    /// Timer C: an INVITE that has rung this long since its last 18x is cancelled. RFC 3261 §16.6 asks for more than
    /// 3 minutes; the call's own ring limit is shorter.
    pub c: Duration,
    /// An INVITE still without an answer of ours after this is answered 100 (RFC 3261 §17.2.1): 200 ms.
    pub trying: Duration,
    /// An INVITE that its owner never answers finally is forgotten after this. No call rings that long; this guards
    /// against an owner that died without a keeper.
    pub patience: Duration,
    /// Client transactions alive at a time. Requests inside a dialog may use an eighth more.
    pub clients_max: usize,
    /// Server transactions alive at a time. Requests inside a dialog may use an eighth more.
    pub servers_max: usize,
}

impl Default for Timers {
    fn default() -> Timers {
        Timers::of(&Values::default())
    }
}

impl Timers {
    /// As the settings have it.
    pub fn of(values: &Values) -> Timers {
        Timers {
            t1: values.duration(&rows::T1_MS),
            t2: values.duration(&rows::T2_MS),
            t4: values.duration(&rows::T4_MS),
            c: Duration::from_secs(200),
            trying: Duration::from_millis(200),
            patience: Duration::from_secs(30 * 60),
            clients_max: 200_000,
            servers_max: 200_000,
        }
    }

    /// 64 × T1: how long a transaction hopes. Timers B, F, H, L, M and, on UDP, J.
    pub fn hope(&self) -> Duration {
        self.t1 * 64
    }

    /// Twice the interval, at most T2: timers E and G and the 2xx's.
    pub(super) fn doubled(&self, interval: Duration) -> Duration {
        (interval * 2).min(self.t2)
    }

    /// Timer D: at least 32 s on UDP (RFC 3261 §17.1.1.2), nothing on a stream.
    pub(super) fn d(&self, reliable: bool) -> Option<Duration> {
        (!reliable).then(|| self.hope().max(Duration::from_secs(32)))
    }

    /// Timers I and K: T4 on UDP, nothing on a stream.
    pub(super) fn linger(&self, reliable: bool) -> Option<Duration> {
        (!reliable).then_some(self.t4)
    }

    /// Timer J: 64 × T1 on UDP, nothing on a stream.
    pub(super) fn j(&self, reliable: bool) -> Option<Duration> {
        (!reliable).then(|| self.hope())
    }
}

/// One timer of one transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    /// INVITE request again.
    A,
    /// INVITE got nothing.
    B,
    /// INVITE rang too long.
    C,
    /// INVITE client: no more failure responses will come.
    D,
    /// Other request again.
    E,
    /// Other request got nothing.
    F,
    /// Failure response to INVITE again.
    G,
    /// Failure response to INVITE was never acknowledged.
    H,
    /// INVITE server: no more ACKs will come.
    I,
    /// Other server: no more requests will come.
    J,
    /// Other client: no more responses will come.
    K,
    /// INVITE server after 2xx: no more INVITEs will come (RFC 6026).
    L,
    /// INVITE client after 2xx: no more 2xx will come (RFC 6026).
    M,
    /// 2xx again until its ACK: the UAS core's timer, RFC 3261 §13.3.1.4.
    Success,
    /// Nothing said yet: send 100.
    Trying,
    /// Cancelled, and no final response since: RFC 3261 §9.1.
    Cancelled,
    /// The owner never answered.
    Patience,
}

impl Timer {
    /// A transaction has two timers at most: one to repeat (0), one to end (1).
    pub(super) fn slot(self) -> usize {
        match self {
            Timer::A | Timer::E | Timer::G | Timer::Success | Timer::Trying => 0,
            _ => 1,
        }
    }
}

/// What a state wants done, in this order. The states decide; [`Layer`](super::Layer) does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// A client's request, or a server's last response, goes out (again).
    Send,
    /// The message goes to the owner.
    Deliver,
    /// A 2xx that belongs to no branch any more goes to whoever knows the dialog.
    DeliverStray,
    /// The ACK of a failure response goes out (again).
    Ack,
    /// A CANCEL starts, in a transaction of its own.
    Cancel,
    /// 100 is sent on the owner's behalf.
    Trying,
    /// The owner learns that its INVITE was cancelled.
    TellCancelled,
    /// The owner learns that nothing came: 408.
    TellTimedOut,
    /// The owner learns that it could not be sent: 503.
    TellUnreachable,
    /// The owner learns that its 2xx was never acknowledged.
    TellAckMissing,
    /// Sets a timer; what was in its slot is struck out.
    Arm(Timer, Duration),
    /// Strikes out the repeating timer.
    Quiet,
}

/// What one event asks for: never more than five things.
pub(super) type Effects = smallvec::SmallVec<[Effect; 5]>;
