//! Answering somebody else's challenge: a trunk's, and only the trunk's.

use super::Algorithm;
use super::algorithm::{Answer, Ha1Set};
use super::challenge::push_quoted;
use super::params::Params;
use crate::wire::{Message, Name};

/// A challenge that we can answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// From a 407: the answer goes into Proxy-Authorization.
    pub proxy: bool,
    /// For whom, quoting undone.
    pub realm: String,
    nonce: String,
    opaque: Option<String>,
    /// What it is hashed with.
    pub algorithm: Algorithm,
    /// Named in the challenge; MD5 is repeated only if it was.
    named: bool,
    /// qop `auth` is offered.
    counted: bool,
    /// Only the nonce was too old: the password was right.
    pub stale: bool,
}

/// Who we are to a peer.
#[derive(Clone, Copy)]
pub struct Login<'a> {
    /// The name.
    pub username: &'a str,
    /// The password.
    pub password: &'a str,
    /// To whom it may be shown.
    pub realms: Realms<'a>,
}

/// Whose challenges are answered. Credentials answered to a stranger's realm can be cracked at leisure, so there is no
/// default (FreeSWITCH CVE-2021-41158).
#[derive(Clone, Copy, Debug)]
pub enum Realms<'a> {
    /// Realms that this trunk is known to use, compared without case.
    Only(&'a [&'a str]),
    /// Any: the caller has made sure that the challenge came by the trunk's own flow, as an answer to a request sent there.
    FromTrustedHost,
}

impl Challenge {
    /// All challenges of a 401 or 407 that can be answered.
    pub fn read(response: &Message) -> Vec<Challenge> {
        let of = |name, proxy| {
            response.lines(name).flat_map(Params::read_all).filter_map(move |params| Challenge::of(&params, proxy))
        };
        of(Name::WwwAuthenticate, false).chain(of(Name::ProxyAuthenticate, true)).collect()
    }

    /// The one to answer: the strongest of those meant for us; the first of equals.
    pub fn choose<'a>(challenges: &'a [Challenge], login: &Login<'_>) -> Option<&'a Challenge> {
        let ours = challenges.iter().filter(|challenge| match login.realms {
            Realms::Only(realms) => realms.iter().any(|realm| realm.eq_ignore_ascii_case(&challenge.realm)),
            Realms::FromTrustedHost => true,
        });
        // The last of equals is the maximum: look from the end.
        ours.rev().max_by_key(|challenge| challenge.algorithm)
    }

    /// The answer as a header. `nc` counts the requests answered with this challenge, from 1; `uri` is the Request-URI as it
    /// will be written; `cnonce` comes from [`Tokens::cnonce`](crate::token::Tokens::cnonce).
    pub fn answer(&self, login: &Login<'_>, method: &str, uri: &str, cnonce: &str, nc: u32) -> (Name<'static>, String) {
        let set = Ha1Set::of(login.username, &self.realm, login.password);
        let nc = format!("{nc:08x}");
        let hash = Answer {
            algorithm: self.algorithm,
            ha1: set.get(self.algorithm).unwrap_or_default(),
            nonce: &self.nonce,
            counted: self.counted.then_some((&nc, cnonce)),
            method,
            uri,
        }
        .compute();
        let mut text = String::with_capacity(256);
        text.push_str("Digest username=\"");
        push_quoted(&mut text, login.username);
        text.push_str("\", realm=\"");
        push_quoted(&mut text, &self.realm);
        // A space after each comma: some peers find a parameter by it. nonce and opaque as they were written, escapes included.
        for part in ["\", nonce=\"", &self.nonce, "\", uri=\"", uri, "\", response=\"", hash.as_str(), "\""] {
            text.push_str(part);
        }
        if self.named {
            text.push_str(", algorithm=");
            text.push_str(self.algorithm.token());
        }
        if let Some(opaque) = &self.opaque {
            for part in [", opaque=\"", opaque, "\""] {
                text.push_str(part);
            }
        }
        if self.counted {
            for part in [", qop=auth, nc=", &nc, ", cnonce=\"", cnonce, "\""] {
                text.push_str(part);
            }
        }
        (if self.proxy { Name::ProxyAuthorization } else { Name::Authorization }, text)
    }

