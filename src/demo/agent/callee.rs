//! Being called, and being asked anything else inside a talk or out of one.

use tollgate_sip::dialog::{Dialog, Order};
use tollgate_sip::transaction::ServerKey;
use tollgate_sip::uri::Uri;
use tollgate_sip::wire::{Message, Method, Name, ResponseBuilder};

use super::talk::{Stage, Talk};
use super::{Agent, Turn};
use crate::demo::manner::Manner;
use crate::demo::session;

/// What an agent can be asked.
pub(super) const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, UPDATE, OPTIONS, INFO, MESSAGE";

impl Agent {
    /// A request; ACK and CANCEL come elsewhere.
    pub(super) fn asked(&mut self, key: ServerKey, request: &Message, turn: &mut Turn<'_>) {
        let Some(method) = request.method() else { return self.layer.forget(key) };
        if request.to().tag().is_some() {
            return self.asked_in_talk(key, request, turn);
        }
        match method {
            Method::Invite => self.rung(key, request, turn),
            Method::Options | Method::Message => self.respond(key, request, 200, |response| response, turn),
            Method::Bye | Method::Update | Method::Info => self.respond(key, request, 481, |response| response, turn),
            _ => self.respond(key, request, 405, |response| response, turn),
        }
    }

    /// An INVITE that begins a call.
    fn rung(&mut self, key: ServerKey, invite: &Message, turn: &mut Turn<'_>) {
        let called = Uri::parse(invite.request_uri()).ok().and_then(|uri| uri.user().map(|user| user.into_owned()));
        let (ring, length, sound) = match (self.me.manner)(&called.unwrap_or_default()) {
            Manner::Ignore => return self.layer.forget(key),
            Manner::Refuse(status) => return self.respond(key, invite, status, |response| response, turn),
            Manner::Answer { ring, talk, sound } => (ring, talk, sound),
        };
        if !invite.body().is_empty() && session::read(invite.body()).is_none() {
            return self.respond(key, invite, 488, |response| response, turn);
        }
        let line = self.free_line().filter(|_| !self.closing);
        let Some(line) = line else { return self.respond(key, invite, 486, |response| response, turn) };
        let tag = self.tokens.tag();
        let dialog = Dialog::accept(invite, &tag, &self.contact(), self.flow);
        self.serial += 1;
        let id = self.serial;
        self.layer.claim(key, id);
        let ring = ring.draw(|below| self.tokens.below(below));
        let talk = Talk {
            line,
            stage: Stage::Ringing { key, invite: invite.clone(), dialog },
            due: Some(turn.now + ring),
            sound,
            length: length.draw(|below| self.tokens.below(below)),
            version: 1,
        };
        self.talks.insert(id, talk);
        self.respond_tagged(key, invite, 180, &tag, |response| response.copy(invite, Name::RecordRoute), turn);
    }

    /// Answers what rings: with the answer to its offer, or, where it made none, with an offer of ours (RFC 3261 §13.2.1).
    pub(super) fn pick_up(&mut self, id: u64, turn: &mut Turn<'_>) {
        let Some(talk) = self.talks.get_mut(&id) else { return };
        let Stage::Ringing { key, invite, dialog } = &talk.stage else { return };
        let (key, invite, dialog, line) = (*key, invite.clone(), dialog.clone(), talk.line);
        let tag = dialog.local_tag.clone();
        talk.due = Some(turn.now + talk.length);
        talk.stage = Stage::Talking { dialog, ack: None };
        let Some(at) = self.lines.get(line).copied() else { return };
        let heard = session::read(invite.body());
        let body = heard.as_ref().map_or_else(|| session::offer(at, 1), |heard| session::answer(at, 1, heard));
        let say = |response: ResponseBuilder| response.copy(&invite, Name::RecordRoute).body("application/sdp", body);
        self.respond_tagged(key, &invite, 200, &tag, say, turn);
        if let Some(heard) = heard {
            self.speak(id, &heard, turn);
        }
    }

