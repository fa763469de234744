//! All rows under one roof: look-up by any name, and the layers that make a value.

use tollgate_types::{Map, Seed};

use crate::alias::Alias;
use crate::mistake::Mistake;
use crate::row::Row;
use crate::value::Value;
use crate::values::Values;

/// Every setting there is.
#[derive(Debug)]
pub struct Registry {
    rows: Vec<&'static Row>,
    names: Map<String, Found>,
}

#[derive(Clone, Copy, Debug)]
struct Found {
    row: &'static Row,
    alias: Option<&'static Alias>,
}

/// A named choice of defaults.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// What anyone would run.
    #[default]
    Default,
    /// Tighter, for hostile surroundings.
    Hardened,
    /// Protections that would stop a load test are off.
    Loadtest,
}

/// Where values come from, the stronger last: profile, database, configuration file.
#[derive(Clone, Debug, Default)]
pub struct Layers {
    /// The chosen profile.
    pub profile: Profile,
    /// What admins set: our name and our canonical text.
    pub stored: Vec<(String, String)>,
    /// What the configuration file pins: any name, any spelling.
    pub pinned: Vec<(String, String)>,
}

impl Registry {
    /// Joins the rooms' rows.
    ///
    /// # Panics
    /// When two rows share a name or an alias, or a default does not fit its own row: mistakes of ours that every test meets.
    pub fn new(rooms: &[&[&'static Row]]) -> Registry {
        let mut rows: Vec<&'static Row> = rooms.iter().flat_map(|room| room.iter().copied()).collect();
        rows.sort_by_key(|row| row.name);
        let mut names: Map<String, Found> = Seed([0; 4]).map();
        for row in &rows {
            check(row);
            let spellings =
                std::iter::once((row.name, None)).chain(row.aliases.iter().map(|alias| (alias.name, Some(alias))));
            for (name, alias) in spellings {
                let before = names.insert(name.to_ascii_lowercase(), Found { row, alias });
                assert!(before.is_none(), "two settings are called {name}");
            }
        }
        Registry { rows, names }
    }

    /// All rows by name.
    pub fn rows(&self) -> &[&'static Row] {
        &self.rows
    }

    /// The row called `name` by us or by the guide, without regard to case.
    pub fn find(&self, name: &str) -> Result<&'static Row, Mistake> {
        self.lookup(name).map(|found| found.row)
    }

    /// Reads a value given under any name: under the guide's name it has the guide's unit and meaning.
    pub fn parse(&self, name: &str, text: &str) -> Result<(&'static Row, Value), Mistake> {
        let Found { row, alias } = self.lookup(name)?;
        let value = match alias {
            Some(alias) => alias.parse(row, text)?,
            None => Value::parse(row, text)?,
        };
        Ok((row, value))
    }

    /// What `row` is in `profile` unless set.
    pub fn in_profile(&self, row: &'static Row, profile: Profile) -> Value {
        let literal = match profile {
            Profile::Default => None,
            Profile::Hardened => row.hardened,
            Profile::Loadtest => row.loadtest,
        };
        Value::from(literal.unwrap_or(row.default))
    }

    /// One snapshot of all values. A stored or pinned value that cannot be read is left out and reported: pins refuse the
    /// start, a stored one (written by another version) must not.
    pub fn values(&self, layers: &Layers) -> (Values, Vec<Mistake>) {
        let mut mistakes = Vec::new();
        let mut values = Values::default();
        for row in &self.rows {
            values.set(row, self.in_profile(row, layers.profile));
        }
        for (name, text) in layers.stored.iter().chain(&layers.pinned) {
            match self.parse(name, text) {
                Ok((row, value)) => values.set(row, value),
                Err(mistake) => mistakes.push(mistake),
            }
        }
        for (name, _) in &layers.pinned {
            if let Ok(row) = self.find(name) {
                values.pin(row);
            }
        }
        (values, mistakes)
    }

    /// All rows as defaults.
    pub fn defaults(&self) -> Values {
        self.values(&Layers::default()).0
    }

    fn lookup(&self, name: &str) -> Result<Found, Mistake> {
        let lower = name.trim().to_ascii_lowercase();
        self.names.get(&lower).copied().ok_or_else(|| Mistake::UnknownName {
            name: name.chars().take(80).collect(),
            nearest: self.nearest(&lower),
        })
    }

    fn nearest(&self, lower: &str) -> Option<&'static str> {
        let names =
            self.rows.iter().flat_map(|row| std::iter::once(row.name).chain(row.aliases.iter().map(|a| a.name)));
        nearest(lower, names)
    }
}

