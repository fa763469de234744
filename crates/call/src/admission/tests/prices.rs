//! What a price must be, and what routes may cost: the guide's ladders, step by step.

use tollgate_billing::AccountKind;
use tollgate_settings::{Layers, Registry};

use super::super::Load;
use super::*;

/// Sold to a customer of a reseller, bought from one carrier after the other.
#[derive(Clone, Copy)]
struct Sale<'a> {
    /// The customer's deck; `None` is none.
    customer: Option<&'a [(&'a str, &'a str)]>,
    reseller: &'a [(&'a str, &'a str)],
    carriers: &'a [&'a [(&'a str, &'a str)]],
    settings: &'a [(&'a str, &'a str)],
    sell_max: Option<&'a str>,
}

const USUAL: Sale<'static> = Sale {
    customer: Some(&[("4420", "0.10")]),
    reseller: &[("4420", "0.10")],
    carriers: &[&[("4420", "0.05")]],
    settings: &[],
    sell_max: None,
};

/// The rule that refuses, or the trunks in order and the price.
fn said(sale: &Sale<'_>) -> String {
    let seed = Seed([1; 4]);
    let account = |id: i64, parent: Option<i64>, deck: Option<i64>| {
        let kind = if parent.is_none() { AccountKind::Reseller } else { AccountKind::EndUser };
        Change::Account(Account {
            id: AccountId(id),
            name: format!("account{id}").into(),
            owner: None,
            terms: Arc::new(AccountTerms { kind, parent: parent.map(AccountId), ..AccountTerms::default() }),
            deck: deck.map(DeckId),
            local_only: false,
            main_number: None,
            sell_max: sale.sell_max.filter(|_| id == 1).map(|rate| rate.parse().unwrap()),
            early_media: None,
        })
    };
    let mut changes = vec![
        account(1, Some(2), sale.customer.map(|_| 1)),
        account(2, None, Some(2)),
        Change::User(User::new(UserId(1), "alice", AccountId(1))),
    ];
    let mut routes = Vec::new();
    for at in 0..sale.carriers.len() as i64 {
        let mut carrier = Egress::new(TrunkId(10 + at), &format!("c{at}"), "192.0.2.50".parse().unwrap());
        carrier.deck = Some(DeckId(10 + at));
        changes.push(Change::Egress(carrier));
        routes.push(Route {
            id: RouteId(at + 1),
            prefix: "44".parse().unwrap(),
            trunk: TrunkId(10 + at),
            priority: at as u16,
            weight: 0,
            band: tollgate_routing::Band::All,
            emergency: false,
            enabled: true,
        });
    }
    changes.push(Change::Routes(routes));
    let directory = Directory::new(seed, Domains::new("example.com", [], seed), None).with(changes);
    let stored = sale.settings.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    let registry = Registry::new(&[rows::ROWS, tollgate_settings::rows::call::ROWS, tollgate_routing::rows::ROWS]);
    let (values, mistakes) = registry.values(&Layers { stored, ..Layers::default() });
    assert!(mistakes.is_empty(), "{mistakes:?}");
    let find = |id: DeckId| match id.0 {
        1 => sale.customer.map(|rows| deck(1, DeckKind::Sell, rows)),
        2 => Some(deck(2, DeckKind::Sell, sale.reseller)),
        n => Some(deck(n, DeckKind::Buy, sale.carriers[n as usize - 10])),
    };
    let (destinations, lists) = (Destinations::published(seed), Lists::default());
    let emergencies = Emergencies::from_values(&values);
    let facts = Facts {
        directory: &directory,
        destinations: &destinations,
        lists: &lists,
        reputation: &|_| None,
        values: &values,
        emergencies: &emergencies,
        deck: &find,
        rates: &RateTable::default(),
        currency: Currency::USD,
        peak: true,
        offpeak: &|_| false,
        load: Load::default(),
        caller_ban: &|_| None,
        fraud: &|_, _| Standing::Clear(Score::default()),
        health: &|_| Health::FINE,
        devices: &|_| None,
        draw: 7,
        now: Mono::START,
        wall: NOW,
    };
    let ask = PlanAsk {
        kind: CallKind::Internal,
        payer: user(1),
        source: "198.51.100.1".parse().unwrap(),
        dialled: "sip:442079460000@example.com".into(),
        to: "sip:442079460000@example.com".into(),
        claim: Claim::default(),
        caller: user(1),
        local_only: false,
    };
    let admission = judge(&ask, &facts);
    let unpriced = admission.is_unpriced();
    match admission.verdict {
        Err(refusal) => {
            assert!(refusal.setting.is_some(), "{refusal}");
            refusal.rule.id().to_owned()
        }
        Ok(_) if unpriced => "unpriced".to_owned(),
        Ok(plan) => {
            let names = plan.candidates.iter().map(|candidate| match &candidate.target {
                Target::Trunk { name, .. } => name.to_string(),
                Target::User { .. } => "user".to_owned(),
            });
            names.collect::<Vec<_>>().join(" ")
        }
    }
}

