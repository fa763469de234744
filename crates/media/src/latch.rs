//! From whom a leg's packets are taken, and where packets for it go.
//!
//! Three enemies: *bleed* (a stranger sprays the port range and gets the talk sent to him), *injection* (a stranger's
//! packets reach the listener), *hijack* (a latched stream moves to a stranger). Against them: a named address is kept
//! to; behind an address translator the site that signalled comes first; a stranger must persist, is heard by nobody
//! until then and gets nothing; what is latched moves only by order, or within its first packets to a better source.

use std::net::{IpAddr, SocketAddr};

use crate::plan::Remote;

/// Whose packets are taken (`checkrtpaddr`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// Anybody's.
    Off,
    /// Those that fit what was signalled; behind an address translator, those of the first source that fits best.
    #[default]
    Learn,
    /// Those of the exact address in the SDP.
    Strict,
}

impl Policy {
    /// By the word a setting has for it.
    pub fn named(word: &str) -> Option<Policy> {
        match word {
            "off" => Some(Policy::Off),
            "learn" => Some(Policy::Learn),
            "strict" => Some(Policy::Strict),
            _ => None,
        }
    }
}

/// What became of a packet's source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It is the one we listen to, or nobody cares.
    Accepted,
    /// It has just become the one we listen to.
    Latched,
    /// A stranger that may become the one, if it persists and no better one comes.
    OnProbation,
    /// Not the one.
    Refused,
}

/// One component's (RTP's or RTCP's) source.
#[derive(Clone, Copy, Debug)]
pub struct Latch {
    policy: Policy,
    /// The address in the SDP.
    named: Option<SocketAddr>,
    /// May we send to it unheard?
    trusted: bool,
    /// The address of the whole site, where the named one need not be what we see on the wire.
    site: Option<IpAddr>,
    /// May a source outside that site be learned?
    strangers: bool,
    locked: Option<(SocketAddr, Rank)>,
    /// Packets taken from the locked source; stops counting at [`UNSETTLED`].
    taken: u8,
    probation: Option<(SocketAddr, u8)>,
}

/// How well a source fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Stranger,
    /// The right host, another port.
    Site,
    /// The very address in the SDP.
    Named,
}

/// Packets within which a better source may still take over.
const UNSETTLED: u8 = 5;
/// Packets a stranger must send in a row before it is heard.
const PROBATION: u8 = 5;

impl Latch {
    /// Nobody is listened to: no SDP has come yet.
    pub const SHUT: Latch = Latch {
        policy: Policy::Strict,
        named: None,
        trusted: false,
        site: None,
        strangers: false,
        locked: None,
        taken: 0,
        probation: None,
    };

    /// For RTP, UDPTL, or both components of a muxed line.
    pub fn rtp(policy: Policy, remote: &Remote) -> Latch {
        let nat = remote.behind_nat();
        let site = if nat { Some(remote.signalled_from.to_canonical()) } else { remote.rtp.map(|addr| addr.ip()) };
        Latch { policy, named: remote.rtp, trusted: remote.trusted, site, strangers: nat, ..Latch::SHUT }
    }

    /// For RTCP on a port of its own: it must come from the host that RTP comes from.
    pub fn rtcp(policy: Policy, remote: &Remote) -> Latch {
        Latch { named: remote.rtcp, strangers: false, ..Latch::rtp(policy, remote) }
    }

    /// A packet came from `source`.
    pub fn hear(&mut self, source: SocketAddr) -> Heard {
        if let Some((locked, _)) = self.locked
            && locked == source
        {
            self.taken = self.taken.saturating_add(1).min(UNSETTLED);
            return Heard::Accepted;
        }
        let rank = self.rank(source);
        match (self.policy, rank, self.locked) {
            (Policy::Off, _, Some(_)) => Heard::Accepted,
            (Policy::Off, _, None) => self.lock(source, rank.unwrap_or(Rank::Stranger)),
            (Policy::Strict, Some(Rank::Named), _) => self.lock(source, Rank::Named),
            (Policy::Strict, _, _) | (Policy::Learn, None, _) => Heard::Refused,
            (Policy::Learn, Some(Rank::Stranger), None) => self.prove(source),
            (Policy::Learn, Some(rank), None) => self.lock(source, rank),
            (Policy::Learn, Some(rank), Some((_, held))) if rank > held && self.taken < UNSETTLED => {
                self.lock(source, rank)
            }
            (Policy::Learn, Some(_), Some(_)) => Heard::Refused,
        }
    }

