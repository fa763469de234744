//! Daily, monthly, dynamic limit and burn rate.

use tollgate_billing::ledger::What;
use tollgate_billing::policy::DynamicFor;
use tollgate_billing::{AccountKind, AccountTerms, Mode, Outcome};
use tollgate_types::AccountId;

use crate::desk::*;

fn postpaid() -> AccountTerms {
    AccountTerms { mode: Mode::Postpaid, ..AccountTerms::default() }
}

/// Spends in calls of one unit a minute each, until `amount` is reached or a rule refuses.
fn spend(desk: &mut Desk, anna: AccountId, call: &mut i64, amount: u32) -> Result<(), String> {
    for _ in 0..amount {
        *call += 1;
        if let refused @ Outcome::Refused(_) = desk.hold(*call, &[(anna, plan("1 60/60"))]) {
            return Err(refusal(&refused));
        }
        desk.answer(*call);
        desk.wait(60);
        desk.settle(*call);
    }
    Ok(())
}

fn dynamic(desk: &Desk, anna: AccountId) -> (String, String) {
    let row = desk.row(anna);
    let windows = row.state.windows.as_ref().unwrap();
    let standing = tollgate_billing::credit::Standing { row, windows, rules: &desk.rules, now: desk.now };
    use tollgate_billing::credit::dynamic::{baseline, limit};
    (baseline(&standing, windows.today).to_string(), limit(&standing, windows.today).unwrap().to_string())
}

#[test]
fn the_guides_week() {
    let mut desk = Desk::new();
    desk.rules.policy.dynamic = DynamicFor::EndUsersAndTrafficSenders;
    let anna = desk.account(1, "0", postpaid());
    let mut call = 0;
    //  day    spend  baseline     limit         spent
    for (day, wish, baseline, limit, said) in [
        ("02", 10, "0.000000", "10.000000", Ok(())),
        ("03", 0, "10.000000", "70.000000", Ok(())),
        ("04", 5, "10.000000", "70.000000", Ok(())),
        ("05", 30, "10.000000", "70.000000", Ok(())),
        (
            "06",
            300,
            "30.000000",
            "210.000000",
            Err("dynamic_limit: spend today would reach 211.000000, 210.000000 is usual at most"),
        ),
        ("07", 0, "30.000000", "210.000000", Ok(())),
    ] {
        desk.now = wall(&format!("2026-03-{day}T08:00:00Z"));
        // Looks at the account without spending: a call that is not answered.
        call += 1;
        desk.hold(call, &[(anna, plan("1 60/60"))]);
        desk.settle(call);
        assert_eq!(dynamic(&desk, anna), (baseline.to_owned(), limit.to_owned()), "day {day}");
        let spent = spend(&mut desk, anna, &mut call, wish);
        assert_eq!(spent, said.map_err(str::to_owned), "day {day}");
    }
    let attack = "2026-03-06".parse().unwrap();
    assert_eq!(desk.days[&(anna, attack)].spend, money("210"), "to the cent");
    // An admin finds it honest after all.
    desk.ask(500_000, 0, What::AcceptDay { account: anna, day: attack });
    assert_eq!(dynamic(&desk, anna), ("210.000000".into(), "1470.000000".into()));
}

#[test]
fn monday_may_reach_the_floor_and_a_newcomer_stopped_there_has_seven_times_as_much_tomorrow() {
    let mut desk = Desk::new();
    desk.rules.policy.dynamic = DynamicFor::EndUsersAndTrafficSenders;
    let anna = desk.account(1, "0", postpaid());
    let mut call = 0;
    assert_eq!(spend(&mut desk, anna, &mut call, 10), Ok(()));
    assert!(spend(&mut desk, anna, &mut call, 1).is_err());
    desk.now = wall("2026-03-03T08:00:00Z");
    assert!(spend(&mut desk, anna, &mut call, 80).is_err());
    assert_eq!(desk.days[&(anna, "2026-03-03".parse().unwrap())].spend, money("70"));
}

