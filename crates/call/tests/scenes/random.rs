//! Whatever happens in whatever order: the call ends, ports are closed, every hold is settled once, every question answered once.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use tollgate_billing::cdr::Cause;
use tollgate_billing::ledger::{Outcome, What};
use tollgate_call::{Client, Event};
use tollgate_media::Leg as Side;
use tollgate_sip::transaction::ServerKey;
use tollgate_sip::wire::{Message, Name};
use tollgate_types::{CallId, Rule};

use crate::house::*;

#[derive(Clone, Debug)]
enum Step {
    Deliver(u8),
    Lose(u8),
    Respond { which: u8, status: u8, sdp: bool, reliable: bool },
    Fail { which: u8, unreachable: bool },
    Cancel,
    Ack { sdp: bool },
    Caller { method: u8, sdp: u8 },
    Callee { which: u8, method: u8, sdp: u8 },
    Pass(u16),
    News(u8),
    Ledger(u8),
}

const STATUSES: [u16; 20] =
    [100, 180, 183, 183, 180, 200, 200, 200, 200, 202, 302, 401, 404, 422, 480, 481, 486, 491, 503, 603];
const METHODS: [&str; 11] =
    ["BYE", "INVITE", "INVITE", "UPDATE", "INFO", "OPTIONS", "REFER", "PRACK", "MESSAGE", "NOTIFY", "FETCH"];

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => any::<u8>().prop_map(|n| Step::Deliver(n / 64)),
        1 => any::<u8>().prop_map(Step::Lose),
        8 => (any::<u8>(), 0..20u8, any::<bool>(), any::<bool>())
            .prop_map(|(which, status, sdp, reliable)| Step::Respond { which, status, sdp, reliable }),
        1 => (any::<u8>(), any::<bool>()).prop_map(|(which, unreachable)| Step::Fail { which, unreachable }),
        1 => Just(Step::Cancel),
        3 => any::<bool>().prop_map(|sdp| Step::Ack { sdp }),
        3 => (0..11u8, any::<u8>()).prop_map(|(method, sdp)| Step::Caller { method, sdp }),
        3 => (any::<u8>(), 0..11u8, any::<u8>()).prop_map(|(which, method, sdp)| Step::Callee { which, method, sdp }),
        3 => any::<u16>().prop_map(Step::Pass),
        1 => any::<u8>().prop_map(Step::News),
        1 => any::<u8>().prop_map(Step::Ledger),
    ]
}

struct Play {
    house: House,
    alice: Ua,
    callees: BTreeMap<Client, Ua>,
    /// Requests of ours with their final answer.
    finished: Vec<Client>,
    keys: Vec<ServerKey>,
    invite: ServerKey,
    invite_final: bool,
    rseq: u32,
}

impl Play {
    fn new(trunks: bool, offer: bool, rel100: bool, paid: bool, far: u8) -> Play {
        Play::numbered(CALL, trunks, offer, rel100, paid, far)
    }

    fn numbered(id: CallId, trunks: bool, offer: bool, rel100: bool, paid: bool, far: u8) -> Play {
        let way = if trunks {
            Way::Trunks(vec![("one", vec!["203.0.113.1:5060", "203.0.113.2:5060"]), ("two", vec!["203.0.113.3:5060"])])
        } else {
            Way::User("bob", vec!["203.0.113.1:5060", "203.0.113.2:5060"])
        };
        let mut house = House::numbered(id, way, policy(), user("alice", 1));
        house.ways.extend([
            Way::User("carol", vec!["203.0.113.4:5060"]),
            Way::Trunks(vec![("three", vec!["203.0.113.5:5060"])]),
            Way::Refuse(Rule::Credit),
        ]);
        if paid {
            house.ledger = Ledger::Pays { min: 10, slice: 20, total: 200 };
        }
        // How far the call has come before chance takes over; 0 leaves even that to chance.
        house.prompt = far > 0;
        let mut alice = Ua::new("alice", "198.51.100.1:5060");
        alice.call_id = format!("call-{id}");
        if !offer {
            alice.sdp = None;
        }
        if rel100 {
            alice.headers.push_str("Supported: 100rel, timer\r\n");
        }
        let invite = house.invite(&mut alice);
        let finished = vec![];
        let keys = vec![invite];
        let mut play =
            Play { house, alice, callees: BTreeMap::new(), finished, keys, invite, invite_final: false, rseq: 10 };
        if far > 1 {
            play.respond(0, 1, false, false);
        }
        if far > 2 {
            play.respond(0, 5, true, false);
            play.take(&Step::Ack { sdp: !offer });
        }
        if far == 4 {
            play.house.prompt = false;
        }
        play
    }

