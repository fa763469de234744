//! Who lives on this shard's thread, by what they are about, and whom the wheel wakes.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use tollgate_sip::wheel::TimerId;
use tollgate_types::{Map, Mono, Seed, TrunkId, UserId};

use super::SipShard;
use super::call_book::CallSlot;
use crate::carrier::{Carrier, Vacant};
use crate::ip_limiter::IpLimiter;
use crate::media_leg::LOOK;
use crate::premises::Premises;
use crate::registration::{Orphaned, Registration};
use crate::supervision::contain;
use crate::user_limiter::{Errand, UserLimiter};

/// Addresses by key. An address whose actor has died or retired is replaced at the next knock.
pub struct Roster {
    limiters: Map<UserId, Addr<UserLimiter>>,
    sources: Map<IpAddr, Addr<IpLimiter>>,
    registrations: Map<UserId, (Addr<Registration>, Option<TimerId>)>,
    carriers: Map<TrunkId, (Addr<Carrier>, Option<TimerId>)>,
}

/// What the wheel wakes.
#[derive(Clone, Copy, Debug)]
pub enum Due {
    /// A call's earliest deadline.
    Call(CallSlot),
    /// A call's media legs look at what was heard.
    Media(CallSlot),
    /// A user's limiter may retire.
    Limiter(UserId),
    /// A source's limiter may retire.
    Source(IpAddr),
    /// A registration's next expiry or keep-alive.
    Registration(UserId),
    /// A carrier's next health check or registration.
    Carrier(TrunkId),
    /// A carrier died: its successor begins.
    Vacant(TrunkId),
}

/// The time that was asked for has come.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct Wake;

/// Your place is given up: stop, unless somebody came in at the last moment.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct Retire;

/// Somebody moves in, or wants to be woken (again) at a time.
#[derive(Message)]
#[rtype(result = "()")]
pub enum Enrol {
    /// A user's registration.
    Registration {
        /// Whose.
        user: UserId,
        /// Where.
        addr: Addr<Registration>,
        /// When to wake it.
        wake_at: Option<Mono>,
    },
    /// A trunk's carrier.
    Carrier {
        /// Which.
        trunk: TrunkId,
        /// Where.
        addr: Addr<Carrier>,
        /// When to wake it.
        wake_at: Option<Mono>,
    },
    /// A limiter wants to look after itself in so long.
    Limiter {
        /// Whose.
        user: UserId,
        /// In how long.
        after: Duration,
    },
    /// A source's limiter wants to look after itself in so long.
    Source {
        /// Which.
        source: IpAddr,
        /// In how long.
        after: Duration,
    },
}

/// Somebody wants to move out.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub enum Leave {
    /// A user's limiter retires.
    Limiter(UserId),
    /// A source's limiter retires.
    Source(IpAddr),
    /// A user has no bindings left.
    Registration(UserId),
    /// A trunk is gone.
    Carrier(TrunkId),
}

impl Roster {
    pub fn new(seed: Seed) -> Roster {
        Roster { limiters: seed.map(), sources: seed.map(), registrations: seed.map(), carriers: seed.map() }
    }

    pub fn limiters(&self) -> usize {
        self.limiters.len()
    }

    pub fn registrations(&self) -> usize {
        self.registrations.len()
    }

    /// The user's limiter, born if it is not there.
    pub fn limiter(&mut self, user: UserId, born: impl FnOnce() -> Addr<UserLimiter>) -> &Addr<UserLimiter> {
        match self.limiters.entry(user) {
            std::collections::hash_map::Entry::Occupied(mut entry) => {
                if !entry.get().connected() {
                    entry.insert(born());
                }
                entry.into_mut()
            }
            std::collections::hash_map::Entry::Vacant(entry) => entry.insert(born()),
        }
    }

    /// The source's limiter, born if it is not there.
    pub fn ip_limiter(&mut self, source: IpAddr, born: impl FnOnce() -> Addr<IpLimiter>) -> Addr<IpLimiter> {
        match self.sources.get(&source) {
            Some(addr) if addr.connected() => addr.clone(),
            _ => {
                let addr = born();
                self.sources.insert(source, addr.clone());
                addr
            }
        }
    }

