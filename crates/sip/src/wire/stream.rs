//! Cutting a stream into messages (RFC 3261 §18.3, RFC 5626 §3.5.1).

use bytes::{Buf, Bytes, BytesMut};

use super::answer::Malformed;
use super::limit::{LINE_BYTES_MAX, MESSAGE_BYTES_MAX};
use super::message::Message;
use super::name::{self, Name};
use super::text::{number, trim};

/// What came out of a stream.
#[derive(Clone, Debug)]
pub enum Frame {
    /// One message, ready for [`Message::parse`].
    Message(Bytes),
    /// A double CRLF between messages: answer with a single one (RFC 5626 §4.4.1).
    Ping,
    /// Nothing after this can be understood: answer if there is something to answer, then close.
    Broken(Malformed),
}

/// Collects bytes of one connection until they are a message. Holds at most one message and what came with it.
#[derive(Debug)]
pub struct Framer {
    /// Bytes of one message at most.
    most: usize,
    buffer: BytesMut,
    /// Searched for the end of the head so far.
    searched: usize,
    /// Length of the message whose head is complete.
    awaited: Option<usize>,
    broken: bool,
}

impl Default for Framer {
    fn default() -> Framer {
        Framer::new()
    }
}

impl Framer {
    /// For a fresh connection, with room for the longest message that can be read.
    pub fn new() -> Framer {
        Framer { most: MESSAGE_BYTES_MAX, buffer: BytesMut::new(), searched: 0, awaited: None, broken: false }
    }

    /// From the next head on, a message may have at most so many bytes; never more than can be read.
    pub fn limit(&mut self, most: usize) {
        self.most = most.min(MESSAGE_BYTES_MAX);
    }

    /// Takes what was read. Drain [`Framer::poll`] before the next push, or the buffer grows past one message.
    pub fn push(&mut self, bytes: &[u8]) {
        if !self.broken {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// Bytes waiting for more: an edge may close a connection that keeps a message half sent for long.
    pub fn pending(&self) -> usize {
        self.buffer.len()
    }

    /// The next frame; `None` until more bytes come. After [`Frame::Broken`] there is none, ever.
    pub fn poll(&mut self) -> Option<Frame> {
        if self.broken {
            return None;
        }
        if self.awaited.is_none() {
            if let Some(ping) = self.skip_empty_lines()? {
                return Some(ping);
            }
            match self.head_end()? {
                Ok(end) => match content_length(&self.buffer[..end]) {
                    Ok(length) if length > self.most.saturating_sub(end) => {
                        return Some(self.give_up(end, 513, "Message Too Large"));
                    }
                    Ok(length) => self.awaited = Some(end + length),
                    Err(reason) => return Some(self.give_up(end, 400, reason)),
                },
                Err(reason) => return Some(self.give_up(0, 400, reason)),
            }
        }
        let length = self.awaited.filter(|&length| length <= self.buffer.len())?;
        self.awaited = None;
        self.searched = 0;
        Some(Frame::Message(self.buffer.split_to(length).freeze()))
    }

    /// Outer `None`: more bytes are needed to tell an empty line from a ping. Inner: a ping, or nothing left to skip.
    fn skip_empty_lines(&mut self) -> Option<Option<Frame>> {
        loop {
            match &self.buffer[..] {
                [b'\r', b'\n', b'\r', b'\n', ..] => {
                    self.buffer.advance(4);
                    return Some(Some(Frame::Ping));
                }
                [] | [b'\r'] | [b'\r', b'\n'] | [b'\r', b'\n', b'\r'] => return None,
                [b'\r', b'\n', ..] => self.buffer.advance(2),
                _ => return Some(None),
            }
        }
    }

    /// Just past the empty line that ends the head.
    fn head_end(&mut self) -> Option<Result<usize, &'static str>> {
        let window = &self.buffer[..self.buffer.len().min(self.most)];
        if self.searched == 0 {
            // Whatever does not begin with a line that names SIP need not be waited for: a browser, a TLS greeting.
            let first = &window[..window.len().min(LINE_BYTES_MAX)];
            if first.first().is_some_and(|&byte| !byte.is_ascii_graphic()) {
                return Some(Err("not SIP"));
            }
            match memchr::memchr(b'\n', first) {
                Some(feed) if memchr::memmem::find(&first[..feed], b"SIP/").is_none() => return Some(Err("not SIP")),
                Some(_) => {}
                None if first.len() == LINE_BYTES_MAX => return Some(Err("first line without end")),
                None => return None,
            }
        }
        match memchr::memmem::find(&window[self.searched..], b"\r\n\r\n") {
            Some(at) => Some(Ok(self.searched + at + 4)),
            None if window.len() == self.most => Some(Err("head without end")),
            None => {
                self.searched = window.len().saturating_sub(3);
                None
            }
        }
    }

    /// `head` bytes are a complete head and may tell whom to answer.
    fn give_up(&mut self, head: usize, status: u16, reason: &'static str) -> Frame {
        self.broken = true;
        let head = std::mem::take(&mut self.buffer).freeze().slice(..head);
        Frame::Broken(Message::refuse(head, status, reason))
    }
}

/// The one length that a head names.
///
/// Two that differ would let somebody else see other messages in this stream than we do.
fn content_length(head: &[u8]) -> Result<usize, &'static str> {
    let key = Name::ContentLength.key();
    let mut found = None;
    let mut lines = memchr::memchr_iter(b'\n', head).scan(0, |from, feed| {
        let line = &head[*from..feed];
        *from = feed + 1;
        Some(line)
    });
    lines.next(); // the start line
    let mut in_length = false;
    for line in lines {
        let is_folded = line.first().is_some_and(|&byte| byte == b' ' || byte == b'\t');
        let value = match (is_folded, memchr::memchr(b':', line)) {
            (true, _) if in_length => line,
            (false, Some(colon)) => {
                in_length = name::index_of(trim(&line[..colon]).1) == key;
                if !in_length {
                    continue;
                }
                &line[colon + 1..]
            }
            _ => continue,
        };
        let value = trim(value).1;
        if value.is_empty() {
            continue; // the number may follow on a folded line
        }
        let digits = std::str::from_utf8(value).unwrap_or_default();
        let length = number(digits).and_then(|length| usize::try_from(length).ok()).ok_or("Invalid Content-Length")?;
        if found.replace(length).is_some_and(|earlier| earlier != length) {
            return Err("Conflicting Content-Length");
        }
    }
    found.ok_or("Missing Content-Length")
}
