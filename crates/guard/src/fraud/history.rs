//! What an account is known to do: the countries it calls and the dearest minute it ever paid. Grows a day late, so that what
//! a thief does today is no habit tomorrow unless the day passed without a block.

use std::time::Duration;

use tollgate_types::{Rate, Wall};

use super::land::Land;

/// A new habit counts after so long.
pub const SETTLES_AFTER: Duration = Duration::from_secs(24 * 3600);
/// Countries known at most: there are no more.
const KNOWN_MAX: usize = 300;
/// Habits that wait at most; whoever calls more new countries in a day has the rest learned on the next.
const FRESH_MAX: usize = 32;

/// See the module. A store keeps it as [`History::to_text`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// In order.
    known: Vec<Land>,
    /// The dearest minute of settled habits, in the platform's currency.
    pub dearest: Rate,
    fresh: Vec<Fresh>,
    /// When an admin last released the account: what was before is judged no more.
    pub released_at: Option<Wall>,
}

/// A habit that is not a day old.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Fresh {
    land: Land,
    price: Rate,
    since: Wall,
}

impl Fresh {
    fn is_ripe(&self, now: Wall) -> bool {
        now.since(self.since) >= SETTLES_AFTER
    }
}

impl History {
    /// Was a number there answered on an earlier day?
    pub fn knows(&self, land: Land) -> bool {
        self.known.binary_search(&land).is_ok()
    }

    /// Countries known.
    pub fn lands(&self) -> &[Land] {
        &self.known
    }

    /// A call there was answered. Says whether that is worth remembering.
    pub fn learn(&mut self, land: Land, price: Rate, now: Wall) -> bool {
        if self.knows(land) && price <= self.dearest {
            return false;
        }
        if let Some(fresh) = self.fresh.iter_mut().find(|fresh| fresh.land == land) {
            let dearer = price > fresh.price;
            fresh.price = fresh.price.max(price);
            return dearer;
        }
        if self.fresh.len() >= FRESH_MAX {
            return false;
        }
        self.fresh.push(Fresh { land, price, since: now });
        true
    }

    /// Is a habit a day old?
    pub fn is_ripe(&self, now: Wall) -> bool {
        self.fresh.iter().any(|fresh| fresh.is_ripe(now))
    }

    /// Habits a day old are settled. Says whether there were any.
    pub fn settle(&mut self, now: Wall) -> bool {
        if !self.is_ripe(now) {
            return false;
        }
        for fresh in std::mem::take(&mut self.fresh) {
            if fresh.is_ripe(now) { self.accept(fresh) } else { self.fresh.push(fresh) }
        }
        true
    }

    /// An admin has looked: what is new is a habit from now on.
    pub fn accept_all(&mut self) {
        for fresh in std::mem::take(&mut self.fresh) {
            self.accept(fresh);
        }
    }

    /// The account is blocked: what waits was never a habit.
    pub fn forget_fresh(&mut self) {
        self.fresh.clear();
    }

    fn accept(&mut self, fresh: Fresh) {
        self.dearest = self.dearest.max(fresh.price);
        if let Err(place) = self.known.binary_search(&fresh.land)
            && self.known.len() < KNOWN_MAX
        {
            self.known.insert(place, fresh.land);
        }
    }

    /// Nothing to remember?
    pub fn is_empty(&self) -> bool {
        self.known.is_empty() && self.fresh.is_empty() && self.released_at.is_none()
    }

    /// One line for the store: `36 44 1876;450000000;252:900000000:1795341600;` and the second of the last release.
    pub fn to_text(&self) -> String {
        let known: Vec<String> = self.known.iter().map(|land| land.0.to_string()).collect();
        let fresh: Vec<String> = self
            .fresh
            .iter()
            .map(|fresh| format!("{}:{}:{}", fresh.land.0, fresh.price.nanos(), fresh.since.secs()))
            .collect();
        let released = self.released_at.map(|at| at.secs().to_string()).unwrap_or_default();
        format!("{};{};{};{released}", known.join(" "), self.dearest.nanos(), fresh.join(" "))
    }

    /// Reads [`History::to_text`]; `None` if it is something else.
    pub fn from_text(text: &str) -> Option<History> {
        let mut parts = text.split(';');
        let (known, dearest, fresh, released) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let mut known: Vec<Land> =
            known.split_whitespace().map(|land| land.parse().ok().map(Land)).collect::<Option<_>>()?;
        known.sort_unstable();
        known.dedup();
        known.truncate(KNOWN_MAX);
        let fresh = fresh.split_whitespace().take(FRESH_MAX).map(|one| {
            let mut fields = one.split(':');
            Some(Fresh {
                land: Land(fields.next()?.parse().ok()?),
                price: Rate::from_nanos(fields.next()?.parse().ok()?),
                since: Wall::from_secs(fields.next()?.parse().ok()?),
            })
        });
        let dearest = Rate::from_nanos(dearest.parse().ok()?);
        let released_at = match released {
            "" => None,
            secs => Some(Wall::from_secs(secs.parse().ok()?)),
        };
        Some(History { known, dearest, fresh: fresh.collect::<Option<_>>()?, released_at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400;

    #[test]
    fn a_habit_is_a_day_old() {
        let at = |secs| Wall::from_secs(1_800_000_000 + secs);
        let dear = Rate::from_nanos(900_000_000);
        let mut history = History::default();
        assert!(history.learn(Land(36), Rate::ZERO, at(0)) && history.learn(Land(252), dear, at(10)));
        assert!(!history.learn(Land(252), dear, at(11)), "nothing new");
        assert!(!history.settle(at(DAY - 1)) && !history.knows(Land(36)));
        assert!(history.settle(at(DAY)) && history.knows(Land(36)) && !history.knows(Land(252)));
        assert_eq!(History::from_text(&history.to_text()).as_ref(), Some(&history));
        let mut blocked = history.clone();
        blocked.forget_fresh();
        assert!(!blocked.settle(at(9 * DAY)) && !blocked.knows(Land(252)), "a thief's day is no habit");
        history.accept_all();
        history.released_at = Some(at(0));
        assert_eq!(History::from_text(&history.to_text()).as_ref(), Some(&history));
        assert!(history.knows(Land(252)) && history.dearest == dear);
        for wrong in ["", "36", "36;0;", "36;x;;", "a;0;;", "1;0;252:1;", "1;0;;x"] {
            assert_eq!(History::from_text(wrong), None, "{wrong}");
        }
    }
}