/// Six steps, each with the fixture that it alone refuses first.
#[test]
fn each_step_of_the_price_ladder_asks_what_those_below_it_ask() {
    const NO: &str = "no_price";
    let elsewhere = Sale { customer: Some(&[("1", "0.10")]), ..USUAL };
    let rest_of_the_world = Sale { customer: Some(&[("", "0.10")]), ..USUAL };
    let by_the_reseller = Sale { customer: None, ..USUAL };
    let coarse = Sale { customer: Some(&[("44", "0.10")]), ..USUAL };
    let coarse_above = Sale { reseller: &[("44", "0.10")], ..USUAL };
    //                          none, any, prefix, own-deck, as-bought, whole-chain
    for (name, sale, verdicts) in [
        ("no price", elsewhere, ["unpriced", NO, NO, NO, NO, NO]),
        ("the deck's rest", rest_of_the_world, ["c0", "c0", NO, NO, NO, NO]),
        ("no deck of its own", by_the_reseller, ["c0", "c0", "c0", NO, NO, NO]),
        ("coarser than bought", coarse, ["c0", "c0", "c0", "c0", NO, NO]),
        ("the reseller's is coarser", coarse_above, ["c0", "c0", "c0", "c0", "c0", NO]),
        ("in order", USUAL, ["c0"; 6]),
    ] {
        for (step, verdict) in ["none", "any", "prefix", "own-deck", "as-bought", "whole-chain"].iter().zip(verdicts) {
            let settings = &[("price.required", *step)];
            assert_eq!(said(&Sale { settings, ..sale }), verdict, "{name}, {step}");
        }
    }
}

#[test]
fn exact_prices_are_asked_of_resellers_or_of_all() {
    let customer = Sale { customer: Some(&[("44", "0.10")]), ..USUAL };
    let reseller = Sale { reseller: &[("44", "0.10")], ..USUAL };
    for (word, of_customer, of_reseller) in
        [("off", "c0", "c0"), ("resellers", "c0", "no_price"), ("all", "no_price", "no_price")]
    {
        let settings = &[("price.exact", word)];
        assert_eq!(said(&Sale { settings, ..customer }), of_customer, "{word}");
        assert_eq!(said(&Sale { settings, ..reseller }), of_reseller, "{word}");
    }
}

#[test]
fn losing_routes_drop_out_and_a_call_with_none_left_is_refused() {
    const NO: &str = "unprofitable";
    type Deck<'a> = &'a [(&'a str, &'a str)];
    let (loses, even, gains, unknown): (Deck<'_>, Deck<'_>, Deck<'_>, Deck<'_>) =
        (&[("44", "0.11")], &[("44", "0.10")], &[("44", "0.09")], &[("1", "0.01")]);
    //                         off, no-loss, gain, known-gain: sold at 0.10
    let table: [(&[Deck<'_>], [&str; 4]); 6] = [
        (&[even], ["c0", "c0", NO, NO]),
        (&[gains], ["c0", "c0", "c0", "c0"]),
        (&[loses], ["c0", NO, NO, NO]),
        (&[unknown], ["c0", "c0", "c0", NO]),
        (&[loses, gains], ["c0 c1", "c1", "c1", "c1"]),
        (&[loses, unknown], ["c0 c1", "c1", "c1", NO]),
    ];
    for (carriers, verdicts) in table {
        for (word, verdict) in ["off", "no-loss", "gain", "known-gain"].into_iter().zip(verdicts) {
            let settings = &[("price.profit", word)];
            assert_eq!(said(&Sale { carriers, settings, ..USUAL }), verdict, "{carriers:?} {word}");
        }
    }
}

#[test]
fn dear_routes_and_dear_prices_are_refused() {
    let two: &[&[(&str, &str)]] = &[&[("44", "0.6")], &[("44", "0.4")]];
    //  what is set, the account's own limit, the verdict: sold at 0.10, bought at 0.6 and 0.4
    type Set<'a> = &'a [(&'a str, &'a str)];
    let table: [(Set<'_>, Option<&str>, &str); 8] = [
        (&[], None, "c0 c1"),
        (&[("price.buy_max", "0.5")], None, "c1"),
        (&[("price.buy_max", "0.6")], None, "c0 c1"),
        (&[("price.buy_max", "0.3")], None, "too_dear"),
        (&[("price.sell_max", "0.09")], None, "too_dear"),
        (&[("price.sell_max", "0.10")], None, "c0 c1"),
        (&[("price.sell_max", "0.09")], Some("0.10"), "c0 c1"),
        (&[], Some("0.099"), "too_dear"),
    ];
    for (settings, sell_max, verdict) in table {
        assert_eq!(said(&Sale { carriers: two, settings, sell_max, ..USUAL }), verdict, "{settings:?} {sell_max:?}");
    }
}
