//! Where values come from: the file with its lines, then the environment over it. Nothing is interpreted here.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use tollgate_settings::registry::nearest;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Pin;

/// Every key there is, in the order of the shipped file. `[policy]` takes any setting.
pub const KEYS: &[(&str, &str)] = &[
    ("server", "data_dir"),
    ("server", "sip_shards"),
    ("server", "media_threads"),
    ("server", "drain_seconds"),
    ("server", "log"),
    ("database", "url"),
    ("sip", "domain"),
    ("sip", "domains"),
    ("sip", "udp"),
    ("sip", "tcp"),
    ("sip", "tls"),
    ("sip", "ws"),
    ("sip", "wss"),
    ("sip", "advertise"),
    ("sip", "dns"),
    ("media", "bind"),
    ("media", "advertise"),
    ("media", "ports"),
    ("web", "listen"),
    ("web", "public_url"),
    ("control", "socket"),
    ("mail", "smtp"),
    ("mail", "from"),
    ("mail", "admins"),
    ("mail", "support"),
    ("billing", "currency"),
    ("billing", "country"),
    ("metrics", "listen"),
];

const POLICY: &str = "policy";
const ENVIRONMENT: &str = "TOLLGATE__";

/// What was found, and what was wrong with it already.
#[derive(Debug, Default)]
pub struct Source {
    file: String,
    given: BTreeMap<(&'static str, &'static str), Given>,
    policy: BTreeMap<String, Pin>,
    pub(super) mistakes: Vec<String>,
}

/// A value and its place.
#[derive(Clone, Debug)]
pub struct Given {
    pub(super) value: Raw,
    /// `config/tollgate.toml:12`, or the environment variable's name.
    pub(super) at: String,
}

/// A value before its key is asked what it means.
#[derive(Clone, Debug)]
pub enum Raw {
    /// A text in the file.
    Text(String),
    /// A list of texts in the file.
    Texts(Vec<String>),
    /// Anything from the environment: the key decides whether it is a number or a list.
    Loose(String),
    /// A number, a truth or anything else in the file, as it stands there.
    Other(String),
}

impl Source {
    /// Nothing said: all defaults.
    pub fn new() -> Source {
        Source::default()
    }

    /// Takes in the file.
    pub fn read_file(&mut self, file: &str, text: &str) {
        self.file = file.to_owned();
        let place = |span: Range<usize>| {
            let before = text.get(..span.start).unwrap_or(text);
            format!("{file}:{}", 1 + before.matches('\n').count())
        };
        let table = match DeTable::parse(text) {
            Ok(table) => table,
            Err(error) => {
                let message = error.message().split_whitespace().collect::<Vec<_>>().join(" ");
                self.mistakes.push(format!("{}: {message}", place(error.span().unwrap_or(0..0))));
                return;
            }
        };
        for (section, content) in table.get_ref() {
            let at = place(section.span());
            let Some(content) = content.get_ref().as_table() else {
                self.mistakes.push(format!("{at}: {} stands outside any section", section.get_ref()));
                continue;
            };
            if section.get_ref() == POLICY {
                self.read_policy("", content, text, &place);
            } else if KEYS.iter().any(|(known, _)| known == section.get_ref()) {
                for (key, value) in content {
                    let at = place(key.span());
                    self.take(section.get_ref(), key.get_ref(), Raw::of(value, text), at);
                }
            } else {
                let sections = KEYS.iter().map(|(section, _)| *section).chain([POLICY]);
                let hint = nearest(&section.get_ref().to_lowercase(), sections)
                    .map(|name| format!("; did you mean [{name}]?"));
                self.mistakes.push(format!(
                    "{at}: there is no section [{}]{}",
                    section.get_ref(),
                    hint.unwrap_or_default()
                ));
            }
        }
    }

    /// Takes in the variables that begin with `TOLLGATE__`, over what the file said.
    pub fn read_environment(&mut self, environment: impl IntoIterator<Item = (String, String)>) {
        let ours = environment.into_iter().filter(|(name, _)| name.starts_with(ENVIRONMENT));
        let sorted: BTreeMap<String, String> = ours.collect();
        for (name, value) in sorted {
            let path = name[ENVIRONMENT.len()..].to_lowercase();
            match path.split_once("__") {
                Some((POLICY, setting)) if !setting.is_empty() => {
                    let setting = setting.replace("__", ".");
                    self.policy.insert(setting.clone(), Pin { name: setting, value, at: name });
                }
                Some((section, key)) => self.take(section, key, Raw::Loose(value), name.clone()),
                None => self.mistakes.push(format!("{name}: expected TOLLGATE__SECTION__KEY")),
            }
        }
    }

    /// What was said for a key.
    pub fn get(&self, section: &'static str, key: &'static str) -> Option<&Given> {
        self.given.get(&(section, key))
    }

    /// What `[policy]` says, by name.
    pub fn policy(&mut self) -> Vec<Pin> {
        std::mem::take(&mut self.policy).into_values().collect()
    }

    /// What mistakes about absent keys call the file.
    pub fn file(&self) -> &str {
        &self.file
    }

    fn take(&mut self, section: &str, key: &str, value: Raw, at: String) {
        match KEYS.iter().find(|known| **known == (section, key)) {
            Some(known) => drop(self.given.insert(*known, Given { value, at })),
            None => {
                let siblings = KEYS.iter().filter(|(known, _)| *known == section).map(|(_, key)| *key);
                let hint = nearest(&key.to_lowercase(), siblings).map(|name| format!("; did you mean {name}?"));
                self.mistakes.push(format!("{at}: [{section}] has no key {key}{}", hint.unwrap_or_default()));
            }
        }
    }

    /// `call.ring_max = 45` is a table in a table to TOML; to us it is a name with a dot.
    fn read_policy(&mut self, above: &str, table: &DeTable<'_>, text: &str, place: &dyn Fn(Range<usize>) -> String) {
        for (key, value) in table {
            let name = if above.is_empty() { key.get_ref().to_string() } else { format!("{above}.{}", key.get_ref()) };
            match value.get_ref() {
                DeValue::Table(inner) => self.read_policy(&name, inner, text, place),
                _ => {
                    let pin = Pin { value: Raw::of(value, text).plain(), at: place(key.span()), name: name.clone() };
                    self.policy.insert(name, pin);
                }
            }
        }
    }
}

impl Raw {
    fn of(value: &Spanned<DeValue<'_>>, text: &str) -> Raw {
        let literal =
            || Raw::Other(text.get(value.span()).unwrap_or("?").split_whitespace().collect::<Vec<_>>().join(" "));
        match value.get_ref() {
            DeValue::String(text) => Raw::Text(text.to_string()),
            DeValue::Array(list) => {
                let texts: Option<Vec<String>> =
                    list.iter().map(|entry| entry.get_ref().as_str().map(str::to_owned)).collect();
                texts.map_or_else(literal, Raw::Texts)
            }
            _ => literal(),
        }
    }

    /// As a setting takes it.
    fn plain(self) -> String {
        match self {
            Raw::Text(text) | Raw::Loose(text) | Raw::Other(text) => text,
            Raw::Texts(texts) => texts.join(","),
        }
    }
}

/// As the person wrote it, or nearly.
impl fmt::Display for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Raw::Text(text) | Raw::Loose(text) => write!(f, "{text:?}"),
            Raw::Texts(texts) => write!(f, "{texts:?}"),
            Raw::Other(text) => f.write_str(text),
        }
    }
}
