//! The source address's part in a hold: asked with it, grown with it, and counted when it ends.

use std::net::IpAddr;

use tollgate_types::{Money, Wall};

use super::{Books, Hold};
use crate::cdr::Cdr;
use crate::credit::Finding;
use crate::credit::address::{self, AddressStanding};
use crate::hold::{HoldRow, LevelHold};
use crate::policy::Rules;
use crate::source::{SourceHold, Sums};

/// The address that `hold` comes from, as its limits see it; `None` when nothing is limited, or not for this call.
pub(super) fn standing<'a>(books: &Books, rules: &'a Rules, hold: &Hold, now: Wall) -> Option<AddressStanding<'a>> {
    let limits = &rules.policy.ip;
    let usage = books.sources.get(&hold.source?).filter(|_| limits.is_on())?;
    let is_new = hold.draft.paid_leg == 0;
    Some(AddressStanding { limits, sums: usage.sums(now, limits.period), held: usage.held, is_new })
}

/// What the payer's minimum ask is in the platform's currency.
pub(super) fn asked(rules: &Rules, hold: &Hold, payer: Option<&LevelHold>) -> Money {
    let Some((ip, payer)) = hold.source.zip(payer) else { return Money::ZERO };
    share(rules, ip, payer, &hold.draft).convert(payer.held)
}

/// Counts a granted call, and what it holds. Every call knows its share, so that a limit set while it lasts finds it; what is
/// not limited has no usage among the books, and nothing is counted.
pub(super) fn place(books: &mut Books, rules: &Rules, hold: &Hold, row: &mut HoldRow, now: Wall) {
    let (Some(ip), Some(payer)) = (hold.source, row.levels.first()) else { return };
    row.source = Some(share(rules, ip, payer, &row.draft));
    if let Some(usage) = books.sources.get_mut(&ip) {
        let calls = u64::from(row.key.paid_leg == 0);
        usage.count(row.draft.started_at, Sums { calls, ..Sums::default() }, now, rules.policy.ip.period);
    }
    follow(books, row);
}

/// What the payer holds has changed: so has what its address holds.
pub(super) fn follow(books: &mut Books, row: &mut HoldRow) {
    let held = row.levels.first().map_or(Money::ZERO, |payer| payer.held);
    let Some(source) = &mut row.source else { return };
    let held = source.convert(held);
    move_held(books, source, held);
    source.held = held;
}

/// The verdict over the payer's hold growing to `after`.
pub(super) fn grows(
    books: &Books,
    rules: &Rules,
    row: &HoldRow,
    after: Option<&LevelHold>,
    now: Wall,
) -> Option<Finding> {
    let (standing, source) = of_row(books, rules, row, now)?;
    let more = source.convert(after?.held).saturating_sub(source.held);
    address::cost(&standing, more).filter(|_| !row.emergency)
}

/// The call's share, and what its address may still spend.
pub(super) fn free<'a>(books: &Books, rules: &Rules, row: &'a HoldRow, now: Wall) -> Option<(&'a SourceHold, Money)> {
    let (standing, source) = of_row(books, rules, row, now)?;
    Some((source, address::room(&standing)?))
}

/// The call has ended: what it held goes, what it cost and how long it was stays for the period.
pub(super) fn release(books: &mut Books, rules: &Rules, row: &HoldRow, cdr: &Cdr, now: Wall) {
    let Some(source) = &row.source else { return };
    move_held(books, source, Money::ZERO);
    let Some(usage) = books.sources.get_mut(&source.ip) else { return };
    let more = Sums { calls: 0, talk_ms: cdr.talk_ms, spend: source.convert(cdr.sell_cost) };
    usage.count(cdr.ended_at, more, now, rules.policy.ip.period);
}

fn of_row<'a, 'b>(
    books: &Books,
    rules: &'a Rules,
    row: &'b HoldRow,
    now: Wall,
) -> Option<(AddressStanding<'a>, &'b SourceHold)> {
    let (limits, source) = (&rules.policy.ip, row.source.as_ref()?);
    let usage = books.sources.get(&source.ip).filter(|_| limits.is_on())?;
    let sums = usage.sums(now, limits.period);
    Some((AddressStanding { limits, sums, held: usage.held, is_new: false }, source))
}

fn move_held(books: &mut Books, source: &SourceHold, held: Money) {
    let Some(usage) = books.sources.get_mut(&source.ip) else { return };
    usage.held = usage.held.saturating_sub(source.held).saturating_add(held).max(Money::ZERO);
    books.changes.sources.insert(source.ip);
}

/// A share that holds nothing yet. Where no rate between the currencies is set, the bare number counts.
fn share(rules: &Rules, ip: IpAddr, payer: &LevelHold, draft: &Cdr) -> SourceHold {
    let exchange = rules.to_platform(payer.currency, draft.started_at);
    SourceHold { ip, exchange, held: Money::ZERO }
}
