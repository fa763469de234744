//! One user: what the user may begin, and everybody that is the user's.
//!
//! Kept by the [`SipShard`] that the user's id names. Keeps the user's [`Account`] (if the user owns it), [`Registration`]
//! and [`Call`](crate::call::Call)s. Born at the first authenticated request; retires after [`IDLE`] without request or call.
//! After a crash it is born anew: nonces are fresh, registrations are adopted from the shard's roster.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use serde_json::{Value, json};
use tollgate_sip::digest::{NonceBook, NonceUse, Strictness};
use tollgate_sip::transaction::ServerKey;
use tollgate_types::{AccountId, Map, Mono, UserId};

use crate::account::{Account, Enquiry, Funds};
use crate::alerter::{Raise, Severity};
use crate::call::Line;
use crate::observe::Observe;
use crate::premises::Premises;
use crate::registration::{self, Registration};
use crate::sip_shard::{Admitted, Enrol, Leave, Proof, Retire, SipShard, Wake};
use crate::supervision::{Died, LastWord};
use crate::undertaker::bury;

/// How long a user's limiter stays without anything to do.
const IDLE: Duration = Duration::from_secs(30);
const MAILBOX: usize = 1024;

/// See the module.
pub struct UserLimiter {
    user: UserId,
    shard: u16,
    house: Arc<Premises>,
    /// Which nonce was used how often: a repeated count is a replay.
    nonces: NonceBook,
    accounts: Map<AccountId, Addr<Account>>,
    registration: Option<Addr<Registration>>,
    /// Calls admitted and not yet buried.
    calls: u32,
    last_used: Mono,
    _last_word: LastWord,
}

/// What is brought to a user.
#[derive(Message)]
#[rtype(result = "()")]
pub enum Errand {
    /// A REGISTER that proved itself.
    Register(Box<registration::Register>),
    /// May this call begin?
    MayCall(Box<MayCall>),
    /// An ask of money by a call that this user's account pays.
    Ask(Box<Enquiry>),
    /// The account has more, or other limits.
    Funds(AccountId),
    /// The user is disabled: calls and bindings end at once.
    Disable,
    /// The registration that succeeds one that died.
    Adopt(Addr<Registration>),
}

/// May this call begin? Asked once an INVITE, by the shard that holds it. A question that dies with who should have answered
/// is answered 503.
pub struct MayCall {
    /// The INVITE's transaction.
    key: ServerKey,
    /// The proof that came with it, to be counted.
    pub proof: Option<Proof>,
    /// The shard that asks, until it is answered.
    reply: Option<Addr<SipShard>>,
}

impl MayCall {
    /// Asked for the INVITE `key`.
    pub fn new(key: ServerKey, proof: Option<Proof>, reply: Addr<SipShard>) -> MayCall {
        MayCall { key, proof, reply: Some(reply) }
    }

    /// Answers it.
    pub fn answer(mut self, verdict: Result<Recipient<Died<Line>>, u16>) {
        if let Some(shard) = self.reply.take() {
            // The transaction waits for this: its shard holds at most as many of them as it has transactions.
            shard.do_send(Admitted { key: self.key, verdict });
        }
    }
}

impl Drop for MayCall {
    fn drop(&mut self) {
        if let Some(shard) = self.reply.take() {
            shard.do_send(Admitted { key: self.key, verdict: Err(503) });
        }
    }
}

impl UserLimiter {
    /// Starts it on the current thread, with the registration that outlived an earlier one.
    pub fn open(
        user: UserId,
        shard: u16,
        registration: Option<Addr<Registration>>,
        house: Arc<Premises>,
    ) -> Addr<UserLimiter> {
        UserLimiter::create(move |ctx| {
            ctx.set_mailbox_capacity(MAILBOX);
            let now = house.clock.mono();
            let nonces = NonceBook::default();
            let accounts = house.seed.map();
            let _last_word = LastWord::new("user limiter", user, &house.alerter);
            UserLimiter { user, shard, house, nonces, accounts, registration, calls: 0, last_used: now, _last_word }
        })
    }

    fn may_call(&mut self, ask: MayCall, ctx: &mut Context<Self>) {
        let verdict = if self.spend(ask.proof) { Ok(ctx.address().recipient()) } else { Err(CHALLENGE_AGAIN) };
        if verdict.is_ok() {
            self.calls += 1;
        }
        ask.answer(verdict);
    }

    /// Counts a proof; false when it was spent before. What no digest proves is not counted.
    fn spend(&mut self, proof: Option<Proof>) -> bool {
        let policy = self.house.digest_policy();
        self.nonces.expire(self.house.clock.wall(), policy.nonce_lifetime);
        let strict = policy.strictness >= Strictness::Bound;
        proof.is_none_or(|proof| !strict || self.nonces.spend(proof.nonce, proof.nc) == NonceUse::Granted)
    }

