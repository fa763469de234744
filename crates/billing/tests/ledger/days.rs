//! Days, months, zones and prices that change while a call lasts.

use tollgate_billing::price::Segment;
use tollgate_billing::{AccountTerms, Outcome, PricePlan};

use crate::desk::*;

fn budapest() -> AccountTerms {
    AccountTerms { zone: "Europe/Budapest".parse().unwrap(), ..AccountTerms::default() }
}

/// Spend by day as `01=0.10 02=0.20`.
fn days(desk: &Desk) -> String {
    let cdr = desk.records.last().unwrap();
    cdr.spend_by_day
        .iter()
        .map(|(day, money)| format!("{}={}", &day.to_string()[8..], &money.to_string()[..4]))
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn a_call_over_midnight_pays_each_increment_on_the_day_it_begins_in() {
    //  zone                    answer                     price            talk s  by day
    for (zone, answer, text, talk, by_day) in [
        ("UTC", "2026-03-02T23:59:30Z", "0.60 1/1", 60, "02=0.30 03=0.30"),
        ("UTC", "2026-03-02T23:59:30Z", "0.60 60/60", 60, "02=0.60"),
        ("UTC", "2026-03-02T23:59:30Z", "0.60 60/60 +0.10", 61, "02=0.70 03=0.60"),
        ("UTC", "2026-03-03T00:00:00Z", "0.60 1/1 +0.10", 60, "03=0.70"),
        ("Europe/Budapest", "2026-03-02T22:59:30Z", "0.60 1/1", 60, "02=0.30 03=0.30"),
        // The day of 23 hours, and the one of 25.
        ("Europe/Budapest", "2026-03-29T21:59:30Z", "0.60 1/1", 60, "29=0.30 30=0.30"),
        ("Europe/Budapest", "2026-10-25T22:59:30Z", "0.60 1/1", 60, "25=0.30 26=0.30"),
        ("Europe/Budapest", "2026-10-25T21:59:30Z", "0.60 1/1", 60, "25=0.60"),
    ] {
        let mut desk = Desk::new();
        desk.now = wall(answer);
        let terms = AccountTerms { zone: zone.parse().unwrap(), ..AccountTerms::default() };
        let anna = desk.account(1, "10", terms);
        desk.hold(1, &[(anna, plan(text))]);
        desk.answer(1);
        for sequence in 2..6 {
            desk.extend(1, sequence);
        }
        desk.wait(talk);
        desk.settle(1);
        assert_eq!(days(&desk), by_day, "{zone} {answer} {text}");
        let told: Vec<_> = desk.records[0].spend_by_day.iter().collect();
        for (day, money) in told {
            assert_eq!(desk.days[&(anna, *day)].spend, *money, "the history of days agrees with the record");
        }
    }
}

#[test]
fn an_extension_never_passes_midnight_or_a_price_change() {
    let mut desk = Desk::new();
    desk.now = wall("2026-03-02T22:59:25Z");
    let anna = desk.account(1, "100", budapest());
    desk.hold(1, &[(anna, plan("0.60 1/1"))]);
    desk.answer(1);
    assert_eq!(desk.extend(1, 2), Outcome::Extended { paid_ms: Some(35_000), held: money("0.35") }, "to midnight");
    assert_eq!(desk.extend(1, 3), Outcome::Extended { paid_ms: Some(95_000), held: money("0.95") }, "a slice beyond");

    // The same with a price change later that night.
    let mut desk = Desk::new();
    desk.now = wall("2026-03-02T22:59:25Z");
    let anna = desk.account(1, "100", budapest());
    let step = |from, text| Segment { from, price: Some(price(text)) };
    let later = PricePlan::new([step(desk.now, "0.60 1/1"), step(wall("2026-03-03T01:00:00Z"), "0.06 1/1")], None);
    desk.hold(1, &[(anna, later.unwrap())]);
    desk.answer(1);
    assert_eq!(desk.extend(1, 2), Outcome::Extended { paid_ms: Some(35_000), held: money("0.35") });

    let mut desk = Desk::new();
    let anna = desk.prepaid(1, "100");
    let at = desk.now + std::time::Duration::from_secs(400);
    let plan = PricePlan::new([step(desk.now, "0.60 6/6"), step(at, "0.06 1/1")], None).unwrap();
    desk.hold(1, &[(anna, plan)]);
    desk.wait(310); // rings almost for ever; the hold covers 300 s, the price is the same still
    desk.answer(1);
    assert_eq!(desk.extend(1, 2), Outcome::Extended { paid_ms: Some(72_000), held: money("0.72") });
    assert_eq!(desk.extend(1, 3), Outcome::Extended { paid_ms: Some(90_000), held: money("0.90") }, "to the change");
    assert_eq!(
        desk.extend(1, 4),
        Outcome::Extended { paid_ms: Some(150_000), held: money("0.96") },
        "at the new price"
    );
}

#[test]
fn a_call_that_rings_into_a_dearer_hour_is_held_for_it_and_pays_the_hour_of_its_answer() {
    let mut desk = Desk::new();
    let anna = desk.prepaid(1, "10");
    let step = |from, text| Segment { from, price: Some(price(text)) };
    let dear = desk.now + std::time::Duration::from_secs(60);
    let plan = PricePlan::new([step(desk.now, "0.60 1/1"), step(dear, "6.00 1/1")], None).unwrap();
    desk.hold(1, &[(anna, plan.clone())]);
    assert_eq!(desk.held(anna), "1.100000", "ten seconds and one increment at the dearer price");
    desk.hold(2, &[(anna, plan)]);
    desk.wait(30);
    desk.answer(1);
    assert_eq!(desk.hold_of(1).levels[0].held, money("0.10"));
    desk.wait(31);
    desk.answer(2);
    assert_eq!(desk.hold_of(2).levels[0].held, money("1.00"));
}

#[test]
fn a_scheduled_block_ends_the_call_when_it_comes() {
    let mut desk = Desk::new();
    let anna = desk.prepaid(1, "10");
    let blocked = desk.now + std::time::Duration::from_secs(30);
    let segments = [Segment { from: desk.now, price: Some(price("0.60 1/1")) }, Segment { from: blocked, price: None }];
    desk.hold(1, &[(anna, PricePlan::new(segments, None).unwrap())]);
    desk.answer(1);
    assert!(matches!(desk.extend(1, 2), Outcome::Extended { paid_ms: Some(30_000), .. }));
    assert_eq!(refusal(&desk.extend(1, 3)), "no_price: there is no price for 3612345");
}

#[test]
fn a_new_zone_begins_at_the_next_turn_of_the_old() {
    let mut desk = Desk::new();
    desk.now = wall("2026-03-02T10:00:00Z");
    let anna = desk.prepaid(1, "10");
    let talk = |desk: &mut Desk, call| {
        desk.hold(call, &[(anna, plan("0.60 1/1"))]);
        desk.answer(call);
        desk.wait(10);
        desk.settle(call);
        days(desk)
    };
    assert_eq!(talk(&mut desk, 1), "02=0.10");
    desk.accounts.get_mut(&anna).unwrap().terms.zone = "Asia/Tokyo".parse().unwrap();
    desk.now = wall("2026-03-02T16:00:00Z"); // the third in Tokyo already
    assert_eq!(talk(&mut desk, 2), "02=0.10");
    desk.now = wall("2026-03-03T01:00:00Z");
    assert_eq!(talk(&mut desk, 3), "03=0.10");
    desk.now = wall("2026-03-03T15:00:00Z");
    assert_eq!(talk(&mut desk, 4), "04=0.10", "midnight in Tokyo");
}

#[test]
fn a_call_ringing_at_midnight_is_held_against_both_days_and_pays_one() {
    let mut desk = Desk::new();
    desk.now = wall("2026-03-02T23:58:00Z");
    let anna = desk.account(1, "10", AccountTerms { daily_limit: Some(money("0.15")), ..AccountTerms::default() });
    desk.hold(1, &[(anna, plan("0.60 1/1"))]);
    assert_eq!(desk.held(anna), "0.100000");
    assert_eq!(
        refusal(&desk.hold(2, &[(anna, plan("0.60 1/1"))])),
        "daily_limit: spend today would reach 0.200000, 0.150000 is allowed"
    );
    desk.now = wall("2026-03-03T00:00:01Z");
    assert_eq!(
        refusal(&desk.hold(3, &[(anna, plan("0.60 1/1"))])),
        "daily_limit: spend today would reach 0.200000, 0.150000 is allowed"
    );
    desk.answer(1);
    desk.wait(10);
    desk.settle(1);
    assert_eq!(days(&desk), "03=0.10");
}

#[test]
fn an_answer_later_than_any_was_to_come_is_never_charged_more_than_was_held() {
    let mut desk = Desk::new();
    let anna = desk.prepaid(1, "10");
    let step = |from, text| Segment { from, price: Some(price(text)) };
    let dear = desk.now + std::time::Duration::from_secs(600);
    let plan = PricePlan::new([step(desk.now, "0.60 1/1"), step(dear, "6.00 1/1")], None).unwrap();
    desk.hold(1, &[(anna, plan)]);
    desk.wait(700);
    assert_eq!(desk.answer(1), Outcome::Answered { paid_ms: Some(10_000) });
    assert_eq!(desk.held(anna), "0.100000");
    assert_eq!(
        desk.extend(1, 2),
        Outcome::Extended { paid_ms: Some(13_000), held: money("1.30") },
        "made up for when extended"
    );
    desk.wait(3);
    desk.settle(1);
    assert_eq!(desk.balance(anna), "9.700000");
}
