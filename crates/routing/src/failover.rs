//! What follows when a carrier did not connect the call: the next carrier, or the end.

use std::time::Duration;

use tollgate_settings::Values;

use crate::rows;

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happened {
    /// A final response.
    Answered {
        /// Its status, 300 to 699.
        status: u16,
        /// What it asks us to wait (RFC 3261 §20.33).
        retry_after: Option<Duration>,
        /// Cause of the telephone network, where a Reason header tells it (RFC 3326).
        q850: Option<u8>,
    },
    /// No response at all in the time we give a carrier.
    NoResponse,
    /// It rang, or said so, until our patience ended.
    RangOut,
    /// No way to it: refused connection, unreachable network, unknown name.
    Unreachable,
}

/// What follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The next carrier.
    TryNext {
        /// The carrier that failed rests so long.
        rest: Option<Rest>,
    },
    /// No other carrier would do better.
    Final,
}

/// A carrier's rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rest {
    /// How long.
    pub span: Duration,
    /// It asked for it: nothing is sent to it meanwhile. Otherwise it is only tried last.
    pub demanded: bool,
}

/// How long carriers rest.
#[derive(Clone, Copy, Debug)]
pub struct Rests {
    /// After silence.
    pub inferred: Duration,
    /// At most, whatever a 503 demands.
    pub demanded_max: Duration,
}

impl Rests {
    /// As the settings say.
    pub fn from_values(values: &Values) -> Rests {
        Rests { inferred: values.duration(&rows::REST), demanded_max: values.duration(&rows::REST_MAX) }
    }
}

/// Judges the end of an attempt. Challenges (401, 407) are answered elsewhere; here they are ones that were not to be.
pub fn next(happened: Happened, rests: Rests) -> Next {
    let inferred = (!rests.inferred.is_zero()).then_some(Rest { span: rests.inferred, demanded: false });
    match happened {
        Happened::NoResponse | Happened::Unreachable => Next::TryNext { rest: inferred },
        Happened::RangOut => Next::Final,
        // Whatever the status says: the far end itself was heard.
        Happened::Answered { status, q850: Some(cause), .. } if !matches!(status, 401 | 407) && callee_spoke(cause) => {
            Next::Final
        }
        Happened::Answered { status: 503, retry_after, .. } => {
            let span = retry_after.unwrap_or_default().min(rests.demanded_max);
            // RFC 3261 §21.5.4: without Retry-After a 503 is as good as a 500.
            Next::TryNext { rest: (!span.is_zero()).then_some(Rest { span, demanded: true }) }
        }
        Happened::Answered { status, .. } if carriers_fault(status) => Next::TryNext { rest: None },
        Happened::Answered { .. } => Next::Final,
    }
}

/// Is it the carrier that cannot, rather than the callee who will not?
fn carriers_fault(status: u16) -> bool {
    match status {
        // A redirection is never followed from a carrier.
        300..=399 => true,
        // It does not know us, our account there is empty, or it may not go there: another carrier may.
        401 | 402 | 403 | 407 => true,
        // It does not understand what others do: request, method, size, scheme, extension, media.
        400 | 405 | 406 | 413 | 414 | 415 | 416 | 420 | 421 | 488 | 493 | 494 => true,
        // It waited in vain itself, or lost its own state.
        408 | 481 => true,
        500..=599 => true,
        // No such number, gone, incomplete, ambiguous, busy, unavailable, loop, cancelled, and all of 6xx.
        _ => false,
    }
}

/// Q.850 causes that come from the callee or his number: unallocated, busy, no answer, absent, rejected, changed, incomplete.
fn callee_spoke(cause: u8) -> bool {
    matches!(cause, 1 | 17 | 18 | 19 | 20 | 21 | 22 | 28)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESTS: Rests = Rests { inferred: Duration::from_secs(30), demanded_max: Duration::from_secs(600) };

    fn shown(happened: Happened) -> String {
        match next(happened, RESTS) {
            Next::Final => "end".to_owned(),
            Next::TryNext { rest: None } => "next".to_owned(),
            Next::TryNext { rest: Some(rest) } if rest.demanded => format!("next, rest {}", rest.span.as_secs()),
            Next::TryNext { rest: Some(rest) } => format!("next, last for {}", rest.span.as_secs()),
        }
    }

    #[test]
    fn a_busy_callee_is_busy_by_every_carrier() {
        for (statuses, follows) in [
            (&[300, 301, 302, 305, 380][..], "next"),
            (&[400, 401, 402, 403, 405, 406, 407, 408], "next"),
            (&[404, 410], "end"),
            (&[413, 414, 415, 416, 420, 421, 481, 488, 493, 494], "next"),
            (&[480, 482, 483, 484, 485, 486, 487, 489, 491], "end"),
            (&[500, 501, 502, 503, 504, 505, 513, 580, 599], "next"),
            (&[600, 603, 604, 606, 607, 608, 699], "end"),
        ] {
            for status in statuses {
                let happened = Happened::Answered { status: *status, retry_after: None, q850: None };
                assert_eq!(shown(happened), follows, "{status}");
            }
        }
    }

    #[test]
    fn what_else_happens() {
        let answered = |status, retry, q850| Happened::Answered {
            status,
            retry_after: (retry > 0).then(|| Duration::from_secs(retry)),
            q850: (q850 > 0).then_some(q850),
        };
        for (happened, follows) in [
            (Happened::NoResponse, "next, last for 30"),
            (Happened::Unreachable, "next, last for 30"),
            (Happened::RangOut, "end"),
            (answered(503, 120, 0), "next, rest 120"),
            (answered(503, 9999, 0), "next, rest 600"),
            (answered(500, 120, 0), "next"),
            (answered(503, 0, 17), "end"),
            (answered(503, 0, 34), "next"),
            (answered(403, 0, 21), "end"),
            (answered(500, 0, 1), "end"),
            (answered(500, 0, 41), "next"),
            (answered(407, 0, 17), "next"),
        ] {
            assert_eq!(shown(happened), follows, "{happened:?}");
        }
        let never = Rests { inferred: Duration::ZERO, demanded_max: Duration::ZERO };
        assert_eq!(next(Happened::NoResponse, never), Next::TryNext { rest: None });
        assert_eq!(next(answered(503, 10, 0), never), Next::TryNext { rest: None });
    }
}
