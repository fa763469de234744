//! Reading a deck from CSV: all of it or nothing. Every mistake is told with its line and column, up to twenty.
//!
//! Header: `prefix,destination,price_per_minute,setup_fee,first_increment,next_increment,grace,band,effective_from,blocked`;
//! all but `prefix` and `price_per_minute` may be missing. Without increments a deck charges by the second (1/1). Comma,
//! semicolon or tabulator separate; a first increment may be written `60/6`.

mod columns;
mod field;
mod mistake;

pub use columns::{ColumnMap, OURS};
pub use mistake::{Mistake, Mistakes};

use std::collections::{BTreeMap, BTreeSet};

use tollgate_types::{Prefix, Wall};

use super::{Band, DeckRow, lint};
use crate::calendar::{Calendar, Zone};
use crate::price::Price;
use columns::{Column, Columns};

/// What the importer must know beside the text.
#[derive(Clone, Copy, Debug)]
pub struct Settings<'a> {
    /// Ours = theirs.
    pub map: &'a ColumnMap,
    /// Where dates without an offset are told.
    pub zone: Zone,
    /// Whose holidays may be bands.
    pub calendar: &'a Calendar,
}

/// A deck as read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Its rows in the order of the file.
    pub rows: Vec<DeckRow>,
    /// Columns of the file that mean nothing to us.
    pub ignored: Vec<String>,
}

/// More than this nobody imports by intention.
const MOST_ROWS: usize = 5_000_000;
/// How many mistakes are told at once.
const MOST_MISTAKES: usize = 20;
/// Rows between two reports of progress.
const REPORT_EVERY: u64 = 1024;

/// Reads `text`. `progress` hears now and then how many bytes have been read.
pub fn import(text: &[u8], settings: Settings<'_>, progress: &mut dyn FnMut(u64)) -> Result<Imported, Mistakes> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let mut reader =
        csv::ReaderBuilder::new().delimiter(separator(text)).flexible(true).trim(csv::Trim::All).from_reader(text);
    let mut mistakes = Mistakes::default();
    let header = match reader.byte_headers() {
        Ok(header) => header.clone(),
        Err(error) => return Err(Mistakes::from(Mistake::unreadable(1, &error))),
    };
    let columns = Columns::find(&header, settings.map)?;
    let mut imported = Imported { rows: Vec::new(), ignored: columns.ignored.clone() };
    let mut lines = Vec::new();
    let mut record = csv::ByteRecord::new();
    loop {
        match reader.read_byte_record(&mut record) {
            Ok(false) => break,
            Ok(true) => {}
            Err(error) => {
                let line = error.position().map_or(0, csv::Position::line);
                mistakes.add(Mistake::unreadable(line, &error));
                break;
            }
        }
        let line = record.position().map_or(0, csv::Position::line);
        if (imported.rows.len() as u64).is_multiple_of(REPORT_EVERY) {
            progress(reader.position().byte());
        }
        if record.iter().all(<[u8]>::is_empty) {
            continue;
        }
        if let Some(row) = read_row(&record, line, &columns, &settings, &mut mistakes) {
            imported.rows.push(row);
            lines.push(line);
        }
        if imported.rows.len() > MOST_ROWS {
            mistakes.add(Mistake::new(line, None, "", format!("at most {MOST_ROWS} rows")));
        }
        if mistakes.len() >= MOST_MISTAKES {
            break;
        }
    }
    if mistakes.is_empty() {
        check_duplicates(&imported.rows, &lines, &columns, &mut mistakes);
        check_weeks(&imported.rows, &lines, &columns, &mut mistakes);
    }
    if mistakes.is_empty() && imported.rows.is_empty() {
        mistakes.add(Mistake::new(1, None, "", "at least one row below the header"));
    }
    progress(text.len() as u64);
    if mistakes.is_empty() { Ok(imported) } else { Err(mistakes) }
}

/// Whichever of comma, semicolon and tabulator the header line has most of.
fn separator(text: &[u8]) -> u8 {
    let header = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let count = |byte: u8| header.iter().filter(|other| **other == byte).count();
    [b',', b';', b'\t'].into_iter().rev().max_by_key(|byte| count(*byte)).unwrap_or(b',')
}

