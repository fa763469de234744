//! The stage: one call, its surroundings, and what they saw.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tollgate_billing::cdr::Cdr;
use tollgate_billing::ledger::{Ask, What};
use tollgate_call::*;
use tollgate_settings::Values;
use tollgate_sip::transaction::{Layer, SentBy, ServerKey};
use tollgate_sip::wire::Message;
use tollgate_types::*;

mod surroundings;
pub mod ua;
pub use ua::*;

/// Where we listen.
pub const US: &str = "192.0.2.1:5060";

pub fn flow(peer: &str) -> Flow {
    Flow { transport: Transport::Udp, local: US.parse().unwrap(), peer: peer.parse().unwrap(), conn: ConnId(0) }
}

/// What the plan shall be.
#[derive(Clone)]
pub enum Way {
    /// One user, devices at these addresses.
    User(&'static str, Vec<&'static str>),
    /// Carriers, each with its addresses.
    Trunks(Vec<(&'static str, Vec<&'static str>)>),
    Refuse(Rule),
}

/// Paid time of free calls.
const FOR_EVER: u64 = u64::MAX;

/// How the ledger behaves.
#[derive(Clone, Copy, PartialEq)]
pub enum Ledger {
    /// Grants `min` seconds, then slices, up to `total`.
    Pays {
        min: u64,
        slice: u64,
        total: u64,
    },
    Free,
    Refuses,
    Away,
    Mute,
}

pub struct House {
    pub call: Option<Call>,
    pub now: Mono,
    pub wall: Wall,
    pub ways: VecDeque<Way>,
    pub ledger: Ledger,
    pub login: Option<Arc<Login>>,
    pub asks: Vec<Ask>,
    pub granted: BTreeMap<(CallId, u8), u64>,
    pub records: Vec<Cdr>,
    pub plans: Vec<PlanAsk>,
    pub notes: Vec<Note>,
    /// Requests sent, by client, with where they went.
    pub sent: Vec<(Client, Flow, Message)>,
    pub acks: Vec<(Flow, Message)>,
    pub cancelled: Vec<Client>,
    /// Responses given, by server key.
    pub answers: Vec<(ServerKey, u16, Message)>,
    pub media: Vec<String>,
    pub finds: Vec<(Query, DialogName)>,
    pub handed: Vec<(CallId, Query, Option<Box<Handover>>)>,
    pub listened: Vec<String>,
    pub done: usize,
    pub ports_left: bool,
    pub mints: Mints,
    /// Answers of the house that wait to be delivered.
    pub inbox: VecDeque<Event>,
    /// Deliver answers at once.
    pub prompt: bool,
    places: BTreeMap<String, Vec<&'static str>>,
}

/// Makes server keys: only the transaction layer can.
pub struct Mints {
    layer: Layer,
    count: u32,
}

impl Mints {
    pub fn new() -> Mints {
        Mints { layer: Layer::new(tollgate_sip::transaction::Timers::default(), Seed([9; 4])), count: 0 }
    }

    pub fn key(&mut self) -> ServerKey {
        self.count += 1;
        let text = format!(
            "OPTIONS sip:x@y SIP/2.0\r\nVia: SIP/2.0/UDP 203.0.113.9;branch=z9hG4bKk{0}\r\nFrom: <sip:k@y>;tag=k{0}\r\n\
             To: <sip:x@y>\r\nCall-ID: k{0}\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\n\r\n",
            self.count
        );
        let mut out = Vec::new();
        let message = Message::parse(Bytes::from(text)).unwrap();
        self.layer.handle_message(message, flow("203.0.113.9:5060"), Mono::START, &mut out);
        out.iter()
            .find_map(|action| match action {
                tollgate_sip::transaction::Action::Request { key, .. } => Some(*key),
                _ => None,
            })
            .expect("a new request has a key")
    }
}

pub const CALL: CallId = CallId::from_i64(0x0123_4567_89ab_cdef);

