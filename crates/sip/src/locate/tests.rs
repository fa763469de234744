//! A little zone, and where its URIs lead.

use proptest::prelude::*;
use tollgate_types::Seed;

use super::*;

const ALL: Means<'static> = Means { transports: &[Transport::Udp, Transport::Tcp, Transport::Tls], v4: true, v6: true };

fn naptr(order: u16, preference: u16, service: &str, replacement: &str) -> Naptr {
    Naptr { order, preference, flags: "S".into(), service: service.into(), replacement: replacement.into() }
}

fn srv(priority: u16, weight: u16, port: u16, target: &str) -> Srv {
    Srv { priority, weight, port, target: target.into() }
}

/// The zone.
fn look_up(question: &Question) -> Answer {
    match question {
        Question::Naptr(name) => Answer::Naptr(match name.as_str() {
            "full.example" => vec![
                naptr(50, 50, "SIP+D2U", "_sip._udp.full.example"),
                naptr(10, 20, "SIP+D2T", "_sip._tcp.full.example"),
                naptr(10, 10, "SIPS+D2T", "_sips._tcp.full.example"),
                naptr(1, 1, "SIP+D2S", "_sip._sctp.full.example"),
            ],
            _ => vec![],
        }),
        Question::Srv(name) => Answer::Srv(match name.as_str() {
            "_sip._tcp.full.example" => vec![srv(1, 0, 5070, "b.example"), srv(0, 0, 5080, "a.example")],
            "_sips._tcp.full.example" => vec![srv(0, 0, 5061, "b.example")],
            "_sip._udp.full.example" => vec![srv(0, 0, 5060, "a.example")],
            "_sip._tcp.guess.example" => vec![srv(0, 0, 5090, "a.example")],
            "_sip._udp.closed.example" => vec![srv(0, 0, 0, ".")],
            _ => vec![],
        }),
        Question::Addresses(name) => Answer::Addresses(match name.as_str() {
            "a.example" => vec!["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()],
            "b.example" => vec!["192.0.2.2".parse().unwrap()],
            "plain.example" => vec!["192.0.2.3".parse().unwrap()],
            _ => vec![],
        }),
    }
}

fn locate(uri: &str, means: &Means<'_>) -> Vec<String> {
    let mut locator = Locator::new(Wanted::of(&Uri::parse(uri).unwrap()).unwrap(), means);
    let mut tokens = Tokens::new(Seed([1, 2, 3, 4]), 0);
    loop {
        match locator.step() {
            Step::Ask(question) => locator.answer(look_up(&question), &mut tokens),
            Step::Done(targets) => {
                return targets.iter().map(|target| format!("{} {}", target.transport, target.address)).collect();
            }
        }
    }
}

#[test]
fn where_uris_lead() {
    let plain = Means { transports: &[Transport::Udp, Transport::Tcp], ..ALL };
    let tcp = Means { transports: &[Transport::Tcp], ..ALL };
    let v4 = Means { v6: false, ..ALL };
    let v6 = Means { v4: false, ..ALL };
    for (uri, means, targets) in [
        // Written down.
        ("sip:x@192.0.2.9", &ALL, vec!["udp 192.0.2.9:5060"]),
        ("sip:x@192.0.2.9:5066", &ALL, vec!["udp 192.0.2.9:5066"]),
        ("sip:x@192.0.2.9;transport=tcp", &ALL, vec!["tcp 192.0.2.9:5060"]),
        ("sip:x@192.0.2.9;transport=tls", &ALL, vec!["tls 192.0.2.9:5061"]),
        ("sips:x@192.0.2.9", &ALL, vec!["tls 192.0.2.9:5061"]),
        ("sips:x@192.0.2.9;transport=tcp", &ALL, vec!["tls 192.0.2.9:5061"]),
        ("sip:x@[2001:db8::9]", &ALL, vec!["udp [2001:db8::9]:5060"]),
        ("sip:x@h.example;maddr=192.0.2.9", &ALL, vec!["udp 192.0.2.9:5060"]),
        ("sip:x@192.0.2.9", &tcp, vec!["tcp 192.0.2.9:5060"]),
        ("sip:x@192.0.2.9", &v6, vec![]),
        // A port is written: addresses only.
        ("sip:x@a.example:5066", &ALL, vec!["udp 192.0.2.1:5066", "udp [2001:db8::1]:5066"]),
        ("sip:x@a.example:5066", &v4, vec!["udp 192.0.2.1:5066"]),
        // NAPTR chooses, by order and preference, what this node can do.
        (
            "sip:x@full.example",
            &ALL,
            vec!["tls 192.0.2.2:5061", "tcp 192.0.2.1:5080", "tcp [2001:db8::1]:5080", "tcp 192.0.2.2:5070"],
        ),
        ("sip:x@full.example", &plain, vec!["tcp 192.0.2.1:5080", "tcp [2001:db8::1]:5080", "tcp 192.0.2.2:5070"]),
        ("sips:x@full.example", &ALL, vec!["tls 192.0.2.2:5061"]),
        // A transport is written: its SRV.
        ("sip:x@full.example;transport=udp", &v4, vec!["udp 192.0.2.1:5060"]),
        // No NAPTR: SRV is guessed, then the host itself.
        ("sip:x@guess.example", &v4, vec!["tcp 192.0.2.1:5090"]),
        ("sip:x@plain.example", &ALL, vec!["udp 192.0.2.3:5060"]),
        ("sips:x@plain.example", &ALL, vec!["tls 192.0.2.3:5061"]),
        ("sip:x@plain.example;transport=tcp", &ALL, vec!["tcp 192.0.2.3:5060"]),
        // Nowhere.
        ("sip:x@closed.example", &ALL, vec![]),
        ("sip:x@nothing.example", &ALL, vec![]),
        ("sips:x@plain.example", &plain, vec![]),
        ("sip:x@plain.example;transport=ws", &ALL, vec![]),
    ] {
        assert_eq!(locate(uri, means), targets, "{uri} {means:?}");
    }
    assert_eq!(Wanted::of(&Uri::parse("tel:+123").unwrap()), None);
}

#[test]
fn weights_share_the_load() {
    let mut tokens = Tokens::new(Seed([5, 6, 7, 8]), 0);
    let mut first = [0u32; 3];
    for _ in 0..4000 {
        let wanted = Wanted { host: "h".into(), port: None, transport: Some(Transport::Udp), secure: false };
        let mut locator = Locator::new(wanted, &ALL);
        let records = vec![srv(1, 30, 3, "three"), srv(1, 10, 1, "one"), srv(1, 0, 2, "zero"), srv(0, 1, 9, "top")];
        locator.answer(Answer::Srv(records), &mut tokens);
        let mut order = Vec::new();
        while let Step::Ask(Question::Addresses(host)) = locator.step() {
            order.push(host);
            locator.answer(Answer::Addresses(vec![]), &mut tokens);
        }
        assert_eq!((order.len(), order[0].as_str()), (4, "top"));
        first[["one", "three", "zero"].iter().position(|host| *host == order[1]).unwrap()] += 1;
    }
    assert!((800..1150).contains(&first[0]), "{first:?}");
    assert!((2750..3150).contains(&first[1]), "{first:?}");
    assert!((50..150).contains(&first[2]), "{first:?}");
}

fn any_answer() -> impl Strategy<Value = Answer> {
    let name = prop_oneof![Just("a".to_owned()), Just(".".to_owned()), Just(String::new())];
    let naptrs = (any::<u16>(), any::<u16>(), prop_oneof![Just("SIP+D2U"), Just("SIPS+D2T"), Just("x")], name.clone())
        .prop_map(|(order, preference, service, name)| naptr(order, preference, service, &name));
    let srvs = (0u16..3, any::<u16>(), any::<u16>(), name)
        .prop_map(|(priority, weight, port, target)| srv(priority, weight, port, &target));
    prop_oneof![
        proptest::collection::vec(naptrs, 0..40).prop_map(Answer::Naptr),
        proptest::collection::vec(srvs, 0..40).prop_map(Answer::Srv),
        proptest::collection::vec(any::<u32>().prop_map(|bits| IpAddr::V4(bits.into())), 0..40)
            .prop_map(Answer::Addresses),
    ]
}

proptest! {
    /// Whatever a zone says, the search ends and its list is short.
    #[test]
    fn every_search_ends(answers in proptest::collection::vec(any_answer(), 64), port in any::<Option<u16>>()) {
        let mut tokens = Tokens::new(Seed([1; 4]), 0);
        let mut locator = Locator::new(Wanted { host: "h".into(), port, transport: None, secure: false }, &ALL);
        let mut answers = answers.into_iter();
        let targets = loop {
            match locator.step() {
                Step::Ask(_) => locator.answer(answers.next().expect("few questions"), &mut tokens),
                Step::Done(targets) => break targets,
            }
        };
        prop_assert!(targets.len() <= TARGETS_MAX);
    }
}
