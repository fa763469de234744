//! Two layers, a bad network between them, a stepped clock: every exchange ends, both tables drain, and the owners see what
//! happened exactly once.

use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;
use tollgate_types::{Flow, Mono, Seed, Transport};

use super::tests::{answer, flow, ours};
use super::*;
use crate::token::Tokens;
use crate::wire::{Message, Method};

const CLIENT: SentBy<'static> = SentBy("192.0.2.9:5060");

/// What is tried.
#[derive(Clone, Debug)]
struct Plan {
    seed: u64,
    method: Method,
    transport: Transport,
    /// Of a thousand packets, how many are lost and how many come twice.
    lost: u64,
    doubled: u64,
    /// The longest a packet takes, milliseconds: later ones overtake.
    delay_max: u64,
    /// When the server's owner says 180 and its final status, after the request came; never for `None`.
    rings: Option<u64>,
    answers: Option<(u64, u16)>,
    /// When the client's owner cancels, after it began.
    cancels: Option<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    Client,
    Server,
}

/// What is to happen.
#[derive(Debug)]
enum Happening {
    Packet(End, Bytes),
    Ring(ServerKey, Message),
    Answer(ServerKey, Message, u16),
    Cancel,
}

/// What the owners have seen.
#[derive(Debug, Default)]
struct Seen {
    requests: usize,
    cancelled: usize,
    acks: usize,
    acks_missing: usize,
    failures: usize,
    successes: usize,
    no_answer: usize,
    answered: Option<u16>,
}

struct World {
    plan: Plan,
    client: Layer,
    server: Layer,
    key: Option<ClientKey>,
    ack: Option<Bytes>,
    now: Mono,
    dice: Tokens,
    agenda: Vec<(Mono, u64, Happening)>,
    posted: u64,
    seen: Seen,
}

impl World {
    fn new(plan: Plan) -> World {
        let seed = |word| Seed([plan.seed, word, 3, 4]);
        World {
            client: Layer::new(Timers::default(), seed(1)),
            server: Layer::new(Timers::default(), seed(2)),
            dice: Tokens::new(seed(3), 0),
            key: None,
            ack: None,
            now: Mono::START,
            agenda: Vec::new(),
            posted: 0,
            seen: Seen::default(),
            plan,
        }
    }

    fn at(&mut self, after: u64, happening: Happening) {
        self.posted += 1;
        self.agenda.push((self.now + Duration::from_millis(after), self.posted, happening));
    }

    /// Puts a packet on the network, which may lose, double and delay it; a stream does none of that.
    fn post(&mut self, to: End, bytes: Bytes) {
        if self.plan.transport.is_reliable() {
            return self.at(20, Happening::Packet(to, bytes));
        }
        let copies = if self.dice.below(1000) < self.plan.lost { 0 } else { 1 };
        let copies = if self.dice.below(1000) < self.plan.doubled { copies + 1 } else { copies };
        for _ in 0..copies {
            let delay = self.dice.below(self.plan.delay_max + 1);
            self.at(delay, Happening::Packet(to, bytes.clone()));
        }
    }

    fn run(&mut self) {
        let (request, flow) = (ours(self.plan.method.clone(), 1), flow(self.plan.transport));
        let mut out = Vec::new();
        self.key = self.client.request(7, &request, flow, CLIENT, false, self.now, &mut out).ok();
        self.act(End::Client, out);
        if let Some(after) = self.plan.cancels {
            self.at(after, Happening::Cancel);
        }
        while let Some(next) = self.next() {
            assert!(next >= self.now && next < Mono::from_millis(3_000_000), "it ends: {:?}", self.plan);
            self.now = next;
            while let Some(due) = self.due() {
                self.happen(due);
            }
            for end in [End::Client, End::Server] {
                let mut out = Vec::new();
                self.layer(end).handle_timeout(next, &mut out);
                self.act(end, out);
            }
        }
    }

    fn next(&self) -> Option<Mono> {
        let agenda = self.agenda.iter().map(|(at, ..)| *at).min();
        let timers = [self.client.poll_timeout(), self.server.poll_timeout()];
        timers.into_iter().flatten().chain(agenda).min().map(|next| next.max(self.now))
    }

    fn due(&mut self) -> Option<Happening> {
        let first = (0..self.agenda.len()).min_by_key(|at| (self.agenda[*at].0, self.agenda[*at].1))?;
        (self.agenda[first].0 <= self.now).then(|| self.agenda.swap_remove(first).2)
    }

    fn layer(&mut self, end: End) -> &mut Layer {
        if end == End::Client { &mut self.client } else { &mut self.server }
    }

    fn happen(&mut self, happening: Happening) {
        let mut out = Vec::new();
        let now = self.now;
        let way = flow(self.plan.transport);
        match happening {
            Happening::Packet(to, bytes) => {
                self.layer(to).handle_message(Message::parse(bytes).unwrap(), way, now, &mut out);
                self.act(to, out);
            }
            Happening::Cancel => {
                let key = self.key.unwrap();
                self.client.cancel(key, None, now, &mut out);
                self.act(End::Client, out);
            }
            Happening::Ring(key, message) => {
                self.server.respond(key, answer(&message, &way, 180, "us"), 180, now, &mut out);
                self.act(End::Server, out);
            }
            Happening::Answer(key, message, status) => {
                if self.server.respond(key, answer(&message, &way, status, "us"), status, now, &mut out) {
                    assert_eq!(self.seen.answered.replace(status), None, "one final answer");
                }
                self.act(End::Server, out);
            }
        }
    }