    fn learn(&mut self) {
        let answer = self.house.answers.iter().rev().find(|(key, status, _)| *key == self.invite && *status > 100);
        if let Some((_, status, answer)) = answer {
            self.invite_final = *status >= 200;
            self.alice.learn(&answer.clone());
        }
    }

    fn open(&self, which: u8) -> Option<(Client, Message, String)> {
        let open: Vec<_> = self.house.sent.iter().filter(|(client, ..)| !self.finished.contains(client)).collect();
        let (client, flow, message) = open.get(usize::from(which) % open.len().max(1))?;
        Some((*client, message.clone(), flow.peer.to_string()))
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Deliver(n) => {
                let index = usize::from(*n);
                if let Some(event) = self.house.inbox.remove(index.min(self.house.inbox.len().saturating_sub(1))) {
                    self.house.tell(event);
                }
            }
            Step::Lose(n) => {
                // The answer to a settlement is never lost: the shell repeats it until it has one.
                let index = usize::from(*n) % 8;
                let kept = |event: &Event| {
                    matches!(event, Event::Ledger { outcome: Outcome::Impossible(_) | Outcome::Settled(_), .. })
                };
                if self.house.inbox.get(index).is_some_and(|event| !kept(event)) {
                    self.house.inbox.remove(index);
                }
            }
            Step::Respond { which, status, sdp, reliable } => self.respond(*which, *status, *sdp, *reliable),
            Step::Fail { which, unreachable } => {
                if let Some((client, ..)) = self.open(*which) {
                    self.finished.push(client);
                    self.house.tell(if *unreachable {
                        Event::Unreachable { client }
                    } else {
                        Event::TimedOut { client }
                    });
                }
            }
            Step::Cancel => {
                let message = self.alice.request("CANCEL", "", None);
                self.house.tell(Event::Cancelled { key: self.invite, message });
            }
            Step::Ack { sdp } => {
                self.learn();
                let body = sdp.then(|| crate::house::sdp("198.51.100.1", 40_000));
                let message = self.alice.ack(body.as_deref());
                self.house.tell(Event::Ack { message, flow: self.alice.flow() });
            }
            Step::Caller { method, sdp } => {
                self.learn();
                let mut alice = self.alice.clone();
                if !alice.their_tag.is_empty() {
                    self.ask(&mut alice, *method, *sdp);
                    self.alice = alice;
                }
            }
            Step::Callee { which, method, sdp } => {
                let known: Vec<Client> = self.callees.keys().copied().collect();
                if let Some(client) = known.get(usize::from(*which) % known.len().max(1)) {
                    let mut callee = self.callees[client].clone();
                    self.ask(&mut callee, *method, *sdp);
                    self.callees.insert(*client, callee);
                }
            }
            Step::Pass(ms) => self.house.pass(Duration::from_millis(u64::from(*ms))),
            Step::News(n) => self.news(*n),
            Step::Ledger(n) => {
                self.house.ledger = match n % 5 {
                    0 => Ledger::Away,
                    1 => Ledger::Mute,
                    2 => Ledger::Refuses,
                    _ if matches!(self.house.ledger, Ledger::Free) => Ledger::Free,
                    _ => Ledger::Pays { min: 10, slice: 20, total: 200 },
                };
            }
        }
    }

    fn respond(&mut self, which: u8, status: u8, with_sdp: bool, reliable: bool) {
        let Some((client, request, address)) = self.open(which) else { return };
        let status = STATUSES[usize::from(status)];
        let is_invite = request.cseq().method.as_str() == "INVITE";
        if !is_invite && status < 200 {
            return;
        }
        let name = format!("peer{}", client.0);
        let mut ua = self.callees.get(&client).cloned().unwrap_or_else(|| Ua::new(&name, &address));
        if let Some(tag) = request.to().tag() {
            ua.own_tag = tag.into();
        }
        let body = (with_sdp && is_invite && status < 300).then(|| sdp("203.0.113.1", 40_000 + client.0 as u16 * 2));
        self.rseq += 1;
        let extra = match (reliable, status) {
            (true, 180 | 183) => format!("Require: 100rel\r\nRSeq: {}\r\n", self.rseq),
            (_, 302) => "Contact: <sip:carol@example.com>\r\n".into(),
            (_, 422) => "Min-SE: 3600\r\n".into(),
            _ => String::new(),
        };
        let message = ua.response(&request, status, &extra, body.as_deref());
        // A 2xx to INVITE may come again; another final may not.
        if status >= 300 || (status >= 200 && (!is_invite || reliable)) {
            self.finished.push(client);
        }
        if is_invite && status > 100 && request.to().tag().is_none() {
            self.callees.insert(client, ua.clone());
        }
        self.house.tell(Event::Response { client, message, flow: ua.flow() });
    }

    fn ask(&mut self, ua: &mut Ua, method: u8, n: u8) {
        let method = METHODS[usize::from(method)];
        let body = (n.is_multiple_of(2))
            .then(|| sdp(ua.address.split(':').next().unwrap_or_default(), 41_000 + u16::from(n) * 2));
        let rack =
            self.house.answers.iter().rev().find_map(|(_, _, message)| message.header(Name::RSeq).map(str::to_owned));
        let (extra, body) = match method {
            "REFER" if n.is_multiple_of(3) => {
                ("Refer-To: <sip:carol@example.com?Replaces=x%3Bto-tag%3D1%3Bfrom-tag%3D2>\r\n".to_owned(), None)
            }
            "REFER" => ("Refer-To: <sip:carol@example.com>\r\n".to_owned(), None),
            "PRACK" => (format!("RAck: {} 1 INVITE\r\n", rack.unwrap_or("1".into())), None),
            "INVITE" | "UPDATE" => (String::new(), body),
            _ => (String::new(), None),
        };
        let request = ua.request(method, &extra, body.as_deref());
        let key = self.house.request(ua, request);
        self.keys.push(key);
        if n.is_multiple_of(4) && method == "INVITE" {
            let message = ua.ack(None);
            self.house.tell(Event::Ack { message, flow: ua.flow() });
        }
    }

    fn news(&mut self, n: u8) {
        let event = match n % 8 {
            0 => Event::MediaSilent { side: Side::A, on_hold: false, patience: secs(60) },
            1 => Event::MediaSilent { side: Side::B, on_hold: true, patience: secs(3600) },
            2 => Event::Funds,
            3 => Event::HangUp { cause: Cause::AdminHangup },
            4 => Event::AckMissing { key: self.invite },
            5 => Event::MediaReady { ports: None },
            _ => match self.house.finds.pop() {
                Some((query, _)) => Event::Found { query, handover: None },
                None => Event::Funds,
            },
        };
        self.house.tell(event);
    }

    /// Everybody falls silent; the call must end by itself.
    fn end(&mut self) {
        self.house.tell(Event::HangUp { cause: Cause::Shutdown });
        for _ in 0..4 {
            while let Some(event) = self.house.inbox.pop_front() {
                self.house.tell(event);
            }
            self.house.pass(secs(20));
        }
    }

    fn check(&self) {
        let house = &self.house;
        assert_eq!(house.done, 1, "the call ends");
        for key in &self.keys {
            let finals = house.statuses(*key).into_iter().filter(|status| *status >= 200).count();
            assert_eq!(finals, 1, "every request is answered once: {:?}", house.statuses(*key));
        }
        let mut holds: BTreeMap<(CallId, u8), u32> = BTreeMap::new();
        let mut last = BTreeMap::new();
        for ask in &house.asks {
            let leg = (ask.key.call, ask.key.paid_leg);
            let before = last.insert(leg, ask.key.sequence);
            assert!(before.is_none_or(|before| before < ask.key.sequence), "asks of a leg count upwards");
            let closed = holds.entry(leg).or_default();
            match &ask.what {
                What::Hold(_) => assert_eq!(before, None, "{leg:?} is held first, and once"),
                What::Settle(_) => *closed += 1,
                What::Record(_) if *closed == 0 => *closed += 1,
                // The settlement found no hold.
                What::Record(_) => {}
                _ => assert_eq!(*closed, 0, "nothing is asked after the settlement"),
            }
        }
        for (leg, closed) in holds {
            assert_eq!(closed, 1, "{leg:?} settled or recorded once");
            let records = house.records.iter().filter(|cdr| (cdr.call_id, cdr.paid_leg) == leg).count();
            assert_eq!(records, 1, "{leg:?} leaves one record");
        }
        for cdr in &house.records {
            let granted = house.granted.get(&(cdr.call_id, cdr.paid_leg)).copied().unwrap_or(u64::MAX);
            assert!(cdr.talk_ms <= granted, "talk beyond what is paid");
        }
        let opened = house.media.iter().any(|order| order.starts_with("allocate"));
        assert_eq!(house.media.iter().filter(|order| *order == "close").count(), usize::from(opened));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 800, max_shrink_iters: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_order_of_things_ends_in_order(
        trunks: bool,
        offer in prop::bool::weighted(0.8),
        rel100: bool,
        paid: bool,
        far in 0..6u8,
        steps in prop::collection::vec(step(), 0..60),
    ) {
        let mut play = Play::new(trunks, offer, rel100, paid, far);
        for step in &steps {
            play.take(step);
        }
        play.end();
        play.check();
    }
}

