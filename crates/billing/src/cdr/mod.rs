//! The call detail record: one immutable row per attempt and paid leg, refused ones too.

mod cause;
pub mod fold;

pub use cause::Cause;

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use tollgate_types::{AccountId, CallId, Currency, Money, Refusal, Rule, TrunkId, UserId, Wall};

use crate::calendar::Day;

/// One attempt as it ended. The call fills in what happened; the ledger fills in what it cost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cdr {
    /// The call of ours.
    pub call_id: CallId,
    /// Which paid leg of it; with `call_id` it is unique.
    pub paid_leg: u8,
    /// The call whose forward, redirect or transfer made this leg.
    pub parent_id: Option<CallId>,
    /// How the leg came about.
    pub kind: CallKind,
    /// When the INVITE came.
    pub started_at: Wall,
    /// When the callee answered.
    pub answered_at: Option<Wall>,
    /// When it ended.
    pub ended_at: Wall,
    /// The user who pays, by the name of that time.
    pub user: Option<String>,
    /// The same by id.
    pub user_id: Option<UserId>,
    /// The account that pays.
    pub account: Option<AccountId>,
    /// Who called, as admitted.
    pub caller: String,
    /// What was dialled, normalised where it could be.
    pub callee: String,
    /// Where the INVITE came from.
    pub source_ip: Option<IpAddr>,
    /// The trunk it came in by.
    pub trunk_in: Option<String>,
    /// The trunk it left by, the last one tried.
    pub trunk_out: Option<String>,
    /// The same by id.
    pub trunk_out_id: Option<TrunkId>,
    /// Answered, failed or refused.
    pub status: Status,
    /// The final SIP status the caller got.
    pub sip_status: Option<u16>,
    /// The Q.850 cause, from a Reason header or by RFC 3398.
    pub q850: Option<u8>,
    /// Who ended it.
    pub hangup_side: Option<HangupSide>,
    /// Why it ended.
    pub cause: Cause,
    /// Answer to end in whole seconds, rounded down.
    pub talk_seconds: u64,
    /// Answer to end in milliseconds, by a monotonic clock.
    pub talk_ms: u64,
    /// Seconds paid for after increments.
    pub billed_seconds: u64,
    /// What the payer paid, in `currency`.
    pub sell_cost: Money,
    /// What the carrier asks, in `currency` by the rate frozen with the call.
    pub buy_cost: Money,
    /// The payer's currency.
    pub currency: Currency,
    /// `sell_cost` by the days its increments began in, in the payer's zone.
    pub spend_by_day: BTreeMap<Day, Money>,
    /// What each level paid: the payer first, then its resellers upwards.
    pub levels: Vec<LevelCharge>,
    /// How many attempts this row stands for, itself included: refusals that repeat share one, whose count grows.
    /// Nothing else of a record ever changes.
    pub repeats: u32,
    /// Why it was refused, or what cut it.
    pub refusal: Option<Refusal>,
    /// The rules in order, with values as they were then.
    pub trace: Vec<TraceRow>,
    /// The messages in short, for the ladder.
    pub ladder: Vec<LadderRow>,
    /// Both legs' media: A, then B.
    pub media: Vec<LegMedia>,
}

/// How a paid leg came about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallKind {
    /// User to user.
    #[default]
    Internal,
    /// A user or traffic sender to a carrier.
    Outbound,
    /// A carrier to a DID.
    Inbound,
    /// To an emergency number.
    Emergency,
    /// Forwarded by the callee's rule; the callee pays.
    Forward,
    /// Sent on by the callee's device with a 3xx; the callee pays.
    Redirect,
    /// Transferred; who transfers pays.
    Transfer,
}

/// What became of an attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// People talked.
    Answered,
    /// It was tried in vain.
    #[default]
    Failed,
    /// A rule of ours said no.
    Refused,
}

/// Who ended a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HangupSide {
    /// The calling leg.
    Caller,
    /// The called leg.
    Callee,
    /// This platform.
    Platform,
}

/// What one level of the chain paid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LevelCharge {
    /// Whose level.
    pub account: AccountId,
    /// In `currency`.
    pub amount: Money,
    /// The level's own.
    pub currency: Currency,
    /// Seconds after this level's increments.
    pub billed_seconds: u64,
    /// `amount` by day, in this level's zone.
    pub by_day: BTreeMap<Day, Money>,
    /// Milliseconds talked by day, in this level's zone.
    #[serde(default)]
    pub talk_by_day: BTreeMap<Day, u64>,
}