    fn act(&mut self, end: End, actions: Vec<Action>) {
        let other = if end == End::Client { End::Server } else { End::Client };
        for action in actions {
            match action {
                Action::Send { bytes, .. } => self.post(other, bytes),
                Action::Request { key, message, .. } => {
                    self.seen.requests += 1;
                    if self.seen.requests > 1 {
                        continue;
                    }
                    if let Some(after) = self.plan.rings {
                        self.at(after, Happening::Ring(key, message.clone()));
                    }
                    if let Some((after, status)) = self.plan.answers {
                        self.at(after, Happening::Answer(key, message, status));
                    }
                }
                Action::Cancelled { key, message, .. } => {
                    self.seen.cancelled += 1;
                    // The owner has the INVITE; here it is made from the CANCEL.
                    let text = String::from_utf8(message.as_bytes().to_vec()).unwrap().replace("CANCEL", "INVITE");
                    let invite = Message::parse(Bytes::from(text)).unwrap();
                    self.at(0, Happening::Answer(key, invite, 487));
                }
                Action::Ack { server: Some(_), .. } => self.seen.acks += 1,
                // One that got through only after its transaction's end.
                Action::Ack { server: None, .. } => {}
                Action::AckMissing { .. } => self.seen.acks_missing += 1,
                Action::Response { message, .. } => match message.status() {
                    Some(..200) => {}
                    Some(200..300) => {
                        self.seen.successes += 1;
                        if message.cseq().method == Method::Invite {
                            self.acknowledge();
                        }
                    }
                    _ => self.seen.failures += 1,
                },
                Action::TimedOut { .. } => self.seen.no_answer += 1,
                Action::StrayResponse { .. } | Action::ServerGone { .. } => {}
                Action::Unreachable { .. } | Action::Overloaded { .. } => panic!("{action:?}"),
            }
        }
    }

    /// The owner's ACK: the same bytes for each repeated 2xx.
    fn acknowledge(&mut self) {
        let way: Flow = flow(self.plan.transport);
        let bytes = match &self.ack {
            Some(bytes) => bytes.clone(),
            None => self.client.send_bare(&ours(Method::Ack, 1), way, CLIENT, &mut Vec::new()),
        };
        self.ack = Some(bytes.clone());
        self.post(End::Server, bytes);
    }
}

fn plan() -> impl Strategy<Value = Plan> {
    let method = prop_oneof![3 => Just(Method::Invite), 1 => Just(Method::Bye)];
    let transport = prop_oneof![4 => Just(Transport::Udp), 1 => Just(Transport::Tcp)];
    let final_status = prop_oneof![Just(200u16), Just(200), Just(486), Just(302)];
    let answers = proptest::option::weighted(0.9, (prop_oneof![0u64..500, 0u64..40_000], final_status));
    let rings = proptest::option::of(0u64..3000);
    let cancels = proptest::option::weighted(0.4, prop_oneof![0u64..1000, 0u64..45_000]);
    let network = (prop_oneof![0u64..100, 0u64..700], 0u64..500, 0u64..2000);
    (any::<u64>(), method, transport, network, rings, answers, cancels).prop_map(
        |(seed, method, transport, (lost, doubled, delay_max), rings, answers, cancels)| {
            let invite = method == Method::Invite;
            // Who says 180 after his final answer is not who is tested here.
            let rings = rings.filter(|rings| invite && answers.is_none_or(|(answers, _)| *rings < answers));
            Plan {
                seed,
                method,
                transport,
                lost,
                doubled,
                delay_max,
                rings,
                answers,
                cancels: cancels.filter(|_| invite),
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn every_exchange_ends_and_is_seen_once(plan in plan()) {
        let mut world = World::new(plan);
        world.run();
        let World { plan, seen, client, server, .. } = &world;
        prop_assert!(client.is_drained() && server.is_drained(), "{:?} {:?}", client.stats(), server.stats());
        prop_assert!(seen.cancelled <= 1);
        // Where no answer came through in 64 × T1, the last repetition may arrive when timer J or L has just ended.
        prop_assert!(seen.requests <= 1 + seen.no_answer, "{:?}", seen);
        let invite = plan.method == Method::Invite;
        let success = usize::from(seen.successes > 0);
        // Exactly one end: a 2xx, or one failure, or nothing at all came.
        prop_assert_eq!(success + seen.failures + seen.no_answer, 1, "{:?} {:?}", seen, plan);
        if !invite {
            prop_assert!(seen.successes <= 1);
        }
        // A 2xx that was sent was acknowledged, or its owner was told that it was not.
        if invite && seen.answered == Some(200) {
            prop_assert_eq!(usize::from(seen.acks > 0) + seen.acks_missing, 1, "{:?} {:?}", seen, plan);
        } else {
            prop_assert_eq!(seen.acks + seen.acks_missing, 0);
        }
        // Where little is lost, everything comes through: a dozen repetitions are enough.
        let fair = plan.transport.is_reliable() || plan.lost < 100;
        let prompt = plan.answers.is_some_and(|(after, _)| after < 500) && plan.cancels.is_none();
        if fair && prompt {
            prop_assert_eq!((seen.requests, seen.no_answer, seen.acks_missing), (1, 0, 0), "{:?} {:?}", seen, plan);
        }
    }
}
