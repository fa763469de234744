//! Money that operators move: asks of the Ledger, which alone writes it, or of the books where no server runs.

use std::collections::BTreeMap;
use std::time::Duration;

use actix::prelude::*;
use tokio::sync::oneshot;
use tollgate_billing::ledger::{Ask, AskKey, Credit, EntryKind, Outcome, What};
use tollgate_store::book::Book;
use tollgate_types::{AccountId, Money, Mono};

use super::Ops;
use super::outcome::Refused;
use crate::ledger::{Answer, Order};
use crate::premises::Premises;
use crate::sip_shard::ToUser;
use crate::user_limiter::Errand;

/// An ask not begun by then is dropped by the Ledger.
const PATIENCE: Duration = Duration::from_secs(8);
/// What a transaction under way may take beyond it.
const GRACE: Duration = Duration::from_secs(7);
/// Orders that the Ledger's mailbox certainly takes.
const AT_ONCE: usize = 1000;

/// Takes the Ledger's answers for somebody who is no actor; goes when it has them all.
struct Inbox {
    left: usize,
    answers: BTreeMap<AskKey, Outcome>,
    whole: Option<oneshot::Sender<BTreeMap<AskKey, Outcome>>>,
}

impl Actor for Inbox {
    type Context = Context<Self>;
}

impl Handler<Answer> for Inbox {
    type Result = ();
    fn handle(&mut self, answer: Answer, ctx: &mut Context<Self>) {
        self.answers.insert(answer.key, answer.outcome);
        self.left = self.left.saturating_sub(1);
        if self.left == 0 {
            if let Some(whole) = self.whole.take() {
                let _ = whole.send(std::mem::take(&mut self.answers));
            }
            ctx.stop();
        }
    }
}

impl Ops {
    /// Opening balances, all or the first reason why not.
    pub(super) async fn open_balances(&self, opening: &[(AccountId, Money)]) -> Result<(), Refused> {
        let credit = |(account, amount): &(AccountId, Money)| {
            What::Credit(Credit {
                account: *account,
                amount: *amount,
                kind: EntryKind::Opening,
                note: "opening balance".into(),
                // An account may be opened with a debt.
                force: true,
            })
        };
        let whats: Vec<What> = opening.iter().map(credit).collect();
        for outcome in self.ask_ledger(whats).await? {
            done(outcome)?;
        }
        Ok(())
    }

    /// One ask of money.
    pub(super) async fn ask_one(&self, what: What) -> Result<Outcome, Refused> {
        let mut outcomes = self.ask_ledger(vec![what]).await?;
        done(outcomes.pop().unwrap_or(Outcome::Closed))
    }

    /// Asks in their order; the n-th outcome answers the n-th ask.
    async fn ask_ledger(&self, whats: Vec<What>) -> Result<Vec<Outcome>, Refused> {
        let mut outcomes = Vec::with_capacity(whats.len());
        let mut left = whats.into_iter();
        loop {
            let part: Vec<What> = left.by_ref().take(AT_ONCE).collect();
            if part.is_empty() {
                return Ok(outcomes);
            }
            let give_up_at = match &self.house {
                Some(house) => house.clock.mono() + PATIENCE,
                None => Mono::NEVER,
            };
            let now = self.clock.wall();
            let ask =
                |what| Ask { key: AskKey { call: self.keys.mint(now), paid_leg: 0, sequence: 0 }, give_up_at, what };
            let asks: Vec<Ask> = part.into_iter().map(ask).collect();
            match &self.house {
                Some(house) => outcomes.extend(order(house, asks).await?),
                None => {
                    let rules = self.rules().await?;
                    let mut book = Book::open(&self.store).await?;
                    outcomes.extend(book.commit(&rules, &asks, now).await?);
                }
            }
        }
    }

    /// An account has more, or other limits: its live calls may ask again.
    pub(super) fn tell_funds(&self, account: AccountId) {
        let Some(house) = &self.house else { return };
        let owner = house.directory.load().account(account).and_then(|account| account.owner);
        if let Some(user) = owner {
            let _ = house.shards().of_user(user).try_send(ToUser { user, errand: Errand::Funds(account) });
        }
    }
}

async fn order(house: &Premises, asks: Vec<Ask>) -> Result<Vec<Outcome>, Refused> {
    let keys: Vec<AskKey> = asks.iter().map(|ask| ask.key).collect();
    let (whole, answered) = oneshot::channel();
    let left = asks.len();
    let inbox = Inbox::start_in_arbiter(house.shards().thread(0), move |ctx| {
        ctx.set_mailbox_capacity(left + 1);
        Inbox { left, answers: BTreeMap::new(), whole: Some(whole) }
    });
    for ask in asks {
        house.ledger.order(Order { ask, reply: Some(inbox.clone().recipient()) });
    }
    let silent = || Refused::because("the ledger did not answer in time; what became of it is told by ledger list");
    let mut answers = match tokio::time::timeout(PATIENCE + GRACE, answered).await {
        Ok(Ok(answers)) => answers,
        _ => return Err(silent()),
    };
    keys.iter().map(|key| answers.remove(key).ok_or_else(silent)).collect()
}

/// An outcome that did what was asked.
fn done(outcome: Outcome) -> Result<Outcome, Refused> {
    match outcome {
        Outcome::Refused(refusal) => Err(Refused::because(refusal)),
        Outcome::Impossible(fault) => Err(Refused::because(fault)),
        Outcome::Repeated(_) | Outcome::Closed => Err(Refused::because("the ledger knows this ask already; try again")),
        outcome => Ok(outcome),
    }
}
