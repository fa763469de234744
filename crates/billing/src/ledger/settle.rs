//! The end of a call: each level is charged what it talked for, the rest is released, the record is written. Once.

use std::time::Duration;

use tollgate_types::{Money, Wall};

use super::{Ask, Books, EntryKind, Fault, Outcome, Recover, Settle, answer, chain, open, sources};
use crate::calendar::{Day, Zone};
use crate::cdr::{Cause, Cdr, HangupSide, LevelCharge, Status};
use crate::charge::{Charge, charge, talk_by_day, talk_by_utc_day};
use crate::currency::Rounding;
use crate::hold::{BuyQuote, HoldKey, HoldRow, LevelHold, Turn};
use crate::policy::Rules;

pub(super) fn settle(
    books: &mut Books,
    rules: &Rules,
    ask: &Ask,
    settle: &Settle,
    now: Wall,
) -> Result<Outcome, Fault> {
    let key = ask.hold_key();
    let Some(row) = books.holds.get(&key) else { return missing(books, key) };
    let mut row = row.clone();
    if let Some(at) = settle.cdr.answered_at {
        answer::begin(books, rules, &mut row, at, now)?;
    }
    row.buy = row.buy.take().or_else(|| settle.buy.clone());
    close(books, rules, ask, row, (*settle.cdr).clone(), now)
}

/// Charged up to what is proven: the node lived, and media had not stopped.
pub(super) fn recover(
    books: &mut Books,
    rules: &Rules,
    ask: &Ask,
    recover: &Recover,
    now: Wall,
) -> Result<Outcome, Fault> {
    let key = ask.hold_key();
    let Some(row) = books.holds.get(&key) else { return missing(books, key) };
    let row = row.clone();
    let mut cdr = (*row.draft).clone();
    let proven = row.silent_at.map_or(recover.proven_until, |silent| silent.min(recover.proven_until));
    cdr.hangup_side = Some(HangupSide::Platform);
    cdr.cause = Cause::Crash;
    cdr.answered_at = row.answered_at;
    cdr.ended_at = proven.max(cdr.started_at);
    if let Some(answered_at) = row.answered_at {
        let talked = u64::try_from(proven.since(answered_at).as_millis()).unwrap_or(u64::MAX);
        cdr.status = Status::Answered;
        cdr.sip_status = Some(200);
        cdr.talk_ms = row.paid_ms.map_or(talked, |paid| talked.min(paid));
        cdr.ended_at = answered_at + Duration::from_millis(cdr.talk_ms);
    }
    close(books, rules, ask, row, cdr, now)
}

/// A record without a hold.
pub(super) fn record(books: &mut Books, ask: &Ask, cdr: &Cdr) -> Result<Outcome, Fault> {
    let key = ask.hold_key();
    if books.closed.contains(&key) {
        return Ok(Outcome::Closed);
    }
    if books.holds.contains_key(&key) {
        return Err(Fault::KeyReused);
    }
    let mut cdr = cdr.clone();
    (cdr.call_id, cdr.paid_leg) = (key.call, key.paid_leg);
    cdr.talk_seconds = cdr.talk_ms / 1000;
    books.closed.insert(key);
    books.changes.records.push(cdr.clone());
    Ok(Outcome::Settled(Box::new(cdr)))
}

/// A refusal has happened again: its record says how often by now.
pub(super) fn repeats(books: &mut Books, ask: &Ask, count: u32) -> Result<Outcome, Fault> {
    let key = ask.hold_key();
    if !books.closed.contains(&key) {
        return Err(Fault::UnknownHold);
    }
    books.changes.repeats.push((key, count));
    Ok(Outcome::Done)
}

/// What an ask about a hold gets when there is none.
pub(super) fn missing(books: &Books, key: HoldKey) -> Result<Outcome, Fault> {
    if books.closed.contains(&key) { Ok(Outcome::Closed) } else { Err(Fault::UnknownHold) }
}

