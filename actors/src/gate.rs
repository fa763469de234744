//! The gate as edges and shards see it: one question before a message is parsed, one word for each thing worth counting.
//!
//! Nothing here waits and nothing here judges. A full counter goes to the [`Gatekeeper`](crate::gatekeeper::Gatekeeper), who
//! alone writes the ban table.

mod notes;

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use actix::Addr;
use arc_swap::ArcSwap;
use parking_lot::{Mutex, RwLock};
use tollgate_guard::attack::{AttackMode, Turn};
use tollgate_guard::ban::{Ban, BanTable, Verdict};
use tollgate_guard::probes::Probes;
use tollgate_guard::sentence::Accused;
use tollgate_guard::sources::{Charge, Facts, Standing};
use tollgate_guard::window::Windows;
use tollgate_guard::{Firewall, Level, Policy, Seen, Sources, Unheard};
use tollgate_routing::Directory;
use tollgate_sip::wire::{Message, Method, Name};
use tollgate_types::{Flow, Mono, Seed, Transport, UserId, Wall};

use crate::clock::Clock;
use crate::gatekeeper::{Gatekeeper, News};
use crate::residents::Residents;

pub use notes::Note;

/// Bans kept at most.
pub const BANS_MAX: usize = 100_000;
/// Source addresses with a row of their own; with networks and index below 40 MB.
const SOURCES_MAX: usize = 65_536;
/// The table's parts, so that threads rarely wait for each other.
const PARTS: usize = 16;
/// Ports and users that are counted; past it the address alone is.
const PORTS_MAX: usize = 65_536;
/// Sources whose probing is remembered.
const PROBERS_MAX: usize = 8192;

/// See the module.
pub struct Gate {
    clock: Clock,
    seed: Seed,
    policy: ArcSwap<Policy>,
    firewall: ArcSwap<Firewall>,
    bans: RwLock<BanTable>,
    sources: Vec<Mutex<Sources>>,
    suspects: Mutex<Suspects>,
    /// Who is registered where.
    pub residents: Residents,
    trunks: ArcSwap<Trunks>,
    attack: AtomicBool,
    load_percent: AtomicU64,
    unheard: [AtomicU64; 7],
    keeper: OnceLock<Addr<Gatekeeper>>,
}

/// Counters that only parsed messages touch.
struct Suspects {
    probes: Probes,
    ports: Windows<SocketAddr>,
    users: Windows<(UserId, IpAddr)>,
    attack: AttackMode,
}

/// Who is listed, and how many there are to serve.
#[derive(Default)]
struct Trunks {
    directory: Option<Arc<Directory>>,
    /// Sorted.
    egress: Vec<IpAddr>,
    users: u64,
}

impl Gate {
    /// Open to everybody who keeps to `policy`.
    pub fn new(policy: Policy, clock: Clock, seed: Seed) -> Gate {
        let suspects = Suspects {
            probes: Probes::new(PROBERS_MAX, seed.child(1)),
            ports: Windows::new(policy.auth_within, PORTS_MAX, seed.child(2)),
            users: Windows::new(policy.auth_within, PORTS_MAX, seed.child(3)),
            attack: AttackMode::default(),
        };
        let part = |number: u64| Mutex::new(Sources::new(SOURCES_MAX / PARTS, seed.child(100 + number)));
        Gate {
            clock,
            seed,
            policy: ArcSwap::from_pointee(policy),
            firewall: ArcSwap::default(),
            bans: RwLock::new(BanTable::new(BANS_MAX, seed.child(4))),
            sources: (0..PARTS as u64).map(part).collect(),
            suspects: Mutex::new(suspects),
            residents: Residents::new(seed.child(5)),
            trunks: ArcSwap::default(),
            attack: AtomicBool::new(false),
            load_percent: AtomicU64::new(0),
            unheard: Default::default(),
            keeper: OnceLock::new(),
        }
    }

