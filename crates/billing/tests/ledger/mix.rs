//! Random mixes of calls, crashes, top-ups, changed limits and turning days: no cap is ever passed, and the books balance.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestCaseError, TestRng, TestRunner};
use tollgate_billing::account::AccountKind;
use tollgate_billing::credit::{Standing, dynamic};
use tollgate_billing::hold::Holder;
use tollgate_billing::ledger::EntryKind;
use tollgate_billing::policy::DynamicFor;
use tollgate_billing::price::{Price, Segment};
use tollgate_billing::{AccountTerms, Mode, Outcome, PricePlan};
use tollgate_types::{AccountId, Money, Rate, Rule};

use crate::desk::*;
use crate::mutant::Mutant;

#[derive(Clone, Debug)]
enum Step {
    Hold {
        payer: usize,
        price: usize,
        address: u8,
    },
    Answer(usize),
    Extend(usize),
    Settle(usize),
    Crash {
        lost: u64,
    },
    Pay {
        account: usize,
        micros: i64,
    },
    Wait(u64),
    Replay(usize),
    /// An operator sets one of an account's limits, or takes it away.
    Limit {
        account: usize,
        cap: u8,
        to: Option<i64>,
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0usize..3, 0usize..4, 0u8..3).prop_map(|(payer, price, address)| Step::Hold { payer, price, address }),
        6 => any::<usize>().prop_map(Step::Answer),
        10 => any::<usize>().prop_map(Step::Extend),
        5 => any::<usize>().prop_map(Step::Settle),
        1 => (0u64..40).prop_map(|lost| Step::Crash { lost }),
        2 => (0usize..4, -400_000i64..900_000).prop_map(|(account, micros)| Step::Pay { account, micros }),
        6 => prop_oneof![0u64..20_000, 0u64..300_000, 0u64..40_000_000].prop_map(Step::Wait),
        2 => any::<usize>().prop_map(Step::Replay),
        1 => (0usize..4, 0u8..5, prop::option::of(100_000i64..9_000_000))
            .prop_map(|(account, cap, to)| Step::Limit { account, cap, to }),
    ]
}

fn prices() -> impl Strategy<Value = Vec<(i64, i64, u32, u32, u32, i64, i64)>> {
    let price = (0i64..900_000_000, 0i64..20_000, 1u32..70, 1u32..70, 0u32..4, 0i64..100_000, 0i64..900_000_000);
    prop::collection::vec(price, 4)
}

/// What the caps are about, read from the rows: each use of a limit, by name.
fn uses(desk: &Desk) -> BTreeMap<String, (i64, i64)> {
    let mut uses = BTreeMap::new();
    let mut put = |name: String, used: i64, limit: Option<i64>| {
        uses.insert(name, (used, limit.unwrap_or(i64::MAX)));
    };
    let micros = |limit: Option<Money>| limit.map(Money::micros);
    let policy = &desk.rules.policy;
    for (ip, usage) in &desk.sources {
        let spend = usage.sums(desk.now, policy.ip.period).spend.saturating_add(usage.held);
        put(format!("address {ip}"), spend.micros(), micros(policy.ip.cost_max));
    }
    for row in desk.accounts.values() {
        let (id, state, terms) = (row.id, &row.state, &row.terms);
        // How deep it is in the red, what is held counted as spent.
        let below = state.held.saturating_sub(state.balance);
        put(format!("floor {id}"), below.micros(), terms.floor().map(|floor| -floor.micros()));
        put(format!("burning {id}"), state.burning.nanos(), terms.burn_rate.map(Rate::nanos));
        let lines = desk.holds.values().filter(|hold| hold.holders.contains(&Holder::Account(id))).count() as i64;
        put(format!("lines {id}"), lines, terms.max_lines.map(i64::from));
        if terms.kind == AccountKind::Reseller {
            put(format!("tenant {id}"), lines, policy.tenant_calls.map(i64::from));
        }
        let Some(windows) = &state.windows else { continue };
        let standing = Standing { row, windows, rules: &desk.rules, now: desk.now };
        for day in &windows.days {
            let used = day.spend.saturating_add(day.held).micros();
            put(format!("day {} of {id}", day.day), used, micros(terms.daily_limit));
            if day.day == windows.today {
                put(format!("learned {} of {id}", day.day), used, micros(dynamic::limit(&standing, day.day)));
            }
        }
        for month in &windows.months {
            let limit = terms.monthly_limit_after(windows.active_months);
            put(
                format!("month {} of {id}", month.month),
                month.spend.saturating_add(month.held).micros(),
                micros(limit),
            );
        }
    }
    uses
}

