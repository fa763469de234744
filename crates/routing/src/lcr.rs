//! Carriers for a number, in the order to try them, with the reason of each place.

use std::fmt;
use std::sync::Arc;

use tollgate_types::{Money, Mono, Prefix, RouteId, TrunkId};

use crate::directory::Directory;
use crate::route::Route;
use crate::trunk::Egress;

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// The number, or the emergency number.
    pub digits: &'a str,
    /// Is it peak time by the platform's calendar?
    pub peak: bool,
    /// An emergency passes capacity and rests, and asks emergency routes first.
    pub emergency: bool,
    /// Random for each call: it shares calls by weight.
    pub draw: u64,
    /// Now, to judge rests.
    pub now: Mono,
}

/// How a carrier is, as its actor knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Health {
    /// Does it answer OPTIONS? True where it is not asked.
    pub well: bool,
    /// Until when it asked for rest by 503 with Retry-After.
    pub rest_demanded: Option<Mono>,
    /// Until when we let it rest because it was not reached.
    pub rest_inferred: Option<Mono>,
    /// Calls it carries now.
    pub in_use: u32,
    /// Milliseconds talked today, of ended calls.
    pub talked_today_ms: u64,
    /// The same this month.
    pub talked_month_ms: u64,
}

/// What a carrier would charge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Buy {
    /// The price of a usual call of one minute, in the platform's currency.
    Costs(Money),
    /// Its deck has no price, or it has no deck: after all that have one.
    Unknown,
    /// Its deck blocks the number.
    Blocked,
}

/// One carrier to try.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// By which row.
    pub route: Arc<Route>,
    /// By which trunk.
    pub trunk: Arc<Egress>,
    /// What it costs, where that is known.
    pub cost: Option<Money>,
    /// Why it stands where it stands.
    pub place: Place,
}

/// Why a candidate stands where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Drawn by weight within its priority.
    Weight,
    /// By cost within its priority.
    Cost,
    /// Last, because it was not reached lately, or (for an emergency) is not well.
    LastResort,
}

/// Why a route is not tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeftOut {
    /// It holds at other hours.
    Band,
    /// Its trunk is gone or disabled.
    Disabled,
    /// A longer prefix has routes.
    ShorterPrefix(Prefix),
    /// The carrier does not answer.
    Unwell,
    /// The carrier asked for rest.
    Resting,
    /// All its lines are in use.
    Full {
        /// Calls now.
        in_use: u32,
        /// Calls at most.
        most: u32,
    },
    /// It has talked as long as it may today, or this month.
    TalkSpent {
        /// Seconds talked.
        talked: u64,
        /// Seconds at most.
        most: u64,
    },
    /// The carrier's deck blocks the number.
    Blocked,
    /// The same trunk has an earlier place.
    Repeated,
}

/// The answer.
#[derive(Clone, Debug, Default)]
pub struct Ranking {
    /// Whom to try, in order.
    pub candidates: Vec<Candidate>,
    /// Whom not, and why.
    pub left_out: Vec<(RouteId, TrunkId, LeftOut)>,
}

/// Orders the carriers for a number.
///
/// The longest prefix that has a route of an enabled trunk at this hour decides which routes count; shorter ones serve
/// other numbers. Among those: lower priority first; within a priority first those with a weight, drawn in proportion to it
/// (RFC 2782), then the others by cost, unknown cost last; of equals the older row.
pub fn rank(
    directory: &Directory,
    ask: Ask<'_>,
    health: impl Fn(TrunkId) -> Health,
    buy: impl Fn(&Egress) -> Buy,
) -> Ranking {
    let mut ranking = Ranking::default();
    let mut found: Vec<Candidate> = Vec::new();
    let mut group: Option<Prefix> = None;
    let mut consider = |route: &Arc<Route>, ranking: &mut Ranking, group: &mut Option<Prefix>| {
        let trunk = directory.egress(route.trunk).filter(|trunk| trunk.enabled);
        let verdict = match trunk {
            _ if !route.emergency && group.is_some_and(|longest| longest != route.prefix) => {
                Err(LeftOut::ShorterPrefix(group.unwrap_or_default()))
            }
            _ if !route.band.holds(ask.peak) => Err(LeftOut::Band),
            None => Err(LeftOut::Disabled),
            Some(trunk) => {
                *group = Some(route.prefix);
                judge(trunk, ask, &health(trunk.id), buy(trunk)).map(|(cost, place)| {
                    let place = if place == Place::Cost && route.weight > 0 { Place::Weight } else { place };
                    Candidate { route: route.clone(), trunk: trunk.clone(), cost, place }
                })
            }
        };
        match verdict {
            Ok(candidate) => found.push(candidate),
            Err(why) => ranking.left_out.push((route.id, route.trunk, why)),
        }
    };
    if ask.emergency {
        let fits = |route: &&Arc<Route>| ask.digits.starts_with(route.prefix.digits());
        for route in directory.routes().emergency().iter().filter(fits) {
            consider(route, &mut ranking, &mut group);
        }
    }
    if group.is_none() {
        for routes in directory.routes().fitting(ask.digits) {
            for route in routes {
                consider(route, &mut ranking, &mut group);
            }
        }
    }
    order(&mut found, ask.draw);
    for candidate in found {
        if ranking.candidates.iter().any(|earlier| earlier.trunk.id == candidate.trunk.id) {
            ranking.left_out.push((candidate.route.id, candidate.trunk.id, LeftOut::Repeated));
        } else {
            ranking.candidates.push(candidate);
        }
    }
    ranking
}

