//! Lists, what calls taught, and destination policy, as the whole admission sees them.

use std::time::Duration;

use tollgate_routing::list::{Color, Entry, Heard, Numbers, Reputation, Side};

use super::*;

fn entry(color: Color, numbers: &str, side: Side, account: Option<i64>) -> Entry {
    Entry {
        id: 7,
        color,
        numbers: Numbers::parse(numbers).unwrap(),
        side,
        certainty: 6,
        account: account.map(AccountId),
        until: None,
        source: "fixed".into(),
    }
}

fn asked(who: Party, dialled: &str, entries: Vec<Entry>, known: Option<Reputation>) -> String {
    let watch = Watch { lists: Lists::new(entries), known, ..Watch::default() };
    let admission =
        judged_under(&watch, &Values::default(), who, dialled, |ask| ask.claim.user = "442012345678".into());
    match admission.verdict {
        Ok(plan) => plan.kind.to_string(),
        Err(refusal) => format!("{} {}", refusal.rule.id(), refusal.setting.unwrap_or_default()),
    }
}

#[test]
fn lists_judge_both_ends_of_calls_with_numbers() {
    const OUT: &str = "sip:442012345678@example.com";
    const IN: &str = "sip:3612345678@example.com";
    let callee = "list_blocked lists.callee_level";
    let caller = "list_blocked lists.caller_level";
    let (black, white) = (Color::Black, Color::White);
    //  who, what he dials, the list, the verdict
    for (who, dialled, entries, verdict) in [
        (user(1), OUT, vec![entry(black, "4420*", Side::Callee, None)], callee),
        (user(1), OUT, vec![entry(black, "4420*", Side::Caller, None)], "outbound"),
        (user(1), OUT, vec![entry(black, "4420*", Side::Callee, Some(1))], callee),
        (user(1), OUT, vec![entry(black, "4420*", Side::Callee, Some(2))], "outbound"),
        (user(1), OUT, vec![entry(black, "36301111111", Side::Caller, None)], caller),
        (
            user(1),
            OUT,
            vec![entry(black, "4420*", Side::Callee, None), entry(white, "442012345678", Side::Callee, None)],
            "outbound",
        ),
        // A carrier of DIDs pays nothing: the callee's lists count.
        (trunk(1, None), IN, vec![entry(black, "4420*", Side::Caller, None)], caller),
        (trunk(1, None), IN, vec![entry(black, "4420*", Side::Caller, Some(2))], caller),
        (trunk(1, None), IN, vec![entry(black, "4420*", Side::Caller, Some(1))], "inbound"),
        (user(1), "sip:112@example.com", vec![entry(black, "112", Side::Callee, None)], "emergency"),
        (user(1), "sip:bob@example.com", vec![entry(black, "36301111111", Side::Caller, None)], "internal"),
    ] {
        assert_eq!(asked(who, dialled, entries, None), verdict, "{dialled}");
    }
}

#[test]
fn a_number_that_failed_in_a_row_is_refused_unless_a_white_entry_knows_better() {
    let schooling = rows::schooling(&Values::default());
    let mut known = Reputation::default();
    for _ in 0..5 {
        known.hear(Heard::Unroutable, NOW, &schooling);
    }
    const OUT: &str = "sip:442012345678@example.com";
    assert_eq!(asked(user(1), OUT, vec![], Some(known)), "list_blocked lists.failures");
    let white = vec![entry(Color::White, "4420*", Side::Callee, None)];
    assert_eq!(asked(user(1), OUT, white, Some(known)), "outbound");
    known.until = Some(NOW - Duration::from_secs(1));
    assert_eq!(asked(user(1), OUT, vec![], Some(known)), "outbound");
}
