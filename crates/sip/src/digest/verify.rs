//! Is it who it says? One function, one order of reasons, the same work for a user that does not exist.

use std::net::IpAddr;
use std::time::Duration;

use subtle::ConstantTimeEq;
use tollgate_settings::{Values, rows::digest as rows};
use tollgate_types::Wall;

use super::algorithm::Answer;
use super::credentials::Credentials;
use super::{Algorithm, Ha1Set, NonceId, NonceKey, NonceVerdict};

/// How strict the check is (setting `digest.strictness`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strictness {
    /// The nonce must be ours, of whatever age.
    Signed,
    /// It must be fresh.
    Fresh,
    /// And each count is good once ([`NonceBook`](super::NonceBook)), and the digest's uri must mean what the request asks for.
    #[default]
    Bound,
    /// And qop is required, and the nonce is good only at the source it was minted for.
    Source,
}

/// What the operator decides about digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How strict the check is.
    pub strictness: Strictness,
    /// Until a nonce is stale.
    pub nonce_lifetime: Duration,
    /// How many requests one nonce may serve before it is stale.
    pub nonce_uses: u32,
    /// A nonce is good only at the source it was minted for, however strict the rest is.
    pub bind_to_source: bool,
    /// May a client answer without qop, as RFC 2069 had it? A nonce is then good once. Never at [`Strictness::Source`].
    pub legacy_without_qop: bool,
}

impl Policy {
    /// As the settings have it.
    pub fn of(values: &Values) -> Policy {
        let strictness = match values.word(&rows::STRICTNESS) {
            "signed" => Strictness::Fresh,
            "bound" => Strictness::Source,
            _ => Strictness::Bound,
        };
        Policy {
            strictness,
            nonce_lifetime: values.duration(&rows::NONCE_LIFETIME),
            nonce_uses: u32::try_from(values.integer(&rows::NONCE_USES)).unwrap_or(u32::MAX),
            bind_to_source: values.bool(&rows::BIND_TO_SOURCE),
            legacy_without_qop: true,
        }
    }
}

/// Without settings: every row at its default.
impl Default for Policy {
    fn default() -> Policy {
        Policy::of(&Values::default())
    }
}

/// The algorithms that the settings offer, strong first; a user's own choice and what a device last answered come before.
pub fn offered(values: &Values) -> &'static [Algorithm] {
    match values.word(&rows::ALGORITHMS) {
        "md5" => &[Algorithm::Md5],
        "sha" => &[Algorithm::Sha512_256, Algorithm::Sha256],
        _ => &Algorithm::STRONG_FIRST,
    }
}

/// The request that the credentials came with.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// Its method.
    pub method: &'a str,
    /// Its Request-URI as written.
    pub request_uri: &'a str,
    /// Where it came from.
    pub source: IpAddr,
    /// When.
    pub now: Wall,
    /// What this user is offered: nothing weaker counts.
    pub offered: &'a [Algorithm],
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is who it says, if the user's book has not seen this count: ask it next, from [`Strictness::Bound`] on.
    Accepted {
        /// For the book.
        nonce: NonceId,
        /// For the book.
        nc: Option<u32>,
        /// What this device speaks: offer it first next time.
        algorithm: Algorithm,
    },
    /// The password is right, the nonce is not good any more: challenge again with `stale`. Never an offence.
    Stale,
    /// Challenge again, or refuse.
    Refused(Offence),
}

/// Why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offence {
    /// Wrong password, or no such user: nobody outside can tell which.
    WrongPassword,
    /// Neither the password nor the nonce was right.
    ForgedNonce,
    /// Right, for another Request-URI: taken from another request.
    OtherUri,
    /// Right, but under an algorithm that this user is not offered.
    NotOffered(Algorithm),
    /// Right, but without qop where that is required.
    NoQop,
}

