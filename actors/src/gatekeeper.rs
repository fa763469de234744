//! Who is shut out: the one writer of the ban table that the edges obey.
//!
//! Kept by the platform. Holds who was banned before, and what is not written yet; the table itself, the counters and the
//! firewall stand in the [`Gate`], where every edge sees a change at once. Wakes on [`News`] from edges and shards, on what
//! admins order, and on [`Tick`], which lets bans run out and writes what is new. After a crash the table stands; offences
//! of the last second are forgotten.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use serde_json::{Value, json};
use tollgate_guard::attack::Turn;
use tollgate_guard::ban::{Ban, Reason};
use tollgate_guard::sentence::{Accused, Offence, Offenders, Record, Sentence, Spared};
use tollgate_guard::{Level, Scope};
use tollgate_store::bans::{self, BanRow};
use tollgate_store::{Store, known_sources};
use tollgate_types::{Mono, Seed, Wall};

use crate::alerter::{Alerter, Raise, Severity};
use crate::caretaker::Post;
use crate::clock::Clock;
use crate::gate::{BANS_MAX, Gate};
use crate::kernel_set::KernelSet;
use crate::observe::{NextDeadline, Observe};
use crate::sip_shard::Tick;
use crate::supervision::contain;

const MAILBOX: usize = 4096;
/// How often what is new is written, and what ran out is dropped.
const PAUSE: Duration = Duration::from_secs(1);

/// See the module.
pub struct Gatekeeper {
    gate: Arc<Gate>,
    clock: Clock,
    alerter: Post<Alerter>,
    memory: Option<(Store, tokio::runtime::Handle)>,
    kernel: Option<KernelSet>,
    offenders: Offenders,
    unsaved: Vec<Ban>,
    busy: bool,
    next: Mono,
    pruned: Mono,
}

/// What edges and shards have seen.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub enum News {
    /// A counter is full.
    Accused(Offence, Accused),
    /// An attack began or is over.
    Attack(Turn),
}

/// Bans that hold already: from an earlier life, from another node, or by an admin's word.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Enforce(pub Vec<(Ban, u32)>);

/// Take these back: an admin said so, or another node.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Lift(pub Vec<Scope>);

/// A batch is written, or comes back.
#[derive(Message)]
#[rtype(result = "()")]
struct Saved(Vec<Ban>);

impl Gatekeeper {
    /// Starts it on the current thread and gives it the gate. Without a memory, bans last as long as the process.
    pub fn open(
        gate: Arc<Gate>,
        memory: Option<(Store, tokio::runtime::Handle)>,
        kernel: Option<KernelSet>,
        alerter: Post<Alerter>,
        clock: Clock,
        seed: Seed,
    ) -> Addr<Gatekeeper> {
        let there = gate.clone();
        let keeper = Gatekeeper::create(move |ctx| {
            ctx.set_mailbox_capacity(MAILBOX);
            let now = clock.mono();
            Gatekeeper {
                gate,
                clock,
                alerter,
                memory,
                kernel,
                offenders: Offenders::new(BANS_MAX, seed),
                unsaved: Vec::new(),
                busy: false,
                next: now,
                pruned: now,
            }
        });
        there.move_in(keeper.clone());
        keeper
    }

    fn judge(&mut self, offence: &Offence, accused: &Accused) {
        if self.gate.policy().level < Level::Bans {
            return;
        }
        let now = self.clock.wall();
        let sentence = offence.judge(accused);
        if let Sentence::Spared(why, evidence) = &sentence {
            return self.spare(offence, *why, evidence);
        }
        let short = matches!(sentence, Sentence::Short(..));
        let first = self.gate.policy().ban_for;
        // Counted again while the ban holds: what was under way when it began, or goes on in vain.
        let held = match &sentence {
            Sentence::Full(scope, ..) | Sentence::Short(scope, ..) => self.gate.table().read().is_in_force(scope, now),
            Sentence::Spared(..) => false,
        };
        if held {
            return;
        }
        let Some(ban) = Ban::by(sentence, &mut self.offenders, first, now) else { return };
        if !short {
            self.gate.forgive(&ban);
        }
        self.shut_out(ban, now);
    }

    fn enforce(&mut self, ban: Ban, times: u32, now: Wall) {
        if let (Some(ended), 1..) = (ban.until, times) {
            self.offenders.remember(ban.scope, Record { times, ended });
        }
        if !ban.holds(now) {
            return;
        }
        let known = self.gate.table().read().is_in_force(&ban.scope, now);
        if !known {
            self.mirror(&ban, now);
        }
        if let Err(full) = self.gate.table().write().ban(ban, now) {
            self.raise("ban_table_full", Severity::Warning, "gate".into(), full.to_string());
        }
    }

