//! Who sends this? Answered from the transport's source and from proof, never from a header that a stranger can write.

use std::net::IpAddr;
use std::sync::Arc;

use tollgate_routing::directory::Directory;
use tollgate_routing::trunk::{Approach, Identified, Ingress, NumberFrom, identify};
use tollgate_routing::user::User;
use tollgate_sip::digest::{self, Algorithm, Ask, Credentials, Ha1Set, NonceId, Offence, Pick, Verdict};
use tollgate_sip::header::NameAddr;
use tollgate_sip::uri::Uri;
use tollgate_sip::wire::Message;
use tollgate_types::Flow;

use crate::gate::Note;
use crate::sip_shard::SipShard;

/// A challenge answered by then never counts against its source.
const CHALLENGE_ANSWERED_SECS: i64 = 32;

/// A proof that was given, to be counted once by whoever keeps the user.
#[derive(Clone, Copy, Debug)]
pub struct Proof {
    /// The challenge it answers.
    pub nonce: NonceId,
    /// How often that was answered by now.
    pub nc: Option<u32>,
}

/// Who it is.
#[derive(Clone, Debug)]
pub enum Sender {
    /// A user, proven by digest or by its address where its mode says so.
    User {
        /// Who.
        user: Arc<User>,
        /// The proof, if digest was it.
        proof: Option<Proof>,
    },
    /// A trunk. What it dialled, less its secret prefix, is read by the dial plan.
    Trunk {
        /// Which.
        trunk: Arc<Ingress>,
    },
    /// Nobody yet: ask for proof.
    Challenge {
        /// The last proof was right but old.
        stale: bool,
        /// What to offer, in this order.
        offered: Vec<Algorithm>,
    },
    /// Somebody who is not let in.
    Refused(u16),
}

impl Sender {
    /// The user, if it is one.
    pub fn user(&self) -> Option<&User> {
        match self {
            Sender::User { user, .. } => Some(user),
            _ => None,
        }
    }
}

impl SipShard {
    /// Names the sender of a request outside any dialog.
    pub(in crate::sip_shard) fn identify(&mut self, message: &Message, flow: &Flow) -> Sender {
        let directory = self.house.directory.load_full();
        match Credentials::pick(message, directory.domains().realm()) {
            Pick::Found(credentials) => self.judge(message, flow, &directory, &credentials),
            Pick::Unusable(_) => self.stranger(message, flow, &directory),
            Pick::Absent => match unproven(message, flow, &directory) {
                Some(Sender::User { .. } | Sender::Trunk { .. }) if !self.house.gate.takes_unproven(message) => {
                    Sender::Refused(403)
                }
                Some(known) => known,
                None => self.stranger(message, flow, &directory),
            },
        }
    }

    /// It brought credentials for our realm.
    fn judge(
        &mut self,
        message: &Message,
        flow: &Flow,
        directory: &Directory,
        credentials: &Credentials<'_>,
    ) -> Sender {
        let source = flow.peer.ip();
        let name = credentials.username.split('@').next().unwrap_or_default();
        let user = directory.user_named(name, None);
        let trunk = directory.ingresses().named(&credentials.username);
        let ha1 = user.and_then(|user| user.ha1).or(trunk.and_then(|trunk| trunk.ha1)).map(|ha1| Ha1Set {
            md5: Some(ha1.md5),
            sha256: Some(ha1.sha256),
            sha512_256: Some(ha1.sha512_256),
        });
        let offered = self.allowed(user.map(Arc::as_ref));
        let method = message.method().map(|method| method.as_str().to_owned()).unwrap_or_default();
        let now = self.house.clock.wall();
        let ask = Ask { method: &method, request_uri: message.request_uri(), source, now, offered: &offered };
        match digest::verify(&self.house.nonces, credentials, ha1.as_ref(), &ask, &self.house.digest_policy()) {
            Verdict::Accepted { nonce, nc, algorithm } => {
                // Guessing goes on in vain: a right guess is answered as a wrong one.
                if user.is_some_and(|user| self.house.gate.is_user_banned(user.id, source)) {
                    return Sender::Challenge { stale: false, offered: self.offered(None, source) };
                }
                self.proven(message, flow, nonce, nc);
                let Some(user) = user else {
                    return trunk.map_or(Sender::Refused(403), |trunk| enter_by_trunk(message, flow, trunk));
                };
                self.waiting.remember(user.id, source, algorithm);
                if user.auth.wants_source() && !user.sources.iter().any(|known| known.has(flow.peer)) {
                    return Sender::Refused(403);
                }
                Sender::User { user: user.clone(), proof: Some(Proof { nonce, nc }) }
            }
            Verdict::Stale => Sender::Challenge { stale: true, offered: self.offered(user.map(Arc::as_ref), source) },
            Verdict::Refused(offence) => {
                metrics::counter!("tollgate_auth_failures_total").increment(1);
                tracing::debug!(source = %flow.peer, ?offence, "credentials were not accepted");
                if matches!(offence, Offence::WrongPassword | Offence::NotOffered(_)) {
                    self.house.gate.note(flow, Note::WrongCredentials(user.map(|user| user.id)));
                }
                // The same answer whoever is named: what a user is offered may not tell that the user exists.
                Sender::Challenge { stale: false, offered: self.offered(None, source) }
            }
        }
    }

