//! What the network brings: which transaction it wakes, and what is answered without one.

use tollgate_types::{Flow, Mono};

use super::timers::Timer;
use super::{Action, Layer, ServerKey, client, compose, invite_client, invite_server, matching, server};
use super::{
    ClientKey,
    table::{ClientState, ServerState},
};
use crate::wire::{Message, Method};

impl Layer {
    /// Takes a message from the network.
    pub fn handle_message(&mut self, message: Message, flow: Flow, now: Mono, out: &mut Vec<Action>) {
        match message.method() {
            None => self.response(message, flow, now, out),
            Some(Method::Ack) => self.ack(message, flow, now, out),
            Some(Method::Cancel) => self.cancel_received(message, flow, now, out),
            Some(_) => {
                let outside = message.to().tag().is_none();
                self.request_received(message, flow, outside, now, out);
            }
        }
    }

    /// Takes a request that must not be turned away for want of room: it gets the room that dialogs have.
    pub fn handle_urgent(&mut self, request: Message, flow: Flow, now: Mono, out: &mut Vec<Action>) {
        self.request_received(request, flow, false, now, out);
    }

    /// Does this request belong to a transaction that is under way, as a repetition or as its merged twin?
    pub fn knows(&self, request: &Message) -> bool {
        let Some(method) = request.method() else { return false };
        self.servers.find(&matching::server_index(request, method.as_str())).is_some()
            || self.servers.find_origin(self.servers.origin(request, method.as_str())).is_some()
    }

    /// A flow is gone, or would not take our bytes: whoever waits for an answer on it learns so.
    pub fn handle_unreachable(&mut self, flow: &Flow, now: Mono, out: &mut Vec<Action>) {
        for key in self.clients.on_flow(flow) {
            self.handle_unsendable(key, now, out);
        }
    }

    /// One request could not be sent: its owner learns so.
    pub fn handle_unsendable(&mut self, key: ClientKey, now: Mono, out: &mut Vec<Action>) {
        self.client_event(key, invite_client::Event::Unreachable, client::Event::Unreachable, None, now, out);
    }

    /// `waits` says that what serves a dialog goes before it when there is little room.
    fn request_received(&mut self, message: Message, flow: Flow, waits: bool, now: Mono, out: &mut Vec<Action>) {
        let Some(method) = message.method() else { return };
        let index = matching::server_index(&message, method.as_str());
        if let Some(key) = self.servers.find(&index) {
            self.totals.requests_repeated += 1;
            self.follow(key, &message, flow);
            self.server_event(key, invite_server::Event::Again, server::Event::Again, None, now, out);
            return;
        }
        let outside = message.to().tag().is_none();
        let origin = self.servers.origin(&message, method.as_str());
        // RFC 3261 §8.2.2.2: it came before by another way, and that one is being worked on.
        if outside && self.servers.find_origin(origin).is_some() {
            self.totals.merged += 1;
            self.answer_alone(&message, flow, 482, out);
            return;
        }
        if self.servers.len() >= room(self.timers.servers_max, waits) {
            self.totals.overloaded += 1;
            out.push(Action::Overloaded { message, flow });
            return;
        }
        let reply = compose::reply_flow(&message.via(), flow);
        let (state, effects, kept) = if *method == Method::Invite {
            let (state, effects) = invite_server::start(&self.timers);
            (ServerState::Invite(state), effects, Some(message.clone()))
        } else {
            let (state, effects) = server::start(&self.timers);
            (ServerState::Other(state), effects, None)
        };
        let key = self.servers.insert(state, reply, index, origin, kept);
        self.carry_server(key, state, &effects, Some((message, flow)), now, out);
    }

