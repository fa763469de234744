//! Session timers of one leg, RFC 4028: how often a dialog proves that it lives, and who sees to it.

use std::time::Duration;

use tollgate_sip::header::{Refresher, SessionExpires};
use tollgate_sip::wire::{Message, Name, RequestBuilder};

use crate::policy::Policy;

/// What was agreed with the peer of this leg.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Session {
    /// How long the session lives without a refresh; `None` = no timer.
    pub interval: Option<Duration>,
    /// It is we who refresh.
    pub ours: bool,
    /// The peer did not understand our UPDATE: refresh by re-INVITE.
    pub by_invite: bool,
}

impl Session {
    /// What a request of the peer's asks for, and the headers that our 2xx answers with (RFC 4028 §9). An interval below
    /// our minimum was answered 422 before.
    pub(crate) fn by_request(request: &Message, policy: &Policy) -> (Session, Vec<(Name<'static>, String)>) {
        let understands = request.lists(Name::Supported, "timer") || request.lists(Name::Require, "timer");
        let asked = request.header(Name::SessionExpires).and_then(SessionExpires::parse);
        let interval = match (asked, policy.session_expires) {
            (Some(asked), _) => Duration::from_secs(asked.interval.into()).max(policy.session_min),
            (None, Some(own)) => own,
            (None, None) => return (Session::default(), Vec::new()),
        };
        if !understands {
            // We prove its life by ourselves; it need not know.
            let ours = policy.session_expires.is_some();
            return (Session { interval: ours.then_some(interval), ours, by_invite: false }, Vec::new());
        }
        // Who asked and may refresh, does (§9, table 2); one that left it open as well: phones behind NAT know best.
        let refresher = asked.and_then(|asked| asked.refresher).unwrap_or(Refresher::Uac);
        let secs = u32::try_from(interval.as_secs()).unwrap_or(u32::MAX);
        let mut headers =
            vec![(Name::SessionExpires, SessionExpires { interval: secs, refresher: Some(refresher) }.write())];
        if refresher == Refresher::Uac {
            headers.push((Name::Require, "timer".to_owned()));
        }
        (Session { interval: Some(interval), ours: refresher == Refresher::Uas, by_invite: false }, headers)
    }

    /// What a 2xx to a request of ours agreed to, when we asked for `asked` seconds (0: for nothing) (RFC 4028 §7.2).
    pub(crate) fn by_response(response: &Message, asked: u32, policy: &Policy) -> Session {
        match response.header(Name::SessionExpires).and_then(SessionExpires::parse) {
            Some(agreed) => Session {
                interval: Some(Duration::from_secs(agreed.interval.into()).max(policy.session_min)),
                ours: agreed.refresher != Some(Refresher::Uas),
                by_invite: false,
            },
            None if asked > 0 => {
                Session { interval: Some(Duration::from_secs(asked.into())), ours: true, by_invite: false }
            }
            None => Session::default(),
        }
    }

    /// Adds what a refreshing request of ours says. Who refreshed before goes on doing so.
    pub(crate) fn ask(
        &self,
        builder: RequestBuilder,
        understands: bool,
        own: Option<Duration>,
        least: Duration,
    ) -> RequestBuilder {
        let Some(interval) = self.interval.or(own).filter(|_| understands) else { return builder };
        let interval = u32::try_from(interval.as_secs()).unwrap_or(u32::MAX);
        let refresher = Some(if self.ours || self.interval.is_none() { Refresher::Uac } else { Refresher::Uas });
        builder
            .header(Name::SessionExpires, SessionExpires { interval, refresher }.write())
            .header(Name::MinSe, least.as_secs().to_string())
    }

    /// How long until something is due: half the interval for a refresh of ours, else a little before its end (§10).
    pub(crate) fn due_in(&self) -> Option<Duration> {
        let interval = self.interval?;
        Some(if self.ours { interval / 2 } else { interval - Duration::from_secs(32).min(interval / 3) })
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use tollgate_settings::Values;

    use super::*;
    use crate::policy::Host;

    fn invite(headers: &str) -> Message {
        let text = format!(
            "INVITE sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\n\
             Call-ID: c\r\nCSeq: 1 INVITE\r\n{headers}\r\n"
        );
        Message::parse(Bytes::from(text)).expect("a test's message parses")
    }

    #[test]
    fn who_refreshes_and_how_often() {
        let policy = Policy::read(&Values::default(), &Host::default());
        //  the request says                                          seconds  ours   our answer says
        for (headers, interval, ours, answer) in [
            ("", 1800, true, None),
            ("Supported: timer\r\n", 1800, false, Some("1800;refresher=uac")),
            ("Supported: timer\r\nSession-Expires: 600\r\n", 600, false, Some("600;refresher=uac")),
            ("Supported: timer\r\nSession-Expires: 600;refresher=uas\r\n", 600, true, Some("600;refresher=uas")),
            ("Session-Expires: 600\r\n", 600, true, None),
        ] {
            let (session, said) = Session::by_request(&invite(headers), &policy);
            assert_eq!(session.interval, Some(Duration::from_secs(interval)), "{headers}");
            assert_eq!(session.ours, ours, "{headers}");
            assert_eq!(said.first().map(|(_, value)| value.as_str()), answer, "{headers}");
        }
    }
}
