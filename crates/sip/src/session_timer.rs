//! Session timers (RFC 4028): how two ends agree that a session is to be refreshed, and what each does when it is not.
//!
//! Pure negotiation for both parts of a transaction, INVITE or UPDATE, first or later. The dialog keeps the [`Agreed`] that
//! came out and sets two timers from it.

use std::time::Duration;

use tollgate_settings::{Values, rows::call as rows};
use tollgate_types::Mono;

use crate::header::{Refresher, SessionExpires, seconds};
use crate::wire::{Message, Name};

/// No interval below this is ever agreed on (RFC 4028 §4).
pub const MIN_SE: u32 = 90;

/// The option tag.
pub const TAG: &str = "timer";

/// What we want of session timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Seconds we ask for, and grant at most: 1800, as RFC 4028 §4 recommends.
    pub interval: u32,
    /// Seconds we accept at least; never less than [`MIN_SE`].
    pub min: u32,
    /// May we refresh sessions with a peer that knows nothing of timers? Then a peer that vanished is noticed.
    pub alone: bool,
}

impl Policy {
    /// As the settings have it; `None` where they turn session timers off: then nothing about them is written or read.
    pub fn of(values: &Values) -> Option<Policy> {
        let seconds = |span: Duration| u32::try_from(span.as_secs()).unwrap_or(u32::MAX);
        Some(Policy {
            interval: seconds(values.duration_or_off(&rows::SESSION_EXPIRES)?),
            min: seconds(values.duration(&rows::SESSION_MIN)),
            alone: true,
        })
    }
}

impl Default for Policy {
    fn default() -> Policy {
        Policy { interval: 1800, min: MIN_SE, alone: true }
    }
}

/// What a request said of session timers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Proposal {
    /// Its sender knows them: `Supported: timer`.
    pub supported: bool,
    /// Session-Expires.
    pub expires: Option<SessionExpires>,
    /// Min-SE.
    pub min: Option<u32>,
}

impl Proposal {
    /// Reads a request.
    pub fn read(request: &Message) -> Proposal {
        Proposal {
            supported: request.lists(Name::Supported, TAG) || request.lists(Name::Require, TAG),
            expires: request.header(Name::SessionExpires).and_then(SessionExpires::parse),
            min: request.header(Name::MinSe).and_then(seconds),
        }
    }
}

/// What was agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// Seconds until the session ends unless it is refreshed.
    pub interval: u32,
    /// We refresh; else the peer does.
    pub ours: bool,
}

/// What a request's receiver answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// No timer: nothing about it in the 2xx.
    Off,
    /// 422 with this Min-SE.
    TooBrief {
        /// Seconds at least.
        min: u32,
    },
    /// A timer.
    On {
        /// What to keep.
        agreed: Agreed,
        /// Session-Expires of the 2xx.
        expires: SessionExpires,
        /// The 2xx carries `Require: timer`: the peer must know that it has a part.
        require: bool,
    },
}

/// Answers a proposal as UAS (RFC 4028 §9, table 2).
pub fn answer(proposal: &Proposal, policy: &Policy) -> Verdict {
    let floor = policy.min.max(MIN_SE);
    let least = proposal.min.unwrap_or(0).max(floor);
    let asked = proposal.expires.map(|expires| expires.interval);
    let interval = match asked {
        Some(asked) if asked < floor && proposal.supported => return Verdict::TooBrief { min: floor },
        // A proxy asked on behalf of a sender that would not understand a 422. §9 forbids to raise the interval; but what
        // is below the floor is refreshed by us at the floor, or anybody could make us send at any rate.
        Some(asked) => asked.min(policy.interval.max(least)).max(floor),
        None => policy.interval.max(least),
    };
    let refresher = match proposal.expires.and_then(|expires| expires.refresher) {
        _ if !proposal.supported => Refresher::Uas,
        Some(refresher) => refresher,
        // Left to us: who asked for it may do the work.
        None if asked.is_some() => Refresher::Uac,
        None => Refresher::Uas,
    };
    if !proposal.supported && !policy.alone {
        return Verdict::Off;
    }
    Verdict::On {
        agreed: Agreed { interval, ours: refresher == Refresher::Uas },
        expires: SessionExpires { interval, refresher: Some(refresher) },
        require: proposal.supported,
    }
}

/// What we write into a request: `Supported: timer`, this Session-Expires, and this Min-SE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Session-Expires.
    pub expires: SessionExpires,
    /// Min-SE; left out while it is the default (RFC 4028 §7.1).
    pub min: Option<u32>,
}

/// Asks as UAC for a new session.
pub fn ask(policy: &Policy) -> Asked {
    let min = policy.min.max(MIN_SE);
    Asked {
        expires: SessionExpires { interval: policy.interval.max(min), refresher: None },
        min: (min > MIN_SE).then_some(min),
    }
}