/// Judges credentials for our realm. `ha1` is what is kept of the user they name; `None` when there is no such user, which
/// takes the same time and gets the same answer as a wrong password.
///
/// A right password with a nonce that is not ours is [`Verdict::Stale`]: it was minted before a restart.
pub fn verify(
    key: &NonceKey,
    credentials: &Credentials<'_>,
    ha1: Option<&Ha1Set>,
    ask: &Ask<'_>,
    policy: &Policy,
) -> Verdict {
    let algorithm = credentials.algorithm;
    let nobody = Ha1Set::NOBODY.get(algorithm).unwrap_or_default();
    let known = ha1.and_then(|ha1| ha1.get(algorithm));
    let answer = Answer {
        algorithm,
        ha1: known.unwrap_or(nobody),
        nonce: credentials.nonce,
        counted: credentials.counted.map(|counted| (counted.nc, counted.cnonce)),
        method: ask.method,
        uri: credentials.uri,
    };
    let right = same_hash(answer.compute().as_bytes(), credentials.response) && known.is_some();
    let bound = policy.bind_to_source || policy.strictness >= Strictness::Source;
    let source = bound.then_some(ask.source);
    let nonce = key.check(credentials.nonce, ask.now, policy.nonce_lifetime, source);
    if !right {
        let forged = nonce == NonceVerdict::Forged;
        return Verdict::Refused(if forged { Offence::ForgedNonce } else { Offence::WrongPassword });
    }
    if !ask.offered.contains(&algorithm) {
        return Verdict::Refused(Offence::NotOffered(algorithm));
    }
    let qop_required = !policy.legacy_without_qop || policy.strictness >= Strictness::Source;
    if credentials.counted.is_none() && qop_required {
        return Verdict::Refused(Offence::NoQop);
    }
    // sipp and old phones write the server, `sip:host:port`, where the target belongs. What is bound then is the nonce and its
    // count, each good once; the strictest level does not take it.
    let names_server =
        policy.strictness < Strictness::Source && Target::of(credentials.uri).is_some_and(|uri| uri.user.is_empty());
    if policy.strictness >= Strictness::Bound && !names_server && !same_target(credentials.uri, ask.request_uri) {
        return Verdict::Refused(Offence::OtherUri);
    }
    let nonce = match nonce {
        NonceVerdict::Fresh(nonce) => nonce,
        NonceVerdict::Stale(nonce) if policy.strictness < Strictness::Fresh => nonce,
        NonceVerdict::Stale(_) | NonceVerdict::Forged => return Verdict::Stale,
    };
    let nc = credentials.counted.map(|counted| counted.number);
    if policy.strictness >= Strictness::Fresh && nc.is_some_and(|nc| nc > policy.nonce_uses) {
        return Verdict::Stale;
    }
    Verdict::Accepted { nonce, nc, algorithm }
}

/// Compares in constant time; hex of either case.
fn same_hash(computed: &[u8], written: &str) -> bool {
    bool::from(computed.ct_eq(written.to_ascii_lowercase().as_bytes()))
}

/// Do the digest's uri and the Request-URI ask for the same? Scheme, user and host must agree, and the port where both
/// name one; parameters need not: phones and proxies add and drop `transport`, `user`, `ob`. What is bound is whom a call is to.
fn same_target(written: &str, asked: &str) -> bool {
    if written == asked {
        return true;
    }
    let (Some(written), Some(asked)) = (Target::of(written), Target::of(asked)) else { return false };
    written.scheme.eq_ignore_ascii_case(asked.scheme)
        && written.user == asked.user
        && written.host.eq_ignore_ascii_case(asked.host)
        && (written.port == asked.port || written.port.is_empty() || asked.port.is_empty())
}

struct Target<'a> {
    scheme: &'a str,
    user: &'a str,
    host: &'a str,
    port: &'a str,
}

impl<'a> Target<'a> {
    fn of(uri: &'a str) -> Option<Target<'a>> {
        let (scheme, rest) = uri.split_once(':')?;
        // A user part may hold `;` and `?`; a host may not.
        let (user, rest) = rest.split_once('@').unwrap_or(("", rest));
        let host_port = rest.split([';', '?']).next().unwrap_or_default();
        let host_end = host_port.rfind(']').map_or(0, |at| at + 1);
        let (host, port) = match host_port[host_end..].split_once(':') {
            Some((host, port)) => (&host_port[..host_end + host.len()], port),
            None => (host_port, ""),
        };
        Some(Target { scheme, user, host, port })
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tollgate_types::Seed;

    use super::super::{Pick, algorithm::Hex};
    use super::*;

    const HOME: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    const AWAY: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));

