//! One run: work is begun at its rate, answers are taken in, steps are measured.

use std::net::{SocketAddr, SocketAddrV4};
use std::time::{Duration, Instant};

use anyhow::bail;
use bytes::Bytes;
use tollgate_sip::wire::Message;

use crate::agenda::Agenda;
use crate::callee::{self, Callees};
use crate::caller::{self, Callers, Task};
use crate::net::{self, Net};
use crate::options::{Called, Calls, Common, Options, Work};
use crate::phones::Phones;
use crate::report::{Report, Row, Times};
use crate::speech::{Speech, StreamId};
use crate::watch::Watch;

/// What everybody works with.
pub struct Desk {
    pub net: Net,
    pub target: SocketAddr,
    /// Where everything is counted now.
    pub row: Row,
    /// Calls answered and not yet hung up.
    pub talking: u64,
    agenda: Agenda<Due>,
    speech: Option<Speech>,
    /// Callers' sockets; those of the called come after them.
    sources: usize,
    called: usize,
    next_called: usize,
}

enum Due {
    Caller(caller::Later),
    Called(callee::Later),
}

struct Run<'a> {
    desk: Desk,
    callers: Callers,
    callees: Callees,
    calls: Option<&'a Calls>,
    watch: Watch,
    next_phone: u32,
    inbox: Vec<(usize, SocketAddr, Bytes)>,
}

/// The source port of phones.
const PHONE_PORT: u16 = 5170;
/// Phones that are called and those behind a carrier: so many addresses.
const CALLED_ADDRESSES: u32 = 16;
/// After the last step answers are awaited so long.
const PATIENCE: Duration = Duration::from_secs(35);
/// Units begun before answers are taken in again.
const BURST: u32 = 32;

impl Desk {
    pub fn later_caller(&mut self, at: Instant, later: caller::Later) {
        self.agenda.put(at, Due::Caller(later));
    }

    pub fn later_called(&mut self, at: Instant, later: callee::Later) {
        self.agenda.put(at, Due::Called(later));
    }

    /// Where a party with this SIP socket has its audio.
    pub fn media_address(&self, socket: usize) -> SocketAddr {
        match &self.speech {
            Some(speech) => speech.address(socket),
            // Nobody speaks: an address is written all the same.
            None => SocketAddr::new(self.net.address(socket).ip(), 40_000),
        }
    }

    /// The media socket of the next who is called.
    pub fn called_media(&self) -> usize {
        self.sources + self.next_called % self.called
    }

    pub fn speak(&mut self, socket: usize, to: SocketAddr) -> Option<StreamId> {
        self.next_called += usize::from(socket >= self.sources);
        self.speech.as_mut().and_then(|speech| speech.speak(socket, to))
    }

    pub fn silence(&mut self, stream: Option<StreamId>) {
        if let (Some(speech), Some(stream)) = (&self.speech, stream) {
            speech.stop(stream);
        }
    }
}

/// Does what was asked for.
pub fn run(options: &Options) -> anyhow::Result<Report> {
    let common = options.common();
    match &options.work {
        Work::Register { expires, .. } => {
            let mut run = Run::new(common, None, false, *expires)?;
            let rows = run.steps(common)?;
            Ok(Report { work: "register", rows })
        }
        Work::Calls { calls, media, .. } => {
            let mut run = Run::new(common, Some(calls), *media, 3600)?;
            run.register_called()?;
            let rows = run.steps(common)?;
            Ok(Report { work: "calls", rows })
        }
        Work::Talk { calls, calls_at_once, silent, .. } => {
            let mut run = Run::new(common, Some(calls), !silent, 3600)?;
            run.callers = Callers::new(run.callers.phones, 3600, None, run_number());
            run.register_called()?;
            let rows = vec![run.hold(common, *calls_at_once)?];
            Ok(Report { work: "talk", rows })
        }
    }
}

