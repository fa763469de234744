//! One entry of a black or white list.

use std::fmt;

use tollgate_types::{AccountId, E164, Prefix, Wall};

/// A number, or many, that somebody thinks well or ill of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its row.
    pub id: i64,
    /// Well or ill.
    pub color: Color,
    /// Which numbers.
    pub numbers: Numbers,
    /// As callers or as callees.
    pub side: Side,
    /// How sure that is: 0, 1, 2, 3 or 6.
    pub certainty: u8,
    /// Whose calls it is about: an account's or a reseller's tree; `None` is everybody's.
    pub account: Option<AccountId>,
    /// When it is over.
    pub until: Option<Wall>,
    /// Where it comes from, for people.
    pub source: Box<str>,
}

/// Well or ill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Color {
    /// Not to be called, or not to call.
    Black,
    /// Known to be good.
    White,
}

/// Which end of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Who calls.
    Caller,
    /// Who is called.
    Callee,
}

/// Which numbers an entry is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numbers {
    /// One.
    One(E164),
    /// All that begin so.
    Prefix(Prefix),
    /// From one to another, of the same length.
    Range(E164, E164),
}

/// The certainties that an entry may have.
pub const CERTAINTIES: [u8; 5] = [0, 1, 2, 3, 6];

impl Numbers {
    /// Reads `NUMBER`, `PREFIX*` or `FROM-TO`.
    pub fn parse(text: &str) -> Option<Numbers> {
        let text = text.trim();
        if let Some(prefix) = text.strip_suffix('*') {
            return prefix.parse().ok().filter(|prefix: &Prefix| !prefix.digits().is_empty()).map(Numbers::Prefix);
        }
        match text.split_once('-') {
            None => text.parse().ok().map(Numbers::One),
            Some((from, to)) => {
                let (from, to): (E164, E164) = (from.trim().parse().ok()?, to.trim().parse().ok()?);
                (from.digits().len() == to.digits().len() && from < to).then_some(Numbers::Range(from, to))
            }
        }
    }

    /// The prefixes that make it up. A range becomes the few prefixes that together are it.
    pub(super) fn prefixes(&self) -> Vec<Prefix> {
        match self {
            Numbers::One(number) => number.digits().parse().into_iter().collect(),
            Numbers::Prefix(prefix) => vec![*prefix],
            Numbers::Range(from, to) => {
                let mut found = Vec::new();
                split("", from.digits(), to.digits(), &mut found);
                found
            }
        }
    }

    /// How many digits a number must have; `None` is any.
    pub(super) fn length(&self) -> Option<u8> {
        match self {
            Numbers::Prefix(_) => None,
            Numbers::One(number) | Numbers::Range(number, _) => Some(number.digits().len() as u8),
        }
    }

    /// What it has above others: one number before a range, that before a prefix, the longer prefix before the shorter.
    pub(super) fn weight(&self) -> u8 {
        match self {
            Numbers::One(_) => 31,
            Numbers::Range(..) => 30,
            Numbers::Prefix(prefix) => prefix.digits().len() as u8,
        }
    }
}

/// The prefixes of all numbers `head` + digits that lie from `from` to `to`, both of one length.
fn split(head: &str, from: &str, to: &str, found: &mut Vec<Prefix>) {
    let (nines, zeros) = (to.bytes().all(|digit| digit == b'9'), from.bytes().all(|digit| digit == b'0'));
    if nines && zeros {
        found.extend(head.parse::<Prefix>());
        return;
    }
    let (first, last) = (from.as_bytes()[0], to.as_bytes()[0]);
    let rest = from.len() - 1;
    for digit in first..=last {
        let from = if digit == first { from[1..].to_owned() } else { "0".repeat(rest) };
        let to = if digit == last { to[1..].to_owned() } else { "9".repeat(rest) };
        split(&format!("{head}{}", char::from(digit)), &from, &to, found);
    }
}

impl fmt::Display for Numbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Numbers::One(number) => write!(f, "{number}"),
            Numbers::Prefix(prefix) => write!(f, "{prefix}*"),
            Numbers::Range(from, to) => write!(f, "{from}-{to}"),
        }
    }
}

macro_rules! words {
    ($($name:ident { $($variant:ident = $word:literal),* })*) => {$(
        impl $name {
            /// As the command line and the database name it.
            pub fn name(self) -> &'static str {
                match self { $($name::$variant => $word,)* }
            }
        }

        impl std::str::FromStr for $name {
            type Err = crate::destination::UnknownWord;
            fn from_str(text: &str) -> Result<$name, Self::Err> {
                match text { $($word => Ok($name::$variant),)* _ => Err(crate::destination::UnknownWord(text.to_owned(), stringify!($($word),*))) }
            }
        }
    )*};
}

words! {
    Color { Black = "black", White = "white" }
    Side { Caller = "caller", Callee = "callee" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_they_are_shown() {
        for (text, prefixes) in [
            ("36301234567", "36301234567"),
            ("3690*", "3690"),
            ("36301000-36301999", "36301"),
            ("361-364", "361 362 363 364"),
            ("36188-36203", "36188 36189 3619 36200 36201 36202 36203"),
        ] {
            let numbers = Numbers::parse(text).unwrap();
            assert_eq!(numbers.to_string(), text);
            let got: Vec<String> = numbers.prefixes().iter().map(ToString::to_string).collect();
            assert_eq!(got.join(" "), prefixes);
        }
        for bad in ["", "*", "x", "2-1", "1-22", "5-5", "-", "36*1"] {
            assert!(Numbers::parse(bad).is_none(), "{bad}");
        }
    }
}
