//! A scripted user agent: it registers, calls whom its diary says, and takes calls in its manner.
//!
//! Pure: datagrams and time go in, datagrams and orders for its lines come out. Transactions and dialogs are the
//! platform's own; what is here is what a phone does with them. It talks to the platform alone and drops all else.

mod callee;
mod caller;
mod register;
mod talk;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use bytes::Bytes;
use tollgate_sip::digest::Challenge;
use tollgate_sip::token::Tokens;
use tollgate_sip::transaction::{Action, Layer, SentBy, Timers};
use tollgate_sip::wire::{Message, Method};
use tollgate_types::{ConnId, Flow, Mono, Seed, Transport};

use self::register::Registering;
use self::talk::Talk;
use super::diary::Diary;
use super::line::Voice;
use super::manner::Manner;

/// Who an agent is.
pub struct Me {
    /// The user part of its address: a name or a number.
    pub name: String,
    /// Its host as it writes it.
    pub host: String,
    /// The platform's domain, which is its digest realm too.
    pub domain: String,
    /// What it proves itself with; without one it does not register either.
    pub password: Option<String>,
    /// Its own socket.
    pub local: SocketAddr,
    /// The platform.
    pub server: SocketAddr,
    /// How it takes a call to the user part of a Request-URI.
    pub manner: Box<dyn Fn(&str) -> Manner + Send>,
}

/// What an agent wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Put this on the socket, to the platform.
    Send(Bytes),
    /// Let a line say something; `None` hushes it.
    Speak(usize, Option<Voice>),
}

/// See the module.
pub struct Agent {
    me: Me,
    flow: Flow,
    /// Our Via's and Contact's host.
    at: String,
    layer: Layer,
    tokens: Tokens,
    /// Where each line listens.
    lines: Vec<SocketAddr>,
    talks: BTreeMap<u64, Talk>,
    registering: Option<Registering>,
    diary: Diary,
    closing: bool,
    /// The number of the last talk.
    serial: u64,
}

/// The owner of a REGISTER; talks have the numbers above.
const REGISTER: u64 = 0;

/// What one happening leads to.
struct Turn<'a> {
    now: Mono,
    actions: Vec<Action>,
    deeds: &'a mut Vec<Deed>,
}

impl Agent {
    /// An agent with these lines; it does nothing before its first [`Agent::handle_timeout`].
    pub fn new(me: Me, lines: Vec<SocketAddr>, diary: Diary, seed: Seed) -> Agent {
        let mut tokens = Tokens::new(seed.child(1), 0);
        let registering = me.password.is_some().then(|| Registering::new(&mut tokens));
        Agent {
            flow: Flow { transport: Transport::Udp, local: me.local, peer: me.server, conn: ConnId(0) },
            at: me.local.to_string(),
            layer: Layer::new(Timers::default(), seed.child(2)),
            tokens,
            lines,
            talks: BTreeMap::new(),
            registering,
            diary,
            closing: false,
            serial: REGISTER,
            me,
        }
    }

    /// The platform's address, where everything goes.
    pub fn server(&self) -> SocketAddr {
        self.flow.peer
    }

    /// Takes a datagram.
    pub fn handle_datagram(&mut self, datagram: &[u8], from: SocketAddr, now: Mono, deeds: &mut Vec<Deed>) {
        if from != self.flow.peer {
            return;
        }
        // Keep-alives are no messages, and want no answer over UDP.
        let Ok(message) = Message::parse(Bytes::copy_from_slice(datagram)) else { return };
        let mut turn = Turn { now, actions: Vec::new(), deeds };
        self.layer.handle_message(message, self.flow, now, &mut turn.actions);
        self.carry_out(&mut turn);
    }

    /// When [`Agent::handle_timeout`] wants to be called; `None` when nothing waits.
    pub fn poll_timeout(&self) -> Option<Mono> {
        let talks = self.talks.values().filter_map(|talk| talk.due).min();
        let registering = self.registering.as_ref().and_then(|registering| registering.due);
        [self.layer.poll_timeout(), talks, registering, self.diary.due()].into_iter().flatten().min()
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Mono, deeds: &mut Vec<Deed>) {
        let mut turn = Turn { now, actions: Vec::new(), deeds };
        self.layer.handle_timeout(now, &mut turn.actions);
        self.carry_out(&mut turn);
        let is_due = |due: Option<Mono>| due.is_some_and(|due| due <= now);
        if is_due(self.registering.as_ref().and_then(|registering| registering.due)) {
            self.register(None, &mut turn);
        }
        if let Some(errand) = self.diary.take(now) {
            self.call(errand, &mut turn);
            self.diary.plan(now, &mut self.tokens);
        }
        let due: Vec<u64> = self.talks.iter().filter(|(_, talk)| is_due(talk.due)).map(|(id, _)| *id).collect();
        for id in due {
            self.talk_is_due(id, &mut turn);
        }
        self.carry_out(&mut turn);
    }