/// The name that `given` most resembles, if any does.
pub fn nearest<'n>(given: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    const LONGEST: usize = 64;
    if given.len() > LONGEST {
        return None;
    }
    names
        .into_iter()
        .map(|name| (distance(given.as_bytes(), name.to_ascii_lowercase().as_bytes()), name))
        .filter(|(distance, name)| *distance <= 1 + name.len() / 4)
        .min()
        .map(|(_, name)| name)
}

/// Insertions, deletions, replacements and swaps of neighbours that turn one into the other.
fn distance(left: &[u8], right: &[u8]) -> usize {
    let mut two_above = vec![0; right.len() + 1];
    let mut above: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in right.iter().enumerate() {
            let mut cost = (above[j] + usize::from(a != b)).min(above[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *a == right[j - 1] && left[i - 1] == *b {
                cost = cost.min(two_above[j - 1] + 1);
            }
            row.push(cost);
        }
        two_above = std::mem::replace(&mut above, row);
    }
    above[right.len()]
}

fn check(row: &'static Row) {
    for literal in std::iter::once(row.default).chain(row.hardened).chain(row.loadtest) {
        assert!(Value::from(literal).fits(row), "{}: {literal:?} is not {}", row.name, crate::describe::expects(row));
    }
    assert!(row.name.contains('.') && !row.help.is_empty(), "{}: a group and a line of help are needed", row.name);
}

impl Profile {
    /// The names that `config profile` takes.
    pub const ALL: [Profile; 3] = [Profile::Default, Profile::Hardened, Profile::Loadtest];

    /// The name.
    pub fn name(self) -> &'static str {
        match self {
            Profile::Default => "default",
            Profile::Hardened => "hardened",
            Profile::Loadtest => "loadtest",
        }
    }
}

