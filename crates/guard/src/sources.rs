//! What every source did lately: one row of fixed size an address, in a table that a stranger cannot grow.
//!
//! Past the table's capacity a new source shares the row of its network (/24, /48), and past that one row with everybody.
//! Sources that proved themselves, or tried wrong passwords, get a row of their own in place of one that has been quiet.

use std::net::IpAddr;
use std::time::Duration;

use tollgate_types::{Map, Mono, Net, Seed};

use crate::tally::Tally;

/// How many classes of events are counted.
pub const CLASSES: usize = 5;
/// How many times as much a source may do that proved itself lately.
pub const PROVEN_FACTOR: u32 = 10;
/// How long a proof is remembered: longer than any registration waits for its refresh.
const PROVEN_FOR: Duration = Duration::from_secs(86_400);
/// A stranger's row may go to another when nothing was heard of it for so long.
const QUIET: Duration = Duration::from_secs(60);
/// Rows looked at for a quiet one before the newcomer shares its network's.
const LOOKS: usize = 16;

/// What is counted for a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// A message or datagram (`MAXSUBSMSCOUNT`).
    Message,
    /// One that means nothing (`MAXWRONGMSGALLOWED`).
    Wrong,
    /// A challenge, until valid credentials answer it (`MAXWRONGAUTHFROMIP`).
    Unanswered,
    /// Wrong credentials under a nonce of ours (`MAXFAILEDAUTHENABLEDIP`).
    WrongAuth,
    /// A challenge, until valid credentials answer it, in 90 s (`fastauthsubswrongusermsg`).
    Newcomer,
}

/// So many within so long; `None` for no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The count that is too much.
    pub most: Option<u32>,
    /// The window.
    pub within: Duration,
}

/// A limit for each class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits(pub [Limit; CLASSES]);

impl Limits {
    /// The limit of a class.
    pub fn of(&self, class: Class) -> Limit {
        self.0[class as usize]
    }
}

/// Whose row it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Who {
    /// One address's own.
    Ip(IpAddr),
    /// Shared by the network's addresses that have none.
    Net(Net),
    /// Shared by all the others.
    Others,
}

/// A limit was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charge {
    /// By whom.
    pub who: Who,
    /// What.
    pub class: Class,
    /// How often within the window.
    pub count: u32,
    /// The limit reached, proof considered.
    pub limit: u32,
    /// The window.
    pub within: Duration,
}

/// What the platform knows of an address beyond its own counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// A registration there within the last days, or one live.
    pub known: bool,
    /// A trunk's listed address.
    pub listed: bool,
}

/// A source as its row has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// It proved itself lately or is known from before.
    pub proven: bool,
    /// It has echoed something that only its address could have received.
    pub verified: bool,
    /// A trunk's listed address.
    pub listed: bool,
}

#[derive(Clone, Debug)]
struct Row {
    who: Who,
    tallies: [Tally; CLASSES],
    streak: u32,
    heard: Mono,
    proven_until: Mono,
    verified: bool,
    facts: Facts,
    /// Which state of the outside's knowledge the facts are of.
    epoch: u32,
    /// The second that is being counted, and what was sent and answered in it.
    second: u32,
    in_second: u32,
    answers_in_second: u32,
    /// The second of the last charge of each class: one a second is enough.
    charged: [u32; CLASSES],
}

/// See the module.
pub struct Sources {
    capacity: usize,
    rows: Vec<Row>,
    index: Map<Who, u32>,
    hand: usize,
    epoch: u32,
}

impl Sources {
    /// An empty table of at most `capacity` addresses and a quarter as many networks.
    pub fn new(capacity: usize, seed: Seed) -> Sources {
        Sources { capacity: capacity.max(1), rows: Vec::new(), index: seed.map(), hand: 0, epoch: 0 }
    }

    /// Most bytes that a table of that capacity takes.
    pub const fn bytes_max(capacity: usize) -> usize {
        let rows = capacity + capacity / 4 + 1;
        // A hash map keeps an eighth of its places free and grows by doubling; a vector that is grown exactly has no slack.
        rows * size_of::<Row>() + 2 * rows * (size_of::<(Who, u32)>() + 1) * 8 / 7
    }

