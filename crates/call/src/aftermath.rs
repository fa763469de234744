//! What a call's record says of its caller, once it has ended: whether people talked, and whom that speaks for or against.
//!
//! Only calls by carriers count, in either direction. What we, a carrier or an operator did says nothing of the caller: an
//! outage must not make thieves of all who met it.

use std::net::IpAddr;
use std::time::Duration;

use tollgate_billing::cdr::{CallKind, Cause, Cdr, Status};
use tollgate_guard::caller::{Finished, Proven, Subject};
use tollgate_guard::fraud::Ending;
use tollgate_types::{AccountId, CallId, E164, Seed, TrunkId};

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aftermath {
    /// The call.
    pub call: CallId,
    /// Who paid, where somebody did.
    pub account: Option<AccountId>,
    /// Whom it was for, where that was a number.
    pub callee: Option<E164>,
    /// How it went.
    pub ending: Ending,
    /// Whose call it was; `None` where nobody is to be judged by it.
    pub caller: Option<Subject>,
    /// The trunk it came by.
    pub trunk: Option<TrunkId>,
    /// The address it came from, of a user's call.
    pub address: Option<IpAddr>,
    /// The same for a tally of its caller.
    pub finished: Finished,
}

impl Aftermath {
    /// Reads a record. `trunk` finds an ingress trunk by name; a call below `short` is as good as none. `None` for calls that
    /// say nothing of anybody.
    pub fn of(cdr: &Cdr, trunk: impl Fn(&str) -> Option<TrunkId>, short: Duration) -> Option<Aftermath> {
        let sent_on = matches!(cdr.kind, CallKind::Forward | CallKind::Redirect | CallKind::Transfer);
        if matches!(cdr.kind, CallKind::Internal | CallKind::Emergency) {
            return None;
        }
        let talked = (cdr.status == Status::Answered).then(|| Duration::from_millis(cdr.talk_ms));
        let ending = match talked {
            Some(talked) if talked >= short => Ending::Good,
            Some(_) if is_ours_to_answer_for(cdr.cause) => Ending::Void,
            Some(_) => Ending::Poor,
            None if cdr.status == Status::Failed && speaks_of_the_caller(cdr) => Ending::Poor,
            None => Ending::Void,
        };
        // Who sends a call on pays for it; by which trunk it came to him is nothing of his.
        let came_by = cdr.trunk_in.as_deref().filter(|_| !sent_on).and_then(&trunk);
        let user = || Some(Subject::Caller(Proven::User(cdr.user_id?), cdr.user.as_deref()?.into()));
        let caller = match came_by {
            Some(trunk) => Some(Subject::Caller(Proven::Trunk(trunk), cdr.caller.as_str().into())),
            None if cdr.kind == CallKind::Inbound => None,
            None => user(),
        };
        Some(Aftermath {
            call: cdr.call_id,
            account: cdr.account,
            callee: cdr.callee.parse().ok(),
            ending,
            caller: caller.filter(|_| ending != Ending::Void),
            trunk: came_by,
            address: cdr.source_ip.filter(|_| came_by.is_none() && !sent_on),
            finished: Finished { talked, callee: Seed([1, 2, 3, 4]).hasher().hash_one(cdr.callee.as_str()) },
        })
    }
}

/// We ended it, not they.
fn is_ours_to_answer_for(cause: Cause) -> bool {
    !matches!(cause, Cause::Normal | Cause::Cancelled | Cause::Transferred)
}

