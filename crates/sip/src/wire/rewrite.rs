//! A message like another, but for some lines.

use bytes::Bytes;

use super::message::{Message, Start};
use super::name::Name;
use super::response::{finish, push_header};
use super::status;
use super::text::{push_line_text, push_word};

/// Copies a message line by line, leaving out and replacing as told.
#[derive(Debug)]
pub struct Rewrite<'a> {
    message: &'a Message,
    request_uri: Option<String>,
    drop: Vec<Name<'a>>,
    add: Vec<(Name<'a>, String)>,
    body: Option<(String, Bytes)>,
}

impl<'a> Rewrite<'a> {
    /// Starts with everything as it is.
    pub fn of(message: &'a Message) -> Rewrite<'a> {
        Rewrite { message, request_uri: None, drop: Vec::new(), add: Vec::new(), body: None }
    }

    /// Replaces the Request-URI of a request.
    pub fn request_uri(mut self, uri: &str) -> Rewrite<'a> {
        self.request_uri = Some(uri.to_owned());
        self
    }

    /// Leaves out every line of a header.
    pub fn remove(mut self, name: Name<'a>) -> Rewrite<'a> {
        self.drop.push(name);
        self
    }

    /// Replaces every line of a header by one.
    pub fn set(mut self, name: Name<'a>, value: impl Into<String>) -> Rewrite<'a> {
        self.drop.push(name);
        self.add.push((name, value.into()));
        self
    }

    /// Adds a line below the others.
    pub fn add(mut self, name: Name<'a>, value: impl Into<String>) -> Rewrite<'a> {
        self.add.push((name, value.into()));
        self
    }

    /// Replaces the body; an empty one takes its Content-Type with it.
    pub fn body(mut self, content_type: &str, body: impl Into<Bytes>) -> Rewrite<'a> {
        self.body = Some((content_type.to_owned(), body.into()));
        self
    }

    /// The new message, its Content-Length set right.
    pub fn build(self) -> Bytes {
        let message = self.message;
        let mut out = Vec::with_capacity(message.as_bytes().len() + 256);
        match &message.0.start {
            Start::Request { method, .. } => {
                push_word(&mut out, method.as_str().as_bytes());
                out.push(b' ');
                push_word(&mut out, self.request_uri.as_deref().unwrap_or(message.request_uri()).as_bytes());
                out.extend_from_slice(b" SIP/2.0\r\n");
            }
            Start::Response { status, .. } => {
                out.extend_from_slice(b"SIP/2.0 ");
                out.extend_from_slice(itoa::Buffer::new().format(*status).as_bytes());
                out.push(b' ');
                let reason = if message.reason().is_empty() { status::reason(*status) } else { message.reason() };
                push_line_text(&mut out, reason.as_bytes());
                out.extend_from_slice(b"\r\n");
            }
        }
        for (name, value) in message.iter() {
            if !self.drop.contains(&name) {
                push_header(&mut out, name, value.as_bytes());
            }
        }
        for (name, value) in &self.add {
            push_header(&mut out, *name, value.as_bytes());
        }
        let body = self.body.or_else(|| {
            let content_type = message.header(Name::ContentType).unwrap_or_default().to_owned();
            Some((content_type, message.body().clone()))
        });
        finish(out, body)
    }
}

/// Puts one header line right below the start line: the Via of whoever sends a finished request.
pub fn prepend_header(message: &[u8], name: Name<'_>, value: &str) -> Bytes {
    let start = memchr::memchr(b'\n', message).map_or(message.len(), |feed| feed + 1);
    let mut out = Vec::with_capacity(message.len() + name.as_str().len() + value.len() + 4);
    out.extend_from_slice(&message[..start]);
    push_header(&mut out, name, value.as_bytes());
    out.extend_from_slice(&message[start..]);
    out.into()
}
