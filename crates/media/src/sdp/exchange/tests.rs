//! Offers and answers, as phones and carriers write them.

use std::net::IpAddr;

use proptest::prelude::*;

use super::*;
use crate::target::Policy;

/// Phone A behind 198.51.100.7, carrier B at 203.0.113.9, we at 192.0.2.1.
const A: Peer = Peer { signalled_from: IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 7)), policy: Policy::Device };
const B: Peer = Peer { signalled_from: IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 9)), policy: Policy::Carrier };

const AUDIO: &str = "v=0\r\no=alice 1 1 IN IP4 198.51.100.7\r\ns=Alice's phone\r\nc=IN IP4 198.51.100.7\r\nt=0 0\r\n\
    m=audio 4000 RTP/AVP 8 0 101\r\na=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\na=x-vendor:7\r\n";
const ANSWER: &str = "v=0\r\no=- 9 9 IN IP4 203.0.113.9\r\ns=-\r\nc=IN IP4 203.0.113.9\r\nt=0 0\r\n\
    m=audio 7000 RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/8000\r\n";

fn ours(leg: Leg) -> Ours {
    let first = if leg == Leg::A { 20000 } else { 30000 };
    let pairs = (0..16).map(|line| Some(Pair { rtp: first + line * 2, rtcp: first + line * 2 + 1 })).collect();
    Ours { address: "192.0.2.1".parse().unwrap(), pairs }
}

fn text(bytes: Option<Bytes>) -> String {
    String::from_utf8(bytes.unwrap().to_vec()).unwrap()
}

fn offer(exchange: &mut Exchange, from: Leg, body: &str) -> String {
    exchange.offer(from, body.as_bytes(), if from == Leg::A { A } else { B }).unwrap();
    text(exchange.write_offer(&ours(from.other())))
}

fn answer(exchange: &mut Exchange, from: Leg, body: &str) -> String {
    exchange.answer(from, body.as_bytes(), if from == Leg::A { A } else { B }).unwrap();
    text(exchange.write_answer(&ours(from.other())))
}

fn talking() -> Exchange {
    let mut exchange = Exchange::new([111, 222]);
    offer(&mut exchange, Leg::A, AUDIO);
    answer(&mut exchange, Leg::B, ANSWER);
    exchange
}

/// The m= lines of a description.
fn media(text: &str) -> Vec<&str> {
    text.lines().filter_map(|line| line.strip_prefix("m=")).collect()
}

#[test]
fn a_plain_call_is_rewritten_both_ways() {
    let mut exchange = Exchange::new([111, 222]);
    assert_eq!(
        offer(&mut exchange, Leg::A, AUDIO),
        "v=0\r\no=- 222 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 30000 RTP/AVP 8 0 101\r\n\
         a=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\na=x-vendor:7\r\n"
    );
    assert!(!exchange.plan().expects(Leg::A), "nobody talks to a ringing phone");
    assert_eq!(
        answer(&mut exchange, Leg::B, ANSWER),
        "v=0\r\no=- 111 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 20000 RTP/AVP 8 101\r\n\
         a=rtpmap:101 telephone-event/8000\r\n"
    );
    let plan = exchange.plan();
    let [a, b] = &plan.lines[0].sides;
    assert!(plan.is_active() && plan.expects(Leg::A) && plan.expects(Leg::B));
    assert_eq!(a.remote.unwrap().rtp, "198.51.100.7:4000".parse().ok());
    assert_eq!(b.remote.unwrap().rtcp, "203.0.113.9:7001".parse().ok());
    assert_eq!((a.payloads.event(), plan.lines[0].nominal_pps), (Some(101), 50));
}

