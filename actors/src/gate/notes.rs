//! What shards tell the gate about a source, and which counters it moves.

use tollgate_guard::Level;
use tollgate_guard::sentence::{Accused, Offence};
use tollgate_guard::sources::{Class, PROVEN_FACTOR};
use tollgate_types::{Flow, UserId};

use super::Gate;
use crate::gatekeeper::News;

/// Something worth counting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note<'a> {
    /// A message that means nothing: unreadable, for no dialog, an answer that nobody asked for.
    Wrong,
    /// It is challenged, or refused for want of proof.
    Challenged,
    /// Wrong credentials under a nonce that was sent to it, for this user where there is one of the name.
    WrongCredentials(Option<UserId>),
    /// Valid credentials; they answered a challenge of the last 32 s, or not.
    Proven {
        /// Whether.
        answered_challenge: bool,
    },
    /// It answered a request of ours: carriers found by name are known by that.
    Answered,
    /// A name or number that is not there, without proof.
    Probed(&'a str),
    /// It was tried in good faith: proof came after all.
    Explained(&'a str),
}

impl Gate {
    /// Counts it. What is too much goes to the keeper.
    pub fn note(&self, flow: &Flow, note: Note<'_>) {
        let policy = self.policy.load();
        if policy.level == Level::Off {
            return;
        }
        let (ip, now) = (flow.peer.ip().to_canonical(), self.clock.mono());
        let count = |class| self.part(ip).lock().count(ip, class, now, &policy.limits);
        let standing = || self.part(ip).lock().standing(ip, now);
        match note {
            Note::Wrong => {
                if let Some(charge) = count(Class::Wrong) {
                    self.accuse_counter(flow, charge, standing());
                }
            }
            Note::Challenged => {
                for class in [Class::Unanswered, Class::Newcomer] {
                    if let Some(charge) = count(class) {
                        self.accuse_counter(flow, charge, standing());
                    }
                }
                let standing = standing();
                if !standing.proven && !standing.listed {
                    self.count_stranger(now);
                }
            }
            Note::WrongCredentials(user) => self.wrong_credentials(flow, user),
            Note::Proven { answered_challenge } => {
                let mut part = self.part(ip).lock();
                let stranger = !part.standing(ip, now).proven;
                part.succeed(ip, answered_challenge, now, &policy.limits);
                drop(part);
                if answered_challenge && stranger {
                    self.suspects.lock().attack.refund(now);
                }
            }
            Note::Answered => {
                let mut part = self.part(ip).lock();
                if !part.standing(ip, now).proven {
                    part.succeed(ip, false, now, &policy.limits);
                }
            }
            Note::Probed(name) => {
                let Some(most) = policy.scan else { return };
                let standing = standing();
                let most = if standing.proven { most.saturating_mul(PROVEN_FACTOR) } else { most };
                let count = self.suspects.lock().probes.tried(ip, name, most, now);
                if let Some(count) = count {
                    let accused = self.accused(flow);
                    self.tell(News::Accused(Offence::Scan { ip, count }, accused));
                }
            }
            Note::Explained(name) => self.suspects.lock().probes.explained(ip, name),
        }
    }

    fn wrong_credentials(&self, flow: &Flow, user: Option<UserId>) {
        let policy = self.policy.load();
        let (ip, now) = (flow.peer.ip().to_canonical(), self.clock.mono());
        let mut part = self.part(ip).lock();
        part.verify(ip, now);
        let charge = part.count(ip, Class::WrongAuth, now, &policy.limits);
        let (streak, proven) = (part.streak(ip), part.standing(ip, now).proven);
        drop(part);
        let mut accused = self.accused(flow);
        accused.undeniable = true;
        let load = u32::try_from(self.load_percent.load(std::sync::atomic::Ordering::Relaxed)).unwrap_or(100);
        let limit = policy.streak.limit(load, accused.devices);
        let limit = limit.map(|limit| if proven { limit.saturating_mul(PROVEN_FACTOR) } else { limit });
        let mut offences = Vec::new();
        offences.extend(charge.map(Offence::Counter));
        offences.extend(limit.filter(|limit| streak >= *limit).map(|_| Offence::Streak { ip, count: streak }));
        if let Some(most) = policy.per_port {
            let peer = std::net::SocketAddr::new(ip, flow.peer.port());
            let within = policy.auth_within;
            let mut suspects = self.suspects.lock();
            let at_port = suspects.ports.add(&peer, 1, now).and_then(|count| u32::try_from(count).ok());
            // Where nobody is served the address answers for everything; a shared one has users to be told apart.
            let for_user = user
                .filter(|user| accused.devices > 0 && !self.residents.lives_at(*user, ip))
                .and_then(|user| Some((user, u32::try_from(suspects.users.add(&(user, ip), 1, now)?).ok()?)));
            drop(suspects);
            offences.extend(at_port.filter(|count| *count >= most).map(|count| Offence::AtPort {
                peer,
                count,
                within,
            }));
            offences.extend(for_user.filter(|(_, count)| *count >= most).map(|(user, count)| Offence::ForUser {
                user,
                ip,
                count,
                within,
            }));
        }
        for offence in offences {
            self.tell(News::Accused(offence, accused));
        }
    }

    fn accused(&self, flow: &Flow) -> Accused {
        let ip = flow.peer.ip().to_canonical();
        Accused {
            standing: self.standing(ip),
            devices: self.residents.devices(ip),
            undeniable: flow.transport.is_reliable(),
        }
    }
}
