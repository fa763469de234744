//! What holds whatever bytes come.

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;

use super::stream::{Frame, Framer};
use super::tests::{INVITE, flow};
use super::*;

/// A good message with some bytes replaced, cut out or put in.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let edit = (
        0..INVITE.len(),
        0..4usize,
        vec(prop_oneof![any::<u8>(), proptest::sample::select(b"\r\n :;,<>\"\\@%[]=0".to_vec())], 0..4),
    );
    vec(edit, 0..6).prop_map(|edits| {
        let mut bytes = INVITE.as_bytes().to_vec();
        for (at, cut, put) in edits {
            let at = at.min(bytes.len());
            let end = (at + cut).min(bytes.len());
            bytes.splice(at..end, put);
        }
        bytes
    })
}

/// Asks a message everything.
fn read_all(message: &Message) {
    let _ = (message.via(), message.vias().count(), message.from().display(), message.to().uri(), message.cseq());
    let _ = (message.contacts(), message.routes().count(), message.record_routes().count(), message.content_type());
    let _ =
        (message.max_forwards(), message.expires(), message.request_uri(), message.reason(), format!("{message:?}"));
    for (name, value) in message.iter() {
        assert!(!value.contains(['\r', '\n']), "unfolded");
        assert!(message.has(Name::of(name.as_str())), "found by its own name");
    }
}

/// Everything that comes out of a stream cut into the given pieces, as text that can be compared.
fn frames(stream: &[u8], cuts: &[usize]) -> Vec<String> {
    let mut framer = Framer::new();
    let mut out = Vec::new();
    let mut rest = stream;
    let pieces = cuts.iter().copied().chain([stream.len()]);
    for piece in pieces {
        let (now, later) = rest.split_at(piece.min(rest.len()));
        rest = later;
        framer.push(now);
        while let Some(frame) = framer.poll() {
            out.push(match frame {
                Frame::Message(bytes) => format!("{bytes:?}"),
                Frame::Ping => "ping".to_owned(),
                Frame::Broken(bad) => format!("broken: {bad}"),
            });
        }
    }
    out
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..400)) {
        let _ = Message::parse(Bytes::from(bytes));
    }

    #[test]
    fn a_mutated_message_is_read_or_refused(bytes in mutated()) {
        match Message::parse(Bytes::from(bytes)) {
            Ok(message) => {
                read_all(&message);
                let answer = ResponseBuilder::to(&message, &flow(), 486, None).tag("t").build();
                let answer = Message::parse(answer).map_err(|bad| TestCaseError::fail(format!("our answer: {bad}")))?;
                prop_assert_eq!(answer.cseq(), message.cseq());
                prop_assert_eq!(answer.call_id(), message.call_id());
                prop_assert_eq!(answer.from().tag(), message.from().tag());
                prop_assert!(Message::parse(Rewrite::of(&message).build()).is_ok());
            }
            Err(bad) => {
                if let Some(answer) = bad.answer {
                    read_all(answer.partial());
                    prop_assert!(answer.build(&flow(), "t").starts_with(b"SIP/2.0 "));
                }
            }
        }
    }

    #[test]
    fn a_stream_reads_alike_however_it_is_cut(
        parts in vec(prop_oneof![mutated().boxed(), Just(b"\r\n\r\n".to_vec()).boxed(), Just(b"\r\n".to_vec()).boxed()], 0..5),
        cuts in vec(0usize..300, 0..12),
    ) {
        let stream = parts.concat();
        let ones = vec![1; stream.len()];
        let whole = frames(&stream, &[]);
        prop_assert_eq!(&frames(&stream, &cuts), &whole);
        prop_assert_eq!(&frames(&stream, &ones), &whole);
    }

    #[test]
    fn what_is_built_reads_back(
        values in vec(("X-[a-zA-Z]{1,10}", "\\PC{0,40}"), 0..8),
        body in vec(any::<u8>(), 0..200),
    ) {
        let mut builder = RequestBuilder::new(&Method::Other("FOO".into()), "sip:a@b")
            .header(Name::Via, "SIP/2.0/TCP h;branch=z9hG4bKa")
            .header(Name::From, "<sip:a@b>;tag=1")
            .header(Name::To, "<sip:c@d>")
            .header(Name::CallId, "x")
            .header(Name::CSeq, "7 FOO");
        for (name, value) in &values {
            builder = builder.header(Name::Other(name), value);
        }
        let bytes = builder.body("application/octet-stream", body.clone()).build();
        let message = Message::parse(bytes.clone()).map_err(|bad| TestCaseError::fail(bad.to_string()))?;
        prop_assert_eq!(&message.body()[..], &body[..]);
        let read: Vec<(String, String)> = message
            .iter()
            .filter(|(name, _)| matches!(name, Name::Other(_)))
            .map(|(name, value)| (name.to_string(), value.to_owned()))
            .collect();
        let trimmed = |text: &str| text.trim_matches([' ', '\t']).to_owned();
        let written: Vec<(String, String)> = values
            .iter()
            .map(|(name, value)| (name.clone(), trimmed(&value.chars().filter(|char| !char.is_ascii_control()).collect::<String>())))
            .collect();
        prop_assert_eq!(read, written);
        let mut framer = Framer::new();
        framer.push(&bytes);
        prop_assert!(matches!(framer.poll(), Some(Frame::Message(frame)) if frame == bytes));
    }
}

