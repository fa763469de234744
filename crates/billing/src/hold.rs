//! Money held for a live call, and all that is needed to end and charge it when its process is gone.

use serde::{Deserialize, Serialize};
use tollgate_types::{AccountId, CallId, Currency, Money, Rate, TrunkId, UserId, Wall};

use crate::calendar::{Day, Month};
use crate::cdr::Cdr;
use crate::currency::Exchange;
use crate::price::PricePlan;
use crate::source::SourceHold;

/// Names one paid leg of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct HoldKey {
    /// The call.
    pub call: CallId,
    /// 0 for the caller's leg; each forward, followed 3xx or transfer counts on.
    pub paid_leg: u8,
}

/// One life of one node, so that a restarted node knows what its former life left behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NodeLife {
    /// The node.
    pub node: u16,
    /// Which start of it; later lives have larger numbers.
    pub life: i64,
}

/// Who can have lines: a live hold that names a holder occupies one of his.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Holder {
    /// A user, calling or called.
    User(UserId),
    /// An account of the paying chain; the ledger adds these by itself.
    Account(AccountId),
    /// A trunk.
    Trunk(TrunkId),
}

/// The live hold of one paid leg. Written whole; a store may keep some fields in columns of their own to find rows by.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HoldRow {
    /// Which leg.
    pub key: HoldKey,
    /// Who runs the call.
    pub node: NodeLife,
    /// The last ask that changed this row; what is not newer is a replay.
    pub sequence: u32,
    /// An emergency call: asks nothing, costs nothing.
    pub emergency: bool,
    /// When it was held.
    pub held_at: Wall,
    /// An answer until then is covered whatever the price and the day are by then.
    pub answer_by: Wall,
    /// When the callee answered, to the millisecond.
    pub answered_at: Option<Wall>,
    /// Since when no media came, if so; talk is proven until then only.
    pub silent_at: Option<Wall>,
    /// Milliseconds from the answer that are paid for; `None` when free for ever.
    pub paid_ms: Option<u64>,
    /// What each level holds: the payer first, then its resellers upwards.
    pub levels: Vec<LevelHold>,
    /// Whose lines it occupies.
    pub holders: Vec<Holder>,
    /// Its share in what its source address uses, while that is limited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceHold>,
    /// The carrier's side, known from the answer on.
    pub buy: Option<BuyQuote>,
    /// What ends both dialogs without the process that made them; only the call reads it.
    #[serde(with = "hex_text")]
    pub dialogs: Vec<u8>,
    /// The record as far as it is known.
    pub draft: Box<Cdr>,
}

/// What one level holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LevelHold {
    /// Whose money.
    pub account: AccountId,
    /// The account's own.
    pub currency: Currency,
    /// The prices frozen at the quote.
    pub plan: PricePlan,
    /// Out of the balance for now.
    pub held: Money,
    /// Counted against these days. While it rings near midnight two days carry the whole of it, so the sum may exceed
    /// `held`; from the answer on the sum is `held`.
    pub days: Vec<(Day, Money)>,
    /// Where the account's days begin during the call; the first stands for all time before.
    pub turns: Vec<Turn>,
    /// Counted against the burn rate.
    pub rate: Rate,
}

/// The first instant of an account's day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// The day.
    pub day: Day,
    /// Its first instant.
    pub from: Wall,
}

/// What the winning carrier will ask, frozen with the call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuyQuote {
    /// Who.
    pub trunk: TrunkId,
    /// Its prices, in its currency.
    pub plan: PricePlan,
    /// From its currency to the payer's.
    pub exchange: Exchange,
}

impl HoldRow {
    /// Wall time up to which the call is paid; `None` before the answer or when free for ever.
    pub fn paid_until(&self) -> Option<Wall> {
        Some(self.answered_at? + std::time::Duration::from_millis(self.paid_ms?))
    }

    /// The account that pays.
    pub fn payer(&self) -> Option<AccountId> {
        self.levels.first().map(|level| level.account)
    }
}

impl LevelHold {
    /// What counts against `day`.
    pub fn on_day(&self, day: Day) -> Money {
        self.days.iter().filter(|(held, _)| *held == day).map(|(_, money)| *money).sum()
    }

    /// What counts against each month: never more than is held, though two of its days may carry the whole.
    pub fn by_month(&self) -> Vec<(Month, Money)> {
        let mut months: Vec<(Month, Money)> = Vec::with_capacity(1);
        for (day, money) in &self.days {
            match months.iter_mut().find(|(month, _)| *month == day.month()) {
                Some((_, sum)) => *sum = sum.saturating_add(*money).min(self.held),
                None => months.push((day.month(), (*money).min(self.held))),
            }
        }
        months
    }

    /// The day that an increment beginning at `at` belongs to.
    pub fn day_at(&self, at: Wall) -> Option<Day> {
        self.turns.iter().rev().find(|turn| turn.from <= at).or(self.turns.first()).map(|turn| turn.day)
    }
}

/// Bytes as hexadecimal text: a JSON array of numbers is four times as long.
pub(crate) mod hex_text {
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(bytes))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        hex::decode(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}