    fn lift(&mut self, scope: Scope) {
        self.unsaved.retain(|ban| ban.scope != scope);
        self.offenders.forget(&scope);
        if let Some(kernel) = &self.kernel {
            kernel.remove(scope);
        }
        let lifted = self.gate.table().write().lift(&scope);
        if let Some(ban) = lifted {
            self.gate.forgive(&ban);
        }
    }

    fn shut_out(&mut self, ban: Ban, now: Wall) {
        metrics::counter!("tollgate_bans_total", "reason" => ban.reason.id(), "scope" => ban.scope.kind()).increment(1);
        let text = format!("{} {} is banned until {}: {}", ban.scope.kind(), ban.scope, until(&ban), ban.evidence);
        self.raise("ban", Severity::Notice, ban.scope.to_string(), text);
        if let Err(full) = self.gate.table().write().ban(ban.clone(), now) {
            return self.raise("ban_table_full", Severity::Warning, "gate".into(), full.to_string());
        }
        self.mirror(&ban, now);
        if self.unsaved.len() < BANS_MAX {
            self.unsaved.push(ban);
        }
    }

    /// The kernel knows no rules: what one allows is left to the edges.
    fn mirror(&self, ban: &Ban, now: Wall) {
        let firewall = self.gate.firewall();
        let excepted = |net: &tollgate_types::Net| match ban.scope {
            Scope::Net(banned) => banned.has(net.first()) || net.has(banned.first()),
            scope => scope.ip().is_some_and(|ip| net.has(ip)),
        };
        let allowed = firewall.rules().iter().any(|rule| rule.allow && excepted(&rule.net));
        if let Some(kernel) = self.kernel.as_ref().filter(|_| !allowed) {
            kernel.add(ban, now);
        }
    }

    fn spare(&self, offence: &Offence, why: Spared, evidence: &str) {
        let subject = offence.ip().map_or_else(|| "strangers".to_owned(), |ip| ip.to_string());
        metrics::counter!("tollgate_bans_spared_total", "why" => why.id()).increment(1);
        let reason = match why {
            Spared::Trunk => "a trunk's address is not banned",
            Spared::ServedUsers => "served users are at the address, and the sender may be spoofed",
            Spared::Everybody => "many sources share the count",
        };
        self.raise("suspect", Severity::Warning, subject, format!("{evidence}; {reason}"));
    }

    fn raise(&self, kind: &'static str, severity: Severity, subject: String, text: String) {
        let _ = self.alerter.try_send(Raise { kind, severity, subject, text });
    }

    fn turn(&self, turn: Turn) {
        // Two kinds, so that the end is told even right after the beginning.
        let (kind, severity, text) = match turn {
            Turn::Began(count) => (
                "attack",
                Severity::Critical,
                format!("{count} strangers' requests in 90 s: only known peers and trunks are served until it is over"),
            ),
            Turn::Ended => {
                ("attack_over", Severity::Notice, "the attack is over: strangers are served again".to_owned())
            }
        };
        self.raise(kind, severity, "gate".into(), text);
    }

    fn tidy(&mut self, now: Mono, ctx: &mut Context<Gatekeeper>) {
        let wall = self.clock.wall();
        self.gate.table().write().expire(wall);
        if let Some(turn) = self.gate.look_after(now) {
            self.turn(turn);
        }
        if now.since(self.pruned) >= Duration::from_secs(3600) {
            self.pruned = now;
            self.offenders.prune(wall);
            self.gate.residents.prune(wall);
        }
        metrics::gauge!("tollgate_bans").set(self.gate.table().read().len() as f64);
        metrics::gauge!("tollgate_attack_mode").set(f64::from(u8::from(self.gate.is_under_attack())));
        for (why, count) in self.gate.unheard() {
            metrics::counter!("tollgate_unheard_total", "reason" => why).absolute(count);
        }
        self.save(ctx);
    }

