//! The registrar's table: what was said before, what is asked now, what is answered.

use bytes::Bytes;
use proptest::prelude::*;
use tollgate_types::{ConnId, Flow, Transport};

use super::*;
use crate::wire::Message;

fn flow(port: u16) -> Flow {
    Flow {
        transport: Transport::Udp,
        local: "192.0.2.9:5060".parse().unwrap(),
        peer: ([198, 51, 100, 7], port).into(),
        conn: ConnId(0),
    }
}

fn message(call_id: &str, cseq: u32, lines: &str) -> Message {
    let text = format!(
        "REGISTER sip:r SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK{cseq}{call_id}\r\nFrom: <sip:u@r>;tag=1\r\nTo: <sip:u@r>\r\n\
         Call-ID: {call_id}\r\nCSeq: {cseq} REGISTER\r\nUser-Agent: Ph\tone\u{e9} 1\r\n{lines}Content-Length: 0\r\n\r\n"
    );
    Message::parse(Bytes::from(text)).unwrap()
}

fn register(call_id: &str, cseq: u32, lines: &str) -> Register {
    Register::read(&message(call_id, cseq, lines), &flow(5060)).unwrap()
}

fn secs(secs: u64) -> Mono {
    Mono::from_millis(secs * 1000)
}

fn contacts(outcome: &Outcome) -> Vec<&str> {
    match outcome {
        Outcome::Answer { contacts, .. } => contacts.iter().map(String::as_str).collect(),
        other => panic!("{other:?}"),
    }
}

fn changes(outcome: &Outcome) -> Vec<String> {
    let Outcome::Answer { changes, .. } = outcome else { panic!("{outcome:?}") };
    let word = |change: &Change| match change {
        Change::Added(number) => format!("+{number}"),
        Change::Refreshed(number) => format!("={number}"),
        Change::Moved(number) => format!("~{number}"),
        Change::Removed(binding, why) => format!("-{} {why:?}", binding.number),
    };
    changes.iter().map(word).collect()
}

#[test]
fn a_day_of_one_address() {
    let policy = Policy::default();
    let mut bindings = Bindings::new();
    //   at    Call-ID CSeq headers                                            changes            bindings afterwards
    for (at, call_id, cseq, lines, news, after) in [
        (0, "a", 1, "", vec![], vec![]),
        (1, "a", 2, "Contact: <sip:u@h1>\r\n", vec!["+1"], vec!["<sip:u@h1>;expires=300"]),
        (101, "a", 3, "Contact: <sip:u@H1>;expires=600\r\n", vec!["~1"], vec!["<sip:u@H1>;expires=600"]),
        (111, "a", 4, "Contact: <sip:u@H1>\r\nExpires: 600\r\n", vec!["=1"], vec!["<sip:u@H1>;expires=600"]),
        (
            111,
            "b",
            1,
            "Contact: <sip:u@h2>;q=0.5, <sip:u@h3>;expires=60\r\nExpires: 9999\r\n",
            vec!["+2", "+3"],
            vec!["<sip:u@H1>;expires=600", "<sip:u@h2>;q=0.500;expires=3600", "<sip:u@h3>;expires=60"],
        ),
        (171, "b", 2, "", vec!["-3 Expired"], vec!["<sip:u@H1>;expires=540", "<sip:u@h2>;q=0.500;expires=3540"]),
        (172, "b", 3, "Contact: <sip:u@h2>;expires=0\r\n", vec!["-2 Asked"], vec!["<sip:u@H1>;expires=539"]),
        (172, "b", 4, "Contact: <sip:u@gone>;expires=0\r\n", vec![], vec!["<sip:u@H1>;expires=539"]),
        (173, "c", 9, "Contact: *\r\nExpires: 0\r\n", vec!["-1 Asked"], vec![]),
    ] {
        let outcome = bindings.apply(&register(call_id, cseq, lines), secs(at), &policy);
        assert_eq!(changes(&outcome), news, "{lines}");
        assert_eq!(contacts(&outcome), after, "{lines}");
    }
    assert!(bindings.is_empty());
}

