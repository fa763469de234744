//! Limits while time passes: spend of days, calls a second, users, circles, and a profile that takes protections away.

use std::time::Duration;

use serde_json::{Value, json};

use crate::agent::{Manner, State};
use crate::house::{House, Who, minutes, secs, story, story_at};

const NUMBER: &str = "4930123456";

/// A carrier that answers; 49 costs 0.60 a minute, by the second.
async fn roads(house: &mut House) {
    house.deck("retail", "49,0.60,1,1").await;
    house.carrier("carrier", "").await;
}

/// A traffic sender whose trunk is known by its address.
async fn sender(house: &mut House) -> Who {
    house.ask("user add whole --kind traffic-sender --deck retail --postpaid").await;
    let who = house.somebody("whole", Manner::Rings);
    let ip = house.person(who).address.ip();
    house.ask(&format!("trunk add in --ingress --address {ip} --auth ip --account whole")).await;
    who
}

/// Dials and talks so long, or until the call is cut; seconds that were charged.
async fn talks(house: &mut House, who: Who, span: Duration) -> u64 {
    let call = house.calls(who, NUMBER).await;
    assert_eq!(house.state(call), State::Up, "{:?}", house.line(call).heard);
    house.talk(span).await;
    if house.state(call) == State::Up {
        house.hangs_up(call).await;
    }
    house.advance(secs(1)).await;
    house.record().await["billed_seconds"].as_u64().expect("seconds")
}

/// Dials and is refused; the record's refusal.
async fn refused(house: &mut House, who: Who, number: &str, status: u16) -> Value {
    let call = house.calls(who, number).await;
    assert_eq!(house.state(call), State::Refused(status), "{:?}", house.line(call).heard);
    house.advance(secs(1)).await;
    house.record().await["refusal"].clone()
}

async fn is_told(house: &House, kind: &str, subject: &str, severity: &str) -> bool {
    house.alerts().await.contains(&json!([kind, subject, severity]))
}

#[test]
fn a_class_has_its_own_daily_spend_and_the_other_class_is_not_asked() {
    // The guide's texts of these two are exchanged; the names are right.
    for (setting, ends_at) in [("maxdailycreditforenduser", [200, 300]), ("maxdailycreditforts", [300, 200])] {
        story(async |house| {
            roads(house).await;
            let anna = house.phone("anna", "--deck retail --postpaid").await;
            let whole = sender(house).await;
            house.ask(&format!("config set {setting} 2")).await;
            let talked = [talks(house, anna, minutes(5)).await, talks(house, whole, minutes(5)).await];
            assert_eq!(talked, ends_at, "{setting}");
        });
    }
}

#[test]
fn an_accounts_own_daily_limit_cuts_a_live_call_and_ends_with_the_day() {
    story(async |house| {
        roads(house).await;
        house.ask("config set maxdailycreditforenduser 10").await;
        let anna = house.phone("anna", "--deck retail --postpaid --daily-limit 1.50").await;
        assert_eq!(talks(house, anna, minutes(5)).await, 150);
        assert_eq!(house.user("anna").await["spend_today"], "1.500000");
        assert_eq!(refused(house, anna, NUMBER, 403).await["setting"], "account.daily_limit");
        house.advance(minutes(14 * 60)).await;
        assert_eq!(talks(house, anna, secs(60)).await, 60, "the next day is another");
    });
}

#[test]
fn an_address_that_has_talked_enough_waits_for_the_period_to_end() {
    story(async |house| {
        roads(house).await;
        house.ask("config set maxdurationperip 60").await;
        house.ask("config set maxcallperperiod 0.5").await;
        let anna = house.phone("anna", "--deck retail --postpaid").await;
        let bert = house.phone("bert", "--deck retail --postpaid").await;
        assert_eq!(talks(house, anna, secs(70)).await, 70, "what has begun is not cut");
        let refusal = refused(house, anna, NUMBER, 403).await;
        assert_eq!((&refusal["rule"], &refusal["limit"]), (&json!("ip_seconds"), &json!("60")));
        assert_eq!(talks(house, bert, secs(10)).await, 10, "he calls from elsewhere");
        house.advance(minutes(11 * 60)).await;
        assert_eq!(refused(house, anna, NUMBER, 403).await["rule"], "ip_seconds");
        // The period is kept in 24 parts, and talk counts for one of them longer at most.
        house.advance(minutes(90)).await;
        assert_eq!(talks(house, anna, secs(10)).await, 10);
    });
}

