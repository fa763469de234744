//! Those who register and call: one unit of work each, from its first request to its end.

use std::time::{Duration, Instant};

use slab::Slab;
use tollgate_sip::wire::{Message, Method, Name};

use crate::compose::{Request, media_of, sdp};
use crate::phones::Phones;
use crate::run::Desk;
use crate::speech::StreamId;

/// Work under way.
pub struct Callers {
    pub phones: Phones,
    units: Slab<Unit>,
    /// Registrations by phone: a phone keeps its Call-ID and counts on (RFC 3261 §10.2).
    registrations: Vec<Registering>,
    /// Tells units of one place apart, and runs from each other.
    serial: u32,
    run: u32,
    branch: u64,
    expires: u32,
    talk: Option<Duration>,
}

/// What is to be done.
#[derive(Clone, Debug)]
pub enum Task {
    Register,
    /// Whom to call, as Request-URI.
    Call(String),
}

#[derive(Clone, Copy, Default)]
struct Registering {
    cseq: u32,
    unit: Option<usize>,
}

struct Unit {
    serial: u32,
    phone: u32,
    task: Task,
    stage: Stage,
    began: Instant,
    asked: Instant,
    call_id: String,
    cseq: u32,
    /// The request that waits for an answer, as sent.
    last: Vec<u8>,
    /// A provisional answer came: no need to send it again.
    heard: bool,
    rang: bool,
    ack: Vec<u8>,
    to: String,
    target: String,
    routes: String,
    stream: Option<StreamId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Without proof.
    Asked,
    /// With proof.
    Proven,
    Talking,
    Ending,
}

/// Something to do for a unit later; forgotten if the unit is another by then.
#[derive(Clone, Copy, Debug)]
pub enum Later {
    Repeat { unit: usize, serial: u32, cseq: u32, count: u8 },
    HangUp { unit: usize, serial: u32 },
}

const T1: Duration = Duration::from_millis(500);
const T2: Duration = Duration::from_secs(4);
/// 64 × T1 (RFC 3261 §17.1.1.2).
const PATIENCE: Duration = Duration::from_secs(32);

impl Callers {
    /// `talk` is how long they talk; `None`: until told.
    pub fn new(phones: Phones, expires: u32, talk: Option<Duration>, run: u32) -> Callers {
        let registrations = vec![Registering::default(); phones.count() as usize];
        let branch = u64::from(run) << 32;
        Callers { phones, units: Slab::new(), registrations, serial: 0, run, branch, expires, talk }
    }

    pub fn under_way(&self) -> usize {
        self.units.len()
    }

    pub fn begin(&mut self, task: Task, phone: u32, desk: &mut Desk, now: Instant) {
        self.serial = self.serial.wrapping_add(1);
        let index = self.units.vacant_key();
        let (call_id, cseq) = match &task {
            Task::Call(_) => (format!("{index:x}-{:x}-{:x}@load", self.serial, self.run), 1),
            Task::Register => {
                let registering = &mut self.registrations[phone as usize];
                if registering.unit.is_some() {
                    // It still tries: a phone has one registration under way.
                    return;
                }
                registering.unit = Some(index);
                (format!("{phone:x}-register-{:x}@load", self.run), registering.cseq + 1)
            }
        };
        let uri = match &task {
            Task::Register => format!("sip:{}", self.phones.domain()),
            Task::Call(uri) => uri.clone(),
        };
        let to = match &task {
            Task::Register => format!("<sip:{}@{}>", self.phones.name(phone), self.phones.domain()),
            Task::Call(uri) => format!("<{uri}>"),
        };
        self.units.insert(Unit {
            serial: self.serial,
            phone,
            task,
            stage: Stage::Asked,
            began: now,
            asked: now,
            call_id,
            cseq,
            last: Vec::new(),
            heard: false,
            rang: false,
            ack: Vec::new(),
            to,
            target: uri,
            routes: String::new(),
            stream: None,
        });
        desk.row.started += 1;
        self.ask(index, "", desk, now);
    }

    /// REGISTER or INVITE, with credentials or without.
    fn ask(&mut self, index: usize, credentials: &str, desk: &mut Desk, now: Instant) {
        let phone = self.units[index].phone;
        let at = desk.net.address(self.phones.socket(phone));
        let contact = format!("Contact: {}\r\n", self.phones.contact(phone, at));
        let expires = format!("Expires: {}\r\n", self.expires);
        let media = sdp(desk.media_address(self.phones.socket(phone)));
        let (method, more, sdp) = match self.units[index].task {
            Task::Register => ("REGISTER", expires, None),
            Task::Call(_) => ("INVITE", "Supported: replaces\r\n".to_owned(), Some(media.as_str())),
        };
        let request = self.write(index, method, &[&contact, &more, credentials], sdp, desk);
        self.send(index, request, desk, now);
    }