#[test]
fn what_is_refused_changes_nothing() {
    let policy = Policy { bindings_max: 2, ..Policy::default() };
    let mut bindings = Bindings::new();
    bindings.apply(&register("a", 5, "Contact: <sip:u@h1>\r\n"), secs(0), &policy);
    for (call_id, cseq, lines, outcome) in [
        ("a", 6, "Contact: <sip:u@h1>;expires=59\r\n", Outcome::IntervalTooBrief { asked: 59, min: 60 }),
        ("a", 6, "Contact: <sip:u@h2>, <sip:u@h1>\r\nExpires: 1\r\n", Outcome::IntervalTooBrief { asked: 1, min: 60 }),
        ("a", 5, "Contact: <sip:u@h1>;expires=0\r\n", Outcome::StaleCSeq { got: 5, known: 5 }),
        ("a", 4, "Contact: <sip:u@h2>, <sip:u@h1>\r\n", Outcome::StaleCSeq { got: 4, known: 5 }),
        ("a", 5, "Contact: *\r\nExpires: 0\r\n", Outcome::StaleCSeq { got: 5, known: 5 }),
        ("b", 1, "Contact: <sip:u@h2>, <sip:u@h3>\r\n", Outcome::TooMany { wanted: 3, max: 2 }),
    ] {
        assert_eq!(bindings.apply(&register(call_id, cseq, lines), secs(1), &policy), outcome, "{lines}");
        assert_eq!(bindings.len(), 1);
        assert_eq!(bindings.iter().next().unwrap().seconds_left(secs(1)), 299);
    }
    let swap = register("b", 2, "Contact: <sip:u@h2>, <sip:u@h3>, <sip:u@h1>;expires=0\r\n");
    assert_eq!(changes(&bindings.apply(&swap, secs(1), &policy)), ["+2", "+3", "-1 Asked"]);
}

#[test]
fn a_repeated_register_is_answered_again_and_changes_nothing() {
    let policy = Policy::default();
    let mut bindings = Bindings::new();
    let first = register("a", 1, "Contact: <sip:u@h1>\r\n");
    assert!(!bindings.is_repeat(&first, secs(0)));
    bindings.apply(&first, secs(0), &policy);
    assert!(bindings.is_repeat(&first, secs(2)));
    let again = bindings.apply(&first, secs(2), &policy);
    assert_eq!((changes(&again), contacts(&again)), (vec![], vec!["<sip:u@h1>;expires=298"]));
    // The same from elsewhere, or much later, is no repetition.
    let elsewhere = Register::read(&message("a", 1, "Contact: <sip:u@h1>\r\n"), &flow(5061)).unwrap();
    assert!(!bindings.is_repeat(&elsewhere, secs(2)));
    assert_eq!(bindings.apply(&first, secs(33), &policy), Outcome::StaleCSeq { got: 1, known: 1 });
    // So is the one that removed it.
    let last = register("a", 2, "Contact: <sip:u@h1>;expires=0\r\n");
    bindings.apply(&last, secs(34), &policy);
    assert!(bindings.is_repeat(&last, secs(35)));
    assert!(contacts(&bindings.apply(&last, secs(35), &policy)).is_empty());
}

#[test]
fn a_device_that_moves_keeps_one_binding() {
    let policy = Policy::default();
    let mut bindings = Bindings::new();
    let read = |cseq, contact: &str, port| {
        Register::read(&message("a", cseq, &format!("Contact: {contact}\r\n")), &flow(port)).unwrap()
    };
    bindings.apply(&read(1, "<sip:u@10.0.0.1>", 1000), secs(0), &policy);
    let moved = bindings.apply(&read(2, "<sip:u@10.0.0.1>", 2000), secs(1), &policy);
    assert_eq!(changes(&moved), ["~1"]);
    assert_eq!(bindings.targets(secs(1))[0].flow.peer.port(), 2000);
    let urn = ";+sip.instance=\"<urn:uuid:1>\";reg-id=1";
    bindings.apply(&read(3, &format!("<sip:u@10.0.0.2>{urn}"), 3000), secs(2), &policy);
    let moved = bindings.apply(&read(4, &format!("<sip:u@172.16.0.1>{urn}"), 3001), secs(3), &policy);
    assert_eq!(changes(&moved), ["~2"]);
    assert_eq!(
        contacts(&moved)[1],
        "<sip:u@172.16.0.1>;+sip.instance=\"<urn:uuid:1>\";reg-id=1;expires=300",
        "{moved:?}"
    );
    let second = bindings.apply(
        &read(5, "<sip:u@172.16.0.1:9>;+sip.instance=\"<urn:uuid:1>\";reg-id=2", 3002),
        secs(3),
        &policy,
    );
    assert_eq!(changes(&second), ["+3"]);
}

