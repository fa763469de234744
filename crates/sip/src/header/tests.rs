//! Values in, parts out.

use proptest::prelude::*;

use super::*;
use crate::wire::Method;

#[test]
fn names_and_addresses_come_apart() {
    //     value                                     display         uri            params
    for (value, parts) in [
        ("sip:a@b", Some(("", "sip:a@b", ""))),
        ("sip:a@b;tag=1", Some(("", "sip:a@b", ";tag=1"))),
        ("<sip:a@b;x>;tag=1", Some(("", "sip:a@b;x", ";tag=1"))),
        ("Bob Jones <sip:a@b>", Some(("Bob Jones", "sip:a@b", ""))),
        ("\"<sip:evil@x>\"<sip:a@b> ; tag = 1", Some(("<sip:evil@x>", "sip:a@b", "; tag = 1"))),
        (r#""a\"b\\" <sip:a@b>"#, Some((r#"a"b\"#, "sip:a@b", ""))),
        ("\"\" <sip:a@b>", Some(("", "sip:a@b", ""))),
        ("< sip:a@b >", Some(("", "sip:a@b", ""))),
        ("\"never closed <sip:a@b>", None),
        ("never \"closed <sip:a@b>", None),
        ("\"name alone\"", None),
        ("<sip:a@b", None),
        ("<sip:a@b> trailing", None),
        ("sip:a@b?x=y", None),
        ("sip:a,b@c", None),
        ("", None),
    ] {
        let read = NameAddr::parse(value);
        let read = read.as_ref().map(|addr| (addr.display().unwrap_or_default(), addr.uri_raw, addr.params.as_str()));
        assert_eq!(read, parts.map(|(name, uri, params)| (name.into(), uri, params)), "{value}");
    }
}

#[test]
fn weights_are_thousandths() {
    for (q, weight) in [
        ("1", Some(1000)),
        ("1.000", Some(1000)),
        ("0.7", Some(700)),
        (".25", Some(250)),
        ("0", Some(0)),
        ("0.", Some(0)),
        ("1.1", None),
        ("2", None),
        ("0.1234", None),
        ("-1", None),
        ("", None),
    ] {
        let value = format!("<sip:a@b>;q={q}");
        assert_eq!(NameAddr::parse(&value).and_then(|contact| contact.q()), weight, "{q}");
    }
}

#[test]
fn a_star_stands_alone() {
    assert_eq!(Contacts::of(["*"].into_iter()), Some(Contacts::Star));
    assert_eq!(Contacts::of(["*", "<sip:a@b>"].into_iter()), None);
    assert_eq!(Contacts::of(["<sip:a@b>", "<no uri>"].into_iter()), None);
    assert_eq!(Contacts::of([].into_iter()), Some(Contacts::List(Vec::new())));
}

#[test]
fn vias_tolerate_space_and_nothing_else() {
    //     value                                           host, port, branch
    for (value, parts) in [
        ("SIP/2.0/UDP h;branch=z9hG4bKa", Some(("h", None, "z9hG4bKa"))),
        ("SIP / 2.0 / TCP  h : 5061 ; branch = z9hG4bKa", Some(("h", Some(5061), "z9hG4bKa"))),
        ("SIP/2.0/UDP [2001:db8::1]:5060;branch=a", Some(("[2001:db8::1]", Some(5060), "a"))),
        ("SIP/2.0/UDP 2001:db8::1;branch=a", None),
        ("SIP/2.0/UDP h:99999;branch=a", None),
        ("SIP/2.0/UDP ;branch=a", None),
        ("SIP/2.0 h", None),
        ("HTTP/2.0/UDP h", None),
    ] {
        let via = Via::parse(value);
        assert_eq!(via.map(|via| (via.host, via.port, via.branch().unwrap_or_default())), parts, "{value}");
    }
    let received = |text: &str| Via::parse(&format!("SIP/2.0/UDP h;received={text}")).and_then(|via| via.received());
    assert_eq!(received("2001:db8::9"), "2001:db8::9".parse().ok());
    assert_eq!(received("[2001:db8::9]"), "2001:db8::9".parse().ok());
    let unique =
        |branch: &str| Via::parse(&format!("SIP/2.0/UDP h;branch={branch}")).map(|via| via.has_unique_branch());
    assert_eq!((unique("z9hG4bKa"), unique("z9hG4bK"), unique("a7")), (Some(true), Some(false), Some(false)));
}

#[test]
fn small_values_read_as_they_say() {
    assert_eq!(seconds("3600"), Some(3600));
    assert_eq!(seconds("18000;duration=3600"), Some(18000));
    assert_eq!(seconds("120 (in a meeting)"), Some(120));
    assert_eq!(seconds("10000000000000000000000"), Some(u32::MAX));
    assert_eq!((seconds("soon"), seconds("-1"), seconds("1h"), seconds("")), (None, None, None, None));
    let rack = RAck::parse("776656 1 INVITE").expect("reads");
    assert_eq!((rack.rseq, rack.cseq.number, rack.cseq.method), (776_656, 1, Method::Invite));
    assert_eq!(CSeq::parse("0009  \t INVITE").map(|cseq| cseq.number), Some(9));
    for bad in ["INVITE", "1", "-1 INVITE", "4294967296 INVITE", "1 IN VITE", "1 INV@ITE"] {
        assert_eq!(CSeq::parse(bad), None, "{bad}");
    }
    let timer = SessionExpires::parse("1800 ; Refresher=UAS").expect("reads");
    assert_eq!(
        (timer.interval, timer.refresher, timer.write()),
        (1800, Some(Refresher::Uas), "1800;refresher=uas".into())
    );
    let reason = Reason::parse("Q.850 ;cause=16 ;text=\"a; \\\"b\\\"\"").expect("reads");
    assert_eq!((reason.protocol, reason.cause, reason.text.as_deref()), ("Q.850", Some(16), Some("a; \"b\"")));
    assert_eq!(
        Reason::parse(&Reason::write("SIP", 487, "a; \"b\"\r\n")).and_then(|reason| reason.text).as_deref(),
        Some("a; \"b\"")
    );
    let replaces = Replaces::parse("98732@h;from-tag=b;to-tag=a;early-only").expect("reads");
    assert_eq!(
        (replaces.call_id, replaces.to_tag, replaces.from_tag, replaces.early_only),
        ("98732@h", "a", "b", true)
    );
    assert_eq!(Replaces::parse("98732@h;from-tag=b"), None);
    assert_eq!(Event::parse("refer;id=7"), Some(Event { package: "refer", id: Some("7") }));
    let state = SubscriptionState::parse("terminated;reason=noresource").expect("reads");
    assert_eq!((state.state, state.reason, state.expires), ("terminated", Some("noresource"), None));
    assert_eq!(privacy("id; header;user").collect::<Vec<_>>(), ["id", "header", "user"]);
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,60}|[<>\";,=sip:@a \\\\]{0,40}") {
        let _ = (NameAddr::parse(&text).map(|addr| (addr.display(), addr.uri(), addr.q(), addr.instance())), Via::parse(&text));
        let _ = (CSeq::parse(&text), RAck::parse(&text), SessionExpires::parse(&text), Reason::parse(&text));
        let _ = (Replaces::parse(&text), Event::parse(&text), SubscriptionState::parse(&text), seconds(&text));
        let _ = crate::wire::split_list(&text).count();
    }

    #[test]
    fn a_written_address_reads_back(name in "\\PC{1,30}", value in "\\PC{1,20}") {
        let written = NameAddr::write(Some(&name), "sip:a@b", &[("tag", "t1"), ("x", &value)]);
        let read = NameAddr::parse(&written).expect("ours");
        let plain = |text: &str| text.chars().filter(|char| !char.is_control()).collect::<String>();
        prop_assert_eq!(read.display().unwrap_or_default(), plain(&name));
        prop_assert_eq!(read.tag(), Some("t1"));
        prop_assert_eq!(read.params.unquoted("x").unwrap_or_default(), plain(&value));
        prop_assert_eq!(crate::wire::split_list(&written).count(), 1);
    }
}
