//! A hold that is only asked about: every rule, in order, and how long the money would last. Nothing changes.

use tollgate_types::{Money, Refusal, Wall};

use super::{Books, Fault, Hold, admit, open, standing};
use crate::cdr::TraceRow;
use crate::charge::price_of;
use crate::policy::Rules;

/// What a hold would meet.
#[derive(Clone, Debug, PartialEq)]
pub struct Explained {
    /// The rule that would refuse it.
    pub refusal: Option<Refusal>,
    /// What would be held of the payer.
    pub held: Money,
    /// How long the call could last if it were answered now and alone; `None` = no end that money knows.
    pub max_seconds: Option<u64>,
    /// Every rule that applies, in order.
    pub trace: Vec<TraceRow>,
}

/// No answer is longer than a day: further on nobody knows the limits.
const FARTHEST_SECONDS: u64 = 86_400;

/// Asks what [`super::What::Hold`] asks, on a copy of `books`.
pub fn explain(books: &Books, rules: &Rules, hold: &Hold, now: Wall) -> Result<Explained, Fault> {
    let mut books = books.clone();
    for level in &hold.levels {
        open(&mut books, rules, level.account, now)?;
    }
    let mut trace = Vec::new();
    let mut refusal = None;
    let proposal = admit::judge(&books, rules, hold, now, &mut |_, finding| {
        trace.push(finding.trace());
        if !finding.passes {
            refusal.get_or_insert_with(|| finding.refusal());
        }
        true
    })?;
    let Some(proposal) = proposal else {
        let refusal = Some(admit::no_price(&hold.draft.callee));
        return Ok(Explained { refusal, held: Money::ZERO, max_seconds: Some(0), trace });
    };
    let mut max_seconds = None;
    if refusal.is_some() {
        max_seconds = Some(0);
    } else if proposal.paid_ms.is_some() {
        for level in &proposal.levels {
            let Some(free) = standing(&books, rules, level.account, now)?.available() else { continue };
            let affordable = |seconds: u64| price_of(&level.plan, now, seconds * 1000, &level.turns).amount <= free;
            let (mut fits, mut too_long) = (0, FARTHEST_SECONDS + 1);
            while too_long - fits > 1 {
                let middle = fits + (too_long - fits) / 2;
                if affordable(middle) { fits = middle } else { too_long = middle }
            }
            if fits < FARTHEST_SECONDS {
                max_seconds = Some(max_seconds.map_or(fits, |known: u64| known.min(fits)));
            }
        }
    }
    let held = proposal.levels.first().map_or(Money::ZERO, |level| level.held);
    Ok(Explained { refusal, held, max_seconds, trace })
}
