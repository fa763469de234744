//! How many users the platform, and each tenant, may have.

use std::collections::BTreeMap;

use tollgate_routing::UserKind;
use tollgate_settings::rows::platform::{TENANT_USERS, USERS};
use tollgate_store::users::{self, UserRow, UserTerms};
use tollgate_types::UserId;

use super::super::Ops;
use super::super::outcome::Refused;

impl Ops {
    /// Refuses when with those to be made there would be too many.
    pub(super) async fn room_for_users(&self, new: &[UserTerms]) -> Result<(), Refused> {
        let values = self.values().await?;
        let most = |row| values.integer_or_off(row).and_then(|most| u64::try_from(most).ok());
        let refuse = |row: &str, count: u64, most: u64| {
            Err(Refused(format!("there would be {count} users, {most} are allowed ({row})")))
        };
        if let Some(most) = most(&USERS) {
            let count = users::count(&self.store).await? + new.len() as u64;
            if count > most {
                return refuse(USERS.name, count, most);
            }
        }
        let Some(most) = most(&TENANT_USERS).filter(|_| new.iter().any(|user| user.parent.is_some())) else {
            return Ok(());
        };
        let all: BTreeMap<UserId, UserRow> =
            users::list(&self.store).await?.into_iter().map(|user| (user.id, user)).collect();
        let top = |mut at: UserId| {
            for _ in 0..all.len() {
                match all.get(&at).and_then(|user| user.terms.parent) {
                    Some(parent) => at = parent,
                    None => break,
                }
            }
            at
        };
        let mut counts: BTreeMap<UserId, u64> = BTreeMap::new();
        for user in all.values() {
            let is_tenants = user.terms.parent.is_some() || user.terms.kind == UserKind::Reseller;
            if is_tenants {
                *counts.entry(top(user.id)).or_default() += 1;
            }
        }
        for parent in new.iter().filter_map(|user| user.parent) {
            let count = counts.entry(top(parent)).or_default();
            *count += 1;
            if *count > most {
                return refuse(TENANT_USERS.name, *count, most);
            }
        }
        Ok(())
    }
}
