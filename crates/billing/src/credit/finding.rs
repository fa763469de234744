//! What a rule saw and what it allows, before it becomes words.

use std::fmt;

use tollgate_types::{Money, Rate, Refusal, Rule};

use crate::cdr::{TraceRow, Verdict};

/// One comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finding {
    /// By which rule.
    pub rule: Rule,
    /// The setting or the account's field that steers it.
    pub setting: Option<&'static str>,
    /// What was seen.
    pub observed: Value,
    /// What is allowed.
    pub limit: Value,
    /// Nothing against it?
    pub passes: bool,
    /// The day it was about, for rules about days.
    pub day: Option<crate::calendar::Day>,
}

/// A value compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// An amount.
    Money(Money),
    /// A price per minute.
    Rate(Rate),
    /// Lines, seconds.
    Count(u64),
    /// A word of its own.
    Word(&'static str),
}

impl Finding {
    /// As a refusal.
    pub fn refusal(&self) -> Refusal {
        Refusal::new(self.rule, self.setting, self.observed, self.limit)
    }

    /// As a row of the trace.
    pub fn trace(&self) -> TraceRow {
        TraceRow {
            rule: self.rule,
            setting: self.setting.map(str::to_owned),
            observed: self.observed.to_string(),
            limit: self.limit.to_string(),
            verdict: if self.passes { Verdict::Pass } else { Verdict::Refuse },
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Money(money) => money.fmt(f),
            Value::Rate(rate) => rate.fmt(f),
            Value::Count(count) => count.fmt(f),
            Value::Word(word) => f.write_str(word),
        }
    }
}
