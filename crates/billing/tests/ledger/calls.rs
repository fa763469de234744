//! Many calls at once, free calls, emergency calls, lines, quotas of talk.

use tollgate_billing::hold::Holder;
use tollgate_billing::ledger::{LineAsk, What, explain};
use tollgate_billing::{AccountTerms, Outcome, PricePlan};
use tollgate_types::{AccountId, Money, UserId};

use crate::desk::*;

#[test]
fn of_two_hundred_calls_exactly_those_are_granted_that_the_balance_affords() {
    //  balance  price              asks  granted
    for (balance, text, granted) in [
        ("3.70", "0.60 1/1", 37),
        ("3.7999", "0.60 1/1", 37),
        ("3.80", "0.60 1/1", 38),
        ("25.90", "0.60 60/60 +0.10", 37),
        ("0.0999", "0.60 1/1", 0),
        ("100", "0.60 1/1", 200),
    ] {
        let mut desk = Desk::new();
        let anna = desk.prepaid(1, balance);
        let asks: Vec<_> = (0..200)
            .map(|call| {
                let hold = desk.hold_ask(call, &[(anna, plan(text))]);
                let key =
                    tollgate_billing::AskKey { call: tollgate_types::CallId::from_i64(call), paid_leg: 0, sequence: 0 };
                let what = What::Hold(Box::new(hold));
                tollgate_billing::Ask { key, give_up_at: tollgate_types::Mono::NEVER, what }
            })
            .collect();
        let outcomes = desk.commit(&asks);
        assert_eq!(outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Held(_))).count(), granted, "{balance}");
        desk.check_floors();
    }
}

#[test]
fn parallel_calls_use_the_balance_up_to_one_increment_each() {
    let mut desk = Desk::new();
    let anna = desk.prepaid(1, "3.7311");
    let granted: Vec<i64> =
        (0..200).filter(|call| matches!(desk.hold(*call, &[(anna, plan("0.60 1/1"))]), Outcome::Held(_))).collect();
    assert_eq!(granted.len(), 37);
    for call in &granted {
        desk.answer(*call);
    }
    // All ask again and again, in turn, until each is refused.
    let mut live = granted.clone();
    for sequence in 2.. {
        live.retain(|call| matches!(desk.extend(*call, sequence), Outcome::Extended { .. }));
        desk.check_floors();
        if live.is_empty() {
            break;
        }
    }
    desk.wait(3600);
    for call in granted {
        desk.settle(call);
    }
    assert_eq!(desk.balance(anna), "0.001100", "less than one increment of 0.01 is left");
}

#[test]
fn free_calls_need_no_money_and_take_lines() {
    let mut desk = Desk::new();
    let anna = desk.account(1, "0", AccountTerms { max_lines: Some(2), ..AccountTerms::default() });
    for call in [1, 2] {
        assert!(matches!(desk.hold(call, &[(anna, PricePlan::free())]), Outcome::Held(held) if held.paid_ms.is_none()));
    }
    assert_eq!(refusal(&desk.hold(3, &[(anna, PricePlan::free())])), "lines: 2 of 2 lines are in use");
    desk.answer(1);
    assert_eq!(desk.extend(1, 2), Outcome::Extended { paid_ms: None, held: Money::ZERO });
    desk.wait(100);
    desk.settle(1);
    assert!(matches!(desk.hold(3, &[(anna, PricePlan::free())]), Outcome::Held(_)), "a line is free again");
    let day = desk.row(anna).state.windows.as_ref().unwrap().days[0].clone();
    assert_eq!((day.talk_ms, day.spend), (100_000, Money::ZERO), "free talk is talk");
}

#[test]
fn a_user_has_lines_of_his_own_calling_or_called() {
    let mut desk = Desk::new();
    let anna = desk.prepaid(1, "10");
    let line = |user| LineAsk { holder: Holder::User(UserId(user)), max: Some(1), setting: "user.max_lines" };
    let call = |desk: &mut Desk, call, users: &[i64]| {
        let mut hold = desk.hold_ask(call, &[(anna, plan("0.6"))]);
        hold.lines = users.iter().map(|user| line(*user)).collect();
        desk.ask(call, 0, What::Hold(Box::new(hold)))
    };
    assert!(matches!(call(&mut desk, 1, &[4, 5]), Outcome::Held(_)));
    assert_eq!(refusal(&call(&mut desk, 2, &[5, 6])), "lines: 1 of 1 lines are in use");
    assert!(matches!(call(&mut desk, 3, &[6]), Outcome::Held(_)), "refused calls take no line");
    desk.settle(1);
    assert!(matches!(call(&mut desk, 4, &[5]), Outcome::Held(_)));
}

