//! The payload types a line lists: their clock rates, and which of them are telephone events.

use std::fmt;

/// What one side's SDP says of its payload types on one line.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Payloads {
    listed: u128,
    events: u128,
    /// Index into [`CLOCKS`] by payload type.
    clocks: [u8; 128],
}

/// Clock rates that occur; what is not here is taken for the first.
const CLOCKS: [u32; 10] = [8000, 16000, 32000, 44100, 48000, 90000, 11025, 22050, 24000, 12000];

impl Payloads {
    /// Takes up a payload type that the m= line lists.
    pub fn list(&mut self, payload_type: u8) {
        if payload_type < 128 {
            self.listed |= 1 << payload_type;
        }
    }

    /// Takes up an `a=rtpmap` value: `96 opus/48000/2` (RFC 8866 §6.6). What is malformed changes nothing.
    pub fn map(&mut self, rtpmap: &str) {
        let Some((number, encoding)) = rtpmap.trim().split_once(' ') else { return };
        let Ok(number) = number.parse::<u8>() else { return };
        let mut parts = encoding.trim().split('/');
        let (name, clock) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
        let Ok(clock) = clock.trim().parse::<u32>() else { return };
        if number > 127 {
            return;
        }
        self.clocks[usize::from(number)] = CLOCKS.iter().position(|known| *known == clock).unwrap_or(0) as u8;
        if name.eq_ignore_ascii_case("telephone-event") {
            self.events |= 1 << number;
        }
    }

    /// Is it listed?
    pub fn has(&self, payload_type: u8) -> bool {
        payload_type < 128 && self.listed >> payload_type & 1 == 1
    }

    /// Is nothing listed?
    pub fn is_empty(&self) -> bool {
        self.listed == 0
    }

    /// Does it carry telephone events (RFC 4733)?
    pub fn is_event(&self, payload_type: u8) -> bool {
        payload_type < 128 && (self.events & self.listed) >> payload_type & 1 == 1
    }

    /// The lowest payload type that carries telephone events.
    pub fn event(&self) -> Option<u8> {
        let both = self.events & self.listed;
        (both != 0).then(|| both.trailing_zeros() as u8)
    }

    /// Ticks of its RTP timestamp a second.
    pub fn clock(&self, payload_type: u8) -> u32 {
        CLOCKS[usize::from(self.clocks[usize::from(payload_type & 127)])]
    }
}

/// The static assignments of RFC 3551 §6.
impl Default for Payloads {
    fn default() -> Payloads {
        let mut clocks = [0; 128];
        for (payload_type, clock) in [(6, 1), (10, 3), (11, 3), (14, 5), (16, 6), (17, 7)] {
            clocks[payload_type] = clock;
        }
        for clock in &mut clocks[25..=34] {
            *clock = 5;
        }
        Payloads { listed: 0, events: 0, clocks }
    }
}

impl fmt::Debug for Payloads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let listed = (0..128u8).filter(|number| self.has(*number));
        f.debug_map().entries(listed.map(|number| (number, self.clock(number)))).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_are_read_and_static_types_known() {
        let mut payloads = Payloads::default();
        for number in [0, 8, 96, 101, 102] {
            payloads.list(number);
        }
        for map in ["96 opus/48000/2", "101 telephone-event/8000", "102 Telephone-Event/48000", "200 x/8000", "7", ""] {
            payloads.map(map);
        }
        //   type clock  listed event
        for (number, clock, listed, event) in [
            (0, 8000, true, false),
            (96, 48000, true, false),
            (101, 8000, true, true),
            (102, 48000, true, true),
            (34, 90000, false, false),
            (10, 44100, false, false),
        ] {
            assert_eq!(
                (payloads.clock(number), payloads.has(number), payloads.is_event(number)),
                (clock, listed, event)
            );
        }
        assert_eq!(payloads.event(), Some(101));
    }
}
