//! Three thefts: what thieves want to call, from addresses of their own.

use std::fmt;
use std::net::IpAddr;

use tollgate_types::Wall;

use crate::dice::Dice;
use crate::people::{LONDON, SERBIA, Wish};
use crate::town::{BEGIN, DAY, Kind, Town};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Theft {
    /// A shop's password, used in one night for satellite, premium and island numbers, as many at once as go.
    Burst,
    /// A pensioner's, used every evening for a country he calls himself: slowly, below what anybody notices.
    Drain,
    /// A wholesaler's trunk: one-ring calls first, then expensive ones from several addresses, three nights long.
    Wholesale,
}

/// The hour of one-ring calls.
pub const BAIT: &str = "442079460000";

impl Theft {
    pub const ALL: [Theft; 3] = [Theft::Burst, Theft::Drain, Theft::Wholesale];

    pub fn victim(self) -> Kind {
        match self {
            Theft::Burst => Kind::Shop,
            Theft::Drain => Kind::Pensioner,
            Theft::Wholesale => Kind::Exchange,
        }
    }

    /// The first day.
    pub fn begins(self) -> i64 {
        match self {
            Theft::Burst => 19,
            Theft::Drain => 8,
            Theft::Wholesale => 22,
        }
    }

    /// The `n`-th address the thief calls from.
    pub fn address(self, n: i64) -> IpAddr {
        [203, 0, 113, (self as i64 * 50 + n) as u8].into()
    }

    pub fn owns(self, address: IpAddr) -> bool {
        (0..50).any(|n| self.address(n) == address)
    }
}

impl fmt::Display for Theft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Theft::Burst => "IRSF burst at night",
            Theft::Drain => "slow drain",
            Theft::Wholesale => "stolen wholesale account",
        })
    }
}

/// All that the thief tries.
pub fn wishes(theft: Theft, town: &Town, dice: &mut Dice) -> Vec<Wish> {
    let who = town.the(theft.victim());
    let mut wishes = Vec::new();
    let mut want = |day: i64, second: i64, from: i64, shown: &str, callee: Box<str>, rings: u64, talks: Option<u64>| {
        let at = Wall::from_secs(BEGIN.secs() + day * DAY + second);
        wishes.push(Wish { at, who, from: theft.address(from), shown: shown.into(), callee, rings, talks });
    };
    match theft {
        Theft::Burst => {
            let (day, night) = (theft.begins(), 2 * 3600);
            for n in 0..6 {
                want(day, night + n * 20, 0, "", dice.number("88216", 8), 3, Some(600));
            }
            // Three at once, for four minutes, again and again until the morning.
            for turn in 0..40 {
                for _ in 0..3 {
                    want(day, night + 300 + turn * 300, 0, "", dice.number("1876555", 4), 3, Some(240));
                }
            }
        }
        Theft::Drain => {
            for day in theft.begins()..theft.begins() + 18 {
                for n in 0..11 {
                    want(day, 19 * 3600 + n * 330, 0, "", dice.number(SERBIA, 7), 4, Some(300));
                }
            }
        }
        Theft::Wholesale => {
            for n in 0..300 {
                want(theft.begins() - 1, 3 * 3600 + n * 5, 0, BAIT, dice.number(LONDON, 7), 2, None);
            }
            for night in 0..3 {
                for n in 0..4 * 180 {
                    let (callee, shown) = (dice.number("252", 9), dice.number(LONDON, 7));
                    want(theft.begins() + night, 3600 + n * 20, 1 + n / 180, &shown, callee, 3, Some(600));
                }
            }
        }
    }
    wishes
}