/// Asks again in a session that has a timer: the parts stay as they are (RFC 4028 §7.4).
pub fn ask_again(agreed: &Agreed, policy: &Policy) -> Asked {
    let refresher = if agreed.ours { Refresher::Uac } else { Refresher::Uas };
    let first = ask(policy);
    let interval = agreed.interval.max(first.min.unwrap_or(MIN_SE));
    Asked { expires: SessionExpires { interval, refresher: Some(refresher) }, ..first }
}

/// Asks again after a 422 (RFC 4028 §7.3). `None` when it names no larger minimum, so that two stubborn ends do not loop.
pub fn ask_more(asked: &Asked, refused: &Message) -> Option<Asked> {
    let min = refused.header(Name::MinSe).and_then(seconds)?;
    let higher = min > asked.expires.interval || min > asked.min.unwrap_or(MIN_SE);
    let interval = asked.expires.interval.max(min);
    higher.then_some(Asked { expires: SessionExpires { interval, ..asked.expires }, min: Some(min) })
}

/// What a 2xx to our request means (RFC 4028 §7.2). `asked` is what the request said of timers, if anything.
pub fn conclude(asked: Option<&Asked>, response: &Message, policy: &Policy) -> Option<Agreed> {
    conclude_from(asked, response.header(Name::SessionExpires).and_then(SessionExpires::parse), policy)
}

fn conclude_from(asked: Option<&Asked>, answered: Option<SessionExpires>, policy: &Policy) -> Option<Agreed> {
    let asked = asked?;
    match answered {
        // The peer may have lowered the interval, but not below what we said, nor below what is sane.
        Some(answered) => Some(Agreed {
            interval: answered.interval.max(asked.min.unwrap_or(MIN_SE)),
            ours: answered.refresher != Some(Refresher::Uas),
        }),
        None => policy.alone.then_some(Agreed { interval: asked.expires.interval, ours: true }),
    }
}

impl Agreed {
    /// When to refresh, if that is ours: at half time (RFC 4028 §10).
    pub fn refresh_at(&self, now: Mono) -> Option<Mono> {
        self.ours.then(|| now + Duration::from_secs(u64::from(self.interval)) / 2)
    }

    /// When to send BYE if nobody has refreshed: before the end by 32 s or a third, whichever is less (RFC 4028 §10).
    pub fn give_up_at(&self, now: Mono) -> Mono {
        let interval = Duration::from_secs(u64::from(self.interval));
        now + (interval - (interval / 3).min(Duration::from_secs(32)))
    }
}

#[cfg(test)]
mod tests {
    use Refresher::*;
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;

    fn expires(interval: u32, refresher: Option<Refresher>) -> Option<SessionExpires> {
        Some(SessionExpires { interval, refresher })
    }

    fn on(interval: u32, refresher: Refresher, require: bool) -> Verdict {
        Verdict::On {
            agreed: Agreed { interval, ours: refresher == Uas },
            expires: SessionExpires { interval, refresher: Some(refresher) },
            require,
        }
    }

    #[test]
    fn table_2_of_rfc_4028_and_its_edges() {
        let policy = Policy::default();
        let off = Policy { alone: false, ..policy };
        let strict = Policy { min: 600, ..policy };
        //  we       supported  Session-Expires          Min-SE      verdict
        for (policy, supported, expires, min, verdict) in [
            (&policy, true, expires(1800, None), None, on(1800, Uac, true)),
            (&policy, true, expires(1800, Some(Uac)), None, on(1800, Uac, true)),
            (&policy, true, expires(1800, Some(Uas)), None, on(1800, Uas, true)),
            (&policy, false, expires(1800, None), None, on(1800, Uas, false)),
            (&policy, false, expires(1800, Some(Uac)), None, on(1800, Uas, false)),
            (&off, false, expires(1800, None), None, Verdict::Off),
            (&off, false, None, None, Verdict::Off),
            (&off, true, None, None, on(1800, Uas, true)),
            (&policy, true, None, None, on(1800, Uas, true)),
            (&policy, true, None, Some(3600), on(3600, Uas, true)),
            (&policy, false, None, None, on(1800, Uas, false)),
            (&policy, true, expires(7200, None), None, on(1800, Uac, true)),
            (&policy, true, expires(7200, None), Some(3600), on(3600, Uac, true)),
            (&policy, true, expires(90, None), None, on(90, Uac, true)),
            (&policy, true, expires(89, None), None, Verdict::TooBrief { min: 90 }),
            (&policy, true, expires(0, Some(Uas)), None, Verdict::TooBrief { min: 90 }),
            (&policy, false, expires(1, None), None, on(90, Uas, false)),
            (&strict, true, expires(300, None), Some(90), Verdict::TooBrief { min: 600 }),
            (&strict, true, expires(600, None), Some(90), on(600, Uac, true)),
        ] {
            let proposal = Proposal { supported, expires, min };
            assert_eq!(answer(&proposal, policy), verdict, "{proposal:?} {policy:?}");
        }
    }

