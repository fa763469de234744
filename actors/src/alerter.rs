//! Turns events into words for people, without repeating itself.
//!
//! Kept by the [`Caretaker`]. Holds one row for each kind and subject heard of lately, at most [`ROWS_MAX`].
//! Wakes on [`Raise`]. What it says goes to the log; other channels plug in where [`Alerter::say`] stands.

use std::time::Duration;

use actix::prelude::*;
use serde_json::{Value, json};
use tollgate_types::{Map, Seed, Wall};

use crate::caretaker::{Bequest, Caretaker, Post};
use crate::clock::Clock;
use crate::observe::Observe;
use crate::supervision::Estate;

/// Kinds and subjects remembered; the oldest makes room.
const ROWS_MAX: usize = 1024;
/// The same alert about the same subject is said once in this time, then with the count of what was held back.
const WINDOW: Duration = Duration::from_secs(300);
const MAILBOX: usize = 1024;

/// How much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know.
    Notice,
    /// Somebody should look today.
    Warning,
    /// Somebody should look now.
    Critical,
}

/// News for a human.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct Raise {
    /// A closed set of words, such as `actor_died` or `ledger_down`.
    pub kind: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// Whom it concerns: an account, a trunk, a call. Already free of control characters and secrets.
    pub subject: String,
    /// One sentence with the numbers.
    pub text: String,
}

/// The one that speaks to people.
pub struct Alerter(Estate<Memory>);

/// What it holds, and its successor too.
pub struct Memory {
    clock: Clock,
    /// By kind, severity and subject: that it is over is other news than that it began.
    rows: Map<(&'static str, Severity, String), Row>,
    /// Its door.
    post: Post<Alerter>,
}

struct Row {
    said_at: Wall,
    held_back: u64,
}

impl Alerter {
    /// Starts it on the current thread, in the care of `caretaker`.
    pub fn open(clock: Clock, seed: Seed, caretaker: Addr<Caretaker>) -> Post<Alerter> {
        let post = Post::empty();
        Memory { clock, rows: seed.map(), post: post.clone() }.succeed(caretaker);
        post
    }
}

impl Bequest for Memory {
    const KIND: &'static str = "alerter";

    fn succeed(self, caretaker: Addr<Caretaker>) {
        let post = self.post.clone();
        post.fill(Alerter::create(move |ctx| {
            ctx.set_mailbox_capacity(MAILBOX);
            Alerter(Estate::new(self, move |died| caretaker.do_send(died)))
        }));
    }
}

impl Memory {
    fn say(&self, alert: &Raise, held_back: u64) {
        let Raise { kind, severity, subject, text } = alert;
        match severity {
            Severity::Notice => tracing::info!(alert = kind, %subject, held_back, "{text}"),
            Severity::Warning => tracing::warn!(alert = kind, %subject, held_back, "{text}"),
            Severity::Critical => tracing::error!(alert = kind, %subject, held_back, "{text}"),
        }
    }
}

impl Actor for Alerter {
    type Context = Context<Self>;
}

impl Handler<Raise> for Alerter {
    type Result = ();
    fn handle(&mut self, alert: Raise, _: &mut Context<Self>) {
        metrics::counter!("tollgate_alerts_total", "kind" => alert.kind).increment(1);
        let now = self.0.clock.wall();
        let key = (alert.kind, alert.severity, alert.subject.clone());
        if let Some(row) = self.0.rows.get_mut(&key)
            && now.since(row.said_at) < WINDOW
        {
            row.held_back += 1;
            return;
        }
        let held_back = self.0.rows.remove(&key).map_or(0, |row| row.held_back);
        if self.0.rows.len() >= ROWS_MAX
            && let Some(oldest) = self.0.rows.iter().min_by_key(|(_, row)| row.said_at).map(|(key, _)| key.clone())
        {
            self.0.rows.remove(&oldest);
        }
        self.0.say(&alert, held_back);
        self.0.rows.insert(key, Row { said_at: now, held_back: 0 });
    }
}

impl Handler<Observe> for Alerter {
    type Result = MessageResult<Observe>;
    fn handle(&mut self, _: Observe, _: &mut Context<Self>) -> Self::Result {
        let held_back: u64 = self.0.rows.values().map(|row| row.held_back).sum();
        MessageResult::<Observe>(json!({
            "rows": self.0.rows.len(),
            "held_back": held_back,
            "alerts": self.0.rows.keys().map(|(kind, level, subject)| json!([kind, subject, level])).collect::<Vec<_>>(),
        }) as Value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[actix::test]
    async fn a_storm_is_said_once_a_window_and_never_grows() {
        let clock = Clock::stepped(Wall::from_secs(1_000));
        let alerter = Alerter::open(clock.clone(), Seed([1; 4]), Caretaker::open(clock.clone()));
        let alerter = alerter.addr().unwrap();
        for turn in 0..5_000 {
            let subject = if turn % 2 == 0 { "one".to_owned() } else { turn.to_string() };
            let storm = Raise { kind: "test", severity: Severity::Notice, subject, text: "a storm".into() };
            alerter.send(storm).await.unwrap();
        }
        let seen = alerter.send(Observe).await.unwrap();
        assert_eq!(seen["rows"], ROWS_MAX);
        clock.advance(WINDOW);
        alerter
            .send(Raise { kind: "test", severity: Severity::Notice, subject: "one".into(), text: "again".into() })
            .await
            .unwrap();
    }
}