    fn account(&mut self, account: AccountId) -> &Addr<Account> {
        let house = &self.house;
        let addr = self.accounts.entry(account).or_insert_with(|| Account::open(account, house.clone()));
        if !addr.connected() {
            *addr = Account::open(account, house.clone());
        }
        addr
    }

    fn is_idle(&self, now: Mono) -> bool {
        self.calls == 0 && now.since(self.last_used) >= IDLE
    }
}

/// The proof was used before, or is too old to tell.
const CHALLENGE_AGAIN: u16 = 401;

impl Actor for UserLimiter {
    type Context = Context<Self>;

    fn started(&mut self, _: &mut Context<Self>) {
        let home = self.house.shards().by_index(usize::from(self.shard));
        home.do_send(Enrol::Limiter { user: self.user, after: IDLE });
    }
}

impl Handler<Errand> for UserLimiter {
    type Result = ();
    fn handle(&mut self, errand: Errand, ctx: &mut Context<Self>) {
        self.last_used = self.house.clock.mono();
        match errand {
            Errand::Register(register) => {
                // A repeated count is a replay unless it is the very REGISTER answered last, which only the registration knows.
                let replayed = !self.spend(register.proof);
                let registration = match &self.registration {
                    Some(registration) if registration.connected() => registration,
                    _ => self.registration.insert(Registration::open(self.user, self.shard, &[], self.house.clone())),
                };
                if registration.try_send(registration::Arrival { register: *register, replayed }).is_err() {
                    metrics::counter!("tollgate_mailbox_full_total", "of" => "registration").increment(1);
                }
            }
            Errand::MayCall(ask) => self.may_call(*ask, ctx),
            Errand::Ask(enquiry) => {
                let account = self.account(enquiry.account);
                // Never lost: what an account cannot take goes past it.
                let _ = account.try_send(*enquiry);
            }
            Errand::Funds(account) => {
                if let Some(account) = self.accounts.get(&account) {
                    let _ = account.try_send(Funds);
                }
            }
            Errand::Adopt(successor) => match &self.registration {
                // A device came before the successor: what it registered with goes on.
                Some(registration) if registration.connected() => {
                    let _ = successor.try_send(Retire);
                }
                _ => self.registration = Some(successor),
            },
            Errand::Disable => {
                if let Some(registration) = &self.registration {
                    registration.do_send(registration::Clear);
                }
            }
        }
    }
}

impl Handler<Died<Line>> for UserLimiter {
    type Result = ();
    fn handle(&mut self, died: Died<Line>, _: &mut Context<Self>) {
        self.calls = self.calls.saturating_sub(1);
        self.last_used = self.house.clock.mono();
        bury(died);
    }
}

impl Handler<Wake> for UserLimiter {
    type Result = ();
    fn handle(&mut self, _: Wake, _: &mut Context<Self>) {
        let home = self.house.shards().by_index(usize::from(self.shard));
        if self.is_idle(self.house.clock.mono()) {
            home.do_send(Leave::Limiter(self.user));
        } else {
            home.do_send(Enrol::Limiter { user: self.user, after: IDLE });
        }
    }
}

impl Handler<Retire> for UserLimiter {
    type Result = ();
    fn handle(&mut self, _: Retire, ctx: &mut Context<Self>) {
        if self.calls > 0 {
            let alert = Raise {
                kind: "limiter_replaced",
                severity: Severity::Notice,
                subject: self.user.to_string(),
                text: "a call began while its user's limiter retired".into(),
            };
            let _ = self.house.alerter.try_send(alert);
            return;
        }
        ctx.stop();
    }
}

impl Handler<Observe> for UserLimiter {
    type Result = MessageResult<Observe>;
    fn handle(&mut self, _: Observe, _: &mut Context<Self>) -> Self::Result {
        MessageResult::<Observe>(json!({
            "user": self.user,
            "calls": self.calls,
            "accounts": self.accounts.len(),
            "nonces": self.nonces.len(),
            "registered": self.registration.is_some(),
        }) as Value)
    }
}

#[cfg(feature = "sabotage")]
impl Handler<crate::sabotage::StrikeAccount> for UserLimiter {
    type Result = ();
    fn handle(&mut self, strike: crate::sabotage::StrikeAccount, _: &mut Context<Self>) {
        if let Some(account) = self.accounts.get(&strike.0) {
            let _ = account.try_send(crate::sabotage::Sabotage);
        }
    }
}
