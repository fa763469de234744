//! A response to a request of ours, or its absence: sent to whoever asked.

use tollgate_sip::wire::{Message, Method};
use tollgate_types::Flow;

use crate::call::{Call, Turn};
use crate::errand::Errand;
use crate::event::Client;

impl Call {
    pub(crate) fn on_response(&mut self, turn: &mut Turn<'_>, client: Client, message: Message, flow: Flow) {
        let Some(status) = message.status() else { return };
        if status < 200 {
            return self.on_provisional(turn, client, &message, flow);
        }
        if message.cseq().method == Method::Invite && status < 300 {
            // Also without an errand: repeated, or from a fork after the first.
            self.provable.retain(|(known, ..)| *known != client);
            return self.on_answer(turn, client, &message, flow);
        }
        if self.prove_again(turn, client, status, &message) {
            return;
        }
        let Some(errand) = self.take_errand(client) else { return };
        match errand {
            Errand::Branch => self.on_branch_failed(turn, client, status, Some(&message)),
            Errand::Stray(_) | Errand::Dismissed { .. } | Errand::Bye | Errand::Notify => {}
            Errand::Prack => self.on_pracked(turn, status),
            Errand::Relayed(relayed) => self.on_relay_answered(turn, *relayed, &message, flow),
            Errand::Probe(leg) => self.on_probed(turn, leg, status),
            Errand::Refresh(leg) => self.on_refreshed(turn, leg, status, Some(&message)),
            Errand::Rewire(leg) => self.on_rewire_failed(turn, leg, status),
        }
    }

    /// No response, which counts as `status`: 408 for silence, 503 for a transport that failed.
    pub(crate) fn on_silence(&mut self, turn: &mut Turn<'_>, client: Client, status: u16) {
        self.provable.retain(|(known, ..)| *known != client);
        let Some(errand) = self.take_errand(client) else { return };
        match errand {
            Errand::Branch => self.on_branch_failed(turn, client, status, None),
            Errand::Stray(_) | Errand::Dismissed { .. } | Errand::Bye | Errand::Notify => {}
            Errand::Prack => self.on_pracked(turn, status),
            Errand::Relayed(relayed) => self.on_relay_silent(turn, *relayed, status),
            Errand::Probe(leg) => self.on_probed(turn, leg, status),
            Errand::Refresh(leg) => self.on_refreshed(turn, leg, status, None),
            Errand::Rewire(leg) => self.on_rewire_failed(turn, leg, status),
        }
    }
}