impl<'a> Run<'a> {
    fn new(common: &Common, calls: Option<&'a Calls>, media: bool, expires: u32) -> anyhow::Result<Run<'a>> {
        if common.sources == 0 || common.users == 0 {
            bail!("at least one user at one source is needed");
        }
        let answerers = |calls: &Calls, port| {
            let ips = net::row(*calls.answerer.ip(), CALLED_ADDRESSES);
            ips.map(move |ip| SocketAddrV4::new(ip, port)).collect::<Vec<_>>()
        };
        let sources = |port| net::row(common.first_source, common.sources).map(move |ip| SocketAddrV4::new(ip, port));
        let called = calls.map(|calls| answerers(calls, calls.answerer.port())).unwrap_or_default();
        let net = Net::bind(sources(PHONE_PORT).chain(called.iter().copied()))?;
        let ears = sources(0).chain(called.iter().map(|at| SocketAddrV4::new(*at.ip(), 0)));
        let speech = media.then(|| Speech::start(ears)).transpose()?;
        let ring = calls.map_or(Duration::ZERO, |calls| Duration::from_millis(calls.ring_ms));
        let talk = calls.map(|calls| Duration::from_millis(calls.talk_ms));
        let phones = Phones::new(common, 0..common.sources as usize);
        Ok(Run {
            desk: Desk {
                net,
                target: common.target,
                row: Row::default(),
                talking: 0,
                agenda: Agenda::new(),
                speech,
                sources: common.sources as usize,
                called: called.len().max(1),
                next_called: 0,
            },
            callers: Callers::new(phones, expires, talk, run_number()),
            callees: Callees::new(ring),
            calls,
            watch: Watch::new(&common.pid),
            next_phone: 0,
            inbox: Vec::new(),
        })
    }

    /// Those who are to be called by name register first, from where they will answer.
    fn register_called(&mut self) -> anyhow::Result<()> {
        let Some(calls) = self.calls.filter(|calls| calls.called == Called::User) else { return Ok(()) };
        let count = self.callers.phones.count();
        if calls.called_users >= count {
            bail!("{} users are called, and of {count} nobody is left to call", calls.called_users);
        }
        let phones = self.callers.phones.move_to(self.desk.sources..self.desk.sources + self.desk.called);
        for phone in 0..calls.called_users {
            self.callers.begin(Task::Register, phone, &mut self.desk, Instant::now());
            self.take_in(Duration::from_millis(1))?;
        }
        self.drain()?;
        self.callers.phones.move_to(phones);
        let row = std::mem::take(&mut self.desk.row);
        if row.completed < row.started {
            bail!(
                "{} of {} who are to be called could not register: {:?}",
                row.started - row.completed,
                row.started,
                row.failed
            );
        }
        Ok(())
    }

    fn steps(&mut self, common: &Common) -> anyhow::Result<Vec<Row>> {
        let steps = common.steps();
        let Some((first, _)) = steps.first() else { return Ok(Vec::new()) };
        self.load(*first, Duration::from_secs(u64::from(common.warm)))?;
        let mut rows = Vec::with_capacity(steps.len());
        for (number, (rate, length)) in steps.into_iter().enumerate() {
            let before = self.begin_measuring(number as u32 + 1)?;
            self.load(rate, length)?;
            rows.push(self.end_measuring(rate, before)?);
        }
        self.drain()?;
        // What never ended belongs to the last step.
        if let Some(last) = rows.last_mut() {
            for (status, count) in std::mem::take(&mut self.desk.row.failed) {
                *last.failed.entry(status).or_default() += count;
            }
        }
        Ok(rows)
    }

    /// Brings up so many calls, then measures them.
    fn hold(&mut self, common: &Common, calls: u32) -> anyhow::Result<Row> {
        let (rate, length) = common.steps().first().copied().unwrap_or((50.0, Duration::from_secs(10)));
        let resident = self.watch.look()?.resident_kib;
        self.load(rate, Duration::from_secs_f64(f64::from(calls) / rate))?;
        self.wait(Duration::from_secs(u64::from(common.warm)))?;
        let failed = std::mem::take(&mut self.desk.row.failed);
        let before = self.begin_measuring(1)?;
        self.wait(length)?;
        let mut row = self.end_measuring(rate, before)?;
        row.resident_kib = row.resident_kib.map(|(_, after)| (resident, after));
        row.failed = failed;
        self.callers.hang_up_all(&mut self.desk, Instant::now());
        self.drain()?;
        Ok(row)
    }

    fn begin_measuring(&mut self, number: u32) -> anyhow::Result<(Instant, crate::watch::Cost)> {
        self.desk.row = Row::default();
        if let Some(speech) = &self.desk.speech {
            speech.measure(number);
        }
        Ok((Instant::now(), self.watch.look()?))
    }

    fn end_measuring(&mut self, rate: f64, before: (Instant, crate::watch::Cost)) -> anyhow::Result<Row> {
        let (began, cost) = before;
        let after = self.watch.look()?;
        let mut row = std::mem::take(&mut self.desk.row);
        (row.rate, row.seconds, row.at_once) = (rate, began.elapsed().as_secs_f64(), self.desk.talking);
        if !self.watch.is_empty() {
            row.cpu = Some(after.cpu.saturating_sub(cost.cpu));
            row.resident_kib = Some((cost.resident_kib, after.resident_kib));
        }
        if let Some(speech) = &self.desk.speech {
            speech.rest();
        }
        if self.desk.speech.is_some() {
            // Packets on their way arrive meanwhile.
            self.wait(Duration::from_millis(200))?;
        }
        if let Some(speech) = &self.desk.speech {
            let (sent, heard, delays) = speech.counted();
            (row.packets_sent, row.packets_heard) = (sent, heard);
            row.times.insert("rtp_delay", Times::of_micros(delays));
        }
        Ok(row)
    }

    /// Begins units at `rate` for so long, evenly; one that is late begins at once.
    fn load(&mut self, rate: f64, length: Duration) -> anyhow::Result<()> {
        let start = Instant::now();
        let total = (rate * length.as_secs_f64()).round() as u64;
        let mut begun = 0u64;
        loop {
            let now = Instant::now();
            if now - start >= length && begun >= total {
                return Ok(());
            }
            let due = ((now - start).as_secs_f64() * rate) as u64;
            for _ in 0..BURST {
                if begun >= due.min(total) {
                    break;
                }
                self.begin(now);
                begun += 1;
            }
            let next = start + Duration::from_secs_f64((begun + 1) as f64 / rate).min(length);
            self.take_in(next.saturating_duration_since(Instant::now()))?;
        }
    }

    fn begin(&mut self, now: Instant) {
        let called = self.calls.filter(|calls| calls.called == Called::User).map_or(0, |calls| calls.called_users);
        let phone = called + self.next_phone % (self.callers.phones.count() - called);
        self.next_phone = self.next_phone.wrapping_add(1);
        let domain = self.callers.phones.domain();
        let task = match self.calls {
            None => Task::Register,
            Some(calls) if calls.called == Called::User => {
                let called = self.next_phone.wrapping_mul(7) % called;
                Task::Call(format!("sip:{}@{domain}", self.callers.phones.name(called)))
            }
            Some(calls) => {
                let number = 10_000_000 + self.next_phone.wrapping_mul(7919) % 89_999_999;
                Task::Call(format!("sip:{}{number}@{domain}", calls.number_prefix))
            }
        };
        self.callers.begin(task, phone, &mut self.desk, now);
    }

    fn wait(&mut self, length: Duration) -> anyhow::Result<()> {
        let end = Instant::now() + length;
        while Instant::now() < end {
            self.take_in(end.saturating_duration_since(Instant::now()))?;
        }
        Ok(())
    }

    /// Until nothing is under way, or patience ends.
    fn drain(&mut self) -> anyhow::Result<()> {
        let end = Instant::now() + PATIENCE;
        while self.callers.under_way() > 0 && Instant::now() < end {
            self.take_in(Duration::from_millis(20))?;
        }
        Ok(())
    }

    /// What is due, then what comes in within `patience`.
    fn take_in(&mut self, patience: Duration) -> anyhow::Result<()> {
        let now = Instant::now();
        while let Some(due) = self.desk.agenda.take(now) {
            match due {
                Due::Caller(later) => self.callers.due(later, &mut self.desk, now),
                Due::Called(later) => self.callees.due(later, &mut self.desk, now),
            }
        }
        let until_due = self.desk.agenda.next().map(|at| at.saturating_duration_since(now));
        let patience = until_due.map_or(patience, |until| until.min(patience));
        let mut inbox = std::mem::take(&mut self.inbox);
        self.desk.net.receive(patience, |socket, from, bytes| {
            inbox.push((socket, from, Bytes::copy_from_slice(bytes)));
        })?;
        for (socket, from, bytes) in inbox.drain(..) {
            // Keep-alives are no messages.
            let Ok(message) = Message::parse(bytes) else { continue };
            let now = Instant::now();
            if message.is_request() {
                self.callees.asked(&message, socket, from, &mut self.desk, now);
            } else {
                self.callers.answered(&message, &mut self.desk, now);
            }
        }
        self.inbox = inbox;
        Ok(())
    }
}

/// Tells this run's Call-IDs from another's.
fn run_number() -> u32 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    (now.as_millis() as u32) ^ std::process::id().rotate_left(16)
}
