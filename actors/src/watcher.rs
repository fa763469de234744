//! Watches how calls go, and says of whom nothing more is taken: accounts whose calls look like fraud, callers whose calls went
//! too badly of late.
//!
//! Kept by the platform. Wakes on [`Ended`] and [`Suspected`], which calls and raters send, and on [`Tick`]. Decides nothing: the guard's
//! [`fraud`](tollgate_guard::fraud) and [`caller`](tollgate_guard::caller) do. What admission needs stands in [`Suspicions`];
//! the store gets habits, blocks and bans within a second. After a crash it begins with what is stored, and with the records of
//! the last hour. News that its mailbox cannot take is dropped and counted, and so is what it cannot stand, for it holds what is
//! known of all: a call more or less decides nothing.

mod door;
mod stored;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

pub use door::{Attempted, Ended, MoveIn, Recall, Release, Suspected, WatcherDoor, read};
use stored::ban_row;
pub use stored::{ban_of, profile_of, row_of};

use actix::prelude::*;
use futures_util::FutureExt;
use serde_json::{Value, json};
use tollgate_guard::caller::{CallerBan, Mode, Roll, Subject};
use tollgate_guard::fraud::{Profile, SPIKE_FACTOR};
use tollgate_settings::Values;
use tollgate_store::Store;
use tollgate_store::fraud::{self, CallerBanRow, Change, ProfileRow};
use tollgate_types::{AccountId, Map, Mono, Seed, Set, Wall};

use crate::alerter::{Raise, Severity};
use crate::analysis;
use crate::aside::Aside;
use crate::clock::Clock;
use crate::journal::IsWritten;
use crate::observe::{NextDeadline, Observe};
use crate::premises::Premises;
use crate::sip_shard::Tick;
use crate::supervision::contain;
use crate::suspicions::Suspicions;

const MAILBOX: usize = 65_536;
/// Callers counted at most; the idlest are forgotten.
const TALLIES_MAX: usize = 20_000;
const PAUSE: Duration = Duration::from_secs(1);
/// All accounts are looked through about once a minute.
const SWEPT_A_SECOND: usize = 17;
/// Changes that wait for the database; what comes beyond it holds, and is lost by a restart.
const WAITING_MAX: usize = 100_000;
const HOUR: i64 = 3600;
/// An hour is looked at so many seconds after its end: the last records are written then.
const RECORDS_LATE: i64 = 60;
/// Alerts of one hour's analysis; the dearest come first.
const SPIKES_MOST: usize = 50;

/// See the module.
pub struct Watcher {
    clock: Clock,
    store: Store,
    aside: Aside,
    board: Arc<Suspicions>,
    house: Option<Arc<Premises>>,
    roll: Roll,
    /// Accounts to be written.
    accounts: Set<AccountId>,
    /// Bans to be written, or taken away.
    bans: Map<Subject, Option<CallerBan>>,
    busy: bool,
    next: Mono,
    turn: usize,
    /// The hour that is looked at next, once it is over.
    hour: i64,
}

impl Watcher {
    /// Starts it on the current thread, with what `found` has stored.
    pub fn open(
        store: Store,
        aside: Aside,
        clock: Clock,
        seed: Seed,
        found: (Vec<ProfileRow>, Vec<CallerBanRow>),
    ) -> WatcherDoor {
        let board = Arc::new(Suspicions::new(seed.child(1)));
        let (profiles, bans) = found;
        for row in profiles {
            let account = row.account;
            match profile_of(row) {
                Some(profile) => board.change(account, |place| *place = profile.clone()),
                None => tracing::warn!(%account, "what was stored of an account's habits is not understood"),
            }
        }
        let now = clock.wall();
        for (subject, ban) in bans.into_iter().filter_map(ban_of) {
            board.set_ban(subject, Some(ban), now);
        }
        let there = board.clone();
        let addr = Watcher::create(move |ctx| {
            ctx.set_mailbox_capacity(MAILBOX);
            Watcher {
                next: clock.mono() + PAUSE,
                clock,
                store,
                aside,
                board: there,
                house: None,
                roll: Roll::new(TALLIES_MAX, seed.child(2)),
                accounts: seed.set(),
                bans: seed.map(),
                busy: false,
                turn: 0,
                hour: now.secs().div_euclid(HOUR),
            }
        });
        WatcherDoor { addr, board }
    }

    fn suspected(&mut self, Suspected { account, step }: Suspected) {
        if step.tells {
            let (kind, severity) = match step.blocks {
                true => ("fraud_blocked", Severity::Critical),
                false => ("fraud_suspected", Severity::Warning),
            };
            self.raise(kind, severity, self.name(account), step.score.to_string());
        }
        if step.blocks {
            self.mark(account);
        }
    }

