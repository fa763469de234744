//! A talk, from its first ring to its last word, and what ends it from our side.

use std::time::Duration;

use bytes::Bytes;
use tollgate_sip::dialog::{Dialog, Sprout};
use tollgate_sip::transaction::{ClientKey, ServerKey};
use tollgate_sip::wire::{Message, Method};
use tollgate_types::Mono;

use super::{Agent, Deed, Turn};
use crate::demo::line::{Sound, Voice};
use crate::demo::session::Heard;

/// One call of an agent's.
pub(super) struct Talk {
    /// Whose voice it is.
    pub line: usize,
    /// How far it has come.
    pub stage: Stage,
    /// When something is to be done about it.
    pub due: Option<Mono>,
    /// What our side says.
    pub sound: Sound,
    /// How long it goes on once it is answered.
    pub length: Duration,
    /// Of our session description.
    pub version: u32,
}

/// How far a call has come.
pub(super) enum Stage {
    /// We asked; due: cancel it.
    Calling { sprout: Sprout, client: ClientKey, proved: bool, given_up: bool },
    /// It rings here; due: answer it.
    Ringing { key: ServerKey, invite: Message, dialog: Dialog },
    /// Voices; due: hang up. `ack` is ours, for a repeated 2xx.
    Talking { dialog: Dialog, ack: Option<Bytes> },
    /// Our BYE waits for its answer.
    Ending(Dialog),
}

impl Talk {
    /// Its dialog, once it has one.
    pub fn dialog(&mut self) -> Option<&mut Dialog> {
        match &mut self.stage {
            Stage::Ringing { dialog, .. } | Stage::Talking { dialog, .. } | Stage::Ending(dialog) => Some(dialog),
            Stage::Calling { .. } => None,
        }
    }
}

impl Agent {
    pub(super) fn talk_is_due(&mut self, id: u64, turn: &mut Turn<'_>) {
        match self.talks.get(&id).map(|talk| &talk.stage) {
            Some(Stage::Ringing { .. }) => self.pick_up(id, turn),
            Some(_) => self.hang_up(id, turn),
            None => {}
        }
    }

    /// Ends a talk in the way that its stage asks for.
    pub(super) fn hang_up(&mut self, id: u64, turn: &mut Turn<'_>) {
        let Some(talk) = self.talks.get_mut(&id) else { return };
        talk.due = None;
        match &mut talk.stage {
            Stage::Calling { client, given_up, .. } => {
                *given_up = true;
                self.layer.cancel(*client, None, turn.now, &mut turn.actions);
            }
            Stage::Ringing { key, invite, .. } => {
                let (key, invite) = (*key, invite.clone());
                self.respond(key, &invite, 480, |response| response, turn);
                self.over(id, turn);
            }
            Stage::Talking { dialog, .. } => {
                turn.deeds.push(Deed::Speak(talk.line, None));
                let bye = dialog.request(Method::Bye).build();
                talk.stage = Stage::Ending(dialog.clone());
                if self.ask(id, &bye, true, turn).is_none() {
                    self.over(id, turn);
                }
            }
            Stage::Ending(_) => {}
        }
    }

    /// Nothing of it is left: its line is free.
    pub(super) fn over(&mut self, id: u64, turn: &mut Turn<'_>) {
        if let Some(talk) = self.talks.remove(&id) {
            turn.deeds.push(Deed::Speak(talk.line, None));
        }
    }

    /// Speaks as the other side wants it.
    pub(super) fn speak(&mut self, id: u64, heard: &Heard, turn: &mut Turn<'_>) {
        if let Some(talk) = self.talks.get(&id) {
            let voice = heard.to.map(|to| Voice { to, law: heard.law, sound: talk.sound });
            turn.deeds.push(Deed::Speak(talk.line, voice));
        }
    }
}