    fn ack(&mut self, message: Message, flow: Flow, now: Mono, out: &mut Vec<Action>) {
        let invite = Method::Invite;
        if let Some(key) = self.servers.find(&matching::server_index(&message, invite.as_str())) {
            let state = self.servers.get(key).map(|server| server.state);
            self.server_event(key, invite_server::Event::Ack, server::Event::Again, None, now, out);
            // RFC 6026 §8.7: an ACK of a 2xx has a branch of its own; some senders repeat the INVITE's.
            if matches!(state, Some(ServerState::Invite(invite_server::State::Accepted { .. }))) {
                self.deliver_ack(Some(key), message, flow, out);
            }
            return;
        }
        // Before the dialogs are asked: a 482 to a merged request has the very Call-ID, From and CSeq of an INVITE that lives.
        if message.to().tag().is_some_and(|tag| self.tags.knows(tag, message.call_id(), message.from().tag())) {
            self.totals.stateless_acks += 1;
            return;
        }
        let origin = self.servers.origin(&message, invite.as_str());
        let accepted = |state| matches!(state, ServerState::Invite(invite_server::State::Accepted { .. }));
        let found = self.servers.find_origin(origin);
        let key = found.filter(|key| self.servers.get(*key).is_some_and(|server| accepted(server.state)));
        if let Some(key) = key {
            self.server_event(key, invite_server::Event::Ack, server::Event::Again, None, now, out);
        }
        self.deliver_ack(key, message, flow, out);
    }

    fn deliver_ack(&mut self, key: Option<ServerKey>, message: Message, flow: Flow, out: &mut Vec<Action>) {
        let server = key.map(|key| (key, self.servers.get(key).and_then(|server| server.owner)));
        out.push(Action::Ack { server, message, flow });
    }

    /// RFC 3261 §9.2.
    fn cancel_received(&mut self, message: Message, flow: Flow, now: Mono, out: &mut Vec<Action>) {
        let index = matching::server_index(&message, Method::Cancel.as_str());
        if let Some(key) = self.servers.find(&index) {
            self.totals.requests_repeated += 1;
            self.server_event(key, invite_server::Event::Again, server::Event::Again, None, now, out);
            return;
        }
        let invite = self.servers.find(&matching::server_index(&message, Method::Invite.as_str()));
        // A CANCEL cannot be challenged (RFC 3261 §22.1), so it must come from the address its INVITE came from:
        // a branch overheard elsewhere ends nobody's call.
        let near = |server: &&mut super::table::Server| server.flow.peer.ip() == flow.peer.ip();
        let Some((key, invite)) = invite.and_then(|key| Some((key, self.servers.get(key).filter(near)?))) else {
            self.answer_alone(&message, flow, 481, out);
            return;
        };
        // RFC 3261 §9.2: the To-tag of both answers should be the same.
        let said = Message::parse(invite.bytes.clone()).ok();
        let tag = said.as_ref().and_then(|said| said.to().tag()).map(str::to_owned);
        let tag = tag.unwrap_or_else(|| self.stateless_tag(&message));
        let answer = compose::answer(&message, &flow, 200, Some(&tag));
        if self.servers.len() < room(self.timers.servers_max, false) {
            let (state, effects) = server::start(&self.timers);
            let origin = self.servers.origin(&message, Method::Cancel.as_str());
            let reply = compose::reply_flow(&message.via(), flow);
            let own = self.servers.insert(ServerState::Other(state), reply, index, origin, None);
            self.carry_server(own, ServerState::Other(state), &effects, None, now, out);
            self.respond(own, answer, 200, now, out);
        } else {
            let flow = compose::reply_flow(&message.via(), flow);
            out.push(Action::Send { flow, bytes: answer });
        }
        let happened = Some((message, flow));
        self.server_event(key, invite_server::Event::Cancel, server::Event::Again, happened, now, out);
    }

    fn response(&mut self, message: Message, flow: Flow, now: Mono, out: &mut Vec<Action>) {
        let Some(status) = message.status() else { return };
        let cseq = message.cseq();
        let via = message.via();
        let index = matching::client_index(via.branch().unwrap_or_default(), cseq.method.as_str());
        let Some(key) = self.clients.find(&index) else {
            // Only a 2xx to an INVITE leaves something behind at its sender's.
            if cseq.method == Method::Invite && (200..300).contains(&status) {
                out.push(Action::StrayResponse { message, flow });
            }
            self.totals.stray_responses += 1;
            return;
        };
        let (invite, other) = match status {
            100 => (invite_client::Event::Trying, client::Event::Provisional),
            101..200 => (invite_client::Event::Provisional, client::Event::Provisional),
            200..300 => (invite_client::Event::Success, client::Event::Final),
            _ => (invite_client::Event::Failure, client::Event::Final),
        };
        self.client_event(key, invite, other, Some((message, flow)), now, out);
    }

