//! Call detail records: one for every attempt of an identified account or trunk.

use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tollgate_billing::cdr::LegMedia;
use tollgate_store::cdrs::{self, CdrRow};
use tollgate_types::CallId;

use super::field::{self, Read};
use super::outcome::{ProgressSink, Refused};
use super::{Answer, Ops, shown};

/// `cdr …`
#[derive(Clone, Debug, Serialize, Deserialize, Subcommand)]
#[serde(rename_all = "snake_case")]
pub enum Cdr {
    /// Newest first
    List(Filter),
    /// One record with its admission trace and media figures
    Show {
        /// As listed
        id: String,
    },
    /// Write all that fit into a CSV file
    Export {
        /// Where the command line writes
        file: String,
        /// Which
        #[command(flatten)]
        #[serde(flatten)]
        filter: Filter,
    },
}

/// Which records.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Args)]
#[serde(default)]
pub struct Filter {
    /// Of this user
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// From this time on (RFC 3339, or a date)
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Before this time
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// At most so many; 10000 unless said
    #[arg(long, value_name = "N")]
    pub limit: Option<u32>,
}

/// Rows of a list unless said.
const ROWS: u32 = 10_000;
/// What only `show` tells.
const AT_LENGTH: [&str; 4] = ["trace", "ladder", "media", "levels"];
/// A call id has so many digits; a row's number has fewer.
const CALL_ID_DIGITS: usize = 16;
/// Columns of an export, in this order.
const COLUMNS: [&str; 30] = [
    "id",
    "call_id",
    "paid_leg",
    "kind",
    "parent_id",
    "started_at",
    "answered_at",
    "ended_at",
    "user",
    "caller",
    "callee",
    "source_ip",
    "trunk_in",
    "trunk_out",
    "status",
    "sip_status",
    "q850",
    "hangup_side",
    "cause",
    "talk_seconds",
    "talk_ms",
    "billed_seconds",
    "sell_cost",
    "buy_cost",
    "currency",
    "spend_by_day",
    "repeats",
    "rule",
    "observed",
    "limit",
];

impl Ops {
    pub(super) async fn cdr(&self, cdr: Cdr, progress: &ProgressSink) -> Answer {
        match cdr {
            Cdr::List(filter) => {
                let mut filter = read_filter(&filter)?;
                filter.limit.get_or_insert(u64::from(ROWS));
                let rows = cdrs::list(&self.store, &filter).await?;
                Ok(rows.iter().map(|row| Value::Object(brief(row))).collect())
            }
            Cdr::Show { id } => self.show_cdr(&id).await,
            Cdr::Export { filter, .. } => self.export_cdrs(&read_filter(&filter)?, progress).await,
        }
    }

    /// By its number, or by the call's id: then of its first paid leg.
    async fn show_cdr(&self, id: &str) -> Answer {
        let missing = || Refused(format!("there is no CDR {id}"));
        let row = match id.trim().len() {
            CALL_ID_DIGITS => {
                let call: CallId = id.trim().parse().map_err(|_| missing())?;
                cdrs::of_call(&self.store, call).await?.into_iter().next().ok_or_else(missing)?
            }
            _ => cdrs::show(&self.store, id.trim().parse().map_err(|_| missing())?).await?,
        };
        let mut fields = brief(&row);
        fields.insert("trace".into(), json!(row.cdr.trace));
        fields.insert("ladder".into(), json!(row.cdr.ladder));
        fields.insert("media".into(), row.cdr.media.iter().map(media).collect());
        fields.insert("levels".into(), json!(row.cdr.levels));
        Ok(Value::Object(fields))
    }

