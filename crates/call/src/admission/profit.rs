//! What the call brings and costs: losing and dear routes drop out, and a call with none left is refused.

use tollgate_billing::charge::price_of;
use tollgate_billing::currency::Rounding;
use tollgate_billing::price::PricePlan;
use tollgate_billing::quote;
use tollgate_routing::dialplan::Destination;
use tollgate_types::{Money, Rate, Refusal, Rule};

use super::case::{Case, Compared, Finding};
use super::rows;

/// `price.profit`: what a usual minute brings at the top of the chain against what each route asks for it.
pub(super) fn some_route_gains(case: &mut Case<'_>) -> Finding {
    let word = case.facts.values.word(&rows::PROFIT);
    if word == "off" || !matches!(case.destination, Destination::Outside { .. }) {
        return Finding::Skip;
    }
    let brings = revenue(case);
    let gains = |cost: Option<Money>| match (brings, cost, word) {
        (Some(brings), Some(cost), "no-loss") => cost <= brings,
        (Some(brings), Some(cost), _) => cost < brings,
        (_, _, word) => word != "known-gain",
    };
    let cheapest = case.candidates.iter().filter_map(|candidate| candidate.cost.map(|cost| cost.minute)).min();
    case.candidates.retain(|candidate| gains(candidate.cost.map(|cost| cost.minute)));
    let shown = |money: Option<Money>| money.map_or_else(|| "an unknown amount".to_owned(), |money| money.to_string());
    match case.candidates.is_empty() {
        true => Finding::Refuse(Refusal::new(Rule::Unprofitable, rows::PROFIT.name, shown(brings), shown(cheapest))),
        false => Finding::Pass(Compared::of(rows::PROFIT.name, shown(brings), shown(cheapest))),
    }
}

/// What a usual minute brings us, in the platform's currency: what the top of the chain pays. `None` where that is unknown.
fn revenue(case: &Case<'_>) -> Option<Money> {
    let facts = case.facts;
    let level = case.levels.last()?;
    if case.unpriced {
        return None;
    }
    let price = *level.plan.at(facts.wall)?;
    let minute = price_of(&PricePlan::flat(price), facts.wall, 60_000, &[]).amount;
    Some(facts.rates.at(level.currency, facts.currency, facts.wall)?.convert(minute, Rounding::Down))
}

/// `price.buy_max` drops routes; `price.sell_max`, or the account's own, refuses the call.
pub(super) fn nothing_is_too_dear(case: &mut Case<'_>) -> Finding {
    if !matches!(case.destination, Destination::Outside { .. }) {
        return Finding::Skip;
    }
    let facts = case.facts;
    let mut compared = Compared::default();
    if let Some(most) = facts.values.money_or_off(&rows::BUY_MAX) {
        let most = per_minute(most);
        let cheapest = case.candidates.iter().filter_map(|candidate| candidate.cost.map(|cost| cost.rate)).min();
        case.candidates.retain(|candidate| candidate.cost.is_none_or(|cost| cost.rate <= most));
        if let (true, Some(cheapest)) = (case.candidates.is_empty(), cheapest) {
            return Finding::Refuse(Refusal::new(Rule::TooDear, rows::BUY_MAX.name, cheapest, most));
        }
        if let Some(cheapest) = cheapest {
            compared = Compared::of(rows::BUY_MAX.name, cheapest, most);
        }
    }
    let Some(payer) = case.chain.first() else { return Finding::Pass(compared) };
    let price = quote::price_per_minute(&case.levels, facts.wall);
    // Its own is in its own currency, the platform's in the platform's.
    let (price, most, setting) = match (payer.sell_max, facts.values.money_or_off(&rows::SELL_MAX)) {
        (Some(own), _) => (price, own, "account.max_price"),
        (None, Some(most)) => {
            let Some(exchange) = facts.rates.at(payer.terms.currency, facts.currency, facts.wall) else {
                return Finding::Pass(compared);
            };
            (exchange.convert_rate(price, Rounding::Up), per_minute(most), rows::SELL_MAX.name)
        }
        (None, None) => return Finding::Pass(compared),
    };
    match price > most {
        true => Finding::Refuse(Refusal::new(Rule::TooDear, setting, price, most)),
        false => Finding::Pass(Compared::of(setting, price, most)),
    }
}

/// An amount a minute.
fn per_minute(amount: Money) -> Rate {
    Rate::from_nanos(amount.micros().saturating_mul(1000))
}