#[test]
fn what_a_line_offers_decides_what_becomes_of_it() {
    for (line, forwarded) in [
        // as offered                                       as the other leg reads it
        ("m=audio 4000 RTP/AVP 0", "audio 30000 RTP/AVP 0"),
        ("m=audio 4000 RTP/AVPF 0", "audio 30000 RTP/AVPF 0"),
        ("m=audio 4000/2 RTP/AVP 0 0 8", "audio 30000 RTP/AVP 0 8"),
        ("m=video 4000 RTP/AVP 96", "video 30000 RTP/AVP 96"),
        ("m=image 4000 udptl t38", "image 30000 udptl t38"),
        ("m=audio 0 RTP/AVP 0", "audio 0 RTP/AVP 0"),
        ("m=audio 0 RTP/AVP", "audio 0 RTP/AVP 0"),
        ("m=audio 4000 RTP/SAVP 0", "refused"),
        ("m=audio 4000 RTP/SAVPF 0", "refused"),
        ("m=audio 9 UDP/TLS/RTP/SAVPF 111", "refused"),
        ("m=message 9 TCP/MSRP *", "refused"),
        ("m=image 4000 TCP t38", "refused"),
        ("m=audio 4000 RTP/AVP x", "refused"),
    ] {
        let mut exchange = Exchange::new([1, 2]);
        let body = format!("v=0\r\nc=IN IP4 198.51.100.7\r\n{line}\r\n");
        let got = match exchange.offer(Leg::A, body.as_bytes(), A) {
            Ok(_) => media(&text(exchange.write_offer(&ours(Leg::B))))[0].to_owned(),
            Err(refused) => {
                assert_eq!(refused, OfferRefused::Unsupported);
                "refused".to_owned()
            }
        };
        assert_eq!(got, forwarded, "{line}");
    }
}

#[test]
fn lines_keep_their_places_whatever_the_other_side_does() {
    let offered = "v=0\r\nc=IN IP4 198.51.100.7\r\nm=audio 4000 RTP/SAVP 0\r\na=crypto:1 x\r\nm=audio 4002 RTP/AVP 0\r\n\
        m=video 4004 RTP/AVP 96\r\nm=application 9 UDP/BFCP *\r\n";
    for (answered, written) in [
        // The answer in order.
        (
            "m=audio 0 RTP/SAVP 0|m=audio 7000 RTP/AVP 0|m=video 7002 RTP/AVP 96|m=application 0 UDP/BFCP *",
            ["audio 0 RTP/SAVP 0", "audio 20002 RTP/AVP 0", "video 20004 RTP/AVP 96", "application 0 UDP/BFCP *"],
        ),
        // Video declined; lines that were never offered to it accepted all the same.
        (
            "m=audio 7777 RTP/SAVP 0|m=audio 7000 RTP/AVP 0|m=video 0 RTP/AVP 96|m=application 7 UDP/BFCP *",
            ["audio 0 RTP/SAVP 0", "audio 20002 RTP/AVP 0", "video 0 RTP/AVP 96", "application 0 UDP/BFCP *"],
        ),
        // Too few lines, another medium, too many lines.
        (
            "m=audio 0 RTP/AVP 0|m=audio 7000 RTP/AVP 0",
            ["audio 0 RTP/SAVP 0", "audio 20002 RTP/AVP 0", "video 0 RTP/AVP 96", "application 0 UDP/BFCP *"],
        ),
        (
            "m=audio 0 RTP/AVP 0|m=video 7000 RTP/AVP 0|m=video 7002 RTP/AVP 97|m=a 0 x *|m=audio 1 RTP/AVP 0",
            ["audio 0 RTP/SAVP 0", "audio 0 RTP/AVP 0", "video 20004 RTP/AVP 97", "application 0 UDP/BFCP *"],
        ),
    ] {
        let mut exchange = Exchange::new([1, 2]);
        let forwarded = offer(&mut exchange, Leg::A, offered);
        let lines =
            ["audio 0 RTP/SAVP 0", "audio 30002 RTP/AVP 0", "video 30004 RTP/AVP 96", "application 0 UDP/BFCP *"];
        assert_eq!(media(&forwarded), lines);
        assert!(!forwarded.contains("crypto"));
        let body = format!("v=0\r\nc=IN IP4 203.0.113.9\r\n{}\r\n", answered.replace('|', "\r\n"));
        let got = answer(&mut exchange, Leg::B, &body);
        assert_eq!(media(&got), written, "{answered}");
        // The called party's re-offer comes back with as many lines.
        let again = offer(
            &mut exchange,
            Leg::B,
            "v=0\r\nc=IN IP4 203.0.113.9\r\nm=audio 0 RTP/AVP 0\r\nm=audio 7000 RTP/AVP 0\r\n",
        );
        assert_eq!(media(&again).len(), 4, "{again}");
    }
}

