//! A SIP message as a test reads it: split at line ends and colons, nothing of it from the product.

/// A received message, read with a parser of the test's own.
#[derive(Clone, Debug)]
pub struct Sip {
    /// Request or status line.
    pub start: String,
    headers: Vec<(String, String)>,
    /// The body, as text.
    pub body: String,
}

impl Sip {
    /// Reads a whole message.
    pub fn parse(text: &str) -> Sip {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
        let mut lines = head.split("\r\n");
        let start = lines.next().unwrap_or_default().to_owned();
        let headers = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
            .collect();
        Sip { start, headers, body: body.to_owned() }
    }

    /// The status code of a response; 0 for a request.
    pub fn status(&self) -> u16 {
        self.start.strip_prefix("SIP/2.0 ").and_then(|rest| rest.get(..3)?.parse().ok()).unwrap_or_default()
    }

    /// The method of a request; of a response, the one it answers.
    pub fn method(&self) -> &str {
        if self.status() > 0 {
            self.header("CSeq").split(' ').next_back().unwrap_or_default()
        } else {
            self.start.split(' ').next().unwrap_or_default()
        }
    }

    /// The first value of a header, empty when it is missing.
    pub fn header(&self, name: &str) -> &str {
        self.all(name).next().unwrap_or_default()
    }

    /// All lines of a header.
    pub fn all<'a, 'b>(&'a self, name: &'b str) -> impl Iterator<Item = &'a str> + use<'a, 'b> {
        self.headers.iter().filter(move |(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The URI of the first Contact, without brackets.
    pub fn contact(&self) -> String {
        uri(self.header("Contact"))
    }

    /// The number in CSeq.
    pub fn cseq(&self) -> u32 {
        self.header("CSeq").split(' ').next().and_then(|n| n.parse().ok()).unwrap_or_default()
    }

    /// The names of all its headers, in order.
    pub fn names(&self) -> Vec<&str> {
        self.headers.iter().map(|(name, _)| name.as_str()).collect()
    }

    /// The value of an SDP line, such as `c=` or `m=`.
    pub fn sdp(&self, start: &str) -> &str {
        self.body.lines().find_map(|line| line.strip_prefix(start)).unwrap_or_default()
    }
}

fn uri(header: &str) -> String {
    header.split_once('<').map_or(header, |(_, rest)| rest.split('>').next().unwrap_or_default()).to_owned()
}

/// A parameter of a challenge.
pub fn parameter<'a>(header: &'a str, name: &str) -> Option<&'a str> {
    let header = header.trim_start().strip_prefix("Digest").unwrap_or(header);
    header.split(',').find_map(|part| {
        let (key, value) = part.split_once('=')?;
        key.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"'))
    })
}

/// Takes one whole message out of a TCP buffer; keep-alive line ends before it are skipped.
pub fn framed(pending: &mut Vec<u8>) -> Option<Sip> {
    while pending.starts_with(b"\r\n") {
        pending.drain(..2);
    }
    let head = pending.windows(4).position(|w| w == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&pending[..head]).into_owned();
    let length: usize = Sip::parse(&text).header("Content-Length").parse().unwrap_or_default();
    if pending.len() < head + length {
        return None;
    }
    let whole: Vec<u8> = pending.drain(..head + length).collect();
    Some(Sip::parse(&String::from_utf8_lossy(&whole)))
}