#[test]
fn a_new_month_gives_money_and_talk_anew_and_activity_has_raised_the_limit() {
    //  of money and of talk; what refuses when it is used up; how long calls last in the next month
    for (terms, rule, first, next) in [
        ("--monthly-limit 1.00 --monthly-increment 0.50 --monthly-ceiling 1.25", "monthly_limit", 100, 125),
        ("--talk-month 100", "talk_month", 300, 300),
    ] {
        story_at("2026-11-30T22:00:00Z", "", async |house| {
            roads(house).await;
            let anna = house.phone("anna", &format!("--deck retail --postpaid {terms}")).await;
            assert_eq!(talks(house, anna, minutes(5)).await, first, "{rule}");
            assert_eq!(refused(house, anna, NUMBER, 403).await["rule"], rule);
            house.advance(minutes(120)).await;
            assert_eq!(talks(house, anna, minutes(5)).await, next, "{rule}");
            assert_eq!(refused(house, anna, NUMBER, 403).await["rule"], rule);
        });
    }
}

#[test]
fn the_dynamic_limit_never_blocks_below_its_floor_and_follows_the_multiplier() {
    story(async |house| {
        house.deck("retail", "49,6.00,1,1").await;
        house.carrier("carrier", "").await;
        let anna = house.phone("anna", "--deck retail --postpaid --dynamic-baseline 1").await;
        // Seven times one is less than the floor of ten.
        assert_eq!(talks(house, anna, secs(80)).await, 80);
        assert_eq!(talks(house, anna, secs(60)).await, 20, "cut at the floor");
        let refusal = refused(house, anna, NUMBER, 403).await;
        assert_eq!((&refusal["rule"], &refusal["limit"]), (&json!("dynamic_limit"), &json!("10.000000")));
        let bert = house.phone("bert", "--deck retail --postpaid --dynamic-baseline 10").await;
        house.ask("config set maxdyndailycredit_multiplier 4").await;
        assert_eq!(talks(house, bert, minutes(10)).await, 400, "four times ten");
        let whole = sender(house).await;
        assert_eq!(talks(house, whole, secs(990)).await, 990, "a new sender's 99");
        assert_eq!(talks(house, whole, minutes(10)).await, 10, "cut at 100");
    });
}

#[test]
fn under_review_a_block_outlasts_the_day_until_somebody_accepts_it() {
    story(async |house| {
        roads(house).await;
        let row = house.ask("config get credit.dynamic.review").await;
        assert_eq!((&row["value"], &row["hardened"]), (&json!(false), &json!(true)));
        house.ask("config set credit.dynamic.review true").await;
        let anna = house.phone("anna", "--deck retail --postpaid --dynamic-baseline 0").await;
        assert_eq!(talks(house, anna, minutes(30)).await, 1000, "ten units");
        house.advance(minutes(24 * 60)).await;
        assert_eq!(refused(house, anna, NUMBER, 403).await["setting"], "credit.dynamic.review");
        house.ask("user accept-day anna 2026-11-25").await;
        assert_eq!(talks(house, anna, minutes(1)).await, 60);
    });
}

#[test]
fn calls_a_second_are_capped_for_the_platform_and_for_a_tenant() {
    story(async |house| {
        roads(house).await;
        let anna = house.phone("anna", "--deck retail --prepaid --credit 50").await;
        house.ask("user add boss --kind reseller --deck retail --prepaid --credit 50").await;
        let carl = house.phone("carl", "--deck retail --prepaid --credit 50 --parent boss").await;
        for (setting, who) in [("platform.calls_per_second", anna), ("tenant.calls_per_second", carl)] {
            house.ask(&format!("config set {setting} 2")).await;
            house.advance(secs(2)).await;
            let calls =
                [house.calls(who, NUMBER).await, house.calls(who, NUMBER).await, house.calls(who, NUMBER).await];
            let seen = calls.map(|call| house.state(call));
            assert_eq!(seen, [State::Up, State::Up, State::Refused(503)], "{setting}");
            house.advance(secs(2)).await;
            let refusal = house.record().await["refusal"].clone();
            assert_eq!((&refusal["rule"], &refusal["setting"]), (&json!("overload"), &json!(setting)));
            let third = house.calls(who, NUMBER).await;
            assert_eq!(house.state(third), State::Up, "another second");
            for side in [calls[0], calls[1], third] {
                house.hangs_up(side).await;
            }
            house.ask(&format!("config unset {setting}")).await;
        }
        // What a tenant may is asked of tenants alone.
        house.ask("config set tenant.calls_per_second 1").await;
        for _ in 0..3 {
            let call = house.calls(anna, NUMBER).await;
            assert_eq!(house.state(call), State::Up, "she is nobody's");
        }
    });
}