#[test]
fn versions_grow_with_the_words_and_only_then() {
    let mut exchange = talking();
    let version = |text: &str| text.split(' ').nth(2).unwrap().parse::<u64>().unwrap();
    assert_eq!(version(&offer(&mut exchange, Leg::A, AUDIO)), 1, "a refresh repeats");
    answer(&mut exchange, Leg::B, ANSWER);
    let held = AUDIO.replace("a=ptime", "a=sendonly\r\na=ptime");
    assert_eq!(version(&offer(&mut exchange, Leg::A, &held)), 2);
    assert_eq!(version(&answer(&mut exchange, Leg::B, ANSWER)), 1);
    let resumed = offer(&mut exchange, Leg::A, AUDIO);
    assert_eq!(version(&resumed), 3);
    assert!(exchange.offer(Leg::A, AUDIO.as_bytes(), A).is_err());
    exchange.refuse();
    let unchanged = exchange.offer(Leg::A, held.as_bytes(), A).unwrap();
    assert!(unchanged.unchanged && unchanged.holds, "what was refused is forgotten");
}

#[test]
fn hold_is_seen_however_it_is_said() {
    for (connection, direction, forwarded, holds) in [
        ("198.51.100.7", "", "", false),
        ("198.51.100.7", "a=sendrecv\r\n", "sendrecv", false),
        ("198.51.100.7", "a=sendonly\r\n", "sendonly", true),
        ("198.51.100.7", "a=inactive\r\n", "inactive", true),
        ("198.51.100.7", "a=recvonly\r\n", "recvonly", false),
        ("0.0.0.0", "", "sendonly", true),
        ("0.0.0.0", "a=sendrecv\r\n", "sendonly", true),
        ("0.0.0.0", "a=recvonly\r\n", "inactive", true),
        ("0.0.0.0", "a=inactive\r\n", "inactive", true),
    ] {
        let mut exchange = talking();
        let body = AUDIO.replace("c=IN IP4 198.51.100.7", &format!("c=IN IP4 {connection}")) + direction;
        let got = offer(&mut exchange, Leg::A, &body);
        let directions: Vec<_> = got.lines().filter_map(|line| line.strip_prefix("a=")).collect();
        let found: Vec<_> = directions.iter().filter(|name| super::super::Direction::named(name).is_some()).collect();
        assert_eq!(found.first().copied().copied().unwrap_or(""), forwarded, "{connection} {direction}");
        assert!(found.len() <= 1 && !got.contains("0.0.0.0"));
        answer(&mut exchange, Leg::B, ANSWER);
        let plan = exchange.plan();
        assert_eq!(exchange.holds(Leg::A), holds);
        assert_eq!((plan.lines[0].sides[0].receives, plan.expects(Leg::B)), (!holds, !holds));
    }
}

#[test]
fn a_delayed_offer_goes_the_other_way_round() {
    let mut exchange = Exchange::new([111, 222]);
    let to_a = offer(&mut exchange, Leg::B, ANSWER);
    assert_eq!(media(&to_a), ["audio 20000 RTP/AVP 8 101"]);
    assert_eq!(exchange.pending(), Some(Leg::B));
    assert_eq!(exchange.answer(Leg::B, ANSWER.as_bytes(), B), Err(AnswerRefused::Unasked));
    let to_b = answer(&mut exchange, Leg::A, AUDIO);
    assert_eq!(media(&to_b), ["audio 30000 RTP/AVP 8 0 101"]);
    assert!(exchange.is_joined() && exchange.pending().is_none());
}

#[test]
fn a_refused_offer_leaves_all_as_it_was() {
    let mut exchange = talking();
    let before = exchange.plan();
    let video = format!("{}m=video 4002 RTP/AVP 96\r\n", AUDIO.replace("4000", "4444"));
    offer(&mut exchange, Leg::A, &video);
    assert_eq!(exchange.plan().lines[0], before.lines[0], "until the answer nothing moves");
    assert_eq!(exchange.offer(Leg::B, ANSWER.as_bytes(), B), Err(OfferRefused::Pending { by: Leg::A }));
    exchange.refuse();
    assert_eq!((exchange.plan(), exchange.lines()), (before, 1));
    // SRTP alone is refused without a trace, too.
    assert_eq!(exchange.offer(Leg::A, AUDIO.replace("AVP", "SAVP").as_bytes(), A), Err(OfferRefused::Unsupported));
    assert_eq!(exchange.pending(), None);
}

