//! The stage of a story: the platform, its network, its people, and the verbs that stories are told in.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use clap::Parser;
use serde_json::Value;
use tollgate::config::Config;
use tollgate::platform::{Idle, Layout, Platform, Prepared, Stage};
use tollgate_actors::clock::Clock;
use tollgate_actors::edge::{Raw, Wires};
use tollgate_actors::ledger::IsDrained;
use tollgate_actors::observe::Observe;
use tollgate_actors::ops::outcome::{ProgressSink, Refused};
use tollgate_actors::ops::{Request, deck};
use tollgate_actors::placement::Front;
use tollgate_media::relay::Verdict;
use tollgate_types::{Mono, Seed, Transport, Wall};

use crate::agent::{Agent, Line, Manner, State};
use crate::message::Message;
use crate::network::{Network, flow, platform};

/// The platform's domain.
pub const DOMAIN: &str = "voip.test";
/// The longest jump of the clock.
pub const COARSE: Duration = Duration::from_secs(60);
/// How often those who talk are heard: before anybody is taken to be silent.
const BREATH: Duration = Duration::from_secs(4);
/// A deadline that so many ticks do not satisfy never will be.
const STUCK: u32 = 1000;
/// A Wednesday morning in winter, UTC.
pub const WEDNESDAY: &str = "2026-11-25T10:00:00Z";

/// Somebody of the story.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Who(pub usize);

/// Somebody's side of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Side {
    /// Whose.
    pub who: Who,
    /// Which of his lines.
    pub line: usize,
}

/// See the module.
pub struct House {
    platform: Option<Platform>,
    front: Front,
    network: Network,
    people: Vec<Agent>,
    clock: Clock,
    /// Packets of voice so far: their sequence numbers.
    spoken: u16,
}

#[derive(Parser)]
struct Typed {
    #[command(subcommand)]
    request: Request,
}

/// Tells a story that begins on [`WEDNESDAY`].
pub fn story(script: impl AsyncFnOnce(&mut House)) {
    story_at(WEDNESDAY, "", script);
}

/// Tells a story that begins then, on a platform with these lines of `[policy]`.
pub fn story_at(begins: &str, policy: &str, script: impl AsyncFnOnce(&mut House)) {
    // In memory where there is such a folder: durability is other tests' matter, and syncing a disk takes most of the time.
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a folder");
    let text = format!(
        "[server]\ndata_dir = {:?}\nsip_shards = 1\n[sip]\ndomain = \"{DOMAIN}\"\nudp = [\"{}\"]\ntcp = []\n\
         [media]\nbind = \"{}\"\nports = \"20000-59999\"\n[policy]\n{policy}\n",
        folder.path(),
        platform(),
        platform().ip()
    );
    let config = Config::from_text("story", &text, []).unwrap_or_else(|mistakes| panic!("{mistakes:?}"));
    let begins: Wall = wall(begins);
    // The clock is a second old when it is born.
    let clock = Clock::stepped(begins - Duration::from_secs(1));
    let network = Network::default();
    let (system, idle) = Idle::system().expect("a runtime");
    let stage = Stage {
        clock: clock.clone(),
        seed: Seed([7, 11, 13, 17]),
        wires: Wires::new(network.clone()),
        listeners: vec![(Transport::Udp, platform())],
        idle,
    };
    let prepared = Prepared::new(&config, Layout::OneThread(stage)).unwrap_or_else(|reason| panic!("{reason}"));
    system.block_on(async {
        let platform = Platform::open(&config, prepared).await.unwrap_or_else(|reason| panic!("{reason}"));
        let house = &platform.house;
        let front = Front::new(house.shards().clone(), house);
        let mut house = House { platform: Some(platform), front, network, people: Vec::new(), clock, spoken: 0 };
        house.exchange().await;
        script(&mut house).await;
        if let Some(platform) = house.platform.take() {
            platform.close().await;
        }
    });
}

/// A time as people write it.
pub fn wall(text: &str) -> Wall {
    Wall::from_utc(text.parse().expect("a time in RFC 3339"))
}

/// So many seconds.
pub fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// So many minutes.
pub fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(60 * minutes)
}

impl House {
    /// The platform itself.
    pub fn platform(&self) -> &Platform {
        self.platform.as_ref().expect("it is open until the story ends")
    }

    /// Now.
    pub fn now(&self) -> Mono {
        self.clock.mono()
    }

    // What operators do.

    /// A command as it is typed, without `tollgate`; quoted words may hold blanks.
    pub async fn ask(&mut self, words: &str) -> Value {
        self.try_ask(words).await.unwrap_or_else(|refused| panic!("{words}: {refused}"))
    }

    /// The same, where a refusal is expected.
    pub async fn try_ask(&mut self, words: &str) -> Result<Value, Refused> {
        let typed = std::iter::once("tollgate").chain(words.split_whitespace());
        let request = Typed::try_parse_from(typed).unwrap_or_else(|error| panic!("{words}: {error}")).request;
        self.request(request).await
    }

