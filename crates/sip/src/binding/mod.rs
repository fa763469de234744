//! The registrar's decisions (RFC 3261 §10.3): what one address of record is bound to.
//!
//! [`Register::read`] takes from a REGISTER what matters; [`Bindings::apply`] decides, all or nothing, and says what changed
//! and what is to be answered. A binding keeps the contact as the device wrote it, which is what the device recognises, and
//! the flow that it came by, which is what reaches the device behind its NAT.

mod apply;
mod entry;
mod register;
mod road;
#[cfg(test)]
mod tests;

use std::time::Duration;

use tollgate_settings::{Values, rows::registrar as rows};
use tollgate_types::{Flow, Mono, Transport};

pub use entry::{Binding, Parts};
pub use register::{BadRegister, Register, Wanted, Wish};
pub use road::{Road, Strict};

use crate::uri::Uri;

/// What the operator decides about registrations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Contacts at a time for one address of record. More are refused with 403.
    pub bindings_max: usize,
    /// Seconds; who asks for less, and not for 0, is told 423.
    pub expires_min: u32,
    /// Seconds; who asks for more gets this.
    pub expires_max: u32,
    /// Seconds for who does not ask.
    pub expires_default: u32,
    /// Seconds at most for a device behind a NAT on UDP, whose way back closes early.
    pub expires_nat: Option<u32>,
}

impl Policy {
    /// As the settings have it.
    pub fn of(values: &Values) -> Policy {
        let seconds = |span: Duration| u32::try_from(span.as_secs()).unwrap_or(u32::MAX);
        Policy {
            bindings_max: usize::try_from(values.integer(&rows::BINDINGS_MAX)).unwrap_or(usize::MAX),
            expires_min: seconds(values.duration(&rows::EXPIRES_MIN)),
            expires_max: seconds(values.duration(&rows::EXPIRES_MAX)),
            expires_default: seconds(values.duration(&rows::EXPIRES_DEFAULT)),
            expires_nat: values.duration_or_off(&rows::EXPIRES_NAT).map(seconds),
        }
    }
}

/// Without settings: every row at its default.
impl Default for Policy {
    fn default() -> Policy {
        Policy::of(&Values::default())
    }
}

/// How long a REGISTER is remembered, so that its repetition is answered again: as long as its sender repeats it, 64 × T1.
pub const REPEAT_SPAN: Duration = Duration::from_secs(32);

/// REGISTERs remembered for one address of record.
const REPEATS_MAX: usize = 8;

/// What one address of record is bound to. Empty it takes next to no room.
#[derive(Clone, Debug, Default)]
pub struct Bindings {
    list: Vec<Binding>,
    /// Digests of the REGISTERs answered lately.
    repeats: Vec<([u8; 16], Mono)>,
    /// The number of the latest binding.
    numbered: u32,
}

/// What is decided about a REGISTER.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// 200 with these Contact values.
    Answer {
        /// Every binding there is now, as header values with what is left of its time.
        contacts: Vec<String>,
        /// What changed, in order; nothing for a fetch or a repeated request.
        changes: Vec<Change>,
    },
    /// 423 with this Min-Expires.
    IntervalTooBrief {
        /// Seconds asked for.
        asked: u32,
        /// Seconds at least.
        min: u32,
    },
    /// 403: it would be one too many.
    TooMany {
        /// How many there would be.
        wanted: usize,
        /// How many there may be.
        max: usize,
    },
    /// 500: a later request of the same device has been obeyed already (RFC 3261 §10.3 item 7).
    StaleCSeq {
        /// What it brought.
        got: u32,
        /// What is known.
        known: u32,
    },
}

/// One thing that changed; numbers name bindings within their address of record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A new binding.
    Added(u32),
    /// The same device at the same place: only its time is new.
    Refreshed(u32),
    /// The same device, reached otherwise now: another flow, contact or path.
    Moved(u32),
    /// It is gone, and why.
    Removed(Box<Binding>, Gone),
}

/// Why a binding is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gone {
    /// Its device, or an admin, said so.
    Asked,
    /// Its time ran out.
    Expired,
    /// Its connection broke.
    FlowLost,
}

/// Did a contact come from elsewhere than it names? Its sender is behind a NAT, or speaks for another. A name is taken at its word.
fn is_behind_nat(contact: &Uri, flow: &Flow) -> bool {
    let source = flow.peer.ip().to_canonical();
    contact.host_ip().is_some_and(|named| {
        let port = contact.port().unwrap_or(flow.transport.default_port());
        named.to_canonical() != source || flow.transport == Transport::Udp && port != flow.peer.port()
    })
}

impl Bindings {
    /// No bindings.
    pub fn new() -> Bindings {
        Bindings::default()
    }

    /// Takes back a binding that was remembered elsewhere, over a restart or from another node.
    pub fn restore(&mut self, parts: Parts<'_>) -> u32 {
        self.numbered = self.numbered.wrapping_add(1);
        self.list.push(Binding::new(self.numbered, &parts));
        self.numbered
    }

    /// Every binding whose time is not over, best first: by q, then the one refreshed last.
    pub fn targets(&self, now: Mono) -> Vec<&Binding> {
        let mut all: Vec<_> = self.list.iter().filter(|binding| binding.expires_at > now).collect();
        all.sort_by_key(|binding| std::cmp::Reverse((binding.q, binding.refreshed_at)));
        all
    }

    /// Every binding, as old as it may be.
    pub fn iter(&self) -> impl Iterator<Item = &Binding> {
        self.list.iter()
    }

    /// The binding with this number.
    pub fn get(&self, number: u32) -> Option<&Binding> {
        self.list.iter().find(|binding| binding.number == number)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Is there none?
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// When the next one ends.
    pub fn next_expiry(&self) -> Option<Mono> {
        self.list.iter().map(|binding| binding.expires_at).min()
    }

    /// Takes out what has ended.
    pub fn expire(&mut self, now: Mono) -> Vec<Change> {
        self.repeats.retain(|(_, at)| now.since(*at) < REPEAT_SPAN);
        self.take(Gone::Expired, |binding| binding.expires_at <= now)
    }

    /// Takes out what was reached by a connection that is gone. On UDP there is nothing to lose.
    pub fn lose(&mut self, flow: &Flow) -> Vec<Change> {
        if !flow.transport.is_reliable() {
            return Vec::new();
        }
        self.take(Gone::FlowLost, |binding| binding.flow.transport == flow.transport && binding.flow.conn == flow.conn)
    }

    /// Takes out one binding, as an admin wishes.
    pub fn remove(&mut self, number: u32) -> Vec<Change> {
        self.take(Gone::Asked, |binding| binding.number == number)
    }

    fn take(&mut self, why: Gone, mut gone: impl FnMut(&Binding) -> bool) -> Vec<Change> {
        self.list
            .extract_if(.., |binding| gone(binding))
            .map(|binding| Change::Removed(Box::new(binding), why))
            .collect()
    }
}
