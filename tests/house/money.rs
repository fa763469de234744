//! Money while time passes.

use std::time::Duration;

use tollgate_actors::sabotage::Stall;
use tollgate_media::relay::{Reason, Verdict};

use crate::agent::State;
use crate::house::{House, Who, minutes, secs, story, story_at};

/// Anna, who pays by these terms, and a carrier that answers; 49 costs 0.60 a minute, by the second.
async fn anna_with(house: &mut House, terms: &str) -> (Who, Who) {
    house.deck("retail", "49,0.60,1,1").await;
    let carrier = house.carrier("carrier", "").await;
    let anna = house.phone("anna", &format!("--deck retail --dynamic-baseline 1000 {terms}")).await;
    (anna, carrier)
}

async fn stall_ledger(house: &House, stalled: bool) {
    house.platform().house.ledger.addr.send(Stall(stalled)).await.expect("the ledger lives");
}

#[test]
fn an_hour_of_prepaid_talk_extends_and_is_charged_to_the_second() {
    story(async |house| {
        let (anna, carrier) = anna_with(house, "--prepaid --credit 100.00").await;
        let call = house.calls(anna, "4930123456").await;
        house.talk(minutes(60) + secs(1)).await;
        assert_eq!(house.state(call), State::Up, "{:?}", house.records().await);
        house.hangs_up(call).await;
        assert_eq!(house.state(house.last_line(carrier)), State::HungUp);
        house.advance(minutes(1)).await;
        let record = house.record().await;
        assert_eq!((&record["talk_seconds"], &record["billed_seconds"]), (&3601.into(), &3601.into()));
        assert_eq!(record["sell_cost"], "36.010000");
        assert_eq!(house.balance("anna").await, "63.990000");
        assert_eq!(house.left_behind().await, Vec::<String>::new());
    });
}

#[test]
fn one_unit_at_sixty_cents_a_minute_ends_at_a_hundred_seconds_exactly() {
    story(async |house| {
        let (anna, carrier) = anna_with(house, "--prepaid --credit 1.00").await;
        let call = house.calls(anna, "4930123456").await;
        house.talk(secs(100) - Duration::from_millis(10)).await;
        assert_eq!(house.state(call), State::Up);
        house.talk(Duration::from_millis(10)).await;
        assert_eq!((house.state(call), house.state(house.last_line(carrier))), (State::HungUp, State::HungUp));
        let record = house.record().await;
        assert_eq!((&record["talk_ms"], &record["sell_cost"]), (&100_000.into(), &"1.000000".into()));
        assert_eq!(house.balance("anna").await, "0.000000");
    });
}

#[test]
fn a_postpaid_call_over_midnight_is_split_by_the_payers_day() {
    story_at("2026-11-25T22:50:00Z", "", async |house| {
        let (anna, _) = anna_with(house, "--postpaid --timezone Europe/Berlin").await;
        let call = house.calls(anna, "4930123456").await;
        house.talk(minutes(25)).await;
        house.hangs_up(call).await;
        house.advance(secs(1)).await;
        let record = house.record().await;
        assert_eq!(record["sell_cost"], "15.000000");
        let days = &record["spend_by_day"];
        assert_eq!((&days["2026-11-25"], &days["2026-11-26"]), (&"6.000000".into(), &"9.000000".into()));
        assert_eq!(house.user("anna").await["spend_today"], "9.000000");
    });
}

#[test]
fn the_day_on_which_clocks_go_back_has_twenty_five_hours() {
    // Berlin, 25 October 2026: begins at 22:00 UTC the day before, ends at 23:00 UTC.
    story_at("2026-10-25T22:30:00Z", "", async |house| {
        let (anna, _) = anna_with(house, "--postpaid --timezone Europe/Berlin").await;
        let call = house.calls(anna, "4930123456").await;
        house.talk(minutes(50)).await;
        house.hangs_up(call).await;
        house.advance(secs(1)).await;
        let days = house.record().await["spend_by_day"].clone();
        assert_eq!((&days["2026-10-25"], &days["2026-10-26"]), (&"18.000000".into(), &"12.000000".into()));
    });
}