    /// Who judges, once.
    pub fn move_in(&self, keeper: Addr<Gatekeeper>) {
        assert!(self.keeper.set(keeper).is_ok(), "a gate has one keeper");
    }

    /// Who judges; nobody where no server runs.
    pub fn keeper(&self) -> Option<&Addr<Gatekeeper>> {
        self.keeper.get()
    }

    /// Is this message heard? Asked for every datagram and every message of a stream, before it is parsed; counts it.
    pub fn hears(&self, flow: &Flow, bytes: &[u8]) -> bool {
        let policy = self.policy.load();
        if policy.level == Level::Off {
            return true;
        }
        let (ip, now, wall) = (flow.peer.ip().to_canonical(), self.clock.mono(), self.clock.wall());
        let mut part = self.part(ip).lock();
        let (standing, charge, in_second) = part.hear(ip, now, &policy.limits, || self.facts(ip, wall));
        if flow.transport.is_reliable() && !standing.verified {
            part.verify(ip, now);
        }
        drop(part);
        if let Some(charge) = charge {
            self.accuse_counter(flow, charge, standing);
        }
        let known = standing.proven || standing.listed;
        let seen = Seen {
            outside_whitelist: !policy.whitelist.is_empty() && !policy.whitelist.iter().any(|net| net.has(ip)),
            rule: self.rule(ip, flow, wall),
            banned: self.bans.read().judge(flow.peer, wall) == Verdict::Drop,
            known,
            attack: self.attack.load(Ordering::Relaxed),
            over_rate: in_second > policy.stranger_messages_per_second,
            registers: bytes.starts_with(b"REGISTER "),
        };
        match policy.level.judge(&seen) {
            Ok(()) => true,
            Err(why) => {
                if why == Unheard::Attack {
                    self.count_stranger(now);
                }
                self.drop_for(why);
                false
            }
        }
    }

    /// May somebody at this address connect? The finer questions come with each message.
    pub fn admits(&self, peer: SocketAddr, local: SocketAddr) -> bool {
        let policy = self.policy.load();
        let (ip, wall) = (peer.ip().to_canonical(), self.clock.wall());
        let flow = Flow { transport: Transport::Tcp, local, peer, conn: Default::default() };
        let seen = Seen {
            outside_whitelist: !policy.whitelist.is_empty() && !policy.whitelist.iter().any(|net| net.has(ip)),
            rule: self.rule(ip, &flow, wall),
            banned: self.bans.read().judge(peer, wall) == Verdict::Drop,
            known: true,
            ..Seen::default()
        };
        policy.level.judge(&seen).map_err(|why| self.drop_for(why)).is_ok()
    }

    /// Does the ban table stand against it? For connections that are open already.
    pub fn is_banned(&self, peer: SocketAddr) -> bool {
        self.policy.load().level >= Level::Bans && self.bans.read().judge(peer, self.clock.wall()) == Verdict::Drop
    }

    /// Is the user shut out at this address? A device of his that is registered there is not meant by it.
    pub fn is_user_banned(&self, user: UserId, ip: IpAddr) -> bool {
        self.policy.load().level >= Level::Bans
            && self.bans.read().judge_user(user, ip, self.clock.wall()) == Verdict::Drop
            && !self.residents.lives_at(user, ip.to_canonical())
    }

    /// Does the message's own word for its sender let it in? The allow list asks it of requests that begin something;
    /// acknowledgements, answers and requests within a dialog mostly say nothing about it.
    pub fn heeds(&self, message: &Message, flow: &Flow) -> bool {
        let policy = self.policy.load();
        if policy.level < Level::Agents || policy.agents.is_empty() {
            return true;
        }
        let agent = message.header(Name::UserAgent).or_else(|| message.header(Name::Server));
        let begins = message.method().is_some_and(|method| !matches!(method, Method::Ack | Method::Cancel))
            && message.to().tag().is_none();
        let heeded = match begins {
            true => policy.agents.serve(agent),
            false => !policy.agents.blocks(agent),
        };
        if !heeded {
            self.drop_for(Unheard::Agent);
            self.note(flow, Note::Wrong);
        }
        heeded
    }