    fn ended(&mut self, ended: &Ended, recalled: bool) {
        let Some(house) = self.house.clone() else { return };
        let Ended { aftermath, at } = ended;
        if let (Some(account), Some(callee)) = (aftermath.account, &aftermath.callee) {
            let end = |profile: &mut Profile| profile.end(aftermath.call, callee, aftermath.ending, *at);
            if self.board.change_known(account, end) == Some(true) {
                self.mark(account);
            }
        }
        let policy = house.tuned.load().callers;
        let Some(caller) = &aftermath.caller else { return };
        if policy.mode == Mode::Off {
            return;
        }
        let trunk = aftermath.trunk.map(Subject::Trunk);
        let address = aftermath
            .address
            .filter(|_| policy.mode == Mode::NumberAndIp)
            .map(|ip| Subject::Address(ip.to_canonical()));
        for subject in [Some(caller), trunk.as_ref(), address.as_ref()].into_iter().flatten() {
            let Some(trip) = self.roll.count(subject, &aftermath.finished, &policy, *at) else { continue };
            if recalled {
                continue;
            }
            let text = format!("{}; usual is {}", trip.observed, trip.limit);
            if subject.may_be_banned() {
                let ban = trip.ban(&policy, self.clock.wall());
                self.set_ban(subject.clone(), Some(ban));
                self.raise("caller_banned", Severity::Notice, subject.to_string(), text);
            } else {
                self.raise("trunk_statistics", Severity::Warning, subject.to_string(), text);
            }
        }
    }

    fn recall(&mut self, recall: &Recall) {
        if let (Some(Attempted { call, account, attempt, at }), Some(house)) = (&recall.attempted, &self.house) {
            let mut policy = house.tuned.load().fraud;
            (policy.alert_at, policy.block_at) = (None, None);
            self.board.change(*account, |profile| {
                if profile.history.released_at.is_none_or(|released_at| released_at < *at) {
                    profile.begin(*call, attempt, &policy, *at);
                }
            });
        }
        self.ended(&recall.ended, true);
    }

    fn release(&mut self, release: Release) -> Option<ProfileRow> {
        for subject in release.subjects {
            self.roll.forget(&subject);
            self.set_ban(subject, None);
        }
        let (account, now) = (release.account?, self.clock.wall());
        let row = self.board.change(account, |profile| {
            profile.release(now);
            row_of(account, profile)
        });
        self.mark(account);
        Some(row)
    }

    fn set_ban(&mut self, subject: Subject, ban: Option<CallerBan>) {
        self.board.set_ban(subject.clone(), ban.clone(), self.clock.wall());
        if self.bans.len() < WAITING_MAX {
            self.bans.insert(subject, ban);
        }
    }

    fn mark(&mut self, account: AccountId) {
        if self.accounts.len() < WAITING_MAX {
            self.accounts.insert(account);
        }
    }

    fn tick(&mut self, now: Mono, ctx: &mut Context<Watcher>) {
        if now < self.next {
            return;
        }
        self.next = now + PAUSE;
        let wall = self.clock.wall();
        for _ in 0..SWEPT_A_SECOND {
            for account in self.board.sweep(self.turn, wall) {
                self.mark(account);
            }
            self.turn = self.turn.wrapping_add(1);
        }
        let hour = wall.secs().div_euclid(HOUR);
        if hour > self.hour && wall.secs().rem_euclid(HOUR) >= RECORDS_LATE {
            self.hour = hour;
            self.analyse(Wall::from_secs(hour * HOUR));
        }
        self.flush(ctx);
    }

    /// Looks at the hour that ended at `until`, off this thread, and raises what is out of the ordinary.
    fn analyse(&self, until: Wall) {
        let Some(house) = self.house.clone() else { return };
        let values = Values::clone(&house.settings.load());
        if values.multiplier_or_off(&SPIKE_FACTOR).is_none() {
            return;
        }
        let (store, prices) = (self.store.clone(), house.prices.load_full());
        self.aside.spawn(async move {
            match analysis::of_hour(&store, &values, prices.currency, &prices.rates, until).await {
                Ok(rows) => {
                    for row in rows.iter().filter(|row| row.finding.spike).take(SPIKES_MOST) {
                        let (severity, text) = (Severity::Warning, row.to_text());
                        let alert = Raise { kind: "spend_spike", severity, subject: row.account.clone(), text };
                        let _ = house.alerter.try_send(alert);
                    }
                }
                Err(error) => tracing::warn!(%error, "the hour's spending was not analysed"),
            }
        });
    }

    fn flush(&mut self, ctx: &mut Context<Watcher>) {
        if self.busy || (self.accounts.is_empty() && self.bans.is_empty()) {
            return;
        }
        let (accounts, bans): (Vec<AccountId>, Vec<_>) = (self.accounts.drain().collect(), self.bans.drain().collect());
        let known = accounts.iter().filter_map(|account| Some((*account, self.board.profile(*account)?)));
        let mut changes: Vec<Change> =
            known.map(|(account, profile)| Change::Profile(row_of(account, &profile))).collect();
        changes.extend(bans.iter().map(|(subject, ban)| match ban {
            Some(ban) => Change::Ban(ban_row(subject, ban)),
            None => Change::Unban(subject.to_string()),
        }));
        let (store, own, now) = (self.store.clone(), ctx.address(), self.clock.wall());
        self.busy = true;
        self.aside.spawn(async move {
            let failed = match AssertUnwindSafe(fraud::write(&store, &changes, now)).catch_unwind().await {
                Ok(written) => written.err().map(|error| error.to_string()),
                Err(_) => Some("a fault of ours".to_owned()),
            };
            let (accounts, bans) = if failed.is_some() { (accounts, bans) } else { Default::default() };
            own.do_send(Flushed { accounts, bans, failed });
        });
    }

