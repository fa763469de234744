//! One attempt on its way through the rules: what is known of it so far.

use std::sync::Arc;

use tollgate_billing::cdr::{TraceRow, Verdict};
use tollgate_billing::ledger::LevelQuote;
use tollgate_routing::account::Account;
use tollgate_routing::dialplan::{self, Destination};
use tollgate_routing::directory::Directory;
use tollgate_routing::emergency::Emergencies;
use tollgate_routing::trunk::{Ingress, NumberFrom};
use tollgate_routing::user::User;
use tollgate_sip::uri::{Scheme, Uri};
use tollgate_types::{Refusal, Rule};

use super::{Candidate, Facts, PlanAsk};
use crate::party::Party;

/// See the module. Filled by the rules in their order.
pub(super) struct Case<'a> {
    pub ask: &'a PlanAsk,
    pub facts: &'a Facts<'a>,
    /// The one who asks.
    pub who: Option<Who>,
    /// The one whose call it is in the first place, and who is shown.
    pub shown: Option<Who>,
    /// Who pays, the payer first, then its resellers.
    pub chain: Vec<Arc<Account>>,
    pub destination: Destination,
    pub callee: Option<Arc<User>>,
    pub candidates: Vec<Candidate>,
    pub levels: Vec<LevelQuote>,
    /// Somebody pays nothing because there is no price (`price.required = none`).
    pub unpriced: bool,
    pub trace: Vec<TraceRow>,
}

/// A party as the directory has it.
#[derive(Clone)]
pub(super) enum Who {
    User(Arc<User>),
    Trunk(Arc<Ingress>),
}

/// What a rule says.
pub(super) enum Finding {
    /// It does not concern this call.
    Skip,
    /// Nothing against it.
    Pass(Compared),
    /// No.
    Refuse(Refusal),
}

/// What a rule compared, for the trace.
#[derive(Default)]
pub(super) struct Compared {
    pub setting: Option<&'static str>,
    pub observed: String,
    pub limit: String,
}

impl<'a> Case<'a> {
    pub fn new(ask: &'a PlanAsk, facts: &'a Facts<'a>) -> Case<'a> {
        let who = Who::find(&ask.payer, facts.directory);
        let shown = Who::find(&ask.caller, facts.directory);
        let chain =
            ask.payer.account().map(|account| facts.directory.chain(account).cloned().collect()).unwrap_or_default();
        let destination = match &who {
            Some(who) => who.dial(&ask.dialled, &ask.to, facts.directory, facts.emergencies),
            None => Destination::Invalid(dialplan::Invalid::Unreadable),
        };
        let callee = match &destination {
            Destination::User { user, .. } | Destination::Did { user, .. } => facts.directory.user(*user).cloned(),
            _ => None,
        };
        Case {
            ask,
            facts,
            who,
            shown,
            chain,
            destination,
            callee,
            candidates: Vec::new(),
            levels: Vec::new(),
            unpriced: false,
            trace: Vec::new(),
        }
    }

    pub fn is_emergency(&self) -> bool {
        matches!(self.destination, Destination::Emergency { .. })
    }

    /// What was dialled, for the CDR: normalised where that is possible.
    pub fn callee_text(&self) -> Box<str> {
        match &self.destination {
            Destination::Outside { number } | Destination::Did { number, .. } => number.digits().into(),
            Destination::User { number: Some(number), .. } => number.digits().into(),
            Destination::User { .. } => self.callee.as_ref().map(|user| user.name.clone()).unwrap_or_default(),
            Destination::Emergency { number } => number.clone(),
            Destination::Invalid(_) => dialled_user(&self.ask.dialled).into(),
        }
    }

    /// Writes what a rule said into the trace, and passes a refusal on.
    pub fn record(&mut self, rule: Rule, finding: Finding) -> Option<Refusal> {
        let (compared, verdict, refusal) = match finding {
            Finding::Skip => (Compared::default(), Verdict::Skip, None),
            Finding::Pass(compared) => (compared, Verdict::Pass, None),
            Finding::Refuse(refusal) => {
                self.trace.push(TraceRow {
                    rule: refusal.rule,
                    setting: refusal.setting.as_deref().map(str::to_owned),
                    observed: refusal.observed.clone(),
                    limit: refusal.limit.clone(),
                    verdict: Verdict::Refuse,
                });
                return Some(refusal);
            }
        };
        let Compared { setting, observed, limit } = compared;
        self.trace.push(TraceRow { rule, setting: setting.map(str::to_owned), observed, limit, verdict });
        refusal
    }
}

impl Who {
    pub fn find(party: &Party, directory: &Directory) -> Option<Who> {
        match party {
            Party::User { user, .. } => directory.user(*user).cloned().map(Who::User),
            Party::Trunk { trunk, .. } => directory.ingress(*trunk).cloned().map(Who::Trunk),
        }
    }

    /// What the dialled text means to this caller.
    pub fn dial(&self, dialled: &str, to: &str, directory: &Directory, emergencies: &Emergencies) -> Destination {
        let text = match self {
            Who::Trunk(trunk) if trunk.number_from == NumberFrom::To => to,
            _ => dialled,
        };
        let Ok(uri) = Uri::parse(text) else { return Destination::Invalid(dialplan::Invalid::Unreadable) };
        let scheme = match uri.scheme() {
            Scheme::Sip => "sip",
            Scheme::Sips => "sips",
            Scheme::Tel => "tel",
            _ => uri.as_str().split(':').next().unwrap_or_default(),
        };
        let user = if uri.is_sip() {
            uri.user_raw().unwrap_or_default()
        } else {
            uri.as_str().split_once(':').map_or("", |(_, rest)| rest)
        };
        let (caller, user) = match self {
            Who::User(user_row) => (dialplan::Caller::User(user_row), user),
            Who::Trunk(trunk) => {
                // The tech prefix is a secret between the trunk and us, no part of the number.
                (dialplan::Caller::Trunk(trunk), user.strip_prefix(&*trunk.prefix).unwrap_or(user))
            }
        };
        let host = if uri.is_sip() { uri.host() } else { "" };
        dialplan::plan(directory, emergencies, caller, dialplan::Target { scheme, user, host })
    }
}

/// The user part of a dialled URI, for people.
fn dialled_user(text: &str) -> String {
    let user = Uri::parse(text).ok().and_then(|uri| uri.user().map(|user| user.into_owned()));
    let user = user.unwrap_or_else(|| text.to_owned());
    user.chars().filter(|char| !char.is_control()).take(80).collect()
}

impl Compared {
    /// Against a setting.
    pub fn of(setting: impl Into<Option<&'static str>>, observed: impl ToString, limit: impl ToString) -> Compared {
        Compared { setting: setting.into(), observed: observed.to_string(), limit: limit.to_string() }
    }
}