/// What two calls do to each other: one gives its party to the other at a random moment, or comes too late for it.
fn exchange(first: &mut Play, second: &mut Play, late: bool) {
    let Some((query, dialog)) = first.house.finds.pop() else { return };
    second.house.tell(Event::Surrender { to: CALL, query, dialog });
    // One ledger stands behind both.
    first.house.granted.extend(second.house.granted.clone());
    if late {
        first.house.pass(secs(6));
    }
    for (_, query, handover) in std::mem::take(&mut second.house.handed) {
        first.house.tell(Event::Found { query, handover });
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn money_that_moves_between_calls_is_settled_once(
        paid: bool,
        late: bool,
        before in prop::collection::vec(step(), 0..6),
        between in prop::collection::vec(step(), 0..6),
        after in prop::collection::vec(step(), 0..30),
    ) {
        let mut first = Play::new(true, true, false, paid, 3);
        let mut second = Play::numbered(CallId::from_i64(99), false, true, false, paid, 3);
        first.learn();
        second.learn();
        for step in &before {
            second.take(step);
        }
        let other = &second.alice;
        let replaces = format!("{}%3Bto-tag%3D{}%3Bfrom-tag%3D{}", other.call_id, other.their_tag, other.own_tag);
        let refer = format!("Refer-To: <sip:x@example.com?Replaces={replaces}>\r\n");
        let request = first.alice.request("REFER", &refer, None);
        let alice = first.alice.clone();
        let key = first.house.request(&alice, request);
        first.keys.push(key);
        for step in &between {
            // The other call answers within the time that anything lingers.
            first.take(&if let Step::Pass(ms) = step { Step::Pass(ms % 5000) } else { step.clone() });
        }
        exchange(&mut first, &mut second, late);
        for step in &after {
            first.take(step);
            second.take(step);
        }
        first.end();
        second.end();
        let mut records: Vec<(CallId, u8)> =
            first.house.records.iter().chain(&second.house.records).map(|cdr| (cdr.call_id, cdr.paid_leg)).collect();
        records.sort_unstable();
        let all = records.len();
        records.dedup();
        prop_assert_eq!(all, records.len(), "no leg is recorded twice");
        prop_assert!(records.contains(&(CALL, 0)) && records.contains(&(CallId::from_i64(99), 0)));
        prop_assert_eq!((first.house.done, second.house.done), (1, 1));
    }
}