    fn at(secs: i64) -> Wall {
        Wall::from_secs(1_800_000_000 + secs)
    }

    fn answer(nonce: &str, password: &str, algorithm: Algorithm, uri: &str, qop: bool) -> String {
        let ha1 = Ha1Set::of("bob", "r", password);
        let counted = qop.then_some(("0000000b", "c"));
        let hash: Hex =
            Answer { algorithm, ha1: ha1.get(algorithm).unwrap(), nonce, counted, method: "INVITE", uri }.compute();
        let qop = if qop { ",qop=auth,nc=0000000b,cnonce=\"c\"" } else { "" };
        format!(
            "Digest username=\"bob\",realm=\"r\",nonce=\"{nonce}\",uri=\"{uri}\",response=\"{}\",algorithm={}{qop}",
            hash.as_str(),
            algorithm.token()
        )
    }

    #[test]
    fn the_order_of_reasons() {
        use Algorithm::*;
        use Offence::*;
        use Strictness::*;
        let key = NonceKey::new(Seed([1, 2, 3, 4]));
        let ours = key.mint(at(0), HOME, [1; 6]);
        let theirs = NonceKey::new(Seed([9; 4])).mint(at(0), HOME, [1; 6]);
        let uri = "sip:100@r";
        let bob = Ha1Set::of("bob", "r", "secret");
        let accepted = |algorithm| {
            let NonceVerdict::Fresh(nonce) = key.check(&ours, at(0), Duration::from_secs(1), None) else { panic!() };
            Verdict::Accepted { nonce, nc: Some(11), algorithm }
        };
        //  level  nonce password  algorithm  uri           known later source  verdict
        for (level, nonce, password, algorithm, digest_uri, known, later, source, verdict) in [
            (Bound, &ours, "secret", Md5, uri, true, 1, HOME, accepted(Md5)),
            (Bound, &ours, "secret", Sha256, uri, true, 1, AWAY, accepted(Sha256)),
            (Source, &ours, "secret", Sha256, uri, true, 1, HOME, accepted(Sha256)),
            (Source, &ours, "secret", Sha256, uri, true, 1, AWAY, Verdict::Stale),
            (Bound, &ours, "guess", Md5, uri, true, 1, HOME, Verdict::Refused(WrongPassword)),
            (Bound, &ours, "secret", Md5, uri, false, 1, HOME, Verdict::Refused(WrongPassword)),
            (Bound, &ours, "guess", Md5, uri, true, 301, HOME, Verdict::Refused(WrongPassword)),
            (Bound, &theirs, "guess", Md5, uri, true, 1, HOME, Verdict::Refused(ForgedNonce)),
            (Bound, &theirs, "secret", Md5, uri, false, 1, HOME, Verdict::Refused(ForgedNonce)),
            (Bound, &theirs, "secret", Md5, uri, true, 1, HOME, Verdict::Stale),
            (Bound, &ours, "secret", Md5, uri, true, 301, HOME, Verdict::Stale),
            (Signed, &ours, "secret", Md5, uri, true, 301, HOME, accepted(Md5)),
            (Signed, &theirs, "secret", Md5, uri, true, 1, HOME, Verdict::Stale),
            (Bound, &ours, "secret", Sha512_256, uri, true, 1, HOME, Verdict::Refused(NotOffered(Sha512_256))),
            (Bound, &ours, "secret", Md5, "sip:900@r", true, 1, HOME, Verdict::Refused(OtherUri)),
            (Fresh, &ours, "secret", Md5, "sip:900@r", true, 1, HOME, accepted(Md5)),
        ] {
            let text = answer(nonce, password, algorithm, digest_uri, true);
            let Pick::Found(credentials) = Credentials::read(&text, "r") else { panic!("{text}") };
            let ask = Ask { method: "INVITE", request_uri: uri, source, now: at(later), offered: &[Sha256, Md5] };
            let policy = Policy { strictness: level, ..Policy::default() };
            let got = verify(&key, &credentials, known.then_some(&bob), &ask, &policy);
            assert_eq!(got, verdict, "{level:?} {password} {algorithm:?} {digest_uri} {known} {later} {source}");
        }
    }