    /// Where packets for this leg go.
    pub fn target(&self) -> Option<SocketAddr> {
        match self.locked {
            // Who may be anybody gets nothing while there is a better address.
            Some((_, rank)) if self.policy == Policy::Off && rank < Rank::Named && self.trusted => self.named,
            Some((locked, _)) => Some(locked),
            None => self.named.filter(|_| self.trusted),
        }
    }

    /// The source listened to.
    pub fn locked(&self) -> Option<SocketAddr> {
        self.locked.map(|(source, _)| source)
    }

    /// Forget the source: a re-INVITE says that it may have changed.
    pub fn release(&mut self) {
        self.locked = None;
        self.taken = 0;
        self.probation = None;
    }

    /// The host of RTP is known now: RTCP must come from there.
    pub fn expect_site(&mut self, site: IpAddr) {
        self.site = Some(site);
    }

    fn rank(&self, source: SocketAddr) -> Option<Rank> {
        if self.named == Some(source) {
            Some(Rank::Named)
        } else if self.site == Some(source.ip()) {
            Some(Rank::Site)
        } else {
            self.strangers.then_some(Rank::Stranger)
        }
    }

    fn lock(&mut self, source: SocketAddr, rank: Rank) -> Heard {
        self.locked = Some((source, rank));
        self.taken = 1;
        self.probation = None;
        Heard::Latched
    }

