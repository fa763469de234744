//! The database goes away while time passes, and faults of ours meet what it missed.

use serde_json::json;
use tollgate_actors::sabotage::{Cut, arm, is_spent};

use crate::agent::State;
use crate::house::{House, Side, minutes, secs, story};

async fn cut(house: &House, away: bool) {
    house.platform().house.ledger.addr.send(Cut(away)).await.expect("the ledger lives");
}

/// Anna and Bert talk by a carrier for a cent a second, for ten seconds so far.
async fn two_calls(house: &mut House) -> [Side; 2] {
    house.deck("retail", "49,0.60,1,1").await;
    house.carrier("carrier", "").await;
    let terms = "--deck retail --prepaid --credit 10.00 --dynamic-baseline 1000";
    let mut calls = Vec::new();
    for (name, number) in [("anna", "4930111111"), ("bert", "4930222222")] {
        let who = house.phone(name, terms).await;
        calls.push(house.calls(who, number).await);
    }
    let calls = [calls[0], calls[1]];
    house.talk(secs(10)).await;
    assert_eq!(calls.map(|call| house.state(call)), [State::Up; 2]);
    calls
}

#[test]
fn calls_that_end_while_the_database_is_away_are_charged_to_the_second_when_it_is_back() {
    story(async |house| {
        let calls = two_calls(house).await;
        cut(house, true).await;
        for call in calls {
            house.hangs_up(call).await;
        }
        house.advance(minutes(1)).await;
        assert_eq!(house.records().await, Vec::<serde_json::Value>::new());
        let refused = house.calls(calls[0].who, "4930333333").await;
        assert!(matches!(house.state(refused), State::Refused(_)), "{:?}", house.line(refused).heard);
        cut(house, false).await;
        house.advance(secs(2)).await;
        for name in ["anna", "bert"] {
            assert_eq!(house.balance(name).await, "9.900000");
        }
        house.advance(minutes(2)).await;
        assert_eq!(house.left_behind().await, Vec::<String>::new());
    });
}

#[test]
fn a_spooled_fact_that_the_ledger_cannot_stand_is_set_apart_and_the_others_follow() {
    story(async |house| {
        let calls = two_calls(house).await;
        cut(house, true).await;
        for call in calls {
            house.hangs_up(call).await;
        }
        house.advance(secs(5)).await;
        assert_eq!(house.platform().house.ledger.spooled(), 2);
        // The question whether the database is back, then both facts together, then the first of them alone.
        for place in ["ledger.probe", "ledger.commit", "ledger.commit"] {
            arm(place);
        }
        cut(house, false).await;
        house.advance(secs(3)).await;
        assert!(is_spent(), "the faults were met");
        assert_eq!(house.platform().house.ledger.spooled(), 0);
        let records = house.records().await;
        assert_eq!(records.iter().map(|record| &record["user"]).collect::<Vec<_>>(), [&json!("bert")]);
        assert_eq!(house.balance("bert").await, "9.900000");
        // Her hold stays in the books until the next start settles it by what is proven.
        assert_ne!(house.user("anna").await["reserved"], "0.000000");
        assert!(house.alerts().await.iter().any(|alert| alert[0] == "ledger_fault" && alert[1] == "ledger"));
    });
}

#[test]
fn refusals_that_repeat_share_a_record_whose_count_follows_within_a_second() {
    story(async |house| {
        let [anna, _] = two_calls(house).await;
        for _ in 0..5 {
            let refused = house.calls(anna.who, "33123456789").await;
            assert!(matches!(house.state(refused), State::Refused(_)));
        }
        house.advance(secs(1)).await;
        let records = house.records().await;
        assert_eq!(records.iter().map(|record| &record["repeats"]).collect::<Vec<_>>(), [&json!(5)]);
        // One that cannot be compared has a record of its own: nothing is lost.
        arm("ledger.fold");
        house.calls(anna.who, "33123456789").await;
        house.advance(secs(1)).await;
        assert!(is_spent());
        assert_eq!(house.records().await.len(), 2);
    });
}