#[test]
fn the_dynamic_limit_knows_classes_modes_and_baselines() {
    //  kind                          mode                     own baseline  limit
    use AccountKind::*;
    for (kind, mode, own, limit) in [
        (EndUser, DynamicFor::Off, None, None),
        (EndUser, DynamicFor::EndUsers, None, Some(10)),
        (TrafficSender, DynamicFor::EndUsers, None, None),
        (TrafficSender, DynamicFor::EndUsersAndTrafficSenders, None, Some(100)),
        (Reseller, DynamicFor::EndUsersAndTrafficSenders, None, None),
        (Reseller, DynamicFor::EndUsersAndTrafficSenders, Some("20"), Some(140)),
        (EndUser, DynamicFor::EndUsers, Some("20"), Some(140)),
    ] {
        let mut desk = Desk::new();
        desk.rules.policy.dynamic = mode;
        let terms = AccountTerms { kind, dynamic_baseline: own.map(money), ..postpaid() };
        let anna = desk.account(1, "0", terms);
        let mut call = 0;
        let spent = spend(&mut desk, anna, &mut call, 150);
        assert_eq!(spent.err().map(|_| call - 1), limit, "{kind:?} {mode:?} {own:?}");
    }
}

#[test]
fn a_usual_day_is_forgotten_after_the_window() {
    let mut desk = Desk::new();
    desk.rules.policy.dynamic = DynamicFor::EndUsers;
    let anna = desk.account(1, "0", postpaid());
    let mut call = 0;
    spend(&mut desk, anna, &mut call, 10).unwrap();
    for (day, baseline) in [("2026-05-31", "10.000000"), ("2026-06-01", "0.000000")] {
        desk.now = wall(&format!("{day}T08:00:00Z"));
        call += 1;
        desk.hold(call, &[(anna, plan("1 60/60"))]);
        desk.settle(call);
        assert_eq!(dynamic(&desk, anna).0, baseline, "{day}");
    }
}

#[test]
fn a_review_keeps_the_block_until_somebody_looked() {
    let mut desk = Desk::new();
    desk.rules.policy.dynamic = DynamicFor::EndUsers;
    desk.rules.policy.dynamic_review = true;
    let anna = desk.account(1, "0", postpaid());
    let mut call = 0;
    assert!(spend(&mut desk, anna, &mut call, 11).is_err());
    desk.now = wall("2026-03-03T08:00:00Z");
    assert!(spend(&mut desk, anna, &mut call, 1).is_err(), "still blocked");
    desk.ask(500_000, 0, What::AcceptDay { account: anna, day: "2026-03-02".parse().unwrap() });
    assert_eq!(spend(&mut desk, anna, &mut call, 1), Ok(()));
}

#[test]
fn a_fixed_daily_limit_is_the_accounts_own_or_its_classs() {
    //  own            class enduser  class sender   kind                          reached
    use AccountKind::*;
    for (own, enduser, sender, kind, reached) in [
        (None, Some("2"), None, EndUser, Some(2)),
        (None, Some("2"), None, TrafficSender, None),
        (None, None, Some("3"), TrafficSender, Some(3)),
        (Some("1"), Some("2"), None, EndUser, Some(1)),
        (Some("4"), Some("2"), None, EndUser, Some(4)),
        (None, Some("2"), Some("3"), Reseller, None),
    ] {
        let mut desk = Desk::new();
        desk.rules.policy.daily_enduser = enduser.map(money);
        desk.rules.policy.daily_traffic_sender = sender.map(money);
        let anna = desk.account(1, "0", AccountTerms { kind, daily_limit: own.map(money), ..postpaid() });
        let mut call = 0;
        let spent = spend(&mut desk, anna, &mut call, 6);
        assert_eq!(spent.err().map(|_| call - 1), reached, "{own:?} {kind:?}");
    }
}

