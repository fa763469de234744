//! Black and white lists of numbers, in one trie for all of them.

mod entry;
mod reputation;
#[cfg(test)]
mod tests;

use tollgate_types::{AccountId, E164, Wall};

use crate::destination::PrefixMap;
pub use entry::{CERTAINTIES, Color, Entry, Numbers, Side};
pub use reputation::{Heard, Memory, Opinion, Reputation, Schooling};

/// All entries, ready to be asked.
#[derive(Clone, Debug, Default)]
pub struct Lists {
    entries: Vec<Entry>,
    by_prefix: PrefixMap<u32>,
}

/// How strictly lists are read, 0 to 6: nothing; black entries of certainty 3, 2, 1 or more; all of them; nobody but whom
/// white entries know; nobody but whom they surely know.
pub type Level = u8;

/// What the lists say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict<'a> {
    /// Nothing against the number; the white entry that lets it through, if one does.
    Passes(Option<&'a Entry>),
    /// A black entry.
    Black(&'a Entry),
    /// At the two strictest levels: no white entry knows it.
    Unknown,
}

impl Lists {
    /// Indexes entries.
    pub fn new(entries: Vec<Entry>) -> Lists {
        let rows = entries.iter().enumerate();
        let rows = rows.flat_map(|(at, entry)| entry.numbers.prefixes().into_iter().map(move |p| (p, at as u32)));
        Lists { by_prefix: PrefixMap::new(rows.collect()), entries }
    }

    /// All entries.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entries that are about `number`, whoever calls and whichever side it is on; the weightiest last.
    pub fn about(&self, number: &E164, now: Wall) -> Vec<&Entry> {
        let mut found = Vec::new();
        self.walk(number, now, |entry| found.push(entry));
        found.sort_by_key(|entry| entry.numbers.weight());
        found
    }

    /// May `number` take part on `side` in a call that `chain` pays?
    pub fn judge(&self, side: Side, number: &E164, chain: &[AccountId], level: Level, now: Wall) -> Verdict<'_> {
        if level == 0 {
            return Verdict::Passes(None);
        }
        let (mut black, mut white): (Option<&Entry>, Option<&Entry>) = (None, None);
        self.walk(number, now, |entry| {
            let concerns = entry.side == side && entry.account.is_none_or(|account| chain.contains(&account));
            let place = match entry.color {
                Color::Black if concerns && counts(level, entry.certainty) => &mut black,
                Color::White if concerns => &mut white,
                _ => return,
            };
            if place.is_none_or(|known| rank(entry) > rank(known)) {
                *place = Some(entry);
            }
        });
        match (black, white) {
            (Some(black), white) if white.is_none_or(|white| white.numbers.weight() < black.numbers.weight()) => {
                Verdict::Black(black)
            }
            (_, Some(white)) if level < 6 || white.certainty == SURE => Verdict::Passes(Some(white)),
            _ if level >= 5 => Verdict::Unknown,
            (_, white) => Verdict::Passes(white),
        }
    }

    fn walk<'a>(&'a self, number: &E164, now: Wall, mut visit: impl FnMut(&'a Entry)) {
        let digits = number.digits().len() as u8;
        self.by_prefix.walk(number, |_, at| {
            let entry = &self.entries[*at as usize];
            let fits = entry.numbers.length().is_none_or(|length| length == digits);
            if fits && entry.until.is_none_or(|until| until > now) {
                visit(entry);
            }
        });
    }
}

/// The highest certainty: no doubt is left.
const SURE: u8 = 6;

/// Does a black entry of that certainty count at that level?
pub fn counts(level: Level, certainty: u8) -> bool {
    match level {
        0 => false,
        1 => certainty >= 3,
        2 => certainty >= 2,
        3 => certainty >= 1,
        _ => true,
    }
}

fn rank(entry: &Entry) -> (u8, u8) {
    (entry.numbers.weight(), entry.certainty)
}