    fn write(&mut self, index: usize, method: &str, more: &[&str], sdp: Option<&str>, desk: &Desk) -> Vec<u8> {
        self.branch += 1;
        let unit = &self.units[index];
        let (name, domain) = (self.phones.name(unit.phone), self.phones.domain());
        Request {
            method,
            uri: &unit.target,
            at: desk.net.address(self.phones.socket(unit.phone)),
            branch: self.branch,
            from: &format!("<sip:{name}@{domain}>;tag=t{:x}", unit.serial),
            to: &unit.to,
            call_id: &unit.call_id,
            cseq: unit.cseq,
            more,
            sdp,
        }
        .write()
    }

    fn send(&mut self, index: usize, request: Vec<u8>, desk: &mut Desk, now: Instant) {
        let unit = &mut self.units[index];
        (unit.asked, unit.heard) = (now, false);
        desk.net.send(self.phones.socket(unit.phone), desk.target, &request);
        unit.last = request;
        let later = Later::Repeat { unit: index, serial: unit.serial, cseq: unit.cseq, count: 1 };
        desk.later_caller(now + T1, later);
    }

    pub fn answered(&mut self, response: &Message, desk: &mut Desk, now: Instant) {
        let Some(index) = self.find(response.call_id()) else { return };
        let Some(status) = response.status() else { return };
        let (cseq, unit) = (response.cseq(), &mut self.units[index]);
        let is_invite = cseq.method == Method::Invite;
        if cseq.number != unit.cseq {
            return;
        }
        if status < 200 {
            unit.heard = true;
            if status == 180 && !unit.rang {
                unit.rang = true;
                desk.row.time("invite_to_180", now - unit.asked);
            }
            return;
        }
        match (unit.stage, status) {
            (Stage::Asked, 401 | 407) => self.prove(index, response, is_invite, desk, now),
            (Stage::Asked | Stage::Proven, 200) if is_invite => self.talk(index, response, desk, now),
            (Stage::Talking, 200) if is_invite => desk.net.send(self.phones.socket(unit.phone), desk.target, &unit.ack),
            (Stage::Asked | Stage::Proven, 200) => {
                desk.row.time("register", now - unit.began);
                self.end(index, Ok(()), desk);
            }
            (Stage::Ending, 200) if !is_invite => {
                desk.row.time("bye", now - unit.asked);
                self.end(index, Ok(()), desk);
            }
            (Stage::Ending, _) if is_invite => {}
            (_, 503) if response.has(Name::RetryAfter) => {
                desk.row.time("turned_away_in", now - unit.asked);
                desk.row.turned_away += 1;
                self.acknowledge(index, response, is_invite, desk);
                self.remove(index);
            }
            _ => {
                self.acknowledge(index, response, is_invite, desk);
                self.end(index, Err(status), desk);
            }
        }
    }

    /// The same again with credentials.
    fn prove(&mut self, index: usize, challenge: &Message, is_invite: bool, desk: &mut Desk, now: Instant) {
        self.acknowledge(index, challenge, is_invite, desk);
        let unit = &mut self.units[index];
        unit.cseq += 1;
        unit.stage = Stage::Proven;
        let method = if is_invite { "INVITE" } else { "REGISTER" };
        let (phone, uri) = (unit.phone, unit.target.clone());
        match self.phones.answer(phone, challenge, method, &uri) {
            Some(credentials) => self.ask(index, &credentials, desk, now),
            None => self.end(index, Err(401), desk),
        }
    }

    /// RFC 3261 §17.1.1.3: the ACK of a refusal belongs to the INVITE's transaction.
    fn acknowledge(&mut self, index: usize, refusal: &Message, is_invite: bool, desk: &mut Desk) {
        if !is_invite {
            return;
        }
        let unit = &self.units[index];
        let to = refusal.header(Name::To).unwrap_or_default();
        let request = Request {
            method: "ACK",
            uri: &unit.target,
            at: desk.net.address(self.phones.socket(unit.phone)),
            branch: self.branch_of(&unit.last),
            from: refusal.header(Name::From).unwrap_or_default(),
            to,
            call_id: &unit.call_id,
            cseq: unit.cseq,
            more: &[],
            sdp: None,
        };
        desk.net.send(self.phones.socket(unit.phone), desk.target, &request.write());
    }

