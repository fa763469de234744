//! What a request brings in Authorization or Proxy-Authorization.

use std::borrow::Cow;

use super::Algorithm;
use super::params::Params;
use crate::wire::{Message, Name};

/// One set of credentials, texts as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials<'a> {
    /// Who says it, quoting undone.
    pub username: Cow<'a, str>,
    /// Where, quoting undone.
    pub realm: Cow<'a, str>,
    /// The nonce as written.
    pub nonce: &'a str,
    /// The digest-uri as written: it is hashed literally.
    pub uri: &'a str,
    /// The hash, hex.
    pub response: &'a str,
    /// MD5 where the client names none (RFC 2617).
    pub algorithm: Algorithm,
    /// qop `auth`: the nonce count as written and as a number, and the cnonce; absent in the form of RFC 2069.
    pub counted: Option<Counted<'a>>,
}

/// What qop `auth` adds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted<'a> {
    /// Eight hex digits, hashed literally.
    pub nc: &'a str,
    /// What they mean.
    pub number: u32,
    /// The client's nonce.
    pub cnonce: &'a str,
}

/// What was found for a realm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pick<'a> {
    /// Credentials for it.
    Found(Credentials<'a>),
    /// None for it; others may be there for somebody else.
    Absent,
    /// Credentials for it that cannot be used, and why. An offence only if it goes on.
    Unusable(&'static str),
}

impl<'a> Credentials<'a> {
    /// Looks through all Authorization and Proxy-Authorization headers for our realm: proxies on the way leave theirs there too.
    pub fn pick(message: &'a Message, realm: &str) -> Pick<'a> {
        let mut worst = Pick::Absent;
        for value in message.lines(Name::Authorization).chain(message.lines(Name::ProxyAuthorization)) {
            match Credentials::read(value, realm) {
                Pick::Found(found) => return Pick::Found(found),
                Pick::Absent => {}
                unusable => worst = unusable,
            }
        }
        worst
    }

    /// Reads one header value.
    pub fn read(value: &'a str, realm: &str) -> Pick<'a> {
        let params = match Params::read(value) {
            None => return Pick::Absent,
            Some(Err(wrong)) => return Pick::Unusable(wrong),
            Some(Ok(params)) => params,
        };
        match params.unquoted("realm") {
            Some(named) if named == realm => {}
            Some(_) => return Pick::Absent,
            None => return Pick::Unusable("no realm"),
        }
        match Credentials::of(&params) {
            Ok(credentials) => Pick::Found(credentials),
            Err(wrong) => Pick::Unusable(wrong),
        }
    }

    fn of(params: &Params<'a>) -> Result<Credentials<'a>, &'static str> {
        let algorithm = match params.get("algorithm") {
            None => Algorithm::Md5,
            Some(token) => Algorithm::of(token).ok_or("an algorithm that was not offered")?,
        };
        if params.get("userhash").is_some_and(|flag| flag.eq_ignore_ascii_case("true")) {
            return Err("userhash was not offered");
        }
        let counted = match params.get("qop") {
            None => None,
            Some(qop) if qop.eq_ignore_ascii_case("auth") => {
                let nc = params.get("nc").ok_or("qop without nc")?;
                let hex = nc.len() == 8 && nc.bytes().all(|digit| digit.is_ascii_hexdigit());
                let number = u32::from_str_radix(nc, 16).ok().filter(|_| hex).ok_or("nc is not eight hex digits")?;
                Some(Counted { nc, number, cnonce: params.get("cnonce").ok_or("qop without cnonce")? })
            }
            Some(_) => return Err("a qop that was not offered"),
        };
        Ok(Credentials {
            username: params.unquoted("username").filter(|name| !name.is_empty()).ok_or("no username")?,
            realm: params.unquoted("realm").ok_or("no realm")?,
            nonce: params.get("nonce").ok_or("no nonce")?,
            uri: params.get("uri").ok_or("no uri")?,
            response: params.get("response").ok_or("no response")?,
            algorithm,
            counted,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str =
        r#"Digest username="bob",realm="r",nonce="n",uri="sip:r",response="00",qop=auth,nc=0000000A,cnonce="c""#;

    #[test]
    fn the_set_for_our_realm_is_read() {
        let Pick::Found(found) = Credentials::read(GOOD, "r") else { panic!() };
        assert_eq!((&*found.username, found.uri, found.algorithm), ("bob", "sip:r", Algorithm::Md5));
        assert_eq!(found.counted, Some(Counted { nc: "0000000A", number: 10, cnonce: "c" }));
        assert_eq!(Credentials::read(GOOD, "other"), Pick::Absent);
        assert_eq!(Credentials::read("Basic xyz", "r"), Pick::Absent);
    }

    #[test]
    fn what_cannot_be_used_says_why() {
        for (from, to, wrong) in [
            ("username=\"bob\"", "username=\"\"", "no username"),
            ("nc=0000000A", "nc=A", "nc is not eight hex digits"),
            ("nc=0000000A", "nc=+000000A", "nc is not eight hex digits"),
            ("nc=0000000A,", "", "qop without nc"),
            (",cnonce=\"c\"", "", "qop without cnonce"),
            ("qop=auth", "qop=auth-int", "a qop that was not offered"),
            ("uri=\"sip:r\",", "", "no uri"),
            ("response=\"00\",", "", "no response"),
            ("qop=auth", "qop=auth,algorithm=MD5-sess", "an algorithm that was not offered"),
            ("qop=auth", "qop=auth,userhash=true", "userhash was not offered"),
        ] {
            assert_eq!(Credentials::read(&GOOD.replace(from, to), "r"), Pick::Unusable(wrong), "{to}");
        }
    }
}