#[test]
fn a_daily_limit_cuts_a_running_call_at_the_end_of_its_paid_time() {
    let mut desk = Desk::new();
    let anna = desk.account(1, "10", AccountTerms { daily_limit: Some(money("0.50")), ..AccountTerms::default() });
    desk.hold(1, &[(anna, plan("0.60 1/1"))]);
    desk.answer(1);
    assert_eq!(
        desk.talk_to_the_end(1).to_string(),
        "daily_limit: spend today would reach 0.510000, 0.500000 is allowed"
    );
    assert_eq!(desk.records[0].billed_seconds, 50);
    desk.now = wall("2026-03-03T10:00:00Z");
    assert!(matches!(desk.hold(2, &[(anna, plan("0.60 1/1"))]), Outcome::Held(_)));
}

#[test]
fn a_monthly_limit_grows_by_months_with_a_billed_call() {
    let mut desk = Desk::new();
    let terms = AccountTerms {
        monthly_limit: Some(money("10")),
        monthly_increment: Some(money("2")),
        monthly_ceiling: Some(money("15")),
        ..postpaid()
    };
    let anna = desk.account(1, "0", terms);
    let mut call = 0;
    // 10, 12, an idle month, 14, 15, 15: spent to the limit in each month but the idle one.
    for (month, reached) in [("01", 10), ("02", 12), ("03", 0), ("04", 14), ("05", 15), ("06", 15)] {
        desk.now = wall(&format!("2027-{month}-10T08:00:00Z"));
        if reached == 0 {
            call += 1;
            desk.hold(call, &[(anna, plan("1 60/60"))]);
            desk.settle(call); // unanswered: no billed call
            continue;
        }
        let before = call;
        assert!(spend(&mut desk, anna, &mut call, 20).unwrap_err().starts_with("monthly_limit"), "{month}");
        assert_eq!(call - before - 1, reached, "{month}");
    }
}

#[test]
fn burn_rate_caps_what_live_calls_cost_a_minute() {
    let mut desk = Desk::new();
    let terms = AccountTerms { burn_rate: Some("1.50".parse().unwrap()), ..postpaid() };
    let anna = desk.account(1, "0", terms);
    for call in 1..=3 {
        assert!(matches!(desk.hold(call, &[(anna, plan("0.50 1/1"))]), Outcome::Held(_)));
    }
    let refused = desk.hold(4, &[(anna, plan("0.50 1/1"))]);
    assert_eq!(refusal(&refused), "burn_rate: live calls would cost 2.000000000 a minute, 1.500000000 is allowed");
    desk.settle(1);
    assert!(matches!(desk.hold(5, &[(anna, plan("0.50 1/1"))]), Outcome::Held(_)));
    desk.accounts.get_mut(&anna).unwrap().terms.burn_rate = Some("1.00".parse().unwrap());
    desk.answer(2);
    assert!(matches!(desk.extend(2, 2), Outcome::Refused(_)), "a lowered limit bites at the next extension");
}

#[test]
fn a_daily_limit_over_its_burn_time_is_a_burn_rate() {
    let mut desk = Desk::new();
    desk.rules.policy.burn_time = Some(std::time::Duration::from_secs(1800));
    let anna = desk.account(1, "0", AccountTerms { daily_limit: Some(money("30")), ..postpaid() });
    assert!(matches!(desk.hold(1, &[(anna, plan("1.00 1/1"))]), Outcome::Held(_)));
    assert!(refusal(&desk.hold(2, &[(anna, plan("0.01 1/1"))])).starts_with("burn_rate"));
}