    /// The same for peers that no password proves (`alloweua`, `blockeua`).
    pub fn takes_unproven(&self, message: &Message) -> bool {
        let policy = self.policy.load();
        policy.level < Level::Agents || policy.unproven_agents.serve(message.header(Name::UserAgent))
    }

    /// How the source stands.
    pub fn standing(&self, ip: IpAddr) -> Standing {
        let ip = ip.to_canonical();
        self.part(ip).lock().standing(ip, self.clock.mono())
    }

    /// Has the source shown that it receives what is sent to its address? Answers to others may not grow.
    pub fn is_verified(&self, flow: &Flow) -> bool {
        let standing = || self.standing(flow.peer.ip());
        flow.transport.is_reliable() || {
            let standing = standing();
            standing.verified || standing.proven || standing.listed
        }
    }

    /// May one more challenge go there this second?
    pub fn may_challenge(&self, flow: &Flow) -> bool {
        let policy = self.policy.load();
        if policy.level < Level::Bans || flow.transport.is_reliable() {
            return true;
        }
        let ip = flow.peer.ip().to_canonical();
        self.part(ip).lock().may_challenge(ip, self.clock.mono(), policy.challenges_per_second)
    }

    /// The settings changed.
    pub fn tune(&self, policy: Policy) {
        let mut suspects = self.suspects.lock();
        if policy.auth_within != self.policy.load().auth_within {
            suspects.ports = Windows::new(policy.auth_within, PORTS_MAX, self.seed.child(2));
            suspects.users = Windows::new(policy.auth_within, PORTS_MAX, self.seed.child(3));
        }
        self.policy.store(Arc::new(policy));
    }

    /// Trunks or users changed.
    pub fn learn(&self, directory: &Arc<Directory>) {
        let mut egress: Vec<IpAddr> = directory
            .egresses()
            .filter_map(|trunk| trunk.uri.host.parse().ok())
            .map(|ip: IpAddr| ip.to_canonical())
            .collect();
        egress.sort_unstable();
        let users = directory.user_count() as u64;
        self.trunks.store(Arc::new(Trunks { directory: Some(directory.clone()), egress, users }));
        self.reconsider();
    }

    /// The rules changed.
    pub fn rewrite(&self, rules: Vec<tollgate_guard::firewall::Rule>) {
        self.firewall.store(Arc::new(Firewall::new(rules, &self.firewall.load())));
    }

    /// The rules in force.
    pub fn firewall(&self) -> Arc<Firewall> {
        self.firewall.load_full()
    }

    /// What the settings say.
    pub fn policy(&self) -> Arc<Policy> {
        self.policy.load_full()
    }

    /// Bans in force, newest first.
    pub fn bans(&self) -> Vec<Ban> {
        self.bans.read().list(self.clock.wall()).into_iter().cloned().collect()
    }

    /// The ban table, for its one writer.
    pub(crate) fn table(&self) -> &RwLock<BanTable> {
        &self.bans
    }

    /// Is the address a trunk's?
    pub fn is_listed(&self, ip: IpAddr) -> bool {
        let trunks = self.trunks.load();
        trunks.egress.binary_search(&ip).is_ok()
            || trunks.directory.as_ref().is_some_and(|known| known.ingresses().knows(ip))
    }

    /// Every address that somebody served depends on: trunks' own and those with registered devices.
    pub fn depended_on(&self) -> Vec<IpAddr> {
        let mut all = self.residents.addresses();
        all.extend(self.trunks.load().egress.iter().copied());
        all
    }

    /// Is the platform under attack?
    pub fn is_under_attack(&self) -> bool {
        self.attack.load(Ordering::Relaxed)
    }

    /// How loaded the platform is, in per cent.
    pub fn set_load(&self, percent: u64) {
        self.load_percent.store(percent, Ordering::Relaxed);
    }

