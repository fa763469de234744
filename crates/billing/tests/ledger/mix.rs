//! Random mixes of calls, crashes, top-ups, changed limits and turning days: no cap is ever passed, and the books balance.

use std::cell::Cell;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{TestCaseError, TestRunner};
use tollgate_billing::ledger::{EntryKind, What};
use tollgate_billing::policy::DynamicFor;
use tollgate_billing::price::{Price, Segment};
use tollgate_billing::{AccountTerms, Mode, Outcome, PricePlan};
use tollgate_types::{AccountId, Money, Rate};

use crate::desk::*;

#[derive(Clone, Debug)]
enum Step {
    Hold { payer: usize, price: usize },
    Answer(usize),
    Extend(usize),
    Settle(usize),
    Crash { lost: u64 },
    Pay { account: usize, micros: i64 },
    Wait(u64),
    Replay(usize),
    Lower { account: usize },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0usize..3, 0usize..4).prop_map(|(payer, price)| Step::Hold { payer, price }),
        6 => any::<usize>().prop_map(Step::Answer),
        10 => any::<usize>().prop_map(Step::Extend),
        5 => any::<usize>().prop_map(Step::Settle),
        1 => (0u64..40).prop_map(|lost| Step::Crash { lost }),
        2 => (0usize..4, -400_000i64..900_000).prop_map(|(account, micros)| Step::Pay { account, micros }),
        6 => prop_oneof![0u64..20_000, 0u64..300_000, 0u64..40_000_000].prop_map(Step::Wait),
        2 => any::<usize>().prop_map(Step::Replay),
        1 => (0usize..4).prop_map(|account| Step::Lower { account }),
    ]
}

fn prices() -> impl Strategy<Value = Vec<(i64, i64, u32, u32, u32, i64, i64)>> {
    let price = (0i64..900_000_000, 0i64..20_000, 1u32..70, 1u32..70, 0u32..4, 0i64..100_000, 0i64..900_000_000);
    prop::collection::vec(price, 4)
}

/// What a cap allowed when it was last asked: the books may never pass it, unless it was lowered since.
fn check_caps(desk: &Desk, lowered: &[bool; 4]) {
    if let Some(limit) = desk.rules.policy.ip.cost_max {
        for usage in desk.sources.values() {
            let spend = usage.sums(desk.now, desk.rules.policy.ip.period).spend;
            assert!(spend.saturating_add(usage.held) <= limit, "{usage:?}");
        }
    }
    for (n, row) in desk.accounts.values().enumerate() {
        if lowered[n] {
            continue;
        }
        let Some(windows) = &row.state.windows else { continue };
        for day in &windows.days {
            let used = day.spend.saturating_add(day.held);
            if let Some(limit) = row.terms.daily_limit {
                assert!(used <= limit, "day {day:?} of {row:?}");
            }
        }
        for month in &windows.months {
            if let Some(limit) = row.terms.monthly_limit_after(windows.active_months) {
                assert!(month.spend.saturating_add(month.held) <= limit, "month {month:?} of {row:?}");
            }
        }
        if let Some(limit) = row.terms.burn_rate {
            assert!(row.state.burning <= limit);
        }
        let standing = tollgate_billing::credit::Standing { row, windows, rules: &desk.rules, now: desk.now };
        let today = windows.today;
        if let Some(limit) = tollgate_billing::credit::dynamic::limit(&standing, today) {
            assert!(windows.used_on(today) <= limit, "today of {row:?}");
        }
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
        prop::sample::select(zones),
        prop::sample::select(begins),
    )
        .prop_map(|(steps, prices, balances, daily, monthly, burn, address, zone, begin)| World {
            steps,
            prices,
            balances,
            daily,
            monthly,
            burn,
            address,
            zone,
            begin,
        })
}

