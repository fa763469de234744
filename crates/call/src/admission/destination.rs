//! Where the call goes, and whether anybody said that it, or its caller, must not.

use std::sync::Arc;

use tollgate_routing::account::Account;
use tollgate_routing::destination::Forbids;
use tollgate_routing::dialplan::Destination;
use tollgate_routing::list::{Opinion, Side, Verdict};
use tollgate_types::{AccountId, E164, Refusal, Rule};

use super::case::{Case, Compared, Finding};
use super::{identity, rows};

/// Satellite, premium and the like, countries and prefixes: by the rules of the payer's accounts, then everybody's.
pub(super) fn may_be_called(case: &mut Case<'_>) -> Finding {
    let Destination::Outside { number } = &case.destination else { return Finding::Skip };
    let closed = rows::closed(case.facts.values);
    let chain = case.chain.iter().map(|account| account.id);
    let (facts, ruling) = case.facts.destinations.judge(number, chain, closed);
    match ruling {
        Err(Forbids::Kind(kind, name)) => {
            let observed = format!("{number} ({name})");
            Finding::Refuse(Refusal::new(Rule::DestinationBlocked, rows::closes(kind), observed, kind))
        }
        Err(Forbids::Rule(id)) => {
            let limit = match case.facts.destinations.rule(id) {
                Some(rule) => format!("destination rule {id}: {}", rule.target),
                None => format!("destination rule {id}"),
            };
            Finding::Refuse(Refusal::new(Rule::DestinationBlocked, None, number, limit))
        }
        Ok(rule) => {
            let country = facts.country.map(|(_, iso)| iso);
            let place = country.as_ref().and_then(|iso| std::str::from_utf8(iso).ok()).unwrap_or("no country");
            let limit = rule.map(|id| format!("destination rule {id}")).unwrap_or_default();
            Finding::Pass(Compared::of(None, format_args!("{place}, {}", facts.risk.1), limit))
        }
    }
}

/// Black and white lists of callees, and what earlier calls taught of the number.
pub(super) fn callee_is_not_listed(case: &mut Case<'_>) -> Finding {
    let number = match &case.destination {
        Destination::Outside { number } | Destination::Did { number, .. } => *number,
        _ => return Finding::Skip,
    };
    let level = rows::callee_level(case.facts.values);
    let finding = judge(case, Side::Callee, &number, level);
    if !matches!(case.destination, Destination::Outside { .. }) {
        return finding;
    }
    let Finding::Pass(compared) = finding else { return finding };
    // A white entry knows better than a counter.
    if !compared.limit.is_empty() {
        return Finding::Pass(compared);
    }
    let schooling = rows::schooling(case.facts.values);
    let learned = (case.facts.reputation)(&number);
    match learned.and_then(|known| known.opinion(case.facts.wall, &schooling, level)) {
        Some(Opinion::Failing(failures, until)) => {
            let observed = format!("{number} ({failures} failures in a row)");
            Finding::Refuse(Refusal::new(
                Rule::ListBlocked,
                rows::FAILURES.name,
                observed,
                format_args!("until {until}"),
            ))
        }
        Some(Opinion::Learned(score, certainty)) => {
            let observed = format!("{number} (score {score})");
            let limit = format!("learned, certainty {certainty}");
            Finding::Refuse(Refusal::new(Rule::ListBlocked, rows::SMART.name, observed, limit))
        }
        None => Finding::Pass(compared),
    }
}

/// Black and white lists of callers.
pub(super) fn caller_is_not_listed(case: &mut Case<'_>) -> Finding {
    if !matches!(case.destination, Destination::Outside { .. } | Destination::Did { .. }) {
        return Finding::Skip;
    }
    let level = rows::caller_level(case.facts.values);
    match identity::caller_number(case) {
        Some(number) => judge(case, Side::Caller, &number, level),
        // Nobody can be known by no number.
        None if level >= 5 => Finding::Refuse(Refusal::new(
            Rule::ListBlocked,
            rows::CALLER_LEVEL.name,
            "a caller without a number",
            level,
        )),
        None => Finding::Skip,
    }
}

fn judge(case: &Case<'_>, side: Side, number: &E164, level: u8) -> Finding {
    let setting = if side == Side::Caller { rows::CALLER_LEVEL.name } else { rows::CALLEE_LEVEL.name };
    let chain = accounts(case);
    match case.facts.lists.judge(side, number, &chain, level, case.facts.wall) {
        Verdict::Passes(None) => {
            Finding::Pass(Compared { setting: Some(setting), observed: number.to_string(), limit: String::new() })
        }
        Verdict::Passes(Some(white)) => {
            Finding::Pass(Compared::of(setting, number, format_args!("white entry {}: {}", white.id, white.numbers)))
        }
        Verdict::Black(black) => {
            let limit =
                format!("{} entry {}: {}, certainty {}", black.source, black.id, black.numbers, black.certainty);
            Finding::Refuse(Refusal::new(Rule::ListBlocked, setting, number, limit))
        }
        Verdict::Unknown => {
            Finding::Refuse(Refusal::new(Rule::ListBlocked, setting, number, format_args!("level {level}")))
        }
    }
}

/// Whose lists count: the payer's, his resellers'; for a call that nobody pays, those of whom it reaches.
fn accounts(case: &Case<'_>) -> smallvec::SmallVec<[AccountId; 4]> {
    let ids = |chain: &[Arc<Account>]| chain.iter().map(|account| account.id).collect();
    match (&case.callee, case.chain.is_empty()) {
        (Some(callee), true) => case.facts.directory.chain(callee.account).map(|account| account.id).collect(),
        _ => ids(&case.chain),
    }
}
