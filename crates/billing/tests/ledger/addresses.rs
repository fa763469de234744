//! Calls, seconds and money of one source address within a period.

use std::net::IpAddr;
use std::time::Duration;

use tollgate_billing::ledger::What;
use tollgate_billing::{AccountTerms, Mode, Outcome, PricePlan};
use tollgate_types::AccountId;

use crate::desk::*;

const PERIOD: Duration = Duration::from_secs(3600);

/// A desk with a limit, and an account that pays whatever comes.
fn desk(limit: impl FnOnce(&mut tollgate_billing::source::IpLimits)) -> (Desk, AccountId) {
    let mut desk = Desk::new();
    desk.rules.policy.ip.period = PERIOD;
    limit(&mut desk.rules.policy.ip);
    let anna = desk.account(1, "0", AccountTerms { mode: Mode::Postpaid, ..AccountTerms::default() });
    (desk, anna)
}

fn from(desk: &mut Desk, last: u8, call: i64, levels: &[(AccountId, PricePlan)]) -> Outcome {
    let ip: IpAddr = [192, 0, 2, last].into();
    let mut hold = desk.hold_ask(call, levels);
    hold.source = Some(ip);
    hold.draft.source_ip = Some(ip);
    desk.ask(call, 0, What::Hold(Box::new(hold)))
}

fn talk(desk: &mut Desk, call: i64, seconds: u64) {
    desk.answer(call);
    for sequence in 2.. {
        match desk.hold_of(call).paid_until() {
            Some(until) if until < desk.now + Duration::from_secs(seconds) => drop(desk.extend(call, sequence)),
            _ => break,
        }
    }
    desk.wait(seconds);
    desk.settle(call);
}

#[test]
fn the_fourth_call_of_three_is_refused_until_the_period_is_over() {
    let (mut desk, anna) = desk(|ip| ip.calls_max = Some(3));
    let levels = [(anna, plan("0.60 1/1"))];
    for call in 1..=3 {
        assert!(matches!(from(&mut desk, 7, call, &levels), Outcome::Held(_)));
    }
    desk.settle(1); // not answered: it counts all the same
    let refused = from(&mut desk, 7, 4, &levels);
    assert_eq!(refusal(&refused), "ip_calls: 3 calls from this address, 3 are allowed");
    assert!(matches!(from(&mut desk, 8, 5, &levels), Outcome::Held(_)), "another address");
    desk.settle(2);
    desk.settle(3);
    desk.wait(3599);
    assert!(refusal(&from(&mut desk, 7, 6, &levels)).starts_with("ip_calls"), "refused calls add nothing");
    desk.wait(PERIOD.as_secs() / 24 + 1);
    assert!(matches!(from(&mut desk, 7, 7, &levels), Outcome::Held(_)));
}

#[test]
fn free_calls_count_and_a_leg_that_somebody_adds_is_no_new_call() {
    let (mut desk, anna) = desk(|ip| ip.calls_max = Some(1));
    let free = [(anna, PricePlan::free())];
    assert!(matches!(from(&mut desk, 7, 1, &free), Outcome::Held(_)));
    assert!(refusal(&from(&mut desk, 7, 2, &free)).starts_with("ip_calls"));
    let mut added = desk.hold_ask(1, &free);
    (added.source, added.draft.source_ip) = (Some([192, 0, 2, 7].into()), Some([192, 0, 2, 7].into()));
    added.draft.paid_leg = 1;
    let key = tollgate_billing::AskKey { call: tollgate_types::CallId::from_i64(1), paid_leg: 1, sequence: 0 };
    let ask = tollgate_billing::Ask { key, give_up_at: tollgate_types::Mono::NEVER, what: What::Hold(Box::new(added)) };
    assert!(matches!(desk.commit(&[ask])[0], Outcome::Held(_)), "a redirect goes on");
}

#[test]
fn talk_refuses_the_next_call_and_cuts_none() {
    let (mut desk, anna) = desk(|ip| ip.seconds_max = Some(60));
    let levels = [(anna, plan("0.60 1/1"))];
    from(&mut desk, 7, 1, &levels);
    talk(&mut desk, 1, 70);
    assert_eq!(desk.records[0].talk_seconds, 70, "a running call is not cut");
    assert_eq!(refusal(&from(&mut desk, 7, 2, &levels)), "ip_seconds: 70 s talked from this address, 60 s are allowed");
    assert!(matches!(from(&mut desk, 8, 3, &levels), Outcome::Held(_)));
}

