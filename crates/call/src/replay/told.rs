//! What a record tells of the attempt it was: who asked for what, and what a minute cost.

use tollgate_billing::cdr::{CallKind, Cdr, LevelCharge};
use tollgate_billing::ledger::LevelQuote;
use tollgate_billing::price::{Price, PricePlan};
use tollgate_routing::Directory;
use tollgate_types::{Money, Rate};

use crate::admission::PlanAsk;
use crate::party::{Claim, Party};

/// Was the leg added by somebody to a call that others had begun? Then he pays, and no trunk is asked.
fn is_sent_on(cdr: &Cdr) -> bool {
    matches!(cdr.kind, CallKind::Redirect | CallKind::Forward | CallKind::Transfer)
}

/// The question that the record answers; `None` where who asked is no longer there.
pub(super) fn ask(cdr: &Cdr, directory: &Directory) -> Option<PlanAsk> {
    let payer = match cdr.trunk_in.as_deref().filter(|_| !is_sent_on(cdr)) {
        Some(name) => {
            let trunk = directory.ingresses().iter().find(|trunk| *trunk.name == *name)?;
            Party::Trunk { trunk: trunk.id, account: trunk.account, name: trunk.name.clone() }
        }
        None => {
            let user = directory.user(cdr.user_id?)?;
            Party::User { user: user.id, account: user.account, name: user.name.clone() }
        }
    };
    let is_number = cdr.callee.len() > 6 && cdr.callee.bytes().all(|byte| byte.is_ascii_digit());
    let plus = if is_number { "+" } else { "" };
    let dialled: Box<str> = format!("sip:{plus}{}@{}", cdr.callee, directory.domains().realm()).into();
    // A user's record shows his name, a trunk's the number that it sent.
    let shown = if payer.is_trunk() { cdr.caller.as_str().into() } else { Box::default() };
    Some(PlanAsk {
        kind: if is_sent_on(cdr) { cdr.kind } else { CallKind::Internal },
        caller: payer.clone(),
        payer,
        source: cdr.source_ip.unwrap_or(std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED)),
        to: dialled.clone(),
        dialled,
        claim: Claim { user: shown, ..Claim::default() },
        local_only: false,
    })
}

/// What each level paid, as a price by the second that comes to the same; `None` where nothing was answered.
pub(super) fn levels(cdr: &Cdr) -> Option<Vec<LevelQuote>> {
    cdr.answered_at?;
    let quote = |level: &LevelCharge| LevelQuote {
        account: level.account,
        currency: level.currency,
        plan: price(level.amount, cdr.talk_ms).map_or(PricePlan::free(), PricePlan::flat),
    };
    Some(cdr.levels.iter().map(quote).collect()).filter(|levels: &Vec<_>| !levels.is_empty())
}

/// The rate that makes `talk_ms` cost `amount`; `None` where it was free.
fn price(amount: Money, talk_ms: u64) -> Option<Price> {
    let seconds = i128::from(talk_ms.div_ceil(1000));
    let price = |rate, setup_fee| Price { rate, setup_fee, first: 1, next: 1, grace: 0 };
    match (amount.micros(), seconds) {
        (..=0, _) => None,
        (_, 0) => Some(price(Rate::ZERO, amount)),
        (micros, seconds) => {
            // Rounded down: what is missing of a millionth, the charge rounds up.
            let nanos = i128::from(micros) * 60_000 / seconds;
            Some(price(Rate::from_nanos(i64::try_from(nanos).unwrap_or(i64::MAX)), Money::ZERO))
        }
    }
}

/// What a minute cost the payer.
pub(super) fn per_minute(cdr: &Cdr) -> Rate {
    price(cdr.sell_cost, cdr.talk_ms).map_or(Rate::ZERO, |price| price.rate)
}

#[cfg(test)]
mod tests {
    use tollgate_billing::charge::price_of;
    use tollgate_types::Wall;

    use super::*;

    #[test]
    fn a_price_read_from_a_record_comes_to_what_was_paid() {
        for (micros, talk_ms) in
            [(1, 1), (100_000, 10_000), (123_457, 61_001), (999_834, 857_000), (7_000_001, 86_400_000), (50_000, 0)]
        {
            let amount = Money::from_micros(micros);
            let plan = PricePlan::flat(price(amount, talk_ms).unwrap());
            let again = price_of(&plan, Wall::from_secs(0), talk_ms.max(1), &[]).amount;
            assert!((again.micros() - micros).abs() <= 1, "{micros} for {talk_ms} ms: {again}");
        }
        assert_eq!(price(Money::ZERO, 1000), None);
    }
}
