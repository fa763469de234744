//! Accounts whose calls look like fraud, and a Watcher that meets faults of ours.

use tollgate_actors::observe::Observe;
use tollgate_actors::sabotage::{arm, is_spent};

use crate::agent::State;
use crate::house::{House, Side, Who, secs, story};

/// Anna, whose password somebody has, and Bert; Jamaica costs 6.00 a minute.
async fn anna_and_bert(house: &mut House) -> (Who, Who) {
    house.deck("retail", "49,0.60,1,1\n1876,6.00,1,1").await;
    house.carrier("carrier", "").await;
    house.ask("route add --prefix 1876 --trunk carrier").await;
    let terms = "--deck retail --prepaid --credit 1000.00 --dynamic-baseline 1000 --max-lines 20";
    (house.phone("anna", terms).await, house.phone("bert", terms).await)
}

/// Dials number after number in one range, until one is refused; those that were answered.
async fn dials_a_range(house: &mut House, who: Who) -> Vec<Side> {
    let mut up = Vec::new();
    for turn in 0..10 {
        let call = house.calls(who, &format!("1876555010{turn}")).await;
        match house.state(call) {
            State::Up => up.push(call),
            State::Refused(403) => break,
            other => panic!("{other:?}: {:?}", house.line(call).heard),
        }
    }
    up
}

async fn watcher(house: &House) -> serde_json::Value {
    house.platform().house.watcher.addr.send(Observe).await.expect("the watcher lives")
}

#[test]
fn a_stolen_account_is_blocked_and_its_neighbour_is_not() {
    story(async |house| {
        let (anna, bert) = anna_and_bert(house).await;
        assert_eq!(dials_a_range(house, anna).await.len(), 4);
        assert_eq!(house.user("anna").await["blocked"]["rule"], "fraud");
        assert_eq!(watcher(house).await["waiting"], 0, "it was written at once");
        let call = house.calls(bert, "4930123456").await;
        assert_eq!(house.state(call), State::Up);
        house.ask("fraud release anna").await;
        let call = house.calls(anna, "4930123456").await;
        assert_eq!(house.state(call), State::Up);
    });
}

#[test]
fn news_that_the_watcher_cannot_stand_costs_its_alert_and_no_block() {
    story(async |house| {
        let (anna, bert) = anna_and_bert(house).await;
        arm("watcher.suspected");
        let calls = dials_a_range(house, anna).await;
        assert!(is_spent(), "the fault was met");
        assert_eq!(calls.len(), 4);
        assert_eq!(house.user("anna").await["blocked"]["rule"], "fraud");
        assert_eq!(watcher(house).await["waiting"], 0, "it was written all the same");
        // The end of a call, a second, and a release: each is lost alone.
        arm("watcher.ended");
        house.hangs_up(calls[0]).await;
        arm("watcher.tick");
        house.advance(secs(3)).await;
        arm("watcher.release");
        let refused = house.try_ask("fraud release anna").await.expect_err("it was not released");
        assert!(refused.to_string().contains("a fault of ours"), "{refused}");
        assert!(is_spent(), "the faults were met");
        house.ask("fraud release anna").await;
        let call = house.calls(anna, "4930123456").await;
        assert_eq!(house.state(call), State::Up, "{:?}", house.line(call).heard);
        let call = house.calls(bert, "4930123456").await;
        assert_eq!(house.state(call), State::Up);
    });
}
