//! UPDATE (RFC 3311): like re-INVITE without its third step, and allowed before the answer.

use bytes::Bytes;
use tollgate_sip::transaction::ServerKey;
use tollgate_sip::wire::{Message, Method, ResponseBuilder};
use tollgate_types::Flow;

use crate::call::{Call, Turn};
use crate::errand::{Relayed, To};
use crate::event::Client;
use crate::leg::LegId;
use crate::replies;
use crate::say::SDP;
use crate::session::Session;

impl Call {
    pub(crate) fn on_update(&mut self, turn: &mut Turn<'_>, id: LegId, key: ServerKey, message: Message, flow: Flow) {
        if let Some(fault) = replies::session_fault(&message, &self.policy) {
            let tag = self.leg(id).map(|leg| leg.dialog.local_tag.clone()).unwrap_or_default();
            return turn.respond(key, fault.status, fault.answer(&message, &flow, &tag));
        }
        if let Some(leg) = self.leg_mut(id) {
            leg.dialog.refresh(&message);
            leg.can.learn(&message);
        }
        if message.body().is_empty() {
            return self.accept_update(turn, id, key, &message, flow, None);
        }
        let Some((to, method)) = self.updatable(id) else {
            return self.simply(turn, id, key, &message, flow, 491);
        };
        let relayed = Relayed { from: id, key, request: message, flow, method, to, offered: true, abandoned: false };
        self.forward_offer(turn, relayed);
    }

    /// Whom an UPDATE of `id` goes to, and as what: UPDATE where it is understood, else re-INVITE, which must wait for the answer.
    fn updatable(&self, id: LegId) -> Option<(To, Method)> {
        if let Some(hunt) = &self.hunt {
            let branch = hunt.shown_branch().filter(|_| !hunt.is_transfer())?;
            let early = branch.early.iter().find(|early| early.can.update)?;
            return Some((To::Early(branch.client, early.dialog.remote_tag.clone()), Method::Update));
        }
        let other = self.across(id).filter(|other| !other.is_busy())?;
        let method = if other.can.update { Method::Update } else { Method::Invite };
        Some((To::Leg(other.id), method))
    }

    /// 200 to an UPDATE that asks nothing of the other party.
    pub(crate) fn accept_update(
        &mut self,
        turn: &mut Turn<'_>,
        id: LegId,
        key: ServerKey,
        message: &Message,
        flow: Flow,
        body: Option<Bytes>,
    ) {
        let (session, headers) = Session::by_request(message, &self.policy);
        let Some(leg) = self.leg_mut(id) else { return };
        leg.session = session;
        let mut builder = leg.answer(message, &flow, 200);
        for (name, value) in headers {
            builder = builder.header(name, value);
        }
        if let Some(body) = body {
            builder = builder.body(SDP, body);
        }
        turn.respond(key, 200, builder.build());
        self.arm_session(turn, id);
    }

    /// UPDATE of a called device before its answer: towards the caller, if he understands it.
    pub(crate) fn on_early_update(
        &mut self,
        turn: &mut Turn<'_>,
        client: Client,
        tag: &str,
        key: ServerKey,
        message: Message,
        flow: Flow,
    ) {
        let early = self
            .hunt
            .as_mut()
            .and_then(|hunt| hunt.branch_mut(client))
            .and_then(|branch| branch.early.iter_mut().find(|early| *early.dialog.remote_tag == *tag));
        let Some(early) = early else { return };
        early.dialog.refresh(&message);
        let contact = early.dialog.contact.clone();
        let answer = |status: u16| {
            ResponseBuilder::to(&message, &flow, status, None).header(tollgate_sip::wire::Name::Contact, &contact)
        };
        // An offer would have to be answered by a caller whose own call is not answered yet: the media agreed on so far stays,
        // and the device may ask again after its answer (RFC 3311 §5.2 lets 488 say so).
        let status = if message.body().is_empty() { 200 } else { 488 };
        turn.respond(key, status, answer(status).build());
    }
}