#[test]
fn forks_answer_each_for_itself() {
    let mut first = Exchange::new([111, 222]);
    offer(&mut first, Leg::A, AUDIO);
    let mut second = first.clone();
    let early = answer(&mut first, Leg::B, ANSWER);
    let early_again = answer(&mut first, Leg::B, &ANSWER.replace("7000", "7100"));
    assert_eq!(early_again, early, "the caller need not know");
    assert_eq!(first.plan().lines[0].sides[1].remote.unwrap().rtp, "203.0.113.9:7100".parse().ok());
    second.continue_after(Leg::A, &first);
    let last = answer(&mut second, Leg::B, &ANSWER.replace("8 101", "8"));
    assert!(last.starts_with("v=0\r\no=- 111 2 "), "{last}");
}

#[test]
fn rtcp_is_found_and_muxed_leg_by_leg() {
    let with = |extra: &str| format!("{AUDIO}{extra}");
    for (offered, answered, mux, rtcp) in [
        ("", "", [false, false], "198.51.100.7:4001"),
        ("a=rtcp:4100\r\n", "", [false, false], "198.51.100.7:4100"),
        ("a=rtcp:4100 IN IP4 198.51.100.7\r\n", "", [false, false], "198.51.100.7:4100"),
        ("a=rtcp:4100 IN IP4 192.0.2.200\r\n", "", [false, false], ""),
        ("a=rtcp-mux\r\n", "", [true, false], "198.51.100.7:4000"),
        ("a=rtcp-mux\r\n", "a=rtcp-mux\r\n", [true, true], "198.51.100.7:4000"),
        ("", "a=rtcp-mux\r\n", [false, false], "198.51.100.7:4001"),
    ] {
        let mut exchange = Exchange::new([1, 2]);
        let forwarded = offer(&mut exchange, Leg::A, &with(offered));
        let written = answer(&mut exchange, Leg::B, &format!("{ANSWER}{answered}"));
        assert_eq!([written.contains("rtcp-mux"), forwarded.contains("rtcp-mux")], [mux[0], offered.contains("mux")]);
        assert!(!forwarded.contains("a=rtcp:"));
        let sides = &exchange.plan().lines[0].sides;
        assert_eq!([sides[0].mux, sides[1].mux], mux, "{offered} {answered}");
        assert_eq!(sides[0].remote.unwrap().rtcp, rtcp.parse().ok(), "{offered}");
        let other = if mux[1] { "203.0.113.9:7000" } else { "203.0.113.9:7001" };
        assert_eq!(sides[1].remote.unwrap().rtcp, other.parse().ok(), "{answered}");
    }
}

#[test]
fn fax_takes_over_the_audio_line_and_gives_it_back() {
    let mut exchange = talking();
    let fax = "v=0\r\nc=IN IP4 203.0.113.9\r\nm=image 7004 udptl t38\r\na=T38FaxVersion:0\r\n";
    let offered = offer(&mut exchange, Leg::B, fax);
    assert!(offered.contains("m=image 20000 udptl t38\r\na=T38FaxVersion:0\r\n"), "{offered}");
    answer(&mut exchange, Leg::A, &fax.replace("7004", "4004").replace("203.0.113.9", "198.51.100.7"));
    let plan = exchange.plan();
    assert_eq!((plan.lines[0].kind, plan.lines[0].active), (LineKind::Udptl, true));
    assert_eq!(plan.lines[0].sides[0].remote.unwrap().rtp, "198.51.100.7:4004".parse().ok());
    offer(&mut exchange, Leg::A, AUDIO);
    answer(&mut exchange, Leg::B, ANSWER);
    assert_eq!(exchange.plan().lines[0].kind, LineKind::Audio);
}