impl std::str::FromStr for Profile {
    type Err = Mistake;
    fn from_str(text: &str) -> Result<Profile, Mistake> {
        Profile::ALL.into_iter().find(|profile| profile.name().eq_ignore_ascii_case(text)).ok_or_else(|| {
            Mistake::BadValue {
                name: "profile",
                value: text.chars().take(80).collect(),
                expected: "default, hardened or loadtest".to_owned(),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::row::{Entry, Literal};
    use crate::rows;

    static PERIOD: Row = Row::duration(
        "guard.ip.period",
        Duration::from_secs(86_400),
        Duration::from_secs(60),
        Duration::from_secs(366 * 86_400),
    )
    .may_be_off()
    .aliases(&[Alias::days("maxcallperperiod").off_at(&[0, -1])])
    .help("test");
    static CALLS: Row = Row::integer("guard.ip.calls", 100, 0, 1_000_000, "calls")
        .may_be_off()
        .aliases(&[Alias::same("maxcallperip").off_at(&[0, -1])])
        .hardened(Literal::Integer(20))
        .help("test");
    static COST: Row = Row::money("guard.ip.cost", 5_000_000).help("test");
    static FACTOR: Row = Row::multiplier("credit.dynamic.multiplier", 7_000_000, 1_000_000, 100_000_000)
        .aliases(&[Alias::same("maxdyndailycredit_multiplier")])
        .help("test");
    static LEVEL: Row = Row::word("media.check", "learn", &["off", "learn", "strict"])
        .aliases(&[Alias::levels(
            "checkrtp",
            &[(0, Literal::Word("off")), (1, Literal::Word("learn")), (2, Literal::Word("strict"))],
        )])
        .help("test");
    static SWITCH: Row = Row::bool("x.switch", false).aliases(&[Alias::same("oldswitch")]).help("test");
    static AGENTS: Row = Row::list("guard.agents", &["sipcli"], 3, Entry::ANY).help("test");
    static NAME: Row = Row::text("x.name", "", 8).help("test");

    fn registry() -> Registry {
        Registry::new(&[&[&PERIOD, &CALLS, &COST], &[&FACTOR, &LEVEL, &SWITCH, &AGENTS, &NAME]])
    }

    #[test]
    fn values_are_read_by_any_name_and_printed_as_stored() {
        // given name, given value, our name and what is stored
        for (name, given, stored) in [
            ("guard.ip.period", "36h", "guard.ip.period = 1d12h"),
            ("guard.ip.period", "90", "guard.ip.period = 1m30s"),
            ("maxcallperperiod", "1.0", "guard.ip.period = 1d"),
            ("MaxCallPerPeriod", "0.5", "guard.ip.period = 12h"),
            ("maxcallperperiod", "-1", "guard.ip.period = off"),
            ("maxcallperperiod", "6h", "guard.ip.period = 6h"),
            ("maxcallperip", "0", "guard.ip.calls = off"),
            ("guard.ip.calls", "0", "guard.ip.calls = 0"),
            ("GUARD.IP.CALLS", "Unlimited", "guard.ip.calls = off"),
            ("guard.ip.cost", "1.5", "guard.ip.cost = 1.500000"),
            ("maxdyndailycredit_multiplier", "4.5", "credit.dynamic.multiplier = 4.5"),
            ("credit.dynamic.multiplier", "7.000000", "credit.dynamic.multiplier = 7"),
            ("checkrtp", "2", "media.check = strict"),
            ("checkrtp", "false", "media.check = off"),
            ("checkrtp", "LEARN", "media.check = learn"),
            ("oldswitch", "1", "x.switch = true"),
            ("x.switch", "on", "x.switch = true"),
            ("guard.agents", "a, b ,,c", "guard.agents = a,b,c"),
        ] {
            let (row, value) = registry().parse(name, given).unwrap_or_else(|mistake| panic!("{mistake}"));
            assert_eq!(format!("{} = {}", row.name, value.print(row)), stored, "{name} {given}");
        }
    }

    #[test]
    fn mistakes_say_what_is_expected() {
        for (name, given, said) in [
            ("guard.ip.cals", "1", "there is no setting \"guard.ip.cals\"; did you mean guard.ip.calls?"),
            ("quux", "1", "there is no setting \"quux\""),
            (
                "guard.ip.calls",
                "many",
                "guard.ip.calls = \"many\": expected a whole number of calls from 0 to 1000000, or off",
            ),
            (
                "guard.ip.calls",
                "-1",
                "guard.ip.calls = \"-1\": expected a whole number of calls from 0 to 1000000, or off",
            ),
            (
                "maxcallperip",
                "-2",
                "maxcallperip = \"-2\": expected a whole number of calls from 0 to 1000000, or off, or 0 or -1 for off",
            ),
            (
                "guard.ip.period",
                "5s",
                "guard.ip.period = \"5s\": expected a duration such as 30s, 5m or 1d from 1m to 366d, or off",
            ),
            (
                "maxcallperperiod",
                "soon",
                "maxcallperperiod = \"soon\": expected a number of days, decimals allowed from 1m to 366d, or 0 or -1 for off",
            ),
            ("guard.ip.cost", "-1", "guard.ip.cost = \"-1\": expected an amount such as 12.50, not below 0"),
            (
                "credit.dynamic.multiplier",
                "0.5",
                "credit.dynamic.multiplier = \"0.5\": expected a decimal factor such as 1.5 from 1 to 100",
            ),
            ("checkrtp", "3", "checkrtp = \"3\": expected one of 0 (off), 1 (learn), 2 (strict)"),
            ("media.check", "loose", "media.check = \"loose\": expected one of off, learn, strict"),
            ("x.switch", "2", "x.switch = \"2\": expected true or false"),
            ("guard.agents", "a,b,c,d", "guard.agents = \"a,b,c,d\": expected texts with commas between, at most 3"),
            ("x.name", "much too long", "x.name = \"much too long\": expected one line of text of at most 8 bytes"),
        ] {
            assert_eq!(registry().parse(name, given).unwrap_err().to_string(), said);
        }
    }

    #[test]
    fn the_file_wins_over_the_database_and_that_over_the_profile() {
        let layers = Layers {
            profile: Profile::Hardened,
            stored: vec![("guard.ip.cost".into(), "2".into()), ("x.gone".into(), "1".into())],
            pinned: vec![("maxcallperperiod".into(), "2".into())],
        };
        let (values, mistakes) = registry().values(&layers);
        assert_eq!(values.integer_or_off(&CALLS), Some(20));
        assert_eq!(values.money(&COST).micros(), 2_000_000);
        assert_eq!(values.duration(&PERIOD), Duration::from_secs(2 * 86_400));
        assert!(values.is_pinned(&PERIOD) && !values.is_pinned(&CALLS));
        assert_eq!(mistakes.len(), 1);
        assert_eq!(registry().defaults().integer(&CALLS), 100);
        assert_eq!(values.with(&CALLS, Value::Off).integer_or_off(&CALLS), None);
    }

    #[test]
    fn a_row_outside_any_registry_has_its_default() {
        let values = Values::default();
        assert_eq!(values.word(&LEVEL), "learn");
        assert_eq!(values.multiplier_or_off(&FACTOR).unwrap().millionths(), 7_000_000);
        assert_eq!(values.list(&AGENTS).len(), 1);
    }

    #[test]
    fn the_protocol_rooms_rows_stand_together() {
        let registry = Registry::new(&[
            rows::books::ROWS,
            rows::sip::ROWS,
            rows::digest::ROWS,
            rows::fixed::ROWS,
            rows::registrar::ROWS,
            rows::media::ROWS,
            rows::call::ROWS,
        ]);
        let values = registry.defaults();
        assert_eq!(values.duration(&rows::sip::T1_MS), Duration::from_millis(500));
        for row in registry.rows() {
            let text = crate::describe::describe(row, &values.get(row));
            assert!(text.contains(row.help), "{}", row.name);
            // What is printed is read back as the same value.
            let printed = values.get(row).print(row);
            assert_eq!(Value::parse(row, &printed).unwrap(), values.get(row), "{}", row.name);
        }
    }

    #[test]
    #[should_panic(expected = "two settings are called OldSwitch")]
    fn a_name_belongs_to_one_row() {
        static CLASH: Row = Row::bool("y.z", true).aliases(&[Alias::same("OldSwitch")]).help("test");
        Registry::new(&[&[&SWITCH, &CLASH]]);
    }

    proptest! {
        #[test]
        fn no_text_panics_and_what_is_taken_reads_back(index in 0usize..64, text in ".{0,40}") {
            let registry = registry();
            let row = registry.rows()[index % registry.rows().len()];
            for name in std::iter::once(row.name).chain(row.aliases.iter().map(|alias| alias.name)) {
                if let Ok((row, value)) = registry.parse(name, &text) {
                    prop_assert_eq!(&Value::parse(row, &value.print(row)).unwrap(), &value);
                }
            }
            let _ = registry.parse(&text, "1");
        }

        #[test]
        fn numbers_in_any_spelling_read_back(index in 0usize..64, number in -3i64..1_000_000, decimals in 0u32..1_000_000) {
            let registry = registry();
            let row = registry.rows()[index % registry.rows().len()];
            for text in [number.to_string(), format!("{number}.{decimals:06}")] {
                for name in std::iter::once(row.name).chain(row.aliases.iter().map(|alias| alias.name)) {
                    if let Ok((row, value)) = registry.parse(name, &text) {
                        prop_assert_eq!(&Value::parse(row, &value.print(row)).unwrap(), &value);
                    }
                }
            }
        }
    }
}
