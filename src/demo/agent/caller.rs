//! Calling: INVITE, its challenge, its answers (RFC 3261 §13.2).

use std::time::Duration;

use tollgate_sip::dialog::{Dialog, Sprout};
use tollgate_sip::transaction::{ClientKey, SentBy};
use tollgate_sip::wire::{Message, Method, Name};

use super::callee::ALLOW;
use super::talk::{Stage, Talk};
use super::{Agent, Deed, Turn};
use crate::demo::diary::Errand;
use crate::demo::line::Sound;
use crate::demo::manner::pitch;
use crate::demo::session;

/// Nobody holds the receiver longer than that.
const PATIENCE: Duration = Duration::from_secs(40);

impl Agent {
    /// Makes a call, if a line is free.
    pub(super) fn call(&mut self, errand: Errand, turn: &mut Turn<'_>) {
        let Some(line) = self.free_line() else { return };
        let callee = format!("sip:{}@{}", errand.to, self.me.domain);
        let sprout = Sprout {
            call_id: self.tokens.call_id().into(),
            local_tag: self.tokens.tag().into(),
            local: self.address().into(),
            remote: format!("<{callee}>").into(),
            contact: self.contact().into(),
            target: callee.into(),
            routes: Box::default(),
            flow: self.flow,
            seq: self.tokens.cseq(),
        };
        self.serial += 1;
        let id = self.serial;
        let Some(client) = self.invite(id, &sprout, line, None, turn) else { return };
        let talk = Talk {
            line,
            stage: Stage::Calling { sprout, client, proved: false, given_up: false },
            due: Some(turn.now + PATIENCE),
            sound: Sound::Tone(pitch(&self.me.name)),
            length: errand.talk.draw(|below| self.tokens.below(below)),
            version: 1,
        };
        self.talks.insert(id, talk);
    }

    fn invite(
        &mut self,
        id: u64,
        sprout: &Sprout,
        line: usize,
        proof: Option<(Name<'static>, String)>,
        turn: &mut Turn<'_>,
    ) -> Option<ClientKey> {
        let at = *self.lines.get(line)?;
        let mut request =
            sprout.request(Method::Invite, 70).header(Name::Contact, &sprout.contact).header(Name::Allow, ALLOW);
        if let Some((name, value)) = proof {
            request = request.header(name, value);
        }
        let request = request.body("application/sdp", session::offer(at, 1)).build();
        self.ask(id, &request, false, turn)
    }

    /// An answer to a request of a talk's.
    pub(super) fn answered(&mut self, id: u64, response: &Message, turn: &mut Turn<'_>) {
        let status = response.status().unwrap_or_default();
        if status < 200 {
            return;
        }
        match response.cseq().method {
            Method::Bye => self.over(id, turn),
            Method::Invite if status < 300 => self.accepted(id, response, turn),
            Method::Invite if matches!(status, 401 | 407) => self.challenged(id, response, turn),
            Method::Invite => self.over(id, turn),
            _ => {}
        }
    }

    fn challenged(&mut self, id: u64, response: &Message, turn: &mut Turn<'_>) {
        let again = match self.talks.get(&id) {
            Some(Talk { line, stage: Stage::Calling { sprout, proved: false, given_up: false, .. }, .. }) => {
                Some((*line, sprout.clone()))
            }
            _ => None,
        };
        let proof = again.as_ref().and_then(|(_, sprout)| self.proof(response, &Method::Invite, &sprout.target));
        let (Some((line, mut sprout)), Some(proof)) = (again, proof) else { return self.over(id, turn) };
        sprout.seq += 1;
        let Some(client) = self.invite(id, &sprout, line, Some(proof), turn) else { return self.over(id, turn) };
        if let Some(talk) = self.talks.get_mut(&id) {
            talk.stage = Stage::Calling { sprout, client, proved: true, given_up: false };
        }
    }

    /// A 2xx: the first begins the talk, every other one is acknowledged again.
    fn accepted(&mut self, id: u64, response: &Message, turn: &mut Turn<'_>) {
        let Some(talk) = self.talks.get_mut(&id) else { return };
        let (dialog, given_up) = match &talk.stage {
            Stage::Calling { sprout, given_up, .. } => (Dialog::begin(sprout, response, self.flow), *given_up),
            Stage::Talking { ack: Some(ack), .. } => return turn.deeds.push(Deed::Send(ack.clone())),
            _ => return,
        };
        let request = dialog.ack(response.cseq().number).build();
        let ack = self.layer.send_bare(&request, self.flow, SentBy(&self.at), &mut turn.actions);
        talk.stage = Stage::Talking { dialog, ack: Some(ack) };
        talk.due = Some(turn.now + talk.length);
        match session::read(response.body()) {
            // It crossed our CANCEL, or nothing was agreed on.
            Some(heard) if !given_up => self.speak(id, &heard, turn),
            _ => self.hang_up(id, turn),
        }
    }
}