    async fn request(&mut self, request: Request) -> Result<Value, Refused> {
        self.books_are_written().await;
        let ops = self.platform().ops.clone();
        let asked = async move { ops.run(request, "cli:story", ProgressSink::none()).await };
        let answer = self.platform().runtime().spawn(asked).await.expect("a command does not panic");
        self.exchange().await;
        answer
    }

    /// What waits for company in the Ledger is written now.
    pub async fn books_are_written(&mut self) {
        let ledger = self.platform().house.ledger.addr.clone();
        while !ledger.send(IsDrained).await.expect("the ledger lives") {
            self.exchange().await;
        }
    }

    /// Imports a deck: a line each, `prefix,price_per_minute,first_increment,next_increment`.
    pub async fn deck(&mut self, name: &str, rows: &str) {
        self.deck_in(name, "UTC", rows).await;
    }

    /// The same, its bands in this zone.
    pub async fn deck_in(&mut self, name: &str, zone: &str, rows: &str) {
        let typed = ["tollgate", "deck", "import", name, "rows.csv", "--timezone", zone];
        let mut request = Typed::parse_from(typed).request;
        if let Request::Deck(deck::Deck::Import(import)) = &mut request {
            import.csv.text = format!("prefix,price_per_minute,first_increment,next_increment\n{rows}\n");
        }
        self.request(request).await.expect("a deck");
    }

    /// A user's money and limits, as `user show` tells them.
    pub async fn user(&mut self, name: &str) -> Value {
        self.ask(&format!("user show {name}")).await
    }

    /// A user's balance.
    pub async fn balance(&mut self, name: &str) -> String {
        self.user(name).await["balance"].as_str().expect("a balance").to_owned()
    }

    /// All records of calls, the newest first.
    pub async fn records(&mut self) -> Vec<Value> {
        let rows = self.ask("cdr list --limit 1000").await;
        rows.as_array().expect("a list").clone()
    }

    /// The newest record.
    pub async fn record(&mut self) -> Value {
        self.records().await.into_iter().next().expect("a record")
    }

    /// What people were told: kind, subject and severity.
    pub async fn alerts(&self) -> Vec<Value> {
        let alerter = self.platform().house.alerter.addr().expect("an alerter");
        let seen = alerter.send(Observe).await.expect("it lives");
        seen["alerts"].as_array().expect("a list").clone()
    }

    // People.

    /// A registered user with a phone; `terms` as `user add` takes them.
    pub async fn phone(&mut self, name: &str, terms: &str) -> Who {
        let who = self.somebody(name, Manner::Rings);
        self.ask(&format!("user add {name} --password secret-of-{name} {terms}")).await;
        self.person(who).register(3600);
        self.exchange().await;
        assert_eq!(self.person(who).register_status, 200, "{name} is registered");
        who
    }

    /// A carrier that takes every number; `terms` as `trunk add` takes them.
    pub async fn carrier(&mut self, name: &str, terms: &str) -> Who {
        let who = self.somebody(name, Manner::Answers);
        let address = self.person(who).address;
        self.ask(&format!("trunk add {name} --egress --address {address} {terms}")).await;
        self.ask(&format!("route add --prefix 49 --trunk {name}")).await;
        who
    }

    /// Somebody whom the platform does not know yet.
    pub fn somebody(&mut self, name: &str, manner: Manner) -> Who {
        let number = self.people.len() as u8 + 1;
        let address = SocketAddr::from(([203, 0, 113, number], 5060));
        let mut agent = Agent::new(name, address, format!("secret-of-{name}"), DOMAIN);
        agent.manner = manner;
        self.people.push(agent);
        Who(self.people.len() - 1)
    }

    /// Somebody, to be told something without anybody hearing of it yet; [`House::exchange`] carries it.
    pub fn person(&mut self, who: Who) -> &mut Agent {
        &mut self.people[who.0]
    }

    /// A side of a call.
    pub fn line(&self, side: Side) -> &Line {
        &self.people[side.who.0].lines[side.line]
    }

    /// How a side of a call stands.
    pub fn state(&self, side: Side) -> State {
        self.line(side).state
    }

    /// The last call that reached somebody or was begun by him.
    pub fn last_line(&self, who: Who) -> Side {
        let line = self.people[who.0].lines.len().checked_sub(1).expect("a call has reached him");
        Side { who, line }
    }

    // What people do.

    /// Somebody dials.
    pub async fn calls(&mut self, who: Who, number: &str) -> Side {
        let line = self.person(who).invite(number);
        self.exchange().await;
        Side { who, line }
    }

    /// A callee answers.
    pub async fn answers(&mut self, side: Side) {
        self.person(side.who).answer(side.line);
        self.exchange().await;
    }

    /// A side says BYE.
    pub async fn hangs_up(&mut self, side: Side) {
        self.person(side.who).hang_up(side.line);
        self.exchange().await;
    }

    /// A side puts the other on hold, or takes him back (`sendonly`, `sendrecv`).
    pub async fn offers(&mut self, side: Side, direction: &str) {
        self.person(side.who).offer(side.line, direction, None);
        self.exchange().await;
    }

