//! What was seen, by step.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value, json};

/// Times of one kind of event.
#[derive(Debug, Default)]
pub struct Times(Vec<u32>);

/// One step of a run.
#[derive(Debug, Default)]
pub struct Row {
    pub rate: f64,
    pub seconds: f64,
    pub started: u64,
    /// Ended as they should.
    pub completed: u64,
    /// Turned away with 503 and Retry-After.
    pub turned_away: u64,
    /// Ended otherwise, by status; 0 is silence.
    pub failed: BTreeMap<u16, u64>,
    /// Requests sent again.
    pub repeated: u64,
    pub times: BTreeMap<&'static str, Times>,
    pub packets_sent: u64,
    pub packets_heard: u64,
    pub cpu: Option<Duration>,
    pub resident_kib: Option<(u64, u64)>,
    /// Units at once when it ended.
    pub at_once: u64,
}

#[derive(Debug, Default)]
pub struct Report {
    pub work: &'static str,
    pub rows: Vec<Row>,
}

impl Times {
    pub fn add(&mut self, time: Duration) {
        self.0.push(u32::try_from(time.as_micros()).unwrap_or(u32::MAX));
    }

    pub fn of_micros(micros: Vec<u32>) -> Times {
        Times(micros)
    }

    fn describe(&self) -> Value {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let at = |share: f64| sorted.get(((sorted.len() as f64 * share) as usize).min(sorted.len().saturating_sub(1)));
        json!({ "p50_us": at(0.5), "p99_us": at(0.99), "most_us": sorted.last(), "count": sorted.len() })
    }
}

impl Row {
    pub fn time(&mut self, name: &'static str, time: Duration) {
        self.times.entry(name).or_default().add(time);
    }

    fn describe(&self) -> Value {
        let failed: u64 = self.failed.values().sum();
        let mut all = Map::new();
        let mut put = |name: &str, value: Value| all.insert(name.to_owned(), value);
        put("rate", json!(self.rate));
        put("seconds", json!(round(self.seconds)));
        put("started", json!(self.started));
        put("completed", json!(self.completed));
        put("completed_per_second", json!(round(self.completed as f64 / self.seconds)));
        put("turned_away", json!(self.turned_away));
        put("failed", json!(failed));
        if failed > 0 {
            let by_status = self.failed.iter().map(|(status, count)| (status.to_string(), json!(count))).collect();
            put("failed_by_status", Value::Object(by_status));
        }
        put("repeated", json!(self.repeated));
        put("at_once", json!(self.at_once));
        if self.packets_sent > 0 {
            put("packets_sent", json!(self.packets_sent));
            put("packets_heard", json!(self.packets_heard));
            put("packets_lost", json!(self.packets_sent.saturating_sub(self.packets_heard)));
        }
        if let Some(cpu) = self.cpu {
            let micros = cpu.as_micros() as f64;
            put("cpu_seconds", json!(round(cpu.as_secs_f64())));
            put("cpu_percent", json!(round(cpu.as_secs_f64() * 100.0 / self.seconds)));
            if self.completed > 0 {
                put("cpu_us_per_unit", json!(round(micros / self.completed as f64)));
            }
            if self.packets_heard > 0 {
                put("cpu_us_per_packet", json!(round(micros / self.packets_heard as f64)));
            }
        }
        if let Some((before, after)) = self.resident_kib {
            put("resident_kib_before", json!(before));
            put("resident_kib", json!(after));
        }
        for (name, times) in &self.times {
            put(name, times.describe());
        }
        Value::Object(all)
    }
}

impl Report {
    pub fn print(&self, as_json: bool) {
        let rows: Vec<Value> = self.rows.iter().map(Row::describe).collect();
        if as_json {
            println!("{}", json!({ "work": self.work, "steps": rows }));
            return;
        }
        for row in rows {
            let fields = row.as_object().into_iter().flatten();
            let text: Vec<String> = fields.map(|(name, value)| format!("  {name:<22} {value}")).collect();
            println!("{}\n{}", self.work, text.join("\n"));
        }
    }
}

fn round(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
