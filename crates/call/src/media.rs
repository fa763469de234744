//! The call's media: what each side said, our ports, and what the relay was told.

use std::net::IpAddr;

use bytes::Bytes;
use tollgate_billing::cdr::LegMedia;
use tollgate_media::sdp::exchange::Exchange;
use tollgate_media::{Families, Leg as Side, Ports};
use tollgate_routing::EarlyMedia;
use tollgate_types::Mono;

use crate::action::{Action, MediaOrder};
use crate::call::{Call, Turn};
use crate::policy::Policy;

/// Media of one call.
#[derive(Debug, Default)]
pub(crate) struct Media {
    /// What caller and callee said, once there is one callee; while it rings, each branch has its own.
    pub exchange: Option<Box<Exchange>>,
    /// Our ports, once the relay gave them.
    pub ports: Option<Box<Ports>>,
    /// The relay was asked for ports, so that it must be asked to close them.
    pub opened: bool,
    /// Close was asked for; the figures are awaited.
    pub closing: bool,
    /// What the relay measured.
    pub stats: Option<Box<[LegMedia; 2]>>,
    /// Which way packets may go: A to B, B to A.
    pub gate: (bool, bool),
    /// The end of what is paid, as the relay knows it.
    pub open_until: Option<Mono>,
}

impl Policy {
    /// Our media address towards a peer whose signalling comes from `peer` to `local`.
    pub(crate) fn media_address(&self, local: IpAddr, peer: IpAddr) -> IpAddr {
        let advertised = if peer.to_canonical().is_ipv4() { self.media_v4 } else { self.media_v6 };
        advertised.unwrap_or(local)
    }
}

impl Call {
    /// Asks the relay for ports, once.
    pub(crate) fn open_media(&mut self, turn: &mut Turn<'_>, families: [Families; 2]) {
        if self.media.opened {
            return;
        }
        self.media.opened = true;
        let lines = self.media.exchange.as_ref().map_or(0, |exchange| exchange.lines());
        // A delayed offer has not said how many lines there will be.
        let lines = if lines == 0 { 1 } else { lines };
        let lines = u8::try_from(lines).unwrap_or(u8::MAX).min(self.policy.streams_max.max(1));
        turn.media(MediaOrder::Allocate { lines, families });
    }

    /// Tells the relay what offer and answer agreed on.
    pub(crate) fn plan_media(&mut self, turn: &mut Turn<'_>) {
        let Some(exchange) = self.shown_exchange() else { return };
        let plan = Box::new(exchange.plan());
        turn.media(MediaOrder::Update { plan });
    }

    /// Opens what may be heard before the answer.
    pub(crate) fn gate_early(&mut self, turn: &mut Turn<'_>, early: EarlyMedia) {
        let gate = (early == EarlyMedia::Allow, early.has_path());
        self.gate(turn, gate);
    }

    /// Opens both ways.
    pub(crate) fn gate_open(&mut self, turn: &mut Turn<'_>) {
        self.gate(turn, (true, true));
    }

    fn gate(&mut self, turn: &mut Turn<'_>, gate: (bool, bool)) {
        if self.media.opened && self.media.gate != gate {
            self.media.gate = gate;
            turn.media(MediaOrder::Gate { a_to_b: gate.0, b_to_a: gate.1 });
        }
    }

    /// Tells the relay up to when media is paid for: the earliest end of all paid legs.
    pub(crate) fn limit_media(&mut self, turn: &mut Turn<'_>) {
        let at =
            self.paid.iter().filter(|paid| paid.is_open()).map(|paid| paid.paid_until()).min().unwrap_or(Mono::NEVER);
        if self.media.opened && self.media.open_until != Some(at) {
            self.media.open_until = Some(at);
            turn.media(MediaOrder::OpenUntil { at });
        }
    }

    /// Closes the ports; the figures come back as an event.
    pub(crate) fn close_media(&mut self, turn: &mut Turn<'_>) {
        if self.media.opened && !self.media.closing {
            self.media.closing = true;
            turn.media(MediaOrder::Close);
        }
    }

    /// What was said, as the caller knows it: the conversation's, or that of the branch it was shown.
    pub(crate) fn shown_exchange(&self) -> Option<&Exchange> {
        let shown =
            self.hunt.as_ref().and_then(|hunt| hunt.shown_branch()).and_then(|branch| branch.exchange.as_deref());
        shown.or(self.media.exchange.as_deref())
    }

    /// The same, to change it.
    pub(crate) fn shown_exchange_mut(&mut self) -> Option<&mut Exchange> {
        let shown = self
            .hunt
            .as_mut()
            .and_then(|hunt| hunt.shown_branch_mut())
            .and_then(|branch| branch.exchange.as_deref_mut());
        shown.or(self.media.exchange.as_deref_mut())
    }

    /// How the one on `side`, reached by `flow`, is to see us.
    pub(crate) fn ours(&self, side: Side, flow: tollgate_types::Flow) -> Option<tollgate_media::Ours> {
        let address = self.policy.media_address(flow.local.ip(), flow.peer.ip());
        self.media.ports.as_ref().map(|ports| ports.ours(side, address))
    }
}

impl Turn<'_> {
    fn media(&mut self, order: MediaOrder) {
        self.out.push(Action::Media(order));
    }
}

/// The body of a message that we wrote.
pub(crate) fn body_of(bytes: &Bytes) -> Option<Bytes> {
    let at = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    Some(bytes.slice(at + 4..)).filter(|body| !body.is_empty())
}
