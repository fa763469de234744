//! The process died.

use tollgate_billing::ledger::{Settle, What};
use tollgate_billing::{Cause, Outcome};

use crate::desk::*;

fn settled(outcome: Outcome) -> (u64, String, &'static str) {
    match outcome {
        Outcome::Settled(cdr) => (cdr.billed_seconds, cdr.sell_cost.to_string(), cdr.cause.id()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_answered_call_is_charged_up_to_the_second_its_node_is_known_to_have_lived() {
    //  proven s after answer  silent s after   billed  cost
    for (proven, silent, billed, cost) in [
        (7, None, 7, "0.070000"),
        (0, None, 0, "0.000000"),
        (-5, None, 0, "0.000000"),
        (500, None, 10, "0.100000"), // never beyond what was paid
        (8, Some(3), 3, "0.030000"),
        (3, Some(8), 3, "0.030000"),
    ] {
        let mut desk = Desk::new();
        let anna = desk.prepaid(1, "1");
        desk.hold(1, &[(anna, plan("0.60 1/1"))]);
        desk.wait(5);
        let answered = desk.now;
        desk.answer(1);
        if let Some(silent) = silent {
            desk.ask(1, 2, What::Silent(Some(answered + std::time::Duration::from_secs(silent))));
        }
        desk.wait(1000);
        let proven = tollgate_types::Wall::from_micros(answered.micros() + proven * 1_000_000);
        assert_eq!(settled(desk.recover(1, proven)), (billed, cost.into(), "crash"), "{proven}");
        assert_eq!(desk.held(anna), "0.000000");
        assert_eq!(desk.recover(1, proven), Outcome::Closed, "whoever comes second finds it done");
    }
}

#[test]
fn a_ringing_call_is_released() {
    let mut desk = Desk::new();
    let anna = desk.prepaid(1, "1");
    desk.hold(1, &[(anna, plan("0.60 1/1"))]);
    assert_eq!(desk.hold_of(1).dialogs, b"dialogs");
    let now = desk.now;
    assert_eq!(settled(desk.recover(1, now)), (0, "0.000000".into(), "crash"));
    assert_eq!(desk.balance(anna), "1.000000");
}

#[test]
fn a_call_settled_elsewhere_cannot_be_charged_again() {
    let mut desk = Desk::new();
    let anna = desk.prepaid(1, "1");
    desk.hold(1, &[(anna, plan("0.60 1/1"))]);
    desk.answer(1);
    desk.wait(9);
    let cdr = desk.hold_of(1).draft.clone();
    let now = desk.now;
    desk.recover(1, now);
    let late = Settle { cdr, buy: None };
    assert_eq!(desk.ask(1, 5, What::Settle(Box::new(late))), Outcome::Closed);
    assert_eq!(desk.records.len(), 1);
    assert_eq!(desk.records[0].cause, Cause::Crash);
}

#[test]
fn an_answer_that_never_came_through_is_told_by_the_settle() {
    let mut desk = Desk::new();
    let anna = desk.prepaid(1, "1");
    desk.hold(1, &[(anna, plan("0.60 1/1"))]);
    let mut cdr = desk.hold_of(1).draft.clone();
    cdr.answered_at = Some(desk.now);
    cdr.talk_ms = 8_500;
    let settle = Settle { cdr, buy: None };
    assert_eq!(settled(desk.ask(1, 5, What::Settle(Box::new(settle)))).1, "0.090000");
}
