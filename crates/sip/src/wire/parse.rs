//! Bytes to message, in one pass.

use std::sync::Arc;

use bytes::Bytes;

use super::answer::Malformed;
use super::limit::{HEADERS_MAX, LINE_BYTES_MAX, MESSAGE_BYTES_MAX, NAME_BYTES_MAX, VIAS_MAX};
use super::list::split_list;
use super::message::{Entry, Inner, Message, Places, Span, Start};
use super::method::Method;
use super::name::{self, Name};
use super::start::{self, Bad, Line};
use super::text::{count_controls, has_bare_control, is_token, number, trim};
use crate::header::{CSeq, NameAddr, Via};
use crate::uri;

/// Status and words of what is wrong.
type Fault = (u16, &'static str);

const NOWHERE: u16 = u16::MAX;

impl Message {
    /// Reads one message: a datagram, or a frame cut from a stream.
    ///
    /// Empty lines in front are skipped. Bytes past Content-Length are cut off; a body shorter than that is an error, as
    /// is whatever RFC 3261 §8.1.1 demands and is missing, doubled or unreadable.
    pub fn parse(raw: Bytes) -> Result<Message, Malformed> {
        let mut raw = raw;
        let skip = raw.iter().take_while(|&&byte| byte == b'\r' || byte == b'\n').count();
        if skip > 0 {
            raw = raw.slice(skip..);
        }
        let too_large = raw.len() > MESSAGE_BYTES_MAX;
        if too_large {
            raw = raw.slice(..MESSAGE_BYTES_MAX);
        }
        let Some(line_end) = memchr::memchr(b'\n', &raw[..raw.len().min(LINE_BYTES_MAX)]) else {
            return Err(Malformed::junk("no first line"));
        };
        let line = raw[..line_end].strip_suffix(b"\r").ok_or(Malformed::junk("first line does not end in CRLF"))?;
        let (start, start_fault) = match start::read(line) {
            Ok(line) => (start_of(&raw, line), None),
            Err(Bad::Junk(reason)) => return Err(Malformed::junk(reason)),
            Err(Bad::Request(status, reason)) => (unread_start(line), Some((status, reason))),
        };
        let mut head = read_head(&raw, line_end + 1);
        let is_request = matches!(start, Start::Request { .. });
        let may_answer = !matches!(start, Start::Request { method: Method::Ack, .. }) && is_request;

        let (body, body_fault) = body_of(&raw, &head);
        let end = head.end + body.len();
        let text = if head.needs_rewriting { plain_text(&raw, &head) } else { raw.clone() };
        let raw = raw.slice(..end);
        let mut inner =
            Inner { raw, text, body, start, headers: std::mem::take(&mut head.entries), at: head.at, cseq: 0 };

        let too_large = too_large.then_some((513, "Message Too Large"));
        let fault = too_large.or(start_fault).or(head.fault).or_else(|| check(&mut inner).err()).or(body_fault);
        let Some((status, reason)) = fault else { return Ok(Message(Arc::new(inner))) };
        let message = Message(Arc::new(inner));
        let has_via = split_list(message.0.place(message.0.at.via)).next().is_some_and(|top| Via::parse(top).is_some());
        Err(if may_answer && has_via { Malformed::bad(status, reason, message) } else { Malformed::junk(reason) })
    }

    /// What to tell the sender of a head that is complete but leads nowhere.
    pub(super) fn refuse(head: Bytes, status: u16, reason: &'static str) -> Malformed {
        let partial = match Message::parse(head) {
            Ok(message) => {
                Some(message).filter(|message| message.method().is_some_and(|method| *method != Method::Ack))
            }
            Err(malformed) => malformed.answer.map(|answer| answer.partial().clone()),
        };
        partial.map_or(Malformed::junk(reason), |message| Malformed::bad(status, reason, message))
    }
}

fn start_of(raw: &Bytes, line: Line<'_>) -> Start {
    let span = |text: &str| {
        let start = text.as_ptr() as usize - raw.as_ptr() as usize;
        Span::new(start, start + text.len())
    };
    match line {
        Line::Request { method, uri } => Start::Request { method: Method::of(method), uri: span(uri) },
        Line::Response { status, reason: "" } => Start::Response { status, reason: Span::default() },
        Line::Response { status, reason } => Start::Response { status, reason: span(reason) },
    }
}

/// A request whose line is faulty: its method still tells whether it may be answered.
fn unread_start(line: &[u8]) -> Start {
    let method = line.split(|&byte| byte == b' ').next().unwrap_or_default();
    let method = Method::of(std::str::from_utf8(method).unwrap_or_default());
    Start::Request { method, uri: Span::default() }
}

/// All header lines, and where the body starts.
struct Head {
    entries: Vec<Entry>,
    at: Places,
    /// Just past the empty line.
    end: usize,
    /// Some line is folded or not UTF-8.
    needs_rewriting: bool,
    fault: Option<Fault>,
}

fn read_head(raw: &Bytes, from: usize) -> Head {
    let at = Places {
        via: NOWHERE,
        from: NOWHERE,
        to: NOWHERE,
        call_id: NOWHERE,
        cseq: NOWHERE,
        content_length: NOWHERE,
        max_forwards: NOWHERE,
    };
    let mut head = Head { entries: Vec::with_capacity(24), at, end: raw.len(), needs_rewriting: false, fault: None };
    let bytes = &raw[..];
    let mut pos = from;
    let mut breaks = 1;
    loop {
        if bytes[pos..].starts_with(b"\r\n") {
            head.end = pos + 2;
            break;
        }
        let Some((end, next, folds)) = line_at(bytes, pos) else {
            head.blame("Missing Empty Line After Headers");
            break;
        };
        if head.entries.len() == HEADERS_MAX {
            head.blame("Too Many Headers");
            break;
        }
        head.take_line(bytes, pos, end, folds);
        breaks += 1 + folds;
        pos = next;
    }
    // All controls are the line breaks' own, or somebody looks closer. A lone CR or LF could be a line's end to others.
    let lines = &bytes[from.min(head.end)..head.end];
    let is_suspect = head.fault.is_some() || count_controls(lines) != 2 * breaks;
    if is_suspect && lines.split(|&byte| byte == b'\n').any(line_has_control) {
        head.needs_rewriting = true; // even an answer to it must not carry them on
        head.blame("Control Character in Header");
    }
    if !raw[..head.end].is_ascii() {
        head.needs_rewriting |= std::str::from_utf8(&raw[..head.end]).is_err();
    }
    head
}

/// End of the logical line at `pos` (before its last line break), start of the next, and how often it is folded.
fn line_at(bytes: &[u8], pos: usize) -> Option<(usize, usize, usize)> {
    let mut folds = 0;
    let mut from = pos;
    loop {
        let feed = from + memchr::memchr(b'\n', &bytes[from..])?;
        match bytes.get(feed + 1) {
            Some(b' ' | b'\t') => {
                folds += 1;
                from = feed + 1;
            }
            _ => {
                let end = if feed > pos && bytes[feed - 1] == b'\r' { feed - 1 } else { feed };
                return Some((end, feed + 1, folds));
            }
        }
    }
}

/// A line as parted by LF: its CR belongs to the break.
fn line_has_control(line: &[u8]) -> bool {
    has_bare_control(line.strip_suffix(b"\r").unwrap_or(line))
}

impl Head {
    fn blame(&mut self, reason: &'static str) {
        self.fault.get_or_insert((400, reason));
    }

    fn take_line(&mut self, bytes: &[u8], start: usize, end: usize, folds: usize) {
        let line = &bytes[start..end];
        if line.len() > LINE_BYTES_MAX {
            return self.blame("Header Too Long");
        }
        if bytes[end] != b'\r' {
            return self.blame("Control Character in Header");
        }
        if folds > 0 {
            self.needs_rewriting = true;
            let mut broken = line.split(|&byte| byte == b'\n').rev().skip(1);
            if broken.any(|part| !part.ends_with(b"\r")) {
                return self.blame("Control Character in Header");
            }
        }
        let Some(colon) = memchr::memchr(b':', line) else { return self.blame("Header Without Colon") };
        // RFC 3261 §7.3.1 allows white space before the colon: it is the same header with it or without.
        let (front, name) = trim(&line[..colon]);
        let name_index = name::index_of(name);
        let is_name = name_index != name::OTHER || (is_token(name) && name.len() <= NAME_BYTES_MAX);
        if front > 0 || !is_name {
            return self.blame("Malformed Header Name");
        }
        let (front, value) = trim(&line[colon + 1..]);
        let value_start = start + colon + 1 + front;
        let entry = Entry {
            name_index,
            name: Span::new(start, start + name.len()),
            value: Span::new(value_start, value_start + value.len()),
        };
        let place = self.entries.len() as u16;
        self.entries.push(entry);
        self.note(entry.name_index, place);
    }

    /// Remembers where mandatory headers are, and that what may stand once stands once (RFC 3261 §7.3.1).
    fn note(&mut self, index: u8, place: u16) {
        const VIA: u8 = Name::Via.index();
        const FROM: u8 = Name::From.index();
        const TO: u8 = Name::To.index();
        const CALL_ID: u8 = Name::CallId.index();
        const CSEQ: u8 = Name::CSeq.index();
        const CONTENT_LENGTH: u8 = Name::ContentLength.index();
        const MAX_FORWARDS: u8 = Name::MaxForwards.index();
        const CONTENT_TYPE: u8 = Name::ContentType.index();
        const EXPIRES: u8 = Name::Expires.index();
        let at = &mut self.at;
        let (slot, twice) = match index {
            VIA if at.via != NOWHERE => return,
            VIA => (&mut at.via, ""),
            FROM => (&mut at.from, "Multiple From Headers"),
            TO => (&mut at.to, "Multiple To Headers"),
            CALL_ID => (&mut at.call_id, "Multiple Call-ID Headers"),
            CSEQ => (&mut at.cseq, "Multiple CSeq Headers"),
            CONTENT_LENGTH => (&mut at.content_length, "Multiple Content-Length Headers"),
            MAX_FORWARDS => (&mut at.max_forwards, "Multiple Max-Forwards Headers"),
            CONTENT_TYPE | EXPIRES => {
                if self.entries[..usize::from(place)].iter().any(|entry| entry.name_index == index) {
                    self.blame("Multiple Values of a Single Header");
                }
                return;
            }
            _ => return,
        };
        if *slot == NOWHERE {
            *slot = place;
        } else {
            self.blame(twice);
        }
    }
}

/// The body by Content-Length; all that is left without one (RFC 3261 §18.3).
fn body_of(raw: &Bytes, head: &Head) -> (Bytes, Option<Fault>) {
    let left = raw.slice(head.end..);
    let Some(entry) = head.entries.get(usize::from(head.at.content_length)) else { return (left, None) };
    let digits = std::str::from_utf8(&raw[entry.value.range()]).unwrap_or_default();
    match number(digits).map(usize::try_from) {
        Some(Ok(length)) if length <= left.len() => (left.slice(..length), None),
        Some(Ok(_)) => (left, Some((400, "Body Shorter Than Content-Length"))),
        _ => (left, Some((400, "Invalid Content-Length"))),
    }
}

/// A copy of the same length in which folds are spaces and bytes that are not UTF-8 are question marks.
fn plain_text(raw: &Bytes, head: &Head) -> Bytes {
    let mut text = raw[..head.end].to_vec();
    for entry in &head.entries {
        for byte in &mut text[entry.value.range()] {
            if matches!(byte, b'\r' | b'\n') {
                *byte = b' ';
            }
        }
    }
    let mut from = 0;
    while let Err(error) = std::str::from_utf8(&text[from..]) {
        let bad = from + error.valid_up_to();
        let length = error.error_len().unwrap_or(text.len() - bad);
        text[bad..bad + length].fill(b'?');
        from = bad + length;
    }
    text.into()
}

/// What RFC 3261 §8.1.1 and §8.2 ask of any message before anybody looks at what it wants.
fn check(inner: &mut Inner) -> Result<(), Fault> {
    let bad = |reason| Err((400, reason));
    let missing = |place: u16| place == NOWHERE;
    let at = inner.at;
    match () {
        () if missing(at.via) => return bad("Missing Via Header"),
        () if missing(at.from) => return bad("Missing From Header"),
        () if missing(at.to) => return bad("Missing To Header"),
        () if missing(at.call_id) => return bad("Missing Call-ID Header"),
        () if missing(at.cseq) => return bad("Missing CSeq Header"),
        () => {}
    }
    check_vias(inner)?;
    if NameAddr::parse(inner.place(at.from)).is_none_or(|from| !from.is_readable()) {
        return bad("Malformed From Header");
    }
    if NameAddr::parse(inner.place(at.to)).is_none_or(|to| !to.is_readable()) {
        return bad("Malformed To Header");
    }
    let call_id = inner.place(at.call_id);
    if call_id.is_empty() || call_id.bytes().any(|byte| byte == b' ' || byte == b'\t') {
        return bad("Malformed Call-ID Header");
    }
    let Some(cseq) = CSeq::parse(inner.place(at.cseq)) else { return bad("Malformed CSeq Header") };
    if let Start::Request { method, uri } = &inner.start {
        if cseq.method != *method {
            return bad("CSeq Method Does Not Match");
        }
        match uri::check(inner.str(*uri)) {
            Ok(false) => {}
            // RFC 3261 §19.1.1: none may stand there, and ours would be the only reading of them.
            Ok(true) => return bad("Headers in Request-URI"),
            Err(_) => return bad("Malformed Request-URI"),
        }
    }
    if !missing(at.max_forwards) && number(inner.place(at.max_forwards)).is_none_or(|hops| hops > 255) {
        return bad("Invalid Max-Forwards");
    }
    inner.cseq = cseq.number;
    Ok(())
}

/// Every hop of the way back must be readable: whoever stands there gets our answer through it.
fn check_vias(inner: &Inner) -> Result<(), Fault> {
    let key = Name::Via.key();
    let lines = inner.headers.iter().filter(|entry| entry.name_index == key).map(|entry| inner.str(entry.value));
    let mut count = 0;
    for value in lines.flat_map(split_list) {
        count += 1;
        if count > VIAS_MAX {
            return Err((400, "Too Many Via Headers"));
        }
        if Via::parse(value).is_none_or(|via| via.version != "2.0") {
            return Err((400, "Malformed Via Header"));
        }
    }
    if count == 0 { Err((400, "Malformed Via Header")) } else { Ok(()) }
}