    /// A side speaks once; what the relay made of it.
    pub fn speaks(&mut self, side: Side) -> Option<Verdict> {
        let line = self.line(side);
        let (to, from) = (line.voice_to?, line.ear);
        self.spoken = self.spoken.wrapping_add(1);
        let mut packet = speech(self.spoken, self.clock.mono());
        self.platform().bench().expect("one thread has a bench").arrive(to, from, &mut packet)
    }

    // Time.

    /// Carries what the platform and the people have to say to each other, until all are silent.
    pub async fn exchange(&mut self) {
        loop {
            self.platform().settle().await;
            let mut spoken = false;
            while let Some((to, bytes)) = self.network.take() {
                let Some(agent) = self.people.iter_mut().find(|agent| agent.address == to) else { continue };
                agent.hear(Message::read(&bytes));
            }
            for agent in &mut self.people {
                for bytes in agent.take_words() {
                    spoken = true;
                    self.front.deliver(vec![Raw { bytes: Bytes::from(bytes), flow: flow(agent.address) }]);
                }
            }
            if !spoken {
                return;
            }
        }
    }

    /// So much time passes, deadline by deadline; nobody speaks.
    pub async fn advance(&mut self, span: Duration) {
        let until = self.now() + span;
        let (mut at, mut turns) = (self.now(), 0);
        loop {
            self.exchange().await;
            let now = self.now();
            let due = self.platform().next_deadline().await.unwrap_or(Mono::NEVER);
            if now >= until && due > now {
                return;
            }
            turns = if at == now { turns + 1 } else { 0 };
            assert!(turns < STUCK, "a deadline at {due:?} is still there after {turns} ticks at {now:?}");
            at = now;
            self.platform().step_to(due.max(now).min(until).min(now + COARSE)).await;
        }
    }

    /// So much time passes while everybody in a call speaks.
    pub async fn talk(&mut self, span: Duration) {
        let until = self.now() + span;
        while self.now() < until {
            for who in 0..self.people.len() {
                for line in 0..self.people[who].lines.len() {
                    let side = Side { who: Who(who), line };
                    if self.state(side) == State::Up {
                        self.speaks(side);
                    }
                }
            }
            self.advance(until.since(self.now()).min(BREATH)).await;
        }
    }

    /// So much time passes while the platform hangs: the clock goes on, nobody is ticked.
    pub fn hang(&mut self, span: Duration) {
        self.clock.advance(span);
    }

    // What is left.

    /// Everything that is still held for anybody, one line each. Empty after the last call, once the last transaction has
    /// ended.
    pub async fn left_behind(&mut self) -> Vec<String> {
        // A ping to a carrier is remembered for some seconds, and they come once a minute.
        for _ in 0..2 {
            if self.held_now().await.is_empty() {
                break;
            }
            self.advance(secs(7)).await;
        }
        self.held_now().await
    }

    async fn held_now(&mut self) -> Vec<String> {
        self.books_are_written().await;
        let mut left = Vec::new();
        let mut note = |what: &str, count: u64| {
            if count > 0 {
                left.push(format!("{count} {what}"));
            }
        };
        let house = self.platform().house.clone();
        note("calls counted", house.load.calls());
        for shard in house.shards().all() {
            let seen = shard.send(Observe).await.expect("the shard lives");
            for what in ["calls", "waiting"] {
                note(what, seen[what].as_u64().unwrap_or(u64::MAX));
            }
            for what in ["invite_clients", "other_clients", "invite_servers", "other_servers", "timers"] {
                note(what, seen["transactions"][what].as_u64().unwrap_or(u64::MAX));
            }
        }
        let (calls, ports) = self.platform().bench().expect("one thread has a bench").open_now();
        note("calls with ports", calls as u64);
        note("ports", ports as u64);
        for trunk in house.directory.load_full().egresses() {
            note("lines of trunks", u64::from(house.trunks.health(trunk.id).in_use));
        }
        for person in self.people.iter().map(|agent| agent.name.clone()).collect::<Vec<_>>() {
            if let Ok(user) = self.try_ask(&format!("user show {person}")).await {
                if user["reserved"] != "0.000000" {
                    left.push(format!("{} reserved by {person}", user["reserved"]));
                }
                if user["lines_in_use"] != 0 {
                    left.push(format!("{} lines of {person}", user["lines_in_use"]));
                }
            }
        }
        left
    }
}

impl Drop for House {
    fn drop(&mut self) {
        // A story that failed: its runtime may not be dropped where something is awaited.
        if let Some(platform) = self.platform.take() {
            std::mem::forget(platform);
        }
    }
}

/// 20 ms of G.711.
fn speech(number: u16, now: Mono) -> Vec<u8> {
    let ticks = now.micros() / 125;
    let mut packet = vec![0x80, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7];
    packet[2..4].copy_from_slice(&number.to_be_bytes());
    packet[4..8].copy_from_slice(&(ticks as u32).to_be_bytes());
    packet.resize(172, 0xd5);
    packet
}
