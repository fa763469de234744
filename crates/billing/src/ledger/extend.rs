//! A running call asks for more time: a few whole increments that every cap of every level can pay, or none.

use std::time::Duration;

use tollgate_types::{Money, Rate, Refusal, Wall};

use super::{Ask, Books, Extend, Fault, Outcome, admit, answer, open, sources, standing};
use crate::charge::price_of;
use crate::credit::Claim;
use crate::hold::{HoldRow, LevelHold, Turn};
use crate::increment::later;
use crate::policy::Rules;

pub(super) fn extend(
    books: &mut Books,
    rules: &Rules,
    ask: &Ask,
    extend: &Extend,
    now: Wall,
) -> Result<Outcome, Fault> {
    let key = ask.hold_key();
    let Some(row) = books.holds.get(&key) else { return super::settle::missing(books, key) };
    if ask.key.sequence <= row.sequence {
        return Ok(Outcome::Repeated(Box::new(extended(row))));
    }
    let mut row = row.clone();
    for level in &row.levels {
        open(books, rules, level.account, now)?;
    }
    answer::begin(books, rules, &mut row, extend.answered_at, now)?;
    let verdict = match (row.answered_at, row.paid_ms) {
        (Some(answered_at), Some(paid_ms)) => more(books, rules, &mut row, answered_at, paid_ms, now)?,
        _ => None,
    };
    let outcome = match verdict {
        Some(refusal) => Outcome::Refused(refusal),
        // Only what was granted is a replay when it comes again; a refused question may be asked anew.
        None => {
            row.sequence = ask.key.sequence;
            extended(&row)
        }
    };
    books.changes.holds.insert(key);
    books.holds.insert(key, row);
    Ok(outcome)
}

/// Extends `row` by a slice, or says why not even one increment can be paid.
fn more(
    books: &mut Books,
    rules: &Rules,
    row: &mut HoldRow,
    answered_at: Wall,
    paid_ms: u64,
    now: Wall,
) -> Result<Option<Refusal>, Fault> {
    let begin = later(answered_at, paid_ms as i64 * 1000);
    for level in &row.levels {
        if !row.emergency && standing(books, rules, level.account, now)?.row.terms.disabled {
            return Ok(Some(admit::disabled().refusal()));
        }
        if level.plan.at(begin).is_none() {
            return Ok(Some(admit::no_price(&row.draft.callee)));
        }
    }
    let payer = row.levels.first().and_then(|level| level.plan.at(begin)).ok_or(Fault::UnknownAccount)?;
    let step_ms = u64::from(payer.next.max(1)) * 1000;
    let longest = longest_slice(books, rules, row, begin, now, step_ms)?;
    // The largest slice that no level pays more than its share of what is free for; at least one increment.
    let (mut fits, mut too_many) = (1, longest + 1);
    while too_many - fits > 1 {
        let middle = fits + (too_many - fits) / 2;
        if is_modest(books, rules, row, answered_at, begin, paid_ms + middle * step_ms, now)? {
            fits = middle;
        } else {
            too_many = middle;
        }
    }
    let paid_ms = paid_ms + fits * step_ms;
    let mut after = Vec::with_capacity(row.levels.len());
    for level in &row.levels {
        after.push(stretched(books, rules, level, answered_at, begin, paid_ms, now)?);
    }
    if let Some(finding) = sources::grows(books, rules, row, after.first(), now).filter(|finding| !finding.passes) {
        return Ok(Some(finding.refusal()));
    }
    for (before, after) in row.levels.iter().zip(&after) {
        let standing = standing(books, rules, before.account, now)?;
        let claim = Claim { standing, before: Some(before), after };
        let refused = claim.findings().find(|finding| !finding.passes);
        standing.row.state.clone().exchange(Some(before), Some(after)).map_err(|_| Fault::Overflow)?;
        if let Some(finding) = refused {
            admit::mark(books, rules, after.account, &finding, now);
            return Ok(Some(finding.refusal()));
        }
    }
    for (before, after) in row.levels.iter_mut().zip(after) {
        let account = books.accounts.get_mut(&before.account).ok_or(Fault::UnknownAccount)?;
        account.state.exchange(Some(before), Some(&after)).map_err(|_| Fault::Overflow)?;
        books.changes.accounts.insert(before.account);
        *before = after;
    }
    row.paid_ms = Some(paid_ms);
    sources::follow(books, row);
    Ok(None)
}

