//! What became of it, read from the records alone: what each theft cost against what the configured rules promise, and who else
//! was refused.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use tollgate_billing::Policy;
use tollgate_billing::calendar::{Day, Zone};
use tollgate_billing::cdr::Cdr;
use tollgate_billing::deck::Reach;
use tollgate_billing::settings::{
    BURN_TIME, DAILY_TRAFFIC_SENDER, DYNAMIC_FLOOR_ENDUSER, DYNAMIC_FLOOR_TRAFFIC_SENDER, DYNAMIC_MULTIPLIER,
};
use tollgate_guard::caller::CALLS;
use tollgate_types::{Currency, Money, Rule, Wall};

use crate::exchange::Done;
use crate::thieves::{BAIT, Theft};
use crate::town::{BEGIN, DAY, Town, money};

pub struct Report {
    pub honest_accounts: usize,
    pub honest_calls: usize,
    pub honest_spend: Money,
    /// Rule, account, and what was said; at most a few are kept.
    honest_refused: Vec<String>,
    thefts: Vec<Loss>,
}

/// One theft and what became of it.
struct Loss {
    theft: Theft,
    tried: usize,
    through: usize,
    stolen: Money,
    /// The least that any cap on money allows in all.
    exposure: Money,
    promises: Vec<Promise>,
}

/// One rule's word.
struct Promise {
    rule: Rule,
    what: &'static str,
    allowed: i64,
    seen: i64,
    /// Amounts are printed as such.
    is_money: bool,
}

pub fn report(town: &Town, done: &Done) -> Report {
    let is_victim = |who: usize| Theft::ALL.iter().any(|theft| town.the(theft.victim()) == who);
    let who = |cdr: &Cdr| cdr.account.map_or(usize::MAX, |account| account.0 as usize - 1);
    let honest = || done.records.iter().filter(|cdr| !is_victim(who(cdr)));
    let refused = done.refused.iter().filter(|refused| {
        // An owner is honest as well, until he is robbed.
        let theft = Theft::ALL.iter().find(|theft| town.the(theft.victim()) == refused.wish.who);
        theft.is_none_or(|theft| refused.at < begins(*theft) && !theft.owns(refused.wish.from))
    });
    let said = |refused: &crate::exchange::Refused| {
        let customer = &town.customers[refused.wish.who];
        format!("{:?} {}: {}", customer.kind, refused.wish.callee, refused.refusal)
    };
    Report {
        honest_accounts: town.customers.len() - Theft::ALL.len(),
        honest_calls: honest().count(),
        honest_spend: honest().map(|cdr| cdr.sell_cost).sum(),
        honest_refused: refused.map(said).take(20).collect(),
        thefts: Theft::ALL.map(|theft| loss(theft, town, done)).into(),
    }
}

/// Midnight before the thief's first call.
fn begins(theft: Theft) -> Wall {
    let day = if theft == Theft::Wholesale { theft.begins() - 1 } else { theft.begins() };
    Wall::from_secs(BEGIN.secs() + day * DAY)
}

