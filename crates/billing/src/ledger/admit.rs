//! A call asks to be tried: lines, quotas and every money cap of every level at once, then a hold, or nothing.

use tollgate_types::{AccountId, Money, Rate, Refusal, Rule, Wall};

use super::{Ask, Books, Fault, Held, Hold, LevelQuote, Outcome, open, sources, standing};
use crate::calendar::Day;
use crate::credit::{Claim, Finding, address, dynamic, lines, talk};
use crate::hold::{HoldRow, Holder, LevelHold};
use crate::increment::later;
use crate::minimum::minimum;
use crate::policy::Rules;
use crate::price::PricePlan;

pub(super) fn hold(books: &mut Books, rules: &Rules, ask: &Ask, hold: &Hold, now: Wall) -> Result<Outcome, Fault> {
    let key = ask.hold_key();
    if let Some(row) = books.holds.get(&key) {
        return Ok(Outcome::Repeated(Box::new(Outcome::Held(granted(row, now)))));
    }
    if books.closed.contains(&key) {
        return Ok(Outcome::Closed);
    }
    check_chain(books, hold)?;
    for level in &hold.levels {
        open(books, rules, level.account, now)?;
    }
    let mut refusal = None;
    let proposal = judge(books, rules, hold, now, &mut |level, finding| {
        if !finding.passes && refusal.is_none() {
            refusal = Some((level.map(|level| level.account), finding));
        }
        finding.passes
    })?;
    if let Some((account, finding)) = refusal {
        if let Some(account) = account {
            mark(books, rules, account, &finding, now);
        }
        return Ok(Outcome::Refused(finding.refusal()));
    }
    let Some(proposal) = proposal else { return Ok(Outcome::Refused(no_price(&hold.draft.callee))) };
    for level in &proposal.levels {
        let state = &mut books.accounts.get_mut(&level.account).ok_or(Fault::UnknownAccount)?.state;
        state.clone().exchange(None, Some(level)).map_err(|_| Fault::Overflow)?;
    }
    for level in &proposal.levels {
        let row = books.accounts.get_mut(&level.account).ok_or(Fault::UnknownAccount)?;
        row.state.exchange(None, Some(level)).map_err(|_| Fault::Overflow)?;
        books.changes.accounts.insert(level.account);
    }
    let mut row = HoldRow {
        key,
        node: hold.node,
        sequence: ask.key.sequence,
        emergency: hold.emergency,
        held_at: now,
        answer_by: later(now, i64::from(rules.policy.ring) * 1_000_000),
        answered_at: None,
        silent_at: None,
        paid_ms: proposal.paid_ms,
        levels: proposal.levels,
        holders: holders(hold),
        source: None,
        buy: None,
        dialogs: hold.dialogs.clone(),
        draft: hold.draft.clone(),
    };
    for holder in &row.holders {
        *books.lines.entry(*holder).or_default() += 1;
    }
    sources::place(books, rules, hold, &mut row, now);
    let granted = granted(&row, now);
    books.changes.holds.insert(key);
    books.holds.insert(key, row);
    Ok(Outcome::Held(granted))
}

/// What would be held.
pub(super) struct Proposal {
    pub levels: Vec<LevelHold>,
    pub paid_ms: Option<u64>,
}

/// Asks every rule by precedence, payer first, and tells each finding to `hear`, which says whether to go on. `None` when it
/// stopped, or when a level has no price now. Accounts are opened.
pub(super) fn judge(
    books: &Books,
    rules: &Rules,
    hold: &Hold,
    now: Wall,
    hear: &mut dyn FnMut(Option<&LevelHold>, Finding) -> bool,
) -> Result<Option<Proposal>, Fault> {
    let Some(proposal) = propose(books, rules, hold, now)? else { return Ok(None) };
    if hold.emergency {
        return Ok(Some(proposal));
    }
    for level in &hold.levels {
        if standing(books, rules, level.account, now)?.row.terms.disabled && !hear(None, disabled()) {
            return Ok(None);
        }
    }
    for level in &hold.levels {
        let in_use = books.lines.get(&Holder::Account(level.account)).copied().unwrap_or(0);
        let tenant = lines::of_tenant(&standing(books, rules, level.account, now)?, in_use);
        if tenant.is_some_and(|finding| !hear(None, finding)) {
            return Ok(None);
        }
    }
    let in_use = |holder| books.lines.get(&holder).copied().unwrap_or(0);
    for line in &hold.lines {
        if lines::find(in_use(line.holder), line.max, line.setting).is_some_and(|finding| !hear(None, finding)) {
            return Ok(None);
        }
    }
    for level in &hold.levels {
        let (max, setting) = lines::of_account(&standing(books, rules, level.account, now)?);
        let held = in_use(Holder::Account(level.account));
        if lines::find(held, max, setting).is_some_and(|finding| !hear(None, finding)) {
            return Ok(None);
        }
    }
    let address = sources::standing(books, rules, hold, now);
    for finding in address.iter().flat_map(address::counts) {
        if !hear(None, finding) {
            return Ok(None);
        }
    }
    for level in &hold.levels {
        for finding in talk::findings(&standing(books, rules, level.account, now)?) {
            if !hear(None, finding) {
                return Ok(None);
            }
        }
    }
    let asked = sources::asked(rules, hold, proposal.levels.first());
    if address.and_then(|address| address::cost(&address, asked)).is_some_and(|finding| !hear(None, finding)) {
        return Ok(None);
    }
    for level in &proposal.levels {
        let standing = standing(books, rules, level.account, now)?;
        for finding in (Claim { standing, before: None, after: level }).findings() {
            if !hear(Some(level), finding) {
                return Ok(None);
            }
        }
    }
    Ok(Some(proposal))
}

