//! Asks that may wait outside the database: facts that nobody can refuse any more, only write down.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use tollgate_types::{AccountId, Currency, Mono, Wall};

use super::{Answered, Ask, AskKey, Hold, LevelQuote, LineAsk, Recover, Settle, What};
use crate::cdr::Cdr;
use crate::hold::{Holder, NodeLife};
use crate::price::PricePlan;

/// One of them, as a file keeps it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Deferred {
    /// The ask's own, so that bringing it twice changes nothing.
    pub key: AskKey,
    /// What.
    pub fact: Fact,
}

/// What can be deferred.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fact {
    /// A call that costs nothing went on without a hold.
    Began(Box<Began>),
    /// See [`What::Answered`].
    Answered(Box<Answered>),
    /// See [`What::Silent`].
    Silent(Option<Wall>),
    /// See [`What::Settle`].
    Settle(Box<Settle>),
    /// See [`What::Recover`].
    Recover(Recover),
    /// See [`What::Record`].
    Record(Box<Cdr>),
    /// See [`What::Repeats`].
    Repeats(u32),
}

/// What a hold of a free call keeps: whose lines, its record so far, and what ends its dialogs after a crash.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Began {
    /// Who runs it.
    pub node: NodeLife,
    /// The chain of accounts.
    pub levels: Vec<(AccountId, Currency)>,
    /// Further lines it takes.
    pub holders: Vec<Holder>,
    /// See [`Hold::source`].
    pub source: Option<IpAddr>,
    /// See [`Hold::draft`].
    pub draft: Box<Cdr>,
    /// See [`Hold::dialogs`].
    pub dialogs: String,
}

/// What becomes of an ask while the database is away.
#[derive(Clone, Debug)]
pub enum Away {
    /// It costs nothing: it goes on, and this is written later.
    GoesOn(Deferred),
    /// It has happened: this is written later.
    Later(Deferred),
    /// It needs money that nobody can see: no.
    Refused,
}

impl Away {
    /// Paid holds, extensions and payments need the books; everything else can wait for them.
    pub fn of(ask: &Ask) -> Away {
        let fact = match &ask.what {
            What::Hold(hold) if hold.is_free() => {
                return Away::GoesOn(Deferred { key: ask.key, fact: Fact::Began(Box::new(Began::of(hold))) });
            }
            What::Hold(_) | What::Extend(_) | What::Credit(_) | What::AcceptDay { .. } => return Away::Refused,
            What::Answered(answered) => Fact::Answered(answered.clone()),
            What::Silent(since) => Fact::Silent(*since),
            What::Settle(settle) => Fact::Settle(settle.clone()),
            What::Recover(recover) => Fact::Recover(*recover),
            What::Record(cdr) => Fact::Record(cdr.clone()),
            What::Repeats(count) => Fact::Repeats(*count),
        };
        Away::Later(Deferred { key: ask.key, fact })
    }
}

impl Deferred {
    /// Does it set money free?
    pub fn moves_money(&self) -> bool {
        matches!(self.fact, Fact::Settle(_) | Fact::Recover(_))
    }

    /// The ask it was. A call that went on without a hold takes one now that asks for nothing and passes every limit: from
    /// then on it is like any other, even for whoever finds it after a crash.
    pub fn into_ask(self) -> Ask {
        let what = match self.fact {
            Fact::Began(began) => What::Hold(Box::new(began.into_hold())),
            Fact::Answered(answered) => What::Answered(answered),
            Fact::Silent(since) => What::Silent(since),
            Fact::Settle(settle) => What::Settle(settle),
            Fact::Recover(recover) => What::Recover(recover),
            Fact::Record(cdr) => What::Record(cdr),
            Fact::Repeats(count) => What::Repeats(count),
        };
        Ask { key: self.key, give_up_at: Mono::NEVER, what }
    }
}

impl Began {
    fn of(hold: &Hold) -> Began {
        Began {
            node: hold.node,
            levels: hold.levels.iter().map(|level| (level.account, level.currency)).collect(),
            holders: hold.lines.iter().map(|line| line.holder).collect(),
            source: hold.source,
            draft: hold.draft.clone(),
            dialogs: hex::encode(&hold.dialogs),
        }
    }

    fn into_hold(self) -> Hold {
        let level = |(account, currency)| LevelQuote { account, currency, plan: PricePlan::free() };
        Hold {
            node: self.node,
            emergency: true,
            levels: self.levels.into_iter().map(level).collect(),
            lines: self.holders.into_iter().map(|holder| LineAsk { holder, max: None, setting: "" }).collect(),
            source: self.source,
            draft: self.draft,
            dialogs: hex::decode(self.dialogs).unwrap_or_default(),
        }
    }
}