#[test]
fn a_transfer_offers_what_the_one_who_stays_said_last() {
    let talk = talking();
    let (mut next, offered) = talk.replace(Leg::B, 333).unwrap();
    assert_eq!(offered.lines, 1);
    let to_c = text(next.write_offer(&ours(Leg::B)));
    assert!(to_c.starts_with("v=0\r\no=- 333 1 ") && to_c.contains("m=audio 30000 RTP/AVP 8 0 101"), "{to_c}");
    let to_a = answer(&mut next, Leg::B, &ANSWER.replace("8 101", "0 101").replace("7000", "9000"));
    assert!(to_a.starts_with("v=0\r\no=- 111 2 "), "{to_a}");
    assert!(next.absorb(Leg::A, AUDIO.replace("4000", "4100").as_bytes(), A).unwrap().usable);
    let sides = &next.plan().lines[0].sides;
    assert_eq!(sides[0].remote.unwrap().rtp, "198.51.100.7:4100".parse().ok());
    assert_eq!(sides[1].remote.unwrap().rtp, "203.0.113.9:9000".parse().ok());
    assert!(Exchange::new([1, 2]).replace(Leg::B, 3).is_none());
}

#[test]
fn each_leg_reads_its_own_family() {
    let mut exchange = Exchange::new([1, 2]);
    exchange.offer(Leg::A, AUDIO.as_bytes(), A).unwrap();
    let six = Ours { address: "2001:db8::1".parse().unwrap(), ..ours(Leg::B) };
    let got = text(exchange.write_offer(&six));
    assert!(got.contains("o=- 2 1 IN IP6 2001:db8::1\r\n") && got.contains("c=IN IP6 2001:db8::1\r\n"), "{got}");
}

#[test]
fn nothing_of_the_other_side_is_carried_over() {
    let body = "v=0\r\no=alice 7 7 IN IP4 pbx.corp.example\r\ns=call from alice\r\ni=room 5\r\nu=http://pbx.corp.example/\r\n\
        e=alice@corp.example\r\np=+1 555\r\nc=IN IP4 pbx.corp.example\r\nb=AS:64\r\nb=X:;rm -rf\r\nt=0 0\r\nr=7d 1h\r\nk=clear:secret\r\n\
        a=tool:corp phone\r\na=group:BUNDLE 0\r\na=ice-ufrag:x\r\na=note:see PBX.corp.example\r\n\
        m=audio 4000 RTP/AVP 0 96\r\ni=room\r\nc=IN IP4 10.1.2.3\r\nb=TIAS:64000\r\nk=prompt\r\na=rtpmap:96 opus/48000/2\r\na=fmtp:96 useinbandfec=1\r\n\
        a=candidate:1 1 UDP 1 10.1.2.3 4000 typ host\r\na=candidate:2 1 UDP 1 host.local 4000 typ host\r\na=rtcp:4001 IN IP4 10.1.2.3\r\n\
        a=crypto:1 AES inline:x\r\na=fingerprint:sha-1 AA\r\na=setup:active\r\na=ssrc:5 cname:alice@10.1.2.3\r\na=ssrc:5 msid:x\r\n\
        a=x-nat:10.1.2.3\r\na=x-via:host.local\r\na=x-kept:yes\r\na=mid:0\r\na=sendrecv\r\n";
    let mut exchange = Exchange::new([1, 2]);
    assert_eq!(
        offer(&mut exchange, Leg::A, body),
        "v=0\r\no=- 2 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nb=AS:64\r\nt=0 0\r\nm=audio 30000 RTP/AVP 0 96\r\n\
         b=TIAS:64000\r\na=rtpmap:96 opus/48000/2\r\na=fmtp:96 useinbandfec=1\r\na=ssrc:5 msid:x\r\na=x-kept:yes\r\na=mid:0\r\na=sendrecv\r\n"
    );
}

#[test]
fn a_target_out_of_bounds_is_not_trusted() {
    for (connection, rtp, trusted) in [
        ("198.51.100.7", "198.51.100.7:4000", true),
        ("198.51.100.8", "198.51.100.8:4000", false),
        ("192.168.1.5", "192.168.1.5:4000", false),
        ("127.0.0.1", "127.0.0.1:4000", false),
        ("224.0.0.1", "224.0.0.1:4000", false),
        ("pbx.example.com", "", false),
        ("0.0.0.0", "", false),
    ] {
        let mut exchange = Exchange::new([1, 2]);
        exchange
            .offer(Leg::A, AUDIO.replace("c=IN IP4 198.51.100.7", &format!("c=IN IP4 {connection}")).as_bytes(), A)
            .unwrap();
        let remote = exchange.plan().lines[0].sides[0].remote.unwrap();
        assert_eq!((remote.rtp, remote.trusted), (rtp.parse().ok(), trusted), "{connection}");
    }
}

