//! Which ways lead there, in the order they are tried.

use tollgate_billing::charge::price_of;
use tollgate_billing::currency::Rounding;
use tollgate_billing::deck::{Miss, Reach};
use tollgate_billing::price::PricePlan;
use tollgate_billing::quote;
use tollgate_routing::EarlyMedia;
use tollgate_routing::dialplan::Destination;
use tollgate_routing::did::DidUri;
use tollgate_routing::lcr::{self, Buy};
use tollgate_routing::trunk::Egress;
use tollgate_types::{E164, Money, Refusal, Rule};

use super::case::{Case, Compared, Finding};
use super::identity;
use super::{Candidate, Cost};
use crate::party::Target;

/// Users are a way by themselves; numbers elsewhere need a carrier.
pub(super) fn there_is_a_way(case: &mut Case<'_>) -> Finding {
    match (&case.destination, &case.callee) {
        (Destination::User { .. }, Some(_)) => to_user(case, None),
        (Destination::Did { number, uri, .. }, Some(_)) => {
            let number = (*uri == DidUri::Number).then(|| number.digits().into());
            to_user(case, number)
        }
        (Destination::Outside { number }, _) => {
            let (number, digits) = (*number, number.digits().to_owned());
            to_carriers(case, &digits, Some(number))
        }
        (Destination::Emergency { number }, _) => {
            let digits = number.to_string();
            to_carriers(case, &digits, None)
        }
        _ => Finding::Refuse(Refusal::new(Rule::NoRoute, None, case.callee_text(), "")),
    }
}

fn to_user(case: &mut Case<'_>, number: Option<Box<str>>) -> Finding {
    let Some(callee) = case.callee.clone() else { return Finding::Skip };
    let target = Target::User { user: callee.id, account: callee.account, name: callee.name.clone(), number };
    let identity = identity::for_user(case, &callee);
    let early = early_of(case, None);
    case.candidates.push(Candidate { target, identity, buy: None, cost: None, early });
    Finding::Pass(Compared::of(None, &callee.name, ""))
}

/// `number` is missing for short codes, which have no E.164 form.
fn to_carriers(case: &mut Case<'_>, digits: &str, number: Option<E164>) -> Finding {
    let facts = case.facts;
    let ask = lcr::Ask { digits, peak: facts.peak, emergency: case.is_emergency(), draw: facts.draw, now: facts.now };
    let buy = |trunk: &Egress| match number.map(|number| offer(case, trunk, &number)) {
        Some(Ok(cost)) => Buy::Costs(cost.minute),
        Some(Err(miss)) => miss,
        None => Buy::Unknown,
    };
    let ranking = lcr::rank(facts.directory, ask, facts.health, buy);
    if ranking.candidates.is_empty() {
        let reason = match ranking.left_out.first() {
            Some((_, trunk, why)) => format!("{digits}: trunk {trunk}: {why}"),
            None => digits.to_owned(),
        };
        return Finding::Refuse(Refusal::new(Rule::NoRoute, None, reason, ""));
    }
    let names: Vec<&str> = ranking.candidates.iter().map(|candidate| &*candidate.trunk.name).collect();
    let compared = Compared::of(None, names.join(", "), "");
    for candidate in &ranking.candidates {
        let trunk = &candidate.trunk;
        let formatted = match &number {
            Some(number) => trunk.number_format.apply(number, trunk.country),
            None => trunk.number_format.apply_short(digits),
        };
        let target = Target::Trunk { trunk: trunk.id, name: trunk.name.clone(), number: formatted.into() };
        let identity = identity::for_trunk(case, trunk);
        let buy = number.and_then(|number| buy_quote(case, trunk, &number));
        let cost = number.and_then(|number| offer(case, trunk, &number).ok());
        case.candidates.push(Candidate { target, identity, buy, cost, early: early_of(case, Some(trunk)) });
    }
    Finding::Pass(compared)
}

/// The stricter of what the payer's account and the trunk say of media before the answer.
fn early_of(case: &Case<'_>, trunk: Option<&Egress>) -> Option<EarlyMedia> {
    let account = case.chain.first().and_then(|account| account.early_media);
    account.max(trunk.and_then(|trunk| trunk.early_media))
}

/// What this carrier asks, in the platform's currency.
fn offer(case: &Case<'_>, trunk: &Egress, number: &E164) -> Result<Cost, Buy> {
    let facts = case.facts;
    let deck = trunk.deck.and_then(|deck| (facts.deck)(deck)).ok_or(Buy::Unknown)?;
    let found = deck.find(number, facts.wall, Reach::Offnet).map_err(|miss| match miss {
        Miss::Blocked(_) => Buy::Blocked,
        Miss::NoPrice => Buy::Unknown,
    })?;
    let minute: Money = price_of(&PricePlan::flat(found.price), facts.wall, 60_000, &[]).amount;
    let exchange = facts.rates.at(deck.deck.currency, facts.currency, facts.wall).ok_or(Buy::Unknown)?;
    Ok(Cost {
        minute: exchange.convert(minute, Rounding::Up),
        rate: exchange.convert_rate(found.price.rate, Rounding::Up),
        prefix: found.prefix,
    })
}

/// The carrier's prices, frozen in the payer's currency.
fn buy_quote(case: &Case<'_>, trunk: &Egress, number: &E164) -> Option<tollgate_billing::hold::BuyQuote> {
    let facts = case.facts;
    let deck = trunk.deck.and_then(|deck| (facts.deck)(deck))?;
    let currency = case.chain.first().map_or(facts.currency, |account| account.terms.currency);
    let exchange = facts.rates.at(deck.deck.currency, currency, facts.wall)?;
    quote::buy(trunk.id, &deck, exchange, number, facts.wall).ok()
}