fn read_row(
    record: &csv::ByteRecord,
    line: u64,
    columns: &Columns,
    settings: &Settings<'_>,
    mistakes: &mut Mistakes,
) -> Option<DeckRow> {
    let before = mistakes.len();
    let mut field = field::Fields { record, line, columns, mistakes };
    let blocked = field.read(Column::Blocked, field::yes_or_no).unwrap_or(false);
    let prefix: Option<Prefix> = field.read(Column::Prefix, field::prefix);
    if prefix.is_none() {
        field.require(Column::Prefix, "the leading digits of numbers, such as 361");
    }
    let rate = field.read(Column::PricePerMinute, field::rate);
    if rate.is_none() && !blocked {
        field.require(Column::PricePerMinute, "a price per minute such as 0.0125");
    }
    let setup_fee = field.read(Column::SetupFee, field::fee).unwrap_or_default();
    let (first, after) = field.read(Column::FirstIncrement, field::increments).unwrap_or((1, None));
    let next = field.read(Column::NextIncrement, field::increment).or(after).unwrap_or(1);
    let grace = field.read(Column::Grace, field::grace).unwrap_or(0);
    let band = field.read(Column::Band, |text| field::band(text, settings.calendar)).unwrap_or_default();
    let effective_from = field.read(Column::EffectiveFrom, |text| field::date(text, settings.zone));
    let destination = field.text(Column::Destination);
    if mistakes.len() > before {
        return None;
    }
    Some(DeckRow {
        prefix: prefix?,
        destination,
        price: Price { rate: rate.unwrap_or_default(), setup_fee, first, next, grace },
        band,
        effective_from,
        blocked,
    })
}

/// The same prefix, band and date twice: which one holds nobody can say.
fn check_duplicates(rows: &[DeckRow], lines: &[u64], columns: &Columns, mistakes: &mut Mistakes) {
    let mut known: BTreeMap<(Prefix, &Band, Option<Wall>), u64> = BTreeMap::new();
    for (row, line) in rows.iter().zip(lines) {
        if let Some(first) = known.insert((row.prefix, &row.band, row.effective_from), *line) {
            let expected = format!("one row for a prefix, band and date; line {first} has the same");
            mistakes.add(Mistake::new(*line, columns.name(Column::Prefix), row.prefix.digits(), expected));
        }
        if mistakes.len() >= MOST_MISTAKES {
            return;
        }
    }
}

