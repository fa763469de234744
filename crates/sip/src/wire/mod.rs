//! SIP as bytes: what a stranger sent, read without copying it, and what we write.
//!
//! [`Message`] is offsets into one buffer. [`stream::Framer`] cuts a stream into such buffers. [`RequestBuilder`] and
//! [`ResponseBuilder`] write; nothing they are given can start a new header.

mod answer;
mod limit;
mod list;
mod message;
mod method;
mod name;
mod parse;
#[cfg(test)]
mod properties;
mod request;
mod response;
mod rewrite;
mod start;
mod status;
pub mod stream;
#[cfg(test)]
pub(crate) mod tests;
mod text;

pub use answer::{Answer, Malformed};
pub use limit::{HEADERS_MAX, LINE_BYTES_MAX, MESSAGE_BYTES_MAX, URI_BYTES_MAX, VIAS_MAX};
pub use list::split_list;
pub(crate) use list::{find_outside, quote_end, split_outside};
pub use message::Message;
pub use method::Method;
pub use name::Name;
pub use request::RequestBuilder;
pub use response::ResponseBuilder;
pub use rewrite::{Rewrite, prepend_header};
pub use status::reason;
pub(crate) use text::{is_token, number, token_end};
