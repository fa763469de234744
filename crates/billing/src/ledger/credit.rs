//! Money in and out by people and payments, and an admin's word on a day's spend.

use tollgate_types::{AccountId, Money, Refusal, Rule, Wall};

use super::{Ask, Books, Credit, Fault, Outcome, chain, open};
use crate::calendar::Day;
use crate::policy::Rules;

pub(super) fn credit(
    books: &mut Books,
    rules: &Rules,
    ask: &Ask,
    credit: &Credit,
    now: Wall,
) -> Result<Outcome, Fault> {
    if let Some(entry) = books.entered.get(&(credit.account, ask.key)) {
        return Ok(Outcome::Repeated(Box::new(Outcome::Credited { balance: entry.balance })));
    }
    if credit.amount == Money::ZERO {
        return Err(Fault::ZeroAmount);
    }
    let account = open(books, rules, credit.account, now)?;
    if let (true, false, Some(floor)) = (credit.amount.is_negative(), credit.force, account.terms.floor()) {
        let free = account.state.balance.saturating_sub(account.state.held).saturating_sub(floor);
        let wanted = Money::ZERO.saturating_sub(credit.amount);
        if wanted > free {
            return Ok(Outcome::Refused(Refusal::new(Rule::Credit, None, wanted, free.max(Money::ZERO))));
        }
    }
    let entry = chain::append(account, ask.key, credit.kind, credit.amount, credit.note.clone(), now)?;
    let balance = account.state.balance;
    books.changes.accounts.insert(credit.account);
    books.entered.insert((credit.account, ask.key), entry.clone());
    books.changes.entries.push(entry);
    Ok(Outcome::Credited { balance })
}

pub(super) fn accept_day(
    books: &mut Books,
    rules: &Rules,
    id: AccountId,
    day: Day,
    now: Wall,
) -> Result<Outcome, Fault> {
    open(books, rules, id, now)?;
    let known = books.day_row(id, day);
    let account = books.accounts.get_mut(&id).ok_or(Fault::UnknownAccount)?;
    let windows = account.state.windows.as_mut().ok_or(Fault::UnknownAccount)?;
    let Some(known) = known else { return Err(Fault::UnknownDay) };
    let accepted = windows.accept(known.window(), rules.policy.dynamic_window).row(id);
    books.days.insert((id, day), accepted);
    books.changes.days.insert((id, day));
    books.changes.accounts.insert(id);
    Ok(Outcome::Done)
}