    async fn export_cdrs(&self, filter: &cdrs::Filter, progress: &ProgressSink) -> Answer {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let mut done = 0;
        let wrote = writer.write_record(COLUMNS);
        wrote.map_err(Refused::because)?;
        let exported = cdrs::export(&self.store, filter, |row| {
            done += 1;
            if done % 1000 == 0 {
                progress.tell("exporting records", done, done + 1);
            }
            let fields = brief(&row);
            writer.write_record(COLUMNS.map(|name| cell(&fields, name))).map_err(std::io::Error::other)
        });
        exported.await?.map_err(Refused::because)?;
        progress.tell("exporting records", done, done);
        let bytes = writer.into_inner().map_err(Refused::because)?;
        Ok(Value::String(String::from_utf8(bytes).map_err(Refused::because)?))
    }
}

fn read_filter(filter: &Filter) -> Read<cdrs::Filter> {
    let time =
        |name: &'static str, text: &Option<String>| text.as_deref().map(|text| field::time(name, text)).transpose();
    Ok(cdrs::Filter {
        user: filter.user.clone(),
        account: None,
        since: time("since", &filter.since)?,
        until: time("until", &filter.until)?,
        limit: filter.limit.map(u64::from),
    })
}

/// A record as lists show it.
fn brief(row: &CdrRow) -> Map<String, Value> {
    let Ok(Value::Object(mut fields)) = serde_json::to_value(&row.cdr) else { return Map::new() };
    for name in AT_LENGTH {
        fields.remove(name);
    }
    fields.insert("id".into(), row.id.into());
    fields.insert("refusal".into(), row.cdr.refusal.as_ref().map_or(Value::Null, shown::refusal));
    fields
}

/// One leg's figures: counts as they are, quality in the units that people know.
fn media(leg: &LegMedia) -> Value {
    json!({
        "packets": leg.packets,
        "packets_sent": leg.packets_sent,
        "loss": f64::from(leg.loss_ppm) / 10_000.0,
        "jitter": f64::from(leg.jitter_us) / 1000.0,
        "mos": (leg.mos_hundredths > 0).then(|| f64::from(leg.mos_hundredths) / 100.0),
    })
}

/// One field of a CSV line; text that a spreadsheet would take for a formula is told to be text.
fn cell(fields: &Map<String, Value>, name: &str) -> String {
    let value = match name {
        "rule" | "observed" | "limit" => &fields["refusal"][name],
        name => fields.get(name).unwrap_or(&Value::Null),
    };
    match value {
        Value::Null => String::new(),
        Value::String(text) if text.starts_with(['=', '@', '\t', '\r']) => format!("'{text}"),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use tollgate_billing::CallKind;
    use tollgate_types::{Refusal, Rule, Wall};

    use super::*;

    #[test]
    fn a_record_has_the_fields_that_the_interface_promises() {
        let mut cdr = tollgate_billing::Cdr::begin(CallId::from_i64(7), 0, CallKind::Outbound, Wall::from_secs(0));
        cdr.caller = "=1+1".into();
        cdr.refuse(Refusal::new(Rule::Credit, None, "0.60", "0.10"));
        let fields = brief(&CdrRow { id: 3, cdr });
        for name in [
            "id",
            "call_id",
            "kind",
            "parent_id",
            "started_at",
            "answered_at",
            "ended_at",
            "user",
            "caller",
            "callee",
            "source_ip",
            "trunk_in",
            "trunk_out",
            "status",
            "sip_status",
            "q850",
            "hangup_side",
            "cause",
            "talk_seconds",
            "talk_ms",
            "billed_seconds",
            "sell_cost",
            "buy_cost",
            "currency",
            "spend_by_day",
            "repeats",
            "refusal",
        ] {
            assert!(fields.contains_key(name), "{name}");
        }
        assert_eq!(fields["refusal"]["text"], "0.60 is needed, 0.10 is available");
        assert_eq!(
            (cell(&fields, "rule"), cell(&fields, "caller"), cell(&fields, "user")),
            ("credit".into(), "'=1+1".into(), String::new())
        );
        assert_eq!(
            media(&LegMedia { loss_ppm: 12_500, jitter_us: 2500, mos_hundredths: 0, ..LegMedia::default() })["loss"],
            1.25
        );
    }
}