/// The minimum ask of each level; `None` when one has no price now.
fn propose(books: &Books, rules: &Rules, hold: &Hold, now: Wall) -> Result<Option<Proposal>, Fault> {
    let free = hold.is_free();
    let mut talk = u64::from(rules.policy.min_talk);
    let mut paid_ms = None;
    let mut levels = Vec::with_capacity(hold.levels.len());
    for (n, level) in hold.levels.iter().enumerate() {
        let plan = if hold.emergency { PricePlan::free() } else { level.plan.clone() };
        let (mut held, mut rate) = (Money::ZERO, Rate::ZERO);
        if !free {
            let Some(minimum) = minimum(&plan, now, rules.policy.ring, talk) else { return Ok(None) };
            if n == 0 {
                paid_ms = Some(minimum.promised * 1000);
                talk = minimum.covered;
            }
            (held, rate) = (minimum.amount, minimum.rate);
        }
        // While it rings near midnight nobody knows which day will pay: both hold the whole.
        let standing = standing(books, rules, level.account, now)?;
        let latest = later(now, (i64::from(rules.policy.ring) + talk as i64) * 1_000_000);
        let turns = standing.windows.turns(&standing.row.terms, now, latest);
        let days: Vec<(Day, Money)> =
            turns.iter().map(|turn| (turn.day, held)).filter(|_| held > Money::ZERO).collect();
        levels.push(LevelHold { account: level.account, currency: level.currency, plan, held, days, turns, rate });
    }
    Ok(Some(Proposal { levels, paid_ms }))
}

/// A refusal by the dynamic limit marks the day: until an admin accepts it, it teaches nothing new.
pub(super) fn mark(books: &mut Books, rules: &Rules, account: AccountId, finding: &Finding, now: Wall) {
    let (Rule::DynamicLimit, Some(day)) = (finding.rule, finding.day) else { return };
    let usual = standing(books, rules, account, now).ok().and_then(|standing| dynamic::usual(&standing, day));
    let windows = books.accounts.get_mut(&account).and_then(|row| row.state.windows.as_mut());
    if let (Some(usual), Some(windows)) = (usual, windows) {
        windows.cap(day, usual);
        books.changes.accounts.insert(account);
        books.changes.days.insert((account, day));
    }
}

pub(super) fn no_price(number: &str) -> Refusal {
    Refusal::new(Rule::NoPrice, None, number, "")
}

/// Whoever is disabled is refused before anything is compared.
pub(crate) fn disabled() -> Finding {
    use crate::credit::Value;
    Finding {
        rule: Rule::AccountDisabled,
        setting: None,
        observed: Value::Word("disabled"),
        limit: Value::Word("enabled"),
        passes: false,
        day: None,
    }
}

fn check_chain(books: &Books, hold: &Hold) -> Result<(), Fault> {
    for (n, LevelQuote { account, currency, .. }) in hold.levels.iter().enumerate() {
        let row = books.accounts.get(account).ok_or(Fault::UnknownAccount)?;
        if row.terms.currency != *currency {
            return Err(Fault::WrongCurrency);
        }
        if hold.levels[..n].iter().any(|lower| lower.account == *account) {
            return Err(Fault::CyclicChain);
        }
    }
    Ok(())
}

/// Each holder once, the accounts of the chain among them.
fn holders(hold: &Hold) -> Vec<Holder> {
    let chain = hold.levels.iter().map(|level| Holder::Account(level.account));
    let mut holders: Vec<Holder> = hold.lines.iter().map(|line| line.holder).chain(chain).collect();
    holders.sort_unstable();
    holders.dedup();
    holders
}

fn granted(row: &HoldRow, now: Wall) -> Held {
    let payer = row.levels.first();
    Held {
        paid_ms: row.paid_ms,
        held: payer.map_or(Money::ZERO, |level| level.held),
        price_per_minute: payer.and_then(|level| level.plan.at(now)).map_or(Rate::ZERO, |price| price.rate),
    }
}
