//! The rules of one account, of one reseller's tree, or of everybody, ready to be asked.

use tollgate_types::E164;

use super::Facts;
use super::book::CountryCode;
use super::kind::{Kind, Risk};
use super::prefix_map::PrefixMap;
use super::rule::{Member, Rule, Target};

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Scope {
    prefixes: PrefixMap<Said>,
    countries: Vec<(CountryCode, Said)>,
    kinds: [Option<Said>; Kind::ALL.len()],
    risks: [Option<Said>; Risk::ALL.len()],
}

/// What a rule says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub rule: i64,
    pub allows: bool,
}

impl Scope {
    /// From the rules of one scope; `members` are those of a group.
    pub fn new<'a>(rules: &[&Rule], members: impl Fn(&str) -> &'a [Member]) -> Scope {
        let mut scope = Scope::default();
        let mut prefixes = Vec::new();
        for rule in rules {
            let said = Said { rule: rule.id, allows: rule.allows };
            match &rule.target {
                Target::All => prefixes.push((tollgate_types::Prefix::ANY, said)),
                Target::Prefix(prefix) => prefixes.push((*prefix, said)),
                Target::Country(country) => scope.countries.push((*country, said)),
                Target::Kind(kind) => put(&mut scope.kinds[*kind as usize], said),
                Target::Risk(risk) => put(&mut scope.risks[*risk as usize], said),
                Target::Group(name) => {
                    for member in members(name) {
                        match member {
                            Member::Prefix(prefix) => prefixes.push((*prefix, said)),
                            Member::Country(country) => scope.countries.push((*country, said)),
                        }
                    }
                }
            }
        }
        scope.prefixes = PrefixMap::new(prefixes);
        scope.countries.sort_by_key(|(country, _)| *country);
        scope
    }

    /// The rule that fits the number best, with how many of its digits it knows. The longer prefix wins; of equals the
    /// prefix before what a range is, that before its country; and of contradictions what forbids.
    pub fn judge(&self, number: &E164, facts: &Facts) -> Option<(u8, Said)> {
        let mut best: Option<((u8, u8, bool), Said)> = None;
        let mut consider = |length: u8, rank: u8, said: Said| {
            let weight = (length, rank, !said.allows);
            if best.is_none_or(|(known, _)| weight > known) {
                best = Some((weight, said));
            }
        };
        self.prefixes.walk(number, |length, said| consider(length, 3, *said));
        for (at, said) in self.kinds.iter().enumerate() {
            if let (Some(said), Some((length, _))) = (said, &facts.kinds[at]) {
                consider(*length, 2, *said);
            }
        }
        if let Some(said) = self.risks[facts.risk.1 as usize] {
            consider(facts.risk.0, 1, said);
        }
        if let Some((length, country)) = facts.country {
            let first = self.countries.partition_point(|(known, _)| *known < country);
            for (_, said) in self.countries[first..].iter().take_while(|(known, _)| *known == country) {
                consider(length, 0, *said);
            }
        }
        best.map(|((length, ..), said)| (length, said))
    }
}

/// Of two rules with the same target the one that forbids holds.
fn put(place: &mut Option<Said>, said: Said) {
    if place.is_none_or(|known| known.allows) {
        *place = Some(said);
    }
}
