//! The calendar: when it is peak, off-peak or a holiday. One definition for prices and lines.

use clap::Subcommand;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tollgate_billing::calendar::{self, CalendarError, Holiday, PeakSpan};
use tollgate_store::{By, calendar as store};

use super::field::{Misfit, Read};
use super::{Answer, Ops, shown};

/// `calendar …`
#[derive(Clone, Debug, Serialize, Deserialize, Subcommand)]
#[serde(rename_all = "snake_case")]
pub enum Calendar {
    /// What holds now
    Show,
    /// Change it; what is not named stays
    Set {
        /// Peak times, such as "mon-fri 08:00-20:00; sat 10:00-14:00"; "always" for no off-peak, "never" for no peak
        #[arg(long, value_name = "TIMES")]
        #[serde(default)]
        peak: Option<String>,
        /// Holidays: dates YYYY-MM-DD or MM-DD, or NAME=DATE, separated by commas; they are off-peak
        #[arg(long, value_name = "DATES")]
        #[serde(default)]
        holidays: Option<String>,
    },
}

impl Ops {
    pub(super) async fn calendar(&self, by: &By, calendar: Calendar) -> Answer {
        let known = store::get(&self.store).await?;
        let Calendar::Set { peak, holidays } = calendar else {
            return Ok(json!({ "peak": shown::list(known.peak()), "holidays": shown::list(known.holidays()) }));
        };
        let peak = peak.map_or(Ok(known.peak().to_vec()), |text| read_peak(&text))?;
        let holidays = holidays.map_or(Ok(known.holidays().to_vec()), |text| read_holidays(&text))?;
        let calendar = calendar::Calendar::new(peak, holidays).map_err(|error| {
            let field = if matches!(error, CalendarError::Overlap(..)) { "peak" } else { "holidays" };
            Misfit::new(field, error)
        })?;
        store::set(&self.store, by, &calendar).await?;
        self.prices_changed().await?;
        Ok(Value::Null)
    }
}

/// Spans with semicolons between, because commas stand between days.
fn read_peak(text: &str) -> Read<Vec<PeakSpan>> {
    match text.trim().to_ascii_lowercase().as_str() {
        "always" => return Ok(vec![PeakSpan { days: 0b111_1111, from: 0, until: 1440 }]),
        "never" | "none" | "" => return Ok(Vec::new()),
        _ => {}
    }
    text.split(';').map(|span| span.parse().map_err(|error| Misfit::new("peak", error))).collect()
}

/// Dates, with a name where a deck has a price for the day.
fn read_holidays(text: &str) -> Read<Vec<Holiday>> {
    if super::field::means_none(text) {
        return Ok(Vec::new());
    }
    let read = |item: &str| {
        let named = if item.contains('=') { item.to_owned() } else { format!("day-{}={0}", item.trim()) };
        named
            .parse()
            .map_err(|_| super::field::wrong("holidays", item, "a date such as 2026-12-24, 12-25 or christmas=12-25"))
    };
    text.split(',').map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_dates_are_read() {
        let peak = read_peak("mon-fri 08:00-20:00; sat,sun 10:00-24:00").unwrap();
        assert_eq!(shown::list(peak), json!(["mon-fri 08:00-20:00", "sat,sun 10:00-24:00"]));
        assert_eq!(read_peak("always").unwrap().len(), 1);
        assert!(read_peak("sometimes").is_err());
        let holidays = read_holidays("2026-12-24, 12-25,christmas=12-26").unwrap();
        assert_eq!(shown::list(holidays), json!(["day-2026-12-24=2026-12-24", "day-12-25=12-25", "christmas=12-26"]));
        assert!(read_holidays("easter").is_err());
    }
}