#[test]
fn no_cap_is_passed_and_the_books_balance() {
    let (asked, admitted) = (Cell::new(0u32), Cell::new(0u32));
    let mut runner = TestRunner::new(ProptestConfig { cases: 96, ..ProptestConfig::default() });
    let verdict = runner.run(&world(), |world| live_through(world, &asked, &admitted));
    // The message of a failure holds the smallest world that fails: the seed of a test that names it.
    verdict.unwrap_or_else(|failure| panic!("{failure}"));
    let (asked, admitted) = (asked.get(), admitted.get());
    assert!(asked > 1000 && admitted * 2 >= asked, "{admitted} of {asked} calls were admitted: too few to prove much");
}

fn live_through(world: World, asked: &Cell<u32>, admitted: &Cell<u32>) -> Result<(), TestCaseError> {
    let World { steps, prices, balances, daily, monthly, burn, address, zone, begin } = world;
    let mut desk = Desk::new();
    desk.now = wall(begin);
    desk.rules.policy.dynamic = DynamicFor::EndUsers;
    desk.rules.policy.dynamic_floor_enduser = money("3");
    desk.rules.policy.ip.cost_max = address.map(Money::from_micros);
    desk.source = Some([192, 0, 2, 7].into());
    // 1 and 2 are customers of reseller 4; 3 stands alone, on credit.
    let terms = |n: usize| AccountTerms {
        zone: if n == 3 { "UTC" } else { zone }.parse().unwrap(),
        mode: if n == 2 { Mode::Postpaid } else { Mode::Prepaid },
        credit_limit: Some(money("2")),
        kind: if n == 3 { tollgate_billing::AccountKind::Reseller } else { Default::default() },
        daily_limit: if n == 0 { daily.map(Money::from_micros) } else { None },
        monthly_limit: if n == 1 { monthly.map(Money::from_micros) } else { None },
        burn_rate: if n == 2 { burn.map(Rate::from_nanos) } else { None },
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
    let mut lowered = [false; 4];
    let mut calls: Vec<(i64, u32)> = Vec::new();
    let mut last = 0i64;
    for step in steps {
        match step {
            Step::Hold { payer, price } => {
                last += 1;
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
            Step::Lower { account } => {
                lowered[account] = true;
                let terms = &mut desk.accounts.get_mut(&accounts[account]).unwrap().terms;
                terms.daily_limit = Some(Money::from_micros(100_000));
            }
            _ => {}
        }
        desk.check_floors();
        check_caps(&desk, &lowered);
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

proptest! {
    #[test]
    fn of_n_calls_as_many_are_granted_as_the_room_has_minimum_asks(
        rate in 1i64..5_000_000_000, fee in 0i64..200_000, first in 1u32..90, next in 1u32..90,
        room in 0i64..20_000_000, cap in 0u8..4, n in 1usize..120,
    ) {
        let mut desk = Desk::new();
        let price = Price { rate: Rate::from_nanos(rate), setup_fee: Money::from_micros(fee), first, next, grace: 0 };
        let plan = PricePlan::flat(price);
        let limit = Some(Money::from_micros(room));
        let generous = money("1000000");
        let (balance, terms) = match cap {
            0 => (Money::from_micros(room), AccountTerms::default()),
            1 => (generous, AccountTerms { daily_limit: limit, ..AccountTerms::default() }),
            2 => (generous, AccountTerms { monthly_limit: limit, ..AccountTerms::default() }),
            _ => (Money::ZERO, AccountTerms { mode: Mode::Postpaid, credit_limit: limit, ..AccountTerms::default() }),
        };
        let anna = desk.account(1, &balance.to_string(), terms);
        let ask = tollgate_billing::minimum::minimum(&plan, desk.now, 300, 10).unwrap().amount.micros();
        let asks: Vec<_> = (0..n as i64).map(|call| tollgate_billing::Ask {
            key: tollgate_billing::AskKey { call: tollgate_types::CallId::from_i64(call), paid_leg: 0, sequence: 0 },
            give_up_at: tollgate_types::Mono::NEVER,
            what: What::Hold(Box::new(desk.hold_ask(call, &[(anna, plan.clone())]))),
        }).collect();
        let granted = desk.commit(&asks).iter().filter(|outcome| matches!(outcome, Outcome::Held(_))).count();
        prop_assert_eq!(granted as i64, (room / ask).min(n as i64));
    }
}
