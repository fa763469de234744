//! The price of a number for a call: what each level of the chain pays, and what a carrier asks.

use tollgate_types::{AccountId, Currency, E164, Rate, Refusal, Rule, TrunkId, Wall};

use crate::currency::Exchange;
use crate::deck::{DeckVersion, Miss, Reach};
use crate::hold::BuyQuote;
use crate::ledger::LevelQuote;
use crate::price::PricePlan;

/// One level of the chain: the payer, or a reseller above it.
#[derive(Clone, Copy, Debug)]
pub struct Level<'a> {
    /// Whose.
    pub account: AccountId,
    /// Its currency; the deck's must be the same.
    pub currency: Currency,
    /// What it pays by; `None` when no deck is assigned.
    pub deck: Option<&'a DeckVersion>,
}

/// What the levels pay for a call to `number` that begins now: the payer first. Refuses when one has no price for a call
/// that leaves us; what stays with us is free on a level without an `onnet` band.
pub fn sell(levels: &[Level<'_>], number: &E164, at: Wall, reach: Reach) -> Result<Vec<LevelQuote>, Refusal> {
    levels.iter().map(|level| sell_level(level, number, at, reach)).collect()
}

fn sell_level(level: &Level<'_>, number: &E164, at: Wall, reach: Reach) -> Result<LevelQuote, Refusal> {
    let quote = |plan| LevelQuote { account: level.account, currency: level.currency, plan };
    let found = match level.deck {
        Some(deck) if deck.deck.currency == level.currency => deck.find(number, at, reach),
        // Assigning a deck of another currency is refused; should one be there all the same, it prices nothing.
        Some(_) | None => Err(Miss::NoPrice),
    };
    match (found, reach) {
        (Ok(found), _) => Ok(quote(found.plan)),
        (Err(Miss::NoPrice), Reach::Onnet) => Ok(quote(PricePlan::free())),
        (Err(miss), _) => Err(refusal(miss, number)),
    }
}

/// The same call for levels that pay nothing whatever it is: emergency calls, DIDs without an inbound deck.
pub fn free(levels: &[Level<'_>]) -> Vec<LevelQuote> {
    let quote =
        |level: &Level<'_>| LevelQuote { account: level.account, currency: level.currency, plan: PricePlan::free() };
    levels.iter().map(quote).collect()
}

/// What `trunk` asks by `deck`; `exchange` leads from the deck's currency to the payer's and is frozen with it.
pub fn buy(
    trunk: TrunkId,
    deck: &DeckVersion,
    exchange: Exchange,
    number: &E164,
    at: Wall,
) -> Result<BuyQuote, Refusal> {
    match deck.find(number, at, Reach::Offnet) {
        Ok(found) => Ok(BuyQuote { trunk, plan: found.plan, exchange }),
        Err(miss) => Err(refusal(miss, number)),
    }
}

/// What a minute costs the payer now.
pub fn price_per_minute(levels: &[LevelQuote], at: Wall) -> Rate {
    levels.first().and_then(|level| level.plan.at(at)).map_or(Rate::ZERO, |price| price.rate)
}

/// Why there is no price, as the caller is told.
pub fn refusal(miss: Miss<'_>, number: &E164) -> Refusal {
    match miss {
        Miss::NoPrice => Refusal::new(Rule::NoPrice, None, number, ""),
        Miss::Blocked("") => Refusal::new(Rule::DestinationBlocked, None, number, ""),
        Miss::Blocked(destination) => {
            Refusal::new(Rule::DestinationBlocked, None, format_args!("{number} ({destination})"), "")
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tollgate_types::DeckId;

    use super::*;
    use crate::calendar::{Timeline, Zone};
    use crate::deck::{Band, Deck, DeckKind, DeckRow};
    use crate::price::Price;

    fn deck(currency: &str, rows: &[(&str, &str, &str)]) -> DeckVersion {
        let now = Wall::from_secs(1_800_000_000);
        let currency = currency.parse().unwrap();
        let head =
            Deck { id: DeckId(1), name: "d".into(), kind: DeckKind::Sell, currency, zone: Zone::UTC, version: 1 };
        let rows = rows.iter().map(|(prefix, band, rate)| DeckRow {
            prefix: prefix.parse().unwrap(),
            destination: "Here".into(),
            price: Price::per_minute(rate.parse().unwrap_or_default()),
            band: Band::from(*band),
            effective_from: None,
            blocked: *rate == "blocked",
        });
        DeckVersion::new(head, rows.collect(), Arc::new(Timeline::new(Arc::default(), Zone::UTC, now)))
    }

    #[test]
    fn each_level_pays_by_its_own_deck_or_the_call_is_refused() {
        let now = Wall::from_secs(1_800_000_000);
        let retail = deck(
            "USD",
            &[("36", "all", "0.10"), ("44", "all", "0.20"), ("90", "all", "blocked"), ("36", "onnet", "0.01")],
        );
        let wholesale = deck("EUR", &[("36", "all", "0.05"), ("90", "all", "0.05")]);
        let level =
            |id, currency: &str, deck| Level { account: AccountId(id), currency: currency.parse().unwrap(), deck };
        let chain = [level(1, "USD", Some(&retail)), level(2, "EUR", Some(&wholesale))];
        let said = |chain: &[Level<'_>], number: &str, reach| match sell(chain, &number.parse().unwrap(), now, reach) {
            Ok(levels) => levels
                .iter()
                .map(|l| l.plan.at(now).unwrap().rate.to_string()[..4].to_owned())
                .collect::<Vec<_>>()
                .join(" "),
            Err(refusal) => refusal.to_string(),
        };
        assert_eq!(said(&chain, "361", Reach::Offnet), "0.10 0.05");
        assert_eq!(said(&chain, "441", Reach::Offnet), "no_price: there is no price for 441");
        assert_eq!(said(&chain, "901", Reach::Offnet), "destination_blocked: calls to 901 (Here) are blocked");
        assert_eq!(said(&chain, "361", Reach::Onnet), "0.01 0.00");
        assert_eq!(said(&chain, "441", Reach::Onnet), "0.00 0.00");
        assert_eq!(said(&[level(1, "USD", None)], "361", Reach::Offnet), "no_price: there is no price for 361");
        assert_eq!(
            said(&[level(1, "EUR", Some(&retail))], "361", Reach::Offnet),
            "no_price: there is no price for 361"
        );
    }
}