/// How many increments from `begin` make up a slice in time, all of them beginning before any level's price or day changes.
fn longest_slice(
    books: &Books,
    rules: &Rules,
    row: &HoldRow,
    begin: Wall,
    now: Wall,
    step_ms: u64,
) -> Result<u64, Fault> {
    let mut count = (u64::from(rules.policy.slice) * 1000 / step_ms).max(1);
    for level in &row.levels {
        let standing = standing(books, rules, level.account, now)?;
        let turn = standing.windows.next_turn(&standing.row.terms, begin);
        let stop = level.plan.next_change(begin).map_or(turn, |change| change.min(turn));
        let until_ms = (stop.micros() - begin.micros()).max(1).unsigned_abs().div_ceil(1000);
        count = count.min(until_ms.div_ceil(step_ms).max(1));
    }
    Ok(count)
}

/// Does paying up to `paid_ms` take no more than its share of what each level has free?
fn is_modest(
    books: &Books,
    rules: &Rules,
    row: &HoldRow,
    answered_at: Wall,
    begin: Wall,
    paid_ms: u64,
    now: Wall,
) -> Result<bool, Fault> {
    for (n, level) in row.levels.iter().enumerate() {
        let after = stretched(books, rules, level, answered_at, begin, paid_ms, now)?;
        let standing = standing(books, rules, level.account, now)?;
        let day = after.day_at(begin).unwrap_or(standing.windows.today);
        let asked = after.held.saturating_sub(level.held);
        if asked > Money::ZERO && standing.available_on(day).is_some_and(|free| asked > share(free, rules)) {
            return Ok(false);
        }
        let (payer, address) = (n == 0, sources::free(books, rules, row, now));
        if let Some((asked, free)) = address.filter(|_| payer).map(|(source, free)| (source.convert(asked), free))
            && asked > Money::ZERO
            && asked > share(free, rules)
        {
            return Ok(false);
        }
    }
    Ok(true)
}

/// What one extension may take of what is free.
fn share(free: Money, rules: &Rules) -> Money {
    Money::from_micros(free.micros() / i64::from(rules.policy.slice_share.max(1)))
}

/// One level's hold for `paid_ms` from the answer, of which what begins at `begin` is new.
fn stretched(
    books: &Books,
    rules: &Rules,
    level: &LevelHold,
    answered_at: Wall,
    begin: Wall,
    paid_ms: u64,
    now: Wall,
) -> Result<LevelHold, Fault> {
    let standing = standing(books, rules, level.account, now)?;
    let end = answered_at + Duration::from_millis(paid_ms);
    let mut turns = level.turns.clone();
    let known = turns.last().map_or(answered_at, |turn| turn.from);
    for Turn { day, from } in standing.windows.turns(&standing.row.terms, later(begin, -1).max(known), end) {
        if from > known && turns.last().is_none_or(|last| last.day != day) {
            turns.push(Turn { day, from });
        }
    }
    let price = price_of(&level.plan, answered_at, paid_ms, &turns);
    let rate = level.plan.at(begin).map_or(Rate::ZERO, |price| price.rate);
    Ok(LevelHold { held: price.amount, days: price.by_day, turns, rate, ..level.clone() })
}

fn extended(row: &HoldRow) -> Outcome {
    Outcome::Extended { paid_ms: row.paid_ms, held: row.levels.first().map_or(Money::ZERO, |level| level.held) }
}
