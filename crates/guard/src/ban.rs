//! Who is not served, why, and until when: the table that every edge asks first.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use tollgate_types::{Map, Net, Seed, UserId, Wall};

use crate::scope::Scope;

/// One ban.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ban {
    /// Where it holds.
    pub scope: Scope,
    /// Why.
    pub reason: Reason,
    /// What was seen, for the admin: `51 wrong passwords in 1 h`.
    pub evidence: String,
    /// Since when.
    pub created: Wall,
    /// Until when; `None` until someone lifts it.
    pub until: Option<Wall>,
}

/// Why somebody is banned: a closed list, as `ban list` prints it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// Too many messages.
    Flood,
    /// Too many messages that mean nothing.
    Junk,
    /// Too many wrong passwords.
    Authentication,
    /// Probing for names or numbers.
    Scan,
    /// A user agent that is a known scanner's.
    UserAgent,
    /// An admin said so.
    Admin,
}

/// What an edge does with a datagram or connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Goes on.
    Pass,
    /// Dropped unparsed, unanswered, counted.
    Drop,
}

/// The table is full, and nothing in it gives way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the ban table is full: {0} bans")]
pub struct Full(pub usize);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Size {
    v4: bool,
    bits: u8,
    count: usize,
}

/// All bans, bounded.
#[derive(Clone, Debug)]
pub struct BanTable {
    capacity: usize,
    bans: Map<Scope, Ban>,
    /// The sizes of networks among them, and how many of each: a look-up a size, however many networks there are.
    sizes: Vec<Size>,
    /// How many port bans there are: none, and the port is not looked up.
    ports: usize,
}

impl BanTable {
    /// Nobody is banned. At most `capacity` bans are kept.
    pub fn new(capacity: usize, seed: Seed) -> BanTable {
        BanTable { capacity, bans: seed.map(), sizes: Vec::new(), ports: 0 }
    }

    /// May `peer` be heard? Asked for every datagram: two look-ups at most, and one for each size of network
    /// that is banned.
    pub fn judge(&self, peer: SocketAddr, now: Wall) -> Verdict {
        if self.bans.is_empty() {
            return Verdict::Pass;
        }
        let ip = peer.ip().to_canonical();
        let banned = self.holds(&Scope::Ip(ip), now)
            || self.ports > 0 && self.holds(&Scope::Port(SocketAddr::new(ip, peer.port())), now)
            || self.sizes.iter().any(|size| size.around(ip).is_some_and(|net| self.holds(&Scope::Net(net), now)));
        if banned { Verdict::Drop } else { Verdict::Pass }
    }

    /// May `user` be served from `ip`? Asked once the name is known; others at that address are not meant.
    pub fn judge_user(&self, user: UserId, ip: IpAddr, now: Wall) -> Verdict {
        if self.holds(&Scope::UserAt(user, ip.to_canonical()), now) { Verdict::Drop } else { Verdict::Pass }
    }

    /// Puts a ban in force. One that holds already is replaced, if the new one lasts longer or an admin says so. A full
    /// table first drops what has run out, then the ban that would run out next; an admin's never gives way.
    pub fn ban(&mut self, mut ban: Ban, now: Wall) -> Result<(), Full> {
        ban.scope = ban.scope.canonical();
        if let Some(old) = self.bans.get(&ban.scope) {
            let lasts_longer = match (old.until, ban.until) {
                (_, None) => true,
                (None, Some(_)) => false,
                (Some(old), Some(new)) => new > old,
            };
            let by_admin = ban.reason == Reason::Admin;
            if by_admin || lasts_longer && old.reason != Reason::Admin {
                self.bans.insert(ban.scope, ban);
            }
            return Ok(());
        }
        if self.bans.len() >= self.capacity {
            self.expire(now);
        }
        if self.bans.len() >= self.capacity {
            let giving_way = self.bans.values().filter(|old| old.reason != Reason::Admin && old.until.is_some());
            let first = giving_way.min_by_key(|old| (old.until, old.scope)).map(|old| old.scope);
            match first {
                Some(scope) => drop(self.lift(&scope)),
                None => return Err(Full(self.capacity)),
            }
        }
        match ban.scope {
            Scope::Net(net) => match self.sizes.iter_mut().find(|size| size.is_of(&net)) {
                Some(size) => size.count += 1,
                None => self.sizes.push(Size { v4: net.first().is_ipv4(), bits: net.bits(), count: 1 }),
            },
            Scope::Port(_) => self.ports += 1,
            Scope::Ip(_) | Scope::UserAt(..) => {}
        }
        self.bans.insert(ban.scope, ban);
        Ok(())
    }

