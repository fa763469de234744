//! What can be asked of the ledger.

use serde::{Deserialize, Serialize};
use std::net::IpAddr;

use tollgate_types::{AccountId, CallId, Currency, Money, Mono, TrunkId, Wall};

use crate::calendar::Day;
use crate::cdr::Cdr;
use crate::hold::{BuyQuote, HoldKey, Holder, NodeLife};
use crate::ledger::EntryKind;
use crate::price::PricePlan;

/// One ask. Asks of one paid leg come in the order of their sequence.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Makes it unique: the same key again is a replay and changes nothing.
    pub key: AskKey,
    /// Whoever asked has given up by then; an ask not yet begun is dropped.
    pub give_up_at: Mono,
    /// What.
    pub what: What,
}

/// Names one ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AskKey {
    /// The call, or an id minted for a payment.
    pub call: CallId,
    /// Which paid leg.
    pub paid_leg: u8,
    /// Counts the asks of one leg upwards; a new question takes a new number.
    pub sequence: u32,
}

/// The kinds of ask.
#[derive(Clone, Debug)]
pub enum What {
    /// May this call be tried? Holds its minimum ask at every level, or nothing. → `Held`, `Refused`
    Hold(Box<Hold>),
    /// More time. → `Extended`, `Refused`
    Extend(Extend),
    /// The callee answered. → `Answered`
    Answered(Box<Answered>),
    /// Media stopped at this time, or came back (`None`). → `Done`
    Silent(Option<Wall>),
    /// The call ended: charge, release the rest, write the record. Also for calls never answered, which pay nothing. → `Settled`
    Settle(Box<Settle>),
    /// The process died: charge up to what is proven. → `Settled`
    Recover(Recover),
    /// A record that no money was held for: a refusal, or an attempt that failed before its hold. → `Settled`
    Record(Box<Cdr>),
    /// A refusal's record stands for so many attempts by now (see [`fold`](crate::cdr::fold)). → `Done`
    Repeats(u32),
    /// Money in or out by an admin or a payment. → `Credited`
    Credit(Credit),
    /// An admin accepts a day's spend as usual, for the dynamic limit. → `Done`
    AcceptDay {
        /// Whose.
        account: AccountId,
        /// Which.
        day: Day,
    },
}

/// Before any B leg.
#[derive(Clone, Debug)]
pub struct Hold {
    /// Who runs the call.
    pub node: NodeLife,
    /// Passes every limit and costs nothing.
    pub emergency: bool,
    /// The payer first, then its resellers upwards. A free call names them too, with free plans: they have lines.
    pub levels: Vec<LevelQuote>,
    /// Further lines it takes: the caller's, the callee's, the trunk's. Accounts of the chain are added by the ledger.
    pub lines: Vec<LineAsk>,
    /// The address whose calls, seconds and money it counts against; `None` where the limits of an address do not concern it.
    pub source: Option<IpAddr>,
    /// The record as far as it is known.
    pub draft: Box<Cdr>,
    /// What ends the dialogs, as far as they exist.
    pub dialogs: Vec<u8>,
}

/// One level of the chain with its frozen prices, in the account's currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LevelQuote {
    /// Who pays on this level.
    pub account: AccountId,
    /// In what; must be the account's own.
    pub currency: Currency,
    /// How much.
    pub plan: PricePlan,
}

/// One line asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineAsk {
    /// Whose.
    pub holder: Holder,
    /// How many that holder has in all; `None` = any number.
    pub max: Option<u32>,
    /// The setting that says so.
    pub setting: &'static str,
}

/// More time for a call that was answered.
#[derive(Clone, Copy, Debug)]
pub struct Extend {
    /// When it was answered, in case that ask has not come through.
    pub answered_at: Wall,
}

/// The callee answered.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Answered {
    /// When.
    pub at: Wall,
    /// The carrier that won, if any.
    pub buy: Option<BuyQuote>,
    /// Its name, for the record.
    pub trunk_out: Option<(TrunkId, String)>,
    /// What ends both dialogs.
    #[serde(with = "crate::hold::hex_text")]
    pub dialogs: Vec<u8>,
}

/// The call ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Settle {
    /// The record complete but for money; its `talk_ms` and `answered_at` are what is charged. Not answered: nothing is.
    pub cdr: Box<Cdr>,
    /// The carrier that won, in case the answer has not come through.
    pub buy: Option<BuyQuote>,
}

/// A call whose process is gone.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Recover {
    /// The last instant its node is known to have lived.
    pub proven_until: Wall,
}

/// Money in or out.
#[derive(Clone, Debug)]
pub struct Credit {
    /// Whose.
    pub account: AccountId,
    /// Positive or negative, never zero.
    pub amount: Money,
    /// Opening, top-up, correction or payment.
    pub kind: EntryKind,
    /// Why, for people.
    pub note: String,
    /// Take away even what live calls hold or what lies below the floor: a charge-back.
    pub force: bool,
}

impl Hold {
    /// Does it cost nothing at any level?
    pub fn is_free(&self) -> bool {
        self.emergency || self.levels.iter().all(|level| level.plan.is_free())
    }
}

impl Ask {
    /// The paid leg it is about.
    pub fn hold_key(&self) -> HoldKey {
        HoldKey { call: self.key.call, paid_leg: self.key.paid_leg }
    }
}