pub fn policy() -> Policy {
    let host = Host { domain: "example.com".into(), ..Host::default() };
    Policy::read(&Values::default(), &host)
}

impl House {
    pub fn new(way: Way) -> House {
        House::with(way, policy(), user("alice", 1))
    }

    pub fn with(way: Way, policy: Policy, party: Party) -> House {
        House::numbered(CALL, way, policy, party)
    }

    pub fn numbered(id: CallId, way: Way, policy: Policy, party: Party) -> House {
        let caller = Caller { party, source: "198.51.100.1".parse().unwrap() };
        let birth = Birth { id, policy: Arc::new(policy), caller, seed: Seed([1, 2, 3, id.to_i64() as u64]), shard: 3 };
        House {
            call: Some(Call::new(birth)),
            now: Mono::from_millis(1_000),
            wall: Wall::from_secs(1_800_000_000),
            ways: VecDeque::from([way]),
            ledger: Ledger::Free,
            login: None,
            asks: vec![],
            granted: BTreeMap::new(),
            records: vec![],
            plans: vec![],
            notes: vec![],
            sent: vec![],
            acks: vec![],
            cancelled: vec![],
            answers: vec![],
            media: vec![],
            finds: vec![],
            handed: vec![],
            listened: vec![],
            done: 0,
            ports_left: true,
            mints: Mints::new(),
            inbox: VecDeque::new(),
            prompt: true,
            places: BTreeMap::new(),
        }
    }

    pub fn core(&mut self) -> &mut Call {
        self.call.as_mut().unwrap()
    }

    /// The caller's INVITE.
    pub fn invite(&mut self, ua: &mut Ua) -> ServerKey {
        let request = ua.invite();
        self.begin(ua, request)
    }

    pub fn begin(&mut self, ua: &mut Ua, request: Message) -> ServerKey {
        let key = self.mints.key();
        let mut out = vec![];
        let (now, wall, flow) = (self.now, self.wall, ua.flow());
        self.core().begin(key, request, flow, now, wall, &mut out);
        self.act(out);
        key
    }

    /// A request inside a dialog.
    pub fn request(&mut self, ua: &Ua, request: Message) -> ServerKey {
        let key = self.mints.key();
        self.tell(Event::Request { key, message: request, flow: ua.flow() });
        key
    }

    pub fn tell(&mut self, event: Event) {
        let mut out = vec![];
        let (now, wall) = (self.now, self.wall);
        self.core().handle(event, now, wall, &mut out);
        self.act(out);
    }

    /// Delivers what the house has to say.
    pub fn deliver(&mut self) {
        while let Some(event) = self.inbox.pop_front() {
            self.tell(event);
        }
    }