fn judge(trunk: &Egress, ask: Ask<'_>, health: &Health, buy: Buy) -> Result<(Option<Money>, Place), LeftOut> {
    let cost = match buy {
        Buy::Costs(cost) => Some(cost),
        Buy::Unknown => None,
        Buy::Blocked if ask.emergency => None,
        Buy::Blocked => return Err(LeftOut::Blocked),
    };
    let rests = |until: Option<Mono>| until.is_some_and(|until| until > ask.now);
    if ask.emergency {
        let doubtful = !health.well || rests(health.rest_demanded) || rests(health.rest_inferred);
        return Ok((cost, if doubtful { Place::LastResort } else { Place::Cost }));
    }
    let spent = |talked_ms: u64, most: Option<u64>| {
        let most = most.filter(|most| talked_ms >= most.saturating_mul(1000))?;
        Some(LeftOut::TalkSpent { talked: talked_ms / 1000, most })
    };
    let spent = spent(health.talked_today_ms, trunk.talk_day).or(spent(health.talked_month_ms, trunk.talk_month));
    if let Some(spent) = spent {
        return Err(spent);
    }
    match trunk.lines(ask.peak) {
        _ if !health.well => Err(LeftOut::Unwell),
        _ if rests(health.rest_demanded) => Err(LeftOut::Resting),
        Some(most) if health.in_use >= most => Err(LeftOut::Full { in_use: health.in_use, most }),
        _ if rests(health.rest_inferred) => Ok((cost, Place::LastResort)),
        _ => Ok((cost, Place::Cost)),
    }
}

fn order(found: &mut [Candidate], draw: u64) {
    found.sort_by_key(|candidate| {
        let last = candidate.place == Place::LastResort;
        // Only an emergency has several lengths here: no route for help is left out, the more exact comes first.
        let digits = std::cmp::Reverse(candidate.route.prefix.digits().len());
        (
            last,
            digits,
            candidate.route.priority,
            candidate.place,
            candidate.cost.is_none(),
            candidate.cost,
            candidate.route.id,
        )
    });
    // Draw the weighted ones of each priority in turn; they stand together now.
    let mut draws = Draws(draw);
    let mut start = 0;
    while start < found.len() {
        let (place, prefix, priority) = (found[start].place, found[start].route.prefix, found[start].route.priority);
        let same =
            |each: &&Candidate| each.place == place && each.route.prefix == prefix && each.route.priority == priority;
        let end = start + found[start..].iter().take_while(same).count();
        if place == Place::Weight {
            for next in start..end {
                let total: u64 = found[next..end].iter().map(|each| u64::from(each.route.weight)).sum();
                let mut left = draws.below(total);
                let drawn = found[next..end].iter().position(|each| {
                    let weight = u64::from(each.route.weight);
                    let hit = left < weight;
                    left = left.saturating_sub(weight);
                    hit
                });
                found[next..end].swap(0, drawn.unwrap_or(0));
            }
        }
        start = end;
    }
}

/// SplitMix64: a few draws out of one random number.
struct Draws(u64);

impl Draws {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        ((u128::from(mixed) * u128::from(bound)) >> 64) as u64
    }
}

impl Health {
    /// Well, rested and idle.
    pub const FINE: Health = Health {
        well: true,
        rest_demanded: None,
        rest_inferred: None,
        in_use: 0,
        talked_today_ms: 0,
        talked_month_ms: 0,
    };
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Place::Weight => "drawn by weight",
            Place::Cost => "by cost",
            Place::LastResort => "last resort: not reached lately",
        })
    }
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LeftOut::Band => f.write_str("holds at other hours"),
            LeftOut::Disabled => f.write_str("its trunk is disabled"),
            LeftOut::ShorterPrefix(longest) => write!(f, "the longer prefix {longest} has routes"),
            LeftOut::Unwell => f.write_str("the carrier does not answer"),
            LeftOut::Resting => f.write_str("the carrier asked for rest"),
            LeftOut::Full { in_use, most } => write!(f, "{in_use} of {most} lines are in use"),
            LeftOut::TalkSpent { talked, most } => write!(f, "it has talked {talked} of {most} s"),
            LeftOut::Blocked => f.write_str("its deck blocks the number"),
            LeftOut::Repeated => f.write_str("its trunk is tried earlier"),
        }
    }
}

