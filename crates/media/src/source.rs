//! One talker's packets: are they a stream (RFC 3550 A.1), and how many of them came (A.3).
//!
//! The first talker is taken at its word, because the latch has already judged where it sends from. Another talker must
//! show a few packets in a row while the first is silent, so that forged packets do not break into a talk.

use std::time::Duration;

use tollgate_types::Mono;

use crate::rtp::Header;

/// What is known of the talker.
#[derive(Clone, Copy, Debug, Default)]
pub struct Source {
    talker: Option<Talker>,
    /// Someone else, and how many packets in a row it has sent.
    rival: Option<(u32, u16, u8)>,
    /// Packets that earlier talkers sent, and how many of them came.
    past: Count,
}

/// Packets sent and packets that came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// By the sequence numbers.
    pub expected: u64,
    /// By counting.
    pub received: u64,
}

/// Why a packet is no part of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stray {
    /// Another talker breaks in.
    Talker,
    /// A sequence number far off.
    Sequence,
}

/// What a good packet is to the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The first of its talker, or after a restart.
    First,
    /// Ahead of all that came before.
    Next,
    /// Late, or a duplicate.
    Late,
}

#[derive(Clone, Copy, Debug)]
struct Talker {
    ssrc: u32,
    highest: u16,
    cycles: u32,
    base: u16,
    /// The sequence number that would confirm a restart.
    restart: Option<u16>,
    received: u64,
    heard: Mono,
}

const MOST_DROPOUT: u16 = 3000;
const MOST_MISORDER: u16 = 100;
/// Packets in a row that make a rival the talker.
const RIVAL_RUN: u8 = 3;
/// After this much silence of the talker a rival needs no run.
const SILENCE: Duration = Duration::from_millis(100);

impl Source {
    /// A packet came.
    pub fn hear(&mut self, header: &Header, now: Mono) -> Result<Place, Stray> {
        match &mut self.talker {
            // Two in a row far off: it starts anew, and what it sent before keeps its count.
            Some(talker) if talker.ssrc == header.ssrc && talker.restart != Some(header.sequence) => {
                let place = talker.hear(header.sequence, now);
                if place.is_ok() {
                    self.rival = None;
                }
                place
            }
            Some(talker)
                if talker.ssrc != header.ssrc
                    && now.since(talker.heard) < SILENCE
                    && !runs(&mut self.rival, header) =>
            {
                Err(Stray::Talker)
            }
            _ => {
                self.past = self.count();
                self.talker = Some(Talker::new(header, now));
                self.rival = None;
                Ok(Place::First)
            }
        }
    }

    /// Packets of all talkers so far.
    pub fn count(&self) -> Count {
        let Some(talker) = &self.talker else { return self.past };
        let extended = u64::from(talker.cycles) + u64::from(talker.highest);
        Count {
            expected: self.past.expected + (extended + 1).saturating_sub(u64::from(talker.base)),
            received: self.past.received + talker.received,
        }
    }
}

/// Does the rival go on?
fn runs(rival: &mut Option<(u32, u16, u8)>, header: &Header) -> bool {
    let run = match *rival {
        Some((ssrc, last, run)) if ssrc == header.ssrc && header.sequence == last.wrapping_add(1) => run + 1,
        _ => 1,
    };
    *rival = Some((header.ssrc, header.sequence, run));
    run >= RIVAL_RUN
}

impl Talker {
    fn new(header: &Header, now: Mono) -> Talker {
        let sequence = header.sequence;
        Talker {
            ssrc: header.ssrc,
            highest: sequence,
            cycles: 0,
            base: sequence,
            restart: None,
            received: 1,
            heard: now,
        }
    }

    fn hear(&mut self, sequence: u16, now: Mono) -> Result<Place, Stray> {
        let ahead = sequence.wrapping_sub(self.highest);
        let place = if ahead != 0 && ahead < MOST_DROPOUT {
            if sequence < self.highest {
                self.cycles = self.cycles.wrapping_add(1 << 16);
            }
            self.highest = sequence;
            Place::Next
        } else if ahead == 0 || ahead > u16::MAX - MOST_MISORDER {
            Place::Late
        } else {
            self.restart = Some(sequence.wrapping_add(1));
            return Err(Stray::Sequence);
        };
        self.restart = None;
        self.received += 1;
        self.heard = now;
        Ok(place)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn header(ssrc: u32, sequence: u16) -> Header {
        Header { payload_type: 0, marker: false, sequence, timestamp: 0, ssrc, payload_at: 12 }
    }

    /// Plays (ssrc, sequence, milliseconds); a letter each: f(irst), n(ext), l(ate), t(alker), s(equence).
    fn play(packets: &[(u32, u16, u64)]) -> (String, Count) {
        let mut source = Source::default();
        let letters = packets.iter().map(|(ssrc, sequence, ms)| {
            match source.hear(&header(*ssrc, *sequence), Mono::from_millis(*ms)) {
                Ok(Place::First) => 'f',
                Ok(Place::Next) => 'n',
                Ok(Place::Late) => 'l',
                Err(Stray::Talker) => 't',
                Err(Stray::Sequence) => 's',
            }
        });
        (letters.collect(), source.count())
    }

    #[test]
    fn streams_are_followed_and_strays_left_out() {
        type Row<'a> = (&'a [(u32, u16, u64)], &'a str, u64, u64);
        #[rustfmt::skip]
        let table: &[Row<'_>] = &[
            // (talker, sequence, ms)                                     verdicts  expected received
            (&[(1, 10, 0), (1, 11, 20), (1, 12, 40)],                     "fnn",    3, 3),
            (&[(1, 10, 0), (1, 13, 20), (1, 11, 40), (1, 13, 60)],        "fnll",   4, 4),
            (&[(1, 65534, 0), (1, 65535, 20), (1, 1, 60)],                "fnn",    4, 3),
            // A jump must be followed by the next number.
            (&[(1, 10, 0), (1, 9000, 20), (1, 11, 40)],                   "fsn",    2, 2),
            (&[(1, 10, 0), (1, 9000, 20), (1, 9001, 40), (1, 9002, 60)],  "fsfn",   3, 3),
            // One that breaks in is left out; one that goes on alone is the new talker.
            (&[(1, 10, 0), (2, 70, 5), (1, 11, 20), (2, 71, 25), (1, 12, 40)], "ftntn", 3, 3),
            (&[(1, 10, 0), (2, 70, 5), (2, 71, 25), (2, 72, 45)],         "fttf",   2, 2),
            (&[(1, 10, 0), (2, 70, 100), (2, 71, 120)],                   "ffn",    3, 3),
            (&[(1, 10, 0), (2, 70, 5), (3, 70, 6), (4, 70, 7), (5, 70, 8)], "ftttt", 1, 1),
        ];
        for (packets, verdicts, expected, received) in table {
            let (got, count) = play(packets);
            assert_eq!(
                (got.as_str(), count),
                (*verdicts, Count { expected: *expected, received: *received }),
                "{packets:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_sequence_panics(packets in proptest::collection::vec((0u32..3, any::<u16>(), 0u64..9000), 0..200)) {
            play(&packets);
        }
    }
}
