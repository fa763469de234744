//! A scripted phone or carrier: it writes what it is told to, and keeps the one dialog it has.

use bytes::Bytes;
use tollgate_sip::wire::Message;
use tollgate_types::Flow;

/// See the module.
#[derive(Clone)]
pub struct Ua {
    pub name: String,
    pub address: String,
    pub call_id: String,
    pub own_tag: String,
    pub their_tag: String,
    /// From or To of ours and theirs, as URIs.
    pub own_uri: String,
    pub their_uri: String,
    pub seq: u32,
    pub sdp: Option<String>,
    /// Further headers of every INVITE and response.
    pub headers: String,
    branch: u32,
}

pub fn sdp(address: &str, port: u16) -> String {
    format!(
        "v=0\r\no=- {port} 1 IN IP4 {address}\r\ns=-\r\nc=IN IP4 {address}\r\nt=0 0\r\nm=audio {port} RTP/AVP 0 101\r\n\
         a=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n"
    )
}

pub fn parse(text: String) -> Message {
    Message::parse(Bytes::from(text)).expect("a test's message parses")
}

impl Ua {
    pub fn new(name: &str, address: &str) -> Ua {
        let ip = address.split(':').next().unwrap();
        Ua {
            name: name.into(),
            address: address.into(),
            call_id: format!("call-{name}"),
            own_tag: format!("tag-{name}"),
            their_tag: String::new(),
            own_uri: format!("sip:{name}@example.com"),
            their_uri: "sip:callee@example.com".into(),
            seq: 1,
            sdp: Some(sdp(ip, 40_000)),
            headers: "Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, UPDATE, PRACK, REFER, MESSAGE\r\n".into(),
            branch: 0,
        }
    }

    pub fn flow(&self) -> Flow {
        super::flow(&self.address)
    }

    pub fn invite(&mut self) -> Message {
        let body = self.sdp.clone();
        self.request("INVITE", "", body.as_deref())
    }

    /// A request, inside the dialog once there is one.
    pub fn request(&mut self, method: &str, extra: &str, body: Option<&str>) -> Message {
        self.branch += 1;
        if method != "ACK" && method != "CANCEL" && !(method == "INVITE" && self.their_tag.is_empty()) {
            self.seq += 1;
        }
        let to = if self.their_tag.is_empty() {
            format!("<{}>", self.their_uri)
        } else {
            format!("<{}>;tag={}", self.their_uri, self.their_tag)
        };
        let more = if method == "INVITE" { self.headers.as_str() } else { "" };
        let content =
            if extra.contains("Content-Type") || body.is_none() { "" } else { "Content-Type: application/sdp\r\n" };
        let body = body.unwrap_or("");
        parse(format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {address};branch=z9hG4bK{name}{branch}\r\nMax-Forwards: 70\r\n\
             From: <{own}>;tag={tag}\r\nTo: {to}\r\nCall-ID: {call_id}\r\nCSeq: {seq} {method}\r\n\
             Contact: <sip:{name}@{address}>\r\nUser-Agent: Secret/1.0\r\n{more}{extra}{content}Content-Length: {length}\r\n\r\n{body}",
            uri = self.their_uri,
            address = self.address,
            name = self.name,
            branch = self.branch,
            own = self.own_uri,
            tag = self.own_tag,
            call_id = self.call_id,
            seq = self.seq,
            length = body.len(),
        ))
    }

    /// A response to `request`, which was sent to us; learns the dialog from it.
    pub fn response(&mut self, request: &Message, status: u16, extra: &str, body: Option<&str>) -> Message {
        if request.cseq().method.as_str() == "INVITE" && request.to().tag().is_none() {
            self.call_id = request.call_id().into();
            self.their_tag = request.from().tag().unwrap_or_default().into();
            self.own_uri = request.to().uri_raw.into();
            self.their_uri = request.from().uri_raw.into();
            self.seq = 500;
        }
        let content = body.map_or("", |_| "Content-Type: application/sdp\r\n");
        let body = body.unwrap_or("");
        let contact = if extra.contains("Contact:") {
            String::new()
        } else {
            format!("Contact: <sip:{}@{}>\r\n", self.name, self.address)
        };
        let tag = if status == 100 { String::new() } else { format!(";tag={}", self.own_tag) };
        parse(format!(
            "SIP/2.0 {status} Whatever carrier.internal said\r\nVia: SIP/2.0/UDP {us};branch=z9hG4bKtest\r\nFrom: <{from}>;tag={from_tag}\r\n\
             To: <{to}>{tag}\r\nCall-ID: {call_id}\r\nCSeq: {seq} {method}\r\n{contact}\
             Server: Secret/2.0\r\nWarning: 399 carrier.internal \"secret\"\r\n{headers}{extra}{content}Content-Length: {length}\r\n\r\n{body}",
            us = super::US,
            from = request.from().uri_raw,
            from_tag = request.from().tag().unwrap_or_default(),
            to = request.to().uri_raw,
            call_id = request.call_id(),
            seq = request.cseq().number,
            method = request.cseq().method,
            headers = self.headers,
            length = body.len(),
        ))
    }

    /// Learns our tag from a response of ours.
    pub fn learn(&mut self, response: &Message) {
        if let Some(tag) = response.to().tag() {
            self.their_tag = tag.into();
        }
    }

    pub fn ack(&mut self, body: Option<&str>) -> Message {
        self.request("ACK", "", body)
    }
}