    /// A message came in. `facts` is asked when the row is new or [`Sources::reconsider`] was called since.
    pub fn hear(
        &mut self,
        ip: IpAddr,
        now: Mono,
        limits: &Limits,
        facts: impl FnOnce() -> Facts,
    ) -> (Standing, Option<Charge>, u32) {
        let at = self.place(ip, now, false);
        let epoch = self.epoch;
        let row = &mut self.rows[at];
        if row.epoch != epoch {
            row.epoch = epoch;
            // A row that many share knows nothing of any of them, but the one heard now may still be known.
            row.facts = facts();
        }
        row.heard = now;
        row.this_second(now);
        row.in_second = row.in_second.saturating_add(1);
        let in_second = row.in_second;
        let charge = row.count(Class::Message, 1, now, limits);
        (row.standing(now), charge, in_second)
    }

    /// Something happened that is counted beside the message itself.
    pub fn count(&mut self, ip: IpAddr, class: Class, now: Mono, limits: &Limits) -> Option<Charge> {
        let at = self.place(ip, now, class == Class::WrongAuth);
        let row = &mut self.rows[at];
        if class == Class::WrongAuth {
            row.streak = row.streak.saturating_add(1);
        }
        row.count(class, 1, now, limits)
    }

    /// Valid credentials: the streak ends, the source is proven, and where they answered a challenge that is taken back.
    pub fn succeed(&mut self, ip: IpAddr, answered_challenge: bool, now: Mono, limits: &Limits) {
        let at = self.place(ip, now, true);
        let row = &mut self.rows[at];
        row.streak = 0;
        row.verified = true;
        row.proven_until = now + PROVEN_FOR;
        if answered_challenge {
            for class in [Class::Unanswered, Class::Newcomer] {
                row.tallies[class as usize].refund(1, now, limits.of(class).within);
            }
        }
    }

    /// It has echoed a nonce, or speaks over a connection.
    pub fn verify(&mut self, ip: IpAddr, now: Mono) {
        let at = self.place(ip, now, false);
        if matches!(self.rows[at].who, Who::Ip(_)) {
            self.rows[at].verified = true;
        }
    }

    /// How often in a row its credentials were wrong.
    pub fn streak(&self, ip: IpAddr) -> u32 {
        self.find(ip).map_or(0, |row| row.streak)
    }

    /// Its standing, if it has a row of its own.
    pub fn standing(&self, ip: IpAddr, now: Mono) -> Standing {
        self.find(ip).map_or_else(Standing::default, |row| row.standing(now))
    }

    /// May one more challenge be sent to it this second? Counts it if so.
    pub fn may_challenge(&mut self, ip: IpAddr, now: Mono, a_second: u32) -> bool {
        let at = self.place(ip, now, false);
        let row = &mut self.rows[at];
        row.this_second(now);
        let most = if row.standing(now).proven { a_second.saturating_mul(PROVEN_FACTOR) } else { a_second };
        let may = row.answers_in_second < most;
        row.answers_in_second = row.answers_in_second.saturating_add(1);
        may
    }

    /// A ban begins or was lifted: everything counted of it is forgotten, what proves it stays.
    pub fn forgive(&mut self, who: Who) {
        if let Some(at) = self.index.get(&who) {
            let row = &mut self.rows[*at as usize];
            row.tallies = Default::default();
            row.streak = 0;
        }
    }

    /// What is known of addresses has changed: it is asked anew at each one's next message.
    pub fn reconsider(&mut self) {
        self.epoch = self.epoch.wrapping_add(1);
    }

    /// Rows in use.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// None?
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    fn find(&self, ip: IpAddr) -> Option<&Row> {
        self.index.get(&Who::Ip(ip)).map(|at| &self.rows[*at as usize])
    }

