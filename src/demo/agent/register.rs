//! REGISTER (RFC 3261 §10.2): at the start, again before it expires, and once more to leave.

use std::time::Duration;

use tollgate_sip::header::NameAddr;
use tollgate_sip::token::Tokens;
use tollgate_sip::wire::{Message, Method, Name, RequestBuilder};
use tollgate_types::Mono;

use super::{Agent, REGISTER, Turn};

/// What is wished: short enough that refreshing is seen.
const EXPIRES: u32 = 120;
/// After a refusal.
const RETRY: Duration = Duration::from_secs(10);
/// Nothing granted shorter is believed.
const REFRESH_MIN: u32 = 10;

/// Where a registration stands.
pub(super) struct Registering {
    call_id: String,
    tag: String,
    seq: u32,
    expires: u32,
    /// The last request carried a proof: the same challenge again means that it was wrong.
    proved: bool,
    /// Calls may begin.
    known: bool,
    /// When to ask again.
    pub due: Option<Mono>,
}

impl Registering {
    pub fn new(tokens: &mut Tokens) -> Registering {
        let (call_id, tag, seq) = (tokens.call_id(), tokens.tag(), tokens.cseq());
        Registering { call_id, tag, seq, expires: EXPIRES, proved: false, known: false, due: None }
    }
}

impl Agent {
    /// Asks, with proof where `challenged`.
    pub(super) fn register(&mut self, challenged: Option<&Message>, turn: &mut Turn<'_>) {
        let uri = format!("sip:{}", self.me.domain);
        let proof = challenged.and_then(|response| self.proof(response, &Method::Register, &uri));
        if challenged.is_some() && proof.is_none() {
            return self.register_failed(turn);
        }
        let (address, contact) = (self.address(), self.contact());
        let Some(registering) = &mut self.registering else { return };
        registering.seq += 1;
        registering.due = None;
        registering.proved = proof.is_some();
        let mut request = RequestBuilder::new(&Method::Register, &uri)
            .header(Name::MaxForwards, "70")
            .header(Name::From, format!("{address};tag={}", registering.tag))
            .header(Name::To, &address)
            .header(Name::CallId, &registering.call_id)
            .header(Name::CSeq, format!("{} REGISTER", registering.seq))
            .header(Name::Contact, contact)
            .header(Name::Expires, registering.expires.to_string());
        if let Some((name, value)) = proof {
            request = request.header(name, value);
        }
        if self.ask(REGISTER, &request.build(), false, turn).is_none() {
            self.register_failed(turn);
        }
    }

    pub(super) fn register_answered(&mut self, response: &Message, turn: &mut Turn<'_>) {
        let Some(registering) = &mut self.registering else { return };
        match response.status().unwrap_or_default() {
            100..200 => {}
            200..300 if registering.expires == 0 => self.registering = None,
            200..300 => {
                let granted = granted(response, self.me.local.port()).unwrap_or(EXPIRES).max(REFRESH_MIN);
                registering.due = Some(turn.now + Duration::from_secs(u64::from(granted / 2)));
                if !std::mem::replace(&mut registering.known, true) {
                    self.diary.begin(turn.now, &mut self.tokens);
                }
            }
            401 | 407 if !registering.proved || is_stale(response) => self.register(Some(response), turn),
            423 => {
                let least = response.header(Name::MinExpires).and_then(|seconds| seconds.parse().ok());
                match least.filter(|least| *least > registering.expires && registering.expires > 0) {
                    Some(least) => {
                        registering.expires = least;
                        self.register(None, turn);
                    }
                    None => self.register_failed(turn),
                }
            }
            _ => self.register_failed(turn),
        }
    }

    /// Again later; who is leaving leaves without.
    pub(super) fn register_failed(&mut self, turn: &mut Turn<'_>) {
        if self.closing {
            self.registering = None;
        } else if let Some(registering) = &mut self.registering {
            registering.proved = false;
            registering.due = Some(turn.now + RETRY);
        }
    }

    pub(super) fn unregister(&mut self, turn: &mut Turn<'_>) {
        match &mut self.registering {
            Some(registering) if registering.known => {
                registering.expires = 0;
                self.register(None, turn);
            }
            _ => self.registering = None,
        }
    }
}

/// Seconds granted to our contact, or to all.
fn granted(response: &Message, port: u16) -> Option<u32> {
    let is_ours = |contact: &NameAddr<'_>| contact.uri().is_some_and(|uri| uri.port() == Some(port));
    let own = response.addresses(Name::Contact).find(is_ours).and_then(|contact| contact.expires());
    own.or_else(|| response.expires())
}

/// The nonce was too old: the proof was right (RFC 7616 §3.3).
fn is_stale(response: &Message) -> bool {
    tollgate_sip::digest::Challenge::read(response).iter().any(|challenge| challenge.stale)
}
