//! Digits pressed, read from telephone events (RFC 4733 §2.3).

use crate::rtp::Header;

/// A key that has just gone down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pressed {
    /// `0`–`9`, `*`, `#`, `A`–`D`.
    pub key: char,
}

/// Tells each press once, however many packets speak of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reader {
    /// The event being told: all its packets bear the timestamp of its beginning.
    telling: Option<(u32, u32)>,
}

impl Reader {
    /// A packet whose payload type carries telephone events. Yields the key at its first packet, even if that one says
    /// that it is over already because those before were lost.
    pub fn hear(&mut self, header: &Header, packet: &[u8]) -> Option<Pressed> {
        let [event, ..] = *packet.get(usize::from(header.payload_at)..).filter(|payload| payload.len() >= 4)? else {
            return None;
        };
        let telling = Some((header.ssrc, header.timestamp));
        if self.telling == telling {
            return None;
        }
        let key = *b"0123456789*#ABCD".get(usize::from(event))?;
        self.telling = telling;
        Some(Pressed { key: char::from(key) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_press_is_told_once() {
        let mut reader = Reader::default();
        let mut hear = |timestamp: u32, payload: &[u8]| {
            let header = Header { payload_type: 101, marker: false, sequence: 0, timestamp, ssrc: 1, payload_at: 12 };
            let packet = [&[0; 12], payload].concat();
            reader.hear(&header, &packet).map(|pressed| pressed.key)
        };
        //   timestamp  event, end+volume, duration  key
        for (timestamp, payload, key) in [
            (160, &[5, 10, 0, 160][..], Some('5')),
            (160, &[5, 10, 1, 64], None),
            (160, &[5, 0x8a, 1, 224], None),
            (960, &[5, 10, 0, 160], Some('5')),
            (1600, &[11, 0x8a, 3, 32], Some('#')),
            (2400, &[16, 10, 0, 160], None),
            (3200, &[1, 10], None),
            (4000, &[15, 10, 0, 160], Some('D')),
        ] {
            assert_eq!(hear(timestamp, payload), key, "{timestamp}");
        }
    }
}
