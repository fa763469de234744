//! What is wrong with a name or a value, in one line that names key, value and expectation.

use crate::alias::Alias;
use crate::describe;
use crate::row::Row;

/// A setting that cannot be taken as given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mistake {
    /// No setting has that name.
    #[error("there is no setting {name:?}{}", nearest.map(|name| format!("; did you mean {name}?")).unwrap_or_default())]
    UnknownName {
        /// What was asked for.
        name: String,
        /// The name it resembles most.
        nearest: Option<&'static str>,
    },
    /// The value is not what the setting may be.
    #[error("{name} = {value:?}: expected {expected}")]
    BadValue {
        /// The name it was given by.
        name: &'static str,
        /// The value as given, cut to a readable length.
        value: String,
        /// What would be right.
        expected: String,
    },
}

impl Mistake {
    pub(crate) fn value(row: &'static Row, text: &str) -> Mistake {
        Mistake::BadValue { name: row.name, value: cut(text), expected: reasoned(row, describe::expects(row)) }
    }

    pub(crate) fn alias(row: &'static Row, alias: &Alias, text: &str) -> Mistake {
        Mistake::BadValue { name: alias.name, value: cut(text), expected: reasoned(row, alias.expects(row)) }
    }
}

/// What is expected, and why where it cannot be chosen.
fn reasoned(row: &Row, expected: String) -> String {
    if row.because.is_empty() { expected } else { format!("{expected}; {}", row.because) }
}

fn cut(text: &str) -> String {
    const READABLE: usize = 80;
    match text.char_indices().nth(READABLE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
