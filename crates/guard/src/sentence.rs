//! What a charge comes to: whom a ban hits, and for how long, so that no innocent is hit in an attacker's place.
//!
//! Two things can be innocent: everybody else behind a shared address, and the owner of an address that somebody writes into
//! spoofed datagrams. The rules below are for them.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tollgate_types::{Seed, UserId, Wall};

use crate::ban::{Ban, Reason};
use crate::scope::Scope;
use crate::sources::{Charge, Class, Standing, Who};

/// A ban that spoofed datagrams may have caused is short, and renewed for as long as they come.
pub const UNVERIFIED_FOR: Duration = Duration::from_secs(300);

/// What is known of the accused when judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accused {
    /// Its row.
    pub standing: Standing,
    /// Devices registered from the address right now.
    pub devices: u32,
    /// It came by a connection, or under a nonce that only this address was sent.
    pub undeniable: bool,
}

/// One offence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offence {
    /// A counter of the source table.
    Counter(Charge),
    /// Wrong credentials in a row from an address.
    Streak {
        /// Whose.
        ip: IpAddr,
        /// How many.
        count: u32,
    },
    /// Wrong credentials from one address and port within the window.
    AtPort {
        /// Whose.
        peer: SocketAddr,
        /// How many.
        count: u32,
        /// The window.
        within: Duration,
    },
    /// Wrong credentials for one user from one address within the window.
    ForUser {
        /// Whose name was used.
        user: UserId,
        /// From where.
        ip: IpAddr,
        /// How many.
        count: u32,
        /// The window.
        within: Duration,
    },
    /// Different names that are not there.
    Scan {
        /// Who tried them.
        ip: IpAddr,
        /// How many.
        count: u32,
    },
}

/// What is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sentence {
    /// A ban in full, longer for repeaters.
    Full(Scope, Reason, String),
    /// A short one, never longer, renewed while it goes on.
    Short(Scope, Reason, String),
    /// Nothing but an alert: the source is one that must be heard, or may not be the culprit.
    Spared(Spared, String),
}

/// Why somebody is not banned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spared {
    /// A trunk's listed address.
    Trunk,
    /// Served users are there, and the datagrams may be spoofed.
    ServedUsers,
    /// Many share the row.
    Everybody,
}

impl Spared {
    /// As metrics name it.
    pub fn id(self) -> &'static str {
        match self {
            Spared::Trunk => "trunk",
            Spared::ServedUsers => "served_users",
            Spared::Everybody => "everybody",
        }
    }
}

impl Offence {
    /// Where the offence was seen; `None` for rows that many share.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Offence::Counter(charge) => match charge.who {
                Who::Ip(ip) => Some(ip),
                Who::Net(_) | Who::Others => None,
            },
            Offence::AtPort { peer, .. } => Some(peer.ip()),
            Offence::Streak { ip, .. } | Offence::ForUser { ip, .. } | Offence::Scan { ip, .. } => Some(*ip),
        }
    }

    fn reason(&self) -> Reason {
        match self {
            Offence::Counter(charge) => match charge.class {
                Class::Message => Reason::Flood,
                Class::Wrong => Reason::Junk,
                Class::Unanswered | Class::WrongAuth => Reason::Authentication,
                Class::Newcomer => Reason::Flood,
            },
            Offence::Streak { .. } | Offence::AtPort { .. } | Offence::ForUser { .. } => Reason::Authentication,
            Offence::Scan { .. } => Reason::Scan,
        }
    }

    fn evidence(&self) -> String {
        match self {
            Offence::Counter(Charge { class, count, within, .. }) => {
                let what = match class {
                    Class::Message => "messages",
                    Class::Wrong => "messages without meaning",
                    Class::Unanswered | Class::Newcomer => "challenges never answered",
                    Class::WrongAuth => "wrong credentials",
                };
                format!("{count} {what} in {}", span(*within))
            }
            Offence::Streak { count, .. } => format!("{count} wrong credentials in a row"),
            Offence::AtPort { count, within, .. } => format!("{count} wrong credentials in {}", span(*within)),
            Offence::ForUser { count, within, .. } => {
                format!("{count} wrong credentials for one user in {}", span(*within))
            }
            Offence::Scan { count, .. } => {
                format!("{count} names that are not there in {}", span(crate::probes::WITHIN))
            }
        }
    }

    /// What it comes to.
    ///
    /// Messages, junk and unanswered challenges prove nothing over UDP: a ban for them is short and spares addresses with
    /// live registrations. Wrong credentials under our nonce prove the source; where phones are registered they hit the port
    /// and the user first, and the address only at ten times the limit.
    pub fn judge(&self, accused: &Accused) -> Sentence {
        let evidence = self.evidence();
        if accused.standing.listed {
            return Sentence::Spared(Spared::Trunk, evidence);
        }
        let scope = match *self {
            Offence::Counter(Charge { who: Who::Ip(ip), .. })
            | Offence::Streak { ip, .. }
            | Offence::Scan { ip, .. } => Scope::Ip(ip),
            // Strangers that share a row are shut out together, and not for long.
            Offence::Counter(Charge { who: Who::Net(net), class: Class::Message, .. }) => {
                return Sentence::Short(Scope::Net(net), self.reason(), evidence);
            }
            Offence::Counter(_) => return Sentence::Spared(Spared::Everybody, evidence),
            Offence::AtPort { peer, .. } => Scope::Port(peer),
            Offence::ForUser { user, ip, .. } => Scope::UserAt(user, ip),
        };
        let proves_the_source = match self {
            Offence::Streak { .. } | Offence::AtPort { .. } | Offence::ForUser { .. } => true,
            Offence::Counter(charge) => charge.class == Class::WrongAuth || accused.undeniable,
            Offence::Scan { .. } => accused.undeniable,
        };
        let served = accused.devices > 0;
        match (proves_the_source, served) {
            (true, _) => Sentence::Full(scope, self.reason(), evidence),
            (false, true) => Sentence::Spared(Spared::ServedUsers, evidence),
            (false, false) => Sentence::Short(scope, self.reason(), evidence),
        }
    }
}