/// No use stands above its limit, save where an operator lowered it below: then it never grows.
fn check_caps(before: &BTreeMap<String, (i64, i64)>, after: &BTreeMap<String, (i64, i64)>) {
    for (name, (used, limit)) in after {
        let was = before.get(name).map_or(0, |(used, _)| *used);
        assert!(used <= limit || *used <= was, "{name}: {used} of {limit}, {was} before");
    }
}

/// One world: what happens, what calls cost, and what the accounts may.
#[derive(Clone, Debug)]
struct World {
    steps: Vec<Step>,
    prices: Vec<(i64, i64, u32, u32, u32, i64, i64)>,
    balances: Vec<i64>,
    daily: Option<i64>,
    monthly: Option<i64>,
    burn: Option<i64>,
    address: Option<i64>,
    lines: Option<u32>,
    tenant: Option<u32>,
    zone: &'static str,
    begin: &'static str,
}

fn world() -> impl Strategy<Value = World> {
    let zones = vec!["UTC", "Europe/Budapest", "America/New_York", "Asia/Kathmandu"];
    let begins = vec!["2026-03-02T10:00:00Z", "2026-03-28T22:50:00Z", "2026-10-31T23:40:00Z"];
    (
        prop::collection::vec(step(), 1..160),
        prices(),
        prop::collection::vec(0i64..30_000_000, 4),
        prop::option::of(200_000i64..6_000_000),
        prop::option::of(500_000i64..9_000_000),
        prop::option::of(400_000_000i64..4_000_000_000),
        prop::option::of(1_000_000i64..20_000_000),
        (prop::option::of(2u32..9), prop::option::of(3u32..12)),
        prop::sample::select(zones),
        prop::sample::select(begins),
    )
        .prop_map(|(steps, prices, balances, daily, monthly, burn, address, (lines, tenant), zone, begin)| World {
            steps,
            prices,
            balances,
            daily,
            monthly,
            burn,
            address,
            lines,
            tenant,
            zone,
            begin,
        })
}

#[test]
fn no_cap_is_passed_and_the_books_balance() {
    let (asked, admitted) = (Cell::new(0u32), Cell::new(0u32));
    let mut runner = TestRunner::new(ProptestConfig { cases: 96, ..ProptestConfig::default() });
    let verdict = runner.run(&world(), |world| live_through(world, None, &asked, &admitted));
    // The message of a failure holds the smallest world that fails: the seed of a test that names it.
    verdict.unwrap_or_else(|failure| panic!("{failure}"));
    let (asked, admitted) = (asked.get(), admitted.get());
    assert!(asked > 1000 && admitted * 2 >= asked, "{admitted} of {asked} calls were admitted: too few to prove much");
}

#[test]
fn a_ledger_that_is_blind_to_a_cap_is_found_out() {
    //  what it does not know, and whose use then stands above its limit
    for (mutant, told) in [
        (Mutant::Blind(Rule::Credit), "floor "),
        (Mutant::Blind(Rule::BurnRate), "burning "),
        (Mutant::Blind(Rule::DailyLimit), "day "),
        (Mutant::Blind(Rule::DynamicLimit), "learned "),
        (Mutant::Blind(Rule::MonthlyLimit), "month "),
        (Mutant::Blind(Rule::IpCost), "address "),
        (Mutant::Blind(Rule::Lines), "lines "),
        (Mutant::Blind(Rule::Overload), "tenant "),
        (Mutant::PayerAlone, " 4: "),
    ] {
        let config =
            ProptestConfig { cases: 200, max_shrink_iters: 0, failure_persistence: None, ..Default::default() };
        let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
        let count = Cell::new(0);
        let verdict = runner.run(&world(), |world| live_through(world, Some(mutant), &count, &Cell::new(0)));
        let failure = verdict.err().map(|failure| failure.to_string()).unwrap_or_default();
        let reason = failure.lines().next().unwrap_or_default();
        assert!(reason.contains(told), "{mutant:?} in {} calls: {reason}", count.get());
    }
}

