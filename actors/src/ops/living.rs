//! Who lives in the house at this moment: calls and registrations, asked for themselves.

use actix::Addr;
use futures_util::future::join_all;
use serde_json::Value;
use tollgate_billing::Cause;
use tollgate_call::Event;
use tollgate_types::{AccountId, CallId, Rule, UserId};

use super::Ops;
use super::outcome::Refused;
use crate::call::{Call, Tell};
use crate::observe::Observe;
use crate::premises::Premises;
use crate::registration::{Clear, Registration};
use crate::sip_shard::{LiveCalls, LiveRegistrations, ToUser};
use crate::user_limiter::Errand;

/// Actors asked at once.
const AT_ONCE: usize = 256;

impl Ops {
    /// Nobody lives here without a server.
    pub(super) fn living(&self) -> Option<&Premises> {
        self.house.as_deref()
    }

    /// Live calls, or the one called `only`, each with what it says of itself.
    pub(super) async fn live_calls(&self, only: Option<CallId>) -> Vec<(Addr<Call>, Value)> {
        let Some(house) = self.living() else { return Vec::new() };
        let mut addrs = Vec::new();
        for shard in house.shards().all() {
            addrs.extend(shard.send(LiveCalls { only, ordinary: false }).await.unwrap_or_default());
        }
        let mut calls = Vec::with_capacity(addrs.len());
        for part in addrs.chunks(AT_ONCE) {
            let answers = join_all(part.iter().map(|addr| addr.send(Observe))).await;
            // One that ended meanwhile is no live call.
            calls.extend(part.iter().cloned().zip(answers).filter_map(|(addr, said)| Some((addr, said.ok()?))));
        }
        calls
    }

    /// Registrations, of one user or of all.
    pub(super) async fn live_registrations(&self, only: Option<UserId>) -> Vec<Addr<Registration>> {
        let Some(house) = self.living() else { return Vec::new() };
        let mut addrs = Vec::new();
        for shard in house.shards().all() {
            addrs.extend(shard.send(LiveRegistrations { only }).await.unwrap_or_default());
        }
        addrs
    }

    /// What registrations say of their bindings, one row each.
    pub(super) async fn live_bindings(&self, only: Option<UserId>) -> Vec<Value> {
        let mut rows = Vec::new();
        for part in self.live_registrations(only).await.chunks(AT_ONCE) {
            for said in join_all(part.iter().map(|addr| addr.send(Observe))).await {
                if let Ok(Value::Array(bindings)) = said {
                    rows.extend(bindings);
                }
            }
        }
        rows
    }

    /// Users, accounts, trunks, numbers or routes changed, here or on another node: whoever was shut out is put out here, and
    /// calls of accounts with other terms ask again.
    pub async fn directory_changed(&self) -> Result<(), Refused> {
        let Some(house) = self.living() else { return Ok(()) };
        let followed = self.snapshots.follow_directory(house).await?;
        for user in followed.shut_out {
            self.put_out(user, None, Cause::Rule(Rule::UserDisabled)).await?;
        }
        let directory = house.directory.load_full();
        for (account, is_disabled) in followed.accounts {
            self.tell_funds(account);
            if let Some(owner) = directory.account(account).and_then(|account| account.owner).filter(|_| is_disabled) {
                self.put_out(owner, Some(account), Cause::Rule(Rule::AccountDisabled)).await?;
            }
        }
        Ok(())
    }

    /// Ends a user's calls and bindings at once; those of whoever pays through `account` too, if one is named.
    pub(super) async fn put_out(&self, user: UserId, account: Option<AccountId>, cause: Cause) -> Result<(), Refused> {
        let Some(house) = self.living() else { return Ok(()) };
        let _ = house.shards().of_user(user).try_send(ToUser { user, errand: Errand::Disable });
        for registration in self.live_registrations(Some(user)).await {
            let _ = registration.send(Clear).await;
        }
        let directory = house.directory.load_full();
        let pays =
            |id: i64| account.is_some_and(|account| directory.chain(AccountId(id)).any(|level| level.id == account));
        for (addr, call) in self.live_calls(None).await {
            let concerned = call["legs"].as_array().into_iter().flatten().any(|leg| {
                let (person, trunk) = (&leg["party"]["User"], &leg["party"]["Trunk"]);
                person["user"].as_i64() == Some(user.0)
                    || [person, trunk].iter().filter_map(|party| party["account"].as_i64()).any(pays)
            });
            if concerned {
                hang_up(&addr, cause).await;
            }
        }
        Ok(())
    }
}

/// Ends a call; one that ended meanwhile is as well.
pub async fn hang_up(call: &Addr<Call>, cause: Cause) {
    let _ = call.send(Tell(Event::HangUp { cause })).await;
}