#[test]
fn off_peak_has_its_own_lines() {
    let mut desk = Desk::new();
    let terms = AccountTerms { max_lines: Some(1), max_lines_offpeak: Some(2), ..AccountTerms::default() };
    let anna = desk.account(1, "10", terms);
    let free = || [(anna, PricePlan::free())];
    desk.hold(1, &free());
    assert_eq!(refusal(&desk.hold(2, &free())), "lines: 1 of 1 lines are in use"); // Monday, ten o'clock
    desk.now = wall("2026-03-02T22:00:00Z");
    assert!(matches!(desk.hold(3, &free()), Outcome::Held(_)));
    assert_eq!(refusal(&desk.hold(4, &free())), "lines: 2 of 2 lines are in use");
}

#[test]
fn lines_by_the_hour_hold_at_every_level_in_its_own_zone_and_holidays_are_off_peak() {
    use tollgate_billing::calendar::Calendar;
    let mut desk = Desk::new();
    let calendar =
        Calendar::new(vec!["mon-fri 08:00-18:00".parse().unwrap()], vec!["carnival=2026-03-03".parse().unwrap()]);
    desk.rules.calendar = calendar.unwrap().into();
    let terms = |zone: &str, peak, offpeak| AccountTerms {
        zone: zone.parse().unwrap(),
        max_lines: Some(peak),
        max_lines_offpeak: Some(offpeak),
        ..AccountTerms::default()
    };
    let anna = desk.account(1, "10", terms("UTC", 3, 1));
    let reseller = desk.account(2, "10", terms("Asia/Tokyo", 1, 2));
    let free = || [(anna, PricePlan::free()), (reseller, PricePlan::free())];
    //  when, how many calls at once, what refuses the next
    for (at, fits, why) in [
        ("2026-03-02T08:30:00Z", 1, "1 of 1 lines"), // both in peak time: the reseller's one
        ("2026-03-02T09:30:00Z", 2, "2 of 2 lines"), // evening in Tokyo
        ("2026-03-02T18:30:00Z", 1, "1 of 1 lines"), // evening here too
        ("2026-03-03T08:30:00Z", 1, "1 of 1 lines"), // a holiday, all day
        ("2026-03-04T09:30:00Z", 2, "2 of 2 lines"),
    ] {
        desk.now = wall(at);
        let first = desk.now.micros() / 1_000_000;
        for call in first..first + fits {
            assert!(matches!(desk.hold(call, &free()), Outcome::Held(_)), "{at}");
        }
        let refused = refusal(&desk.hold(first + fits, &free()));
        assert!(refused.contains(why), "{at}: {refused}");
        (first..first + fits).for_each(|call| drop(desk.settle(call)));
    }
}

#[test]
fn a_tenants_calls_are_the_lines_of_the_reseller_at_its_top() {
    let mut desk = Desk::new();
    desk.rules.policy.tenant_calls = Some(2);
    let kind = tollgate_billing::AccountKind::Reseller;
    let top = desk.account(1, "10", AccountTerms { kind, ..AccountTerms::default() });
    let below = desk.account(2, "10", AccountTerms { kind, parent: Some(top), ..AccountTerms::default() });
    let anna = desk.account(3, "10", AccountTerms { parent: Some(below), ..AccountTerms::default() });
    let bob = desk.account(4, "10", AccountTerms { parent: Some(top), ..AccountTerms::default() });
    let call = |desk: &mut Desk, call, chain: &[AccountId]| {
        let levels: Vec<_> = chain.iter().map(|id| (*id, PricePlan::free())).collect();
        desk.hold(call, &levels)
    };
    assert!(matches!(call(&mut desk, 1, &[anna, below, top]), Outcome::Held(_)));
    assert!(matches!(call(&mut desk, 2, &[bob, top]), Outcome::Held(_)));
    let refused = call(&mut desk, 3, &[anna, below, top]);
    assert_eq!(refusal(&refused), "overload: the platform is at its limit (2 of 2)");
    let carol = desk.prepaid(5, "1");
    assert!(matches!(call(&mut desk, 4, &[carol]), Outcome::Held(_)), "who has no reseller is no tenant's");
}

