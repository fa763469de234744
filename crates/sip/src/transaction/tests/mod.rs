//! Stories of one layer: what goes in, what comes out.

mod any_order;
mod client;
mod server;

use std::time::Duration;

use bytes::Bytes;
use tollgate_types::{ConnId, Flow, Mono, Seed, Transport};

use super::*;
use crate::wire::{Method, Name, RequestBuilder, ResponseBuilder};

pub(super) const VIA: &str = "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKstory;rport";
pub(super) const US: SentBy<'static> = SentBy("192.0.2.9:5060");

/// A request from a stranger.
pub(super) fn request(method: &str, via: &str, cseq: &str) -> Message {
    let text = format!(
        "{method} sip:bob@b.example SIP/2.0\r\nVia: {via}\r\nMax-Forwards: 70\r\nFrom: <sip:alice@a.example>;tag=1\r\n\
         To: <sip:bob@b.example>\r\nCall-ID: story@a.example\r\nCSeq: {cseq} {method}\r\nContent-Length: 0\r\n\r\n"
    );
    Message::parse(Bytes::from(text)).unwrap()
}

/// Between 192.0.2.1:5060, them, and 192.0.2.9:5060, us.
pub(super) fn flow(transport: Transport) -> Flow {
    Flow {
        transport,
        local: "192.0.2.9:5060".parse().unwrap(),
        peer: "192.0.2.1:5060".parse().unwrap(),
        conn: ConnId(u64::from(transport.is_reliable())),
    }
}

/// A request of ours, as an owner makes it.
pub(super) fn ours(method: Method, cseq: u32) -> Bytes {
    RequestBuilder::new(&method, "sip:alice@a.example")
        .header(Name::MaxForwards, "70")
        .header(Name::Route, "<sip:edge.a.example;lr>")
        .header(Name::From, "<sip:bob@b.example>;tag=b")
        .header(Name::To, "<sip:alice@a.example>")
        .header(Name::CallId, "ours@b.example")
        .header(Name::CSeq, format!("{cseq} {}", method.as_str()))
        .build()
}

/// What somebody answers.
pub(super) fn answer(request: &Message, flow: &Flow, status: u16, tag: &str) -> Bytes {
    ResponseBuilder::to(request, flow, status, None).tag(tag).build()
}

/// One layer, its clock, and what came out since last asked.
pub(super) struct Stage {
    pub layer: Layer,
    pub now: Mono,
    pub out: Vec<Action>,
}

impl Stage {
    pub fn new(timers: Timers) -> Stage {
        Stage { layer: Layer::new(timers, Seed([1, 2, 3, 4])), now: Mono::START, out: Vec::new() }
    }

    pub fn hear(&mut self, message: &Message) {
        self.hear_by(message, flow(Transport::Udp));
    }

    pub fn hear_by(&mut self, message: &Message, flow: Flow) {
        self.layer.handle_message(message.clone(), flow, self.now, &mut self.out);
    }

    pub fn say(&mut self, bytes: Bytes) -> ClientKey {
        let flow = flow(Transport::Udp);
        self.layer.request(7, &bytes, flow, US, false, self.now, &mut self.out).unwrap()
    }

    pub fn wait(&mut self, millis: u64) {
        let end = self.now + Duration::from_millis(millis);
        while let Some(at) = self.layer.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.layer.handle_timeout(self.now, &mut self.out);
        }
        self.now = end;
    }

    /// What came out, one word each: `> 100` sent, `< INVITE` to the owner.
    pub fn news(&mut self) -> Vec<String> {
        self.out.drain(..).map(|action| word(&action)).collect()
    }

    pub fn key(&self) -> ServerKey {
        self.out
            .iter()
            .find_map(|action| if let Action::Request { key, .. } = action { Some(*key) } else { None })
            .expect("a request came")
    }

    pub fn sent(&self) -> Message {
        let sent = self.out.iter().rev().find_map(|action| match action {
            Action::Send { bytes, .. } => Some(bytes.clone()),
            _ => None,
        });
        Message::parse(sent.expect("something was sent")).unwrap()
    }
}

fn word(action: &Action) -> String {
    match action {
        Action::Send { bytes, .. } => {
            let message = Message::parse(bytes.clone()).unwrap();
            message.status().map_or_else(|| format!("> {}", message.cseq().method), |status| format!("> {status}"))
        }
        Action::Request { message, .. } => format!("< {}", message.cseq().method),
        Action::Cancelled { owner, .. } => format!("cancelled {owner:?}"),
        Action::Ack { server, .. } => format!("ack {}", server.is_some()),
        Action::AckMissing { .. } => "ack missing".into(),
        Action::Response { owner, message, .. } => format!("< {} for {owner}", message.status().unwrap()),
        Action::StrayResponse { message, .. } => format!("stray {}", message.status().unwrap()),
        Action::TimedOut { owner, .. } => format!("timed out {owner}"),
        Action::Unreachable { owner, .. } => format!("unreachable {owner}"),
        Action::ServerGone { .. } => "gone".into(),
        Action::Overloaded { .. } => "overloaded".into(),
    }
}