    /// The user's registration, if he has one.
    pub fn registration(&self, user: UserId) -> Option<&Addr<Registration>> {
        self.registrations.get(&user).map(|(addr, _)| addr).filter(|addr| addr.connected())
    }

    /// All registrations.
    pub fn all_registrations(&self) -> impl Iterator<Item = &Addr<Registration>> {
        self.registrations.values().map(|(addr, _)| addr)
    }

    /// The trunk's carrier, if it lives here.
    pub fn carrier(&self, trunk: TrunkId) -> Option<&Addr<Carrier>> {
        self.carriers.get(&trunk).map(|(addr, _)| addr).filter(|addr| addr.connected())
    }
}

impl SipShard {
    /// Wakes whoever asked for it. One who has moved out meanwhile is not missed.
    pub(super) fn wake(&mut self, due: Due, own: &Addr<SipShard>) {
        match due {
            Due::Call(slot) => self.calls.wake(slot),
            Due::Media(slot) => {
                let next = self.house.clock.mono() + LOOK;
                self.calls.wake_media(slot, || self.wheel.insert(next, Due::Media(slot)));
            }
            Due::Limiter(user) => {
                if let Some(limiter) = self.roster.limiters.get(&user) {
                    let _ = limiter.try_send(Wake);
                }
            }
            Due::Source(source) => {
                if let Some(limiter) = self.roster.sources.get(&source) {
                    let _ = limiter.try_send(Wake);
                }
            }
            Due::Registration(user) => {
                if let Some((registration, timer)) = self.roster.registrations.get_mut(&user) {
                    *timer = None;
                    let _ = registration.try_send(Wake);
                }
            }
            Due::Vacant(trunk) => {
                let trunk = self.house.directory.load().egress(trunk).cloned();
                if let Some(trunk) = trunk.filter(|trunk| self.roster.carrier(trunk.id).is_none()) {
                    Carrier::open(trunk, self.index, own.clone(), self.house.clone());
                }
            }
            Due::Carrier(trunk) => {
                if let Some((carrier, timer)) = self.roster.carriers.get_mut(&trunk) {
                    *timer = None;
                    let _ = carrier.try_send(Wake);
                }
            }
        }
    }
}

/// A carrier that died gets its successor after so long: one that dies at once does not spin.
const VACANCY: Duration = Duration::from_secs(1);

impl Handler<Vacant> for SipShard {
    type Result = ();
    fn handle(&mut self, vacant: Vacant, _: &mut Context<Self>) {
        self.wheel.insert(self.house.clock.mono() + VACANCY, Due::Vacant(vacant.0));
    }
}

impl Handler<Orphaned> for SipShard {
    type Result = ();
    fn handle(&mut self, orphaned: Orphaned, _: &mut Context<Self>) {
        contain("sip_shard.orphaned", || {
            let Orphaned { user, bindings } = orphaned;
            // Whoever registered meanwhile began anew.
            if self.roster.registration(user).is_some() {
                return;
            }
            let house: Arc<Premises> = self.house.clone();
            let successor = Registration::succeed(user, self.index, bindings, house);
            if let Some((_, Some(old))) = self.roster.registrations.insert(user, (successor.clone(), None)) {
                self.wheel.cancel(old);
            }
            if let Some(limiter) = self.roster.limiters.get(&user) {
                let _ = limiter.try_send(Errand::Adopt(successor));
            }
        });
    }
}

impl Handler<Enrol> for SipShard {
    type Result = ();
    fn handle(&mut self, enrol: Enrol, _: &mut Context<Self>) {
        contain("sip_shard.enrol", || self.enrol(enrol));
    }
}

