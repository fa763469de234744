//! A refusal that says how to do better: our digest on a trunk's challenge (RFC 3261 §22), a longer session interval
//! (RFC 4028 §7.3).

use tollgate_sip::digest::{Challenge, Login, Realms};
use tollgate_sip::header::seconds;
use tollgate_sip::wire::{Message, Method, Name};

use crate::action::Note;
use crate::call::{Call, Turn};
use crate::hunt::Branch;
use crate::party::Target;

/// A second challenge is answered for a stale nonce or a second realm; a third is a game.
const CHALLENGES_MAX: u8 = 2;

impl Call {
    /// Sends the INVITE again if that helps; gives the branch back if not.
    pub(crate) fn try_again(
        &mut self,
        turn: &mut Turn<'_>,
        mut branch: Branch,
        status: u16,
        message: &Message,
    ) -> Option<Branch> {
        match status {
            401 | 407 => {
                let Some((name, proof)) = self.prove(turn, &mut branch, message) else { return Some(branch) };
                self.again(turn, branch, Some((name, &proof)));
                None
            }
            422 if !branch.shortened && branch.session > 0 => {
                let Some(least) = message.header(Name::MinSe).and_then(seconds).filter(|least| *least > branch.session)
                else {
                    return Some(branch);
                };
                branch.shortened = true;
                branch.session = least;
                self.again(turn, branch, None);
                None
            }
            _ => Some(branch),
        }
    }

    fn again(&mut self, turn: &mut Turn<'_>, mut branch: Branch, proof: Option<(Name<'_>, &str)>) {
        branch.client = self.next_client();
        branch.sprout.seq += 1;
        branch.early.clear();
        branch.heard = false;
        self.invite_branch(turn, &mut branch, proof);
        if let Some(hunt) = &mut self.hunt {
            hunt.branches.push(branch);
        }
    }

    /// Our proof, for the trunk's own realm alone: whoever else asks would only crack it at leisure.
    fn prove(
        &mut self,
        turn: &mut Turn<'_>,
        branch: &mut Branch,
        message: &Message,
    ) -> Option<(Name<'static>, String)> {
        let Target::Trunk { trunk, .. } = branch.candidate.target else { return None };
        let login = branch.login.clone()?;
        if branch.challenged >= CHALLENGES_MAX {
            return None;
        }
        branch.challenged += 1;
        let challenges = Challenge::read(message);
        let realms: Vec<&str> = login.realms.iter().map(|realm| &**realm).collect();
        // The INVITE went to an address that the trunk's own host was resolved to, and the response came to that request.
        let realms = if realms.is_empty() { Realms::FromTrustedHost } else { Realms::Only(&realms) };
        let ours = Login { username: &login.username, password: &login.secret, realms };
        let Some(challenge) = Challenge::choose(&challenges, &ours) else {
            if let Some(strange) = challenges.first() {
                turn.note(Note::RealmRefused { trunk, realm: strange.realm.clone() });
            }
            return None;
        };
        let cnonce = self.tokens.cnonce();
        Some(challenge.answer(&ours, Method::Invite.as_str(), &branch.sprout.target, &cnonce, 1))
    }
}
