//! Why something was refused: the closed list of rules, and the one value that log, CDR, portal, API and command line print.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

/// One refusal with the numbers it compared, as they were then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Which rule.
    pub rule: Rule,
    /// The setting that steers it, by its registry name; `None` where nothing can be set.
    pub setting: Option<Cow<'static, str>>,
    /// What was seen.
    pub observed: String,
    /// What is allowed.
    pub limit: String,
}

macro_rules! rules {
    ($($(#[$doc:meta])* $name:ident = $id:literal, $status:literal, $words:literal;)*) => {
        /// The rules that can refuse a call, by precedence: the first that refuses is the cause.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Rule {
            $($(#[$doc])* #[serde(rename = $id)] $name,)*
        }

        impl Rule {
            /// All of them, by precedence.
            pub const ALL: &'static [Rule] = &[$(Rule::$name,)*];

            /// The id that CDRs, JSON and scripts use.
            pub fn id(self) -> &'static str {
                match self { $(Rule::$name => $id,)* }
            }

            /// The SIP status the caller gets unless a setting says otherwise.
            pub fn status(self) -> u16 {
                match self { $(Rule::$name => $status,)* }
            }

            /// What it says to a person; `{o}` stands for the observed value, `{l}` for the limit.
            fn words(self) -> &'static str {
                match self { $(Rule::$name => $words,)* }
            }
        }
    };
}

rules! {
    /// More work than the machine can do, or it is shutting down.
    Overload = "overload", 503, "the platform is at its limit ({o} of {l})";
    /// The source was not who it must be.
    NotAuthorised = "not_authorised", 403, "this source may not call ({o})";
    /// A domain we do not serve.
    ForeignDomain = "foreign_domain", 404, "{o} is not a domain served here";
    /// The user is disabled.
    UserDisabled = "user_disabled", 403, "the user is disabled";
    /// The paying account is disabled.
    AccountDisabled = "account_disabled", 403, "the account is disabled";
    /// Caller identity withheld or foreign where it may not be.
    CallerId = "caller_id", 403, "caller identity {o} may not be used here";
    /// What was dialled is no number, name or extension.
    NumberInvalid = "number_invalid", 404, "{o} cannot be dialled";
    /// Too many hops, or a loop.
    Loop = "loop", 482, "the call came round in a circle ({o})";
    /// Nobody by that name or number lives here.
    UserUnknown = "user_unknown", 404, "nobody is known as {o}";
    /// The callee exists but is not registered.
    UserOffline = "user_offline", 480, "{o} has no device online";
    /// The callee is the caller.
    SelfCall = "self_call", 486, "{o} was called by itself";
    /// A traffic sender that may reach local users only.
    LocalOnly = "local_only", 403, "{o} lies outside; this account reaches local numbers only";
    /// A destination forbidden by policy or deck.
    DestinationBlocked = "destination_blocked", 403, "calls to {o} are blocked";
    /// A number on a list.
    ListBlocked = "list_blocked", 603, "{o} is on a block list";
    /// A caller whose calls went too badly of late.
    CallerBanned = "caller_banned", 603, "calls from here went too badly of late: {o}; usual is {l}";
    /// No trunk leads there.
    NoRoute = "no_route", 404, "there is no route to {o}";
    /// The deck has no price.
    NoPrice = "no_price", 403, "there is no price for {o}";
    /// What the account does looks like fraud.
    Fraud = "fraud", 403, "this looks like fraud: {o}; calls are blocked from {l} points on";
    /// Every route costs more than the call brings.
    Unprofitable = "unprofitable", 403, "the call would bring {o} a minute and cost {l}";
    /// Dearer than allowed.
    TooDear = "too_dear", 403, "a minute costs {o}, at most {l} is allowed";
    /// All lines in use.
    Lines = "lines", 486, "{o} of {l} lines are in use";
    /// Calls from one address.
    IpCalls = "ip_calls", 403, "{o} calls from this address, {l} are allowed";
    /// Seconds from one address.
    IpSeconds = "ip_seconds", 403, "{o} s talked from this address, {l} s are allowed";
    /// Talk time of the day.
    TalkDay = "talk_day", 403, "{o} s talked today, {l} s are allowed";
    /// Talk time of the month.
    TalkMonth = "talk_month", 403, "{o} s talked this month, {l} s are allowed";
    /// Money from one address.
    IpCost = "ip_cost", 403, "{o} spent from this address, {l} is allowed";
    /// Prepaid balance, or postpaid credit limit.
    Credit = "credit", 402, "{o} is needed, {l} is available";
    /// Sum of live prices per minute.
    BurnRate = "burn_rate", 403, "live calls would cost {o} a minute, {l} is allowed";
    /// Money of the day.
    DailyLimit = "daily_limit", 403, "spend today would reach {o}, {l} is allowed";
    /// Money of the day, learned from history.
    DynamicLimit = "dynamic_limit", 403, "spend today would reach {o}, {l} is usual at most";
    /// Money of the month.
    MonthlyLimit = "monthly_limit", 403, "spend this month would reach {o}, {l} is allowed";
    /// Money cannot be held now.
    LedgerUnavailable = "ledger_unavailable", 503, "paid calls are not possible at the moment ({o})";
}

impl Refusal {
    /// A refusal by `rule`, steered by `setting`.
    pub fn new(
        rule: Rule,
        setting: impl Into<Option<&'static str>>,
        observed: impl fmt::Display,
        limit: impl fmt::Display,
    ) -> Refusal {
        Refusal {
            rule,
            setting: setting.into().map(Cow::Borrowed),
            observed: observed.to_string(),
            limit: limit.to_string(),
        }
    }

    /// The sentence for a person, the same everywhere.
    pub fn text(&self) -> String {
        self.rule.words().replace("{l}", &self.limit).replace("{o}", &self.observed)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule.id(), self.text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_was_compared() {
        let refusal = Refusal::new(Rule::Lines, "lines.max", 5, 5);
        assert_eq!(refusal.to_string(), "lines: 5 of 5 lines are in use");
        let json = serde_json::to_string(&refusal).unwrap();
        assert_eq!(serde_json::from_str::<Refusal>(&json).unwrap(), refusal);
    }

    #[test]
    fn ids_are_distinct_and_answers_are_refusals() {
        let mut ids: Vec<_> = Rule::ALL.iter().map(|rule| rule.id()).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), Rule::ALL.len());
        assert!(Rule::ALL.iter().all(|rule| (400..700).contains(&rule.status())));
    }
}
