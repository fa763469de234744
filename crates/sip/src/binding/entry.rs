//! One binding, packed: its texts are one allocation, since there may be a hundred thousand of them.

use tollgate_types::{Flow, Mono};

use crate::uri::Uri;

/// Where a device can be reached, and until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// Names it within its address of record.
    pub number: u32,
    /// How its REGISTER came: what reaches it.
    pub flow: Flow,
    /// RFC 5626: which of the device's flows this is.
    pub reg_id: Option<u32>,
    /// Preference in thousandths.
    pub q: u16,
    /// The CSeq of the REGISTER that set it.
    pub cseq: u32,
    /// When it was first set.
    pub since: Mono,
    /// When it was last set.
    pub refreshed_at: Mono,
    /// When it ends.
    pub expires_at: Mono,
    /// Contact, instance, Call-ID, user agent, and paths parted by line breaks, one after the other.
    texts: Box<str>,
    /// Where each but the last ends.
    ends: [u16; 4],
}

/// The same, spread out: what a binding is made of, and what remembers it elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parts<'a> {
    /// How its REGISTER came.
    pub flow: Flow,
    /// The contact's URI as the device wrote it.
    pub contact: &'a str,
    /// RFC 5626: the device's URN; empty where it has none.
    pub instance: &'a str,
    /// RFC 5626: which of the device's flows this is.
    pub reg_id: Option<u32>,
    /// The Call-ID of its REGISTERs.
    pub call_id: &'a str,
    /// The CSeq of the latest of them.
    pub cseq: u32,
    /// What the device calls itself, made harmless.
    pub user_agent: &'a str,
    /// RFC 3327: the proxies between it and us, as Route values, nearest first, one a line.
    pub paths: &'a str,
    /// Preference in thousandths.
    pub q: u16,
    /// When it was first set.
    pub since: Mono,
    /// When it was last set.
    pub refreshed_at: Mono,
    /// When it ends.
    pub expires_at: Mono,
}

impl Binding {
    pub(super) fn new(number: u32, parts: &Parts<'_>) -> Binding {
        let pieces = [parts.contact, parts.instance, parts.call_id, parts.user_agent];
        let mut texts =
            String::with_capacity(pieces.iter().map(|piece| piece.len()).sum::<usize>() + parts.paths.len());
        let mut ends = [0u16; 4];
        for (end, piece) in ends.iter_mut().zip(pieces) {
            texts.push_str(piece);
            // Register::read caps every piece; what a row from elsewhere holds beyond 64 KiB is lost with its tail.
            *end = u16::try_from(texts.len()).unwrap_or(u16::MAX);
        }
        texts.push_str(parts.paths);
        Binding {
            number,
            flow: parts.flow,
            reg_id: parts.reg_id,
            q: parts.q,
            cseq: parts.cseq,
            since: parts.since,
            refreshed_at: parts.refreshed_at,
            expires_at: parts.expires_at,
            texts: texts.into_boxed_str(),
            ends,
        }
    }

    /// Spread out.
    pub fn parts(&self) -> Parts<'_> {
        Parts {
            flow: self.flow,
            contact: self.contact(),
            instance: self.instance(),
            reg_id: self.reg_id,
            call_id: self.call_id(),
            cseq: self.cseq,
            user_agent: self.user_agent(),
            paths: self.piece(4),
            q: self.q,
            since: self.since,
            refreshed_at: self.refreshed_at,
            expires_at: self.expires_at,
        }
    }

    /// The contact's URI as the device wrote it: the Request-URI of what is sent there.
    pub fn contact(&self) -> &str {
        self.piece(0)
    }

    /// RFC 5626: the device's URN; empty where it has none.
    pub fn instance(&self) -> &str {
        self.piece(1)
    }

    /// The Call-ID of its REGISTERs.
    pub fn call_id(&self) -> &str {
        self.piece(2)
    }

    /// What the device calls itself, made harmless.
    pub fn user_agent(&self) -> &str {
        self.piece(3)
    }

    /// RFC 3327: the Route values for what is sent there, in order.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.piece(4).lines()
    }

    /// Does the contact name another place than the one its REGISTER came from? Then only the flow reaches the device.
    pub fn is_behind_nat(&self) -> bool {
        Uri::parse(self.contact()).is_ok_and(|contact| super::is_behind_nat(&contact, &self.flow))
    }

    /// Seconds left, rounded up so that a living binding never shows 0.
    pub fn seconds_left(&self, now: Mono) -> u32 {
        u32::try_from(self.expires_at.since(now).as_micros().div_ceil(1_000_000)).unwrap_or(u32::MAX)
    }

    fn piece(&self, at: usize) -> &str {
        let end = |at: usize| self.ends.get(at).map_or(self.texts.len(), |end| usize::from(*end));
        let start = if at == 0 { 0 } else { end(at - 1) };
        self.texts.get(start..end(at)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use tollgate_types::{ConnId, Transport};

    use super::*;

    #[test]
    fn a_binding_is_small_and_loses_nothing() {
        let flow = Flow {
            transport: Transport::Udp,
            local: "192.0.2.9:5060".parse().unwrap(),
            peer: "198.51.100.77:61234".parse().unwrap(),
            conn: ConnId(0),
        };
        let parts = Parts {
            flow,
            contact: "sip:1001@192.168.178.23:5060;transport=udp;ob",
            instance: "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
            reg_id: Some(1),
            call_id: "3848276298220188511@192.168.178.23",
            cseq: 4711,
            user_agent: "Some Phone 6.1.2 (build 77)",
            paths: "<sip:edge1.example;lr>\n<sip:edge2.example;lr>",
            q: 500,
            since: Mono::from_millis(1),
            refreshed_at: Mono::from_millis(2),
            expires_at: Mono::from_millis(3_600_001),
        };
        let binding = Binding::new(7, &parts);
        assert_eq!(binding.parts(), parts);
        assert_eq!(binding.paths().collect::<Vec<_>>(), ["<sip:edge1.example;lr>", "<sip:edge2.example;lr>"]);
        let bytes = size_of::<Binding>() + binding.texts.len();
        assert!(bytes <= 400, "{bytes}");
        assert!(binding.is_behind_nat());
        for (contact, behind) in [
            ("sip:u@198.51.100.77:61234", false),
            ("sip:u@198.51.100.77", true),
            ("sip:u@198.51.100.78:61234", true),
            ("sip:u@phone.example", false),
        ] {
            assert_eq!(Binding::new(1, &Parts { contact, ..parts.clone() }).is_behind_nat(), behind, "{contact}");
        }
        assert_eq!(binding.seconds_left(Mono::from_millis(1)), 3600);
        assert_eq!(binding.seconds_left(Mono::from_millis(3_600_000)), 1);
        assert_eq!(binding.seconds_left(Mono::from_millis(3_600_001)), 0);
    }
}