/// An unanswered call whose end the callee or the caller chose.
fn speaks_of_the_caller(cdr: &Cdr) -> bool {
    match cdr.cause {
        Cause::Busy | Cause::NoAnswer | Cause::Declined | Cause::NotFound | Cause::Cancelled => true,
        // A carrier that asks us for credentials or money refuses us, not the caller.
        Cause::Rejected => !matches!(cdr.sip_status, Some(401..=403 | 407)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use tollgate_types::{Refusal, Rule, UserId, Wall};

    use super::*;

    fn record(kind: CallKind, status: Status, cause: Cause, talk_ms: u64) -> Cdr {
        let mut cdr = Cdr::begin(CallId::from_i64(7), 0, kind, Wall::from_secs(1_800_000_000));
        (cdr.status, cdr.cause, cdr.talk_ms) = (status, cause, talk_ms);
        (cdr.user_id, cdr.user, cdr.account) = (Some(UserId(1)), Some("alice".into()), Some(AccountId(1)));
        (cdr.caller, cdr.callee) = ("alice".into(), "442012345678".into());
        cdr.source_ip = Some("192.0.2.1".parse().unwrap());
        cdr
    }

    fn read(cdr: &Cdr) -> Option<Aftermath> {
        Aftermath::of(cdr, |name| (name == "in").then_some(TrunkId(3)), Duration::from_secs(6))
    }

    #[test]
    fn an_ending_speaks_of_the_caller_or_of_nobody() {
        use Status::{Answered, Failed, Refused};
        for (status, cause, talk_ms, ending) in [
            (Answered, Cause::Normal, 6000, Ending::Good),
            (Answered, Cause::Normal, 5999, Ending::Poor),
            (Answered, Cause::MediaTimeout, 100, Ending::Void),
            (Answered, Cause::Rule(Rule::Credit), 100, Ending::Void),
            (Answered, Cause::AdminHangup, 60_000, Ending::Good),
            (Failed, Cause::Busy, 0, Ending::Poor),
            (Failed, Cause::NoAnswer, 0, Ending::Poor),
            (Failed, Cause::NotFound, 0, Ending::Poor),
            (Failed, Cause::Cancelled, 0, Ending::Poor),
            (Failed, Cause::CarrierFailure, 0, Ending::Void),
            (Failed, Cause::Unreachable, 0, Ending::Void),
            (Failed, Cause::Internal, 0, Ending::Void),
            (Refused, Cause::Rule(Rule::Lines), 0, Ending::Void),
        ] {
            let said = read(&record(CallKind::Outbound, status, cause, talk_ms)).unwrap();
            assert_eq!((said.ending, said.caller.is_some()), (ending, ending != Ending::Void), "{cause}");
        }
        let mut unpaid_bill = record(CallKind::Outbound, Failed, Cause::Rejected, 0);
        for (status, ending) in [(402, Ending::Void), (403, Ending::Void), (410, Ending::Poor)] {
            unpaid_bill.sip_status = Some(status);
            assert_eq!(read(&unpaid_bill).unwrap().ending, ending, "{status}");
        }
        assert_eq!(read(&record(CallKind::Internal, Answered, Cause::Normal, 9000)), None);
        assert_eq!(read(&record(CallKind::Emergency, Answered, Cause::Normal, 9000)), None);
        let mut refused = record(CallKind::Outbound, Failed, Cause::Busy, 0);
        refused.refuse(Refusal::new(Rule::Credit, None, "", ""));
        assert_eq!(read(&refused).unwrap().caller, None);
    }

    #[test]
    fn a_call_is_its_provens() {
        let busy = |kind, trunk: Option<&str>| {
            let mut cdr = record(kind, Status::Failed, Cause::Busy, 0);
            cdr.trunk_in = trunk.map(str::to_owned);
            if trunk.is_some() {
                cdr.caller = "19995550100".into();
            }
            let said = read(&cdr).unwrap();
            (said.caller.map(|caller| caller.to_string()), said.trunk.is_some(), said.address.is_some())
        };
        for (kind, trunk, expected) in [
            (CallKind::Outbound, None, (Some("user 1 alice"), false, true)),
            (CallKind::Outbound, Some("in"), (Some("trunk 3 19995550100"), true, false)),
            (CallKind::Inbound, Some("in"), (Some("trunk 3 19995550100"), true, false)),
            // Forwarded by the callee: his call now, and not the address's it first came from.
            (CallKind::Forward, Some("in"), (Some("user 1 alice"), false, false)),
            (CallKind::Inbound, Some("gone"), (None, false, true)),
        ] {
            let (caller, trunk_known, address) = busy(kind, trunk);
            assert_eq!((caller.as_deref(), trunk_known, address), expected, "{kind} {trunk:?}");
        }
    }
}
