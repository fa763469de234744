//! Who pays what, level by level; and the plan that comes of it all.

use std::sync::Arc;

use tollgate_billing::cdr::CallKind;
use tollgate_billing::deck::{DeckVersion, Reach};
use tollgate_billing::hold::Holder;
use tollgate_billing::ledger::{LevelQuote, LineAsk};
use tollgate_billing::quote::{self, Level};
use tollgate_billing::source::Concerns;
use tollgate_routing::account::Account;
use tollgate_routing::dialplan::Destination;
use tollgate_routing::user::{User, UserKind};
use tollgate_settings::Row;
use tollgate_settings::rows::call::{LINES_ENDUSER, LINES_ENDUSER_OFFPEAK};
use tollgate_types::{AccountId, Refusal, UserId};

use super::Plan;
use super::case::{Case, Compared, Finding, Who};

/// Each level of the chain has a price for the call, or the call is free (MONEY.md, what a call costs).
pub(super) fn every_level_has_a_price(case: &mut Case<'_>) -> Finding {
    match quotes(case) {
        Err(refusal) => Finding::Refuse(refusal),
        Ok(levels) => {
            let price = quote::price_per_minute(&levels, case.facts.wall);
            case.levels = levels;
            Finding::Pass(Compared::of(None, price, ""))
        }
    }
}

fn quotes(case: &Case<'_>) -> Result<Vec<LevelQuote>, Refusal> {
    let wall = case.facts.wall;
    match &case.destination {
        Destination::Outside { number } => {
            let decks = decks(case, &case.chain);
            quote::sell(&levels(&case.chain, &decks), number, wall, Reach::Offnet)
        }
        // A number of ours is never sent round by a carrier: by the deck's onnet band, or free.
        Destination::Did { number, .. } | Destination::User { number: Some(number), .. } if !case.chain.is_empty() => {
            let decks = decks(case, &case.chain);
            quote::sell(&levels(&case.chain, &decks), number, wall, Reach::Onnet)
        }
        // By a carrier of DIDs: the callee's account has the call, and pays where the number has a deck of its own.
        Destination::Did { did, number, .. } if case.chain.is_empty() => {
            let chain = callee_chain(case);
            let row = case.facts.directory.did(number).filter(|row| row.id == *did);
            let deck = row.and_then(|row| row.inbound_deck).and_then(|deck| (case.facts.deck)(deck));
            let free = vec![None; chain.len()];
            let mut quotes = quote::free(&levels(&chain, &free));
            if let (Some(deck), Some(first)) = (deck, chain.first()) {
                let level = Level { account: first.id, currency: first.terms.currency, deck: Some(&deck) };
                if let (Some(place), Some(paid)) =
                    (quotes.first_mut(), quote::sell(&[level], number, wall, Reach::Offnet)?.pop())
                {
                    *place = paid;
                }
            }
            Ok(quotes)
        }
        _ => {
            let chain = if case.chain.is_empty() { callee_chain(case) } else { case.chain.clone() };
            let free = vec![None; chain.len()];
            Ok(quote::free(&levels(&chain, &free)))
        }
    }
}

fn callee_chain(case: &Case<'_>) -> Vec<Arc<Account>> {
    let account = case.callee.as_ref().map(|user| user.account);
    account.map(|account| case.facts.directory.chain(account).cloned().collect()).unwrap_or_default()
}

fn decks(case: &Case<'_>, chain: &[Arc<Account>]) -> Vec<Option<Arc<DeckVersion>>> {
    chain.iter().map(|account| account.deck.and_then(|deck| (case.facts.deck)(deck))).collect()
}

fn levels<'a>(chain: &'a [Arc<Account>], decks: &'a [Option<Arc<DeckVersion>>]) -> Vec<Level<'a>> {
    let level = |(account, deck): (&'a Arc<Account>, &'a Option<Arc<DeckVersion>>)| Level {
        account: account.id,
        currency: account.terms.currency,
        deck: deck.as_deref(),
    };
    chain.iter().zip(decks).map(level).collect()
}

/// Whose record it is: who pays; for a call that a carrier of DIDs brings, the callee.
pub(super) fn payer(case: &Case<'_>) -> Option<(UserId, Box<str>, AccountId)> {
    match (&case.who, &case.callee) {
        (Some(Who::User(user)), _) => Some((user.id, user.name.clone(), user.account)),
        (Some(Who::Trunk(trunk)), Some(callee)) if trunk.account.is_none() => {
            Some((callee.id, callee.name.clone(), callee.account))
        }
        // A traffic sender's calls are its account's: the record names whose that is.
        (Some(Who::Trunk(trunk)), _) => {
            let account = case.facts.directory.account(trunk.account?)?;
            let owner = case.facts.directory.user(account.owner?)?;
            Some((owner.id, owner.name.clone(), account.id))
        }
        _ => None,
    }
}