    /// The caller gave up.
    pub(super) fn cancelled(&mut self, key: ServerKey, owner: Option<u64>, turn: &mut Turn<'_>) {
        let ringing = owner.and_then(|id| self.talks.get(&id)).map(|talk| &talk.stage);
        let Some(Stage::Ringing { invite, dialog, .. }) = ringing else { return self.layer.forget(key) };
        let (invite, tag) = (invite.clone(), dialog.local_tag.clone());
        self.respond_tagged(key, &invite, 487, &tag, |response| response, turn);
        if let Some(id) = owner {
            self.over(id, turn);
        }
    }

    /// An ACK, which may bring the answer to our offer.
    pub(super) fn acknowledged(&mut self, id: u64, ack: &Message, turn: &mut Turn<'_>) {
        if let Some(heard) = session::read(ack.body()) {
            self.speak(id, &heard, turn);
        }
    }

    fn asked_in_talk(&mut self, key: ServerKey, request: &Message, turn: &mut Turn<'_>) {
        let found = self.talks.iter_mut().find_map(|(id, talk)| {
            let dialog = talk.dialog()?;
            dialog.fits(request).then(|| (*id, dialog.take(request)))
        });
        let Some((id, order)) = found else { return self.respond(key, request, 481, |response| response, turn) };
        if order == Order::Stale {
            return self.respond(key, request, 500, |response| response, turn);
        }
        match request.method() {
            Some(Method::Bye) => {
                self.respond(key, request, 200, |response| response, turn);
                self.over(id, turn);
            }
            Some(Method::Invite | Method::Update) => self.changed(id, key, request, turn),
            Some(Method::Options | Method::Info | Method::Message) => {
                self.respond(key, request, 200, |response| response, turn)
            }
            _ => self.respond(key, request, 405, |response| response, turn),
        }
    }

    /// A re-INVITE or UPDATE: hold, resume, another codec or address, or nothing but a sign of life.
    fn changed(&mut self, id: u64, key: ServerKey, request: &Message, turn: &mut Turn<'_>) {
        let Some(talk) = self.talks.get_mut(&id) else { return };
        let Stage::Talking { dialog, .. } = &mut talk.stage else {
            return self.respond(key, request, 491, |response| response, turn);
        };
        dialog.refresh(request);
        talk.version += 1;
        let (version, line) = (talk.version, talk.line);
        let Some(at) = self.lines.get(line).copied() else { return };
        let is_invite = request.method() == Some(&Method::Invite);
        let heard = session::read(request.body());
        let body = match &heard {
            Some(heard) => Some(session::answer(at, version, heard)),
            None if !request.body().is_empty() => return self.respond(key, request, 488, |response| response, turn),
            None => is_invite.then(|| session::offer(at, version)),
        };
        if is_invite {
            self.layer.claim(key, id);
        }
        let say = |response: ResponseBuilder| match body {
            Some(body) => response.body("application/sdp", body),
            None => response,
        };
        self.respond(key, request, 200, say, turn);
        if let Some(heard) = heard {
            self.speak(id, &heard, turn);
        }
    }

    /// Answers with a To-tag that nobody needs again.
    pub(super) fn respond(
        &mut self,
        key: ServerKey,
        request: &Message,
        status: u16,
        say: impl FnOnce(ResponseBuilder) -> ResponseBuilder,
        turn: &mut Turn<'_>,
    ) {
        let tag = self.tokens.tag();
        self.respond_tagged(key, request, status, &tag, say, turn);
    }

    fn respond_tagged(
        &mut self,
        key: ServerKey,
        request: &Message,
        status: u16,
        tag: &str,
        say: impl FnOnce(ResponseBuilder) -> ResponseBuilder,
        turn: &mut Turn<'_>,
    ) {
        let response = ResponseBuilder::to(request, &self.flow, status, None).tag(tag);
        let response = match status {
            405 => response.header(Name::Allow, ALLOW),
            180 | 200 => response.header(Name::Contact, self.contact()).header(Name::Allow, ALLOW),
            _ => response,
        };
        self.layer.respond(key, say(response).build(), status, turn.now, &mut turn.actions);
    }
}
