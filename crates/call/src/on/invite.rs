//! The INVITE that begins a call: is it sound, what does it offer, and may it go on?

use smallvec::smallvec;
use tollgate_billing::cdr::{CallKind, Cause, Cdr, HangupSide};
use tollgate_media::Leg as Side;
use tollgate_media::sdp::exchange::{Exchange, OfferRefused};
use tollgate_sip::dialog::Dialog;
use tollgate_sip::header::privacy;
use tollgate_sip::token::Tokens;
use tollgate_sip::transaction::ServerKey;
use tollgate_sip::wire::{Message, Name};
use tollgate_types::{Flow, Mono, Wall};

use crate::action::Action;
use crate::admission::PlanAsk;
use crate::call::{Birth, Call, Ending, Turn};
use crate::hunt::{Hunt, Purpose, Stage};
use crate::leg::{Abilities, Asking, Leg, LegId, Pace, State};
use crate::media::Media;
use crate::paid::PaidLeg;
use crate::party::{Claim, Party};
use crate::refusal::{Reply, q850_of};
use crate::replies::{self, Fault};
use crate::session::Session;
use crate::timers::{Timer, Timers};
use crate::{leg, say};

/// What a request starts with where it does not say (RFC 3261 §8.1.1.6).
const HOPS_DEFAULT: u8 = 70;

impl Call {
    /// A call to be; [`Call::begin`] brings it its INVITE.
    pub fn new(birth: Birth) -> Call {
        let Birth { id, policy, caller, seed, shard } = birth;
        Call {
            id,
            policy,
            shard,
            tokens: Tokens::new(seed.child(id.to_i64().cast_unsigned()), shard),
            caller,
            claim: Claim::default(),
            started: (Mono::START, Wall::default()),
            legs: smallvec![],
            hunt: None,
            errands: smallvec![],
            provable: Vec::new(),
            paid: smallvec![],
            media: Media::default(),
            timers: Timers::default(),
            transfer: None,
            finding: None,
            hops: 0,
            parked: None,
            ladder: Vec::new(),
            ending: None,
            over: false,
            counter: 0,
        }
    }

    /// The INVITE of a caller whom the gate has proven. The caller hears of it by the transaction layer's 100; everything
    /// else comes from here. Once in a call's life, before anything else.
    pub fn begin(&mut self, key: ServerKey, invite: Message, flow: Flow, now: Mono, wall: Wall, out: &mut Vec<Action>) {
        if !self.legs.is_empty() {
            return;
        }
        let tag = self.tokens.tag();
        let dialog = Dialog::accept(&invite, &tag, &say::contact(&self.policy, &flow), flow);
        self.claim = claim(&invite);
        self.started = (now, wall);
        self.legs.push(Leg {
            id: LegId(0),
            side: Side::A,
            party: self.caller.party.clone(),
            dialog,
            state: State::Early,
            invited: false,
            login: None,
            can: Abilities::of(&invite),
            session: Session::default(),
            asking: Some(Asking { key, message: invite, flow }),
            unacked: None,
            inviting: None,
            acked: None,
            reliable: None,
            told: None,
            rseq: 0,
            pace: Pace { since: now, count: 0 },
            silent_since: None,
        });
        self.timers.arm(Timer::Setup, now + self.policy.setup_max);
        let turn = &mut Turn { now, wall, out };
        self.on_invite(turn);
        self.wind_up(turn);
    }