#[test]
fn money_of_an_address_is_a_cap_to_the_last_digit_whoever_pays() {
    // A minimum ask of 0.10 each: ten calls at once by two payers, and not an eleventh.
    let (mut desk, anna) = desk(|ip| ip.cost_max = Some(money("1")));
    let bob = desk.account(2, "0", AccountTerms { mode: Mode::Postpaid, ..AccountTerms::default() });
    for call in 1..=10 {
        let payer = if call % 2 == 0 { anna } else { bob };
        assert!(matches!(from(&mut desk, 7, call, &[(payer, plan("0.60 1/1"))]), Outcome::Held(_)), "{call}");
    }
    let refused = from(&mut desk, 7, 11, &[(anna, plan("0.60 1/1"))]);
    assert_eq!(refusal(&refused), "ip_cost: 1.100000 spent from this address, 1.000000 is allowed");
    assert!(matches!(from(&mut desk, 7, 12, &[(anna, PricePlan::free())]), Outcome::Held(_)), "free calls go on");
    for call in 1..=9 {
        desk.settle(call);
    }
    // The one that is left may spend all the rest, and ends there.
    desk.answer(10);
    let why = desk.talk_to_the_end(10);
    assert_eq!(why.rule.id(), "ip_cost");
    assert_eq!((desk.records.last().unwrap().sell_cost, desk.balance(anna)), (money("1"), "-1.000000".to_owned()));
    assert!(refusal(&from(&mut desk, 7, 13, &[(bob, plan("0.01 1/1"))])).starts_with("ip_cost"), "reached is spent");
}

#[test]
fn every_payer_counts_in_the_platforms_currency() {
    let (mut desk, _) = desk(|ip| ip.cost_max = Some(money("1")));
    let (usd, huf) = ("USD".parse().unwrap(), "HUF".parse().unwrap());
    let mut rates = tollgate_billing::currency::RateTable::default();
    rates.set(usd, huf, wall("2026-01-01T00:00:00Z"), "350".parse().unwrap());
    desk.rules.exchange = rates.into();
    let terms = AccountTerms { currency: huf, mode: Mode::Postpaid, ..AccountTerms::default() };
    let bela = desk.account(3, "0", terms);
    assert!(matches!(from(&mut desk, 7, 1, &[(bela, plan("300 60/60"))]), Outcome::Held(_)));
    // 350 forints would be a dollar; the reverse of 350 is rounded up.
    let refused = from(&mut desk, 7, 2, &[(bela, plan("60 60/60"))]);
    assert_eq!(refusal(&refused), "ip_cost: 1.028572 spent from this address, 1.000000 is allowed");
}

#[test]
fn a_limit_that_is_off_leaves_no_trace_and_one_set_meanwhile_finds_the_live_calls() {
    let (mut desk, anna) = desk(|_| {});
    let levels = [(anna, plan("0.60 1/1"))];
    from(&mut desk, 7, 1, &levels);
    desk.answer(1);
    assert!(desk.sources.is_empty());
    let rules = {
        let mut rules = desk.rules.clone();
        rules.policy.ip.cost_max = Some(money("1"));
        rules
    };
    // What a store does when the setting changes.
    desk.sources = tollgate_billing::source::recount([], desk.holds.values(), &rules, desk.now);
    desk.rules = rules;
    desk.talk_to_the_end(1);
    assert_eq!(desk.records[0].sell_cost, money("1"));
}

#[test]
fn a_carriers_talk_is_counted_by_days_of_utc() {
    use tollgate_billing::ledger::{Answered, Settle};
    let (mut desk, anna) = desk(|_| {});
    desk.now = wall("2026-03-02T23:59:30Z");
    desk.hold(1, &[(anna, plan("0.60 1/1"))]);
    let carrier = tollgate_types::TrunkId(5);
    let trunk_out = Some((carrier, "out".to_owned()));
    desk.ask(1, 1, What::Answered(Box::new(Answered { at: desk.now, buy: None, trunk_out, dialogs: Vec::new() })));
    desk.extend(1, 2);
    desk.wait(60);
    let row = desk.hold_of(1).clone();
    let mut cdr = row.draft.clone();
    (cdr.answered_at, cdr.talk_ms, cdr.ended_at) = (row.answered_at, 60_000, desk.now);
    desk.ask(1, 9, What::Settle(Box::new(Settle { cdr: cdr.clone(), buy: None })));
    desk.ask(1, 9, What::Settle(Box::new(Settle { cdr, buy: None })));
    let days: Vec<_> = desk.trunk_talk.iter().map(|((trunk, day), ms)| (*trunk, day.to_string(), *ms)).collect();
    assert_eq!(days, [(carrier, "2026-03-02".to_owned(), 30_000), (carrier, "2026-03-03".to_owned(), 30_000)]);
}