impl SipShard {
    fn enrol(&mut self, enrol: Enrol) {
        match enrol {
            Enrol::Registration { user, addr, wake_at } => {
                let timer = wake_at.map(|at| self.wheel.insert(at, Due::Registration(user)));
                if let Some((_, Some(old))) = self.roster.registrations.insert(user, (addr, timer)) {
                    self.wheel.cancel(old);
                }
            }
            Enrol::Carrier { trunk, addr, wake_at } => {
                let timer = wake_at.map(|at| self.wheel.insert(at, Due::Carrier(trunk)));
                if let Some((_, Some(old))) = self.roster.carriers.insert(trunk, (addr, timer)) {
                    self.wheel.cancel(old);
                }
            }
            Enrol::Limiter { user, after } => {
                self.wheel.insert(self.house.clock.mono() + after, Due::Limiter(user));
            }
            Enrol::Source { source, after } => {
                self.wheel.insert(self.house.clock.mono() + after, Due::Source(source));
            }
        }
    }
}

/// Bindings that the journal remembers from an earlier life.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Remember {
    /// Whose.
    pub user: UserId,
    /// The bindings.
    pub rows: Vec<tollgate_store::registrations::Row>,
}

impl Handler<Remember> for SipShard {
    type Result = ();
    fn handle(&mut self, remember: Remember, _: &mut Context<Self>) {
        contain("sip_shard.remember", || {
            let Remember { user, rows } = remember;
            let addr = Registration::open(user, self.index, &rows, self.house.clone());
            // It enrols itself with its deadlines; until then it can be found already.
            self.roster.registrations.insert(user, (addr, None));
        });
    }
}

impl Handler<Leave> for SipShard {
    type Result = ();
    fn handle(&mut self, leave: Leave, _: &mut Context<Self>) {
        contain("sip_shard.leave", || self.leave(leave));
    }
}

impl SipShard {
    fn leave(&mut self, leave: Leave) {
        match leave {
            // Nothing new is brought to it from here on; what is in its mailbox already comes before the retirement.
            Leave::Limiter(user) => {
                if let Some(limiter) = self.roster.limiters.remove(&user) {
                    let _ = limiter.try_send(Retire);
                }
            }
            Leave::Source(source) => {
                if let Some(limiter) = self.roster.sources.remove(&source) {
                    let _ = limiter.try_send(Retire);
                }
            }
            Leave::Registration(user) => {
                if let Some((_, Some(timer))) = self.roster.registrations.remove(&user) {
                    self.wheel.cancel(timer);
                }
            }
            Leave::Carrier(trunk) => {
                if let Some((_, Some(timer))) = self.roster.carriers.remove(&trunk) {
                    self.wheel.cancel(timer);
                }
            }
        }
    }
}

#[cfg(feature = "sabotage")]
impl Handler<crate::sabotage::Strike> for SipShard {
    type Result = bool;
    fn handle(&mut self, strike: crate::sabotage::Strike, _: &mut Context<Self>) -> bool {
        use crate::sabotage::{Sabotage, StrikeAccount, Victim};
        let roster = &self.roster;
        match strike.0 {
            Victim::UserLimiter(user) => roster.limiters.get(&user).is_some_and(|it| it.try_send(Sabotage).is_ok()),
            Victim::Account(user, account) => {
                roster.limiters.get(&user).is_some_and(|it| it.try_send(StrikeAccount(account)).is_ok())
            }
            Victim::Registration(user) => roster.registration(user).is_some_and(|it| it.try_send(Sabotage).is_ok()),
            Victim::IpLimiter(source) => roster.sources.get(&source).is_some_and(|it| it.try_send(Sabotage).is_ok()),
            Victim::Carrier(trunk) => roster.carrier(trunk).is_some_and(|it| it.try_send(Sabotage).is_ok()),
            Victim::Call(id) => {
                let slot = self.calls.by_id(id);
                slot.and_then(|slot| self.calls.get(slot)).is_some_and(|it| it.addr.try_send(Sabotage).is_ok())
            }
            Victim::MediaLeg(id, side) => {
                let slot = self.calls.by_id(id);
                let entry = slot.and_then(|slot| self.calls.get(slot));
                entry.and_then(|it| it.legs.get(side)).is_some_and(|it| it.try_send(Sabotage).is_ok())
            }
        }
    }
}