    /// Takes one ban back.
    pub fn lift(&mut self, scope: &Scope) -> Option<Ban> {
        let ban = self.bans.remove(&scope.canonical())?;
        match ban.scope {
            Scope::Net(net) => {
                self.sizes.iter_mut().filter(|size| size.is_of(&net)).for_each(|size| size.count -= 1);
                self.sizes.retain(|size| size.count > 0);
            }
            Scope::Port(_) => self.ports -= 1,
            Scope::Ip(_) | Scope::UserAt(..) => {}
        }
        Some(ban)
    }

    /// Takes back everything that holds against `address`: its own bans, its ports', its users'. Networks around it stay.
    pub fn lift_address(&mut self, address: IpAddr) -> Vec<Ban> {
        let address = address.to_canonical();
        self.lift_where(|scope| match scope {
            Scope::Port(peer) => peer.ip() == address,
            Scope::UserAt(_, ip) | Scope::Ip(ip) => *ip == address,
            Scope::Net(_) => false,
        })
    }

    /// Takes back everything that holds against `user`, wherever he is.
    pub fn lift_user(&mut self, user: UserId) -> Vec<Ban> {
        self.lift_where(|scope| matches!(scope, Scope::UserAt(banned, _) if *banned == user))
    }

    /// Takes back everything.
    pub fn lift_all(&mut self) -> Vec<Ban> {
        self.lift_where(|_| true)
    }

    /// Drops what has run out, and returns it. Nothing depends on when this is called: a ban that has run out holds no more.
    pub fn expire(&mut self, now: Wall) -> Vec<Ban> {
        let over: Vec<Scope> =
            self.bans.values().filter(|ban| ban.until.is_some_and(|until| until <= now)).map(|ban| ban.scope).collect();
        over.iter().filter_map(|scope| self.lift(scope)).collect()
    }

    /// Does a ban of exactly this scope hold?
    pub fn is_in_force(&self, scope: &Scope, now: Wall) -> bool {
        self.holds(&scope.canonical(), now)
    }

    /// All bans that hold, the newest first.
    pub fn list(&self, now: Wall) -> Vec<&Ban> {
        let mut list: Vec<&Ban> = self.bans.values().filter(|ban| ban.holds(now)).collect();
        list.sort_by(|a, b| b.created.cmp(&a.created).then(a.scope.cmp(&b.scope)));
        list
    }

    /// How many are kept, those that have run out included.
    pub fn len(&self) -> usize {
        self.bans.len()
    }

    /// None?
    pub fn is_empty(&self) -> bool {
        self.bans.is_empty()
    }

    fn holds(&self, scope: &Scope, now: Wall) -> bool {
        self.bans.get(scope).is_some_and(|ban| ban.holds(now))
    }

    fn lift_where(&mut self, meant: impl Fn(&Scope) -> bool) -> Vec<Ban> {
        let scopes: Vec<Scope> = self.bans.keys().filter(|scope| meant(scope)).copied().collect();
        scopes.iter().filter_map(|scope| self.lift(scope)).collect()
    }
}

impl Size {
    fn is_of(&self, net: &Net) -> bool {
        (self.v4, self.bits) == (net.first().is_ipv4(), net.bits())
    }

