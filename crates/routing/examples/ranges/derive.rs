//! From the patterns of the published numbering metadata to the shortest prefixes that mean the same.
//!
//! A pattern is compiled to an automaton; a prefix belongs to a kind when numbers of that kind begin so and no others do.

use std::collections::BTreeMap;
use std::fmt::Write;

use phonenumber::Metadata;
use phonenumber::metadata::{DATABASE, Descriptor};
use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::util::primitives::StateID;
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input};

/// The day on which the file was last made, with the metadata of that day.
pub const DATED: &str = "2026-11-25";

/// Digits after the country code that are looked at before a range counts as mixed. Ranges finer than this are a handful
/// of numbers, and what is left mixed belongs to the greater kind.
const DEPTH: usize = 5;

/// The whole file.
pub fn file() -> String {
    let mut rows = BTreeMap::<(&str, String), Vec<String>>::new();
    let mut codes = BTreeMap::<u16, Vec<&Metadata>>::new();
    for metadata in DATABASE.iter() {
        codes.entry(metadata.country_code()).or_default().push(metadata);
    }
    for (code, mut regions) in codes {
        regions.sort_by_key(|region| region.id().to_owned());
        let code = code.to_string();
        let located: Vec<Pattern> = regions.iter().map(|region| located(region)).collect();
        let ordinary: Vec<Pattern> = regions.iter().map(|region| ordinary(region)).collect();
        for (at, region) in regions.iter().enumerate() {
            if region.id() != "001" {
                let own = match regions.len() == 1 || region.is_main_country_for_code() {
                    true => vec![code.clone()],
                    false => {
                        let others: Vec<&Pattern> =
                            located.iter().enumerate().filter(|(other, _)| *other != at).map(|(_, one)| one).collect();
                        prefixes(&code, &located[at], &others)
                    }
                };
                rows.insert(("country", region.id().to_owned()), own);
            }
            let descriptors = region.descriptors();
            let others: Vec<&Pattern> = ordinary.iter().collect();
            for (kind, dear) in [("premium", descriptors.premium_rate()), ("shared-cost", descriptors.shared_cost())] {
                let found = prefixes(&code, &Pattern::new([dear]), &others);
                rows.entry((kind, place(region, &code))).or_default().extend(found);
            }
        }
    }
    rows.retain(|_, prefixes| !prefixes.is_empty());
    let mut text = format!(
        "# Countries, premium-rate and shared-cost numbers, dated {DATED}, from the metadata of the phonenumber crate.\n\
         # Made by: cargo run -p tollgate-routing --example ranges > crates/routing/data/ranges.csv\n\
         kind,place,prefixes\n"
    );
    for ((kind, place), mut prefixes) in rows {
        prefixes.sort();
        prefixes.dedup();
        let _ = writeln!(text, "{kind},{place},{}", prefixes.join(" "));
    }
    text
}

fn place(region: &Metadata, code: &str) -> String {
    if region.id() == "001" { format!("+{code}") } else { region.id().to_owned() }
}

/// Numbers with a place.
fn located(region: &Metadata) -> Pattern {
    let descriptors = region.descriptors();
    Pattern::new([descriptors.fixed_line(), descriptors.mobile()])
}

/// Numbers that cost what calls there usually cost.
fn ordinary(region: &Metadata) -> Pattern {
    let descriptors = region.descriptors();
    Pattern::new([
        descriptors.fixed_line(),
        descriptors.mobile(),
        descriptors.toll_free(),
        descriptors.personal_number(),
        descriptors.voip(),
        descriptors.pager(),
        descriptors.uan(),
        descriptors.voicemail(),
    ])
}

/// The shortest prefixes, with `code` before them, of numbers that `wanted` matches and none of `others` does.
fn prefixes(code: &str, wanted: &Pattern, others: &[&Pattern]) -> Vec<String> {
    let mut found = Vec::new();
    let starts: Vec<StateID> = others.iter().map(|other| other.start).collect();
    let mut open = vec![(String::new(), wanted.start, starts)];
    while let Some((digits, want, rest)) = open.pop() {
        if !wanted.goes_on(want) {
            continue;
        }
        if others.iter().zip(&rest).all(|(other, state)| !other.goes_on(*state)) {
            found.push(format!("{code}{digits}"));
        } else if digits.len() < DEPTH {
            for digit in b'0'..=b'9' {
                let next = others.iter().zip(&rest).map(|(other, state)| other.step(*state, digit)).collect();
                open.push((format!("{digits}{}", char::from(digit)), wanted.step(want, digit), next));
            }
        }
    }
    found.sort();
    whole(found)
}

/// Ten siblings are their parent.
fn whole(mut prefixes: Vec<String>) -> Vec<String> {
    loop {
        let mut counts = BTreeMap::<String, usize>::new();
        for prefix in &prefixes {
            *counts.entry(prefix[..prefix.len() - 1].to_owned()).or_default() += 1;
        }
        let full: Vec<String> =
            counts.into_iter().filter(|(_, count)| *count == 10).map(|(parent, _)| parent).collect();
        if full.is_empty() {
            return prefixes;
        }
        prefixes.retain(|prefix| !full.contains(&prefix[..prefix.len() - 1].to_owned()));
        prefixes.extend(full);
        prefixes.sort();
    }
}

/// Patterns as one automaton over digits; from each state it is known whether a number can still come of it.
struct Pattern {
    dfa: dense::DFA<Vec<u32>>,
    start: StateID,
    alive: BTreeMap<StateID, bool>,
}

impl Pattern {
    fn new<'a>(kinds: impl IntoIterator<Item = Option<&'a Descriptor>>) -> Pattern {
        let patterns: Vec<String> =
            kinds.into_iter().flatten().map(|kind| format!("(?:{})", kind.national_number().as_str())).collect();
        // A kind that does not exist somewhere is written `NA` there, which fits no digits either.
        let text = if patterns.is_empty() { "NA".to_owned() } else { patterns.join("|") };
        let text: String = format!("^(?:{text})$").chars().filter(|char| !char.is_whitespace()).collect();
        let dfa = dense::Builder::new()
            .syntax(syntax::Config::new().unicode(false).utf8(false))
            .configure(dense::Config::new().start_kind(StartKind::Anchored))
            .build(&text)
            .unwrap_or_else(|error| panic!("{text}: {error}"));
        let start = dfa.start_state_forward(&Input::new("").anchored(Anchored::Yes)).expect("an anchored start");
        let mut pattern = Pattern { dfa, start, alive: BTreeMap::new() };
        pattern.explore(start);
        pattern
    }

    fn step(&self, state: StateID, digit: u8) -> StateID {
        self.dfa.next_state(state, digit)
    }

    /// Can a number that is matched still follow, or is it one?
    fn goes_on(&self, state: StateID) -> bool {
        self.alive[&state]
    }

    fn explore(&mut self, state: StateID) -> bool {
        if let Some(known) = self.alive.get(&state) {
            return *known;
        }
        self.alive.insert(state, false);
        let ends = self.dfa.is_match_state(self.dfa.next_eoi_state(state));
        let mut alive = ends;
        if !self.dfa.is_dead_state(state) {
            for digit in b'0'..=b'9' {
                alive |= self.explore(self.dfa.next_state(state, digit));
            }
        }
        self.alive.insert(state, alive);
        alive
    }
}