    /// An account by its name, for people.
    fn name(&self, account: AccountId) -> String {
        let directory = self.house.as_ref().map(|house| house.directory.load_full());
        let known = directory.and_then(|directory| directory.account(account).map(|account| account.name.to_string()));
        known.unwrap_or_else(|| account.to_string())
    }

    fn raise(&self, kind: &'static str, severity: Severity, subject: String, text: String) {
        let Some(house) = &self.house else { return };
        let subject = subject.chars().filter(|char| !char.is_control()).take(80).collect();
        let _ = house.alerter.try_send(Raise { kind, severity, subject, text });
    }
}

/// A batch is written, or comes back.
#[derive(Message)]
#[rtype(result = "()")]
struct Flushed {
    accounts: Vec<AccountId>,
    bans: Vec<(Subject, Option<CallerBan>)>,
    failed: Option<String>,
}

impl Actor for Watcher {
    type Context = Context<Self>;
}

impl Handler<MoveIn> for Watcher {
    type Result = ();
    fn handle(&mut self, MoveIn(house): MoveIn, _: &mut Context<Self>) {
        self.house = Some(house);
    }
}

impl Handler<Suspected> for Watcher {
    type Result = ();
    fn handle(&mut self, suspected: Suspected, ctx: &mut Context<Self>) {
        let blocks = suspected.step.blocks;
        let account = suspected.account;
        if contain("watcher.suspected", || self.suspected(suspected)).is_none() && blocks {
            // The alert is lost, the block is not.
            self.mark(account);
        }
        if blocks {
            // A crash in the next second must not set a thief free.
            contain("watcher.flush", || self.flush(ctx));
        }
    }
}

impl Handler<Ended> for Watcher {
    type Result = ();
    fn handle(&mut self, ended: Ended, _: &mut Context<Self>) {
        contain("watcher.ended", || self.ended(&ended, false));
    }
}

impl Handler<Recall> for Watcher {
    type Result = ();
    fn handle(&mut self, recall: Recall, _: &mut Context<Self>) {
        contain("watcher.recall", || self.recall(&recall));
    }
}

impl Handler<Release> for Watcher {
    type Result = Option<ProfileRow>;
    fn handle(&mut self, release: Release, _: &mut Context<Self>) -> Self::Result {
        contain("watcher.release", || self.release(release)).flatten()
    }
}

impl Handler<Tick> for Watcher {
    type Result = ();
    fn handle(&mut self, tick: Tick, ctx: &mut Context<Self>) {
        contain("watcher.tick", || self.tick(tick.0, ctx));
    }
}

impl Handler<Flushed> for Watcher {
    type Result = ();
    fn handle(&mut self, flushed: Flushed, _: &mut Context<Self>) {
        self.busy = false;
        if let Some(error) = flushed.failed {
            tracing::warn!(%error, "what is suspected of accounts and callers is not written; it is tried again");
            self.accounts.extend(flushed.accounts);
            for (subject, ban) in flushed.bans {
                self.bans.entry(subject).or_insert(ban);
            }
        }
    }
}

impl Handler<IsWritten> for Watcher {
    type Result = bool;
    fn handle(&mut self, _: IsWritten, ctx: &mut Context<Self>) -> bool {
        contain("watcher.flush", || self.flush(ctx));
        !self.busy
    }
}

impl Handler<NextDeadline> for Watcher {
    type Result = Option<Mono>;
    fn handle(&mut self, _: NextDeadline, _: &mut Context<Self>) -> Option<Mono> {
        let writes = !self.busy && (!self.accounts.is_empty() || !self.bans.is_empty());
        let analysis = Wall::from_secs((self.hour + 1) * HOUR + RECORDS_LATE);
        let analyses = self.clock.mono() + analysis.since(self.clock.wall());
        // What is too old is looked for with whatever tick comes: it is not used until then either.
        writes.then_some(self.next).into_iter().chain([analyses.max(self.next)]).min()
    }
}

impl Handler<Observe> for Watcher {
    type Result = MessageResult<Observe>;
    fn handle(&mut self, _: Observe, _: &mut Context<Self>) -> Self::Result {
        let bans = self.board.bans(self.clock.wall()).len();
        MessageResult::<Observe>(json!({
            "accounts": self.board.accounts(),
            "callers": self.roll.len(),
            "bans": bans,
            "waiting": self.accounts.len() + self.bans.len(),
        }) as Value)
    }
}