#[test]
fn a_device_behind_a_nat_refreshes_more_often() {
    let policy = Policy::default();
    let nat = policy.expires_nat.unwrap();
    for (contact, expires, granted) in [
        ("<sip:u@10.0.0.1>", 3600, nat),
        ("<sip:u@10.0.0.1>", 120, 120),
        ("<sip:u@198.51.100.7>", 3600, 3600),
        ("<sip:u@phone.example>", 3600, 3600),
    ] {
        let mut bindings = Bindings::new();
        let line = format!("Contact: {contact};expires={expires}\r\n");
        let outcome = bindings.apply(&register("a", 1, &line), secs(0), &policy);
        assert_eq!(contacts(&outcome), [format!("{contact};expires={granted}")]);
    }
}

#[test]
fn a_broken_connection_takes_its_bindings_along_and_udp_loses_none() {
    let tcp = Flow { transport: Transport::Tcp, conn: ConnId(7), ..flow(1000) };
    let mut bindings = Bindings::new();
    let one = Register::read(&message("a", 1, "Contact: <sip:u@h1>\r\n"), &tcp).unwrap();
    bindings.apply(&one, secs(0), &Policy::default());
    bindings.apply(&register("b", 1, "Contact: <sip:u@h2>\r\n"), secs(0), &Policy::default());
    assert!(bindings.lose(&flow(5060)).is_empty());
    assert!(bindings.lose(&Flow { conn: ConnId(8), ..tcp }).is_empty());
    assert!(
        matches!(bindings.lose(&tcp).as_slice(), [Change::Removed(binding, Gone::FlowLost)] if binding.number == 1)
    );
    assert!(matches!(bindings.remove(2).as_slice(), [Change::Removed(_, Gone::Asked)]));
    assert_eq!(bindings.next_expiry(), None);
}

#[test]
fn what_a_binding_keeps_is_harmless_and_bounded() {
    let read = register("a", 1, "Contact: <sip:u@h1>\r\nPath: <sip:p1;lr>, <sip:p2;lr>\r\n");
    assert_eq!(&*read.user_agent, "Phone 1");
    assert_eq!(&*read.paths, "<sip:p1;lr>\n<sip:p2;lr>");
    for (lines, wrong) in [
        ("Contact: *\r\n", BadRegister::StarWithoutZero),
        ("Contact: *\r\nExpires: 1\r\n", BadRegister::StarWithoutZero),
        ("Contact: *, <sip:u@h>\r\nExpires: 0\r\n", BadRegister::Contact),
        ("Contact: <tel:+123>\r\n", BadRegister::NotSip),
        (&format!("Contact: <sip:{}@h>\r\n", "u".repeat(600)), BadRegister::TooLong("Contact")),
    ] {
        assert_eq!(Register::read(&message("a", 1, lines), &flow(1)), Err(wrong), "{lines}");
    }
}

proptest! {
    /// Whatever devices say, the cap holds, numbers are unique, and nothing outlives what was granted.
    #[test]
    fn the_cap_holds(steps in proptest::collection::vec((0u8..4, 0u32..30, 0u8..6, prop_oneof![Just(0u32), 60u32..4000], 0u64..500), 1..60)) {
        let policy = Policy { bindings_max: 3, ..Policy::default() };
        let mut bindings = Bindings::new();
        let mut now = 0;
        for (call, cseq, host, expires, wait) in steps {
            now += wait;
            let line = format!("Contact: <sip:u@h{host}>;expires={expires}\r\n");
            let before: Vec<_> = bindings.iter().cloned().collect();
            let outcome = bindings.apply(&register(&call.to_string(), cseq, &line), secs(now), &policy);
            if !matches!(outcome, Outcome::Answer { .. }) {
                let mut after: Vec<_> = bindings.iter().cloned().collect();
                after.sort_by_key(|binding| binding.number);
                let mut before = before;
                before.sort_by_key(|binding| binding.number);
                prop_assert_eq!(before, after);
            }
            let living = bindings.targets(secs(now));
            prop_assert!(living.len() <= 3);
            prop_assert!(living.iter().all(|binding| binding.seconds_left(secs(now)) <= 3600));
            let numbers: std::collections::BTreeSet<_> = bindings.iter().map(|binding| binding.number).collect();
            prop_assert_eq!(numbers.len(), bindings.len());
        }
    }
}
