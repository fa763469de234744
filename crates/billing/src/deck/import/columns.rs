//! Which column of their file is which of ours.

use std::str::FromStr;

use super::mistake::{Mistake, Mistakes};

/// Our columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    Prefix,
    Destination,
    PricePerMinute,
    SetupFee,
    FirstIncrement,
    NextIncrement,
    Grace,
    Band,
    EffectiveFrom,
    Blocked,
}

/// Their names, in the order of [`Column`].
pub const OURS: [&str; 10] = [
    "prefix",
    "destination",
    "price_per_minute",
    "setup_fee",
    "first_increment",
    "next_increment",
    "grace",
    "band",
    "effective_from",
    "blocked",
];

const REQUIRED: [Column; 2] = [Column::Prefix, Column::PricePerMinute];

/// What an operator says about their file: `prefix=Dial Code,price_per_minute=Rate`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ColumnMap(Vec<(usize, String)>);

/// A text that is no mapping of columns.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseMapError {
    /// No equals sign, or nothing on one side of it.
    #[error("{0:?} is not ours=theirs")]
    NotPair(String),
    /// Not one of our columns.
    #[error("{0:?} is none of our columns: {columns}", columns = OURS.join(", "))]
    NotOurs(String),
}

impl FromStr for ColumnMap {
    type Err = ParseMapError;
    fn from_str(text: &str) -> Result<ColumnMap, ParseMapError> {
        let mut pairs = Vec::new();
        for part in text.split(',').filter(|part| !part.trim().is_empty()) {
            let (ours, theirs) = part.split_once('=').ok_or_else(|| ParseMapError::NotPair(part.to_owned()))?;
            let (ours, theirs) = (ours.trim().to_ascii_lowercase(), theirs.trim().to_owned());
            if theirs.is_empty() {
                return Err(ParseMapError::NotPair(part.to_owned()));
            }
            let at = OURS.iter().position(|known| *known == ours).ok_or(ParseMapError::NotOurs(ours))?;
            pairs.push((at, theirs));
        }
        Ok(ColumnMap(pairs))
    }
}

/// Where each of our columns is.
#[derive(Debug)]
pub(super) struct Columns {
    places: [Option<(usize, String)>; 10],
    pub ignored: Vec<String>,
}

impl Columns {
    pub fn find(header: &csv::ByteRecord, map: &ColumnMap) -> Result<Columns, Mistakes> {
        let names: Vec<String> = header.iter().map(|name| String::from_utf8_lossy(name).trim().to_owned()).collect();
        if names.iter().all(String::is_empty) {
            let expected = "a header that names at least prefix and price_per_minute";
            return Err(Mistake::new(1, None, "", expected).into());
        }
        let mut mistakes = Mistakes::default();
        let mut places: [Option<(usize, String)>; 10] = Default::default();
        for (n, ours) in OURS.iter().enumerate() {
            let mapped = map.0.iter().find(|(at, _)| *at == n).map(|(_, theirs)| theirs.as_str());
            let wanted = mapped.unwrap_or(ours);
            let mut found = names.iter().enumerate().filter(|(_, name)| name.eq_ignore_ascii_case(wanted));
            match (found.next(), found.next()) {
                (Some(_), Some((_, name))) => {
                    mistakes.add(Mistake::new(1, Some(name), "", "a column once is expected, it is there twice"));
                }
                (Some((at, name)), None) => places[n] = Some((at, name.clone())),
                (None, _) if mapped.is_some() => {
                    mistakes.add(Mistake::new(
                        1,
                        None,
                        "",
                        format!("a column {wanted} (mapped to {ours}) is expected"),
                    ));
                }
                (None, _) if REQUIRED.iter().any(|column| *column as usize == n) => {
                    let expected = format!("a column {ours} is expected (map another with {ours}=THEIRS)");
                    mistakes.add(Mistake::new(1, None, "", expected));
                }
                (None, _) => {}
            }
        }
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        let known = |at: usize| places.iter().flatten().any(|(place, _)| *place == at);
        let ignored = names.iter().enumerate().filter(|(at, name)| !known(*at) && !name.is_empty());
        let ignored = ignored.map(|(_, name)| name.clone()).collect();
        Ok(Columns { places, ignored })
    }

    /// The field of a record, if the file has the column.
    pub fn field<'r>(&self, record: &'r csv::ByteRecord, column: Column) -> Option<&'r [u8]> {
        let (at, _) = self.places[column as usize].as_ref()?;
        record.get(*at)
    }

    /// What the file calls the column.
    pub fn name(&self, column: Column) -> Option<&str> {
        self.places[column as usize].as_ref().map(|(_, name)| name.as_str())
    }
}