/// Lines of a description that may go wrong in many ways, naming hosts of one's own: by address anywhere, by a name that
/// its o= line has told us.
fn description() -> impl Strategy<Value = String> {
    let host = prop_oneof![
        Just("10.77.66.55".to_owned()),
        Just("2001:db8:77::55".to_owned()),
        Just("inner.corp.example".to_owned()),
    ];
    let line = (host, 0..24usize, 0..3u16).prop_map(|(host, kind, n)| match kind {
        0 => format!("o=- 1 {n} IN IP4 {host}"),
        1 => format!("c=IN IP4 {host}"),
        2 => format!("c=IN IP6 {host}/127"),
        3 => format!("a=candidate:1 1 UDP 1 {host} 4000 typ host raddr {host} rport 1"),
        4 => format!("a=rtcp:4001 IN IP4 {host}"),
        5 => format!("a=x-{n}:{host}"),
        6 => format!("a=fmtp:0 {host}"),
        7 => format!("s={host}"),
        8 => format!("i={host}"),
        9 => format!("u=http://{host}/"),
        10 => format!("e=me@{host}"),
        11 => format!("b=AS:{host}"),
        12 => format!("k=uri:{host}"),
        13 => format!("t=0 {host}"),
        14 => format!("z={host}"),
        15..=18 => format!("m=audio {} RTP/AVP 0 {n} {host}", 4000 * n),
        19 => format!("m=video {} RTP/AVPF 96 {host}", 4000 + n),
        20 => format!("m=image {} udptl {host}", 4000 + n),
        21 => format!("m=application {n} TCP/X {host}"),
        22 => format!("a=ssrc:1 cname:x@{host}"),
        _ => format!("a={host}"),
    });
    proptest::collection::vec(line, 0..30)
        .prop_map(|lines| format!("v=0\r\no=- 1 1 IN IP4 inner.corp.example\r\n{}\r\n", lines.join("\r\n")))
}

proptest! {
    #[test]
    fn no_host_of_one_side_reaches_the_other(offered in description(), answered in description(), again in description()) {
        let mut exchange = Exchange::new([1, 2]);
        let clean = |text: &str| ["10.77.66.55", "2001:db8:77::55", "inner.corp.example"].iter().all(|host| !text.contains(host));
        let count = |body: &str| Session::parse(body.as_bytes()).unwrap().media_count();
        if exchange.offer(Leg::A, offered.as_bytes(), A).is_ok() {
            let forwarded = text(exchange.write_offer(&ours(Leg::B)));
            prop_assert!(clean(&forwarded), "{forwarded}");
            prop_assert_eq!(count(&forwarded), count(&offered));
            if exchange.answer(Leg::B, answered.as_bytes(), B).is_ok() {
                let written = text(exchange.write_answer(&ours(Leg::A)));
                prop_assert!(clean(&written), "{written}");
                prop_assert_eq!(count(&written), count(&offered));
                prop_assert_eq!(exchange.plan().lines.len(), count(&offered));
                if exchange.offer(Leg::B, again.as_bytes(), B).is_ok() {
                    let forwarded = text(exchange.write_offer(&ours(Leg::A)));
                    prop_assert!(clean(&forwarded), "{forwarded}");
                    prop_assert_eq!(count(&forwarded), count(&offered).max(count(&again)));
                }
            }
        }
    }

    #[test]
    fn no_body_panics(offered in proptest::collection::vec(any::<u8>(), 0..400), answered in "(m=audio [0-9]{1,5} RTP/AVP [0-9 ]{0,9}\r\n|[a-z]=[ -~é]{0,40}\r\n){0,12}") {
        let mut exchange = Exchange::new([1, 2]);
        let _ = exchange.offer(Leg::A, &offered, A);
        exchange.refuse();
        if exchange.offer(Leg::A, answered.as_bytes(), A).is_ok() {
            let _ = exchange.write_offer(&ours(Leg::B));
            let _ = exchange.answer(Leg::B, answered.as_bytes(), B);
            let _ = exchange.write_answer(&ours(Leg::A));
            let _ = exchange.plan();
        }
    }
}
