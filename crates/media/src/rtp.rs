//! The RTP header (RFC 3550 §5.1): enough of it to tell speech from noise.

/// What the header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Payload type, 0 to 127.
    pub payload_type: u8,
    /// First packet after a silence, or last of a frame.
    pub marker: bool,
    /// One more with each packet; wraps.
    pub sequence: u16,
    /// Ticks of the payload's clock; wraps.
    pub timestamp: u32,
    /// Who speaks.
    pub ssrc: u32,
    /// Where the payload starts.
    pub payload_at: u16,
}

/// Why a datagram is no RTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotRtp {
    /// Shorter than what its header promises.
    Short,
    /// The version is not 2.
    Version,
    /// More padding than there are bytes.
    Padding,
}

/// Reads the header and checks that everything it promises is there (RFC 3550 A.1).
pub fn read(packet: &[u8]) -> Result<Header, NotRtp> {
    let [first, second, s0, s1, t0, t1, t2, t3, c0, c1, c2, c3, ..] = *packet else { return Err(NotRtp::Short) };
    if first >> 6 != 2 {
        return Err(NotRtp::Version);
    }
    let mut at = 12 + usize::from(first & 0x0f) * 4;
    if first & 0x10 != 0 {
        let [_, _, high, low] = *packet.get(at..at + 4).ok_or(NotRtp::Short)? else { return Err(NotRtp::Short) };
        at += 4 + usize::from(u16::from_be_bytes([high, low])) * 4;
    }
    if at > packet.len() {
        return Err(NotRtp::Short);
    }
    if first & 0x20 != 0 {
        let padding = usize::from(packet[packet.len() - 1]);
        if padding == 0 || at + padding > packet.len() {
            return Err(NotRtp::Padding);
        }
    }
    Ok(Header {
        payload_type: second & 0x7f,
        marker: second & 0x80 != 0,
        sequence: u16::from_be_bytes([s0, s1]),
        timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
        ssrc: u32::from_be_bytes([c0, c1, c2, c3]),
        payload_at: u16::try_from(at).map_err(|_| NotRtp::Short)?,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn packet(first: u8, rest: &[u8]) -> Vec<u8> {
        let mut packet = vec![first, 0x80 | 8, 0x12, 0x34, 0, 0, 0, 160, 0xde, 0xad, 0xbe, 0xef];
        packet.extend_from_slice(rest);
        packet
    }

    #[test]
    fn headers_are_read_and_promises_checked() {
        for (bytes, payload_at) in [
            (packet(0x80, &[1, 2, 3]), Ok(12)),
            (packet(0x80, &[]), Ok(12)),
            (packet(0x82, &[0; 8]), Ok(20)),
            (packet(0x82, &[0; 7]), Err(NotRtp::Short)),
            (packet(0x90, &[0xbe, 0xde, 0, 1, 1, 2, 3, 4, 9]), Ok(20)),
            (packet(0x90, &[0xbe, 0xde, 0, 2, 1, 2, 3, 4, 9]), Err(NotRtp::Short)),
            (packet(0x90, &[0xbe, 0xde]), Err(NotRtp::Short)),
            (packet(0xa0, &[9, 9, 2]), Ok(12)),
            (packet(0xa0, &[9, 9, 4]), Err(NotRtp::Padding)),
            (packet(0xa0, &[9, 9, 0]), Err(NotRtp::Padding)),
            (packet(0x40, &[]), Err(NotRtp::Version)),
            (vec![0x80; 11], Err(NotRtp::Short)),
            (vec![], Err(NotRtp::Short)),
        ] {
            assert_eq!(read(&bytes).map(|header| header.payload_at), payload_at, "{bytes:x?}");
        }
        let header = read(&packet(0x80, &[])).unwrap();
        let seen = (header.payload_type, header.marker, header.sequence, header.timestamp, header.ssrc);
        assert_eq!(seen, (8, true, 0x1234, 160, 0xdead_beef));
    }

    proptest! {
        #[test]
        fn no_datagram_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(header) = read(&bytes) {
                prop_assert!(usize::from(header.payload_at) <= bytes.len());
            }
        }
    }
}