    fn on_invite(&mut self, turn: &mut Turn<'_>) {
        let Some(Asking { message, flow, .. }) = self.legs[0].asking.clone() else { return };
        turn.out.push(Action::Listen { call_id: message.call_id().into() });
        self.climb(turn, "a", true, "INVITE".to_owned());
        self.paid.push(PaidLeg::new(self.id, 0, self.begin_record(&message, turn.wall)));
        if let Some(fault) = replies::invite_fault(&message, &self.policy) {
            return self.turn_away(turn, &fault);
        }
        if !message.body().is_empty() {
            let sessions = [self.tokens.below(u64::MAX), self.tokens.below(u64::MAX)];
            let mut exchange = Exchange::new(sessions);
            if let Err(refused) = exchange.offer(Side::A, message.body(), leg::peer(&self.caller.party, flow)) {
                let status = match refused {
                    OfferRefused::Malformed(_) => 400,
                    OfferRefused::Unsupported | OfferRefused::Pending { .. } => 488,
                };
                return self.turn_away(turn, &Fault { status, header: None });
            }
            self.media.exchange = Some(Box::new(exchange));
        }
        let hops = message.max_forwards().unwrap_or(HOPS_DEFAULT).min(self.policy.hops_max);
        let party = self.caller.party.clone();
        let ask = PlanAsk {
            kind: CallKind::Internal,
            payer: party.clone(),
            source: self.caller.source,
            dialled: message.request_uri().into(),
            to: message.to().uri_raw.into(),
            claim: self.claim.clone(),
            caller: party,
            local_only: false,
        };
        let query = self.next_query();
        let stage = Stage::Planning(query, 0);
        let mut hunt = Hunt::new(Purpose::Call, stage, hops.saturating_sub(1));
        hunt.paid.push(0);
        self.hunt = Some(Box::new(hunt));
        self.ask_plan(turn, query, ask);
    }

    /// An INVITE that is no good gets its answer and a record.
    fn turn_away(&mut self, turn: &mut Turn<'_>, fault: &Fault) {
        if let Some(asking) = self.legs[0].asking.take() {
            let bytes = fault.answer(&asking.message, &asking.flow, &self.legs[0].dialog.local_tag);
            self.climb(turn, "a", false, fault.status.to_string());
            turn.respond(asking.key, fault.status, bytes);
        }
        self.legs[0].state = State::Gone;
        let cause = if fault.status == 488 { Cause::MediaUnsupported } else { Cause::Rejected };
        let reply = Reply { status: fault.status, q850: q850_of(fault.status), words: None, retry_after: None };
        self.finish(turn, Ending { cause, side: HangupSide::Platform, refusal: None, reply });
    }

    fn begin_record(&self, invite: &Message, wall: Wall) -> Cdr {
        let mut cdr = Cdr::begin(self.id, 0, CallKind::Internal, wall);
        cdr.source_ip = Some(self.caller.source);
        cdr.account = self.caller.party.account();
        match &self.caller.party {
            Party::User { user, name, .. } => {
                cdr.user = Some(name.to_string());
                cdr.user_id = Some(*user);
            }
            Party::Trunk { name, .. } => cdr.trunk_in = Some(name.to_string()),
        }
        let user = |uri: Option<tollgate_sip::uri::Uri>| {
            uri.and_then(|uri| uri.user().map(|user| user.into_owned())).unwrap_or_default()
        };
        cdr.caller = user(invite.from().uri());
        cdr.callee = user(tollgate_sip::uri::Uri::parse(invite.request_uri()).ok());
        cdr
    }
}

/// What the caller says of itself, by From, P-Asserted-Identity or Remote-Party-ID, and Privacy.
pub(crate) fn claim(invite: &Message) -> Claim {
    let from = invite.from();
    let user = |address: &tollgate_sip::header::NameAddr<'_>| {
        address.uri().and_then(|uri| uri.user().map(|user| Box::<str>::from(&*user)))
    };
    let asserted = invite
        .addresses(Name::PAssertedIdentity)
        .chain(invite.addresses(Name::RemotePartyId))
        .find_map(|address| user(&address));
    let from_user = user(&from).unwrap_or_default();
    let private = invite
        .lines(Name::Privacy)
        .flat_map(privacy)
        .any(|word| ["id", "user", "header"].iter().any(|kind| word.eq_ignore_ascii_case(kind)));
    let withheld = private || from_user.eq_ignore_ascii_case("anonymous") || from_user.is_empty();
    Claim { display: from.display().unwrap_or_default().into(), user: from_user, asserted, withheld }
}
