//! What is asked before a leg is dialled, and what comes of it.

use std::net::IpAddr;

use tollgate_billing::cdr::{CallKind, TraceRow};
use tollgate_billing::hold::BuyQuote;
use tollgate_billing::ledger::{LevelQuote, LineAsk};
use tollgate_types::{AccountId, Rate, Refusal, UserId};

use crate::party::{Claim, Identity, Party, Target};

/// May this leg be dialled? Asked for a new call, for a phone's redirection, and for a transfer.
#[derive(Clone, Debug)]
pub struct PlanAsk {
    /// A new call (`Internal` until the plan says better), a redirect or a transfer.
    pub kind: CallKind,
    /// Who asks, and pays if it costs: the caller; whose device redirects; who transfers.
    pub payer: Party,
    /// The address of the call's INVITE.
    pub source: IpAddr,
    /// The Request-URI, or the Contact or Refer-To that leads elsewhere.
    pub dialled: Box<str>,
    /// The URI in To, for trunks that put the number there.
    pub to: Box<str>,
    /// What the caller said of itself.
    pub claim: Claim,
    /// Who the call came from in the first place, when that is not the payer: redirects and transfers keep showing him.
    pub caller: Party,
    /// Only users of this platform (a redirection under `call.redirects = local`).
    pub local_only: bool,
}

/// The verdict and every rule's row, in order.
#[derive(Clone, Debug)]
pub struct Admission {
    /// Go, or no.
    pub verdict: Result<Box<Plan>, Refusal>,
    /// The rules as they were asked.
    pub trace: Vec<TraceRow>,
    /// What was dialled, normalised as far as it could be; for the CDR.
    pub callee: Box<str>,
    /// Who called, as shown; for the CDR.
    pub caller: Box<str>,
    /// The user whose record it is, and his account: who pays, or who is reached by a number of his.
    pub payer: Option<(UserId, Box<str>, AccountId)>,
}

/// How the leg is to be dialled and paid.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How it came about, for the CDR.
    pub kind: CallKind,
    /// Passes every limit, and goes on without the ledger.
    pub emergency: bool,
    /// Carriers in order, or the one user.
    pub candidates: Vec<Candidate>,
    /// Who pays, level by level, with frozen prices; all free where nothing is charged. Empty when no account is involved.
    pub levels: Vec<LevelQuote>,
    /// Whose lines it takes.
    pub lines: Vec<LineAsk>,
    /// Do the limits of a source address concern it?
    pub counts_source: bool,
    /// What a minute costs the payer now.
    pub price_per_minute: Rate,
}

/// One way to reach the callee.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Where.
    pub target: Target,
    /// What it is told of the caller.
    pub identity: Identity,
    /// What it will charge us.
    pub buy: Option<BuyQuote>,
}

impl Plan {
    /// Costs nothing, whatever happens to the deck meanwhile?
    pub fn is_free(&self) -> bool {
        self.levels.iter().all(|level| level.plan.is_free())
    }
}
