//! What every cap leaves room for is granted, and not a millionth more; a ledger that is off by one step does not pass here.

use proptest::prelude::*;
use tollgate_billing::account::AccountKind;
use tollgate_billing::ledger::What;
use tollgate_billing::minimum::minimum;
use tollgate_billing::policy::DynamicFor;
use tollgate_billing::price::{Price, PricePlan};
use tollgate_billing::{AccountTerms, Ask, AskKey, Mode, Outcome};
use tollgate_types::{AccountId, CallId, Money, Mono, Rate, Rule};

use crate::desk::*;
use crate::mutant::Mutant;

/// Who is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    Payer,
    Reseller,
}

/// A desk on which `rule` leaves `room` at `level` and nothing else limits, and the chain that pays.
fn limited(rule: Rule, level: Level, room: i64) -> (Desk, Vec<AccountId>) {
    let mut desk = Desk::new();
    let generous = "1000000";
    let mut limited = AccountTerms::default();
    let mut balance = generous.to_owned();
    let money = Some(Money::from_micros(room));
    match rule {
        Rule::Credit if level == Level::Payer => balance = Money::from_micros(room).to_string(),
        Rule::Credit => {
            (limited.mode, limited.credit_limit) = (Mode::Postpaid, money);
            balance = "0".to_owned();
        }
        Rule::DailyLimit => limited.daily_limit = money,
        Rule::MonthlyLimit => limited.monthly_limit = money,
        Rule::DynamicLimit => {
            desk.rules.policy.dynamic = DynamicFor::EndUsers;
            desk.rules.policy.dynamic_floor_enduser = Money::from_micros(room);
        }
        Rule::IpCost => desk.rules.policy.ip.cost_max = money,
        Rule::BurnRate => limited.burn_rate = Some(Rate::from_nanos(room)),
        Rule::Lines => limited.max_lines = Some(room as u32),
        Rule::Overload => desk.rules.policy.tenant_calls = Some(room as u32),
        _ => unreachable!("no cap of the ledger"),
    }
    if level == Level::Payer && rule != Rule::Overload {
        return (desk_with(desk, &[(1, &balance, limited)]), vec![AccountId(1)]);
    }
    limited.kind = AccountKind::Reseller;
    let payer = AccountTerms { parent: Some(AccountId(2)), ..AccountTerms::default() };
    (desk_with(desk, &[(1, generous, payer), (2, &balance, limited)]), vec![AccountId(1), AccountId(2)])
}

fn desk_with(mut desk: Desk, accounts: &[(i64, &str, AccountTerms)]) -> Desk {
    for (id, balance, terms) in accounts {
        desk.account(*id, balance, terms.clone());
    }
    desk
}

/// So many of `count` calls that come in one transaction are granted; from so many addresses in turn.
fn granted(desk: &mut Desk, chain: &[AccountId], plan: &PricePlan, count: i64, addresses: u16) -> i64 {
    let levels: Vec<_> = chain.iter().map(|id| (*id, plan.clone())).collect();
    let asks: Vec<Ask> = (0..count)
        .map(|call| {
            desk.source = Some(std::net::Ipv4Addr::from(0xc633_0000 + call as u32 % u32::from(addresses)).into());
            let hold = desk.hold_ask(call, &levels);
            let key = AskKey { call: CallId::from_i64(call), paid_leg: 0, sequence: 0 };
            Ask { key, give_up_at: Mono::NEVER, what: What::Hold(Box::new(hold)) }
        })
        .collect();
    let outcomes = desk.commit(&asks);
    outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Held(_))).count() as i64
}

