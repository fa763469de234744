//! The routing table: which trunks take which numbers.

use std::sync::Arc;

use smallvec::SmallVec;
use tollgate_types::{Map, Prefix, RouteId, Seed, TrunkId};

/// One row: numbers that begin so may leave by this trunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Its row.
    pub id: RouteId,
    /// Which numbers; the longest prefix that fits wins.
    pub prefix: Prefix,
    /// Which way.
    pub trunk: TrunkId,
    /// Lower is tried first, as in DNS (RFC 2782).
    pub priority: u16,
    /// Share among routes of the same priority; 0 leaves the order to cost.
    pub weight: u16,
    /// When it holds.
    pub band: Band,
    /// Only for emergency calls, and then before all others.
    pub emergency: bool,
    /// A disabled one is not there.
    pub enabled: bool,
}

/// Hours in which a route holds, by the platform's calendar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Band {
    /// Always.
    #[default]
    All,
    /// In peak hours.
    Peak,
    /// Outside them.
    OffPeak,
}

/// All routes, by prefix.
#[derive(Clone, Debug)]
pub struct Routes {
    by_prefix: Map<Prefix, SmallVec<[Arc<Route>; 2]>>,
    emergency: Vec<Arc<Route>>,
    longest: usize,
    len: usize,
}

impl Routes {
    /// Indexes `routes`; disabled ones are left out.
    pub fn new(routes: impl IntoIterator<Item = Route>, seed: Seed) -> Routes {
        let mut all = Routes { by_prefix: seed.map(), emergency: Vec::new(), longest: 0, len: 0 };
        for route in routes.into_iter().filter(|route| route.enabled) {
            let route = Arc::new(route);
            all.len += 1;
            if route.emergency {
                all.emergency.push(route);
            } else {
                all.longest = all.longest.max(route.prefix.digits().len());
                all.by_prefix.entry(route.prefix).or_default().push(route);
            }
        }
        all
    }

    /// The groups of routes that `digits` fits, the longest prefix first.
    pub fn fitting<'a>(&'a self, digits: &'a str) -> impl Iterator<Item = &'a [Arc<Route>]> {
        let longest = digits.len().min(self.longest);
        (0..=longest)
            .rev()
            .filter_map(|len| digits.get(..len)?.parse::<Prefix>().ok())
            .filter_map(|prefix| self.by_prefix.get(&prefix).map(SmallVec::as_slice))
    }

    /// The routes for emergency calls.
    pub fn emergency(&self) -> &[Arc<Route>] {
        &self.emergency
    }

    /// How many routes are enabled.
    pub fn len(&self) -> usize {
        self.len
    }

    /// None at all?
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl Band {
    /// Does it hold now?
    pub fn holds(self, peak: bool) -> bool {
        match self {
            Band::All => true,
            Band::Peak => peak,
            Band::OffPeak => !peak,
        }
    }
}
