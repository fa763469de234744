//! Faults on order, for tests that show what a fault costs. Only with the feature `sabotage`, which no shipped binary has.
//!
//! [`Sabotage`] makes the actor that gets it panic. [`arm`] makes the next event panic that runs [`contain`]ed at a place.
//! [`Strike`] brings a [`Sabotage`] to whom only a shard knows.
//!
//! [`contain`]: crate::supervision::contain

use std::cell::RefCell;
use std::net::IpAddr;

use actix::prelude::*;
use tollgate_types::{AccountId, CallId, TrunkId, UserId};

use crate::account::Account;
use crate::alerter::Alerter;
use crate::call::Call;
use crate::carrier::Carrier;
use crate::ip_limiter::IpLimiter;
use crate::journal::Journal;
use crate::media_leg::MediaLeg;
use crate::rater::Rater;
use crate::registration::Registration;
use crate::user_limiter::UserLimiter;

/// Panic.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct Sabotage;

/// Whom to strike.
#[derive(Clone, Copy, Debug)]
pub enum Victim {
    /// A call.
    Call(CallId),
    /// One of a call's legs: 0 or 1.
    MediaLeg(CallId, usize),
    /// A user's limiter.
    UserLimiter(UserId),
    /// An account, at its owner's.
    Account(UserId, AccountId),
    /// A user's registration.
    Registration(UserId),
    /// A source's limiter.
    IpLimiter(IpAddr),
    /// A trunk's carrier.
    Carrier(TrunkId),
}

/// Strike somebody who lives on this shard. False where nobody does.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "bool")]
pub struct Strike(pub Victim);

/// Strike this account of the user's.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct StrikeAccount(pub AccountId);

/// Let nothing be committed until told otherwise.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct Stall(pub bool);

/// Let the database be away for the Ledger until told otherwise.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct Cut(pub bool);

thread_local! {
    static ARMED: RefCell<Vec<&'static str>> = const { RefCell::new(Vec::new()) };
}

/// The next event that runs contained at `place`, on this thread, panics.
pub fn arm(place: &'static str) {
    ARMED.with_borrow_mut(|armed| armed.push(place));
}

/// Has everything that was armed gone off?
pub fn is_spent() -> bool {
    ARMED.with_borrow(Vec::is_empty)
}

pub(crate) fn spring(place: &'static str) {
    let armed = ARMED.with_borrow_mut(|armed| {
        let at = armed.iter().position(|known| *known == place)?;
        Some(armed.remove(at))
    });
    assert!(armed.is_none(), "sabotage at {place}");
}

macro_rules! mortal {
    ($($actor:ty),*) => {$(
        impl Handler<Sabotage> for $actor {
            type Result = ();
            fn handle(&mut self, _: Sabotage, _: &mut Context<Self>) {
                panic!("sabotage");
            }
        }
    )*};
}

mortal!(Account, Alerter, Call, Carrier, IpLimiter, Journal, MediaLeg, Rater, Registration, UserLimiter);