    /// It may call from now on: at once where it does not register, else when it has.
    pub fn begin(&mut self, now: Mono) {
        match &mut self.registering {
            Some(registering) => registering.due = Some(now),
            None => self.diary.begin(now, &mut self.tokens),
        }
    }

    /// Ends its calls, unregisters, and begins nothing any more.
    pub fn close(&mut self, now: Mono, deeds: &mut Vec<Deed>) {
        self.closing = true;
        self.diary.close();
        let mut turn = Turn { now, actions: Vec::new(), deeds };
        let talks: Vec<u64> = self.talks.keys().copied().collect();
        for id in talks {
            self.hang_up(id, &mut turn);
        }
        self.unregister(&mut turn);
        self.carry_out(&mut turn);
    }

    /// Has it closed, with everything answered?
    pub fn is_gone(&self) -> bool {
        self.closing && self.talks.is_empty() && self.registering.is_none()
    }

    fn carry_out(&mut self, turn: &mut Turn<'_>) {
        while !turn.actions.is_empty() {
            for action in std::mem::take(&mut turn.actions) {
                self.act(action, turn);
            }
        }
    }

    fn act(&mut self, action: Action, turn: &mut Turn<'_>) {
        match action {
            Action::Send { bytes, .. } => turn.deeds.push(Deed::Send(bytes)),
            Action::Request { key, message, .. } => self.asked(key, &message, turn),
            Action::Cancelled { key, owner, .. } => self.cancelled(key, owner, turn),
            Action::Ack { server: Some((_, Some(id))), message, .. } => self.acknowledged(id, &message, turn),
            Action::AckMissing { owner: Some(id), .. } => self.hang_up(id, turn),
            Action::Response { owner: REGISTER, message, .. } => self.register_answered(&message, turn),
            Action::Response { owner, message, .. } => self.answered(owner, &message, turn),
            Action::TimedOut { owner: REGISTER, .. } | Action::Unreachable { owner: REGISTER, .. } => {
                self.register_failed(turn)
            }
            Action::TimedOut { owner, .. } | Action::Unreachable { owner, .. } => self.over(owner, turn),
            Action::Ack { .. }
            | Action::AckMissing { .. }
            | Action::StrayResponse { .. }
            | Action::ServerGone { .. }
            | Action::Overloaded { .. } => {}
        }
    }

    /// Sends a request in a transaction of its own; says whether it went.
    fn ask(
        &mut self,
        owner: u64,
        request: &[u8],
        in_dialog: bool,
        turn: &mut Turn<'_>,
    ) -> Option<tollgate_sip::transaction::ClientKey> {
        self.layer.request(owner, request, self.flow, SentBy(&self.at), in_dialog, turn.now, &mut turn.actions).ok()
    }

    /// The header that answers the challenges of a 401 or 407, if one of them is the platform's.
    fn proof(
        &mut self,
        response: &Message,
        method: &Method,
        uri: &str,
    ) -> Option<(tollgate_sip::wire::Name<'static>, String)> {
        let password = self.me.password.as_deref()?;
        let realms = [self.me.domain.as_str()];
        let login = tollgate_sip::digest::Login {
            username: &self.me.name,
            password,
            realms: tollgate_sip::digest::Realms::Only(&realms),
        };
        let challenges = Challenge::read(response);
        let chosen = Challenge::choose(&challenges, &login)?;
        Some(chosen.answer(&login, method.as_str(), uri, &self.tokens.cnonce(), 1))
    }

    /// Our address, as From and To have it.
    fn address(&self) -> String {
        format!("<sip:{}@{}>", self.me.name, self.me.host)
    }

    fn contact(&self) -> String {
        format!("<sip:{}@{}>", self.me.name, self.at)
    }

    /// A line that no talk uses.
    fn free_line(&self) -> Option<usize> {
        (0..self.lines.len()).find(|line| self.talks.values().all(|talk| talk.line != *line))
    }
}

#[cfg(test)]
mod tests;