    /// The row that counts for `ip`: its own, made if there is room, or the one it shares.
    fn place(&mut self, ip: IpAddr, now: Mono, deserves_its_own: bool) -> usize {
        let ip = ip.to_canonical();
        if let Some(at) = self.index.get(&Who::Ip(ip)) {
            return *at as usize;
        }
        if self.rows.len() < self.capacity {
            return self.append(Who::Ip(ip), now);
        }
        let looks = if deserves_its_own { self.rows.len() } else { LOOKS };
        if let Some(at) = self.quiet_row(now, looks, deserves_its_own) {
            self.index.remove(&self.rows[at].who);
            self.rows[at] = Row::new(Who::Ip(ip), now, self.epoch);
            self.index.insert(Who::Ip(ip), at as u32);
            return at;
        }
        let net = Net::new(ip, if ip.is_ipv4() { 24 } else { 48 }).map_or(Who::Others, Who::Net);
        if let Some(at) = self.index.get(&net) {
            return *at as usize;
        }
        if self.rows.len() < self.capacity + self.capacity / 4 {
            return self.append(net, now);
        }
        match self.index.get(&Who::Others) {
            Some(at) => *at as usize,
            None => self.append(Who::Others, now),
        }
    }

    fn append(&mut self, who: Who, now: Mono) -> usize {
        let at = self.rows.len();
        if at == self.rows.capacity() {
            // Exactly, in steps: doubling would take twice the memory that is promised.
            let most = self.capacity + self.capacity / 4 + 1;
            self.rows.reserve_exact((self.capacity / 16).max(16).min(most - at));
        }
        self.rows.push(Row::new(who, now, self.epoch));
        self.index.insert(who, at as u32);
        at
    }

    /// A stranger's row that has been quiet. For one that deserves it, any stranger's without wrong passwords will do.
    fn quiet_row(&mut self, now: Mono, looks: usize, any_stranger: bool) -> Option<usize> {
        for _ in 0..looks.min(self.rows.len()) {
            self.hand = (self.hand + 1) % self.rows.len();
            let row = &self.rows[self.hand];
            let stranger =
                matches!(row.who, Who::Ip(_)) && row.proven_until <= now && !row.facts.known && !row.facts.listed;
            let harmless = row.streak == 0;
            let quiet = now.since(row.heard) >= QUIET;
            if stranger && (harmless && (quiet || any_stranger) || now.since(row.heard) >= 60 * QUIET) {
                return Some(self.hand);
            }
        }
        None
    }
}

impl Row {
    fn new(who: Who, now: Mono, epoch: u32) -> Row {
        Row {
            who,
            tallies: Default::default(),
            streak: 0,
            heard: now,
            proven_until: Mono::START,
            verified: false,
            facts: Facts::default(),
            epoch: epoch.wrapping_sub(1),
            second: 0,
            in_second: 0,
            answers_in_second: 0,
            charged: [u32::MAX; CLASSES],
        }
    }

    fn standing(&self, now: Mono) -> Standing {
        let proven = self.proven_until > now || self.facts.known;
        Standing { proven, verified: self.verified, listed: self.facts.listed }
    }

    fn this_second(&mut self, now: Mono) {
        let second = seconds(now);
        if self.second != second {
            (self.second, self.in_second, self.answers_in_second) = (second, 0, 0);
        }
    }

    fn count(&mut self, class: Class, amount: u32, now: Mono, limits: &Limits) -> Option<Charge> {
        let Limit { most, within } = limits.of(class);
        let count = self.tallies[class as usize].add(amount, now, within);
        let most = most?;
        let limit = if self.standing(now).proven { most.saturating_mul(PROVEN_FACTOR) } else { most };
        let second = seconds(now);
        if count < limit || self.charged[class as usize] == second {
            return None;
        }
        self.charged[class as usize] = second;
        Some(Charge { who: self.who, class, count, limit, within })
    }
}

