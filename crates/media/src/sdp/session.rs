//! One session description as the lines it was written in.

use std::sync::Arc;

use super::field::MediaLine;

/// Bytes of a body, at most.
pub const BODY_MOST: usize = 16 * 1024;
/// Bytes of one line, at most.
pub const LINE_MOST: usize = 4096;
/// Lines of a body, at most.
pub const LINES_MOST: usize = 1024;
/// Media lines of a body, at most.
pub const MEDIA_MOST: usize = 16;

/// A description: its lines as they came, grouped into the session's own and those of each media line.
///
/// Forgiving where no meaning is lost: a missing `s=`, `t=` or even `v=`, bare LF, a short `o=`, blank lines. Lines that
/// are no `x=value`, hold control characters or are not UTF-8 are left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    text: Arc<str>,
    lines: Arc<[Line]>,
    /// Index into `lines` of each m= line.
    media: Arc<[u16]>,
}

/// `kind=text[start..end]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Line {
    kind: u8,
    start: u16,
    end: u16,
}

/// The session's own lines, or one m= line with what belongs to it.
#[derive(Clone, Copy, Debug)]
pub struct Section<'a> {
    text: &'a str,
    lines: &'a [Line],
}

/// Why a body is no session description we can work with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Larger than [`BODY_MOST`].
    #[error("{0} bytes of SDP, at most {BODY_MOST} are read")]
    TooLarge(usize),
    /// More than [`LINES_MOST`] lines.
    #[error("more than {LINES_MOST} lines of SDP")]
    TooManyLines,
    /// Longer than [`LINE_MOST`].
    #[error("SDP line {0} is longer than {LINE_MOST} bytes")]
    LineTooLong(usize),
    /// More than [`MEDIA_MOST`] m= lines.
    #[error("more than {MEDIA_MOST} media lines")]
    TooManyMedia,
    /// An m= line that says no media, port and protocol.
    #[error("SDP line {0} is no media line")]
    BadMedia(usize),
    /// Neither v= nor o= nor m= in it.
    #[error("not a session description")]
    NotSdp,
}

impl Session {
    /// Reads a body.
    pub fn parse(body: &[u8]) -> Result<Session, Malformed> {
        if body.len() > BODY_MOST {
            return Err(Malformed::TooLarge(body.len()));
        }
        let mut text = String::with_capacity(body.len());
        let mut lines = Vec::with_capacity(32);
        let mut media = Vec::new();
        for (index, raw) in body.split(|byte| *byte == b'\n').enumerate() {
            if raw.len() > LINE_MOST {
                return Err(Malformed::LineTooLong(index + 1));
            }
            let Some((kind, value)) = read_line(raw) else { continue };
            if lines.len() == LINES_MOST {
                return Err(Malformed::TooManyLines);
            }
            if kind == b'm' {
                if media.len() == MEDIA_MOST {
                    return Err(Malformed::TooManyMedia);
                }
                MediaLine::parse(value).ok_or(Malformed::BadMedia(index + 1))?;
                media.push(lines.len() as u16);
            }
            let start = text.len() as u16;
            text.push_str(value);
            lines.push(Line { kind, start, end: text.len() as u16 });
        }
        if !lines.iter().any(|line| matches!(line.kind, b'v' | b'o' | b'm')) {
            return Err(Malformed::NotSdp);
        }
        Ok(Session { text: text.into(), lines: lines.into(), media: media.into() })
    }

    /// What stands before the first m= line.
    pub fn head(&self) -> Section<'_> {
        let end = self.media.first().map_or(self.lines.len(), |start| usize::from(*start));
        Section { text: &self.text, lines: &self.lines[..end] }
    }

    /// How many m= lines it has.
    pub fn media_count(&self) -> usize {
        self.media.len()
    }

    /// The m= line at `index` and all that follows up to the next.
    pub fn media(&self, index: usize) -> Option<Section<'_>> {
        let start = usize::from(*self.media.get(index)?);
        let end = self.media.get(index + 1).map_or(self.lines.len(), |next| usize::from(*next));
        Some(Section { text: &self.text, lines: &self.lines[start..end] })
    }

    /// Every line, in order.
    pub fn lines(&self) -> impl Iterator<Item = (u8, &str)> {
        Section { text: &self.text, lines: &self.lines }.lines()
    }
}

/// As it goes over the wire: CRLF after each line.
impl std::fmt::Display for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (kind, value) in self.lines() {
            write!(f, "{}={value}\r\n", char::from(kind))?;
        }
        Ok(())
    }
}

impl<'a> Section<'a> {
    /// Its lines, in order.
    pub fn lines(self) -> impl Iterator<Item = (u8, &'a str)> {
        let text = self.text;
        self.lines.iter().map(move |line| (line.kind, &text[usize::from(line.start)..usize::from(line.end)]))
    }

