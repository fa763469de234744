//! One setting: its name, what it may be, what it is by default, and what it does.

use std::time::Duration;

use crate::alias::Alias;
use crate::value::Value;

/// A setting, declared once as a `static` beside the rule it steers.
#[derive(Debug)]
pub struct Row {
    /// Grouped by dots, lower case: `credit.min_talk`. A name that ends in `_ms` counts in milliseconds.
    pub name: &'static str,
    /// The names the guide uses for it, each with the guide's unit and meaning.
    pub aliases: &'static [Alias],
    /// What it may be.
    pub kind: Kind,
    /// What is counted, for people: `calls`, `messages`. Empty where the kind says it.
    pub unit: &'static str,
    /// May it be `off`: no limit, or not done at all?
    pub may_be_off: bool,
    /// Unless set: a value you would run.
    pub default: Literal,
    /// In the profile `hardened`, where that differs.
    pub hardened: Option<Literal>,
    /// In the profile `loadtest`, where that differs.
    pub loadtest: Option<Literal>,
    /// One line for the person who sets it.
    pub help: &'static str,
    /// Why it may be nothing else, said with each refusal; empty where the range says it.
    pub because: &'static str,
    /// When a change takes effect.
    pub effect: Effect,
}

/// What a setting's value may be. Ends of ranges belong to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`.
    Bool,
    /// A whole number.
    Integer {
        /// At least.
        least: i64,
        /// At most.
        most: i64,
    },
    /// A length of time in whole milliseconds.
    Duration {
        /// At least.
        least: Duration,
        /// At most.
        most: Duration,
    },
    /// An amount in the platform's currency, not below nothing.
    Money,
    /// A factor with up to six decimals, in millionths.
    Multiplier {
        /// At least, in millionths.
        least: i64,
        /// At most, in millionths.
        most: i64,
    },
    /// One of these words.
    Word(&'static [&'static str]),
    /// Texts with commas between; at most this many.
    List {
        /// At most so many entries.
        most: usize,
        /// What one entry must look like.
        entry: Entry,
    },
    /// Any one line of text up to this many bytes.
    Text {
        /// At most so many bytes.
        most: usize,
    },
}

/// A check on one entry of a list, with the words that say what is expected.
#[derive(Clone, Copy)]
pub struct Entry {
    /// Is this entry well formed?
    pub fits: fn(&str) -> bool,
    /// Completes "expected …": `numbers such as 112`.
    pub expected: &'static str,
}

impl Entry {
    /// Anything.
    pub const ANY: Entry = Entry { fits: |_| true, expected: "texts" };
}

impl PartialEq for Entry {
    fn eq(&self, other: &Entry) -> bool {
        self.expected == other.expected
    }
}

impl Eq for Entry {}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.expected)
    }
}

/// A value as source code can write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Literal {
    /// No limit, or not done at all.
    Off,
    /// Yes or no.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A length of time.
    Duration(Duration),
    /// An amount in 10⁻⁶ of the platform's currency unit.
    MoneyMicros(i64),
    /// A factor in millionths.
    Millionths(i64),
    /// One of the row's words.
    Word(&'static str),
    /// A list of texts.
    List(&'static [&'static str]),
    /// A text.
    Text(&'static str),
}

/// When a change takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// At once, on every node.
    Live,
    /// At the next start.
    Restart,
}

impl Row {
    const fn of(name: &'static str, kind: Kind, default: Literal) -> Row {
        Row {
            name,
            aliases: &[],
            kind,
            unit: "",
            may_be_off: false,
            default,
            hardened: None,
            loadtest: None,
            help: "",
            because: "",
            effect: Effect::Live,
        }
    }

    /// A switch.
    pub const fn bool(name: &'static str, default: bool) -> Row {
        Row::of(name, Kind::Bool, Literal::Bool(default))
    }

    /// A whole number from `least` to `most`, counting `unit`.
    pub const fn integer(name: &'static str, default: i64, least: i64, most: i64, unit: &'static str) -> Row {
        let mut row = Row::of(name, Kind::Integer { least, most }, Literal::Integer(default));
        row.unit = unit;
        row
    }

    /// A length of time.
    pub const fn duration(name: &'static str, default: Duration, least: Duration, most: Duration) -> Row {
        Row::of(name, Kind::Duration { least, most }, Literal::Duration(default))
    }

    /// An amount in 10⁻⁶ of the platform's currency unit.
    pub const fn money(name: &'static str, default_micros: i64) -> Row {
        Row::of(name, Kind::Money, Literal::MoneyMicros(default_micros))
    }

    /// A factor, all three in millionths.
    pub const fn multiplier(name: &'static str, default: i64, least: i64, most: i64) -> Row {
        Row::of(name, Kind::Multiplier { least, most }, Literal::Millionths(default))
    }

    /// One of `words`.
    pub const fn word(name: &'static str, default: &'static str, words: &'static [&'static str]) -> Row {
        Row::of(name, Kind::Word(words), Literal::Word(default))
    }

    /// What is always done here, whatever the guide lets one choose.
    pub const fn always(name: &'static str) -> Row {
        Row::word(name, "always", &["always"])
    }

    /// What is never done here, whatever the guide lets one choose.
    pub const fn never(name: &'static str) -> Row {
        Row::word(name, "never", &["never"])
    }

    /// A list with at most `most` entries.
    pub const fn list(name: &'static str, default: &'static [&'static str], most: usize, entry: Entry) -> Row {
        Row::of(name, Kind::List { most, entry }, Literal::List(default))
    }

    /// One line of text of at most `most` bytes.
    pub const fn text(name: &'static str, default: &'static str, most: usize) -> Row {
        Row::of(name, Kind::Text { most }, Literal::Text(default))
    }

    /// `off` is a value too.
    pub const fn may_be_off(mut self) -> Row {
        self.may_be_off = true;
        self
    }

    /// `off` is a value too, and the default.
    pub const fn off_by_default(mut self) -> Row {
        self.may_be_off = true;
        self.default = Literal::Off;
        self
    }

    /// The value in the profile `hardened`.
    pub const fn hardened(mut self, value: Literal) -> Row {
        self.hardened = Some(value);
        self
    }

    /// The value in the profile `loadtest`.
    pub const fn loadtest(mut self, value: Literal) -> Row {
        self.loadtest = Some(value);
        self
    }

    /// The guide's names for it.
    pub const fn aliases(mut self, aliases: &'static [Alias]) -> Row {
        self.aliases = aliases;
        self
    }

    /// The line for the person who sets it.
    pub const fn help(mut self, help: &'static str) -> Row {
        self.help = help;
        self
    }

    /// Why it may be nothing else: completes a refusal after a semicolon.
    pub const fn because(mut self, why: &'static str) -> Row {
        self.because = why;
        self
    }

    /// A change waits for the next start.
    pub const fn restart(mut self) -> Row {
        self.effect = Effect::Restart;
        self
    }

    /// What comes before the last dot: `credit.dynamic` of `credit.dynamic.multiplier`.
    pub fn group(&self) -> &'static str {
        self.name.rsplit_once('.').map_or("", |(group, _)| group)
    }

    /// Does a plain number mean milliseconds here?
    pub fn counts_millis(&self) -> bool {
        self.name.ends_with("_ms")
    }

    /// The default.
    pub fn default_value(&self) -> Value {
        Value::from(self.default)
    }
}
