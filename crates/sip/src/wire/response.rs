//! Writing a response.

use std::net::IpAddr;

use bytes::Bytes;
use tollgate_types::Flow;

use super::message::Message;
use super::name::Name;
use super::status;
use super::text::{push_line_text, push_word};
use crate::header::Via;

/// Writes a response to a request (RFC 3261 §8.2.6): Via, From, To, Call-ID and CSeq are copied as their sender wrote
/// them, Timestamp as well into a 100.
///
/// The topmost Via gains `received` and `rport` from the flow (RFC 3261 §18.2.1, RFC 3581 §4); what a stranger wrote
/// there himself is dropped. Text stays within its line, Content-Length is always written.
#[derive(Debug)]
pub struct ResponseBuilder {
    out: Vec<u8>,
    /// Where a To-tag would go; `None` when the request brought one.
    tag_at: Option<usize>,
    body: Option<(String, Bytes)>,
}

impl ResponseBuilder {
    /// Starts an answer to `request`, which came by `flow`. The usual reason phrase stands in for `None`.
    pub fn to(request: &Message, flow: &Flow, status: u16, reason: Option<&str>) -> ResponseBuilder {
        let mut out = Vec::with_capacity(1024);
        out.extend_from_slice(b"SIP/2.0 ");
        out.extend_from_slice(itoa::Buffer::new().format(status).as_bytes());
        out.push(b' ');
        push_line_text(&mut out, reason.unwrap_or(status::reason(status)).as_bytes());
        out.extend_from_slice(b"\r\n");
        let mut is_top = true;
        for via in request.headers(Name::Via) {
            out.extend_from_slice(b"Via: ");
            match is_top.then(|| Via::parse(via)).flatten() {
                Some(top) => push_top_via(&mut out, &top, flow),
                None => push_line_text(&mut out, via.as_bytes()),
            }
            out.extend_from_slice(b"\r\n");
            is_top = false;
        }
        let mut builder = ResponseBuilder { out, tag_at: None, body: None };
        builder.copy_raw(request, request.0.at.from, Name::From);
        if builder.copy_raw(request, request.0.at.to, Name::To) && request.to().tag().is_none() {
            builder.tag_at = Some(builder.out.len() - 2);
        }
        builder.copy_raw(request, request.0.at.call_id, Name::CallId);
        builder.copy_raw(request, request.0.at.cseq, Name::CSeq);
        if status == 100 { builder.copy(request, Name::Timestamp) } else { builder }
    }

    /// Tags To, unless the request brought a tag.
    pub fn tag(mut self, tag: &str) -> ResponseBuilder {
        if let Some(at) = self.tag_at.take() {
            let mut param = Vec::with_capacity(tag.len() + 5);
            param.extend_from_slice(b";tag=");
            push_word(&mut param, tag.as_bytes());
            self.out.splice(at..at, param);
        }
        self
    }

    /// Copies every line of a header from the request: Record-Route into whatever makes a dialog (RFC 3261 §12.1.1).
    pub fn copy(mut self, request: &Message, name: Name<'_>) -> ResponseBuilder {
        for line in request.lines(name) {
            push_header(&mut self.out, name, line.as_bytes());
        }
        self
    }

    /// Adds a header. Content-Length and Content-Type are [`ResponseBuilder::body`]'s; a name that is no token adds nothing.
    pub fn header(mut self, name: Name<'_>, value: impl AsRef<str>) -> ResponseBuilder {
        push_header(&mut self.out, name, value.as_ref().as_bytes());
        self
    }

    /// Adds one line for each value.
    pub fn headers<V: AsRef<str>>(mut self, name: Name<'_>, values: impl IntoIterator<Item = V>) -> ResponseBuilder {
        for value in values {
            push_header(&mut self.out, name, value.as_ref().as_bytes());
        }
        self
    }

    /// Sets the body.
    pub fn body(mut self, content_type: &str, body: impl Into<Bytes>) -> ResponseBuilder {
        self.body = Some((content_type.to_owned(), body.into()));
        self
    }

    /// The finished message.
    pub fn build(self) -> Bytes {
        finish(self.out, self.body)
    }

    /// Copies one of the mandatory headers byte by byte, folds made spaces. Says whether it was there.
    fn copy_raw(&mut self, request: &Message, place: u16, name: Name<'_>) -> bool {
        let Some(entry) = request.0.headers.get(usize::from(place)) else { return false };
        self.out.extend_from_slice(name.as_str().as_bytes());
        self.out.extend_from_slice(b": ");
        let raw = &request.0.raw[entry.value.range()];
        // Quoted pairs may hold controls (RFC 3261 §25.1), and the sender compares what it wrote: only line breaks go.
        self.out.extend(raw.iter().map(|&byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { byte }));
        self.out.extend_from_slice(b"\r\n");
        true
    }
}

/// The Via with `received` and `rport` as the flow has them.
fn push_top_via(out: &mut Vec<u8>, via: &Via<'_>, flow: &Flow) {
    out.extend_from_slice(b"SIP/2.0/");
    push_word(out, via.transport.as_bytes());
    out.push(b' ');
    push_word(out, via.host.as_bytes());
    if let Some(port) = via.port {
        out.push(b':');
        out.extend_from_slice(itoa::Buffer::new().format(port).as_bytes());
    }
    let peer = flow.peer.ip().to_canonical();
    let asks_rport = via.params.get("rport").is_some();
    for (name, value) in via.params.iter() {
        if name.eq_ignore_ascii_case("received") || name.eq_ignore_ascii_case("rport") {
            continue;
        }
        out.push(b';');
        push_line_text(out, name.as_bytes());
        if let Some(value) = value {
            out.push(b'=');
            push_line_text(out, value.as_bytes());
        }
    }
    if asks_rport || via.host_ip() != Some(peer) {
        out.extend_from_slice(b";received=");
        push_ip(out, peer);
    }
    if asks_rport {
        out.extend_from_slice(b";rport=");
        out.extend_from_slice(itoa::Buffer::new().format(flow.peer.port()).as_bytes());
    }
}

/// RFC 5118 §4.5: without brackets in `received`.
fn push_ip(out: &mut Vec<u8>, ip: IpAddr) {
    out.extend_from_slice(ip.to_string().as_bytes());
}

/// `Name: value`, controls left out.
pub(crate) fn push_header(out: &mut Vec<u8>, name: Name<'_>, value: &[u8]) {
    let is_bodys = matches!(Name::of(name.as_str()), Name::ContentLength | Name::ContentType);
    if is_bodys || !name.is_writable() {
        return;
    }
    out.extend_from_slice(name.as_str().as_bytes());
    out.extend_from_slice(b": ");
    push_line_text(out, value);
    out.extend_from_slice(b"\r\n");
}

/// Content-Type, Content-Length, empty line, body.
pub(crate) fn finish(mut out: Vec<u8>, body: Option<(String, Bytes)>) -> Bytes {
    let (content_type, body) = body.unwrap_or_default();
    if !content_type.is_empty() {
        out.extend_from_slice(b"Content-Type: ");
        push_line_text(&mut out, content_type.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"Content-Length: ");
    out.extend_from_slice(itoa::Buffer::new().format(body.len()).as_bytes());
    out.extend_from_slice(b"\r\n\r\n");
    out.extend_from_slice(&body);
    out.into()
}