    /// Known peers are looked up anew.
    pub fn reconsider(&self) {
        self.sources.iter().for_each(|part| part.lock().reconsider());
    }

    /// Everything counted of what the ban meant is forgotten.
    pub(crate) fn forgive(&self, ban: &Ban) {
        use tollgate_guard::Scope;
        use tollgate_guard::sources::Who;
        match ban.scope {
            Scope::Ip(ip) => {
                self.part(ip).lock().forgive(Who::Ip(ip));
                self.suspects.lock().probes.forgive(ip);
            }
            Scope::Net(net) => self.sources.iter().for_each(|part| part.lock().forgive(Who::Net(net))),
            Scope::Port(peer) => self.suspects.lock().ports.forget(&peer),
            Scope::UserAt(user, ip) => self.suspects.lock().users.forget(&(user, ip)),
        }
    }

    /// Now and then: is an attack over, and which counters are empty?
    pub(crate) fn look_after(&self, now: Mono) -> Option<Turn> {
        let limit = self.policy.load().attack_at(self.trunks.load().users);
        let mut suspects = self.suspects.lock();
        suspects.ports.sweep(now);
        suspects.users.sweep(now);
        let turn = suspects.attack.look(now, limit);
        self.attack.store(suspects.attack.is_on(), Ordering::Relaxed);
        turn
    }

    /// What was not heard, by reason.
    pub fn unheard(&self) -> impl Iterator<Item = (&'static str, u64)> {
        UNHEARD.iter().map(|why| (why.id(), self.unheard[*why as usize].load(Ordering::Relaxed)))
    }

    /// Rows of the source table in use.
    pub fn sources(&self) -> usize {
        self.sources.iter().map(|part| part.lock().len()).sum()
    }

    fn part(&self, ip: IpAddr) -> &Mutex<Sources> {
        &self.sources[self.seed.hasher().hash_one(ip) as usize % PARTS]
    }

    fn facts(&self, ip: IpAddr, wall: Wall) -> Facts {
        Facts { known: self.residents.is_known(ip, wall), listed: self.is_listed(ip) }
    }

    fn rule(&self, ip: IpAddr, flow: &Flow, wall: Wall) -> Option<bool> {
        let firewall = self.firewall.load();
        if firewall.rules().is_empty() { None } else { firewall.judge(ip, flow.local, flow.transport, wall) }
    }

    fn drop_for(&self, why: Unheard) {
        self.unheard[why as usize].fetch_add(1, Ordering::Relaxed);
    }

    fn count_stranger(&self, now: Mono) {
        let limit = self.policy.load().attack_at(self.trunks.load().users);
        let mut suspects = self.suspects.lock();
        let turn = suspects.attack.count(now, limit);
        self.attack.store(suspects.attack.is_on(), Ordering::Relaxed);
        drop(suspects);
        if let Some(turn) = turn {
            self.tell(News::Attack(turn));
        }
    }

    fn accuse_counter(&self, flow: &Flow, charge: Charge, standing: Standing) {
        let offence = tollgate_guard::sentence::Offence::Counter(charge);
        let ip = flow.peer.ip().to_canonical();
        let undeniable = flow.transport.is_reliable() || standing.verified && !standing.proven;
        let accused = Accused { standing, devices: self.residents.devices(ip), undeniable };
        self.tell(News::Accused(offence, accused));
    }

    fn tell(&self, news: News) {
        let told = self.keeper.get().map(|keeper| keeper.try_send(news));
        if told.is_some_and(|told| told.is_err()) {
            metrics::counter!("tollgate_mailbox_full_total", "of" => "gatekeeper").increment(1);
        }
    }
}

const UNHEARD: [Unheard; 7] = [
    Unheard::Whitelist,
    Unheard::Firewall,
    Unheard::Ban,
    Unheard::Attack,
    Unheard::Throttled,
    Unheard::Stranger,
    Unheard::Agent,
];
