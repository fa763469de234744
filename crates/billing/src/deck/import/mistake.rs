//! What is wrong with a file, where, and what is expected there.

use std::fmt;

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Lines count from 1, the header's.
    pub line: u64,
    /// As the file calls it.
    pub column: Option<String>,
    /// What stands there; empty when nothing does.
    pub got: String,
    /// What is expected.
    pub expected: String,
}

/// All that were found, up to a number nobody reads beyond. Never empty when handed out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mistakes(pub Vec<Mistake>);

impl Mistake {
    pub(super) fn new(line: u64, column: Option<&str>, got: impl AsRef<str>, expected: impl Into<String>) -> Mistake {
        // What stands there may be anything: shown short, and never as control characters.
        let got: String = got.as_ref().chars().take(60).map(|c| if c.is_control() { '?' } else { c }).collect();
        Mistake { line, column: column.map(str::to_owned), got, expected: expected.into() }
    }

    pub(super) fn unreadable(line: u64, error: &csv::Error) -> Mistake {
        Mistake::new(line, None, "", format!("readable CSV is expected ({error})"))
    }
}

impl Mistakes {
    pub(super) fn add(&mut self, mistake: Mistake) {
        self.0.push(mistake);
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<Mistake> for Mistakes {
    fn from(mistake: Mistake) -> Mistakes {
        Mistakes(vec![mistake])
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.line)?;
        if let Some(column) = &self.column {
            write!(f, ", column {column}")?;
        }
        match self.got.as_str() {
            "" if self.expected.contains(" is expected") => write!(f, ": {}", self.expected),
            "" => write!(f, ": {} is expected", self.expected),
            got => write!(f, ": {got:?} is not {}", self.expected),
        }
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, mistake) in self.0.iter().enumerate() {
            if n > 0 {
                f.write_str("\n")?;
            }
            mistake.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}