#[test]
fn an_emergency_call_passes_everything_and_costs_nothing() {
    let mut desk = Desk::new();
    let terms = AccountTerms { disabled: true, max_lines: Some(0), talk_day: Some(0), ..AccountTerms::default() };
    let anna = desk.account(1, "0", terms);
    let mut hold = desk.hold_ask(1, &[(anna, plan("0.60 1/1 +1"))]);
    hold.emergency = true;
    assert!(matches!(desk.ask(1, 0, What::Hold(Box::new(hold))), Outcome::Held(held) if held.paid_ms.is_none()));
    desk.answer(1);
    desk.wait(600);
    assert_eq!(desk.extend(1, 2), Outcome::Extended { paid_ms: None, held: Money::ZERO });
    assert!(matches!(desk.settle(1), Outcome::Settled(cdr) if cdr.sell_cost == Money::ZERO && cdr.talk_seconds == 600));
}

#[test]
fn talk_time_refuses_the_next_call_and_never_cuts_a_running_one() {
    let mut desk = Desk::new();
    let anna = desk.account(1, "10", AccountTerms { talk_day: Some(60), ..AccountTerms::default() });
    desk.hold(1, &[(anna, plan("0.06"))]);
    desk.answer(1);
    desk.wait(5);
    assert!(matches!(desk.extend(1, 2), Outcome::Extended { .. }));
    desk.wait(65);
    desk.settle(1);
    assert_eq!(refusal(&desk.hold(2, &[(anna, plan("0.06"))])), "talk_day: 70 s talked today, 60 s are allowed");
    desk.now = wall("2026-03-03T00:00:00Z");
    assert!(matches!(desk.hold(3, &[(anna, plan("0.06"))]), Outcome::Held(_)));
}

#[test]
fn a_quota_of_talk_is_spent_when_it_is_reached() {
    for (talk_ms, granted) in [(59_999, true), (60_000, false)] {
        let mut desk = Desk::new();
        let anna = desk.account(1, "10", AccountTerms { talk_month: Some(60), ..AccountTerms::default() });
        desk.hold(1, &[(anna, PricePlan::free())]);
        desk.answer(1);
        desk.wait_ms(talk_ms);
        desk.settle(1);
        assert_eq!(matches!(desk.hold(2, &[(anna, PricePlan::free())]), Outcome::Held(_)), granted, "{talk_ms}");
    }
}

#[test]
fn a_disabled_account_starts_nothing_and_extends_nothing() {
    let mut desk = Desk::new();
    let anna = desk.prepaid(1, "10");
    desk.hold(1, &[(anna, plan("0.6"))]);
    desk.answer(1);
    desk.accounts.get_mut(&anna).unwrap().terms.disabled = true;
    assert!(refusal(&desk.extend(1, 2)).starts_with("account_disabled: "));
    assert!(refusal(&desk.hold(2, &[(anna, plan("0.6"))])).starts_with("account_disabled: "));
}

#[test]
fn explain_tells_every_rule_and_how_long_the_money_lasts_and_changes_nothing() {
    let mut desk = Desk::new();
    let terms = AccountTerms { max_lines: Some(3), daily_limit: Some(money("0.50")), ..AccountTerms::default() };
    let anna = desk.account(1, "1", terms);
    let hold = desk.hold_ask(1, &[(anna, plan("0.60 1/1"))]);
    let asks = [tollgate_billing::Ask {
        key: tollgate_billing::AskKey { call: tollgate_types::CallId::from_i64(1), paid_leg: 0, sequence: 0 },
        give_up_at: tollgate_types::Mono::NEVER,
        what: What::Hold(Box::new(hold.clone())),
    }];
    let mut books = desk.read(&asks);
    let explained = explain(&books, &desk.rules, &hold, desk.now).unwrap();
    let rules: Vec<_> = explained.trace.iter().map(|row| row.rule.id()).collect();
    assert_eq!(rules, ["lines", "credit", "daily_limit"]);
    assert_eq!((explained.refusal, explained.max_seconds), (None, Some(50)));
    assert_eq!(books.take_changes(), tollgate_billing::Changes::default());
}