fn live_through(
    world: World,
    mutant: Option<Mutant>,
    asked: &Cell<u32>,
    admitted: &Cell<u32>,
) -> Result<(), TestCaseError> {
    let World { steps, prices, balances, daily, monthly, burn, address, lines, tenant, zone, begin } = world;
    let mut desk = Desk::new();
    desk.mutant = mutant;
    desk.now = wall(begin);
    desk.rules.policy.dynamic = DynamicFor::EndUsers;
    desk.rules.policy.dynamic_floor_enduser = money("3");
    desk.rules.policy.ip.cost_max = address.map(Money::from_micros);
    desk.rules.policy.tenant_calls = tenant;
    // 1 and 2 are customers of reseller 4; 3 stands alone, on credit.
    let terms = |n: usize| AccountTerms {
        zone: if n == 3 { "UTC" } else { zone }.parse().unwrap(),
        mode: if n == 2 { Mode::Postpaid } else { Mode::Prepaid },
        credit_limit: Some(money("2")),
        kind: if n == 3 { AccountKind::Reseller } else { Default::default() },
        daily_limit: if n == 0 || n == 3 { daily.map(Money::from_micros) } else { None },
        monthly_limit: if n == 1 || n == 3 { monthly.map(Money::from_micros) } else { None },
        burn_rate: if n >= 2 { burn.map(Rate::from_nanos) } else { None },
        max_lines: if n == 1 { lines } else { None },
        ..AccountTerms::default()
    };
    let accounts: Vec<AccountId> =
        (0..4).map(|n| desk.account(n as i64 + 1, &Money::from_micros(balances[n]).to_string(), terms(n))).collect();
    let plan = |desk: &Desk, n: usize, cheaper: i64| {
        let (rate, fee, first, next, grace, change, later) = prices[n];
        let price = |nanos: i64| {
            Some(Price {
                rate: Rate::from_nanos(nanos / cheaper),
                setup_fee: Money::from_micros(fee),
                first,
                next,
                grace,
            })
        };
        let change = desk.now + Duration::from_millis(change as u64);
        PricePlan::new(
            [Segment { from: desk.now, price: price(rate) }, Segment { from: change, price: price(later) }],
            None,
        )
        .unwrap()
    };
    let mut calls: Vec<(i64, u32)> = Vec::new();
    let mut last = 0i64;
    for step in steps {
        let mut before = uses(&desk);
        match step {
            Step::Hold { payer, price, address } => {
                last += 1;
                desk.source = Some([192, 0, 2, address].into());
                let mut chain = vec![(accounts[payer], plan(&desk, price, 1))];
                if payer < 2 {
                    chain.push((accounts[3], plan(&desk, price, 2)));
                }
                let free: Vec<_> = chain.iter().map(|(id, _)| desk.row(*id).state.clone()).collect();
                asked.set(asked.get() + 1);
                match desk.hold(last, &chain) {
                    Outcome::Held(_) => {
                        admitted.set(admitted.get() + 1);
                        calls.push((last, 1));
                    }
                    Outcome::Refused(_) => {
                        for ((id, _), before) in chain.iter().zip(free) {
                            prop_assert_eq!(desk.row(*id).state.held, before.held, "a refusal holds nothing");
                        }
                    }
                    other => panic!("{other:?}"),
                }
            }
            Step::Answer(n) if !calls.is_empty() => {
                let (call, sequence) = calls[n % calls.len()];
                if sequence == 1 && desk.now <= desk.hold_of(call).answer_by {
                    let answered = desk.answer(call);
                    let granted = matches!(answered, Outcome::Answered { .. } | Outcome::Repeated(_));
                    prop_assert!(granted, "{:?}", answered);
                    let at = n % calls.len();
                    calls[at].1 = 2;
                }
            }
            Step::Extend(n) if !calls.is_empty() => {
                let at = n % calls.len();
                let (call, sequence) = calls[at];
                let row = desk.hold_of(call);
                // As the call does: only while the paid time lasts, not long before its end.
                let due = row.paid_until().is_some_and(|until| until >= desk.now);
                if due && sequence > 1 {
                    let before = row.levels.clone();
                    match desk.extend(call, sequence) {
                        Outcome::Extended { .. } => calls[at].1 += 1,
                        Outcome::Refused(_) => prop_assert_eq!(&desk.hold_of(call).levels, &before),
                        other => panic!("{other:?}"),
                    }
                }
            }
            Step::Settle(n) if !calls.is_empty() => {
                let (call, _) = calls.swap_remove(n % calls.len());
                let held: Vec<Money> = desk.hold_of(call).levels.iter().map(|level| level.held).collect();
                let Outcome::Settled(cdr) = desk.settle(call) else { panic!() };
                for (level, held) in cdr.levels.iter().zip(held) {
                    prop_assert!(level.amount <= held, "charge is at most what was held");
                    prop_assert_eq!(level.by_day.values().copied().sum::<Money>(), level.amount);
                }
            }
            Step::Crash { lost } => {
                let proven = desk.now - Duration::from_secs(lost);
                for (call, _) in calls.drain(..) {
                    let settled = matches!(desk.recover(call, proven), Outcome::Settled(_));
                    prop_assert!(settled);
                }
                prop_assert!(desk.accounts.values().all(|row| row.state.held == Money::ZERO));
            }
            Step::Pay { account, micros } if micros != 0 => {
                desk.pay(accounts[account], &Money::from_micros(micros).to_string(), EntryKind::Credit, false);
            }
            Step::Wait(ms) => desk.wait_ms(ms),
            Step::Replay(n) if !calls.is_empty() => {
                let (call, sequence) = calls[n % calls.len()];
                let before = desk.accounts.clone();
                let hold = desk.hold(call, &[(accounts[0], PricePlan::free())]);
                prop_assert!(matches!(hold, Outcome::Repeated(_)));
                if sequence > 2 {
                    let extend = desk.extend(call, sequence - 1);
                    prop_assert!(matches!(extend, Outcome::Repeated(_)), "{:?}", extend);
                }
                for (id, row) in &desk.accounts {
                    prop_assert_eq!(row.state.held, before[id].state.held);
                }
            }
            Step::Limit { account, cap, to } => {
                let terms = &mut desk.accounts.get_mut(&accounts[account]).unwrap().terms;
                let money = to.map(Money::from_micros);
                match cap {
                    0 => terms.daily_limit = money,
                    1 => terms.monthly_limit = money,
                    2 => terms.burn_rate = to.map(|micros| Rate::from_nanos(micros * 1000)),
                    3 => terms.max_lines = to.map(|micros| (micros / 1_000_000) as u32),
                    _ => desk.rules.policy.tenant_calls = to.map(|micros| (micros / 500_000) as u32),
                }
                before = uses(&desk);
            }
            _ => {}
        }
        check_caps(&before, &uses(&desk));
    }
    for (call, _) in calls {
        desk.settle(call);
    }
    for (n, row) in desk.accounts.values().enumerate() {
        prop_assert_eq!(row.state.held, Money::ZERO);
        prop_assert_eq!(row.state.burning, Rate::ZERO);
        let entries: Money = desk.entries.iter().filter(|e| e.account == row.id).map(|e| e.amount).sum();
        prop_assert_eq!(entries, row.state.balance);
        let charged: Money = desk
            .records
            .iter()
            .flat_map(|cdr| &cdr.levels)
            .filter(|level| level.account == row.id)
            .map(|level| level.amount)
            .sum();
        let days: Money = desk.days.iter().filter(|((id, _), _)| *id == row.id).map(|(_, day)| day.spend).sum();
        prop_assert_eq!(days, charged, "counters can be recomputed from the records, account {}", n);
    }
    Ok(())
}