/// One rule as it was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceRow {
    /// Which rule.
    pub rule: Rule,
    /// The setting that steers it.
    pub setting: Option<String>,
    /// What was seen.
    pub observed: String,
    /// What is allowed.
    pub limit: String,
    /// What it said.
    pub verdict: Verdict,
}

/// What a rule said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing against it.
    Pass,
    /// It does not apply to this call.
    Skip,
    /// No.
    Refuse,
}

/// One message of the ladder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LadderRow {
    /// Milliseconds after the INVITE.
    pub at_ms: u64,
    /// Which leg: `a`, `b`, and further B legs as `b2` …
    pub leg: String,
    /// Towards us?
    pub inbound: bool,
    /// The start line without secrets, such as `180 Ringing`.
    pub text: String,
}

/// One leg's media, integers throughout.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LegMedia {
    /// RTP packets received from the leg.
    pub packets: u64,
    /// Packets sent to the leg.
    pub packets_sent: u64,
    /// Packets that never came, in parts per million of those expected.
    pub loss_ppm: u32,
    /// Interarrival jitter in microseconds (RFC 3550 §6.4.1).
    pub jitter_us: u32,
    /// Estimated mean opinion score in hundredths; 0 when unknown.
    pub mos_hundredths: u16,
}

impl Cdr {
    /// A record of an attempt that began at `started_at`; everything else is still to be told.
    pub fn begin(call_id: CallId, paid_leg: u8, kind: CallKind, started_at: Wall) -> Cdr {
        Cdr {
            call_id,
            paid_leg,
            parent_id: None,
            kind,
            started_at,
            answered_at: None,
            ended_at: started_at,
            user: None,
            user_id: None,
            account: None,
            caller: String::new(),
            callee: String::new(),
            source_ip: None,
            trunk_in: None,
            trunk_out: None,
            trunk_out_id: None,
            status: Status::Failed,
            sip_status: None,
            q850: None,
            hangup_side: None,
            cause: Cause::Internal,
            talk_seconds: 0,
            talk_ms: 0,
            billed_seconds: 0,
            sell_cost: Money::ZERO,
            buy_cost: Money::ZERO,
            currency: Currency::USD,
            spend_by_day: BTreeMap::new(),
            levels: Vec::new(),
            repeats: 1,
            refusal: None,
            trace: Vec::new(),
            ladder: Vec::new(),
            media: Vec::new(),
        }
    }

    /// Ends the record as refused by `refusal`.
    pub fn refuse(&mut self, refusal: Refusal) {
        self.status = Status::Refused;
        self.sip_status = Some(refusal.rule.status());
        self.hangup_side = Some(HangupSide::Platform);
        self.cause = Cause::Rule(refusal.rule);
        self.refusal = Some(refusal);
    }
}

macro_rules! printed_by_id {
    ($($name:ident { $($variant:ident = $id:literal),* $(,)? })*) => {$(
        impl $name {
            /// The id that JSON and scripts use.
            pub fn id(self) -> &'static str {
                match self { $($name::$variant => $id,)* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.id())
            }
        }

        impl std::str::FromStr for $name {
            type Err = ();
            fn from_str(text: &str) -> Result<$name, ()> {
                match text { $($id => Ok($name::$variant),)* _ => Err(()) }
            }
        }
    )*};
}

printed_by_id! {
    CallKind {
        Internal = "internal", Outbound = "outbound", Inbound = "inbound", Emergency = "emergency",
        Forward = "forward", Redirect = "redirect", Transfer = "transfer",
    }
    Status { Answered = "answered", Failed = "failed", Refused = "refused" }
    HangupSide { Caller = "caller", Callee = "callee", Platform = "platform" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_survives_json() {
        let mut cdr = Cdr::begin(CallId::from_i64(7), 0, CallKind::Outbound, Wall::from_secs(1_800_000_000));
        cdr.spend_by_day.insert("2026-03-01".parse().unwrap(), Money::from_micros(9_400_000));
        cdr.refuse(Refusal::new(Rule::Credit, None, "0.60", "0.10"));
        let json = serde_json::to_value(&cdr).unwrap();
        assert_eq!(json["cause"], "credit");
        assert_eq!(json["status"], "refused");
        assert_eq!(json["kind"], "outbound");
        assert_eq!(json["spend_by_day"]["2026-03-01"], "9.400000");
        assert_eq!(serde_json::from_value::<Cdr>(json).unwrap(), cdr);
    }
}
