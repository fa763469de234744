//! What a call costs and what stays on the balance.

use tollgate_billing::ledger::{EntryKind, Fault, What};
use tollgate_billing::{AccountTerms, Mode, Outcome};
use tollgate_types::Money;

use crate::desk::*;

#[test]
fn one_unit_at_sixty_cents_a_minute_lasts_a_hundred_seconds_and_ends_at_zero() {
    let mut desk = Desk::new();
    let anna = desk.prepaid(1, "1.00");
    assert!(matches!(desk.hold(7, &[(anna, plan("0.60 1/1"))]), Outcome::Held(held) if held.paid_ms == Some(10_000)));
    desk.wait(4); // it rings
    let begin = desk.now;
    assert_eq!(desk.answer(7), Outcome::Answered { paid_ms: Some(10_000) });
    let refusal = desk.talk_to_the_end(7);
    assert_eq!(refusal.to_string(), "credit: 0.010000 is needed, 0.000000 is available");
    assert_eq!(desk.now.since(begin).as_secs(), 100);
    let cdr = &desk.records[0];
    assert_eq!((cdr.billed_seconds, cdr.sell_cost.to_string().as_str()), (100, "1.000000"));
    assert_eq!((desk.balance(anna), desk.held(anna)), ("0.000000".into(), "0.000000".into()));
}

#[test]
fn what_buys_no_further_increment_stays_on_the_balance() {
    //  balance  price             billed  cost        left
    for (balance, text, billed, cost, left) in [
        ("1.00", "0.60 60/60", 60, "0.600000", "0.400000"),
        ("1.19", "0.60 60/60", 60, "0.600000", "0.590000"),
        ("1.20", "0.60 60/60", 120, "1.200000", "0.000000"),
        ("1.00", "0.60 60/6 +0.10", 90, "1.000000", "0.000000"),
        ("1.00", "0.60 60/6 +0.11", 84, "0.950000", "0.050000"),
        ("1.00", "0.07 1/1", 857, "0.999834", "0.000166"),
    ] {
        let mut desk = Desk::new();
        let anna = desk.prepaid(1, balance);
        desk.hold(7, &[(anna, plan(text))]);
        desk.answer(7);
        desk.talk_to_the_end(7);
        let cdr = &desk.records[0];
        assert_eq!(
            (cdr.billed_seconds, cdr.sell_cost.to_string().as_str(), desk.balance(anna).as_str()),
            (billed, cost, left),
            "{balance} {text}"
        );
    }
}

#[test]
fn a_call_is_charged_once_by_what_was_talked_not_by_what_was_held() {
    //  price              grace  talk ms  billed  cost
    for (text, grace, talk_ms, billed, cost) in [
        ("0.60 60/60", 0, 1, 60, "0.600000"),
        ("0.60 1/1", 0, 8_200, 9, "0.090000"),
        ("0.60 1/1 +0.10", 0, 8_200, 9, "0.190000"),
        ("0.60 1/1 +0.10", 5, 5_000, 0, "0.000000"),
        ("0.60 1/1 +0.10", 5, 5_001, 6, "0.160000"),
        ("0.60 1/1", 0, 0, 0, "0.000000"),
    ] {
        let mut desk = Desk::new();
        let anna = desk.prepaid(1, "5.00");
        let plan = tollgate_billing::PricePlan::flat(tollgate_billing::Price { grace, ..price(text) });
        desk.hold(7, &[(anna, plan)]);
        desk.answer(7);
        desk.wait_ms(talk_ms);
        desk.settle(7);
        let cdr = &desk.records[0];
        assert_eq!((cdr.billed_seconds, cdr.sell_cost.to_string().as_str()), (billed, cost), "{text} {talk_ms}");
        assert_eq!(desk.row(anna).state.balance, money("5").checked_sub(cdr.sell_cost).unwrap());
    }
}

#[test]
fn an_unanswered_call_releases_everything() {
    let mut desk = Desk::new();
    let anna = desk.prepaid(1, "1.00");
    desk.hold(7, &[(anna, plan("0.60 60/60 +0.10"))]);
    assert_eq!(desk.held(anna), "0.700000");
    desk.wait(30);
    assert!(matches!(desk.settle(7), Outcome::Settled(cdr) if cdr.sell_cost == Money::ZERO));
    assert_eq!((desk.balance(anna), desk.held(anna)), ("1.000000".into(), "0.000000".into()));
    assert_eq!(desk.entries.len(), 1, "the opening balance alone");
}