    /// Lets time pass, deadline by deadline.
    pub fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some(at) = self.core().poll_timeout().filter(|at| *at <= end) {
            let at = at.max(self.now);
            self.wall = self.wall + at.since(self.now);
            self.now = at;
            let mut out = vec![];
            let (now, wall) = (self.now, self.wall);
            self.core().handle_timeout(now, wall, &mut out);
            self.act(out);
        }
        self.wall = self.wall + end.since(self.now);
        self.now = end;
    }

    fn answer(&mut self, event: Event) {
        self.inbox.push_back(event);
    }

    pub fn act(&mut self, actions: Vec<Action>) {
        for action in actions {
            let late = matches!(action, Action::Respond { status: 481, .. });
            assert!(self.done == 0 || late, "nothing follows Done: {action:?}");
            match action {
                Action::Plan { query, ask } => {
                    self.plans.push((*ask).clone());
                    let admission = self.admit(&ask);
                    self.answer(Event::Planned { query, admission: Box::new(admission) });
                }
                Action::Locate { query, target } => {
                    let name = target.party().name().to_owned();
                    let places = self.places.get(&name).cloned().unwrap_or_default();
                    let places = places.iter().map(|address| self.place(&target, address)).collect();
                    self.answer(Event::Located { query, places });
                }
                Action::Ask(ask) => self.ledger_hears(*ask),
                Action::Request { client, flow, bytes, .. } => self.sent.push((client, flow, parsed(bytes))),
                Action::Cancel { client, .. } => self.cancelled.push(client),
                Action::SendAck { flow, bytes } => self.acks.push((flow, parsed(bytes))),
                Action::Respond { key, status, bytes } => {
                    let message = Message::parse(bytes).expect("we write what we can read");
                    assert_eq!(message.status(), Some(status));
                    self.answers.push((key, status, message));
                }
                Action::Media(order) => self.relay_hears(order),
                Action::Listen { call_id } => self.listened.push(call_id.into()),
                Action::Find { query, dialog } => self.finds.push((query, dialog)),
                Action::HandOver { to, query, handover } => self.handed.push((to, query, handover)),
                Action::Note(note) => self.notes.push(note),
                Action::Done => self.done += 1,
            }
        }
        if self.prompt {
            self.deliver();
        }
    }

    /// The latest request with this method, and how many there were.
    pub fn last_sent(&self, method: &str) -> (Client, Flow, Message) {
        self.sent.iter().rev().find(|(_, _, message)| message.cseq().method.as_str() == method).cloned().unwrap_or_else(
            || {
                panic!(
                    "no {method} among {:?}",
                    self.sent.iter().map(|(_, _, m)| m.cseq().method.to_string()).collect::<Vec<_>>()
                )
            },
        )
    }

    pub fn count_sent(&self, method: &str) -> usize {
        self.sent.iter().filter(|(_, _, message)| message.cseq().method.as_str() == method).count()
    }

    /// What `key` was answered, provisional ones included.
    pub fn statuses(&self, key: ServerKey) -> Vec<u16> {
        self.answers.iter().filter(|(asked, ..)| *asked == key).map(|(_, status, _)| *status).collect()
    }

    pub fn answer_to(&self, key: ServerKey) -> &Message {
        &self.answers.iter().rev().find(|(asked, ..)| *asked == key).expect("an answer").2
    }

    /// A callee responds to the request `client`.
    pub fn respond(&mut self, client: Client, ua: &mut Ua, status: u16, extra: &str, body: Option<&str>) {
        let request = self
            .sent
            .iter()
            .find(|(sent, ..)| *sent == client)
            .map(|(_, _, message)| message.clone())
            .expect("a request");
        let message = ua.response(&request, status, extra, body);
        self.tell(Event::Response { client, message, flow: ua.flow() });
    }

    /// Everything is over and in order: one Done, every hold settled once, one record a paid leg, ports closed.
    pub fn assert_over(&self) {
        assert_eq!(self.done, 1, "the call is over");
        let mut held = BTreeMap::new();
        for ask in &self.asks {
            let leg = (ask.key.call, ask.key.paid_leg);
            match &ask.what {
                What::Hold(_) => *held.entry(leg).or_insert(0) += 1,
                What::Settle(_) => *held.entry(leg).or_insert(0) -= 1,
                _ => {}
            }
        }
        let records: Vec<(CallId, u8)> = self.records.iter().map(|cdr| (cdr.call_id, cdr.paid_leg)).collect();
        let mut distinct = records.clone();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(records.len(), distinct.len(), "one record a paid leg");
        let opened = self.media.iter().any(|order| order.starts_with("allocate"));
        assert_eq!(
            self.media.iter().filter(|order| *order == "close").count(),
            usize::from(opened),
            "ports closed once"
        );
    }

    pub fn record(&self) -> &Cdr {
        self.records.first().expect("a record")
    }
}

/// The layer would add the top Via.
fn parsed(bytes: Bytes) -> Message {
    let bytes = tollgate_sip::transaction::with_via(&bytes, Transport::Udp, SentBy(US), "z9hG4bKtest");
    Message::parse(bytes).expect("we write what we can read")
}

pub fn user(name: &str, id: i64) -> Party {
    Party::User { user: UserId(id), account: AccountId(id), name: name.into() }
}

pub fn secs(count: u64) -> Duration {
    Duration::from_secs(count)
}
