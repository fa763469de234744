//! History once more, under other settings: which calls would have been refused, which cut, and what would not have been spent.
//!
//! Records are lived through twice, side by side: by the settings as they are, and by the changed ones. Both worlds ask the
//! list of rules and the ledger that live calls ask; what only the changed one refuses or cuts is a [`Difference`]. So whatever
//! this page cannot know falls out on both sides:
//!
//! - directory, lists, decks and calendar are today's; what a call cost is read from its record;
//! - no balance is asked, for no setting moves one; terms of accounts are today's;
//! - a user's record does not keep the number he showed: the sign of foreign caller ids is silent;
//! - what was refused then has no end to replay: it counts as an attempt alone.

mod told;
mod world;

use std::collections::BTreeMap;
use std::sync::Arc;

use tollgate_billing::account::{AccountTerms, DayRow, Mode, Windows};
use tollgate_billing::calendar::{Calendar, Zone};
use tollgate_billing::cdr::Status;
use tollgate_billing::currency::RateTable;
use tollgate_billing::deck::DeckVersion;
use tollgate_billing::{AccountRow, CallKind, Cdr, HoldKey};
use tollgate_routing::Directory;
use tollgate_routing::destination::Destinations;
use tollgate_routing::list::Lists;
use tollgate_settings::Values;
use tollgate_types::{AccountId, Currency, DeckId, Money, Refusal, Wall};

use world::World;

/// The snapshots that history is judged with.
pub struct Today {
    /// Users, accounts, trunks, numbers and routes.
    pub directory: Arc<Directory>,
    /// What numbers are, and who may call them.
    pub destinations: Arc<Destinations>,
    /// Black and white lists.
    pub lists: Arc<Lists>,
    /// The live version of a deck.
    pub deck: Box<dyn Fn(DeckId) -> Option<Arc<DeckVersion>> + Send + Sync>,
    /// Exchange rates.
    pub rates: Arc<RateTable>,
    /// Peak, off-peak and holidays.
    pub calendar: Arc<Calendar>,
    /// The platform's currency.
    pub currency: Currency,
}

/// See the module. Remembers accounts, callers and addresses, and the calls that live at one moment; never the records.
pub struct Replay {
    as_it_was: World,
    what_if: World,
    /// Calls that the settings as they are have refused or cut, while the other world still runs them.
    cut: BTreeMap<HoldKey, Wall>,
}

/// A call that only the changed settings would have stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Which.
    pub call: HoldKey,
    /// Who paid.
    pub account: AccountId,
    /// Whom it was for.
    pub callee: String,
    /// When it would have been stopped.
    pub at: Wall,
    /// Not while it ran, but before it began?
    pub refused: bool,
    /// By what.
    pub refusal: Refusal,
    /// What it would not have cost, in `currency`.
    pub stopped: Money,
    /// The payer's.
    pub currency: Currency,
}

impl Replay {
    /// Nothing is known yet.
    pub fn new(today: Arc<Today>, as_it_was: Values, what_if: Values) -> Replay {
        let world = |values| World::new(today.clone(), values);
        Replay { as_it_was: world(as_it_was), what_if: world(what_if), cut: BTreeMap::new() }
    }

    /// The accounts that `cdr` needs and that nobody has put in yet.
    pub fn missing(&self, cdr: &Cdr) -> Vec<AccountId> {
        let levels = cdr.levels.iter().map(|level| level.account);
        let chain = cdr.account.map(|payer| self.what_if.chain(payer)).unwrap_or_default();
        levels.chain(chain).filter(|id| !self.what_if.knows(*id)).collect()
    }

    /// An account with the days it had before `since`.
    pub fn put(&mut self, id: AccountId, terms: &AccountTerms, history: &[DayRow], since: Wall) {
        let terms = AccountTerms { mode: Mode::Postpaid, credit_limit: None, disabled: false, ..terms.clone() };
        for world in [&mut self.as_it_was, &mut self.what_if] {
            let mut row = AccountRow::new(id, terms.clone());
            row.state.windows = Some(Windows::resume(&terms, history, since, world.dynamic_window()));
            world.put(row);
        }
    }

    /// A record of before the time in question: it teaches what an account usually does.
    pub fn remember(&mut self, cdr: &Cdr) {
        self.as_it_was.remember(cdr);
        self.what_if.remember(cdr);
    }

    /// The next record, by the time it began; its accounts are put in. `tell` hears what had been stopped until then, and by it.
    pub fn attempt(&mut self, cdr: &Cdr, tell: &mut dyn FnMut(Difference)) {
        self.advance(cdr.started_at, tell);
        if matches!(cdr.kind, CallKind::Emergency) || cdr.account.is_none() {
            return;
        }
        let was = self.as_it_was.attempt(cdr);
        let would = self.what_if.attempt(cdr);
        let call = HoldKey { call: cdr.call_id, paid_leg: cdr.paid_leg };
        if was.is_some() && self.what_if.runs(call) {
            self.cut.insert(call, cdr.started_at);
        }
        if let (Some(account), Some(refusal), None) = (cdr.account, would, was)
            && cdr.status != Status::Refused
        {
            tell(Difference {
                call,
                account,
                callee: cdr.callee.clone(),
                at: cdr.started_at,
                refused: true,
                refusal,
                stopped: cdr.sell_cost,
                currency: cdr.currency,
            });
        }
    }

    /// There are no more records: lets every call end.
    pub fn finish(&mut self, tell: &mut dyn FnMut(Difference)) {
        self.advance(Wall::from_micros(i64::MAX), tell);
    }

    fn advance(&mut self, until: Wall, tell: &mut dyn FnMut(Difference)) {
        let Replay { as_it_was, what_if, cut } = self;
        as_it_was.advance(until, &mut |ended| {
            if let Some((at, _)) = ended.cut
                && what_if.runs(ended.call)
            {
                cut.insert(ended.call, at);
            }
        });
        what_if.advance(until, &mut |ended| {
            let was_cut = cut.remove(&ended.call);
            let Some((at, refusal)) = ended.cut else { return };
            if was_cut.is_none_or(|was_at| at < was_at) {
                tell(Difference {
                    call: ended.call,
                    account: ended.account,
                    callee: ended.callee,
                    at,
                    refused: false,
                    refusal,
                    stopped: ended.recorded.saturating_sub(ended.charged).max(Money::ZERO),
                    currency: ended.currency,
                });
            }
        });
    }
}

impl Today {
    fn is_peak(&self, at: Wall) -> bool {
        !self.calendar.is_offpeak(Zone::UTC, at)
    }
}