#[test]
fn postpaid_goes_down_to_its_credit_limit_and_without_one_as_far_as_it_likes() {
    let postpaid = |credit_limit: Option<&str>| AccountTerms {
        mode: Mode::Postpaid,
        credit_limit: credit_limit.map(money),
        ..AccountTerms::default()
    };
    let mut desk = Desk::new();
    let limited = desk.account(1, "0.50", postpaid(Some("0.70")));
    desk.hold(7, &[(limited, plan("0.60 60/60"))]);
    desk.answer(7);
    assert_eq!(desk.talk_to_the_end(7).rule.id(), "credit");
    assert_eq!(desk.balance(limited), "-0.700000");
    let free = desk.account(2, "0", postpaid(None));
    desk.hold(8, &[(free, plan("100 60/60"))]);
    desk.answer(8);
    desk.wait(59);
    desk.settle(8);
    assert_eq!(desk.balance(free), "-100.000000");
}

#[test]
fn a_top_up_extends_a_call_that_had_come_to_its_end() {
    let mut desk = Desk::new();
    let anna = desk.prepaid(1, "0.60");
    desk.hold(7, &[(anna, plan("0.60 60/60"))]);
    desk.answer(7);
    desk.wait(50);
    assert!(matches!(desk.extend(7, 2), Outcome::Refused(_)));
    desk.pay(anna, "0.60", EntryKind::Payment, false);
    assert_eq!(desk.extend(7, 3), Outcome::Extended { paid_ms: Some(120_000), held: money("1.20") });
}

#[test]
fn nobody_takes_away_what_live_calls_hold_unless_forced() {
    let mut desk = Desk::new();
    let anna = desk.prepaid(1, "1.00");
    desk.hold(7, &[(anna, plan("0.60 60/60"))]);
    let refused = desk.pay(anna, "-0.41", EntryKind::Credit, false);
    assert_eq!(refusal(&refused), "credit: 0.410000 is needed, 0.400000 is available");
    assert_eq!(desk.pay(anna, "-0.40", EntryKind::Credit, false), Outcome::Credited { balance: money("0.60") });
    assert_eq!(desk.pay(anna, "-5", EntryKind::Correction, true), Outcome::Credited { balance: money("-4.40") });
    assert_eq!(desk.pay(anna, "0", EntryKind::Credit, false), Outcome::Impossible(Fault::ZeroAmount));
    let huge = desk.pay(anna, "2000000000000", EntryKind::Credit, false);
    assert_eq!(huge, Outcome::Impossible(Fault::Overflow), "nothing is half-done");
    assert_eq!(desk.balance(anna), "-4.400000");
}

#[test]
fn a_replay_changes_nothing_and_gets_the_first_answer() {
    let mut desk = Desk::new();
    let anna = desk.prepaid(1, "5.00");
    let repeated = |outcome| Outcome::Repeated(Box::new(outcome));
    let held = desk.hold(7, &[(anna, plan("0.60 60/60"))]);
    assert_eq!(desk.hold(7, &[(anna, plan("0.60 60/60"))]), repeated(held));
    let answered = desk.answer(7);
    assert_eq!(desk.answer(7), repeated(answered));
    let extended = desk.extend(7, 2);
    assert_eq!(desk.extend(7, 2), repeated(extended));
    assert_eq!(desk.held(anna), "1.200000");
    desk.wait(30);
    let settle = desk.hold_of(7).draft.clone();
    desk.settle(7);
    let again = tollgate_billing::ledger::Settle { cdr: settle, buy: None };
    assert_eq!(desk.ask(7, 9999, What::Settle(Box::new(again))), Outcome::Closed);
    assert_eq!(desk.hold(7, &[(anna, plan("0.60 60/60"))]), Outcome::Closed, "a late hold finds the leg closed");
    assert_eq!(desk.extend_after_close(7), Outcome::Closed);
    assert_eq!((desk.balance(anna), desk.held(anna)), ("4.400000".into(), "0.000000".into()));
}