/// Who was banned before, so that repeaters are banned for longer. Bounded; the oldest is forgotten first.
#[derive(Clone, Debug)]
pub struct Offenders {
    capacity: usize,
    records: tollgate_types::Map<Scope, Record>,
}

/// How often, and until when the last time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Bans so far.
    pub times: u32,
    /// When the last one ended.
    pub ended: Wall,
}

/// A record counts for so long after the ban's end, and no ban is longer.
pub const REMEMBERED_FOR: Duration = Duration::from_secs(7 * 86_400);

impl Offenders {
    /// Nobody was banned yet.
    pub fn new(capacity: usize, seed: Seed) -> Offenders {
        Offenders { capacity, records: seed.map() }
    }

    /// A ban from an earlier life.
    pub fn remember(&mut self, scope: Scope, record: Record) {
        if !self.records.contains_key(&scope) && self.records.len() >= self.capacity {
            let oldest =
                self.records.iter().min_by_key(|(scope, record)| (record.ended, **scope)).map(|(scope, _)| *scope);
            oldest.map(|scope| self.records.remove(&scope));
        }
        self.records.insert(scope, record);
    }

    /// A ban in full begins: how long it lasts, and how often it was by now.
    pub fn sentence(&mut self, scope: Scope, first: Duration, now: Wall) -> (Wall, u32) {
        let before = self.records.get(&scope).filter(|record| now.since(record.ended) < REMEMBERED_FOR);
        let times = before.map_or(0, |record| record.times);
        let doubled = first.saturating_mul(1u32.checked_shl(times.min(16)).unwrap_or(u32::MAX));
        let until = now + doubled.min(REMEMBERED_FOR);
        let times = times.saturating_add(1);
        self.remember(scope, Record { times, ended: until });
        (until, times)
    }

    /// An admin lifted it: it was a mistake, and is not held against anybody.
    pub fn forget(&mut self, scope: &Scope) {
        self.records.remove(scope);
    }

    /// How often the scope was banned.
    pub fn times(&self, scope: &Scope) -> u32 {
        self.records.get(scope).map_or(0, |record| record.times)
    }

    /// Drops what is not held against anybody any more.
    pub fn prune(&mut self, now: Wall) {
        self.records.retain(|_, record| now.since(record.ended) < REMEMBERED_FOR);
    }
}

impl Ban {
    /// The ban that a sentence orders, if it orders one.
    pub fn by(sentence: Sentence, offenders: &mut Offenders, first: Duration, now: Wall) -> Option<Ban> {
        let (scope, reason, evidence, until) = match sentence {
            Sentence::Full(scope, reason, evidence) => {
                let scope = scope.canonical();
                let (until, times) = offenders.sentence(scope, first, now);
                let evidence = if times > 1 { format!("{evidence}, for the {} time", nth(times)) } else { evidence };
                (scope, reason, evidence, until)
            }
            Sentence::Short(scope, reason, evidence) => (scope, reason, evidence, now + UNVERIFIED_FOR),
            Sentence::Spared(..) => return None,
        };
        Some(Ban { scope, reason, evidence, created: now, until: Some(until) })
    }
}

