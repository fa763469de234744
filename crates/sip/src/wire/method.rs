//! What a request asks for.

use std::fmt;

/// A method; case matters (RFC 3261 §7.1), so `invite` is [`Method::Other`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// Start or change a call, RFC 3261 §13, §14.
    Invite,
    /// The third step of an INVITE, RFC 3261 §13.2.2.4.
    Ack,
    /// End of a call, RFC 3261 §15.
    Bye,
    /// Give up an unanswered INVITE, RFC 3261 §9.
    Cancel,
    /// Bind contacts to an address of record, RFC 3261 §10.
    Register,
    /// What can you do, and are you there, RFC 3261 §11.
    Options,
    /// Acknowledge a reliable provisional response, RFC 3262.
    Prack,
    /// Change a session, before the answer too, RFC 3311.
    Update,
    /// Something in the course of a call, RFC 6086.
    Info,
    /// Call somebody else, RFC 3515.
    Refer,
    /// A page of text, RFC 3428.
    Message,
    /// Ask for news, RFC 6665.
    Subscribe,
    /// News, RFC 6665.
    Notify,
    /// State for whoever subscribes, RFC 3903.
    Publish,
    /// Any other token.
    Other(Box<str>),
}

impl Method {
    /// Every method with a name of its own.
    pub const KNOWN: [Method; 14] = [
        Method::Invite,
        Method::Ack,
        Method::Bye,
        Method::Cancel,
        Method::Register,
        Method::Options,
        Method::Prack,
        Method::Update,
        Method::Info,
        Method::Refer,
        Method::Message,
        Method::Subscribe,
        Method::Notify,
        Method::Publish,
    ];

    /// The method that a token names. The caller has seen that it is a token.
    pub fn of(token: &str) -> Method {
        match token {
            "INVITE" => Method::Invite,
            "ACK" => Method::Ack,
            "BYE" => Method::Bye,
            "CANCEL" => Method::Cancel,
            "REGISTER" => Method::Register,
            "OPTIONS" => Method::Options,
            "PRACK" => Method::Prack,
            "UPDATE" => Method::Update,
            "INFO" => Method::Info,
            "REFER" => Method::Refer,
            "MESSAGE" => Method::Message,
            "SUBSCRIBE" => Method::Subscribe,
            "NOTIFY" => Method::Notify,
            "PUBLISH" => Method::Publish,
            other => Method::Other(other.into()),
        }
    }

    /// As the wire says it.
    pub fn as_str(&self) -> &str {
        match self {
            Method::Invite => "INVITE",
            Method::Ack => "ACK",
            Method::Bye => "BYE",
            Method::Cancel => "CANCEL",
            Method::Register => "REGISTER",
            Method::Options => "OPTIONS",
            Method::Prack => "PRACK",
            Method::Update => "UPDATE",
            Method::Info => "INFO",
            Method::Refer => "REFER",
            Method::Message => "MESSAGE",
            Method::Subscribe => "SUBSCRIBE",
            Method::Notify => "NOTIFY",
            Method::Publish => "PUBLISH",
            Method::Other(token) => token,
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_method_reads_back_as_itself() {
        for method in Method::KNOWN {
            assert_eq!(Method::of(method.as_str()), method);
        }
        assert_eq!(Method::of("invite"), Method::Other("invite".into()));
    }
}