#[test]
fn a_tenant_has_so_many_users_and_others_are_not_counted() {
    story(async |house| {
        house.ask("user add boss --kind reseller").await;
        house.ask("user add rival --kind reseller").await;
        house.ask("user add sub --kind reseller --parent boss").await;
        house.ask("config set tenant.users_max 3").await;
        house.ask("user add one --parent sub").await;
        for parent in ["boss", "sub"] {
            let said = house.try_ask(&format!("user add two --parent {parent}")).await.expect_err("one too many");
            assert_eq!(said.to_string(), "there would be 4 users, 3 are allowed (tenant.users_max)");
        }
        house.ask("user add two --parent rival").await;
        house.ask("user add three").await;
        house.ask("user remove one").await;
        house.ask("user add four --parent boss").await;
    });
}

#[test]
fn phones_that_send_a_call_in_a_circle_are_followed_five_times() {
    //  where bert, carl and the caller herself send calls; what she hears; how many calls reach phones
    for (bert, carl, anna, status, reached) in [
        // To himself: refused at once, for he would be calling himself.
        ("bert", "bert", "bert", 480, 1),
        ("carl", "bert", "bert", 482, 6),
        ("anna", "bert", "bert", 482, 6),
    ] {
        story(async |house| {
            let caller = house.phone("anna", "").await;
            let mut people = vec![caller];
            for name in ["bert", "carl"] {
                people.push(house.phone(name, "").await);
            }
            for (who, to) in people.iter().zip([anna, bert, carl]) {
                house.person(*who).manner = Manner::SendsOn(to);
            }
            let call = house.calls(caller, "bert").await;
            assert_eq!(house.state(call), State::Refused(status), "{bert}: {:#?}", house.records().await);
            // Her own line is the first of hers.
            let lines: usize = people.iter().map(|who| house.person(*who).lines.len()).sum();
            assert_eq!(lines - 1, reached, "{bert}");
            house.advance(minutes(1)).await;
            assert_eq!(house.left_behind().await, Vec::<String>::new());
        });
    }
}

#[test]
fn a_call_without_a_price_is_told_as_loudly_as_the_operator_wishes() {
    for (level, severity) in [(0, "notice"), (1, "warning"), (2, "critical")] {
        story(async |house| {
            roads(house).await;
            house.ask("route add --prefix 44 --trunk carrier").await;
            house.ask(&format!("config set notbilledcallerr {level}")).await;
            let anna = house.phone("anna", "--deck retail --prepaid --credit 5").await;
            assert_eq!(refused(house, anna, "441632960001", 403).await["rule"], "no_price");
            assert!(is_told(house, "unpriced_call", "anna 44163", severity).await, "{:?}", house.alerts().await);
        });
    }
}

#[test]
fn an_hour_of_unusual_spending_is_told_when_it_is_over() {
    story(async |house| {
        house.deck("retail", "49,6.00,1,1").await;
        house.carrier("carrier", "").await;
        let terms = "--deck retail --postpaid --dynamic-baseline 1000";
        let (anna, bert) = (house.phone("anna", terms).await, house.phone("bert", terms).await);
        // Nothing is ordinary yet on an account's first day.
        house.advance(minutes(24 * 60)).await;
        talks(house, anna, secs(120)).await;
        talks(house, bert, secs(90)).await;
        assert!(!is_told(house, "spend_spike", "anna", "warning").await, "the hour is not over");
        house.advance(minutes(65)).await;
        assert!(
            is_told(house, "spend_spike", "anna", "warning").await,
            "twelve in an hour, nothing in the hours before"
        );
        assert!(!is_told(house, "spend_spike", "bert", "warning").await, "nine are below the floor of ten");
    });
}

#[test]
fn a_load_test_is_told_of_and_ends_after_a_day() {
    story(async |house| {
        roads(house).await;
        let anna = house.phone("anna", "--deck retail --prepaid --credit 500").await;
        let said = house.try_ask("config profile loadtest").await.expect_err("it is dangerous");
        assert!(said.to_string().contains("--force"), "{said}");
        assert!(!is_told(house, "protections_off", "loadtest", "warning").await);
        house.ask("config profile loadtest --force").await;
        assert!(is_told(house, "protections_off", "loadtest", "warning").await);
        assert_eq!(lines(house, anna).await, 7, "more than the five of an end user");
        house.advance(minutes(24 * 60 - 2)).await;
        assert_eq!(lines(house, anna).await, 7);
        house.advance(minutes(4)).await;
        assert!(is_told(house, "protections_on", "loadtest", "notice").await);
        assert_eq!(lines(house, anna).await, 5);
    });
}

/// How many of seven calls at a time are let in; all are ended.
async fn lines(house: &mut House, who: Who) -> usize {
    let mut up = Vec::new();
    for _ in 0..7 {
        let call = house.calls(who, NUMBER).await;
        if house.state(call) == State::Up {
            up.push(call);
        }
    }
    for call in &up {
        house.hangs_up(*call).await;
    }
    house.advance(secs(1)).await;
    up.len()
}
