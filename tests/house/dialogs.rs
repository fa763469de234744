//! Calls begin, cross, and end.

use crate::agent::{Manner, State};
use crate::house::{House, Side, Who, minutes, secs, story};

/// Two users with phones who talk for nothing.
async fn anna_and_bert(house: &mut House) -> (Who, Who) {
    let anna = house.phone("anna", "").await;
    let bert = house.phone("bert", "").await;
    (anna, bert)
}

/// They talk.
async fn talking(house: &mut House) -> (Side, Side) {
    let (anna, bert) = anna_and_bert(house).await;
    let call = house.calls(anna, "bert").await;
    let callee = house.last_line(bert);
    house.answers(callee).await;
    assert_eq!((house.state(call), house.state(callee)), (State::Up, State::Up));
    (call, callee)
}

async fn nothing_is_left(house: &mut House) {
    house.advance(minutes(2)).await;
    assert_eq!(house.left_behind().await, Vec::<String>::new());
}

#[test]
fn who_does_not_pick_up_is_cancelled_after_the_ring_time() {
    story(async |house| {
        let (anna, bert) = anna_and_bert(house).await;
        let call = house.calls(anna, "bert").await;
        house.advance(secs(89)).await;
        assert_eq!(house.state(call), State::Waiting);
        house.advance(secs(2)).await;
        assert!(matches!(house.state(call), State::Refused(480 | 408)), "{:?}", house.line(call).heard);
        assert_eq!(house.line(house.last_line(bert)).heard, ["INVITE", "CANCEL", "ACK"]);
        assert_eq!(house.record().await["status"], "failed");
        nothing_is_left(house).await;
    });
}

#[test]
fn a_cancel_that_crosses_the_answer_ends_the_answered_leg() {
    story(async |house| {
        let (anna, bert) = anna_and_bert(house).await;
        let call = house.calls(anna, "bert").await;
        let callee = house.last_line(bert);
        // Both speak before either hears the other: Bert's 200 is on its way when Anna's CANCEL arrives.
        house.person(anna).cancel(call.line);
        house.person(bert).answer(callee.line);
        house.exchange().await;
        house.advance(secs(1)).await;
        assert_eq!(house.state(call), State::Refused(487), "{:?}", house.line(call).heard);
        assert_eq!(house.state(callee), State::HungUp, "{:?}", house.line(callee).heard);
        nothing_is_left(house).await;
    });
}

#[test]
fn two_offers_that_cross_are_a_glare() {
    story(async |house| {
        let (call, callee) = talking(house).await;
        house.person(call.who).offer(call.line, "sendonly", None);
        house.person(callee.who).offer(callee.line, "sendonly", None);
        house.exchange().await;
        house.advance(secs(1)).await;
        let statuses = |side: Side| house.line(side).heard.iter().rfind(|word| word.ends_with(" INVITE")).cloned();
        let both = [statuses(call), statuses(callee)].map(Option::unwrap_or_default);
        assert!(both.iter().any(|word| word == "491 INVITE"), "{both:?}");
        assert_eq!((house.state(call), house.state(callee)), (State::Up, State::Up));
        house.hangs_up(call).await;
        nothing_is_left(house).await;
    });
}

#[test]
fn of_two_answers_of_a_fork_one_is_taken_and_the_other_hung_up() {
    story(async |house| {
        house.deck("retail", "49,0.60,1,1").await;
        let carrier = house.carrier("carrier", "").await;
        house.person(carrier).manner = Manner::AnswersTwice;
        let anna = house.phone("anna", "--deck retail --prepaid --credit 10.00").await;
        let call = house.calls(anna, "4930123456").await;
        assert_eq!(house.state(call), State::Up);
        house.talk(secs(10)).await;
        let heard = house.line(house.last_line(carrier)).heard.clone();
        let count = |method: &str| heard.iter().filter(|word| *word == method).count();
        assert_eq!((count("ACK"), count("BYE")), (2, 1), "{heard:?}");
        assert_eq!(house.state(call), State::Up);
        house.hangs_up(call).await;
        house.advance(secs(1)).await;
        assert_eq!(house.records().await.len(), 1);
        assert_eq!(house.record().await["talk_seconds"], 10);
        nothing_is_left(house).await;
    });
}

#[test]
fn session_timers_are_refreshed_for_an_hour_and_a_dead_side_is_ended() {
    story(async |house| {
        let (call, callee) = talking(house).await;
        house.talk(minutes(60)).await;
        assert_eq!((house.state(call), house.state(callee)), (State::Up, State::Up));
        let refreshes = |side: Side| house.line(side).heard.iter().filter(|word| *word == "UPDATE").count();
        assert!(
            refreshes(call) + refreshes(callee) >= 3,
            "{:?} {:?}",
            house.line(call).heard,
            house.line(callee).heard
        );
        // Bert's phone loses its network: its voice would still be heard, as a looped announcement might.
        house.person(callee.who).dead = true;
        house.talk(minutes(40)).await;
        assert_eq!(house.state(call), State::HungUp);
        assert_eq!(house.record().await["cause"], "session_expired");
        nothing_is_left(house).await;
    });
}

#[test]
fn a_challenging_a_refusing_and_a_silent_carrier_are_passed_in_turn() {
    story(async |house| {
        house.deck("retail", "49,0.60,1,1").await;
        let silent = house.carrier("silent", "").await;
        let busy = house.carrier("refusing", "").await;
        let last = house.carrier("asking", "--username asking --password secret-of-asking").await;
        house.person(silent).manner = Manner::Silent;
        house.person(busy).manner = Manner::Refuses(503);
        house.person(last).manner = Manner::Challenges;
        let anna = house.phone("anna", "--deck retail --prepaid --credit 10.00").await;
        let call = house.calls(anna, "4930123456").await;
        house.advance(secs(20)).await;
        assert_eq!(house.state(call), State::Up, "{:?}", house.line(call).heard);
        house.hangs_up(call).await;
        house.advance(secs(1)).await;
        assert_eq!(house.record().await["trunk_out"], "asking");
        // It has its power back: the pings to it end.
        house.person(silent).manner = Manner::Answers;
        nothing_is_left(house).await;
    });
}

#[test]
fn a_phone_refers_its_partner_to_a_third() {
    story(async |house| {
        let (call, callee) = talking(house).await;
        let carla = house.phone("carla", "").await;
        house.person(callee.who).refer(callee.line, "carla");
        house.exchange().await;
        let third = house.last_line(carla);
        house.answers(third).await;
        house.advance(secs(2)).await;
        assert_eq!((house.state(call), house.state(third)), (State::Up, State::Up));
        assert!(house.line(callee).heard.iter().any(|word| word == "NOTIFY"), "{:?}", house.line(callee).heard);
        house.hangs_up(call).await;
        assert_eq!(house.state(third), State::HungUp);
        if house.state(callee) == State::Up {
            house.hangs_up(callee).await;
        }
        nothing_is_left(house).await;
    });
}