    fn around(&self, ip: IpAddr) -> Option<Net> {
        if ip.is_ipv4() == self.v4 { Net::new(ip, self.bits) } else { None }
    }
}

impl Ban {
    /// Does it hold at `now`?
    pub fn holds(&self, now: Wall) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

impl Reason {
    /// As `ban list` prints it.
    pub fn id(self) -> &'static str {
        match self {
            Reason::Flood => "flood",
            Reason::Junk => "junk",
            Reason::Authentication => "authentication",
            Reason::Scan => "scan",
            Reason::UserAgent => "user_agent",
            Reason::Admin => "admin",
        }
    }

    /// The reason of that name.
    pub fn from_id(id: &str) -> Option<Reason> {
        let all = [Reason::Flood, Reason::Junk, Reason::Authentication, Reason::Scan, Reason::UserAgent, Reason::Admin];
        all.into_iter().find(|reason| reason.id() == id)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(secs: i64) -> Wall {
        Wall::from_secs(secs)
    }

    fn ban(scope: Scope, until: i64, reason: Reason) -> Ban {
        Ban { scope, reason, evidence: String::new(), created: at(0), until: (until > 0).then(|| at(until)) }
    }

    fn ip(text: &str) -> Scope {
        Scope::Ip(text.parse().unwrap())
    }

    fn port(text: &str) -> Scope {
        Scope::Port(text.parse().unwrap())
    }

    fn net(text: &str, bits: u8) -> Scope {
        Scope::Net(Net::new(text.parse().unwrap(), bits).unwrap())
    }

    #[test]
    fn a_ban_hits_whom_it_means_while_it_lasts() {
        let mut table = BanTable::new(100, Seed([1; 4]));
        for (scope, until) in [
            (ip("192.0.2.1"), 100),
            (port("192.0.2.2:5060"), 100),
            (net("198.51.100.9", 24), 100),
            (net("2001:db8::", 32), 0),
            (ip("::ffff:192.0.2.4"), 0),
        ] {
            table.ban(ban(scope, until, Reason::Flood), at(0)).unwrap();
        }
        for (peer, now, verdict) in [
            ("192.0.2.1:1", 99, Verdict::Drop),
            ("192.0.2.1:1", 100, Verdict::Pass),
            ("[::ffff:192.0.2.1]:1", 99, Verdict::Drop),
            ("192.0.2.2:5060", 99, Verdict::Drop),
            ("192.0.2.2:5061", 99, Verdict::Pass),
            ("198.51.100.200:1", 99, Verdict::Drop),
            ("198.51.101.1:1", 99, Verdict::Pass),
            ("[2001:db8:9::1]:1", 9999, Verdict::Drop),
            ("192.0.2.4:1", 9999, Verdict::Drop),
            ("192.0.2.3:1", 0, Verdict::Pass),
        ] {
            assert_eq!(table.judge(peer.parse().unwrap(), at(now)), verdict, "{peer} at {now}");
        }
        assert_eq!((table.list(at(100)).len(), table.expire(at(100)).len(), table.len()), (2, 3, 2));
    }

    #[test]
    fn a_user_is_banned_at_an_address_and_nobody_else_there() {
        let mut table = BanTable::new(100, Seed([1; 4]));
        let address: IpAddr = "192.0.2.1".parse().unwrap();
        table.ban(ban(Scope::UserAt(UserId(7), address), 100, Reason::Authentication), at(0)).unwrap();
        assert_eq!(table.judge_user(UserId(7), address, at(1)), Verdict::Drop);
        assert_eq!(table.judge_user(UserId(8), address, at(1)), Verdict::Pass);
        assert_eq!(table.judge_user(UserId(7), "192.0.2.2".parse().unwrap(), at(1)), Verdict::Pass);
        assert_eq!(table.judge(SocketAddr::new(address, 5060), at(1)), Verdict::Pass);
        assert_eq!(table.lift_user(UserId(7)).len(), 1);
        assert!(table.is_empty());
    }

    #[test]
    fn the_longer_ban_stays_and_an_admins_word_above_all() {
        let mut table = BanTable::new(100, Seed([1; 4]));
        let mut put = |until, reason| {
            table.ban(ban(ip("192.0.2.1"), until, reason), at(0)).unwrap();
            let held = &table.list(at(0))[0];
            (held.until.map_or(0, Wall::secs), held.reason)
        };
        assert_eq!(put(100, Reason::Flood), (100, Reason::Flood));
        assert_eq!(put(50, Reason::Junk), (100, Reason::Flood));
        assert_eq!(put(200, Reason::Junk), (200, Reason::Junk));
        assert_eq!(put(30, Reason::Admin), (30, Reason::Admin));
        assert_eq!(put(900, Reason::Flood), (30, Reason::Admin));
        assert_eq!(table.lift_address("::ffff:192.0.2.1".parse().unwrap()).len(), 1);
    }

    #[test]
    fn a_full_table_gives_up_what_ends_first_but_no_admins_ban() {
        let mut table = BanTable::new(2, Seed([1; 4]));
        table.ban(ban(ip("192.0.2.1"), 100, Reason::Flood), at(0)).unwrap();
        table.ban(ban(ip("192.0.2.2"), 50, Reason::Flood), at(0)).unwrap();
        table.ban(ban(port("192.0.2.3:1"), 70, Reason::Flood), at(0)).unwrap();
        let held: Vec<String> = table.list(at(0)).iter().map(|ban| ban.scope.to_string()).collect();
        assert_eq!(held, ["192.0.2.3:1", "192.0.2.1"]);
        table.ban(ban(ip("192.0.2.4"), 0, Reason::Admin), at(99)).unwrap();
        table.ban(ban(ip("192.0.2.5"), 10, Reason::Admin), at(0)).unwrap();
        assert_eq!(table.ban(ban(ip("192.0.2.6"), 0, Reason::Flood), at(0)), Err(Full(2)));
        assert_eq!(table.lift_all().len(), 2);
        assert_eq!((table.sizes.len(), table.ports), (0, 0));
    }

    proptest! {
        #[test]
        fn the_table_agrees_with_a_plain_list(
            steps in prop::collection::vec((0u8..4, 0u8..4, 1i64..50, any::<bool>()), 0..60),
            now in 0i64..50,
        ) {
            let mut table = BanTable::new(1000, Seed([1; 4]));
            let mut model: Vec<(Scope, i64)> = Vec::new();
            for (kind, place, until, lift) in steps {
                let address = IpAddr::from([192, 0, 2, place]);
                let scope = match kind {
                    0 => Scope::Ip(address),
                    1 => Scope::Port(SocketAddr::new(address, 5060)),
                    2 => Scope::Net(Net::new(address, 31).unwrap()),
                    _ => Scope::Net(Net::new(address, 30).unwrap()),
                };
                let old = model.iter().find(|(each, _)| *each == scope).map_or(0, |(_, until)| *until);
                model.retain(|(each, _)| *each != scope);
                if lift {
                    table.lift(&scope);
                } else {
                    table.ban(ban(scope, until, Reason::Scan), at(0)).unwrap();
                    model.push((scope, until.max(old)));
                }
            }
            for place in 0..5 {
                let peer = SocketAddr::new(IpAddr::from([192, 0, 2, place]), 5060);
                let banned = model.iter().any(|(scope, until)| now < *until && match scope {
                    Scope::Ip(ip) => *ip == peer.ip(),
                    Scope::Port(port) => *port == peer,
                    Scope::Net(net) => net.has(peer.ip()),
                    Scope::UserAt(..) => false,
                });
                prop_assert_eq!(table.judge(peer, at(now)) == Verdict::Drop, banned);
            }
        }
    }
}
