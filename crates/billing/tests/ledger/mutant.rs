//! A ledger that gets one cap wrong, without a line of it changed: it is told of other limits than the books are checked by.

use tollgate_billing::Rules;
use tollgate_billing::account::{AccountKind, AccountTerms, Mode};
use tollgate_billing::policy::DynamicFor;
use tollgate_types::{Money, Rate, Rule};

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// Does not know this cap.
    Blind(Rule),
    /// Takes it for the smallest step larger than it is.
    Loose(Rule),
    /// Knows no limits of those above the payer.
    PayerAlone,
}

impl Mutant {
    /// Every cap that is the ledger's own.
    pub const CAPS: [Rule; 8] = [
        Rule::Credit,
        Rule::BurnRate,
        Rule::DailyLimit,
        Rule::DynamicLimit,
        Rule::MonthlyLimit,
        Rule::IpCost,
        Rule::Lines,
        Rule::Overload,
    ];

    /// What it takes an account's terms for.
    pub fn change(self, terms: &mut AccountTerms) {
        match self {
            Mutant::PayerAlone if terms.kind == AccountKind::Reseller => {
                for rule in Mutant::CAPS {
                    Mutant::Blind(rule).change(terms);
                }
            }
            Mutant::PayerAlone => {}
            Mutant::Blind(rule) => match rule {
                Rule::Credit => (terms.mode, terms.credit_limit) = (Mode::Postpaid, None),
                Rule::BurnRate => terms.burn_rate = None,
                Rule::DailyLimit => terms.daily_limit = None,
                Rule::MonthlyLimit => terms.monthly_limit = None,
                Rule::Lines => terms.max_lines = None,
                _ => {}
            },
            Mutant::Loose(rule) => match rule {
                Rule::Credit => {
                    let limit = terms.floor().map(|floor| Money::from_micros(1 - floor.micros()));
                    (terms.mode, terms.credit_limit) = (Mode::Postpaid, limit);
                }
                Rule::BurnRate => terms.burn_rate = terms.burn_rate.map(|rate| Rate::from_nanos(rate.nanos() + 1)),
                Rule::DailyLimit => terms.daily_limit = terms.daily_limit.map(looser),
                Rule::MonthlyLimit => {
                    terms.monthly_limit = terms.monthly_limit.map(looser);
                    terms.monthly_ceiling = terms.monthly_ceiling.map(looser);
                }
                Rule::Lines => terms.max_lines = terms.max_lines.map(|lines| lines + 1),
                _ => {}
            },
        }
    }

    /// What it takes the settings for.
    pub fn rules(self, rules: &Rules) -> Rules {
        let mut rules = rules.clone();
        let policy = &mut rules.policy;
        match self {
            Mutant::PayerAlone => policy.tenant_calls = None,
            Mutant::Blind(Rule::DynamicLimit) => policy.dynamic = DynamicFor::Off,
            Mutant::Blind(Rule::IpCost) => policy.ip.cost_max = None,
            Mutant::Blind(Rule::Overload) => policy.tenant_calls = None,
            Mutant::Loose(Rule::DynamicLimit) => policy.dynamic_floor_enduser = looser(policy.dynamic_floor_enduser),
            Mutant::Loose(Rule::IpCost) => policy.ip.cost_max = policy.ip.cost_max.map(looser),
            Mutant::Loose(Rule::Overload) => policy.tenant_calls = policy.tenant_calls.map(|calls| calls + 1),
            Mutant::Blind(_) | Mutant::Loose(_) => {}
        }
        rules
    }
}

fn looser(limit: Money) -> Money {
    Money::from_micros(limit.micros() + 1)
}