    /// Its first line of a kind.
    pub fn first(self, kind: u8) -> Option<&'a str> {
        self.lines().find(|line| line.0 == kind).map(|line| line.1)
    }

    /// The values of its attributes of that name; empty for a bare `a=name`.
    pub fn attributes(self, name: &'static str) -> impl Iterator<Item = &'a str> {
        self.lines().filter(|line| line.0 == b'a').filter_map(move |(_, value)| {
            let (found, value) = attribute(value);
            found.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    /// The value of its first attribute of that name.
    pub fn attribute(self, name: &'static str) -> Option<&'a str> {
        self.attributes(name).next()
    }
}

/// `rtpmap:0 PCMU/8000` → (`rtpmap`, `0 PCMU/8000`).
pub(super) fn attribute(value: &str) -> (&str, &str) {
    let (name, value) = value.split_once(':').unwrap_or((value, ""));
    (name.trim(), value.trim())
}

fn read_line(raw: &[u8]) -> Option<(u8, &str)> {
    let raw = raw.trim_ascii();
    let (&kind, rest) = raw.split_first()?;
    let value = rest.strip_prefix(b"=")?.trim_ascii();
    let value = std::str::from_utf8(value).ok()?;
    let sound = kind.is_ascii_lowercase() && !value.chars().any(|c| c.is_control() && c != '\t');
    sound.then_some((kind, value))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sloppy_descriptions_are_read() {
        //  body                                                     media lines   written
        for (body, media, written) in [
            ("v=0\r\nm=audio 4000 RTP/AVP 0\r\n", 1, "v=0\r\nm=audio 4000 RTP/AVP 0\r\n"),
            ("v=0\no=x\nm=audio 4000 RTP/AVP 0\na=x:y", 1, "v=0\r\no=x\r\nm=audio 4000 RTP/AVP 0\r\na=x:y\r\n"),
            ("\r\n\r\nv=0\r\n\r\ns= \r\n", 0, "v=0\r\ns=\r\n"),
            ("v=0\r\njunk\r\na=caf\u{e9}\r\n", 0, "v=0\r\na=café\r\n"),
            ("v=0\r\na=bell\x07\r\na=nul\0\r\n", 0, "v=0\r\n"),
            (
                "m= audio 4000  RTP/AVP 0 \r\nm=video 0 RTP/AVP\r\n",
                2,
                "m=audio 4000  RTP/AVP 0\r\nm=video 0 RTP/AVP\r\n",
            ),
        ] {
            let session = Session::parse(body.as_bytes()).unwrap();
            assert_eq!((session.media_count(), session.to_string().as_str()), (media, written));
        }
        assert_eq!(Session::parse(b"v=0\r\na=\xff\xfe\r\n").unwrap().to_string(), "v=0\r\n");
    }

    #[test]
    fn what_is_no_description_is_refused_with_a_reason() {
        let many = "m=audio 1 RTP/AVP 0\r\n".repeat(17);
        let long = format!("v=0\r\na={}\r\n", "x".repeat(LINE_MOST));
        let lines = "a=x\r\n".repeat(LINES_MOST + 1);
        for (body, reason) in [
            ("", "not a session description"),
            ("hello\r\nworld", "not a session description"),
            ("v=0\r\nm=audio RTP/AVP 0", "SDP line 2 is no media line"),
            ("m=audio 99999 RTP/AVP 0", "SDP line 1 is no media line"),
            ("m=audio -1 RTP/AVP 0", "SDP line 1 is no media line"),
            (&many, "more than 16 media lines"),
            (&long, "SDP line 2 is longer than 4096 bytes"),
            (&lines, "more than 1024 lines of SDP"),
            (&"x".repeat(BODY_MOST + 1), "16385 bytes of SDP, at most 16384 are read"),
        ] {
            assert_eq!(Session::parse(body.as_bytes()).unwrap_err().to_string(), reason);
        }
    }

    #[test]
    fn sections_hold_what_is_theirs() {
        let body = b"v=0\r\nc=IN IP4 1.2.3.4\r\na=one\r\nm=audio 1 RTP/AVP 0\r\na=Two:2\r\nm=video 2 RTP/AVP 96\r\na=three\r\n";
        let session = Session::parse(body).unwrap();
        assert_eq!(session.head().first(b'c'), Some("IN IP4 1.2.3.4"));
        assert_eq!(session.head().attribute("one"), Some(""));
        assert_eq!(session.head().attribute("two"), None);
        assert_eq!(session.media(0).unwrap().attribute("two"), Some("2"));
        assert_eq!(session.media(1).unwrap().attribute("three"), Some(""));
        assert!(session.media(2).is_none());
    }

    proptest! {
        #[test]
        fn no_body_panics(body in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = Session::parse(&body);
        }

        #[test]
        fn what_is_written_reads_back_the_same(body in "([vosctam]=[ -~é]{0,40}\r?\n|m=audio [0-9]{1,4} RTP/AVP 0\r\n){0,20}") {
            if let Ok(session) = Session::parse(body.as_bytes()) {
                let again = Session::parse(session.to_string().as_bytes()).unwrap();
                prop_assert_eq!(again, session);
            }
        }
    }
}
