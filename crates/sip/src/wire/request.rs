//! Writing a request.

use bytes::Bytes;

use super::method::Method;
use super::name::Name;
use super::response::{finish, push_header};
use super::text::push_word;

/// Writes a request, header by header, into one buffer.
///
/// Whatever text it is given stays within its line: CR, LF, NUL and other controls are left out. Content-Length is
/// always written, and always last.
#[derive(Debug)]
pub struct RequestBuilder {
    out: Vec<u8>,
    body: Option<(String, Bytes)>,
}

impl RequestBuilder {
    /// Starts with the request line; white space in `uri` is left out.
    pub fn new(method: &Method, uri: &str) -> RequestBuilder {
        let mut out = Vec::with_capacity(1024);
        push_word(&mut out, method.as_str().as_bytes());
        out.push(b' ');
        push_word(&mut out, uri.as_bytes());
        out.extend_from_slice(b" SIP/2.0\r\n");
        RequestBuilder { out, body: None }
    }

    /// Adds a header. Content-Length and Content-Type are [`RequestBuilder::body`]'s; a name that is no token adds nothing.
    pub fn header(mut self, name: Name<'_>, value: impl AsRef<str>) -> RequestBuilder {
        push_header(&mut self.out, name, value.as_ref().as_bytes());
        self
    }

    /// Adds one line for each value.
    pub fn headers<V: AsRef<str>>(mut self, name: Name<'_>, values: impl IntoIterator<Item = V>) -> RequestBuilder {
        for value in values {
            push_header(&mut self.out, name, value.as_ref().as_bytes());
        }
        self
    }

    /// Sets the body.
    pub fn body(mut self, content_type: &str, body: impl Into<Bytes>) -> RequestBuilder {
        self.body = Some((content_type.to_owned(), body.into()));
        self
    }

    /// The finished message.
    pub fn build(self) -> Bytes {
        finish(self.out, self.body)
    }
}
