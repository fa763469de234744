//! What the settings let strangers send us, and for how long their connections stay.

use std::time::Duration;

use tollgate_settings::{Values, rows::sip};

/// See the module. Read at each datagram and each turn of a connection, so that a change holds at once.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// `sip.message_max`: bytes of one datagram.
    pub message_max: usize,
    /// `sip.stream_message_max`: bytes of one message on a stream.
    pub stream_message_max: usize,
    /// `sip.headers_max`: header lines of one message.
    pub headers_max: usize,
    /// `sip.stream_idle`: how long a connection that no device is registered by may be silent.
    pub stream_idle: Duration,
    /// `sip.stream_connect`: how long connecting may take.
    pub stream_connect: Duration,
    /// `sip.streams_per_source`: connections that one address may have opened.
    pub streams_per_source: usize,
}

impl Policy {
    /// As the settings have it.
    pub fn read(values: &Values) -> Policy {
        let count = |row| usize::try_from(values.integer(row)).unwrap_or(usize::MAX);
        Policy {
            message_max: count(&sip::MESSAGE_MAX),
            stream_message_max: count(&sip::STREAM_MESSAGE_MAX),
            headers_max: count(&sip::HEADERS_MAX),
            stream_idle: values.duration(&sip::STREAM_IDLE),
            stream_connect: values.duration(&sip::STREAM_CONNECT),
            streams_per_source: count(&sip::STREAMS_PER_SOURCE),
        }
    }
}