fn seconds(now: Mono) -> u32 {
    (now.micros() / 1_000_000) as u32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::policy::Policy;

    const STRANGER: fn() -> Facts = Facts::default;

    fn at(secs: u64) -> Mono {
        Mono::from_millis(secs * 1000)
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn limits(class: Class, most: u32, secs: u64) -> Limits {
        let mut limits = Policy::default().limits;
        limits.0[class as usize] = Limit { most: Some(most), within: Duration::from_secs(secs) };
        limits
    }

    #[test]
    fn a_source_is_charged_when_its_window_is_full_and_ten_times_later_when_proven() {
        let limits = limits(Class::Message, 100, 180);
        let mut sources = Sources::new(10, Seed([1; 4]));
        let mut hear = |ip: IpAddr, secs: u64| sources.hear(ip, at(secs), &limits, STRANGER).1;
        let one = ip("192.0.2.1");
        assert!((0..99).all(|_| hear(one, 1000).is_none()));
        let charge = hear(one, 1001).unwrap();
        assert_eq!((charge.who, charge.class, charge.count, charge.limit), (Who::Ip(one), Class::Message, 100, 100));
        assert!(hear(ip("192.0.2.2"), 1001).is_none(), "another address is another source");
        assert!(hear(one, 1001).is_none(), "once a second is enough");
        assert!(hear(one, 1002).is_some());

        let mut proven = Sources::new(10, Seed([1; 4]));
        proven.succeed(one, false, at(1000), &limits);
        assert!((0..999).all(|_| proven.hear(one, at(1000), &limits, STRANGER).1.is_none()));
        assert_eq!(proven.hear(one, at(1001), &limits, STRANGER).1.unwrap().limit, 1000);
    }

    #[test]
    fn sixty_messages_now_and_sixty_four_minutes_later_are_no_flood() {
        let limits = limits(Class::Message, 100, 180);
        let mut sources = Sources::new(10, Seed([1; 4]));
        let mut hear = |secs: u64| sources.hear(ip("192.0.2.1"), at(secs), &limits, STRANGER).1;
        assert!((0..60).chain(0..60).enumerate().all(|(n, _)| hear(if n < 60 { 1000 } else { 1240 }).is_none()));
        assert!((0..40).any(|_| hear(1241).is_some()), "a hundred within three minutes are");
    }

    #[test]
    fn an_answered_challenge_never_counts_and_ends_the_streak() {
        let limits = limits(Class::Unanswered, 25, 3600);
        let mut sources = Sources::new(10, Seed([1; 4]));
        let one = ip("192.0.2.1");
        for round in 0..1000 {
            assert!(sources.count(one, Class::Unanswered, at(round), &limits).is_none(), "{round}");
            assert!(sources.count(one, Class::Newcomer, at(round), &limits).is_none(), "{round}");
            sources.succeed(one, true, at(round), &limits);
        }
        for _ in 0..5 {
            sources.count(one, Class::WrongAuth, at(1000), &limits);
        }
        assert_eq!(sources.streak(one), 5);
        sources.succeed(one, true, at(1001), &limits);
        assert_eq!((sources.streak(one), sources.standing(one, at(1001)).proven), (0, true));
        assert!(!sources.standing(one, at(1001) + PROVEN_FOR).proven);
    }

    #[test]
    fn what_is_known_from_outside_is_asked_once_and_again_when_it_changed() {
        let limits = limits(Class::Message, 5, 180);
        let mut sources = Sources::new(10, Seed([1; 4]));
        let one = ip("192.0.2.1");
        let listed = || Facts { listed: true, known: false };
        assert!(sources.hear(one, at(1), &limits, listed).0.listed);
        assert!(sources.hear(one, at(1), &limits, STRANGER).0.listed, "not asked again");
        sources.reconsider();
        assert!(!sources.hear(one, at(1), &limits, STRANGER).0.listed);
    }

    #[test]
    fn challenges_to_a_stranger_are_capped_a_second() {
        let mut sources = Sources::new(10, Seed([1; 4]));
        let one = ip("192.0.2.1");
        let sent = |sources: &mut Sources, secs| (0..100).filter(|_| sources.may_challenge(one, at(secs), 5)).count();
        assert_eq!((sent(&mut sources, 1), sent(&mut sources, 2)), (5, 5));
        sources.succeed(one, true, at(3), &Policy::default().limits);
        assert_eq!(sent(&mut sources, 4), 50);
    }

    #[test]
    fn past_its_capacity_a_source_shares_its_networks_row_but_a_proven_one_has_its_own() {
        let limits = limits(Class::Message, 50, 180);
        let mut sources = Sources::new(8, Seed([1; 4]));
        for last in 0..8 {
            sources.hear(ip(&format!("192.0.2.{last}")), at(100), &limits, STRANGER);
        }
        let charges: Vec<Charge> = (0..60)
            .filter_map(|last| sources.hear(ip(&format!("198.51.100.{last}")), at(101), &limits, STRANGER).1)
            .collect();
        assert_eq!(charges[0].who, Who::Net("198.51.100.0/24".parse().unwrap()));
        for net in 0..60 {
            sources.hear(ip(&format!("10.0.{net}.1")), at(101), &limits, STRANGER);
        }
        assert_eq!(sources.len(), 8 + 2 + 1, "eight addresses, two networks, one row for all others");
        sources.succeed(ip("203.0.113.1"), false, at(102), &limits);
        assert!(sources.standing(ip("203.0.113.1"), at(102)).proven);
        assert_eq!(sources.len(), 8 + 2 + 1, "in the place of a stranger");
        sources.hear(ip("203.0.113.9"), at(200), &limits, STRANGER);
        assert!(sources.find(ip("203.0.113.9")).is_some(), "quiet strangers give way");
    }

    #[test]
    fn a_million_spoofed_sources_stay_below_the_promised_memory() {
        const CAPACITY: usize = 65_536;
        const { assert!(Sources::bytes_max(CAPACITY) < 40 << 20) };
        let limits = Policy::default().limits;
        let mut sources = Sources::new(CAPACITY, Seed([1; 4]));
        let friend = ip("203.0.113.7");
        sources.succeed(friend, false, at(0), &limits);
        for n in 0..1_000_000u32 {
            let spoofed = IpAddr::from(n.wrapping_mul(2_654_435_761).to_be_bytes());
            let now = Mono::from_millis(u64::from(n) * 60 / 1000);
            let (_, charge, _) = sources.hear(spoofed, now, &limits, STRANGER);
            assert!(charge.is_none_or(|charge| !matches!(charge.who, Who::Ip(_))), "{charge:?}");
        }
        let (rows, index) = (
            sources.rows.capacity() * size_of::<Row>(),
            sources.index.capacity() * 8 / 7 * (size_of::<(Who, u32)>() + 1),
        );
        assert!(rows + index <= Sources::bytes_max(CAPACITY), "{rows} + {index}");
        assert!(sources.standing(friend, at(60)).proven, "a friend keeps his row");
    }

    proptest! {
        /// Never more rows than promised, every row found under its name, and a proven source never forgotten.
        #[test]
        fn the_table_stays_bounded_and_whole(steps in prop::collection::vec((0u8..6, 0u16..600, 0u64..30), 1..400)) {
            let limits = limits(Class::Message, 20, 180);
            let mut sources = Sources::new(16, Seed([1; 4]));
            let friend = ip("203.0.113.7");
            sources.succeed(friend, false, at(0), &limits);
            let mut now = at(1);
            for (what, place, pause) in steps {
                now = now + Duration::from_secs(pause);
                let source = IpAddr::from([10, 0, (place / 20) as u8, (place % 20) as u8]);
                match what {
                    0 => drop(sources.count(source, Class::WrongAuth, now, &limits)),
                    1 => sources.verify(source, now),
                    2 => drop(sources.may_challenge(source, now, 3)),
                    3 => sources.forgive(Who::Ip(source)),
                    _ => drop(sources.hear(source, now, &limits, STRANGER)),
                }
                prop_assert!(sources.len() <= 16 + 4 + 1);
                prop_assert_eq!(sources.index.len(), sources.rows.len());
                prop_assert!(sources.index.iter().all(|(who, at)| sources.rows[*at as usize].who == *who));
                prop_assert!(sources.find(friend).is_some());
            }
        }
    }
}
