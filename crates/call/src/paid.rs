//! One paid leg: its hold, its end of paid time, its record. A call has one, and one more for each redirect or transfer.

use tollgate_billing::cdr::Cdr;
use tollgate_billing::hold::BuyQuote;
use tollgate_billing::ledger::AskKey;
use tollgate_types::{CallId, Mono, Rate, Refusal, Wall};

use crate::admission::Plan;

/// A paid leg. Free calls have one too: they take lines and leave a record.
#[derive(Debug)]
pub(crate) struct PaidLeg {
    /// The call that began it.
    pub call: CallId,
    /// Which of that call's.
    pub index: u8,
    /// The sequence of the last ask.
    pub sequence: u32,
    pub state: State,
    /// The record in the making.
    pub cdr: Box<Cdr>,
    /// The plan, until the leg is answered.
    pub plan: Option<Box<Plan>>,
    /// The winner's prices.
    pub buy: Option<BuyQuote>,
    /// Milliseconds from the answer that are paid for; `None` when free for ever.
    pub paid_ms: Option<u64>,
    /// When the callee answered, on both clocks.
    pub answered: Option<(Mono, Wall)>,
    /// When talk ended.
    pub ended: Option<(Mono, Wall)>,
    /// Settled before the ledger said whether it holds anything: should it know of no hold, this record is left alone.
    pub unsure: Option<Box<Cdr>>,
    /// The extension under way.
    pub extending: Option<AskKey>,
    /// Why there will be no more.
    pub refused: Option<Refusal>,
    pub price_per_minute: Rate,
    /// The ledger was told that nobody is heard.
    pub is_quiet: bool,
}

/// Where its money stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub(crate) enum State {
    /// Nothing was asked yet; its record needs no settlement.
    Asked,
    /// The ledger is asked to hold.
    Holding,
    /// It did not answer in time; money may be held or not.
    Doubtful,
    /// Money, or a line alone, is held.
    Held,
    /// It goes on without the ledger: free or emergency while the ledger is away.
    Unheld,
    /// Settled, or recorded.
    Closed,
    /// Given to another call.
    Moved,
}

impl PaidLeg {
    /// A leg whose plan is still being asked for.
    pub fn new(call: CallId, index: u8, cdr: Cdr) -> PaidLeg {
        PaidLeg {
            call,
            index,
            sequence: 0,
            state: State::Asked,
            cdr: Box::new(cdr),
            plan: None,
            buy: None,
            paid_ms: None,
            answered: None,
            ended: None,
            unsure: None,
            extending: None,
            refused: None,
            price_per_minute: Rate::ZERO,
            is_quiet: false,
        }
    }

    /// The key of the next ask.
    pub fn next_key(&mut self) -> AskKey {
        self.sequence += 1;
        AskKey { call: self.call, paid_leg: self.index, sequence: self.sequence }
    }

    /// Is `key` one of this leg's?
    pub fn owns(&self, key: AskKey) -> bool {
        (key.call, key.paid_leg) == (self.call, self.index)
    }

    /// When what is paid ends; [`Mono::NEVER`] while ringing or free.
    pub fn paid_until(&self) -> Mono {
        match (self.answered, self.paid_ms) {
            (Some((at, _)), Some(ms)) => at + std::time::Duration::from_millis(ms),
            _ => Mono::NEVER,
        }
    }

    /// Still open: neither settled nor given away.
    pub fn is_open(&self) -> bool {
        !matches!(self.state, State::Closed | State::Moved)
    }

    /// Talk in milliseconds at `now`. Never beyond what is paid: timer jitter bills nobody.
    pub fn talk_ms(&self, now: Mono) -> u64 {
        let Some((answered, _)) = self.answered else { return 0 };
        let end = self.ended.map_or(now, |(ended, _)| ended);
        let talked = u64::try_from(end.since(answered).as_millis()).unwrap_or(u64::MAX);
        talked.min(self.paid_ms.unwrap_or(u64::MAX))
    }
}
