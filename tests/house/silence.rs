//! Media that falls silent.

use crate::agent::State;
use crate::house::{House, Side, minutes, secs, story};

async fn talking(house: &mut House) -> (Side, Side) {
    let anna = house.phone("anna", "").await;
    let bert = house.phone("bert", "").await;
    let call = house.calls(anna, "bert").await;
    let callee = house.last_line(bert);
    house.answers(callee).await;
    house.talk(secs(20)).await;
    (call, callee)
}

#[test]
fn a_call_in_which_nobody_is_heard_ends_after_the_media_timeout() {
    story(async |house| {
        let (call, callee) = talking(house).await;
        house.advance(secs(45)).await;
        assert_eq!(house.state(call), State::Up);
        house.advance(secs(40)).await;
        assert_eq!((house.state(call), house.state(callee)), (State::HungUp, State::HungUp));
        assert_eq!(house.record().await["cause"], "media_timeout");
        house.advance(minutes(2)).await;
        assert_eq!(house.left_behind().await, Vec::<String>::new());
    });
}

#[test]
fn a_call_on_hold_may_be_silent_and_is_watched_again_when_it_is_taken_back() {
    story(async |house| {
        let (call, callee) = talking(house).await;
        house.offers(call, "sendonly").await;
        assert!(house.line(callee).last.as_ref().is_some_and(|sdp| sdp.body.contains("a=sendonly")));
        house.advance(minutes(5)).await;
        assert_eq!((house.state(call), house.state(callee)), (State::Up, State::Up));
        house.offers(call, "sendrecv").await;
        house.talk(secs(30)).await;
        assert_eq!(house.state(call), State::Up);
        house.advance(minutes(2)).await;
        assert_eq!((house.state(call), house.state(callee)), (State::HungUp, State::HungUp));
    });
}