/// Each prefix must have a price at all hours from its first date on.
fn check_weeks(rows: &[DeckRow], lines: &[u64], columns: &Columns, mistakes: &mut Mistakes) {
    let mut by_prefix: BTreeMap<Prefix, Vec<usize>> = BTreeMap::new();
    for (n, row) in rows.iter().enumerate() {
        if row.band != Band::Onnet {
            by_prefix.entry(row.prefix).or_default().push(n);
        }
    }
    for (prefix, mut all) in by_prefix {
        all.sort_by_key(|n| rows[*n].effective_from);
        let since = rows[all[0]].effective_from;
        let at_first: BTreeSet<&Band> =
            all.iter().filter(|n| rows[**n].effective_from == since).map(|n| &rows[*n].band).collect();
        if let Some(missing) = lint::hole(&at_first) {
            let expected = format!("prices around the clock: {prefix} has none in band {missing}, nor in band all");
            let got = rows[all[0]].band.to_string();
            mistakes.add(Mistake::new(lines[all[0]], columns.name(Column::Band), got, expected));
        }
        if mistakes.len() >= MOST_MISTAKES {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, map: &str) -> Result<Imported, String> {
        let calendar = Calendar::new(Vec::new(), vec!["christmas=12-25".parse().unwrap()]).unwrap();
        let map: ColumnMap = map.parse().unwrap();
        let zone = "Europe/Budapest".parse().unwrap();
        let settings = Settings { map: &map, zone, calendar: &calendar };
        import(text.as_bytes(), settings, &mut |_| {}).map_err(|mistakes| mistakes.to_string())
    }

    #[test]
    fn a_full_and_a_bare_deck_are_read() {
        let full = read(
            "prefix,destination,price_per_minute,setup_fee,first_increment,next_increment,grace,band,effective_from,blocked\n\
             +36,Hungary,0.0200,0.01,60,6,3,all,2026-03-01,0\n\
             ,Anywhere,1,,,,,,,\n\
             90,\"Nowhere, at all\",,,,,,,,yes\n",
            "",
        )
        .unwrap();
        let row = &full.rows[0];
        assert_eq!(
            (row.prefix.digits(), row.destination.as_str(), row.price.rate.to_string().as_str()),
            ("36", "Hungary", "0.020000000")
        );
        assert_eq!((row.price.first, row.price.next, row.price.grace), (60, 6, 3));
        assert_eq!(row.effective_from.unwrap().to_string(), "2026-02-28T23:00:00.000Z");
        assert_eq!(full.rows[2].destination, "Nowhere, at all");
        assert!(full.rows[2].blocked);
    }

    #[test]
    fn their_columns_may_have_their_names() {
        let deck = read(
            "\u{feff}Dial Code;Country;Rate;Billing;Comment\n361;Hungary;0.02;60/6;x\n",
            "prefix=Dial Code,destination=Country,price_per_minute=rate,first_increment=Billing",
        )
        .unwrap();
        assert_eq!((deck.rows[0].price.first, deck.rows[0].price.next), (60, 6));
        assert_eq!(deck.ignored, ["Comment"]);
        let bare = read("prefix,price_per_minute\n361,0.02\n", "").unwrap();
        assert_eq!((bare.rows[0].price.first, bare.rows[0].price.next), (1, 1));
    }

    #[test]
    fn every_mistake_names_line_column_and_what_is_expected() {
        //  the file                                         what is said
        for (text, said) in [
            ("", "line 1: a header that names at least prefix and price_per_minute is expected"),
            (
                "prefix\n361\n",
                "line 1: a column price_per_minute is expected (map another with price_per_minute=THEIRS)",
            ),
            ("prefix,price_per_minute\n", "line 1: at least one row below the header is expected"),
            ("prefix,prefix,price_per_minute\n", "line 1, column prefix: a column once is expected, it is there twice"),
            (
                "prefix,price_per_minute\n36a,1\n",
                "line 2, column prefix: \"36a\" is not the leading digits of numbers, such as 361",
            ),
            (
                "prefix,price_per_minute\n36,\n",
                "line 2, column price_per_minute: a price per minute such as 0.0125 is expected",
            ),
            (
                "prefix,price_per_minute\n36,-1\n",
                "line 2, column price_per_minute: \"-1\" is not a price per minute such as 0.0125",
            ),
            (
                "prefix,price_per_minute\n36,\"0,5\"\n",
                "line 2, column price_per_minute: \"0,5\" is not a price per minute such as 0.0125",
            ),
            (
                "prefix,price_per_minute,first_increment\n36,1,0\n",
                "line 2, column first_increment: \"0\" is not 1 to 3600 seconds, such as 60 or 60/6",
            ),
            (
                "prefix,price_per_minute,grace\n36,1,1.5\n",
                "line 2, column grace: \"1.5\" is not 0 to 3600 whole seconds",
            ),
            (
                "prefix,price_per_minute,band\n36,1,easter\n",
                "line 2, column band: \"easter\" is not all, peak, offpeak, onnet, holiday or the name of a holiday (christmas)",
            ),
            (
                "prefix,price_per_minute,effective_from\n36,1,tomorrow\n",
                "line 2, column effective_from: \"tomorrow\" is not a date such as 2026-03-01, 2026-03-01 08:00 or 2026-03-01T08:00:00Z",
            ),
            ("prefix,price_per_minute,blocked\n36,1,maybe\n", "line 2, column blocked: \"maybe\" is not yes or no"),
            (
                "prefix,price_per_minute\n36,1\n+36,2\n",
                "line 3, column prefix: \"36\" is not one row for a prefix, band and date; line 2 has the same",
            ),
            (
                "prefix,price_per_minute,band\n36,1,peak\n",
                "line 2, column band: \"peak\" is not prices around the clock: 36 has none in band offpeak, nor in band all",
            ),
            (
                "prefix,price_per_minute,band,effective_from\n36,1,peak,\n36,1,offpeak,2026-03-01\n",
                "line 2, column band: \"peak\" is not prices around the clock: 36 has none in band offpeak, nor in band all",
            ),
        ] {
            assert_eq!(read(text, "").unwrap_err(), said);
        }
        let many: String = (0..50).map(|_| "x,y\n").collect();
        let said = read(&format!("prefix,price_per_minute\n{many}"), "").unwrap_err();
        assert!(said.lines().count() <= 21 && said.starts_with("line 2, column prefix: \"x\""), "{said}");
    }

    #[test]
    fn on_net_rows_are_no_part_of_the_week() {
        assert!(read("prefix,price_per_minute,band\n36,1,onnet\n36,1,peak\n36,1,offpeak\n", "").is_ok());
        assert!(read("prefix,price_per_minute,band\n36,1,onnet\n", "").is_ok());
        assert!(read("prefix,price_per_minute,band\n36,1,all\n36,2,christmas\n", "").is_ok());
    }

    proptest::proptest! {
        #[test]
        fn no_file_panics(text in "[a-z0-9_,;\\n\\t\".+ -]{0,200}") {
            let _ = read(&text, "");
            let _ = read(&format!("prefix,price_per_minute,band,effective_from,first_increment\n{text}"), "");
        }
    }
}
