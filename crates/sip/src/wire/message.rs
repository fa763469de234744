//! One message, read once, never changed.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use super::list::split_list;
use super::method::Method;
use super::name::Name;
use super::text::number;
use crate::header::{CSeq, Contacts, NameAddr, Via};

/// A request or response: offsets into one buffer. Cloning costs a counter.
///
/// [`Message::parse`](super::parse) has seen to it that Via, From, To, Call-ID and CSeq are there, once where once is
/// right, and readable; so their accessors do not fail. Values are read as UTF-8; where the sender's bytes are not, each
/// offending byte reads as `?`, while responses still carry back the bytes as sent.
#[derive(Clone)]
pub struct Message(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    /// As received, cut to Content-Length.
    pub raw: Bytes,
    /// `raw` with folds turned into spaces and valid UTF-8 in its head; the very same buffer when it was so anyway.
    pub text: Bytes,
    pub body: Bytes,
    pub start: Start,
    pub headers: Vec<Entry>,
    pub at: Places,
    pub cseq: u32,
}

pub(crate) enum Start {
    Request { method: Method, uri: Span },
    Response { status: u16, reason: Span },
}

/// One header line, folds included.
#[derive(Clone, Copy)]
pub(crate) struct Entry {
    /// Index into the table of names.
    pub name_index: u8,
    pub name: Span,
    pub value: Span,
}

/// Offsets into the buffer; 16 bits hold any of them.
#[derive(Clone, Copy, Default)]
pub(crate) struct Span {
    pub start: u16,
    pub end: u16,
}

/// Where the headers that every reader needs are among the entries; `u16::MAX` for nowhere.
#[derive(Clone, Copy)]
pub(crate) struct Places {
    pub via: u16,
    pub from: u16,
    pub to: u16,
    pub call_id: u16,
    pub cseq: u16,
    pub content_length: u16,
    pub max_forwards: u16,
}

impl Message {
    /// Is it a request?
    pub fn is_request(&self) -> bool {
        matches!(self.0.start, Start::Request { .. })
    }

    /// The method of a request. For a response see [`Message::cseq`].
    pub fn method(&self) -> Option<&Method> {
        match &self.0.start {
            Start::Request { method, .. } => Some(method),
            Start::Response { .. } => None,
        }
    }

    /// The Request-URI as written; empty for a response. It is a readable URI of some scheme.
    pub fn request_uri(&self) -> &str {
        match &self.0.start {
            Start::Request { uri, .. } => self.0.str(*uri),
            Start::Response { .. } => "",
        }
    }

    /// The status of a response, 100 to 699.
    pub fn status(&self) -> Option<u16> {
        match &self.0.start {
            Start::Request { .. } => None,
            Start::Response { status, .. } => Some(*status),
        }
    }

    /// The reason phrase of a response as its sender put it; may be empty.
    pub fn reason(&self) -> &str {
        match &self.0.start {
            Start::Request { .. } => "",
            Start::Response { reason, .. } => self.0.str(*reason),
        }
    }

    /// The first value of a header; for lists the first of the first line.
    pub fn header(&self, name: Name<'_>) -> Option<&str> {
        self.headers(name).next()
    }