    fn of(params: &Params<'_>, proxy: bool) -> Option<Challenge> {
        let qop = params.get("qop");
        let counted = qop.is_some_and(|list| list.split(',').any(|word| word.trim().eq_ignore_ascii_case("auth")));
        // Only auth-int offered: we cannot.
        if qop.is_some_and(|list| !list.trim().is_empty()) && !counted {
            return None;
        }
        Some(Challenge {
            proxy,
            realm: params.unquoted("realm")?.into_owned(),
            nonce: params.get("nonce")?.to_owned(),
            opaque: params.get("opaque").map(str::to_owned),
            algorithm: params.get("algorithm").map_or(Some(Algorithm::Md5), Algorithm::of)?,
            named: params.get("algorithm").is_some(),
            counted,
            stale: params.get("stale").is_some_and(|flag| flag.eq_ignore_ascii_case("true")),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};
    use std::time::Duration;

    use bytes::Bytes;
    use tollgate_types::{Seed, Wall};

    use super::super::{Ask, Credentials, NonceKey, Pick, Policy, Verdict, challenge, verify};
    use super::*;

    fn response(lines: &str) -> Message {
        let text = format!(
            "SIP/2.0 401 Unauthorized\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: <sip:a@a>;tag=1\r\nTo: <sip:a@a>;tag=2\r\n\
             Call-ID: x\r\nCSeq: 1 REGISTER\r\n{lines}\r\nContent-Length: 0\r\n\r\n"
        );
        Message::parse(Bytes::from(text)).unwrap()
    }

    fn login<'a>(realms: Realms<'a>) -> Login<'a> {
        Login { username: "tr\"unk", password: "pw", realms }
    }

    #[test]
    fn the_strongest_challenge_of_a_known_realm_is_answered() {
        let response = response(
            "WWW-Authenticate: Digest realm=\"carrier\",nonce=\"a\"\r\n\
             WWW-Authenticate: Digest realm=\"carrier\",nonce=\"b\",algorithm=SHA-256,qop=\"auth,auth-int\"\r\n\
             WWW-Authenticate: Digest realm=\"carrier\",nonce=\"c\",algorithm=SHA-256,qop=\"auth\"\r\n\
             WWW-Authenticate: Digest realm=\"evil\",nonce=\"d\",algorithm=SHA-512-256,qop=\"auth\"\r\n\
             WWW-Authenticate: Digest realm=\"carrier\",nonce=\"e\",algorithm=SHA-512-256,qop=\"auth-int\"\r\n\
             Proxy-Authenticate: Digest realm=\"Carrier\",nonce=\"f\",algorithm=MD5-sess",
        );
        let challenges = Challenge::read(&response);
        assert_eq!(challenges.len(), 4);
        let chosen = |realms| Challenge::choose(&challenges, &login(realms)).map(|chosen| chosen.nonce.as_str());
        assert_eq!(chosen(Realms::Only(&["CARRIER"])), Some("b"));
        assert_eq!(chosen(Realms::FromTrustedHost), Some("d"));
        assert_eq!(chosen(Realms::Only(&["nobody"])), None);
    }

    #[test]
    fn what_the_client_answers_the_server_accepts() {
        let key = NonceKey::new(Seed([1, 2, 3, 4]));
        let (home, now) = (IpAddr::V4(Ipv4Addr::LOCALHOST), Wall::from_secs(1_800_000_000));
        for algorithm in Algorithm::STRONG_FIRST {
            let nonce = key.mint(now, home, [3; 6]);
            let line = format!("WWW-Authenticate: {}", challenge("my \"realm\"", &nonce, algorithm, true));
            let challenges = Challenge::read(&response(&line));
            let login = login(Realms::Only(&["my \"realm\""]));
            let chosen = Challenge::choose(&challenges, &login).unwrap();
            assert!(chosen.stale && !chosen.proxy);
            let (name, value) = chosen.answer(&login, "REGISTER", "sip:carrier", "cc", 10);
            assert_eq!(name, Name::Authorization);
            let Pick::Found(credentials) = Credentials::read(&value, "my \"realm\"") else { panic!("{value}") };
            assert_eq!(credentials.username, "tr\"unk");
            let ask = Ask { method: "REGISTER", request_uri: "sip:carrier", source: home, now, offered: &[algorithm] };
            let set = Ha1Set::of("tr\"unk", "my \"realm\"", "pw");
            let policy = Policy { nonce_lifetime: Duration::from_secs(1), ..Policy::default() };
            assert!(matches!(
                verify(&key, &credentials, Some(&set), &ask, &policy),
                Verdict::Accepted { nc: Some(10), .. }
            ));
        }
    }

    #[test]
    fn the_legacy_form_repeats_only_what_it_was_told() {
        let challenges =
            Challenge::read(&response("Proxy-Authenticate: Digest realm=\"r\",nonce=\"n\\\"\",opaque=\"o\""));
        let (name, value) = challenges[0].answer(&login(Realms::FromTrustedHost), "INVITE", "sip:x", "c", 1);
        assert_eq!(name, Name::ProxyAuthorization);
        assert!(
            value.ends_with(", opaque=\"o\"") && value.contains("nonce=\"n\\\"\"") && !value.contains("qop"),
            "{value}"
        );
    }
}
