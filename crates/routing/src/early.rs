//! What is let through before the answer, when nobody pays yet.

use std::fmt;
use std::str::FromStr;

/// From the most open to the strictest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EarlyMedia {
    /// Both ways.
    Allow,
    /// Ring-back and announcements, but nothing from the caller.
    #[default]
    ToCallerOnly,
    /// Ring-back alone: no media path, and the caller is told that it rings, so that its own device plays the tone.
    TonesOnly,
    /// Nothing: no media path.
    Block,
}

impl EarlyMedia {
    /// All of them.
    pub const ALL: [EarlyMedia; 4] =
        [EarlyMedia::Allow, EarlyMedia::ToCallerOnly, EarlyMedia::TonesOnly, EarlyMedia::Block];

    /// As settings, command line and database name it.
    pub fn name(self) -> &'static str {
        match self {
            EarlyMedia::Allow => "allow",
            EarlyMedia::ToCallerOnly => "to-caller-only",
            EarlyMedia::TonesOnly => "tones-only",
            EarlyMedia::Block => "block",
        }
    }

    /// Is there a media path before the answer?
    pub fn has_path(self) -> bool {
        matches!(self, EarlyMedia::Allow | EarlyMedia::ToCallerOnly)
    }
}

/// Not one of them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not allow, to-caller-only, tones-only or block")]
pub struct UnknownEarlyMedia(pub String);

impl FromStr for EarlyMedia {
    type Err = UnknownEarlyMedia;
    fn from_str(text: &str) -> Result<EarlyMedia, UnknownEarlyMedia> {
        EarlyMedia::ALL.into_iter().find(|early| early.name() == text).ok_or_else(|| UnknownEarlyMedia(text.to_owned()))
    }
}

impl fmt::Display for EarlyMedia {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
