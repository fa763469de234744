//! Carrying out what a state asked for.

use bytes::Bytes;
use tollgate_types::{Flow, Mono};

use super::table::{ClientState, ServerState};
use super::timers::{Effect, Effects};
use super::{Action, ClientKey, Due, Layer, ServerKey, compose, invite_client, invite_server};
use crate::wire::Message;

impl Layer {
    /// Moves a client transaction on. `happened` is the response that did it, if one did.
    #[allow(clippy::too_many_arguments, reason = "the transition and what caused it, taken apart")]
    pub(super) fn carry_client(
        &mut self,
        key: ClientKey,
        before: ClientState,
        state: ClientState,
        effects: &Effects,
        happened: Option<(Message, Flow)>,
        now: Mono,
        out: &mut Vec<Action>,
    ) {
        let Some(client) = self.clients.get(key) else { return };
        let (owner, flow) = (client.owner, client.flow);
        client.state = state;
        let had_ack = matches!(before, ClientState::Invite(invite_client::State::Completed));
        for effect in effects {
            match *effect {
                Effect::Send => {
                    let Some(client) = self.clients.get(key) else { return };
                    out.push(Action::Send { flow, bytes: client.bytes.clone() });
                }
                Effect::Deliver => {
                    if let (Some((message, flow)), Some(owner)) = (&happened, owner) {
                        out.push(Action::Response { owner, client: key, message: message.clone(), flow: *flow });
                    }
                }
                Effect::DeliverStray => {
                    if let Some((message, flow)) = &happened {
                        self.totals.stray_responses += 1;
                        out.push(Action::StrayResponse { message: message.clone(), flow: *flow });
                    }
                }
                Effect::Ack => {
                    if !had_ack && let Some((response, _)) = &happened {
                        self.make_ack(key, response);
                    } else {
                        self.totals.responses_repeated += 1;
                    }
                    let Some(client) = self.clients.get(key) else { return };
                    if !client.bytes.is_empty() {
                        out.push(Action::Send { flow, bytes: client.bytes.clone() });
                    }
                }
                Effect::Cancel => self.start_cancel(key, now, out),
                Effect::TellTimedOut => {
                    self.totals.timed_out += u64::from(owner.is_some());
                    out.extend(owner.map(|owner| Action::TimedOut { owner, client: key }));
                }
                Effect::TellUnreachable => {
                    self.totals.unreachable += u64::from(owner.is_some());
                    out.extend(owner.map(|owner| Action::Unreachable { owner, client: key }));
                }
                Effect::Arm(timer, span) => {
                    let armed = self.wheel.insert(now + span, Due::Client(key, timer));
                    self.hold_client(key, timer.slot(), Some(armed));
                }
                Effect::Quiet => self.hold_client(key, 0, None),
                Effect::Trying | Effect::TellCancelled | Effect::TellAckMissing => {}
            }
        }
        if state.is_terminated() {
            self.hold_client(key, 0, None);
            self.hold_client(key, 1, None);
            self.clients.remove(key);
        } else if before != state
            && matches!(
                state,
                ClientState::Invite(invite_client::State::Accepted)
                    | ClientState::Other(super::client::State::Completed)
            )
            && let Some(client) = self.clients.get(key)
        {
            // Nothing of it goes out any more.
            client.bytes = Bytes::new();
            client.reason = None;
        }
    }

    /// Moves a server transaction on. `happened` is the request that did it, if one did.
    pub(super) fn carry_server(
        &mut self,
        key: ServerKey,
        state: ServerState,
        effects: &Effects,
        happened: Option<(Message, Flow)>,
        now: Mono,
        out: &mut Vec<Action>,
    ) {
        let Some(server) = self.servers.get(key) else { return };
        let owner = server.owner;
        let before = std::mem::replace(&mut server.state, state);
        for effect in effects {
            match *effect {
                Effect::Send => {
                    let Some(server) = self.servers.get(key) else { return };
                    out.push(Action::Send { flow: server.flow, bytes: server.bytes.clone() });
                }
                Effect::Deliver => {
                    if let Some((message, flow)) = &happened {
                        out.push(Action::Request { key, message: message.clone(), flow: *flow });
                    }
                }
                Effect::Trying => {
                    let Some(server) = self.servers.get(key) else { return };
                    if let Some(request) = server.request.take() {
                        server.bytes = compose::answer(&request, &server.flow, 100, None);
                        out.push(Action::Send { flow: server.flow, bytes: server.bytes.clone() });
                    }
                }
                Effect::TellCancelled => {
                    if let Some((message, _)) = &happened {
                        out.push(Action::Cancelled { key, owner, message: message.clone() });
                    }
                }
                Effect::TellAckMissing => {
                    self.totals.acks_missing += 1;
                    out.push(Action::AckMissing { key, owner });
                }
                Effect::Arm(timer, span) => {
                    let armed = self.wheel.insert(now + span, Due::Server(key, timer));
                    self.hold_server(key, timer.slot(), Some(armed));
                }
                Effect::Quiet => self.hold_server(key, 0, None),
                // A client's business.
                Effect::Ack
                | Effect::Cancel
                | Effect::DeliverStray
                | Effect::TellTimedOut
                | Effect::TellUnreachable => {}
            }
        }
        if state.is_over() {
            self.servers.forget_origin(key);
        }
        if let Some(server) = self.servers.get(key)
            && !matches!(state, ServerState::Invite(invite_server::State::Proceeding { said: false, .. }))
        {
            server.request = None;
        }
        if state.is_terminated() {
            self.hold_server(key, 0, None);
            self.hold_server(key, 1, None);
            self.servers.remove(key);
            let answered = matches!(before, ServerState::Other(super::server::State::Completed))
                || effects.contains(&Effect::Send) && matches!(state, ServerState::Other(_));
            if !answered {
                out.push(Action::ServerGone { key, owner });
            }
        }
    }

    /// The request's bytes give way to the ACK's: nothing else of it goes out any more.
    fn make_ack(&mut self, key: ClientKey, response: &Message) {
        let Some(client) = self.clients.get(key) else { return };
        // Our own bytes: only an owner that made no SIP at all could fail here, and then nothing awaits an ACK.
        let request = Message::parse(client.bytes.clone()).ok();
        client.bytes = request.map(|request| compose::ack(&request, response)).unwrap_or_default();
        client.reason = None;
    }

    /// Puts a timer into its slot; what was there is struck out.
    fn hold_client(&mut self, key: ClientKey, slot: usize, timer: Option<crate::wheel::TimerId>) {
        if let Some(client) = self.clients.get(key)
            && let Some(old) = std::mem::replace(&mut client.timers[slot], timer)
        {
            self.wheel.cancel(old);
        }
    }

    /// Puts a timer into its slot; what was there is struck out.
    fn hold_server(&mut self, key: ServerKey, slot: usize, timer: Option<crate::wheel::TimerId>) {
        if let Some(server) = self.servers.get(key)
            && let Some(old) = std::mem::replace(&mut server.timers[slot], timer)
        {
            self.wheel.cancel(old);
        }
    }
}