#[test]
fn a_payment_that_is_told_twice_is_entered_once() {
    let mut desk = Desk::new();
    let anna = desk.prepaid(1, "0");
    let credit = tollgate_billing::ledger::Credit {
        account: anna,
        amount: money("3"),
        kind: EntryKind::Payment,
        note: "card".into(),
        force: false,
    };
    let first = desk.ask(55, 0, What::Credit(credit.clone()));
    assert_eq!(first, Outcome::Credited { balance: money("3") });
    assert_eq!(desk.ask(55, 0, What::Credit(credit)), Outcome::Repeated(Box::new(first)));
    assert_eq!(desk.balance(anna), "3.000000");
}

#[test]
fn a_whole_chain_pays_or_nobody_does() {
    let mut desk = Desk::new();
    let anna = desk.prepaid(1, "10.00");
    let reseller = desk.prepaid(2, "0.30");
    let chain = [(anna, plan("0.60 1/1")), (reseller, plan("0.30 60/60"))];
    desk.hold(7, &chain);
    assert_eq!((desk.held(anna), desk.held(reseller)), ("0.100000".into(), "0.300000".into()));
    let refused = desk.hold(8, &chain);
    assert_eq!(refusal(&refused), "credit: 0.300000 is needed, 0.000000 is available");
    assert_eq!(desk.held(anna), "0.100000", "nothing is held by a refusal");
    desk.answer(7);
    let refusal = desk.talk_to_the_end(7);
    assert_eq!(refusal.rule.id(), "credit");
    let cdr = &desk.records[0];
    assert_eq!((cdr.billed_seconds, cdr.levels[1].billed_seconds), (60, 60));
    assert_eq!((desk.balance(anna), desk.balance(reseller)), ("9.400000".into(), "0.000000".into()));
    assert_eq!(desk.hold(9, &[(anna, plan("1")), (anna, plan("1"))]), Outcome::Impossible(Fault::CyclicChain));
}

#[test]
fn each_level_pays_in_its_own_currency_and_on_its_own_days() {
    let mut desk = Desk::new();
    desk.now = wall("2026-03-02T14:59:50Z"); // ten seconds before midnight in Tokyo
    let terms = |currency: &str, zone: &str, daily_limit: Option<&str>| AccountTerms {
        currency: currency.parse().unwrap(),
        zone: zone.parse().unwrap(),
        daily_limit: daily_limit.map(money),
        ..AccountTerms::default()
    };
    let anna = desk.account(1, "10", terms("USD", "America/New_York", None));
    let middle = desk.account(2, "10", terms("EUR", "Asia/Tokyo", None));
    let top = desk.account(3, "10000", terms("HUF", "UTC", Some("60")));
    let chain = [(anna, plan("0.60 1/1")), (middle, plan("0.30 1/1")), (top, plan("60 1/1"))];
    desk.hold(1, &chain);
    desk.answer(1);
    desk.extend(1, 2);
    desk.extend(1, 3);
    desk.wait(20);
    desk.settle(1);
    let levels = &desk.records[0].levels;
    let told: Vec<_> = levels
        .iter()
        .map(|level| {
            let days: Vec<_> = level.by_day.iter().map(|(day, money)| format!("{day} {money}")).collect();
            (level.currency.to_string(), days.join(", "))
        })
        .collect();
    assert_eq!(
        told,
        [
            ("USD".to_owned(), "2026-03-02 0.200000".to_owned()),
            ("EUR".to_owned(), "2026-03-02 0.050000, 2026-03-03 0.050000".to_owned()),
            ("HUF".to_owned(), "2026-03-02 20.000000".to_owned()),
        ]
    );
    // Four minimum asks of ten forints fit the reseller's day, and not a fifth: then nobody below holds anything more.
    for call in 2..=5 {
        assert!(matches!(desk.hold(call, &chain), Outcome::Held(_)), "{call}");
    }
    let held = [anna, middle, top].map(|id| desk.held(id));
    assert_eq!(refusal(&desk.hold(6, &chain)), "daily_limit: spend today would reach 70.000000, 60.000000 is allowed");
    assert_eq!([anna, middle, top].map(|id| desk.held(id)), held, "whole chain or nothing");
}
