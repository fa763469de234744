//! One account's asks of money: they pass here on their way to the Ledger, and what changes the account comes back here.
//!
//! Kept by the [`UserLimiter`](crate::user_limiter::UserLimiter) of the user that owns the account. Decides nothing: the one
//! decision is the Ledger's, on the rows themselves. Knows the calls that its money carries, so that a top-up reaches them.
//! After a crash it is born anew at the next ask; calls name themselves again with it.

use std::sync::Arc;

use actix::WeakAddr;
use actix::prelude::*;
use serde_json::{Value, json};
use tollgate_billing::ledger::{Ask, What};
use tollgate_call::Event;
use tollgate_types::{AccountId, CallId, Map};

use crate::call::{Call, Tell};
use crate::ledger::{LedgerDoor, Order};
use crate::observe::Observe;
use crate::premises::Premises;
use crate::supervision::LastWord;

const MAILBOX: usize = 4096;

/// See the module.
pub struct Account {
    account: AccountId,
    /// Calls that hold money of this account, to be told of new funds.
    calls: Map<CallId, WeakAddr<Call>>,
    asks: u64,
    _last_word: LastWord,
}

/// An order on its way to the Ledger. If whoever carries it dies, it goes there by itself: money must still be settled.
pub struct Letter {
    order: Option<Order>,
    ledger: LedgerDoor,
}

impl Letter {
    /// To be brought to `ledger`.
    pub fn new(order: Order, ledger: &LedgerDoor) -> Letter {
        Letter { order: Some(order), ledger: ledger.clone() }
    }

    /// Which ask it is, and of what.
    fn ask(&self) -> Option<&Ask> {
        self.order.as_ref().map(|order| &order.ask)
    }

    /// Brings it.
    pub fn deliver(self) {
        drop(self);
    }
}

impl Drop for Letter {
    fn drop(&mut self) {
        if let Some(order) = self.order.take() {
            self.ledger.order(order);
        }
    }
}

/// An ask of money for a call that this account pays.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Enquiry {
    /// Which account.
    pub account: AccountId,
    /// What the Ledger is to do, and who wants to know.
    pub letter: Letter,
    /// The call.
    pub caller: Addr<Call>,
}

/// The balance or a limit changed: live calls may ask again.
#[derive(Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Funds;

impl Account {
    /// Starts it on the current thread.
    pub fn open(account: AccountId, house: Arc<Premises>) -> Addr<Account> {
        Account::create(move |ctx| {
            ctx.set_mailbox_capacity(MAILBOX);
            let calls = house.seed.map();
            let _last_word = LastWord::new("account", account, &house.alerter);
            Account { account, calls, asks: 0, _last_word }
        })
    }
}

impl Actor for Account {
    type Context = Context<Self>;
}

impl Handler<Enquiry> for Account {
    type Result = ();
    fn handle(&mut self, enquiry: Enquiry, _: &mut Context<Self>) {
        self.asks += 1;
        let Enquiry { letter, caller, .. } = enquiry;
        match letter.ask() {
            Some(Ask { key, what: What::Hold(_) | What::Extend(_) | What::Answered(_), .. }) => {
                self.calls.insert(key.call, caller.downgrade());
            }
            Some(Ask { key, what: What::Settle(_) | What::Record(_), .. }) => {
                self.calls.remove(&key.call);
            }
            _ => {}
        }
        letter.deliver();
    }
}

impl Handler<Funds> for Account {
    type Result = ();
    fn handle(&mut self, _: Funds, _: &mut Context<Self>) {
        self.calls.retain(|_, call| match call.upgrade() {
            Some(call) => call.try_send(Tell(Event::Funds)).is_ok() || call.connected(),
            None => false,
        });
    }
}

impl Handler<Observe> for Account {
    type Result = MessageResult<Observe>;
    fn handle(&mut self, _: Observe, _: &mut Context<Self>) -> Self::Result {
        MessageResult::<Observe>(
            json!({ "account": self.account, "calls": self.calls.len(), "asks": self.asks }) as Value
        )
    }
}
