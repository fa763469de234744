//! RTCP compounds (RFC 3550 §6): are they sound, what do they report, and what must not pass on.

/// What one compound tells us.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// What its sender heard of the first source it reports on.
    pub heard: Option<Block>,
    /// It says goodbye for a source.
    pub bye: bool,
}

/// A reception report block (RFC 3550 §6.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// Lost since the last report, in 1/256.
    pub fraction_lost: u8,
    /// Lost since the beginning; negative when packets came twice.
    pub lost: i32,
    /// In ticks of the payload's clock.
    pub jitter: u32,
}

/// Why a datagram is no RTCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotRtcp {
    /// Shorter than a header, or than what a header promises.
    Short,
    /// A version that is not 2.
    Version,
    /// Not a packet type of RTCP.
    Type,
    /// Padding anywhere but at the very end.
    Padding,
}

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const DESCRIPTION: u8 = 202;
const GOODBYE: u8 = 203;

/// On a shared port: is it RTCP rather than RTP (RFC 5761 §4)?
pub fn is_rtcp(packet: &[u8]) -> bool {
    packet.get(1).is_some_and(|second| (192..=223).contains(second))
}

/// Checks a compound as RFC 3550 A.2 says and reads what it reports.
///
/// The compound need not begin with a report: reduced-size RTCP (RFC 5506) is let pass, because the two ends, not we,
/// agree on it.
pub fn read(packet: &[u8]) -> Result<Report, NotRtcp> {
    let mut report = Report::default();
    let mut rest = packet;
    if rest.len() < 8 {
        return Err(NotRtcp::Short);
    }
    while !rest.is_empty() {
        let (kind, count, part, after) = split(rest)?;
        if rest[0] & 0x20 != 0 && !after.is_empty() {
            return Err(NotRtcp::Padding);
        }
        let blocks_at = match kind {
            SENDER_REPORT => Some(28),
            RECEIVER_REPORT => Some(8),
            _ => None,
        };
        if let Some(at) = blocks_at
            && count > 0
            && report.heard.is_none()
        {
            report.heard = part.get(at..at + 24).map(block);
        }
        report.bye |= kind == GOODBYE;
        rest = after;
    }
    Ok(report)
}

/// Overwrites the texts of source descriptions (names, hosts, mail addresses, software) in place, so that they tell
/// nothing of one side to the other. A source keeps one text for its life, unlike that of others: the reader needs that.
///
/// The packet must have passed [`read`].
pub fn mask(packet: &mut [u8]) {
    let mut start = 0;
    while let Some(rest) = packet.get(start..) {
        let Ok((kind, count, part, _)) = split(rest) else { return };
        let end = start + part.len();
        if kind == DESCRIPTION {
            mask_chunks(&mut packet[start + 4..end], count);
        }
        start = end;
    }
}

fn mask_chunks(mut chunks: &mut [u8], count: u8) {
    for _ in 0..count {
        if chunks.len() < 4 {
            return;
        }
        let mut at = 4;
        loop {
            match chunks.get(at..at + 2) {
                Some(&[item, length]) if item != 0 => {
                    let end = at + 2 + usize::from(length);
                    let Some(text) = chunks.get_mut(at + 2..end) else { return };
                    scramble(text);
                    at = end;
                }
                // A null item ends the chunk; the next begins at a multiple of four.
                _ => break,
            }
        }
        let next = (at / 4 + 1) * 4;
        if next >= chunks.len() {
            return;
        }
        chunks = &mut chunks[next..];
    }
}

/// FNV-1a of the text, written over it as letters.
fn scramble(text: &mut [u8]) {
    let mut hash = text
        .iter()
        .fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    for byte in text {
        hash = hash.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        *byte = b'a' + ((hash >> 33) % 26) as u8;
    }
}

/// Type, count, the packet itself, and what follows it.
type Split<'a> = (u8, u8, &'a [u8], &'a [u8]);

/// Takes the first packet off a compound.
fn split(rest: &[u8]) -> Result<Split<'_>, NotRtcp> {
    let [first, kind, high, low, ..] = *rest else { return Err(NotRtcp::Short) };
    if first >> 6 != 2 {
        return Err(NotRtcp::Version);
    }
    if !(192..=223).contains(&kind) {
        return Err(NotRtcp::Type);
    }
    let length = (usize::from(u16::from_be_bytes([high, low])) + 1) * 4;
    let (part, after) = rest.split_at_checked(length).ok_or(NotRtcp::Short)?;
    Ok((kind, first & 0x1f, part, after))
}

