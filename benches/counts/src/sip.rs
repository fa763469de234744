//! Messages and proofs.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};

use anyhow::{Context, anyhow, bail};
use bytes::Bytes;

use tollgate_sip::digest::{
    Algorithm, Ask, Challenge, Credentials, Ha1Set, Login, NonceKey, Pick, Policy, Realms, Verdict, challenge, verify,
};
use tollgate_sip::wire::{Message, Name, ResponseBuilder};
use tollgate_types::{ConnId, Flow, Seed, Transport, Wall};

use crate::Piece;

/// As a desk phone writes it.
const INVITE: &str = "INVITE sip:442071234567@example.com SIP/2.0\r\n\
    Via: SIP/2.0/UDP 192.168.1.20:5060;branch=z9hG4bK-524287-1---8f2c3d4e5f6a7b8c;rport\r\n\
    Max-Forwards: 70\r\nContact: <sip:alice@192.168.1.20:5060;transport=udp>\r\n\
    To: <sip:442071234567@example.com>\r\nFrom: \"Alice\" <sip:alice@example.com>;tag=4a5b6c7d\r\n\
    Call-ID: 84631NTM0ZjU4YjE2ZjYxMzk3ZTQ0NGI1ZjQ3\r\nCSeq: 2 INVITE\r\n\
    Allow: INVITE, ACK, CANCEL, BYE, NOTIFY, REFER, MESSAGE, OPTIONS, INFO, SUBSCRIBE\r\n\
    Content-Type: application/sdp\r\nSupported: replaces, norefersub, timer\r\nUser-Agent: Desk 5.4\r\n\
    Content-Length: 191\r\n\r\n\
    v=0\r\no=- 1 1 IN IP4 192.168.1.20\r\ns=-\r\nc=IN IP4 192.168.1.20\r\nt=0 0\r\nm=audio 40000 RTP/AVP 8 0 101\r\n\
    a=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n";

fn invite() -> anyhow::Result<Message> {
    Message::parse(Bytes::from_static(INVITE.as_bytes())).map_err(|malformed| anyhow!("{malformed:?}"))
}

pub fn parse_invite() -> anyhow::Result<Piece> {
    invite()?;
    Ok(Box::new(|| {
        let _ = black_box(Message::parse(Bytes::from_static(black_box(INVITE).as_bytes())));
    }))
}

pub fn write_response() -> anyhow::Result<Piece> {
    let invite = invite()?;
    let flow = Flow {
        transport: Transport::Udp,
        local: "198.51.100.1:5060".parse()?,
        peer: "203.0.113.9:40000".parse()?,
        conn: ConnId(0),
    };
    Ok(Box::new(move || {
        let response = ResponseBuilder::to(black_box(&invite), &flow, 180, None).tag("a1b2c3d4");
        black_box(response.header(Name::Contact, "<sip:198.51.100.1:5060>").build());
    }))
}

/// Credentials read, nonce judged, response compared.
pub fn digest() -> anyhow::Result<Piece> {
    let key = NonceKey::new(Seed([1, 2, 3, 4]));
    let (source, now) = (IpAddr::V4(Ipv4Addr::new(203, 0, 113, 9)), Wall::from_secs(1_800_000_000));
    let nonce = key.mint(now, source, [3; 6]);
    let asked = format!(
        "SIP/2.0 401 Unauthorized\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: <sip:a@a>;tag=1\r\nTo: <sip:a@a>;tag=2\r\n\
         Call-ID: x\r\nCSeq: 1 REGISTER\r\nWWW-Authenticate: {}\r\nContent-Length: 0\r\n\r\n",
        challenge("example.com", &nonce, Algorithm::Md5, false)
    );
    let asked = Message::parse(Bytes::from(asked)).map_err(|malformed| anyhow!("{malformed:?}"))?;
    let challenges = Challenge::read(&asked);
    let login = Login { username: "alice", password: "secret", realms: Realms::FromTrustedHost };
    let chosen = Challenge::choose(&challenges, &login).context("a challenge")?;
    let (_, value) = chosen.answer(&login, "REGISTER", "sip:example.com", "0a4f113b", 1);
    let set = Ha1Set::of("alice", "example.com", "secret");
    let policy = Policy::default();
    let judge = move || {
        let Pick::Found(credentials) = Credentials::read(black_box(&value), "example.com") else { return false };
        let offered = [Algorithm::Md5];
        let ask = Ask { method: "REGISTER", request_uri: "sip:example.com", source, now, offered: &offered };
        matches!(verify(&key, &credentials, Some(&set), &ask, &policy), Verdict::Accepted { .. })
    };
    if !judge() {
        bail!("the proof is not accepted");
    }
    Ok(Box::new(move || {
        black_box(judge());
    }))
}
