//! Where a number leads, and who may call there.
//!
//! [`Book`] is what is published of number ranges; an operator adds an IRSF list, risks, groups and [`Rule`]s. All of it is one
//! snapshot, [`Destinations`], asked once a call: a walk over the number's digits, no regular expression and no library.

mod book;
mod kind;
pub mod prefix_map;
mod rule;
mod scope;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use tollgate_types::{AccountId, E164, Map, Prefix, Seed};

pub use book::{Book, CountryCode};
pub use kind::{Kind, Risk, UnknownWord};
pub use prefix_map::PrefixMap;
pub use rule::{Member, NoMember, Rule, Target};
use scope::Scope;

/// The snapshot.
#[derive(Clone, Debug)]
pub struct Destinations {
    book: Arc<Book>,
    irsf: Arc<PrefixMap<()>>,
    risks: PrefixMap<Risk>,
    country_risks: Vec<(CountryCode, Risk)>,
    scopes: Map<Option<AccountId>, Scope>,
    rules: Vec<Rule>,
}

/// What an operator laid down.
#[derive(Clone, Debug, Default)]
pub struct Laid {
    /// Prefixes of the IRSF list.
    pub irsf: Vec<Prefix>,
    /// How risky some are.
    pub risks: Vec<(Member, Risk)>,
    /// Groups by name.
    pub groups: Vec<(String, Vec<Member>)>,
    /// Who may call where.
    pub rules: Vec<Rule>,
}

/// What is known of a number. A length is that of the prefix that says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Its country.
    pub country: Option<(u8, CountryCode)>,
    /// What it is; by [`Kind`].
    pub kinds: [Option<(u8, Arc<str>)>; Kind::ALL.len()],
    /// How risky it is.
    pub risk: (u8, Risk),
}

/// Which kinds are closed to those whom no rule lets through: the settings `destination.*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed(pub [bool; Kind::ALL.len()]);

/// What forbids a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Forbids {
    /// A rule.
    Rule(i64),
    /// What the range is.
    Kind(Kind, Arc<str>),
}

impl Destinations {
    /// What is published, and what an operator laid down.
    pub fn new(book: Arc<Book>, laid: Laid, seed: Seed) -> Destinations {
        let members = |name: &str| {
            laid.groups.iter().find(|(known, _)| known == name).map_or(&[][..], |(_, members)| members.as_slice())
        };
        let mut by_scope: Map<Option<AccountId>, Vec<&Rule>> = seed.map();
        for rule in &laid.rules {
            by_scope.entry(rule.account).or_default().push(rule);
        }
        let mut scopes = seed.child(1).map();
        for (account, rules) in &by_scope {
            scopes.insert(*account, Scope::new(rules, members));
        }
        let (mut prefixes, mut countries) = (Vec::new(), Vec::new());
        for (member, risk) in &laid.risks {
            match member {
                Member::Prefix(prefix) => prefixes.push((*prefix, *risk)),
                Member::Country(country) => countries.push((*country, *risk)),
            }
        }
        countries.sort_unstable();
        Destinations {
            book,
            irsf: Arc::new(PrefixMap::new(laid.irsf.iter().map(|prefix| (*prefix, ())).collect())),
            risks: PrefixMap::new(prefixes),
            country_risks: countries,
            scopes,
            rules: laid.rules,
        }
    }

    /// Nothing but what is published.
    pub fn published(seed: Seed) -> Destinations {
        Destinations::new(Arc::new(Book::published()), Laid::default(), seed)
    }

    /// The same book, for the next snapshot.
    pub fn book(&self) -> &Arc<Book> {
        &self.book
    }

    /// How many prefixes the IRSF list has.
    pub fn irsf_len(&self) -> usize {
        self.irsf.len()
    }

    /// A rule by its row.
    pub fn rule(&self, id: i64) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.id == id)
    }

    /// What is known of `number`.
    pub fn facts(&self, number: &E164) -> Facts {
        let known = self.book.look_up(number);
        let [satellite, network, premium, shared] = known.kinds;
        let mut irsf = None;
        self.irsf.walk(number, |length, ()| irsf = Some((length, Arc::from("IRSF list"))));
        let kinds = [satellite, network, premium, shared, irsf];
        let mut risk = (0, Risk::Low);
        for kind in Kind::ALL {
            if let Some((length, _)) = &kinds[kind as usize] {
                risk = risk.max((*length, kind.risk()));
            }
        }
        // What an operator says of a country or prefix holds for all of it, save for longer ranges.
        if let Some((length, country)) = known.country
            && let Ok(at) = self.country_risks.binary_search_by_key(&country, |(known, _)| *known)
            && length >= risk.0
        {
            risk = (length, self.country_risks[at].1);
        }
        self.risks.walk(number, |length, laid| {
            if length >= risk.0 {
                risk = (length, *laid);
            }
        });
        Facts { country: known.country, kinds, risk }
    }

    /// May `chain`, the payer first and its resellers above it, call `number`?
    ///
    /// The nearest scope speaks first: the account, its resellers upwards, everybody, and at last what the kinds of ranges
    /// come with. In each scope the rule that knows most digits holds. What it forbids is forbidden; what it allows lifts
    /// what scopes further away forbid by as many digits or fewer. So to allow a country opens none of its premium numbers,
    /// and to allow `premium`, or the very prefix, does.
    pub fn judge(
        &self,
        number: &E164,
        chain: impl IntoIterator<Item = AccountId>,
        closed: Closed,
    ) -> (Facts, Result<Option<i64>, Forbids>) {
        let facts = self.facts(number);
        let mut lifted: Option<(u8, i64)> = None;
        if !self.scopes.is_empty() {
            for scope in chain.into_iter().map(Some).chain([None]) {
                let Some((length, said)) = self.scopes.get(&scope).and_then(|scope| scope.judge(number, &facts)) else {
                    continue;
                };
                match said.allows {
                    true if lifted.is_none_or(|(known, _)| length > known) => lifted = Some((length, said.rule)),
                    true => {}
                    false if lifted.is_none_or(|(known, _)| known < length) => {
                        return (facts, Err(Forbids::Rule(said.rule)));
                    }
                    false => {}
                }
            }
        }
        for kind in Kind::ALL {
            if let (Some((length, name)), true) = (&facts.kinds[kind as usize], closed.0[kind as usize])
                && lifted.is_none_or(|(known, _)| known < *length)
            {
                let name = name.clone();
                return (facts, Err(Forbids::Kind(kind, name)));
            }
        }
        (facts, Ok(lifted.map(|(_, rule)| rule)))
    }
}
