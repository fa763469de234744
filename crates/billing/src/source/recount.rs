//! What addresses used, counted again from records and live holds.

use std::collections::BTreeMap;
use std::net::IpAddr;

use tollgate_types::{Currency, Money, Wall};

use super::{Sums, Usage};
use crate::hold::HoldRow;
use crate::policy::Rules;

/// What a record says of its address. Only of legs that were granted a hold, and of no emergency.
#[derive(Clone, Copy, Debug)]
pub struct Past {
    /// Where the INVITE came from.
    pub ip: IpAddr,
    /// 0 for a new call.
    pub paid_leg: u8,
    /// When the INVITE came.
    pub started_at: Wall,
    /// When it ended.
    pub ended_at: Wall,
    /// Milliseconds talked.
    pub talk_ms: u64,
    /// What the payer was charged.
    pub cost: Money,
    /// In what.
    pub currency: Currency,
}

/// Every address's usage as [`super::IpLimits`] would have it at `now`.
pub fn recount<'a>(
    past: impl IntoIterator<Item = Past>,
    live: impl IntoIterator<Item = &'a HoldRow>,
    rules: &Rules,
    now: Wall,
) -> BTreeMap<IpAddr, Usage> {
    let period = rules.policy.ip.period;
    let mut all: BTreeMap<IpAddr, Usage> = BTreeMap::new();
    let call = |paid_leg| Sums { calls: u64::from(paid_leg == 0), ..Sums::default() };
    for past in past {
        let usage = all.entry(past.ip).or_default();
        let exchange = rules.to_platform(past.currency, past.started_at);
        let spend = exchange.convert(past.cost, crate::currency::Rounding::Up);
        usage.count(past.started_at, call(past.paid_leg), now, period);
        usage.count(past.ended_at, Sums { calls: 0, talk_ms: past.talk_ms, spend }, now, period);
    }
    for hold in live {
        let Some(source) = &hold.source else { continue };
        let usage = all.entry(source.ip).or_default();
        usage.held = usage.held.saturating_add(source.held);
        usage.count(hold.draft.started_at, call(hold.key.paid_leg), now, period);
    }
    all.retain(|_, usage| !usage.is_over(now, period));
    all
}
