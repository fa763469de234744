//! Devices come and go.

use serde_json::json;

use crate::agent::State;
use crate::house::{minutes, secs, story};

#[test]
fn a_binding_ends_when_its_time_is_over_and_calls_find_nobody() {
    story(async |house| {
        let anna = house.phone("anna", "").await;
        let bert = house.phone("bert", "").await;
        house.person(bert).register(120);
        house.exchange().await;
        assert_eq!(house.person(bert).registered, 120);
        house.advance(secs(119)).await;
        assert_eq!(house.ask("registration list --user bert").await.as_array().map(Vec::len), Some(1));
        house.advance(secs(2)).await;
        assert_eq!(house.ask("registration list --user bert").await, json!([]));
        let call = house.calls(anna, "bert").await;
        assert!(matches!(house.state(call), State::Refused(480 | 404)), "{:?}", house.state(call));
        house.advance(minutes(2)).await;
        assert_eq!(house.left_behind().await, Vec::<String>::new());
    });
}

#[test]
fn a_phone_that_refreshes_in_time_is_reached_after_an_hour() {
    story(async |house| {
        let anna = house.phone("anna", "").await;
        let bert = house.phone("bert", "").await;
        for _ in 0..4 {
            house.advance(minutes(15)).await;
            for phone in [anna, bert] {
                house.person(phone).register(1800);
            }
            house.exchange().await;
            assert_eq!(house.person(bert).registered, 1800);
        }
        let call = house.calls(anna, "bert").await;
        let callee = house.last_line(bert);
        house.answers(callee).await;
        assert_eq!(house.state(call), State::Up);
        house.hangs_up(call).await;
    });
}

#[test]
fn a_phone_with_the_wrong_password_gets_nowhere() {
    story(async |house| {
        house.ask("user add anna --password another-secret-of-anna").await;
        let anna = house.somebody("anna", crate::agent::Manner::Rings);
        house.person(anna).register(600);
        house.exchange().await;
        assert_eq!(house.person(anna).register_status, 401);
        assert_eq!(house.ask("registration list").await, json!([]));
    });
}