#[cfg(test)]
mod tests {
    use tollgate_types::Seed;

    use super::*;
    use crate::directory::Change;
    use crate::domains::Domains;
    use crate::route::Band;

    fn directory(routes: &[(i64, &str, i64, u16, u16, &str)]) -> Directory {
        let seed = Seed([2; 4]);
        let mut changes: Vec<Change> = (1..=6)
            .map(|id| {
                let mut trunk = Egress::new(TrunkId(id), &format!("c{id}"), "carrier.example".parse().unwrap());
                trunk.enabled = id != 6;
                trunk.max_lines = (id == 5).then_some(10);
                Change::Egress(trunk)
            })
            .collect();
        let routes = routes.iter().map(|(id, prefix, trunk, priority, weight, flags)| Route {
            id: RouteId(*id),
            prefix: prefix.parse().unwrap(),
            trunk: TrunkId(*trunk),
            priority: *priority,
            weight: *weight,
            band: match *flags {
                "peak" => Band::Peak,
                "offpeak" => Band::OffPeak,
                _ => Band::All,
            },
            emergency: *flags == "emergency",
            enabled: *flags != "disabled",
        });
        changes.push(Change::Routes(routes.collect()));
        Directory::new(seed, Domains::new("voip.test", [], seed), None).with(changes)
    }

