//! SIP as text, as much of it as scripted people need: read leniently, written by hand. None of the platform's own
//! reading and writing is used, so that a mistake there cannot hide itself.

use std::fmt::Write;

use md5::{Digest, Md5};

/// A request or response.
#[derive(Clone, Debug)]
pub struct Message {
    /// The start line.
    pub start: String,
    headers: Vec<(String, String)>,
    /// What follows the headers.
    pub body: String,
}

impl Message {
    /// A message to be filled.
    pub fn new(start: String) -> Message {
        Message { start, headers: Vec::new(), body: String::new() }
    }

    /// Reads what the platform wrote.
    pub fn read(bytes: &[u8]) -> Message {
        let text = std::str::from_utf8(bytes).expect("the platform writes UTF-8");
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no end of headers: {text}"));
        let mut lines = head.split("\r\n");
        let mut message = Message::new(lines.next().unwrap_or_default().to_owned());
        for line in lines {
            let (name, value) = line.split_once(':').unwrap_or_else(|| panic!("no header: {line}"));
            message.headers.push((name.trim().to_owned(), value.trim().to_owned()));
        }
        message.body = body.to_owned();
        message
    }

    /// One more header.
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Message {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// With this body.
    pub fn with_body(self, kind: &str, body: &str) -> Message {
        let mut message = self.with("Content-Type", kind);
        message.body = body.to_owned();
        message
    }

    /// As it travels.
    pub fn write(&self) -> Vec<u8> {
        let mut text = format!("{}\r\n", self.start);
        for (name, value) in &self.headers {
            let _ = write!(text, "{name}: {value}\r\n");
        }
        let _ = write!(text, "Content-Length: {}\r\n\r\n{}", self.body.len(), self.body);
        text.into_bytes()
    }

    /// The first value of a header; empty when it is not there.
    pub fn header(&self, name: &str) -> &str {
        let known = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        known.map_or("", |(_, value)| value.as_str())
    }

    /// All values of a header, as they are written.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The status of a response.
    pub fn status(&self) -> Option<u16> {
        self.start.strip_prefix("SIP/2.0 ")?.split(' ').next()?.parse().ok()
    }

    /// The method: of a response, that of its CSeq.
    pub fn method(&self) -> &str {
        match self.status() {
            Some(_) => self.header("CSeq").split(' ').nth(1).unwrap_or_default(),
            None => self.start.split(' ').next().unwrap_or_default(),
        }
    }

    /// The number in CSeq.
    pub fn cseq(&self) -> u32 {
        self.header("CSeq").split(' ').next().and_then(|number| number.parse().ok()).expect("a CSeq")
    }

    /// The Request-URI.
    pub fn target(&self) -> &str {
        self.start.split(' ').nth(1).unwrap_or_default()
    }

    /// The tag of From or To; empty when there is none.
    pub fn tag(&self, name: &str) -> &str {
        let value = self.header(name);
        let after = value.rsplit('>').next().unwrap_or_default();
        after.split(';').find_map(|part| part.trim().strip_prefix("tag=")).unwrap_or_default()
    }

    /// The URI of Contact.
    pub fn contact(&self) -> String {
        uri_of(self.header("Contact")).to_owned()
    }

    /// The answer to this request: what must be copied is.
    pub fn answer(&self, status: u16, tag: &str) -> Message {
        let mut answer = Message::new(format!("SIP/2.0 {status} {}", reason(status)));
        for via in self.all("Via") {
            answer = answer.with("Via", via);
        }
        let to = self.header("To");
        let to = if self.tag("To").is_empty() && status > 100 { format!("{to};tag={tag}") } else { to.to_owned() };
        answer
            .with("From", self.header("From"))
            .with("To", to)
            .with("Call-ID", self.header("Call-ID"))
            .with("CSeq", self.header("CSeq"))
    }
}

/// What stands between angle brackets.
pub fn uri_of(value: &str) -> &str {
    value.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map_or(value, |(uri, _)| uri)
}

/// One parameter of a challenge, without its quotes.
pub fn parameter<'a>(challenge: &'a str, name: &str) -> Option<&'a str> {
    let challenge = challenge.split_once(' ').map_or(challenge, |(_, rest)| rest);
    challenge.split(',').find_map(|part| {
        let (known, value) = part.trim().split_once('=')?;
        known.eq_ignore_ascii_case(name).then(|| value.trim_matches('"'))
    })
}

/// The header value that answers a challenge: RFC 7616 with MD5 and qop=auth.
pub fn digest(challenge: &str, (user, password): (&str, &str), method: &str, uri: &str) -> String {
    let realm = parameter(challenge, "realm").expect("a realm");
    let nonce = parameter(challenge, "nonce").expect("a nonce");
    let (nc, cnonce) = ("00000001", "0a4f113b");
    let response = response([user, realm, password], method, uri, [nonce, nc, cnonce]);
    format!(
        "Digest username=\"{user}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", response=\"{response}\", \
         algorithm=MD5, qop=auth, nc={nc}, cnonce=\"{cnonce}\""
    )
}

/// Does this answer to a challenge of ours prove the password?
pub fn proves(authorization: &str, password: &str, method: &str) -> bool {
    let read = |name| parameter(authorization, name).unwrap_or_default();
    let expected = response(
        [read("username"), read("realm"), password],
        method,
        read("uri"),
        [read("nonce"), read("nc"), read("cnonce")],
    );
    expected == read("response")
}

fn response([user, realm, password]: [&str; 3], method: &str, uri: &str, [nonce, nc, cnonce]: [&str; 3]) -> String {
    let hash = |text: String| hex::encode(Md5::digest(text));
    let (secret, what) = (hash(format!("{user}:{realm}:{password}")), hash(format!("{method}:{uri}")));
    hash(format!("{secret}:{nonce}:{nc}:{cnonce}:auth:{what}"))
}

fn reason(status: u16) -> &'static str {
    match status {
        100 => "Trying",
        180 => "Ringing",
        183 => "Session Progress",
        200 => "OK",
        401 => "Unauthorized",
        407 => "Proxy Authentication Required",
        486 => "Busy Here",
        487 => "Request Terminated",
        491 => "Request Pending",
        503 => "Service Unavailable",
        _ => "So It Is",
    }
}
