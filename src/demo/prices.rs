//! The demo's decks: every country with a price for its landlines and a dearer one for its mobiles, made up by rule and the
//! same in every demo. They are written as the CSV text that an operator would import.

use std::fmt::Write as _;

use super::countries::{COUNTRIES, Zone};

/// Which of the three decks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deck {
    /// What customers pay.
    Sell,
    /// What the first carrier charges.
    Buy,
    /// What the second one charges: a tenth more.
    BuySecond,
}

/// Mobile numbers begin with these after the country's code; in this demo, everywhere.
const MOBILES: [&str; 2] = ["7", "9"];

/// Prefixes beside the countries: name, what the first carrier charges in 1/10000 a minute, increments, blocked.
const OTHERS: &[(&str, &str, u32, &str, bool)] = &[
    ("1555", "Demonstration", 80, "1/1", false),
    ("870", "Maritime satellite", 41_000, "60/1", false),
    ("881", "Satellite phone", 16_000, "1/1", false),
    ("979", "International premium rate", 9_000, "60/60", true),
];

impl Deck {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Deck::Sell => "sell",
            Deck::Buy => "buy",
            Deck::BuySecond => "buy-second",
        }
    }

    /// Which side it is for, as `deck import --kind` says it.
    pub fn kind(self) -> &'static str {
        match self {
            Deck::Sell => "sell",
            Deck::Buy | Deck::BuySecond => "buy",
        }
    }

    /// Its price where the first carrier charges `cost`, both in 1/10000 a minute. The sell price lies above either cost.
    fn price(self, cost: u32) -> u32 {
        match self {
            Deck::Sell => cost + cost / 2 + 40,
            Deck::Buy => cost,
            Deck::BuySecond => cost + cost / 10 + 1,
        }
    }

    /// The file.
    pub fn csv(self) -> String {
        let mut text = String::from(
            "prefix,destination,price_per_minute,setup_fee,first_increment,next_increment,grace,blocked\n",
        );
        for (code, name, zone) in COUNTRIES {
            let luck = luck(code);
            let (fixed, increments) = terms(*zone, luck);
            self.push(&mut text, code, name, fixed, increments, false);
            // In North America mobiles have no prefix of their own, and Kazakhstan's is a country's here.
            let mobiles = MOBILES.iter().filter(|digit| *code != "1" && !(*code == "7" && **digit == "7"));
            for digit in mobiles {
                let dearer = fixed + fixed / 2 + 50 + luck % 37;
                self.push(&mut text, &format!("{code}{digit}"), &format!("{name} mobile"), dearer, increments, false);
            }
        }
        for (prefix, name, cost, increments, blocked) in OTHERS {
            self.push(&mut text, prefix, name, *cost, increments, *blocked);
        }
        text
    }

    fn push(self, text: &mut String, prefix: &str, name: &str, cost: u32, increments: &str, blocked: bool) {
        let price = self.price(cost);
        let (first, next) = increments.split_once('/').unwrap_or((increments, increments));
        // Customers pay a little for being put through where it is dear anyway.
        let fee = if self == Deck::Sell && (2_000..10_000).contains(&cost) { "0.01" } else { "0" };
        let (whole, part, blocked) = (price / 10_000, price % 10_000, u8::from(blocked));
        let _ = writeln!(text, "{prefix},{name},{whole}.{part:04},{fee},{first},{next},0,{blocked}");
    }
}

/// What a landline costs the first carrier's customers, and how it counts.
fn terms(zone: Zone, luck: u32) -> (u32, &'static str) {
    match zone {
        Zone::Near => (55 + luck % 90, "1/1"),
        Zone::Middle => (210 + luck % 300, "6/6"),
        Zone::Far => (900 + luck % 900, "60/6"),
        Zone::Remote => (2_800 + luck % 2_400, "60/60"),
    }
}

/// A number that is always the same for the same digits.
fn luck(digits: &str) -> u32 {
    digits.bytes().fold(2_166_136_261_u32, |sum, byte| (sum ^ u32::from(byte)).wrapping_mul(16_777_619)) >> 8
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_few_hundred_prefixes_each_once_and_never_below_cost() {
        let rows = |deck: Deck| {
            let text = deck.csv();
            let rows: Vec<(String, u32)> = text
                .lines()
                .skip(1)
                .map(|line| {
                    let fields: Vec<&str> = line.split(',').collect();
                    assert_eq!(fields.len(), 8, "{line}");
                    assert!(fields[0].bytes().all(|byte| byte.is_ascii_digit()));
                    (fields[0].to_owned(), fields[2].replace('.', "").parse().unwrap())
                })
                .collect();
            rows
        };
        let (sell, buy, second) = (rows(Deck::Sell), rows(Deck::Buy), rows(Deck::BuySecond));
        assert!((300..1000).contains(&sell.len()), "{}", sell.len());
        let prefixes: BTreeSet<&str> = sell.iter().map(|(prefix, _)| prefix.as_str()).collect();
        assert_eq!(prefixes.len(), sell.len(), "a prefix stands twice");
        for ((sell, buy), second) in sell.iter().zip(&buy).zip(&second) {
            assert!(sell.0 == buy.0 && sell.1 > second.1 && second.1 > buy.1, "{sell:?} {buy:?} {second:?}");
        }
        assert_eq!(Deck::Sell.csv(), Deck::Sell.csv());
    }
}
