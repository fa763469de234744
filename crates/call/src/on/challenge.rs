//! A refusal that says how to do better: our digest on a trunk's challenge (RFC 3261 §22), a longer session interval
//! (RFC 4028 §7.3).

use bytes::Bytes;
use tollgate_sip::digest::{Challenge, Login, Realms};
use tollgate_sip::header::seconds;
use tollgate_sip::wire::{Message, Method, Name, Rewrite, prepend_header};
use tollgate_types::TrunkId;

use crate::action::Note;
use crate::call::{Call, Turn};
use crate::errand::Errand;
use crate::event::Client;
use crate::hunt::Branch;
use crate::leg::LegId;
use crate::party::{Party, Target};

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

    /// Sends a request inside a dialog, and keeps it where it may be challenged: by a trunk that we log in to.
    pub(crate) fn send(&mut self, turn: &mut Turn<'_>, id: LegId, client: Client, errand: Errand, bytes: Bytes) {
        let Some(leg) = self.leg(id) else { return };
        let flow = leg.dialog.flow;
        if leg.login.is_some() {
            self.provable.push((client, id, bytes.clone()));
        }
        self.errands.push((client, errand));
        turn.request(client, flow, bytes);
    }

    /// A final answer to such a request. Says whether the request went out again with our proof.
    pub(crate) fn prove_again(&mut self, turn: &mut Turn<'_>, client: Client, status: u16, message: &Message) -> bool {
        let Some(index) = self.provable.iter().position(|(known, ..)| *known == client) else { return false };
        let (_, id, bytes) = self.provable.swap_remove(index);
        if !matches!(status, 401 | 407) {
            return false;
        }
        let Some(login) = self.leg(id).and_then(|leg| leg.login.clone()) else { return false };
        let Some(Party::Trunk { trunk, .. }) = self.leg(id).map(|leg| leg.party.clone()) else { return false };
        // The message as the layer sent it had a Via; any will do to read it.
        let whole = prepend_header(&bytes, Name::Via, "SIP/2.0/UDP invalid;branch=z9hG4bK");
        let Ok(request) = Message::parse(whole) else { return false };
        let method = request.cseq().method;
        let Some((_, (name, proof))) =
            self.proof(turn, trunk, &login, method.as_str(), request.request_uri(), None, message)
        else {
            return false;
        };
        let Some((_, errand)) =
            self.errands.iter().position(|(known, _)| *known == client).map(|at| self.errands.swap_remove(at))
        else {
            return false;
        };
        let next = self.next_client();
        let Some(leg) = self.leg_mut(id) else { return false };
        leg.dialog.local_seq += 1;
        if leg.inviting == Some(client) {
            leg.inviting = Some(next);
        }
        let (seq, flow) = (leg.dialog.local_seq, leg.dialog.flow);
        let again =
            Rewrite::of(&request).remove(Name::Via).set(Name::CSeq, format!("{seq} {method}")).add(name, proof).build();
        self.errands.push((next, errand));
        turn.request(next, flow, again);
        true
    }

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
        let (realm, header) = self.proof(
            turn,
            trunk,
            &login,
            Method::Invite.as_str(),
            &branch.sprout.target,
            branch.proven_to.as_deref(),
            message,
        )?;
        branch.proven_to = Some(realm.into());
        Some(header)
    }

    /// Our proof, for the trunk's own realm alone, which it names: whoever else asks would only crack it at leisure. `proven_to`
    /// has been shown one already.
    #[allow(clippy::too_many_arguments, reason = "each is one plain fact about the request and its challenge")]
    fn proof(
        &mut self,
        turn: &mut Turn<'_>,
        trunk: TrunkId,
        login: &crate::party::Login,
        method: &str,
        uri: &str,
        proven_to: Option<&str>,
        message: &Message,
    ) -> Option<(String, (Name<'static>, String))> {
        let challenges = Challenge::read(message);
        let realms: Vec<&str> = login.realms.iter().map(|realm| &**realm).collect();
        // The request went to an address that the trunk's own host was resolved to, and the response came to that request.
        let realms = if realms.is_empty() { Realms::FromTrustedHost } else { Realms::Only(&realms) };
        let ours = Login { username: &login.username, password: &login.secret, realms };
        let Some(challenge) = Challenge::choose(&challenges, &ours) else {
            if let Some(strange) = challenges.first() {
                turn.note(Note::RealmRefused { trunk, realm: strange.realm.clone() });
            }
            return None;
        };
        // RFC 7616 §3.3: asked again by the same realm, and not because the nonce was stale, our secret is wrong.
        if proven_to == Some(&*challenge.realm) && !challenge.stale {
            return None;
        }
        let cnonce = self.tokens.cnonce();
        Some((challenge.realm.clone(), challenge.answer(&ours, method, uri, &cnonce, 1)))
    }
}