    fn prove(&mut self, source: SocketAddr) -> Heard {
        let sent = match self.probation {
            Some((stranger, sent)) if stranger == source => sent + 1,
            _ => 1,
        };
        if sent >= PROBATION {
            return self.lock(source, Rank::Stranger);
        }
        self.probation = Some((source, sent));
        Heard::OnProbation
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMED: &str = "198.51.100.7:4000";
    const SITE: &str = "198.51.100.7:61000";
    const SITE2: &str = "198.51.100.7:61002";
    const EVIL: &str = "203.0.113.66:1234";
    const EVIL2: &str = "203.0.113.66:1235";
    const INNER: &str = "192.168.1.5:4000";

    /// Plays sources against a latch; a letter each: a(ccepted), l(atched), p(robation), r(efused).
    fn play(latch: &mut Latch, sources: &[(&str, usize)]) -> String {
        let letter = |heard| match heard {
            Heard::Accepted => 'a',
            Heard::Latched => 'l',
            Heard::OnProbation => 'p',
            Heard::Refused => 'r',
        };
        let all = sources.iter().flat_map(|(source, times)| std::iter::repeat_n(*source, *times));
        all.map(|source| letter(latch.hear(source.parse().unwrap()))).collect()
    }

    fn remote(rtp: &str, trusted: bool) -> Remote {
        Remote { rtp: rtp.parse().ok(), rtcp: None, trusted, signalled_from: "198.51.100.7".parse().unwrap() }
    }

    #[test]
    fn sources_are_judged_by_policy() {
        use Policy::*;
        type Row<'a> = (Policy, (&'a str, bool), &'a [(&'a str, usize)], &'a str, &'a str);
        #[rustfmt::skip]
        let table: &[Row<'_>] = &[
            // policy  SDP            packets                                          verdicts        sent to
            // Nobody has sent yet.
            (Learn,  (NAMED, true),  &[],                                             "",             NAMED),
            (Learn,  (INNER, false), &[],                                             "",             ""),
            // A named address: the attacker neither is heard nor hears.
            (Learn,  (NAMED, true),  &[(EVIL, 9), (NAMED, 2), (EVIL, 2)],             "rrrrrrrrrlarr", NAMED),
            (Learn,  (NAMED, true),  &[(EVIL, 9)],                                    "rrrrrrrrr",    NAMED),
            // Same host, another port: a translator that kept the address.
            (Learn,  (NAMED, true),  &[(SITE, 3), (EVIL, 1), (SITE2, 1)],             "laarr",        SITE),
            // The named one wins over it at once, and not when all is settled.
            (Learn,  (NAMED, true),  &[(SITE, 4), (NAMED, 2), (SITE, 1)],             "laaalar",      NAMED),
            (Learn,  (NAMED, true),  &[(SITE, 6), (NAMED, 2)],                        "laaaaarr",     SITE),
            // Behind a translator: the site that signalled comes first.
            (Learn,  (INNER, false), &[(SITE, 2), (EVIL, 9)],                         "larrrrrrrrr",  SITE),
            (Learn,  (INNER, false), &[(EVIL, 3), (SITE, 2), (EVIL, 2)],              "ppplarr",      SITE),
            // Bleed: a sprayer gets nothing, whatever ports it sprays from.
            (Learn,  (INNER, false), &[(EVIL, 4)],                                    "pppp",         ""),
            (Learn,  (INNER, false), &[(EVIL, 4), (EVIL2, 4), (EVIL, 4)],             "pppppppppppp", ""),
            // Media from elsewhere than signalling: persists, and is latched once.
            (Learn,  (INNER, false), &[(EVIL, 6), (EVIL2, 9)],                        "ppppla" , EVIL),
            // An injected latch loses to the real one within five packets, and no later.
            (Learn,  (INNER, false), &[(EVIL, 8), (SITE, 2), (EVIL, 1)],              "pppplaaalar",  SITE),
            (Learn,  (INNER, false), &[(EVIL, 9), (SITE, 2)],                         "pppplaaaarr",  EVIL),
            // No address at all (a name, or hold).
            (Learn,  ("", false),    &[(EVIL, 1), (SITE, 2)],                         "pla",          SITE),
            // Strict: the SDP or nothing.
            (Strict, (NAMED, true),  &[(SITE, 3), (EVIL, 3), (NAMED, 2)],             "rrrrrrla",     NAMED),
            (Strict, (INNER, false), &[(SITE, 3)],                                    "rrr",          ""),
            // Off: anybody is heard; packets still go to the named address.
            (Off,    (NAMED, true),  &[(EVIL, 2), (SITE, 1)],                         "laa",          NAMED),
            (Off,    (INNER, false), &[(SITE, 2), (EVIL, 1)],                         "laa",          SITE),
        ];
        for (policy, (named, trusted), packets, verdicts, target) in table {
            let mut latch = Latch::rtp(*policy, &remote(named, *trusted));
            let got = play(&mut latch, packets);
            assert!(got.starts_with(verdicts), "{policy:?} {named} {packets:?}: {got}");
            assert!(got[verdicts.len()..].bytes().all(|letter| letter == b'r'), "{policy:?} {packets:?}: {got}");
            assert_eq!(latch.target(), target.parse().ok(), "{policy:?} {named} {packets:?}");
        }
    }

    #[test]
    fn it_moves_by_order_only() {
        let mut latch = Latch::rtp(Policy::Learn, &remote(INNER, false));
        assert_eq!(play(&mut latch, &[(SITE, 9), (SITE2, 9)]), "laaaaaaaarrrrrrrrr");
        latch.release();
        assert_eq!(latch.target(), None, "nothing is sent to the place it left");
        assert_eq!(play(&mut latch, &[(SITE2, 2), (SITE, 1)]), "lar");
    }

    #[test]
    fn rtcp_follows_rtp() {
        let mut latch = Latch::rtcp(Policy::Learn, &remote(INNER, false));
        assert_eq!(play(&mut latch, &[(EVIL, 9)]), "rrrrrrrrr");
        latch.expect_site("203.0.113.66".parse().unwrap());
        assert_eq!(play(&mut latch, &[(SITE, 1), (EVIL, 2)]), "rla");
    }

    #[test]
    fn before_any_sdp_nobody_is_heard() {
        assert_eq!(play(&mut { Latch::SHUT }, &[(EVIL, 9), (SITE, 1)]), "rrrrrrrrrr");
    }

    #[test]
    fn a_private_phone_behind_a_private_router_is_behind_nat() {
        let mut latch = Latch::rtp(
            Policy::Learn,
            &Remote {
                rtp: "192.168.50.2:4000".parse().ok(),
                rtcp: None,
                trusted: true,
                signalled_from: "10.0.0.7".parse().unwrap(),
            },
        );
        assert_eq!(latch.target(), "192.168.50.2:4000".parse().ok());
        assert_eq!(play(&mut latch, &[("10.0.0.7:61000", 1)]), "l");
    }
}
