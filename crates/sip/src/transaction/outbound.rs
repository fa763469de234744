//! What the owners want: ask, answer, cancel, forget.

use bytes::Bytes;
use tollgate_types::{Flow, Mono};

use super::inbound::room;
use super::table::{ClientState, Server};
use super::timers::Effect;
use super::{
    Action, ClientKey, Full, Layer, SentBy, ServerKey, client, compose, invite_client, invite_server, matching, server,
};
use crate::wire::{Message, Method};

impl Layer {
    /// Sends a request in a client transaction of its own. `request` lacks the top Via, which is added here; an ACK of a
    /// 2xx goes by [`Layer::send_bare`]. The answers reach `owner`.
    ///
    /// `in_dialog`: it serves a dialog that exists (BYE, re-INVITE…), for which room is kept.
    #[allow(clippy::too_many_arguments, reason = "each is one plain fact about the request")]
    pub fn request(
        &mut self,
        owner: u64,
        request: &[u8],
        flow: Flow,
        sent_by: SentBy<'_>,
        in_dialog: bool,
        now: Mono,
        out: &mut Vec<Action>,
    ) -> Result<ClientKey, Full> {
        let limit = room(self.timers.clients_max, !in_dialog);
        if self.clients.len() >= limit {
            self.totals.overloaded += 1;
            return Err(Full { alive: self.clients.len(), limit });
        }
        let branch = self.tokens.branch();
        let index = matching::client_index(&branch, compose::method_of(request));
        let bytes = compose::with_via(request, flow.transport, sent_by, &branch);
        Ok(self.start_client(Some(owner), bytes, flow, index, now, out))
    }

    /// Sends a request outside any transaction: the ACK of a 2xx. It gets a Via and a branch of its own. Keep the bytes that
    /// are returned: the ACK of a repeated 2xx must be the same again (RFC 3261 §13.2.2.4).
    pub fn send_bare(&mut self, request: &[u8], flow: Flow, sent_by: SentBy<'_>, out: &mut Vec<Action>) -> Bytes {
        let bytes = compose::with_via(request, flow.transport, sent_by, &self.tokens.branch());
        out.push(Action::Send { flow, bytes: bytes.clone() });
        bytes
    }

    /// Gives up an INVITE (RFC 3261 §9.1): at once if it has been answered provisionally, else when it is; not at all once it
    /// has been answered finally. The final response still comes: 487 as a rule, a 2xx if it crossed the CANCEL, or
    /// [`Action::TimedOut`] when nothing does. `reason` is a Reason value (RFC 3326).
    pub fn cancel(&mut self, key: ClientKey, reason: Option<&str>, now: Mono, out: &mut Vec<Action>) {
        let Some(client) = self.clients.get(key) else { return };
        let before = client.state;
        let ClientState::Invite(state) = before else { return };
        client.reason = reason.map(Box::from);
        let reliable = client.flow.transport.is_reliable();
        let (state, effects) = invite_client::step(state, invite_client::Event::Cancel, &self.timers, reliable);
        self.carry_client(key, before, ClientState::Invite(state), &effects, None, now, out);
    }

    /// Names who cares for a request; later news of it carries the name.
    pub fn claim(&mut self, key: ServerKey, owner: u64) {
        if let Some(server) = self.servers.get(key) {
            server.owner = Some(owner);
        }
    }

    /// Answers a request. `response` is whole, made with [`ResponseBuilder`](crate::wire::ResponseBuilder); `status` is its own.
    /// A 2xx to INVITE is repeated until its ACK comes. Says whether it was sent: not after an earlier final answer.
    pub fn respond(&mut self, key: ServerKey, response: Bytes, status: u16, now: Mono, out: &mut Vec<Action>) -> bool {
        let (invite, other) = match status {
            100..200 => (invite_server::Event::Provisional, server::Event::Provisional),
            200..300 => (invite_server::Event::Success, server::Event::Final),
            _ => (invite_server::Event::Failure, server::Event::Final),
        };
        let Some((state, effects)) = self.server_step(key, invite, other) else { return false };
        let sends = effects.contains(&Effect::Send);
        if sends && let Some(server) = self.servers.get(key) {
            server.bytes = response;
        }
        self.carry_server(key, state, &effects, None, now, out);
        sends
    }

    /// Answers a request and forgets it: a 401, 407 or any answer to a REGISTER, which whoever asks again gets again. An INVITE's
    /// must carry [`Layer::stateless_tag`], or its ACK goes astray. RFC 3261 §8.2.7.
    pub fn respond_stateless(&mut self, key: ServerKey, response: Bytes, out: &mut Vec<Action>) {
        if let Some(server) = self.drop_server(key) {
            out.push(Action::Send { flow: server.flow, bytes: response });
        }
    }

    /// Forgets a request without an answer: junk, or its sender was banned meanwhile.
    pub fn forget(&mut self, key: ServerKey) {
        self.drop_server(key);
    }

    /// The owner has seen the ACK of its 2xx by other means than [`Action::Ack`]: the 2xx is not repeated any more.
    pub fn ack_received(&mut self, key: ServerKey, now: Mono, out: &mut Vec<Action>) {
        self.server_event(key, invite_server::Event::Ack, server::Event::Again, None, now, out);
    }

    /// Where the answers to a request go, while it is known.
    pub fn reply_flow(&mut self, key: ServerKey) -> Option<Flow> {
        self.servers.get(key).map(|server| server.flow)
    }

    pub(super) fn start_client(
        &mut self,
        owner: Option<u64>,
        bytes: Bytes,
        flow: Flow,
        index: Box<str>,
        now: Mono,
        out: &mut Vec<Action>,
    ) -> ClientKey {
        let reliable = flow.transport.is_reliable();
        let (state, effects) = if compose::method_of(&bytes) == Method::Invite.as_str() {
            let (state, effects) = invite_client::start(&self.timers, reliable);
            (ClientState::Invite(state), effects)
        } else {
            let (state, effects) = client::start(&self.timers, reliable);
            (ClientState::Other(state), effects)
        };
        let key = self.clients.insert(state, owner, flow, index, bytes);
        self.carry_client(key, state, state, &effects, None, now, out);
        key
    }

    /// The CANCEL of an INVITE, in a transaction that nobody owns.
    pub(super) fn start_cancel(&mut self, invite: ClientKey, now: Mono, out: &mut Vec<Action>) {
        let Some(client) = self.clients.get(invite) else { return };
        let (flow, reason) = (client.flow, client.reason.take());
        // Our own bytes: only an owner that made no SIP at all could fail here, and then there is nothing to cancel.
        let Ok(request) = Message::parse(client.bytes.clone()) else { return };
        let bytes = compose::cancel(&request, reason.as_deref());
        let index = matching::client_index(request.via().branch().unwrap_or_default(), Method::Cancel.as_str());
        self.start_client(None, bytes, flow, index, now, out);
    }

    fn drop_server(&mut self, key: ServerKey) -> Option<Server> {
        let server = self.servers.remove(key)?;
        for timer in server.timers.into_iter().flatten() {
            self.wheel.cancel(timer);
        }
        Some(server)
    }
}
