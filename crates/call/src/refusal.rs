//! What a caller hears of a refusal, and what a status means in Q.850 (RFC 3398 §8.2.6.1).
//!
//! The numbers that a rule compared go to the CDR, the portal and the log. Over SIP goes the status, the cause, and the
//! rule's words, nothing else.

use std::borrow::Cow;

use tollgate_billing::cdr::Cause;
use tollgate_sip::header::Reason;
use tollgate_sip::wire::{Message, Name};
use tollgate_types::{Refusal, Rule};

use crate::policy::Policy;

/// A final answer to the caller.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Reply {
    /// SIP status, 400 to 699.
    pub status: u16,
    /// Q.850 cause for the Reason header (RFC 3326).
    pub q850: Option<u8>,
    /// Words for the caller, in Reason; no numbers, no names.
    pub words: Option<Cow<'static, str>>,
    /// Seconds to stay away.
    pub retry_after: Option<u32>,
}

impl Reply {
    /// A status with its usual cause.
    pub fn plain(status: u16) -> Reply {
        Reply { status, q850: q850_of(status), words: None, retry_after: None }
    }

    /// What the caller of a refused call gets.
    pub fn to(refusal: &Refusal, policy: &Policy) -> Reply {
        let (status, words) = match is_quota(refusal.rule) {
            true => (policy.quota_status, Cow::Owned(policy.quota_text.to_string())),
            false => (refusal.rule.status(), Cow::Borrowed(words(refusal.rule))),
        };
        let retry_after = (status == 503).then_some(RETRY_SECONDS);
        Reply { status, q850: q850_of(status), words: Some(words), retry_after }
    }

    /// The value of the Reason header.
    pub fn reason(&self) -> Option<String> {
        self.q850.map(|cause| Reason::write("Q.850", cause.into(), self.words.as_deref().unwrap_or_default()))
    }
}

/// How long a caller stays away when the platform cannot serve it now.
const RETRY_SECONDS: u32 = 10;

/// Refusals whose status is a setting (the guide's `quotadiscreason`).
fn is_quota(rule: Rule) -> bool {
    matches!(
        rule,
        Rule::IpCalls
            | Rule::IpSeconds
            | Rule::IpCost
            | Rule::TalkDay
            | Rule::TalkMonth
            | Rule::BurnRate
            | Rule::DailyLimit
            | Rule::DynamicLimit
            | Rule::MonthlyLimit
    )
}

/// Words that tell a caller what to do without telling a stranger what we know.
fn words(rule: Rule) -> &'static str {
    match rule {
        Rule::Overload | Rule::LedgerUnavailable => "please try again later",
        Rule::NotAuthorised | Rule::ForeignDomain => "not served here",
        Rule::UserDisabled | Rule::AccountDisabled => "account disabled",
        Rule::CallerId => "caller identity not allowed",
        Rule::NumberInvalid | Rule::UserUnknown => "unknown number",
        Rule::Loop => "loop",
        Rule::UserOffline => "not registered",
        Rule::SelfCall | Rule::Lines => "all lines busy",
        Rule::LocalOnly | Rule::DestinationBlocked | Rule::ListBlocked => "destination not allowed",
        Rule::CallerBanned => "too many failed calls",
        Rule::Fraud => "account blocked, ask support",
        Rule::NoRoute | Rule::NoPrice | Rule::Unprofitable | Rule::TooDear => "no route to destination",
        Rule::Credit => "balance too low",
        Rule::IpCalls
        | Rule::IpSeconds
        | Rule::IpCost
        | Rule::TalkDay
        | Rule::TalkMonth
        | Rule::BurnRate
        | Rule::DailyLimit
        | Rule::DynamicLimit
        | Rule::MonthlyLimit => "limit reached",
    }
}

/// The Q.850 cause that a SIP status stands for; none for success and redirection.
pub fn q850_of(status: u16) -> Option<u8> {
    Some(match status {
        404 | 485 | 604 => 1,
        401 | 402 | 403 | 407 | 603 => 21,
        410 => 22,
        482 | 483 => 25,
        484 => 28,
        486 | 600 => 17,
        487 => 16,
        480 => 18,
        405 => 63,
        406 | 415 | 501 => 79,
        488 | 606 => 65,
        408 | 504 => 102,
        502 => 38,
        400 | 481 | 500 | 503 => 41,
        status if status >= 400 => 127,
        _ => return None,
    })
}

/// The Q.850 cause that a message names itself (RFC 3326), 1 to 127.
pub fn q850_in(message: &Message) -> Option<u8> {
    let reasons = message.headers(Name::Reason).filter_map(Reason::parse);
    let cause =
        reasons.filter(|reason| reason.protocol.eq_ignore_ascii_case("Q.850")).find_map(|reason| reason.cause)?;
    u8::try_from(cause).ok().filter(|cause| (1..=127).contains(cause))
}

/// What a far end's final refusal means for the CDR.
pub fn cause_of(status: u16) -> Cause {
    match status {
        486 | 600 => Cause::Busy,
        603 => Cause::Declined,
        404 | 410 | 484 | 485 | 604 => Cause::NotFound,
        408 | 480 => Cause::NoAnswer,
        487 => Cause::Cancelled,
        415 | 488 | 606 => Cause::MediaUnsupported,
        500..=599 => Cause::CarrierFailure,
        _ => Cause::Rejected,
    }
}

#[cfg(test)]
mod tests {
    use tollgate_settings::Values;

    use super::*;
    use crate::policy::Host;

    #[test]
    fn a_caller_hears_status_cause_and_words_but_no_numbers() {
        let policy = Policy::read(&Values::default(), &Host::default());
        for (rule, status, reason) in [
            (Rule::Credit, 402, "Q.850;cause=21;text=\"balance too low\""),
            (Rule::Lines, 486, "Q.850;cause=17;text=\"all lines busy\""),
            (Rule::DailyLimit, 403, "Q.850;cause=21;text=\"limit reached\""),
            (Rule::LedgerUnavailable, 503, "Q.850;cause=41;text=\"please try again later\""),
        ] {
            let reply = Reply::to(&Refusal::new(rule, None, "12.34", "5"), &policy);
            assert_eq!((reply.status, reply.reason().as_deref()), (status, Some(reason)), "{rule:?}");
            assert_eq!(reply.retry_after.is_some(), status == 503);
        }
    }

    #[test]
    fn quotas_are_refused_as_the_operator_says() {
        let values = Values::default()
            .with(&crate::policy::QUOTA_STATUS, tollgate_settings::Value::Integer(480))
            .with(&crate::policy::QUOTA_TEXT, tollgate_settings::Value::Text("call \"us\"".into()));
        let policy = Policy::read(&values, &Host::default());
        for (rule, status, reason) in [
            (Rule::MonthlyLimit, 480, "Q.850;cause=18;text=\"call \\\"us\\\"\""),
            (Rule::IpCalls, 480, "Q.850;cause=18;text=\"call \\\"us\\\"\""),
            (Rule::Credit, 402, "Q.850;cause=21;text=\"balance too low\""),
        ] {
            let reply = Reply::to(&Refusal::new(rule, None, "12.34", "5"), &policy);
            assert_eq!((reply.status, reply.reason().as_deref()), (status, Some(reason)), "{rule:?}");
        }
    }

    #[test]
    fn every_refusing_status_has_a_cause() {
        assert!((400..700).all(|status| q850_of(status).is_some()));
        assert!((100..400).all(|status| q850_of(status).is_none()));
    }
}