    fn ask(digits: &str) -> Ask<'_> {
        Ask { digits, peak: true, emergency: false, draw: 1, now: Mono::from_millis(1000) }
    }

    /// Trunks cost their number in cents, trunk 4 has no price.
    fn buy(trunk: &Egress) -> Buy {
        if trunk.id == TrunkId(4) { Buy::Unknown } else { Buy::Costs(Money::from_micros(trunk.id.0 * 10_000)) }
    }

    fn tried(ranking: &Ranking) -> String {
        ranking.candidates.iter().map(|each| each.trunk.id.to_string()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn carriers_stand_in_order() {
        type Rows = &'static [(i64, &'static str, i64, u16, u16, &'static str)];
        let table: &[(&str, Rows, &str, &str)] = &[
            (
                "cheapest first",
                &[(1, "36", 3, 0, 0, ""), (2, "36", 1, 0, 0, ""), (3, "36", 2, 0, 0, "")],
                "361",
                "1 2 3",
            ),
            ("priority before cost", &[(1, "36", 3, 1, 0, ""), (2, "36", 1, 2, 0, "")], "361", "3 1"),
            ("weight before cost", &[(1, "36", 1, 1, 0, ""), (2, "36", 3, 1, 9, "")], "361", "3 1"),
            ("unknown cost last", &[(1, "36", 4, 0, 0, ""), (2, "36", 5, 0, 0, "")], "361", "5 4"),
            (
                "longest prefix alone",
                &[(1, "", 1, 0, 0, ""), (2, "36", 2, 0, 0, ""), (3, "3630", 3, 0, 0, "")],
                "36301",
                "3",
            ),
            ("the empty prefix takes the rest", &[(1, "", 1, 0, 0, ""), (2, "36", 2, 0, 0, "")], "441", "1"),
            ("another hour, another route", &[(1, "", 1, 0, 0, ""), (2, "36", 2, 0, 0, "offpeak")], "361", "1"),
            ("a disabled trunk is no route", &[(1, "", 1, 0, 0, ""), (2, "36", 6, 0, 0, "")], "361", "1"),
            ("nor is a disabled route", &[(1, "", 1, 0, 0, ""), (2, "36", 2, 0, 0, "disabled")], "361", "1"),
            (
                "a trunk is tried once",
                &[(1, "36", 1, 0, 0, ""), (2, "36", 1, 1, 0, ""), (3, "36", 2, 2, 0, "")],
                "361",
                "1 2",
            ),
            ("emergency routes are for emergencies", &[(1, "", 1, 0, 0, "emergency")], "361", ""),
            ("nowhere", &[(1, "36", 1, 0, 0, "")], "441", ""),
        ];
        for (name, routes, digits, order) in table {
            let ranking = rank(&directory(routes), ask(digits), |_| Health::FINE, buy);
            assert_eq!(tried(&ranking), *order, "{name}");
        }
    }

    #[test]
    fn who_has_talked_as_long_as_he_may_is_left_out_except_for_help() {
        let spent = |today, month| Health { talked_today_ms: today, talked_month_ms: month, ..Health::FINE };
        //  talked today, this month, in ms      who is tried
        for (today, month, tried_now) in [(59_999, 599_999, "1"), (60_000, 60_000, ""), (0, 600_000, "")] {
            let routes = directory(&[(1, "", 1, 0, 0, "")]);
            let mut trunk = Egress::clone(routes.egress(TrunkId(1)).unwrap());
            (trunk.talk_day, trunk.talk_month) = (Some(60), Some(600));
            let routes = routes.with([Change::Egress(trunk)]);
            let ranking = rank(&routes, ask("361"), |_| spent(today, month), buy);
            assert_eq!(tried(&ranking), tried_now, "{today} {month}");
            let help = Ask { emergency: true, ..ask("112") };
            assert_eq!(tried(&rank(&routes, help, |_| spent(today, month), buy)), "1");
        }
    }

    #[test]
    fn lines_are_those_of_the_hour() {
        let routes = directory(&[(5, "", 5, 0, 0, "")]);
        let mut trunk = Egress::clone(routes.egress(TrunkId(5)).unwrap());
        trunk.max_lines_offpeak = Some(2);
        let routes = routes.with([Change::Egress(trunk)]);
        let busy = |_| Health { in_use: 5, ..Health::FINE };
        assert_eq!(tried(&rank(&routes, ask("361"), busy, buy)), "5");
        assert_eq!(tried(&rank(&routes, Ask { peak: false, ..ask("361") }, busy, buy)), "");
    }

    #[test]
    fn the_unwell_rest_and_the_unreached_come_last() {
        let routes =
            directory(&[(1, "", 1, 0, 0, ""), (2, "", 2, 0, 0, ""), (3, "", 3, 0, 0, ""), (5, "", 5, 0, 0, "")]);
        let later = Some(Mono::from_millis(2000));
        let health = |id: TrunkId| match id.0 {
            1 => Health { rest_inferred: later, ..Health::FINE },
            2 => Health { rest_demanded: later, ..Health::FINE },
            3 => Health { well: false, ..Health::FINE },
            _ => Health { in_use: 9, ..Health::FINE },
        };
        let ranking = rank(&routes, ask("361"), health, buy);
        assert_eq!(tried(&ranking), "5 1");
        let reasons: Vec<_> = ranking.left_out.iter().map(|(route, _, why)| format!("{route}: {why}")).collect();
        assert_eq!(reasons, ["2: the carrier asked for rest", "3: the carrier does not answer"]);
        // Rest is over, the lines are full, the deck blocks.
        let after = Ask { now: Mono::from_millis(2000), ..ask("361") };
        let full = |id: TrunkId| Health { in_use: 10, ..health(id) };
        let blocks = |trunk: &Egress| if trunk.id == TrunkId(2) { Buy::Blocked } else { buy(trunk) };
        let ranking = rank(&routes, after, full, blocks);
        assert_eq!(tried(&ranking), "1");
        assert!(ranking.left_out.iter().any(|(_, _, why)| why.to_string() == "10 of 10 lines are in use"));
        assert!(ranking.left_out.iter().any(|(_, _, why)| *why == LeftOut::Blocked));
    }

    #[test]
    fn an_emergency_goes_by_its_own_routes_and_past_every_limit() {
        let help = |digits| Ask { emergency: true, ..ask(digits) };
        let own = directory(&[(1, "", 1, 0, 0, ""), (2, "", 2, 0, 0, "emergency"), (3, "112", 5, 0, 0, "emergency")]);
        let full = |_| Health { in_use: 99, well: false, rest_demanded: Some(Mono::NEVER), ..Health::FINE };
        assert_eq!(tried(&rank(&own, help("112"), full, |_| Buy::Blocked)), "5 2");
        assert_eq!(tried(&rank(&own, help("911"), full, buy)), "2");
        // Better by any route than not at all.
        let none = directory(&[(1, "", 1, 0, 0, ""), (2, "", 2, 0, 0, "")]);
        let first_unwell = |id: TrunkId| Health { well: id != TrunkId(1), ..Health::FINE };
        assert_eq!(tried(&rank(&none, help("112"), first_unwell, buy)), "2 1");
    }

    #[test]
    fn weights_share_calls_in_proportion() {
        let routes = directory(&[(1, "", 1, 0, 30, ""), (2, "", 2, 0, 10, ""), (3, "", 3, 0, 0, "")]);
        let mut first = [0; 3];
        for draw in 0..4000 {
            let ranking = rank(&routes, Ask { draw, ..ask("361") }, |_| Health::FINE, buy);
            assert_eq!(ranking.candidates.len(), 3);
            assert_eq!(ranking.candidates[2].trunk.id, TrunkId(3));
            first[ranking.candidates[0].trunk.id.0 as usize - 1] += 1;
        }
        assert!((2800..3200).contains(&first[0]) && (800..1200).contains(&first[1]), "{first:?}");
    }
}
