//! What honest people want to call in a month.

use std::net::IpAddr;
use std::time::Duration;

use tollgate_types::Wall;

use crate::dice::Dice;
use crate::town::{BEGIN, Customer, DAY, DAYS, Kind, Town};

// Ordinary numbers begin like this; seven digits follow.
const HOME: &str = "3630";
pub const LONDON: &str = "44207";
const BERLIN: &str = "4930";
const AUSTRIA: &str = "43664";
pub const SERBIA: &str = "38164";
const INDIA: &str = "91982";

/// A call that somebody wants to make.
#[derive(Clone, Debug)]
pub struct Wish {
    pub at: Wall,
    /// Which customer.
    pub who: usize,
    pub from: IpAddr,
    /// The caller's number as shown; empty for one's own.
    pub shown: Box<str>,
    pub callee: Box<str>,
    /// Seconds until it is answered, or given up.
    pub rings: u64,
    /// Seconds of talk; `None` where nobody answers.
    pub talks: Option<u64>,
}

/// Everybody's month. What was stolen is used by its owner as well.
pub fn month(town: &Town, dice: &mut Dice) -> Vec<Wish> {
    let mut wishes = Vec::new();
    for (who, customer) in town.customers.iter().enumerate() {
        let friends = friends(customer, dice);
        let mut own = Vec::new();
        for day in 0..DAYS {
            for _ in 0..calls(customer, day, dice) {
                own.push(wish(who, customer, day, &friends, dice));
            }
        }
        own.sort_by_key(|wish| wish.at);
        let mut busy: Vec<Wall> = Vec::new();
        own.retain(|wish| {
            busy.retain(|ends_at| *ends_at > wish.at);
            let free = busy.len() < phones(customer.kind);
            if free {
                busy.push(wish.at + Duration::from_secs(wish.rings + wish.talks.unwrap_or(0)));
            }
            free
        });
        wishes.extend(own);
    }
    wishes
}

/// Nobody makes more calls at a time than he has phones.
fn phones(kind: Kind) -> usize {
    match kind {
        Kind::Resident | Kind::Newcomer(_) | Kind::Pensioner => 1,
        Kind::Shop => 2,
        Kind::Office => 20,
        Kind::CallCentre => 30,
        Kind::Wholesaler | Kind::Exchange => usize::MAX,
    }
}

/// How many calls on a day.
fn calls(customer: &Customer, day: i64, dice: &mut Dice) -> i64 {
    // Sunday is a third of Monday.
    let share = [300, 240, 240, 230, 240, 150, 100][day as usize % 7];
    match customer.kind {
        Kind::Resident | Kind::Pensioner => dice.within(0, 3),
        Kind::Newcomer(comes) if day < comes => 0,
        Kind::Newcomer(comes) if day == comes => dice.within(6, 9),
        Kind::Newcomer(_) => dice.within(0, 3),
        Kind::Office => dice.within(6, 9) * share / 100,
        Kind::Shop => dice.within(3, 6) * share / 100,
        Kind::CallCentre => {
            if day % 7 < 5 {
                dice.within(220, 260)
            } else {
                0
            }
        }
        Kind::Wholesaler | Kind::Exchange => dice.within(35, 50) * share / 100,
    }
}

/// Whom one calls again and again.
fn friends(customer: &Customer, dice: &mut Dice) -> Vec<Box<str>> {
    let abroad = match customer.kind {
        Kind::Pensioner => SERBIA,
        Kind::Newcomer(_) => INDIA,
        _ => [LONDON, BERLIN, AUSTRIA, SERBIA][customer.id as usize % 4],
    };
    (0..8).map(|n| dice.number(if n < 6 { HOME } else { abroad }, 7)).collect()
}

fn wish(who: usize, customer: &Customer, day: i64, friends: &[Box<str>], dice: &mut Dice) -> Wish {
    let hours = match customer.kind {
        Kind::Office | Kind::Shop | Kind::CallCentre => (8, 18),
        Kind::Wholesaler | Kind::Exchange => (0, 24),
        _ => (7, 23),
    };
    let at = BEGIN.secs() + day * DAY + dice.within(hours.0 * 3600, hours.1 * 3600);
    let friend = || friends.len() as i64;
    let callee = match customer.kind {
        Kind::CallCentre => dice.number(HOME, 7),
        Kind::Wholesaler | Kind::Exchange => {
            let prefix = [HOME, LONDON, BERLIN, SERBIA][dice.within(0, 4) as usize];
            dice.number(prefix, 7)
        }
        // The first day of somebody who has moved: everybody at home is called.
        Kind::Newcomer(comes) if comes == day => dice.number(INDIA, 7),
        Kind::Office if dice.percent(30) => {
            let city = [AUSTRIA, BERLIN, LONDON][dice.within(0, 3) as usize];
            dice.number(city, 7)
        }
        _ => friends[dice.within(0, friend()) as usize].clone(),
    };
    let (answered, longest) = match customer.kind {
        Kind::CallCentre => (45, 240),
        Kind::Newcomer(comes) if comes == day => (90, 480),
        _ => (75, 420),
    };
    let talks = dice.percent(answered).then(|| dice.within(10, longest) as u64);
    let shown = if customer.kind.is_wholesale() { dice.number(LONDON, 7) } else { "".into() };
    let rings = dice.within(3, 25) as u64;
    Wish { at: Wall::from_secs(at), who, from: customer.address, shown, callee, rings, talks }
}
