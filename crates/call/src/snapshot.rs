//! A call as others may see it: for `call list`, the console and tests.

use serde::Serialize;
use tollgate_billing::cdr::{CallKind, Cause};
use tollgate_types::{CallId, Mono, Rate, Wall};

use crate::call::Call;
use crate::leg::{Abilities, LegId, State};
use crate::party::Party;
use crate::session::Session;

/// How far a call has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Progress {
    /// Rules and money are being asked.
    Admitting,
    /// Somebody is being reached, or rings.
    Ringing,
    /// People talk.
    Talking,
    /// It is over but for last words.
    Ending,
}

/// One call at one moment.
#[derive(Clone, Debug, Serialize)]
pub struct Snapshot {
    /// Which.
    pub id: CallId,
    /// How far.
    pub state: Progress,
    /// Who called.
    pub caller: String,
    /// Who was called.
    pub callee: String,
    /// The user who called, if it was one.
    pub user: Option<String>,
    /// The trunk it came in by.
    pub trunk_in: Option<String>,
    /// The trunk it leaves by.
    pub trunk_out: Option<String>,
    /// When the INVITE came.
    pub started_at: Wall,
    /// When it was answered.
    pub answered_at: Option<Wall>,
    /// Whole seconds of talk so far.
    pub seconds: u64,
    /// When what is paid ends, while people talk for money.
    pub paid_until: Option<Wall>,
    /// What a minute costs the first payer.
    pub price_per_minute: Rate,
    /// The paid legs.
    pub paid: Vec<PaidSnapshot>,
    /// The legs.
    pub legs: Vec<LegSnapshot>,
    /// Why it ends.
    pub cause: Option<Cause>,
}

/// One paid leg.
#[derive(Clone, Debug, Serialize)]
pub struct PaidSnapshot {
    /// The call that began it.
    pub call: CallId,
    /// Which of it.
    pub index: u8,
    /// How it came about.
    pub kind: CallKind,
    /// Milliseconds paid for; `None` = without end.
    pub paid_ms: Option<u64>,
    /// Milliseconds talked.
    pub talk_ms: u64,
}

/// One leg.
#[derive(Clone, Debug, Serialize)]
pub struct LegSnapshot {
    /// Which.
    pub id: LegId,
    /// Who.
    pub party: Party,
    /// How far.
    pub state: State,
    /// What it can do.
    pub can: Abilities,
    /// Its session timer.
    pub session: Session,
}

impl Call {
    /// The call now.
    pub fn observe(&self, now: Mono, wall: Wall) -> Snapshot {
        let first = self.paid.first();
        let answered = first.and_then(|paid| paid.answered);
        let until = self.paid_until();
        let state = match (&self.ending, answered, &self.hunt) {
            (Some(_), ..) => Progress::Ending,
            (None, Some(_), _) => Progress::Talking,
            (None, None, Some(hunt)) if !hunt.branches.is_empty() => Progress::Ringing,
            _ => Progress::Admitting,
        };
        Snapshot {
            id: self.id,
            state,
            caller: first.map(|paid| paid.cdr.caller.clone()).unwrap_or_default(),
            callee: first.map(|paid| paid.cdr.callee.clone()).unwrap_or_default(),
            user: first.and_then(|paid| paid.cdr.user.clone()),
            trunk_in: first.and_then(|paid| paid.cdr.trunk_in.clone()),
            trunk_out: first.and_then(|paid| paid.cdr.trunk_out.clone()),
            started_at: self.started.1,
            answered_at: answered.map(|(_, wall)| wall),
            seconds: first.map_or(0, |paid| paid.talk_ms(now) / 1000),
            paid_until: (until != Mono::NEVER).then(|| wall + until.since(now)),
            price_per_minute: first.map(|paid| paid.price_per_minute).unwrap_or_default(),
            paid: self
                .paid
                .iter()
                .map(|paid| PaidSnapshot {
                    call: paid.call,
                    index: paid.index,
                    kind: paid.cdr.kind,
                    paid_ms: paid.paid_ms,
                    talk_ms: paid.talk_ms(now),
                })
                .collect(),
            legs: self
                .legs
                .iter()
                .map(|leg| LegSnapshot {
                    id: leg.id,
                    party: leg.party.clone(),
                    state: leg.state,
                    can: leg.can,
                    session: leg.session,
                })
                .collect(),
            cause: self.ending.as_ref().map(|ending| ending.cause),
        }
    }
}