fn block(bytes: &[u8]) -> Block {
    let word = |at: usize| u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    // 24 bits with sign.
    let lost = (word(4) << 8) as i32 >> 8;
    Block { fraction_lost: bytes[4], lost, jitter: word(12) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn report(kind: u8, blocks: u8) -> Vec<u8> {
        let sender = if kind == SENDER_REPORT { 20 } else { 0 };
        let length = 8 + sender + usize::from(blocks) * 24;
        let mut bytes = vec![0; length];
        bytes[0] = 0x80 | blocks;
        bytes[1] = kind;
        bytes[2..4].copy_from_slice(&((length / 4 - 1) as u16).to_be_bytes());
        if blocks > 0 {
            let at = 8 + sender;
            bytes[at + 4..at + 8].copy_from_slice(&[64, 0xff, 0xff, 0xfe]);
            bytes[at + 15] = 80;
        }
        bytes
    }

    fn description(text: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0x81, DESCRIPTION, 0, 0, 0, 0, 0, 7, 1, text.len() as u8];
        bytes.extend_from_slice(text);
        bytes.push(0);
        while bytes.len() % 4 != 0 {
            bytes.push(0);
        }
        let length = (bytes.len() / 4 - 1) as u16;
        bytes[2..4].copy_from_slice(&length.to_be_bytes());
        bytes
    }

    #[test]
    fn compounds_are_checked() {
        let heard = Some(Block { fraction_lost: 64, lost: -2, jitter: 80 });
        let join = |parts: &[Vec<u8>]| parts.concat();
        let mut padded_first = join(&[report(201, 0), report(201, 0)]);
        padded_first[0] |= 0x20;
        let mut long = report(201, 0);
        long[3] = 9;
        for (bytes, verdict) in [
            (report(200, 0), Ok(Report::default())),
            (report(200, 1), Ok(Report { heard, bye: false })),
            (join(&[report(201, 1), description(b"me@10.0.0.1")]), Ok(Report { heard, bye: false })),
            (join(&[report(201, 0), vec![0x81, GOODBYE, 0, 1, 0, 0, 0, 7]]), Ok(Report { heard: None, bye: true })),
            (vec![0x81, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2], Ok(Report::default())),
            (padded_first, Err(NotRtcp::Padding)),
            (long, Err(NotRtcp::Short)),
            (join(&[report(201, 0), vec![0; 4]]), Err(NotRtcp::Version)),
            (vec![0x80, 0, 0, 1, 0, 0, 0, 0], Err(NotRtcp::Type)),
            (vec![0x80, 201, 0, 0], Err(NotRtcp::Short)),
        ] {
            assert_eq!(read(&bytes), verdict, "{bytes:x?}");
        }
    }

    #[test]
    fn rtcp_is_told_from_rtp_by_its_second_byte() {
        for (second, rtcp) in
            [(0, false), (8, false), (0x80 | 8, false), (191, false), (200, true), (207, true), (224, false)]
        {
            assert_eq!(is_rtcp(&[0x80, second]), rtcp, "{second}");
        }
    }

    #[test]
    fn source_descriptions_name_nobody() {
        let text = b"alice@192.168.1.5";
        let mut bytes = [report(200, 1), description(text)].concat();
        let before = bytes.clone();
        mask(&mut bytes);
        assert_eq!(bytes.len(), before.len());
        assert_eq!(bytes[..52], before[..52], "reports stay as they are");
        assert!(!bytes.windows(5).any(|window| window == b"alice"));
        assert!(read(&bytes).is_ok());
        let mut again = before.clone();
        mask(&mut again);
        assert_eq!(again, bytes, "one source, one text");
        let mut other = [report(200, 1), description(b"alice@192.168.1.6")].concat();
        mask(&mut other);
        assert_ne!(other, bytes);
    }

    proptest! {
        #[test]
        fn no_datagram_panics(mut bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
            mask(&mut bytes);
        }

        #[test]
        fn no_description_panics(body in proptest::collection::vec(any::<u8>(), 0..60)) {
            let mut bytes = description(&body);
            bytes[0] = 0x9f;
            prop_assert!(read(&bytes).is_ok());
            mask(&mut bytes);
            prop_assert!(read(&bytes).is_ok());
        }
    }
}