fn loss(theft: Theft, town: &Town, done: &Done) -> Loss {
    let victim = &town.customers[town.the(theft.victim())];
    let of_account: Vec<&Cdr> = done.records.iter().filter(|cdr| cdr.account.map(|a| a.0) == Some(victim.id)).collect();
    let stolen: Vec<&Cdr> =
        of_account.iter().copied().filter(|cdr| cdr.source_ip.is_some_and(|address| theft.owns(address))).collect();
    let tried = done.refused.iter().filter(|refused| theft.owns(refused.wish.from) && refused.at == refused.wish.at);
    let spend = |cdrs: &[&Cdr]| cdrs.iter().map(|cdr| cdr.sell_cost).sum::<Money>();
    let days = by_day(&of_account);
    let first = Zone::UTC.day_of(Wall::from_secs(BEGIN.secs() + theft.begins() * DAY));
    // The learned limit of the first day: so many times the dearest day before.
    let usual = days.range(..first).map(|(_, spend)| *spend).max().unwrap_or(Money::ZERO);
    let factor = town.values.multiplier_or_off(&DYNAMIC_MULTIPLIER).expect("it is on").millionths();
    let learned = Money::from_micros(usual.micros() * factor / 1_000_000);
    let on_first = days.get(&first).copied().unwrap_or(Money::ZERO);
    let before: Vec<&Cdr> = of_account.iter().copied().filter(|cdr| cdr.started_at < begins(theft)).collect();
    let mut promises = Vec::new();
    let mut promise = |rule, what, allowed: i64, seen: i64, is_money| {
        promises.push(Promise { rule, what, allowed, seen, is_money });
    };
    let exposure = match theft {
        Theft::Burst => {
            let limit = learned.max(town.values.money(&DYNAMIC_FLOOR_ENDUSER));
            let closed: Vec<&Cdr> = stolen.iter().copied().filter(|cdr| cdr.callee.starts_with("882")).collect();
            let islands: BTreeSet<&str> =
                stolen.iter().filter(|cdr| cdr.callee.starts_with("1876")).map(|cdr| cdr.callee.as_str()).collect();
            let lines = victim.lines.expect("it has lines of its own");
            promise(Rule::DestinationBlocked, "spend on closed ranges", 0, spend(&closed).micros(), true);
            promise(Rule::Lines, "calls at once", i64::from(lines), at_once(&of_account, |_| 1), false);
            // By night, four numbers in a new country weigh 40 points and five dear ones 40: the fifth is one too many.
            promise(Rule::Fraud, "new dear numbers reached", 4, islands.len() as i64, false);
            promise(Rule::DynamicLimit, "spend that day", limit.micros(), on_first.micros(), true);
            limit
        }
        Theft::Drain => {
            let (daily, monthly) = (victim.terms.daily_limit.expect("set"), victim.terms.monthly_limit.expect("set"));
            let worst = days.values().copied().max().unwrap_or(Money::ZERO);
            promise(Rule::DailyLimit, "dearest day", daily.micros(), worst.micros(), true);
            promise(Rule::MonthlyLimit, "spend of the month", monthly.micros(), spend(&of_account).micros(), true);
            monthly.saturating_sub(spend(&before))
        }
        Theft::Wholesale => {
            let limit = learned.max(town.values.money(&DYNAMIC_FLOOR_TRAFFIC_SENDER));
            let daily = town.values.money(&DAILY_TRAFFIC_SENDER);
            let seconds = town.values.duration(&BURN_TIME).as_secs() as i64;
            let burn = daily.micros() * 60 / seconds;
            let bait = stolen.iter().filter(|cdr| cdr.caller == BAIT).count();
            let mut by_address: BTreeMap<_, Money> = BTreeMap::new();
            for cdr in &stolen {
                let sum = by_address.entry((cdr.source_ip, Zone::UTC.day_of(cdr.started_at))).or_default();
                *sum = sum.saturating_add(cdr.sell_cost);
            }
            let worst = by_address.values().copied().max().unwrap_or(Money::ZERO);
            let price = |cdr: &Cdr| {
                let number = cdr.callee.parse().expect("a number");
                town.sell.find(&number, cdr.started_at, Reach::Offnet).expect("a price").price.rate.nanos() / 1000
            };
            let balance = victim.balance.saturating_sub(spend(&before));
            let dearest = days.values().copied().max().unwrap_or(Money::ZERO);
            promise(Rule::CallerBanned, "one-ring calls", town.values.integer(&CALLS), bait as i64, false);
            promise(Rule::BurnRate, "price a minute of all calls at once", burn, at_once(&of_account, price), true);
            let of_address = Policy::read(&town.values, Currency::USD).ip.cost_max.expect("it is limited");
            promise(Rule::IpCost, "spend of one address", of_address.micros(), worst.micros(), true);
            promise(Rule::DynamicLimit, "spend of the first day", limit.micros(), on_first.micros(), true);
            promise(Rule::DailyLimit, "dearest day", daily.micros(), dearest.micros(), true);
            let since = spend(&of_account).saturating_sub(spend(&before));
            promise(Rule::Credit, "spend since, of the balance then", balance.micros(), since.micros(), true);
            balance
        }
    };
    Loss {
        theft,
        tried: tried.count() + stolen.len(),
        through: stolen.len(),
        stolen: spend(&stolen),
        exposure,
        promises,
    }
}

fn by_day(cdrs: &[&Cdr]) -> BTreeMap<Day, Money> {
    let mut days: BTreeMap<Day, Money> = BTreeMap::new();
    for (day, spend) in cdrs.iter().flat_map(|cdr| &cdr.spend_by_day) {
        let sum = days.entry(*day).or_default();
        *sum = sum.saturating_add(*spend);
    }
    days
}

/// The most that `weight` comes to over calls that live at the same time.
fn at_once(cdrs: &[&Cdr], weight: impl Fn(&Cdr) -> i64) -> i64 {
    // Who ends in an instant makes room for who begins in it.
    let mut steps: Vec<(Wall, i64)> =
        cdrs.iter().flat_map(|cdr| [(cdr.started_at, weight(cdr)), (cdr.ended_at, -weight(cdr))]).collect();
    steps.sort_unstable();
    let (mut sum, mut most) = (0, 0);
    for (_, step) in steps {
        sum += step;
        most = most.max(sum);
    }
    most
}

impl Report {
    /// The rules whose word was broken.
    pub fn broken(&self) -> BTreeSet<Rule> {
        let promises = self.thefts.iter().flat_map(|loss| &loss.promises);
        promises.filter(|promise| promise.seen > promise.allowed).map(|promise| promise.rule).collect()
    }

    /// All that should not be.
    pub fn failures(&self) -> Vec<String> {
        let mut failures: Vec<String> = self.honest_refused.iter().map(|said| format!("refused: {said}")).collect();
        for loss in &self.thefts {
            if loss.stolen > loss.exposure {
                failures.push(format!("{}: {} stolen of {}", loss.theft, loss.stolen, loss.exposure));
            }
            if loss.through == 0 || loss.stolen < money("0.5") {
                failures.push(format!("{}: nothing was stolen, so nothing is shown", loss.theft));
            }
            for promise in loss.promises.iter().filter(|promise| promise.seen > promise.allowed) {
                failures.push(format!("{}: {promise}", loss.theft));
            }
        }
        failures
    }
}

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = |value: i64| {
            if self.is_money { Money::from_micros(value).to_string() } else { value.to_string() }
        };
        write!(f, "{:<20} {:<38} {:>12} of {:>12}", self.rule.id(), self.what, value(self.seen), value(self.allowed))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { honest_accounts, honest_calls, honest_spend, honest_refused, thefts } = self;
        writeln!(
            f,
            "{honest_accounts} honest accounts: {honest_calls} calls, {honest_spend} spent, {} refused",
            honest_refused.len()
        )?;
        for said in honest_refused {
            writeln!(f, "    {said}")?;
        }
        for Loss { theft, tried, through, stolen, exposure, promises } in thefts {
            writeln!(f, "{theft}: {through} of {tried} calls got through, {stolen} stolen, {exposure} exposed")?;
            for promise in promises {
                writeln!(f, "    {promise}")?;
            }
        }
        Ok(())
    }
}