/// A cap, at whose level it is, what it leaves, what of it one call takes.
const CAPS: [(Rule, Level, i64, i64); 12] = [
    (Rule::Credit, Level::Payer, 3_700_000, 100_000),
    (Rule::Credit, Level::Reseller, 3_700_000, 100_000),
    (Rule::DailyLimit, Level::Payer, 3_700_000, 100_000),
    (Rule::DailyLimit, Level::Reseller, 3_700_000, 100_000),
    (Rule::MonthlyLimit, Level::Payer, 3_700_000, 100_000),
    (Rule::MonthlyLimit, Level::Reseller, 3_700_000, 100_000),
    (Rule::DynamicLimit, Level::Payer, 3_700_000, 100_000),
    (Rule::IpCost, Level::Payer, 3_700_000, 100_000),
    (Rule::BurnRate, Level::Payer, 22_200_000_000, 600_000_000),
    (Rule::BurnRate, Level::Reseller, 22_200_000_000, 600_000_000),
    (Rule::Lines, Level::Payer, 37, 1),
    (Rule::Overload, Level::Reseller, 37, 1),
];

#[test]
fn every_cap_grants_what_fits_and_not_the_smallest_step_more() {
    for (rule, level, room, one) in CAPS {
        for (room, fits) in [(room, 37), (room - 1, 36), (room + one - 1, 37)] {
            let (mut desk, chain) = limited(rule, level, room);
            assert_eq!(granted(&mut desk, &chain, &plan("0.60 1/1"), 60, 1), fits, "{rule:?} of {level:?}: {room}");
        }
    }
}

#[test]
fn a_ledger_that_takes_a_cap_for_larger_by_the_smallest_step_is_found_out() {
    for (rule, level, room, _) in CAPS {
        // Of a reseller whom the settings limit, and of lines, one step is one call.
        for mutant in [Mutant::Loose(rule), Mutant::Blind(rule)] {
            let (mut desk, chain) = limited(rule, level, room - 1);
            desk.mutant = Some(mutant);
            let seen = granted(&mut desk, &chain, &plan("0.60 1/1"), 60, 1);
            assert_ne!(seen, 36, "{mutant:?} of {level:?} goes unnoticed");
        }
        if level == Level::Reseller {
            let (mut desk, chain) = limited(rule, level, room);
            desk.mutant = Some(Mutant::PayerAlone);
            assert_ne!(
                granted(&mut desk, &chain, &plan("0.60 1/1"), 60, 1),
                37,
                "{rule:?}: nobody looks above the payer"
            );
        }
    }
}

#[test]
fn of_ten_thousand_invites_at_once_from_many_addresses_exactly_those_are_granted_that_the_account_affords() {
    //  balance  price              minimum asks it affords
    for (balance, text, affords) in [("13.7099", "0.60 1/1", 137), ("99.90", "0.60 60/60 +0.10", 142)] {
        let mut desk = Desk::new();
        let anna = desk.prepaid(1, balance);
        assert_eq!(granted(&mut desk, &[anna], &plan(text), 10_000, 5000), affords, "{balance}");
        desk.check_floors();
    }
}

proptest! {
    #[test]
    fn of_n_calls_as_many_are_granted_as_the_room_has_minimum_asks(
        rate in 1i64..5_000_000_000, fee in 0i64..200_000, first in 1u32..90, next in 1u32..90,
        room in 0i64..20_000_000, cap in 0usize..CAPS.len(), n in 1i64..120,
    ) {
        let price = Price { rate: Rate::from_nanos(rate), setup_fee: Money::from_micros(fee), first, next, grace: 0 };
        let plan = PricePlan::flat(price);
        let (rule, level, ..) = CAPS[cap];
        let (room, of) = match rule {
            Rule::BurnRate => (room * 1000, rate),
            Rule::Lines | Rule::Overload => (room % 120, 1),
            _ => (room, minimum(&plan, wall("2026-03-02T10:00:00Z"), 300, 10).unwrap().amount.micros()),
        };
        let (mut desk, chain) = limited(rule, level, room);
        prop_assert_eq!(granted(&mut desk, &chain, &plan, n, 1), (room / of).min(n), "{:?} of {:?}", rule, level);
    }
}