fn close(books: &mut Books, rules: &Rules, ask: &Ask, row: HoldRow, mut cdr: Cdr, now: Wall) -> Result<Outcome, Fault> {
    (cdr.call_id, cdr.paid_leg) = (row.key.call, row.key.paid_leg);
    cdr.answered_at = row.answered_at;
    let talk_ms = if row.answered_at.is_some() { cdr.talk_ms } else { 0 };
    (cdr.talk_ms, cdr.talk_seconds) = (talk_ms, talk_ms / 1000);
    // A call that we end at the end of its paid time bills exactly that: the timer's jitter is ours.
    let billable_ms = row.paid_ms.map_or(talk_ms, |paid| talk_ms.min(paid));
    let mut charges = Vec::with_capacity(row.levels.len());
    for level in &row.levels {
        let account = open(books, rules, level.account, now)?;
        let turns = match (row.answered_at, row.paid_ms, &account.state.windows) {
            (Some(at), None, Some(windows)) => windows.turns(&account.terms, at, at + Duration::from_millis(talk_ms)),
            _ => level.turns.clone(),
        };
        let charge = match row.answered_at {
            Some(at) if !row.emergency => charge(&level.plan, at, billable_ms, &turns).at_most(level.held),
            _ => Charge::default(),
        };
        chain::fits(&account.state, charge.amount)?;
        charges.push((charge, turns));
    }
    for (level, (charge, turns)) in row.levels.iter().zip(&charges) {
        post(books, ask, &row, level, charge, turns, talk_ms, now)?;
    }
    for holder in &row.holders {
        let lines = books.lines.entry(*holder).or_default();
        *lines = lines.saturating_sub(1);
    }
    cdr.levels = (row.levels.iter().zip(&charges))
        .map(|(level, (charge, turns))| LevelCharge {
            account: level.account,
            amount: charge.amount,
            currency: level.currency,
            billed_seconds: charge.billed_seconds,
            by_day: charge.days(),
            talk_by_day: talked(&row, talk_ms, turns).into_iter().collect(),
        })
        .collect();
    if let Some(payer) = cdr.levels.first() {
        cdr.account = Some(payer.account);
        (cdr.sell_cost, cdr.currency) = (payer.amount, payer.currency);
        (cdr.billed_seconds, cdr.spend_by_day) = (payer.billed_seconds, payer.by_day.clone());
    }
    if let (Some(at), Some(buy)) = (row.answered_at, &row.buy) {
        cdr.buy_cost = cost_of(buy, at, talk_ms);
    }
    sources::release(books, rules, &row, &cdr, now);
    if let (Some(trunk), Some(at)) = (cdr.trunk_out_id.filter(|_| talk_ms > 0), row.answered_at) {
        for (day, ms) in talk_by_utc_day(at, talk_ms) {
            *books.changes.talk.entry((trunk, day)).or_default() += ms;
        }
    }
    books.holds.remove(&row.key);
    books.closed.insert(row.key);
    books.changes.holds.insert(row.key);
    books.changes.records.push(cdr.clone());
    Ok(Outcome::Settled(Box::new(cdr)))
}

/// Lifts one level's hold, enters its charge, counts its day.
#[expect(
    clippy::too_many_arguments,
    reason = "one level of one call: all of it is needed, none of it belongs together"
)]
fn post(
    books: &mut Books,
    ask: &Ask,
    row: &HoldRow,
    level: &LevelHold,
    charge: &Charge,
    turns: &[Turn],
    talk_ms: u64,
    now: Wall,
) -> Result<(), Fault> {
    let account = books.accounts.get_mut(&level.account).ok_or(Fault::UnknownAccount)?;
    account.state.exchange(Some(level), None).map_err(|_| Fault::Overflow)?;
    books.changes.accounts.insert(level.account);
    if let Some(windows) = &mut account.state.windows {
        for (day, money) in &charge.by_day {
            windows.spend(*day, *money, 0);
            books.changes.days.insert((level.account, *day));
        }
        for (day, ms) in talked(row, talk_ms, turns) {
            windows.spend(day, Money::ZERO, ms);
            books.changes.days.insert((level.account, day));
        }
    }
    if charge.amount > Money::ZERO {
        let amount = Money::ZERO.saturating_sub(charge.amount);
        let note = row.draft.callee.clone();
        books.changes.entries.push(chain::append(account, ask.key, EntryKind::Call, amount, note, now)?);
    }
    Ok(())
}

fn talked(row: &HoldRow, talk_ms: u64, turns: &[Turn]) -> Vec<(Day, u64)> {
    row.answered_at.map(|at| talk_by_day(at, talk_ms, turns)).unwrap_or_default()
}

/// What the carrier asks, in the payer's currency. It bills what was talked, whatever we charge.
fn cost_of(buy: &BuyQuote, answered_at: Wall, talk_ms: u64) -> Money {
    let day = Turn { day: Zone::UTC.day_of(answered_at), from: answered_at };
    buy.exchange.convert(charge(&buy.plan, answered_at, talk_ms, &[day]).amount, Rounding::Up)
}