#[test]
fn a_stream_is_cut_by_content_length_alone() {
    let head = "OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bKa\r\n";
    let message = |length: &str| format!("{head}{length}\r\n\r\nbodyrest");
    let whole = |body: usize| format!("{:?}", Bytes::from(message("l: 4")[..head.len() + 8 + body].to_owned()));
    //     length line                            first frame
    for (length, verdict) in [
        ("l: 4", whole(4)),
        ("Content-Length: 4\r\nl : 4", String::new()),
        ("Content-Length: 4\r\nl: 3", "broken: Conflicting Content-Length".to_owned()),
        ("X: y", "broken: Missing Content-Length".to_owned()),
        ("l: -1", "broken: Invalid Content-Length".to_owned()),
        ("l: 4x", "broken: Invalid Content-Length".to_owned()),
        ("l: 99999999999999999999", "broken: Invalid Content-Length".to_owned()),
        ("l: 70000", "broken: Message Too Large".to_owned()),
    ] {
        let out = frames(message(length).as_bytes(), &[]);
        assert!(out.first().is_some_and(|first| verdict.is_empty() || *first == verdict), "{length}: {out:?}");
    }
    for (stream, verdict) in [
        ("GET / HTTP/1.1\r\n\r\n", &["broken: not SIP"][..]),
        ("\x16\x03\x01", &["broken: not SIP"]),
        ("\r\n\r\n\r\n\r\n", &["ping", "ping"]),
        ("\r\n\r\n\r\n", &["ping"]),
        ("\r\n", &[]),
    ] {
        assert_eq!(frames(stream.as_bytes(), &[]), verdict, "{stream:?}");
    }
    let mut framer = Framer::new();
    framer.push(format!("OPTIONS sip:a@b SIP/2.0\r\nVia: {}", "x".repeat(MESSAGE_BYTES_MAX)).as_bytes());
    assert!(matches!(framer.poll(), Some(Frame::Broken(_))));
    framer.push(b"more");
    assert!(framer.poll().is_none() && framer.pending() == 0);
}

#[test]
fn a_lone_cr_is_seen_even_where_another_line_lacks_one() {
    let text = "OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKa\r\nX: a\rb\r\nY: c\n\r\n";
    let bad = Message::parse(Bytes::from(text)).expect_err("two faults");
    read_all(bad.answer.expect("a Via to answer by").partial());
}