/// The plan of an admitted call.
pub(super) fn plan(case: &mut Case<'_>) -> Plan {
    let is_redirected = matches!(case.ask.kind, CallKind::Redirect | CallKind::Forward | CallKind::Transfer);
    let kind = match (&case.destination, &case.who) {
        _ if is_redirected => case.ask.kind,
        (Destination::Emergency { .. }, _) => CallKind::Emergency,
        (Destination::Outside { .. }, _) => CallKind::Outbound,
        (_, Some(Who::Trunk(_))) => CallKind::Inbound,
        _ => CallKind::Internal,
    };
    let emergency = case.is_emergency();
    let lines = if emergency { Vec::new() } else { lines(case, is_redirected) };
    let counts_source = !emergency && is_concerned(case);
    Plan {
        kind,
        emergency,
        counts_source,
        price_per_minute: quote::price_per_minute(&case.levels, case.facts.wall),
        candidates: std::mem::take(&mut case.candidates),
        levels: std::mem::take(&mut case.levels),
        lines,
    }
}

/// Are calls of this payer counted by their source address (`ip.scope`)?
fn is_concerned(case: &Case<'_>) -> bool {
    let scope = Concerns::read(case.facts.values);
    if scope.is_everybody() {
        return true;
    }
    let account = case.levels.first().and_then(|level| case.facts.directory.account(level.account));
    let user = payer(case).map(|(_, name, _)| name);
    scope.includes(user.as_deref(), account.map(|account| &*account.name))
}

/// Whose lines it takes beside those of the accounts, which the ledger adds: the caller's and the callee's; not again of one
/// who sends the call on, for he keeps the line he has.
fn lines(case: &Case<'_>, is_redirected: bool) -> Vec<LineAsk> {
    let mut lines: Vec<LineAsk> = Vec::new();
    match &case.who {
        Some(Who::User(user)) if !is_redirected => lines.push(line_of(case, user)),
        Some(Who::Trunk(trunk)) => {
            let (max, setting) = match trunk.max_lines_offpeak {
                Some(offpeak) if is_offpeak(case, trunk.account) => (Some(offpeak), "trunk.max_lines_offpeak"),
                _ => (trunk.max_lines, "trunk.max_lines"),
            };
            lines.push(LineAsk { holder: Holder::Trunk(trunk.id), max, setting });
        }
        _ => {}
    }
    if let Some(callee) = &case.callee {
        let line = line_of(case, callee);
        if lines.iter().all(|taken| taken.holder != line.holder) {
            lines.push(line);
        }
    }
    lines
}

fn line_of(case: &Case<'_>, user: &User) -> LineAsk {
    let holder = Holder::User(user.id);
    let is_enduser = user.kind == UserKind::EndUser;
    let class = |row: &'static Row| case.facts.values.integer_or_off(row).filter(|_| is_enduser);
    let class = |row| class(row).map(|max| u32::try_from(max).unwrap_or(u32::MAX));
    let (max, setting) = match (user.max_lines, user.max_lines_offpeak) {
        _ if !is_offpeak(case, Some(user.account)) => match user.max_lines {
            Some(max) => (Some(max), "user.max_lines"),
            None => (class(&LINES_ENDUSER), LINES_ENDUSER.name),
        },
        (_, Some(max)) => (Some(max), "user.max_lines_offpeak"),
        (Some(max), None) => (Some(max), "user.max_lines"),
        (None, None) => match class(&LINES_ENDUSER_OFFPEAK) {
            Some(max) => (Some(max), LINES_ENDUSER_OFFPEAK.name),
            None => (class(&LINES_ENDUSER), LINES_ENDUSER.name),
        },
    };
    LineAsk { holder, max, setting }
}

/// By the operator's calendar, where the account lives; where none pays, by the platform's clock.
fn is_offpeak(case: &Case<'_>, account: Option<AccountId>) -> bool {
    let account = account.and_then(|account| case.facts.directory.account(account));
    account.map_or(!case.facts.peak, |account| (case.facts.offpeak)(account.terms.zone))
}