fn nth(times: u32) -> String {
    let ending = match (times % 10, times % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{times}{ending}")
}

fn span(span: Duration) -> String {
    let secs = span.as_secs();
    match secs {
        0..120 => format!("{secs} s"),
        120..7200 => format!("{} min", secs / 60),
        _ => format!("{} h", secs / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip() -> IpAddr {
        IpAddr::from([192, 0, 2, 1])
    }

    fn charge(class: Class) -> Offence {
        Offence::Counter(Charge { who: Who::Ip(ip()), class, count: 51, limit: 50, within: Duration::from_secs(3600) })
    }

    fn kind(sentence: &Sentence) -> String {
        match sentence {
            Sentence::Full(scope, reason, _) => format!("full {} {reason}", scope.kind()),
            Sentence::Short(scope, reason, _) => format!("short {} {reason}", scope.kind()),
            Sentence::Spared(why, _) => format!("{why:?}"),
        }
    }

    #[test]
    fn whom_a_ban_hits() {
        let peer = SocketAddr::new(ip(), 5060);
        let hour = Duration::from_secs(3600);
        let at_port = Offence::AtPort { peer, count: 50, within: hour };
        let for_user = Offence::ForUser { user: UserId(7), ip: ip(), count: 50, within: hour };
        let streak = Offence::Streak { ip: ip(), count: 10 };
        let scan = Offence::Scan { ip: ip(), count: 10 };
        let net = "192.0.2.0/24".parse().unwrap();
        let shared = |who| Offence::Counter(Charge { who, class: Class::Message, count: 9, limit: 9, within: hour });
        let stranger = Accused::default();
        let connected = Accused { undeniable: true, ..stranger };
        let office = Accused { devices: 50, ..stranger };
        let trunk = Accused { standing: Standing { listed: true, ..Standing::default() }, ..connected };
        //  offence, accused, verdict
        for (offence, accused, verdict) in [
            (charge(Class::Message), stranger, "short ip flood"),
            (charge(Class::Message), connected, "full ip flood"),
            (charge(Class::Message), office, "ServedUsers"),
            (charge(Class::Message), trunk, "Trunk"),
            (charge(Class::Wrong), stranger, "short ip junk"),
            (charge(Class::Wrong), office, "ServedUsers"),
            (charge(Class::Unanswered), stranger, "short ip authentication"),
            (charge(Class::Newcomer), stranger, "short ip flood"),
            (charge(Class::WrongAuth), stranger, "full ip authentication"),
            (charge(Class::WrongAuth), office, "full ip authentication"),
            (at_port, stranger, "full ip:port authentication"),
            (at_port, office, "full ip:port authentication"),
            (at_port, trunk, "Trunk"),
            (for_user, office, "full user@ip authentication"),
            (streak, stranger, "full ip authentication"),
            (scan, stranger, "short ip scan"),
            (scan, connected, "full ip scan"),
            (scan, office, "ServedUsers"),
            (shared(Who::Net(net)), stranger, "short net flood"),
            (shared(Who::Others), stranger, "Everybody"),
        ] {
            assert_eq!(kind(&offence.judge(&accused)), verdict, "{offence:?} by {accused:?}");
        }
    }

    #[test]
    fn repeaters_are_banned_twice_as_long_each_time_up_to_a_week() {
        let mut offenders = Offenders::new(10, Seed([1; 4]));
        let six = Duration::from_secs(6 * 3600);
        let mut now = Wall::from_secs(1_000_000);
        for (turn, hours) in [6u64, 12, 24, 48, 96, 168, 168].into_iter().enumerate() {
            let full = charge(Class::WrongAuth).judge(&Accused::default());
            let ban = Ban::by(full, &mut offenders, six, now).unwrap();
            assert_eq!(ban.until, Some(now + Duration::from_secs(hours * 3600)), "time {}", turn + 1);
            assert!(
                ban.holds(ban.until.unwrap() + Duration::ZERO - Duration::from_secs(1))
                    && !ban.holds(ban.until.unwrap())
            );
            now = ban.until.unwrap() + Duration::from_secs(60);
        }
        assert_eq!(offenders.times(&Scope::Ip(ip())), 7);
        let later = now + REMEMBERED_FOR;
        assert_eq!(offenders.sentence(Scope::Ip(ip()), six, later).0, later + six, "a week of peace is enough");
    }

    #[test]
    fn a_ban_that_spoofing_may_have_caused_is_never_longer_than_five_minutes() {
        let mut offenders = Offenders::new(10, Seed([1; 4]));
        let mut now = Wall::from_secs(1_000_000);
        for _ in 0..50 {
            let short = charge(Class::Message).judge(&Accused::default());
            let ban = Ban::by(short, &mut offenders, Duration::from_secs(6 * 3600), now).unwrap();
            assert_eq!((ban.until, ban.reason), (Some(now + UNVERIFIED_FOR), Reason::Flood));
            now = now + UNVERIFIED_FOR;
        }
        assert_eq!(offenders.times(&Scope::Ip(ip())), 0);
    }

    #[test]
    fn the_oldest_offender_is_forgotten_first() {
        let mut offenders = Offenders::new(2, Seed([1; 4]));
        for last in 1..=3u8 {
            let scope = Scope::Ip(IpAddr::from([192, 0, 2, last]));
            offenders.sentence(scope, Duration::from_secs(60), Wall::from_secs(i64::from(last)));
        }
        assert_eq!(offenders.times(&Scope::Ip(ip())), 0);
        assert_eq!(offenders.times(&Scope::Ip(IpAddr::from([192, 0, 2, 3]))), 1);
    }
}
