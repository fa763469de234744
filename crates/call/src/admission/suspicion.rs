//! Whether who calls, and how, is reason to refuse: callers banned for how their calls went, accounts whose calls look like
//! fraud. Both are judged elsewhere ([`tollgate_guard::caller`], [`tollgate_guard::fraud`]); here they are asked.

use tollgate_billing::account::AccountKind;
use tollgate_billing::quote;
use tollgate_guard::caller::{self, Proven, Subject};
use tollgate_guard::fraud::{self, Attempt, Land, Standing};
use tollgate_routing::dialplan::Destination;
use tollgate_routing::user::User;
use tollgate_types::{E164, Rate, Refusal, Rule, Seed};

use super::case::{Case, Compared, Finding, Who};
use super::identity;

/// Nobody is refused for calls within the house: autoban is about those that use carriers, in either direction.
pub(super) fn caller_is_welcome(case: &mut Case<'_>) -> Finding {
    let mode = case.facts.values.word(&caller::AUTOBAN);
    let outside = matches!(case.destination, Destination::Outside { .. });
    let subject = match &case.who {
        Some(Who::User(user)) if outside => Subject::Caller(Proven::User(user.id), user.name.clone()),
        Some(Who::Trunk(trunk)) => Subject::Caller(Proven::Trunk(trunk.id), identity::caller_text(case)),
        _ => return Finding::Skip,
    };
    if mode == "off" {
        return Finding::Skip;
    }
    // A trunk's address is everybody's who calls by it, and never banned.
    let address = (mode == "number+ip" && matches!(case.who, Some(Who::User(_))))
        .then(|| Subject::Address(case.ask.source.to_canonical()));
    for subject in [Some(&subject), address.as_ref()].into_iter().flatten() {
        if let Some(ban) = (case.facts.caller_ban)(subject) {
            let refusal = Refusal::new(Rule::CallerBanned, ban.setting, &ban.observed, &ban.limit);
            return Finding::Refuse(refusal);
        }
    }
    Finding::Pass(Compared::of(caller::AUTOBAN.name, "not banned", mode))
}

/// Calls that leave by a carrier, scored with those before them.
pub(super) fn is_no_fraud(case: &mut Case<'_>) -> Finding {
    let Some((account, attempt)) = attempt(case) else { return Finding::Skip };
    let setting = fraud::BLOCK_AT.name;
    let block_at = case.facts.values.integer_or_off(&fraud::BLOCK_AT);
    let limit = block_at.map_or_else(|| "off".to_owned(), |points| points.to_string());
    match (case.facts.fraud)(account, &attempt) {
        Standing::Clear(score) => {
            Finding::Pass(Compared { setting: Some(setting), observed: score.to_string(), limit })
        }
        Standing::Over(score) => Finding::Refuse(Refusal::new(Rule::Fraud, setting, score, limit)),
        Standing::Blocked(block) => Finding::Refuse(Refusal::new(Rule::Fraud, setting, &block.reason, limit)),
    }
}

/// The attempt as the score sees it; `None` for calls that cost nobody.
fn attempt(case: &Case<'_>) -> Option<(tollgate_types::AccountId, Attempt)> {
    let Destination::Outside { number } = &case.destination else { return None };
    let (facts, account) = (case.facts, case.chain.first()?);
    let person = match &case.who {
        Some(Who::User(user)) => Some(user),
        _ => None,
    };
    let resident = person.or_else(|| account.owner.and_then(|owner| facts.directory.user(owner)));
    let country = resident.and_then(|user| facts.directory.country_of(user));
    let price = quote::price_per_minute(&case.levels, facts.wall);
    Some((
        account.id,
        Attempt {
            callee: *number,
            home: country.is_some_and(|country| Land::of(number) == Land(country.calling_code())),
            price: in_platform_currency(case, price),
            foreign: person.map_or(0, |user| foreign(case, user)),
            night: !(6..22).contains(&account.terms.zone.hour_of(facts.wall)),
            wholesale: account.terms.kind != AccountKind::EndUser,
        },
    ))
}

fn in_platform_currency(case: &Case<'_>, price: Rate) -> Rate {
    let Some(level) = case.levels.first().filter(|level| level.currency != case.facts.currency) else { return price };
    let exchange = case.facts.rates.at(level.currency, case.facts.currency, case.facts.wall);
    exchange.map_or(price, |exchange| exchange.convert_rate(price, tollgate_billing::currency::Rounding::Up))
}

/// A caller id that is not the user's, as a hash; 0 where there is none.
fn foreign(case: &Case<'_>, user: &User) -> u64 {
    let claim = &case.ask.claim;
    let text = claim.asserted.as_deref().unwrap_or(&claim.user);
    let digits = text.strip_prefix('+').unwrap_or(text);
    let is_own = text.is_empty()
        || *text == *user.name
        || claim.withheld
        || user.extension.as_deref() == Some(text)
        || digits.parse::<E164>().is_ok_and(|number| user.owns(&number));
    if is_own { 0 } else { HASHED_WITH.hasher().hash_one(digits).max(1) }
}

/// Equal texts have equal hashes, nothing else is asked of them.
const HASHED_WITH: Seed = Seed([0x6672, 0x6175, 0x6421, 0x1d]);
