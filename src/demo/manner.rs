//! How somebody takes a call: the demo's carriers by the number, its people always the same way.

use std::time::Duration;

use super::line::Sound;

/// What becomes of a call that comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Rings, is taken, and after a while hung up.
    Answer {
        /// How long it rings.
        ring: Span,
        /// How long the talk goes on, unless the caller ends it.
        talk: Span,
        /// What is heard.
        sound: Sound,
    },
    /// Is refused with a SIP status.
    Refuse(u16),
    /// Is not even noticed.
    Ignore,
}

/// From so many to so many milliseconds: which one is a matter of luck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(pub u64, pub u64);

impl Span {
    /// One of them; `luck` answers with a number below the one it is given.
    pub fn draw(self, luck: impl FnOnce(u64) -> u64) -> Duration {
        Duration::from_millis(self.0 + luck(self.1.saturating_sub(self.0) + 1))
    }
}

/// Seconds as milliseconds.
pub const fn seconds(from: u64, to: u64) -> Span {
    Span(from * 1000, to * 1000)
}

/// How long most people let it ring.
const RING: Span = seconds(1, 2);

/// Numbers that show something, by prefix: `1 555` and the SIP status it is about, for nobody has a number there.
pub const SHOWS: &[(&str, Manner, &str)] = &[
    (
        "1555200",
        Manner::Answer { ring: Span(300, 600), talk: seconds(600, 600), sound: Sound::Echo },
        "echoes what you say",
    ),
    ("1555486", Manner::Refuse(486), "is busy"),
    ("1555404", Manner::Refuse(404), "does not exist"),
    ("1555403", Manner::Refuse(403), "is barred"),
    ("1555408", Manner::Ignore, "leaves both carriers silent"),
];

/// Where the first carrier has no way, and the second one answers.
pub const FAILS_OVER: &str = "1555503";

/// How a carrier takes a call to `number`, written with or without a plus. Only the first one ever fails.
pub fn of_carrier(number: &str, is_first: bool) -> Manner {
    let digits = number.strip_prefix('+').unwrap_or(number);
    if is_first && digits.starts_with(FAILS_OVER) {
        return Manner::Refuse(503);
    }
    match SHOWS.iter().find(|(prefix, ..)| digits.starts_with(prefix)) {
        Some((_, manner, _)) => *manner,
        None => Manner::Answer { ring: RING, talk: seconds(15, 60), sound: Sound::Tone(pitch(digits)) },
    }
}

/// How the demo's people take a call.
pub fn of_person(name: &str) -> Manner {
    Manner::Answer { ring: seconds(1, 3), talk: seconds(20, 60), sound: Sound::Tone(pitch(name)) }
}

/// Everybody sounds different: 300 to 699 hertz.
pub fn pitch(name: &str) -> u16 {
    300 + name.bytes().fold(7u16, |sum, byte| sum.wrapping_mul(31).wrapping_add(u16::from(byte))) % 400
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_says_what_becomes_of_the_call() {
        //   number           first carrier                second carrier
        for (number, first, second) in [
            ("+15554861234", Manner::Refuse(486), Manner::Refuse(486)),
            ("15554040000", Manner::Refuse(404), Manner::Refuse(404)),
            ("15554030000", Manner::Refuse(403), Manner::Refuse(403)),
            ("15554080000", Manner::Ignore, Manner::Ignore),
        ] {
            assert_eq!((of_carrier(number, true), of_carrier(number, false)), (first, second), "{number}");
        }
        assert_eq!(of_carrier("15555030000", true), Manner::Refuse(503));
        assert!(matches!(of_carrier("15555030000", false), Manner::Answer { sound: Sound::Tone(_), .. }));
        assert!(matches!(of_carrier("+15552000000", true), Manner::Answer { sound: Sound::Echo, .. }));
        assert!(matches!(of_carrier("442079460000", true), Manner::Answer { sound: Sound::Tone(_), .. }));
        assert!(matches!(of_carrier("", true), Manner::Answer { .. }));
    }

    #[test]
    fn luck_stays_within_the_span() {
        assert_eq!(seconds(1, 2).draw(|below| below - 1), Duration::from_secs(2));
        assert_eq!(seconds(1, 2).draw(|_| 0), Duration::from_secs(1));
        assert_eq!(Span(5, 5).draw(|_| 0), Duration::from_millis(5));
    }
}
