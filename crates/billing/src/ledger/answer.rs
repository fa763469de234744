//! The callee answered: from now on it is known which price and which day pay. And: media fell silent.

use std::time::Duration;

use tollgate_types::{Money, Rate, Wall};

use super::{Answered, Ask, Books, Fault, Outcome, open, sources};
use crate::charge::price_of;
use crate::hold::{HoldRow, LevelHold};
use crate::increment::begun_within;
use crate::policy::Rules;

pub(super) fn answered(
    books: &mut Books,
    rules: &Rules,
    ask: &Ask,
    answer: &Answered,
    now: Wall,
) -> Result<Outcome, Fault> {
    let key = ask.hold_key();
    let Some(row) = books.holds.get(&key) else { return super::settle::missing(books, key) };
    if ask.key.sequence <= row.sequence {
        return Ok(Outcome::Repeated(Box::new(Outcome::Answered { paid_ms: row.paid_ms })));
    }
    let mut row = row.clone();
    begin(books, rules, &mut row, answer.at, now)?;
    row.sequence = ask.key.sequence;
    row.buy = answer.buy.clone();
    row.dialogs.clone_from(&answer.dialogs);
    if let Some((id, name)) = &answer.trunk_out {
        (row.draft.trunk_out_id, row.draft.trunk_out) = (Some(*id), Some(name.clone()));
    }
    let paid_ms = row.paid_ms;
    books.changes.holds.insert(key);
    books.holds.insert(key, row);
    Ok(Outcome::Answered { paid_ms })
}

pub(super) fn silent(books: &mut Books, ask: &Ask, since: Option<Wall>) -> Result<Outcome, Fault> {
    let key = ask.hold_key();
    let Some(row) = books.holds.get_mut(&key) else { return super::settle::missing(books, key) };
    if ask.key.sequence <= row.sequence {
        return Ok(Outcome::Repeated(Box::new(Outcome::Done)));
    }
    (row.sequence, row.silent_at) = (ask.key.sequence, since);
    books.changes.holds.insert(key);
    Ok(Outcome::Done)
}

/// Turns a ringing hold into a talking one: prices and days from the answer on, what the dearer side held too much goes
/// back. Nothing to do when that has been done.
pub(super) fn begin(books: &mut Books, rules: &Rules, row: &mut HoldRow, at: Wall, now: Wall) -> Result<(), Fault> {
    if row.answered_at.is_some() {
        return Ok(());
    }
    // Milliseconds, as rows and records keep it.
    let at = Wall::from_micros(at.micros().div_euclid(1000) * 1000);
    for level in &row.levels {
        open(books, rules, level.account, now)?;
    }
    row.answered_at = Some(at);
    row.draft.answered_at = Some(at);
    let Some(promised_ms) = row.paid_ms else { return Ok(()) };
    let payer = &row.levels.first().ok_or(Fault::UnknownAccount)?.plan;
    let whole_ms = begun_within(payer, at, promised_ms as i64 * 1000).seconds * 1000;
    let mut after: Vec<LevelHold> = Vec::with_capacity(row.levels.len());
    let mut paid_ms = whole_ms;
    for level in &row.levels {
        let placed = talking(books, level, at, whole_ms)?;
        if placed.held > level.held {
            // Answered later than any answer was to come: what is held is all there is.
            paid_ms = promised_ms;
        }
        after.push(placed);
    }
    for (before, mut after) in row.levels.iter_mut().zip(after) {
        if after.held > before.held {
            let charge = price_of(&after.plan, at, paid_ms, &after.turns).at_most(before.held);
            (after.held, after.days) = (before.held, charge.by_day);
        }
        let account = books.accounts.get_mut(&before.account).ok_or(Fault::UnknownAccount)?;
        account.state.exchange(Some(before), Some(&after)).map_err(|_| Fault::Overflow)?;
        books.changes.accounts.insert(before.account);
        *before = after;
    }
    row.paid_ms = Some(paid_ms);
    sources::follow(books, row);
    Ok(())
}

/// One level's hold for `paid_ms` from an answer at `at`.
fn talking(books: &Books, level: &LevelHold, at: Wall, paid_ms: u64) -> Result<LevelHold, Fault> {
    let account = books.account(level.account).ok_or(Fault::UnknownAccount)?;
    let windows = account.state.windows.as_ref().ok_or(Fault::UnknownAccount)?;
    let turns = windows.turns(&account.terms, at, at + Duration::from_millis(paid_ms));
    let price = price_of(&level.plan, at, paid_ms, &turns);
    let rate = level.plan.at(at).map_or(level.rate, |price| price.rate);
    let rate = if level.plan.is_free() { Rate::ZERO } else { rate };
    debug_assert!(price.by_day.iter().map(|(_, money)| *money).sum::<Money>() == price.amount);
    Ok(LevelHold { held: price.amount, days: price.by_day, turns, rate, ..level.clone() })
}