    fn branch_of(&self, request: &[u8]) -> u64 {
        let text = std::str::from_utf8(request).unwrap_or_default();
        let branch = text.split_once("branch=z9hG4bK").and_then(|(_, rest)| rest.split(';').next());
        branch.and_then(|branch| u64::from_str_radix(branch, 16).ok()).unwrap_or(0)
    }

    fn talk(&mut self, index: usize, response: &Message, desk: &mut Desk, now: Instant) {
        let unit = &mut self.units[index];
        desk.row.time("setup", now - unit.asked);
        unit.to = response.header(Name::To).unwrap_or_default().to_owned();
        if let Some(contact) = response.contacts().and_then(|contacts| contacts.first()) {
            unit.target = contact.uri_raw.to_owned();
        }
        let mut routes: Vec<&str> = response.headers(Name::RecordRoute).collect();
        routes.reverse();
        unit.routes = routes.iter().map(|route| format!("Route: {route}\r\n")).collect();
        unit.stage = Stage::Talking;
        let phone = unit.phone;
        unit.stream = media_of(response.body()).and_then(|to| desk.speak(self.phones.socket(phone), to));
        let (serial, routes) = (unit.serial, unit.routes.clone());
        let ack = self.write(index, "ACK", &[&routes], None, desk);
        desk.net.send(self.phones.socket(phone), desk.target, &ack);
        self.units[index].ack = ack;
        desk.talking += 1;
        if let Some(talk) = self.talk {
            desk.later_caller(now + talk, Later::HangUp { unit: index, serial });
        }
    }

    fn hang_up(&mut self, index: usize, desk: &mut Desk, now: Instant) {
        let unit = &mut self.units[index];
        unit.cseq += 1;
        unit.stage = Stage::Ending;
        desk.talking -= 1;
        desk.silence(unit.stream.take());
        let routes = unit.routes.clone();
        let bye = self.write(index, "BYE", &[&routes], None, desk);
        self.send(index, bye, desk, now);
    }

    /// Everybody who talks says goodbye.
    pub fn hang_up_all(&mut self, desk: &mut Desk, now: Instant) {
        let talking = self.units.iter().filter(|(_, unit)| unit.stage == Stage::Talking);
        let talking: Vec<(usize, u32)> = talking.map(|(index, unit)| (index, unit.serial)).collect();
        for (n, (unit, serial)) in talking.into_iter().enumerate() {
            // A thousand a second: the end is not what is measured.
            desk.later_caller(now + Duration::from_millis(n as u64), Later::HangUp { unit, serial });
        }
    }

    pub fn due(&mut self, later: Later, desk: &mut Desk, now: Instant) {
        match later {
            Later::HangUp { unit: index, serial } => {
                if self.units.get(index).is_some_and(|unit| unit.serial == serial && unit.stage == Stage::Talking) {
                    self.hang_up(index, desk, now);
                }
            }
            Later::Repeat { unit: index, serial, cseq, count } => {
                let Some(unit) = self.units.get(index) else { return };
                if unit.serial != serial || unit.cseq != cseq || unit.stage == Stage::Talking {
                    return;
                }
                if now - unit.asked >= PATIENCE {
                    return self.end(index, Err(0), desk);
                }
                if !unit.heard {
                    desk.row.repeated += 1;
                    desk.net.send(self.phones.socket(unit.phone), desk.target, &unit.last);
                }
                let pause = (T1 * (1 << count.min(6))).min(T2);
                desk.later_caller(now + pause, Later::Repeat { unit: index, serial, cseq, count: count + 1 });
            }
        }
    }

    fn end(&mut self, index: usize, result: Result<(), u16>, desk: &mut Desk) {
        let unit = self.remove(index);
        desk.silence(unit.stream);
        match result {
            Ok(()) => desk.row.completed += 1,
            Err(status) => *desk.row.failed.entry(status).or_default() += 1,
        }
    }

    fn remove(&mut self, index: usize) -> Unit {
        let unit = self.units.remove(index);
        if matches!(unit.task, Task::Register) {
            self.registrations[unit.phone as usize] = Registering { cseq: unit.cseq, unit: None };
        }
        unit
    }

    fn find(&self, call_id: &str) -> Option<usize> {
        let mut parts = call_id.split('@').next()?.split('-');
        let number = |part: Option<&str>| part.and_then(|part| u32::from_str_radix(part, 16).ok());
        let (first, second, run) = (number(parts.next())?, parts.next()?, number(parts.next())?);
        if run != self.run {
            return None;
        }
        if second == "register" {
            return self.registrations.get(first as usize)?.unit;
        }
        let index = first as usize;
        (Some(self.units.get(index)?.serial) == number(Some(second))).then_some(index)
    }
}