#[test]
fn a_limit_in_the_platforms_currency_is_converted() {
    let mut desk = Desk::new();
    let mut rates = tollgate_billing::currency::RateTable::default();
    let (usd, huf) = ("USD".parse().unwrap(), "HUF".parse().unwrap());
    rates.set(usd, huf, wall("2026-01-01T00:00:00Z"), "350".parse().unwrap());
    desk.rules.exchange = rates.into();
    desk.rules.policy.daily_enduser = Some(money("2"));
    let anna = desk.account(1, "0", AccountTerms { currency: huf, ..postpaid() });
    assert!(matches!(desk.hold(1, &[(anna, plan("700 60/60"))]), Outcome::Held(_)));
    let refused = desk.hold(2, &[(anna, plan("1 60/60"))]);
    assert_eq!(refusal(&refused), "daily_limit: spend today would reach 701.000000, 700.000000 is allowed");
}

#[test]
fn a_report_tells_the_smallest_room_and_why_nothing_more_can_be_spent() {
    let mut desk = Desk::new();
    let terms = AccountTerms {
        daily_limit: Some(money("2")),
        monthly_limit: Some(money("3")),
        talk_day: Some(600),
        ..AccountTerms::default()
    };
    let anna = desk.account(1, "10", terms);
    let mut call = 0;
    spend(&mut desk, anna, &mut call, 1).unwrap();
    desk.hold(50, &[(anna, plan("1 30/30"))]);
    let report = |desk: &Desk| tollgate_billing::credit::report(desk.row(anna), &desk.rules, desk.now);
    let seen = report(&desk);
    assert_eq!((seen.balance, seen.reserved, seen.available), (money("9"), money("0.5"), Some(money("0.5"))));
    assert_eq!(
        (seen.spend_today, seen.held_today, seen.spend_month, seen.talk_today),
        (money("1"), money("0.5"), money("1"), 60)
    );
    assert_eq!((seen.daily_limit_from, seen.blocked), (Some("account.daily_limit"), None));
    desk.settle(50);
    spend(&mut desk, anna, &mut call, 1).unwrap();
    assert_eq!(
        report(&desk).blocked.unwrap().to_string(),
        "daily_limit: spend today would reach 2.000001, 2.000000 is allowed"
    );
    desk.now = wall("2026-03-03T10:00:00Z");
    let tomorrow = report(&desk);
    assert_eq!((tomorrow.spend_today, tomorrow.available, tomorrow.blocked), (money("0"), Some(money("1")), None));
}

#[test]
fn every_cap_is_exact_to_its_last_digit() {
    // A minimum ask of 0.10, at 0.60 a minute: exactly the limit is granted, one unit less refuses.
    type Set = fn(&mut AccountTerms, &str);
    let cases: [(&str, Set, &str, &str); 5] = [
        ("credit", |terms, text| terms.credit_limit = Some(money(text)), "0.1", "0.099999"),
        ("burn_rate", |terms, text| terms.burn_rate = Some(text.parse().unwrap()), "0.6", "0.599999999"),
        ("daily_limit", |terms, text| terms.daily_limit = Some(money(text)), "0.1", "0.099999"),
        ("monthly_limit", |terms, text| terms.monthly_limit = Some(money(text)), "0.1", "0.099999"),
        // With a multiplier of 1, and no floor.
        ("dynamic_limit", |terms, text| terms.dynamic_baseline = Some(money(text)), "0.1", "0.099999"),
    ];
    for (rule, set, enough, short) in cases {
        for (limit, granted) in [(enough, true), (short, false)] {
            let mut desk = Desk::new();
            if rule == "dynamic_limit" {
                desk.rules.policy.dynamic = DynamicFor::EndUsers;
                desk.rules.policy.dynamic_floor_enduser = money("0");
                desk.rules.policy.dynamic_multiplier_millionths = 1_000_000;
            }
            let mut terms = postpaid();
            set(&mut terms, limit);
            let anna = desk.account(1, "0", terms);
            let outcome = desk.hold(1, &[(anna, plan("0.60 1/1"))]);
            assert_eq!(matches!(outcome, Outcome::Held(_)), granted, "{rule} {limit}");
            assert!(granted || refusal(&outcome).starts_with(rule), "{rule}: {outcome:?}");
        }
    }
}