#[test]
fn a_call_whose_ledger_is_late_ends_at_paid_time_and_bills_no_more() {
    story(async |house| {
        let (anna, carrier) = anna_with(house, "--prepaid --credit 100.00").await;
        let call = house.calls(anna, "4930123456").await;
        // The minimum ask pays for ten seconds; nothing is committed from here on.
        house.advance(secs(1)).await;
        stall_ledger(house, true).await;
        house.talk(secs(9) - Duration::from_millis(10)).await;
        assert_eq!(house.state(call), State::Up);
        house.talk(secs(5)).await;
        assert_eq!((house.state(call), house.state(house.last_line(carrier))), (State::HungUp, State::HungUp));
        stall_ledger(house, false).await;
        house.advance(minutes(1)).await;
        let record = house.record().await;
        assert_eq!((&record["talk_ms"], &record["sell_cost"]), (&10_000.into(), &"0.100000".into()));
        assert_eq!(record["cause"], "ledger_unavailable");
        assert_eq!(house.balance("anna").await, "99.900000");
        assert_eq!(house.left_behind().await, Vec::<String>::new());
    });
}

#[test]
fn the_kill_timer_moves_only_by_a_committed_extension_and_so_does_the_relays_gate() {
    story(async |house| {
        let (anna, carrier) = anna_with(house, "--prepaid --credit 100.00").await;
        let call = house.calls(anna, "4930123456").await;
        let live = house.ask("call list").await;
        assert_eq!(live[0]["paid_until"], "2026-11-25T10:00:10.000Z");
        // The extension is asked for before those ten seconds end; as long as it is not durable nothing moves.
        stall_ledger(house, true).await;
        house.talk(secs(9)).await;
        let asked = house.platform().house.ledger.addr.send(tollgate_actors::observe::Observe).await.expect("it lives");
        assert_eq!(asked["waiting"], 1, "the extension waits");
        let opened = house.speaks(call);
        assert!(matches!(opened, Some(Verdict::Forward { .. })), "{opened:?}");
        stall_ledger(house, false).await;
        house.talk(secs(4)).await;
        assert_eq!(house.state(call), State::Up);
        let live = house.ask("call list").await;
        assert_eq!(live[0]["paid_until"], "2026-11-25T10:01:10.000Z");
        // A platform that hangs: the clock goes on and nobody is ticked. The relay is shut at the paid second all the same.
        house.hang(secs(57) - Duration::from_millis(1));
        let opened = house.speaks(call);
        assert!(matches!(opened, Some(Verdict::Forward { .. })), "{opened:?}");
        house.hang(Duration::from_millis(1));
        assert_eq!(house.speaks(call), Some(Verdict::Drop(Reason::Unpaid)));
        assert_eq!(house.speaks(house.last_line(carrier)), Some(Verdict::Drop(Reason::Unpaid)));
        house.advance(secs(1)).await;
        assert_eq!(house.state(call), State::HungUp);
        assert_eq!(house.record().await["talk_ms"], 70_000);
    });
}

#[test]
fn a_top_up_during_a_call_extends_it() {
    story(async |house| {
        let (anna, _) = anna_with(house, "--prepaid --credit 1.00").await;
        let call = house.calls(anna, "4930123456").await;
        house.talk(secs(97)).await;
        house.ask("credit add anna 1.00").await;
        house.talk(secs(102)).await;
        assert_eq!(house.state(call), State::Up);
        house.talk(secs(2)).await;
        assert_eq!(house.state(call), State::HungUp);
        assert_eq!(house.record().await["talk_ms"], 200_000);
        assert_eq!(house.balance("anna").await, "0.000000");
    });
}

#[test]
fn disable_ends_calls_and_bindings_at_once() {
    story(async |house| {
        let (anna, carrier) = anna_with(house, "--prepaid --credit 10.00").await;
        let call = house.calls(anna, "4930123456").await;
        house.talk(secs(30)).await;
        house.ask("user disable anna").await;
        assert_eq!((house.state(call), house.state(house.last_line(carrier))), (State::HungUp, State::HungUp));
        assert_eq!(house.ask("registration list").await, serde_json::json!([]));
        house.advance(minutes(1)).await;
        assert_eq!(house.record().await["talk_seconds"], 30);
        assert_eq!(house.balance("anna").await, "9.700000");
        let refused = house.calls(anna, "4930123456").await;
        assert_eq!(house.state(refused), State::Refused(403));
    });
}
