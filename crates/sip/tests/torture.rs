//! The messages of RFC 4475 and RFC 5118 against our parser and framer: tests/torture/expected.csv has the verdicts.
#![allow(clippy::disallowed_methods, reason = "the messages lie in files")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use tollgate_sip::wire::stream::{Frame, Framer};
use tollgate_sip::wire::{Malformed, Message, Name};
use tollgate_types::{ConnId, Flow, Transport};

struct Row {
    file: String,
    over: String,
    parse: String,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/torture")
}

fn rows() -> Vec<Row> {
    let table = fs::read_to_string(folder().join("expected.csv")).expect("the table");
    let row = |line: &str| {
        let mut cells = line.splitn(5, ',').map(str::to_owned);
        let mut cell = || cells.next().unwrap_or_else(|| panic!("five cells: {line}"));
        Row { file: cell(), over: cell(), parse: cell() }
    };
    table.lines().skip(1).map(row).collect()
}

fn message(file: &str) -> Bytes {
    fs::read(folder().join(file).with_extension("sip")).expect(file).into()
}

fn verdict(result: Result<Message, Malformed>) -> String {
    match result {
        Ok(_) => "parsed".to_owned(),
        Err(Malformed { answer: None, .. }) => "silence".to_owned(),
        Err(Malformed { answer: Some(answer), .. }) => {
            let flow = Flow {
                transport: Transport::Udp,
                local: "198.51.100.1:5060".parse().expect("address"),
                peer: "192.0.2.7:40000".parse().expect("address"),
                conn: ConnId(0),
            };
            let bytes = answer.build(&flow, "t");
            let text = String::from_utf8_lossy(&bytes).into_owned();
            assert!(text.starts_with(&format!("SIP/2.0 {} {}\r\nVia: ", answer.status, answer.reason)), "{text}");
            format!("{} {}", answer.status, answer.reason)
        }
    }
}

fn over_udp(bytes: Bytes) -> String {
    verdict(Message::parse(bytes))
}

fn over_tcp(bytes: &[u8], step: usize) -> String {
    let mut framer = Framer::new();
    let mut verdicts = Vec::new();
    for piece in bytes.chunks(step) {
        framer.push(piece);
        while let Some(frame) = framer.poll() {
            match frame {
                Frame::Message(bytes) => verdicts.push(verdict(Message::parse(bytes))),
                Frame::Broken(bad) => verdicts.push(verdict(Err(bad))),
                Frame::Ping => {}
            }
        }
    }
    if verdicts.is_empty() { "silence".to_owned() } else { verdicts.join(" ") }
}

#[test]
fn every_message_gets_its_verdict() {
    let mut wrong = Vec::new();
    for Row { file, over, parse } in rows() {
        let bytes = message(&file);
        let mut judge = |how: &str, got: String| {
            if got != parse {
                wrong.push(format!("{file} over {how}: {got}, not {parse}"));
            }
        };
        if over != "tcp" {
            judge("udp", over_udp(bytes.clone()));
        }
        if over != "udp" {
            judge("tcp", over_tcp(&bytes, usize::MAX));
            judge("tcp, byte by byte", over_tcp(&bytes, 1));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_file_has_a_row_for_both_transports() {
    let mut files = BTreeSet::new();
    for rfc in ["rfc4475", "rfc5118"] {
        for entry in fs::read_dir(folder().join(rfc)).expect("folder") {
            let name = entry.expect("entry").file_name().into_string().expect("plain name");
            files.insert(format!("{rfc}/{}", name.strip_suffix(".sip").expect("a message")));
        }
    }
    assert_eq!(files.iter().filter(|file| file.starts_with("rfc4475")).count(), 49);
    let over = |transport: &str| -> BTreeSet<String> {
        rows().into_iter().filter(|row| row.over == transport || row.over == "both").map(|row| row.file).collect()
    };
    assert_eq!(over("udp"), files);
    assert_eq!(over("tcp"), files);
}

#[test]
fn the_tortuous_ones_read_as_they_say() {
    let parsed = |file: &str| Message::parse(message(file)).expect(file);
    let wsinv = parsed("rfc4475/wsinv");
    assert_eq!((wsinv.max_forwards(), wsinv.cseq().number, wsinv.to().tag()), (Some(68), 9, Some("1918181833n")));
    assert_eq!(wsinv.from().display().as_deref(), Some("J Rosenberg \\\""));
    let hosts: Vec<&str> = wsinv.vias().map(|via| via.host).collect();
    assert_eq!(hosts, ["192.0.2.2", "spindle.example.com", "192.168.255.111"]);
    assert_eq!(wsinv.vias().nth(2).and_then(|via| via.branch()), Some("z9hG4bK30239"));
    assert_eq!(wsinv.header(Name::Other("NewFangledHeader")), Some("newfangled value   continued newfangled value"));
    let contact = wsinv.contacts().and_then(|contacts| contacts.first()).expect("one");
    assert_eq!((contact.q(), contact.params.get("newparam")), (Some(330), Some("newvalue")));

    let esc01 = parsed("rfc4475/esc01");
    let uri: tollgate_sip::uri::Uri = esc01.request_uri().parse().expect("uri");
    assert_eq!((uri.user().as_deref(), uri.host()), (Some("sips:user@example.com"), "example.net"));
    let intmeth = parsed("rfc4475/intmeth");
    assert_eq!(intmeth.cseq().method.as_str(), "!interesting-Method0123456789_*+`.%indeed'~");
    assert_eq!(parsed("rfc4475/esc02").contacts().map(|list| format!("{list:?}").matches("alias").count()), Some(2));
    assert_eq!(parsed("rfc4475/mpart01").body().len(), 553);
    assert!(parsed("rfc4475/unreason").reason().ends_with("простое"));
    assert_eq!(parsed("rfc4475/longreq").vias().count(), 34);
    assert!(parsed("rfc4475/dblreq").body().is_empty());
    let params = |file: &str| {
        let message = parsed(file);
        let contact = message.contacts().and_then(|contacts| contacts.first()).expect("one");
        (contact.params.has("unknownparam"), contact.uri().expect("uri").params().has("unknownparam"))
    };
    assert_eq!(params("rfc4475/cparam01"), (true, false));
    assert_eq!(params("rfc4475/cparam02"), (false, true));
    assert_eq!(parsed("rfc4475/regbadct").contacts(), None);
    assert!(!parsed("rfc4475/badbranch").via().has_unique_branch());
    let received = |file: &str| parsed(file).via().received();
    assert_eq!(received("rfc5118/via-received-param-with-delim"), "2001:db8::9:255".parse().ok());
    assert_eq!(received("rfc5118/via-received-param-no-delim"), "2001:db8::9:255".parse().ok());
    let port = |file: &str| parsed(file).request_uri().parse().map(|uri: tollgate_sip::uri::Uri| uri.port());
    assert_eq!(port("rfc5118/port-ambiguous"), Ok(None));
    assert_eq!(port("rfc5118/port-unambiguous"), Ok(Some(5070)));
}
