//! Text in, parts out; parts in, text out.

use std::borrow::Cow;

use proptest::prelude::*;

use super::*;

#[test]
fn parts_are_where_they_are_written() {
    //     text                       user          host         port    params       headers
    for (text, user, host, port, params, headers) in [
        ("sip:alice@atlanta.com", Some("alice"), "atlanta.com", None, "", ""),
        ("SIPS:1212@gateway.com:5061", Some("1212"), "gateway.com", Some(5061), "", ""),
        ("sip:a:pw@h;transport=tcp?to=x%40y&s=1", Some("a"), "h", None, "transport=tcp", "to=x%40y&s=1"),
        ("sip:[2001:db8::1]:5070;lr", None, "[2001:db8::1]", Some(5070), "lr", ""),
        ("sip:u@[::ffff:192.0.2.1]", Some("u"), "[::ffff:192.0.2.1]", None, "", ""),
        ("sip:+1-2;phone-context=x/?y@h?z", Some("+1-2"), "h", None, "", "z"),
        ("sip:host?subject=a@b", Some("host?subject=a"), "b", None, "", ""),
        ("sip:%61lice@h_1", Some("alice"), "h_1", None, "", ""),
        ("tel:+1-201-555-0123;ext=5", Some("+1-201-555-0123"), "", None, "ext=5", ""),
        ("urn:service:sos", None, "", None, "", ""),
        ("isbn:2983792873", None, "", None, "", ""),
    ] {
        let uri = Uri::parse(text).unwrap_or_else(|bad| panic!("{text}: {bad}"));
        let user = user.map(|user| Cow::from(user.split(';').next().unwrap_or_default()));
        assert_eq!((uri.user(), uri.host(), uri.port()), (user, host, port), "{text}");
        assert_eq!(uri.params().as_str(), params, "{text}");
        assert_eq!(uri.str(uri.parts.headers), headers, "{text}");
        assert_eq!(uri.to_string(), text);
    }
}

#[test]
fn what_is_no_uri_says_why() {
    for (text, why) in [
        ("", BadUri::Scheme),
        ("alice", BadUri::Scheme),
        (":x", BadUri::Scheme),
        ("1sip:x", BadUri::Scheme),
        ("sip:", BadUri::Host),
        ("sip:@h", BadUri::User),
        ("sip:a@", BadUri::Host),
        ("sip:a@b@c", BadUri::Host),
        ("sip:2001:db8::1", BadUri::Port),
        ("sip:[2001:db8::1", BadUri::Host),
        ("sip:[2001:db8:::1]", BadUri::Host),
        ("sip:[::1]x", BadUri::Host),
        ("sip:h:", BadUri::Port),
        ("sip:h:0", BadUri::Port),
        ("sip:h:65536", BadUri::Port),
        ("sip:a b@h", BadUri::Character),
        ("<sip:a@h>", BadUri::Scheme),
        ("sip:a\r\n@h", BadUri::Character),
        ("tel:", BadUri::Number),
        ("tel:+1x", BadUri::Number),
    ] {
        assert_eq!(Uri::parse(text).err(), Some(why), "{text:?}");
    }
}

#[test]
fn sameness_is_rfc_3261_section_19_1_4() {
    for (a, b, same) in [
        ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp", true),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5", true),
        ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;newparam=5", true),
        ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off", false),
        (
            "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
            "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
            true,
        ),
        (
            "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
            "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
            true,
        ),
        ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP", false),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060", false),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp", false),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp", false),
        ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting", false),
        ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4", false),
        ("sip:bob@h", "sips:bob@h", false),
        ("sip:h", "sip:bob@h", false),
        ("sip:[2001:DB8::1]", "sip:[2001:db8:0::1]", true),
        ("sip:a%2fb@h", "sip:a%2Fb@h", true),
        ("sip:a%2fb@h", "sip:a/b@h", false),
        ("tel:+1-201-555-0123", "tel:+12015550123", true),
        ("tel:7042;phone-context=a;ext=1", "tel:7042;EXT=1;phone-context=A", true),
        ("tel:7042;phone-context=a", "tel:7042;phone-context=b", false),
        ("isbn:1", "isbn:1", true),
        ("isbn:1", "isbn:2", false),
    ] {
        let (a, b) = (Uri::parse(a).expect(a), Uri::parse(b).expect(b));
        assert_eq!((a.matches(&b), b.matches(&a)), (same, same), "{a} {b}");
    }
}

#[test]
fn a_built_uri_cannot_leave_its_part() {
    let uri = Uri::sip("2001:db8::1").user("a@b;c\r\n>").port(5070).param("transport", "tcp").param("ob", "").build();
    assert_eq!(uri.as_str(), "sip:a%40b%3Bc%0D%0A%3E@[2001:db8::1]:5070;transport=tcp;ob");
    let uri = Uri::sip("evil.com;lr>").user("x").header("Replaces", "1@h;to-tag=2").build();
    assert_eq!(uri.as_str(), "sip:x@invalid?Replaces=1%40h%3Bto-tag%3D2");
    assert_eq!(uri.header("replaces").as_deref(), Some("1@h;to-tag=2"));
    let uri = Uri::parse("sip:+1;npdi@h;user=phone;x=1?s=1").expect("uri");
    assert_eq!((uri.user_params().has("npdi"), uri.user().as_deref()), (true, Some("+1")));
    let moved = uri.edit().address("192.0.2.1:5062".parse().expect("address")).without_param("x").build();
    assert_eq!(moved.as_str(), "sip:+1;npdi@192.0.2.1:5062;user=phone");
    let number = Uri::parse("tel:+1;ext=2").expect("uri").edit().param("ext", "3").build();
    assert_eq!(number.as_str(), "tel:+1;ext=3");
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,60}|sips?:[a-z%@:;?&=\\[\\].0-9]{0,40}|tel:[+0-9;=-]{0,20}") {
        if let Ok(uri) = Uri::parse(&text) {
            prop_assert_eq!(uri.as_str(), &text);
            prop_assert!(uri.headers().next().is_some() || uri.matches(&uri) );
            let built = uri.edit().build();
            prop_assert!(uri.scheme() == Scheme::Other || uri.scheme() == Scheme::Urn || built.scheme() == uri.scheme());
        }
    }

    #[test]
    fn what_is_built_reads_back(user in "\\PC{1,20}", host in "[a-z]{1,10}\\.[a-z]{2,4}", port in 1u16.., value in "[ -~]{1,10}") {
        let uri = Uri::sip(&host).user(&user).port(port).param("p", &value).header("H", &value).build();
        prop_assert_eq!(uri.user().unwrap_or_default(), user);
        prop_assert_eq!((uri.host(), uri.port()), (host.as_str(), Some(port)));
        prop_assert_eq!(uri.param("p").map(unescape).unwrap_or_default(), value.as_str());
        prop_assert_eq!(uri.header("h").unwrap_or_default(), value);
        prop_assert!(uri.matches(&Uri::parse(uri.as_str()).expect("ours")));
    }
}