    /// Counts a proof for its source: an answered challenge was none worth counting, and what it asked for was no probe.
    fn proven(&self, message: &Message, flow: &Flow, nonce: NonceId, nc: Option<u32>) {
        let age = self.house.clock.wall().secs() - i64::from(nonce.issued);
        let answered_challenge = nc.is_none_or(|nc| nc == 1) && age <= CHALLENGE_ANSWERED_SECS;
        let gate = &self.house.gate;
        gate.note(flow, Note::Proven { answered_challenge });
        gate.note(flow, Note::Explained(&user_of(&message.from())));
        gate.note(flow, Note::Explained(&user_part(message.request_uri())));
    }

    /// A request without proof: does it try a name or number that is not there?
    pub(in crate::sip_shard) fn note_probe(&self, message: &Message, flow: &Flow) {
        let directory = self.house.directory.load();
        let is_there = |name: &str| {
            directory.user_named(name, None).is_some()
                || name.parse::<tollgate_types::E164>().is_ok_and(|number| directory.did(&number).is_some())
        };
        let names = [user_of(&message.from()), user_part(message.request_uri())];
        if let Some(name) = names.iter().find(|name| !name.is_empty() && !is_there(name)) {
            self.house.gate.note(flow, Note::Probed(name));
        }
    }

    fn stranger(&mut self, message: &Message, flow: &Flow, directory: &Directory) -> Sender {
        self.note_probe(message, flow);
        let claimed = user_of(&message.from());
        let user = directory.user_named(&claimed, None);
        Sender::Challenge { stale: false, offered: self.offered(user.map(Arc::as_ref), flow.peer.ip()) }
    }

    /// What counts from this user (everybody, for `None`): his choice within the platform's.
    fn allowed(&self, user: Option<&User>) -> Vec<Algorithm> {
        let platform = self.house.algorithms();
        let own = user.map_or(platform, |user| user.algorithms.and(platform));
        let own = if own.is_empty() { platform } else { own };
        own.in_order(None).map(of_routing).collect()
    }

    /// What a challenge offers. A device's own order is known only at the address it last proved itself from: elsewhere
    /// it would tell strangers who exists.
    pub(in crate::sip_shard) fn offered(&self, user: Option<&User>, source: IpAddr) -> Vec<Algorithm> {
        let Some((user, last)) = user.and_then(|user| Some((user, self.waiting.remembered(user.id, source)?))) else {
            return self.allowed(None);
        };
        let mut offered = self.allowed(Some(user));
        if let Some(at) = offered.iter().position(|algorithm| *algorithm == last) {
            offered[..=at].rotate_right(1);
        }
        offered
    }
}

/// Those whose mode asks for no digest: trunks by address or prefix, users by address.
fn unproven(message: &Message, flow: &Flow, directory: &Directory) -> Option<Sender> {
    let (request, to, from) = (user_part(message.request_uri()), user_of(&message.to()), user_of(&message.from()));
    let approach = Approach { source: flow.peer, request_user: &request, to_user: &to, from_user: &from };
    match identify(directory.ingresses(), &approach) {
        Identified::Trunk { trunk, .. } => return Some(Sender::Trunk { trunk }),
        Identified::WrongProof => return Some(Sender::Refused(403)),
        Identified::NeedDigest { .. } | Identified::Unknown => {}
    }
    let user = directory.user_named(approach.from_user, None)?;
    let near = user.sources.iter().any(|known| known.has(flow.peer));
    (!user.auth.wants_digest() && user.auth.wants_source() && near)
        .then(|| Sender::User { user: user.clone(), proof: None })
}

/// A trunk that answered its challenge: what it dialled, by the same rules as one known by its address.
fn enter_by_trunk(message: &Message, flow: &Flow, trunk: &Arc<Ingress>) -> Sender {
    if !trunk.enabled || (trunk.auth.wants_source() && !trunk.all_sources().any(|known| known.has(flow.peer))) {
        return Sender::Refused(403);
    }
    let number = match trunk.number_from {
        NumberFrom::Uri => user_part(message.request_uri()),
        NumberFrom::To => user_of(&message.to()),
    };
    match trunk.auth.wants_prefix() && !number.starts_with(&*trunk.prefix) {
        true => Sender::Refused(403),
        false => Sender::Trunk { trunk: trunk.clone() },
    }
}

/// The number or name that a Request-URI asks for.
pub fn user_part(uri: &str) -> String {
    Uri::parse(uri).ok().and_then(|uri| uri.user().map(std::borrow::Cow::into_owned)).unwrap_or_default()
}

/// The name or number in From or To.
pub fn user_of(header: &NameAddr<'_>) -> String {
    header.uri().and_then(|uri| uri.user().map(std::borrow::Cow::into_owned)).unwrap_or_default()
}

/// The same algorithm, as the SIP room names it.
pub fn of_routing(algorithm: tollgate_routing::ha1::Algorithm) -> Algorithm {
    match algorithm {
        tollgate_routing::ha1::Algorithm::Md5 => Algorithm::Md5,
        tollgate_routing::ha1::Algorithm::Sha256 => Algorithm::Sha256,
        tollgate_routing::ha1::Algorithm::Sha512_256 => Algorithm::Sha512_256,
    }
}
