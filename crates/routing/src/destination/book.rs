//! What is published of number ranges: two files of ours, dated, part of the program. No metadata library is asked at run time.

use std::sync::Arc;

use tollgate_types::{E164, Prefix};

use super::kind::Kind;
use super::prefix_map::PrefixMap;

const NETWORKS: &str = include_str!("../../data/networks.csv");
const RANGES: &str = include_str!("../../data/ranges.csv");

/// Ranges by prefix.
#[derive(Clone, Debug)]
pub struct Book {
    facts: PrefixMap<Fact>,
    countries: Vec<CountryCode>,
}

/// A country by its two ISO letters, or what else has numbers as a country has.
pub type CountryCode = [u8; 2];

#[derive(Clone, Debug)]
enum Fact {
    Country(CountryCode),
    Is(Kind, Arc<str>),
}

/// What is known of one number. Lengths are those of the prefixes that said it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Where it is.
    pub country: Option<(u8, CountryCode)>,
    /// What it is, with its name; by the longest prefix of each kind.
    pub kinds: [Option<(u8, Arc<str>)>; 4],
}

impl Book {
    /// The files as they came with the program.
    pub fn published() -> Book {
        let mut facts: Vec<(Prefix, Fact)> = Vec::new();
        let mut countries = Vec::new();
        for line in rows(NETWORKS) {
            let mut cells = line.splitn(3, ',');
            if let (Some(Ok(kind)), Some(Ok(prefix)), Some(name)) =
                (cells.next().map(str::parse), cells.next().map(str::parse), cells.next())
            {
                facts.push((prefix, Fact::Is(kind, name.into())));
            }
        }
        for line in rows(RANGES) {
            let mut cells = line.splitn(3, ',');
            let (Some(kind), Some(place), Some(prefixes)) = (cells.next(), cells.next(), cells.next()) else {
                continue;
            };
            let fact = match (kind.parse::<Kind>(), <CountryCode>::try_from(place.as_bytes())) {
                (Ok(kind), _) => Fact::Is(kind, place.into()),
                (Err(_), Ok(country)) => {
                    countries.push(country);
                    Fact::Country(country)
                }
                _ => continue,
            };
            facts.extend(prefixes.split(' ').filter_map(|prefix| Some((prefix.parse().ok()?, fact.clone()))));
        }
        countries.sort_unstable();
        Book { facts: PrefixMap::new(facts), countries }
    }

    /// The dates in the heads of the files: networks, then ranges.
    pub fn dates() -> [&'static str; 2] {
        [NETWORKS, RANGES].map(|text| {
            let after = text.split_once("dated ").map_or("", |(_, rest)| rest);
            after.get(..10).unwrap_or("")
        })
    }

    /// What is known of `number`.
    pub fn look_up(&self, number: &E164) -> Known {
        let mut known = Known::default();
        self.facts.walk(number, |length, fact| match fact {
            Fact::Country(country) => known.country = Some((length, *country)),
            Fact::Is(kind, name) => known.kinds[*kind as usize] = Some((length, name.clone())),
        });
        known
    }

    /// Is it one that numbers are known of?
    pub fn has_country(&self, country: &CountryCode) -> bool {
        self.countries.binary_search(country).is_ok()
    }
}

/// The rows below the head.
fn rows(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.lines().filter(|line| !line.starts_with('#')).skip(1).filter(|line| !line.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_files_is_read_and_found_again() {
        let book = Book::published();
        let mut seen = 0;
        for line in rows(NETWORKS).chain(rows(RANGES)) {
            let cells: Vec<&str> = line.splitn(3, ',').collect();
            let (kind, prefixes) = if NETWORKS.contains(line) { (cells[0], cells[1]) } else { (cells[0], cells[2]) };
            for prefix in prefixes.split(' ') {
                let number: E164 = format!("{prefix}0").parse().unwrap();
                let known = book.look_up(&number);
                match kind.parse::<Kind>() {
                    Ok(kind) => assert!(known.kinds[kind as usize].is_some(), "{line}: {prefix}"),
                    Err(_) => assert_eq!(known.country.unwrap().1, cells[1].as_bytes(), "{prefix}"),
                }
                seen += 1;
            }
        }
        assert!(seen > 700, "{seen} prefixes");
        assert!(Book::dates().iter().all(|date| date.len() == 10 && date.starts_with("20")), "{:?}", Book::dates());
    }

    #[test]
    fn countries_that_share_a_code_are_told_apart() {
        let book = Book::published();
        for (number, country) in [
            ("12125550123", "US"),
            ("14165550123", "CA"),
            ("18765550123", "JM"),
            ("36301234567", "HU"),
            ("442079460000", "GB"),
            ("441534123456", "JE"),
            ("77012345678", "KZ"),
            ("79161234567", "RU"),
        ] {
            let found = book.look_up(&number.parse().unwrap()).country.unwrap().1;
            assert_eq!(std::str::from_utf8(&found).unwrap(), country, "{number}");
        }
        assert_eq!(book.look_up(&"870123".parse().unwrap()).country, None);
    }
}
