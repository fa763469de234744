//! Numbers that reach our users.

use std::sync::Arc;

use tollgate_types::{DeckId, DidId, E164, UserId};

/// A number, or a range of numbers of one length, that reaches a user or his PBX.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Did {
    /// Its row.
    pub id: DidId,
    /// Which numbers.
    pub numbers: DidNumbers,
    /// Whom they reach.
    pub user: UserId,
    /// What the callee pays for being reached; `None` is free.
    pub inbound_deck: Option<DeckId>,
    /// What his device finds in the Request-URI.
    pub uri: DidUri,
    /// A disabled one reaches nobody.
    pub enabled: bool,
}

/// The numbers of a [`Did`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DidNumbers {
    /// One.
    One(E164),
    /// From the first to the last, both included; both have the same length.
    Range(E164, E164),
}

/// What the callee's device finds in the Request-URI of a call to one of his numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DidUri {
    /// The contact it registered, as phones expect.
    #[default]
    User,
    /// The number dialled, as a PBX with many numbers expects.
    Number,
}

impl DidNumbers {
    /// A range, if it is one: equal length, first not above last.
    pub fn range(first: E164, last: E164) -> Option<DidNumbers> {
        (first.digits().len() == last.digits().len() && first.digits() <= last.digits())
            .then_some(DidNumbers::Range(first, last))
    }

    /// First and last.
    pub fn ends(&self) -> (E164, E164) {
        match self {
            DidNumbers::One(number) => (*number, *number),
            DidNumbers::Range(first, last) => (*first, *last),
        }
    }
}

/// Ranges in order, so that a number finds its own among thousands.
#[derive(Clone, Debug, Default)]
pub struct Ranges {
    /// By length, then first number.
    sorted: Vec<Ranged>,
}

#[derive(Clone, Debug)]
struct Ranged {
    digits: usize,
    first: u64,
    last: u64,
    /// The highest last number among this and all earlier ones of its length: nothing before reaches beyond it.
    reach: u64,
    did: Arc<Did>,
}

impl Ranges {
    /// Orders those of `dids` that are ranges and enabled.
    pub fn new<'a>(dids: impl IntoIterator<Item = &'a Arc<Did>>) -> Ranges {
        let ranged = |did: &Arc<Did>| match did.numbers {
            DidNumbers::Range(first, last) if did.enabled => {
                let (first, digits, last) = (value(&first), first.digits().len(), value(&last));
                Some(Ranged { digits, first, last, reach: last, did: did.clone() })
            }
            _ => None,
        };
        let mut sorted: Vec<Ranged> = dids.into_iter().filter_map(ranged).collect();
        sorted.sort_by_key(|range| (range.digits, range.first, range.did.id));
        let mut before: Option<(usize, u64)> = None;
        for range in &mut sorted {
            if let Some((digits, reach)) = before
                && digits == range.digits
            {
                range.reach = range.last.max(reach);
            }
            before = Some((range.digits, range.reach));
        }
        Ranges { sorted }
    }

    /// The narrowest range around `number`; of equals the older row.
    pub fn find(&self, number: &E164) -> Option<&Arc<Did>> {
        let (digits, wanted) = (number.digits().len(), value(number));
        let end = self.sorted.partition_point(|range| (range.digits, range.first) <= (digits, wanted));
        let before = self.sorted[..end].iter().rev();
        before
            .take_while(|range| range.digits == digits && range.reach >= wanted)
            .filter(|range| range.last >= wanted)
            .min_by_key(|range| (range.last - range.first, range.did.id))
            .map(|range| &range.did)
    }
}

/// Fifteen digits fit.
fn value(number: &E164) -> u64 {
    number.digits().bytes().fold(0, |value, digit| value * 10 + u64::from(digit - b'0'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_narrowest_range_is_found(ranges in prop::collection::vec((100u64..400, 0u64..120), 0..12), wanted in 90u64..1100) {
            let number = |value: u64| value.to_string().parse::<E164>().unwrap();
            let dids: Vec<Arc<Did>> = ranges.iter().enumerate().map(|(row, (first, more))| Arc::new(Did {
                id: DidId(row as i64),
                numbers: DidNumbers::range(number(*first), number(first + more)).unwrap(),
                user: UserId(1),
                inbound_deck: None,
                uri: DidUri::User,
                enabled: row % 5 != 4,
            })).collect();
            let around = |(row, (first, more)): &(usize, &(u64, u64))| row % 5 != 4 && (*first..=first + more).contains(&wanted);
            let expected = ranges.iter().enumerate().filter(around).min_by_key(|(row, (_, more))| (*more, *row));
            let found = Ranges::new(&dids).find(&number(wanted)).map(|did| did.id.0 as usize);
            prop_assert_eq!(found, expected.map(|(row, _)| row));
        }
    }
}