    #[test]
    fn without_qop_only_where_that_is_allowed_and_never_for_another_method() {
        let key = NonceKey::new(Seed([1, 2, 3, 4]));
        let nonce = key.mint(at(0), HOME, [1; 6]);
        let bob = Ha1Set::of("bob", "r", "secret");
        let text = answer(&nonce, "secret", Algorithm::Md5, "sip:r", false);
        let Pick::Found(credentials) = Credentials::read(&text, "r") else { panic!() };
        let judge = |method, policy: &Policy| {
            let ask = Ask { method, request_uri: "sip:r", source: HOME, now: at(0), offered: &Algorithm::STRONG_FIRST };
            verify(&key, &credentials, Some(&bob), &ask, policy)
        };
        let open = Policy::default();
        assert!(matches!(judge("INVITE", &open), Verdict::Accepted { nc: None, .. }));
        assert_eq!(judge("REGISTER", &open), Verdict::Refused(Offence::WrongPassword));
        let shut = Policy { legacy_without_qop: false, ..open };
        assert_eq!(judge("INVITE", &shut), Verdict::Refused(Offence::NoQop));
        let strict = Policy { strictness: Strictness::Source, ..open };
        assert_eq!(judge("INVITE", &strict), Verdict::Refused(Offence::NoQop));
    }

    #[test]
    fn a_nonce_serves_so_many_requests_and_a_bound_one_only_its_source() {
        let key = NonceKey::new(Seed([1, 2, 3, 4]));
        let nonce = key.mint(at(0), HOME, [1; 6]);
        let bob = Ha1Set::of("bob", "r", "secret");
        // Its count is 11.
        let text = answer(&nonce, "secret", Algorithm::Md5, "sip:r", true);
        let Pick::Found(credentials) = Credentials::read(&text, "r") else { panic!() };
        let judge = |source, nonce_uses, bind_to_source| {
            let ask = Ask { method: "INVITE", request_uri: "sip:r", source, now: at(0), offered: &[Algorithm::Md5] };
            let policy = Policy { nonce_uses, bind_to_source, ..Policy::default() };
            verify(&key, &credentials, Some(&bob), &ask, &policy) == Verdict::Stale
        };
        for (source, uses, bind, stale) in
            [(HOME, 11, false, false), (HOME, 10, false, true), (AWAY, 11, false, false), (AWAY, 11, true, true)]
        {
            assert_eq!(judge(source, uses, bind), stale, "{source} {uses} {bind}");
        }
    }

    #[test]
    fn the_defaults_are_the_settings() {
        let policy = Policy::default();
        assert_eq!((policy.strictness, policy.nonce_lifetime), (Strictness::Bound, Duration::from_secs(300)));
        assert_eq!(offered(&Values::default()), [Algorithm::Md5]);
    }

    #[test]
    fn which_uris_ask_for_the_same() {
        for (written, asked, verdict) in [
            ("sip:100@r", "sip:100@r", true),
            ("sip:100@R:5060", "sip:100@r;transport=tcp", true),
            ("SIP:100@r;user=phone", "sip:100@r", true),
            ("sip:r", "sip:r:5070", true),
            ("sip:r:5060", "sip:r:5070", false),
            ("sip:100@r", "sip:101@r", false),
            ("sip:a@r", "sip:A@r", false),
            ("sip:100@r", "sips:100@r", false),
            ("sip:100@r", "sip:100@s", false),
            ("sip:100@[2001:db8::1]:5060", "sip:100@[2001:DB8::1]", true),
            ("sip:100;a=b@r", "sip:100;a=c@r", false),
            ("tel:+1", "tel:+2", false),
            ("", "sip:r", false),
        ] {
            assert_eq!(same_target(written, asked), verdict, "{written} {asked}");
        }
    }
}