    #[test]
    fn the_defaults_are_the_settings() {
        assert_eq!(Policy::of(&Values::default()), Some(Policy::default()));
    }

    #[test]
    fn what_a_2xx_means_to_who_asked() {
        let policy = Policy::default();
        let asked = ask(&policy);
        assert_eq!(asked, Asked { expires: SessionExpires { interval: 1800, refresher: None }, min: None });
        for (answered, alone, agreed) in [
            (expires(1800, Some(Uac)), true, Some(Agreed { interval: 1800, ours: true })),
            (expires(600, Some(Uas)), true, Some(Agreed { interval: 600, ours: false })),
            (expires(600, None), true, Some(Agreed { interval: 600, ours: true })),
            (expires(1, Some(Uac)), true, Some(Agreed { interval: 90, ours: true })),
            (None, true, Some(Agreed { interval: 1800, ours: true })),
            (None, false, None),
        ] {
            assert_eq!(conclude_from(Some(&asked), answered, &Policy { alone, ..policy }), agreed, "{answered:?}");
        }
        assert_eq!(conclude_from(None, expires(1800, Some(Uac)), &policy), None);
    }

    #[test]
    fn after_a_422_more_is_asked_once() {
        let refused = |min: &str| {
            let text = format!(
                "SIP/2.0 422 Session Interval Too Small\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n\
                 To: <sip:a@b>;tag=2\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n{min}Content-Length: 0\r\n\r\n"
            );
            Message::parse(Bytes::from(text)).unwrap()
        };
        let asked = ask(&Policy { interval: 300, ..Policy::default() });
        let more = ask_more(&asked, &refused("Min-SE: 600\r\n")).unwrap();
        assert_eq!((more.expires.interval, more.min), (600, Some(600)));
        assert_eq!(ask_more(&more, &refused("Min-SE: 600\r\n")), None);
        assert_eq!(ask_more(&asked, &refused("Min-SE: 90\r\n")), None);
        assert_eq!(ask_more(&asked, &refused("")), None);
        let again = ask_again(&Agreed { interval: 600, ours: false }, &Policy::default());
        assert_eq!(again.expires, SessionExpires { interval: 600, refresher: Some(Uas) });
    }

    #[test]
    fn half_time_and_the_end() {
        //  interval  refresh after  give up after
        for (interval, refresh, give_up) in [(1800, 900, 1768), (90, 45, 60), (96, 48, 64), (97, 48, 65)] {
            let agreed = Agreed { interval, ours: true };
            let secs = |at: Mono| at.since(Mono::START).as_secs();
            assert_eq!(agreed.refresh_at(Mono::START).map(secs), Some(refresh));
            assert_eq!(secs(agreed.give_up_at(Mono::START)), give_up);
            assert_eq!(Agreed { ours: false, ..agreed }.refresh_at(Mono::START), None);
        }
    }

    proptest! {
        /// Whatever two of us are set to, both ends agree: one refreshes, before the other gives up.
        #[test]
        fn both_ends_agree(one in 90u32..5000, other in 90u32..5000, one_min in 0u32..3000, other_min in 0u32..3000) {
            let uac = Policy { interval: one, min: one_min, alone: true };
            let uas = Policy { interval: other, min: other_min, alone: true };
            let mut asked = ask(&uac);
            for turn in 0..3 {
                let proposal = Proposal { supported: true, expires: Some(asked.expires), min: asked.min };
                match answer(&proposal, &uas) {
                    Verdict::TooBrief { min } => {
                        prop_assert!(turn == 0 && min > asked.expires.interval);
                        asked = Asked { expires: SessionExpires { interval: min, ..asked.expires }, min: Some(min) };
                    }
                    Verdict::On { agreed, expires, require } => {
                        let ours = conclude_from(Some(&asked), Some(expires), &uac).unwrap();
                        prop_assert_eq!(ours.interval, agreed.interval);
                        prop_assert!(ours.ours != agreed.ours && require);
                        prop_assert!(agreed.interval >= MIN_SE.max(one_min) && agreed.interval >= other_min);
                        let refresh = Agreed { ours: true, ..agreed }.refresh_at(Mono::START).unwrap();
                        prop_assert!(refresh < agreed.give_up_at(Mono::START));
                        return Ok(());
                    }
                    Verdict::Off => prop_assert!(false, "both know timers"),
                }
            }
            prop_assert!(false, "no agreement");
        }
    }
}