    pub(super) fn client_fired(&mut self, key: ClientKey, timer: Timer, now: Mono, out: &mut Vec<Action>) {
        let Some(client) = self.clients.get(key) else { return };
        client.timers[timer.slot()] = None;
        self.totals.requests_sent_again += u64::from(matches!(timer, Timer::A | Timer::E));
        self.client_event(key, invite_client::Event::Fired(timer), client::Event::Fired(timer), None, now, out);
    }

    pub(super) fn server_fired(&mut self, key: ServerKey, timer: Timer, now: Mono, out: &mut Vec<Action>) {
        let Some(server) = self.servers.get(key) else { return };
        server.timers[timer.slot()] = None;
        self.totals.responses_repeated += u64::from(matches!(timer, Timer::G | Timer::Success));
        self.server_event(key, invite_server::Event::Fired(timer), server::Event::Fired(timer), None, now, out);
    }

    /// One event for whichever figure the transaction follows.
    fn client_event(
        &mut self,
        key: ClientKey,
        invite: invite_client::Event,
        other: client::Event,
        happened: Option<(Message, Flow)>,
        now: Mono,
        out: &mut Vec<Action>,
    ) {
        let Some(client) = self.clients.get(key) else { return };
        let reliable = client.flow.transport.is_reliable();
        let before = client.state;
        let (state, effects) = match before {
            ClientState::Invite(state) => {
                let (state, effects) = invite_client::step(state, invite, &self.timers, reliable);
                (ClientState::Invite(state), effects)
            }
            ClientState::Other(state) => {
                let (state, effects) = client::step(state, other, &self.timers, reliable);
                (ClientState::Other(state), effects)
            }
        };
        self.carry_client(key, before, state, &effects, happened, now, out);
    }

    /// One event for whichever figure the transaction follows.
    pub(super) fn server_event(
        &mut self,
        key: ServerKey,
        invite: invite_server::Event,
        other: server::Event,
        happened: Option<(Message, Flow)>,
        now: Mono,
        out: &mut Vec<Action>,
    ) {
        let Some((state, effects)) = self.server_step(key, invite, other) else { return };
        self.carry_server(key, state, &effects, happened, now, out);
    }

    pub(super) fn server_step(
        &mut self,
        key: ServerKey,
        invite: invite_server::Event,
        other: server::Event,
    ) -> Option<(ServerState, super::timers::Effects)> {
        let server = self.servers.get(key)?;
        let reliable = server.flow.transport.is_reliable();
        Some(match server.state {
            ServerState::Invite(state) => {
                let (state, effects) = invite_server::step(state, invite, &self.timers, reliable);
                (ServerState::Invite(state), effects)
            }
            ServerState::Other(state) => {
                let (state, effects) = server::step(state, other, &self.timers, reliable);
                (ServerState::Other(state), effects)
            }
        })
    }

    /// A repeated request by a new way from the same address: the old connection or NAT mapping is gone.
    fn follow(&mut self, key: ServerKey, message: &Message, flow: Flow) {
        if let Some(server) = self.servers.get(key)
            && server.flow.peer.ip() == flow.peer.ip()
            && server.flow.transport == flow.transport
        {
            server.flow = compose::reply_flow(&message.via(), flow);
        }
    }

    /// Answers and keeps nothing; the tag will know the ACK.
    fn answer_alone(&mut self, message: &Message, flow: Flow, status: u16, out: &mut Vec<Action>) {
        let tag = self.stateless_tag(message);
        let bytes = compose::answer(message, &flow, status, Some(&tag));
        out.push(Action::Send { flow: compose::reply_flow(&message.via(), flow), bytes });
    }
}

/// How many there may be: what serves a dialog that exists comes first.
pub(super) fn room(limit: usize, outside: bool) -> usize {
    if outside { limit } else { limit + limit / 8 }
}