    /// All values of a header in order, comma lists split.
    pub fn headers<'m>(&'m self, name: Name<'_>) -> impl Iterator<Item = &'m str> + use<'m> {
        let is_list = name.is_list();
        self.lines(name).flat_map(move |line| {
            let (listed, single) = if is_list { (Some(split_list(line)), None) } else { (None, Some(line)) };
            listed.into_iter().flatten().chain(single)
        })
    }

    /// All lines of a header in order, each unfolded and trimmed, commas untouched.
    pub fn lines<'m>(&'m self, name: Name<'_>) -> impl Iterator<Item = &'m str> + use<'m> {
        let key = name.key();
        let other = if key == super::name::OTHER { name.as_str().to_owned() } else { String::new() };
        self.0
            .headers
            .iter()
            .filter(move |entry| {
                entry.name_index == key && (other.is_empty() || self.0.str(entry.name).eq_ignore_ascii_case(&other))
            })
            .map(|entry| self.0.str(entry.value))
    }

    /// Is there such a header at all?
    pub fn has(&self, name: Name<'_>) -> bool {
        self.lines(name).next().is_some()
    }

    /// How many header lines it has.
    pub fn header_lines(&self) -> usize {
        self.0.headers.len()
    }

    /// Every header line in order, with its name; unknown names as written.
    pub fn iter(&self) -> impl Iterator<Item = (Name<'_>, &str)> {
        self.0.headers.iter().map(|entry| (Name::at(entry.name_index, self.0.str(entry.name)), self.0.str(entry.value)))
    }

    /// The topmost Via: who sent it here, or, on a response, we ourselves.
    pub fn via(&self) -> Via<'_> {
        split_list(self.0.place(self.0.at.via)).next().and_then(Via::parse).unwrap_or_default()
    }

    /// All Vias from the top; unreadable ones below the top are skipped.
    pub fn vias(&self) -> impl Iterator<Item = Via<'_>> {
        self.headers(Name::Via).filter_map(Via::parse)
    }

    /// The Call-ID.
    pub fn call_id(&self) -> &str {
        self.0.place(self.0.at.call_id)
    }

    /// Number and method.
    pub fn cseq(&self) -> CSeq {
        match &self.0.start {
            Start::Request { method, .. } => CSeq { number: self.0.cseq, method: method.clone() },
            Start::Response { .. } => CSeq::parse(self.0.place(self.0.at.cseq)).unwrap_or_default(),
        }
    }

    /// From.
    pub fn from(&self) -> NameAddr<'_> {
        NameAddr::parse(self.0.place(self.0.at.from)).unwrap_or_default()
    }

    /// To.
    pub fn to(&self) -> NameAddr<'_> {
        NameAddr::parse(self.0.place(self.0.at.to)).unwrap_or_default()
    }

    /// Contacts, or the `*` of a REGISTER that removes them all. `None` when one of them cannot be read.
    pub fn contacts(&self) -> Option<Contacts<'_>> {
        Contacts::of(self.headers(Name::Contact))
    }

    /// The addresses of a header that lists them: P-Asserted-Identity, Diversion, Path… Unreadable ones are skipped.
    pub fn addresses<'m>(&'m self, name: Name<'_>) -> impl Iterator<Item = NameAddr<'m>> + use<'m> {
        self.headers(name).filter_map(NameAddr::parse)
    }

    /// The Route set that the request still has to travel.
    pub fn routes(&self) -> impl Iterator<Item = NameAddr<'_>> {
        self.addresses(Name::Route)
    }

    /// The proxies that want to stay in the dialog's path, topmost first.
    pub fn record_routes(&self) -> impl Iterator<Item = NameAddr<'_>> {
        self.addresses(Name::RecordRoute)
    }

    /// Hops left; `None` where the sender did not say.
    pub fn max_forwards(&self) -> Option<u8> {
        self.header(Name::MaxForwards).and_then(number).and_then(|hops| u8::try_from(hops).ok())
    }

    /// Seconds in `Expires`; past `u32` counts as `u32::MAX`, unreadable as absent.
    pub fn expires(&self) -> Option<u32> {
        self.header(Name::Expires).and_then(crate::header::seconds)
    }

    /// Is the option tag in a Supported, Require, Allow… list, in any case?
    pub fn lists(&self, name: Name<'_>, tag: &str) -> bool {
        self.headers(name).any(|value| value.eq_ignore_ascii_case(tag))
    }

    /// The body, as long as Content-Length says.
    pub fn body(&self) -> &Bytes {
        &self.0.body
    }

    /// The media type of the body without its parameters: `application/sdp`.
    pub fn content_type(&self) -> Option<&str> {
        self.header(Name::ContentType).map(|value| value.split(';').next().unwrap_or_default().trim_end())
    }

    /// The message as received.
    pub fn as_bytes(&self) -> &Bytes {
        &self.0.raw
    }
}

impl Inner {
    /// The head was made valid UTF-8 at parsing and spans end at ASCII bytes; an empty text otherwise costs no panic.
    pub fn str(&self, span: Span) -> &str {
        std::str::from_utf8(&self.text[span.range()]).unwrap_or_default()
    }

    /// The value of the entry at a place, empty where there is none.
    pub fn place(&self, place: u16) -> &str {
        self.headers.get(usize::from(place)).map(|entry| self.str(entry.value)).unwrap_or_default()
    }
}

impl Span {
    pub fn new(start: usize, end: usize) -> Span {
        debug_assert!(end <= usize::from(u16::MAX));
        Span { start: start as u16, end: end as u16 }
    }

    pub fn range(self) -> std::ops::Range<usize> {
        usize::from(self.start)..usize::from(self.end)
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.start {
            Start::Request { method, .. } => write!(f, "{method} request, Call-ID {:?}", self.call_id()),
            Start::Response { status, .. } => write!(f, "{status} response, Call-ID {:?}", self.call_id()),
        }
    }
}