    fn save(&mut self, ctx: &mut Context<Gatekeeper>) {
        let Some((store, runtime)) = self.memory.clone() else { return };
        let seen = self.gate.residents.take_unwritten();
        if self.busy || self.unsaved.is_empty() && seen.is_empty() {
            // What was taken meanwhile goes with the next turn.
            self.gate.residents.put_back(seen);
            return;
        }
        self.busy = true;
        let batch = std::mem::take(&mut self.unsaved);
        let rows: Vec<BanRow> =
            batch.iter().map(|ban| row_of(ban, self.offenders.times(&ban.scope), "platform")).collect();
        let own = ctx.address();
        runtime.spawn(async move {
            let saved = bans::save(&store, &rows).await.and(known_sources::saw(&store, &seen).await);
            let unsaved = match saved {
                Ok(()) => Vec::new(),
                Err(error) => {
                    tracing::warn!(%error, "bans are not written; they are tried again");
                    batch
                }
            };
            let _ = own.try_send(Saved(unsaved));
        });
    }
}

/// A ban as the database keeps it.
pub fn row_of(ban: &Ban, times: u32, by: &str) -> BanRow {
    BanRow {
        scope: ban.scope.kind().to_owned(),
        subject: ban.scope.subject(),
        reason: ban.reason.id().to_owned(),
        evidence: ban.evidence.clone(),
        created_by: by.to_owned(),
        created_at: ban.created,
        expires_at: ban.until,
        times,
    }
}

/// A ban as the database had it; `None` for what this version does not know.
pub fn ban_of(row: &BanRow) -> Option<(Ban, u32)> {
    let ban = Ban {
        scope: Scope::read(&row.scope, &row.subject)?,
        reason: Reason::from_id(&row.reason).unwrap_or(Reason::Admin),
        evidence: row.evidence.clone(),
        created: row.created_at,
        until: row.expires_at,
    };
    Some((ban, row.times))
}

fn until(ban: &Ban) -> String {
    ban.until
        .map_or_else(|| "it is lifted".to_owned(), |until| until.to_utc().format("%Y-%m-%d %H:%M:%S UTC").to_string())
}

impl Actor for Gatekeeper {
    type Context = Context<Self>;
}

impl Handler<News> for Gatekeeper {
    type Result = ();
    fn handle(&mut self, news: News, _: &mut Context<Self>) {
        contain("gatekeeper.news", || match news {
            News::Accused(offence, accused) => self.judge(&offence, &accused),
            News::Attack(turn) => self.turn(turn),
        });
    }
}

impl Handler<Enforce> for Gatekeeper {
    type Result = ();
    fn handle(&mut self, enforce: Enforce, _: &mut Context<Self>) {
        let now = self.clock.wall();
        for (ban, times) in enforce.0 {
            contain("gatekeeper.enforce", || self.enforce(ban, times, now));
        }
    }
}

impl Handler<Lift> for Gatekeeper {
    type Result = ();
    fn handle(&mut self, lift: Lift, _: &mut Context<Self>) {
        for scope in lift.0 {
            contain("gatekeeper.lift", || self.lift(scope));
        }
    }
}

impl Handler<Tick> for Gatekeeper {
    type Result = ();
    fn handle(&mut self, tick: Tick, ctx: &mut Context<Self>) {
        if tick.0 >= self.next {
            self.next = tick.0 + PAUSE;
            contain("gatekeeper.tick", || self.tidy(tick.0, ctx));
        }
    }
}

impl Handler<NextDeadline> for Gatekeeper {
    type Result = Option<Mono>;
    fn handle(&mut self, _: NextDeadline, _: &mut Context<Self>) -> Option<Mono> {
        let has_work = !self.unsaved.is_empty() || !self.gate.bans().is_empty();
        has_work.then_some(self.next)
    }
}

impl Handler<Saved> for Gatekeeper {
    type Result = ();
    fn handle(&mut self, saved: Saved, _: &mut Context<Self>) {
        self.busy = false;
        let room = BANS_MAX.saturating_sub(self.unsaved.len());
        self.unsaved.extend(saved.0.into_iter().take(room));
    }
}

impl Handler<Observe> for Gatekeeper {
    type Result = MessageResult<Observe>;
    fn handle(&mut self, _: Observe, _: &mut Context<Self>) -> Self::Result {
        let unheard: serde_json::Map<String, Value> =
            self.gate.unheard().map(|(why, count)| (why.to_owned(), count.into())).collect();
        MessageResult::<Observe>(json!({
            "bans": self.gate.table().read().len(),
            "unsaved": self.unsaved.len(),
            "sources": self.gate.sources(),
            "attack": self.gate.is_under_attack(),
            "unheard": unheard,
        }))
    }
}

#[cfg(test)]
mod tests;
