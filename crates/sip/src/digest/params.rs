//! The parameters of credentials and challenges: `Digest name=token, name="quoted \" string"`.

use std::borrow::Cow;

use smallvec::SmallVec;

use crate::wire::{quote_end, token_end};

/// More parameters than any sender has use for.
const PARAMS_MAX: usize = 32;

/// The parameters of one `Digest …`.
pub(super) struct Params<'a>(SmallVec<[(&'a str, &'a str); 12]>);

impl<'a> Params<'a> {
    /// Reads one set of credentials. `None` when the scheme is not Digest; an error says what is wrong with it.
    pub fn read(value: &'a str) -> Option<Result<Params<'a>, &'static str>> {
        let rest = scheme(value)?;
        Some(match Params::list(rest) {
            Ok((params, "")) => Ok(params),
            Ok(_) => Err("two sets of credentials in one header"),
            Err(wrong) => Err(wrong),
        })
    }

    /// Reads the challenges of one header; other schemes and unreadable rests are left out.
    pub fn read_all(value: &'a str) -> Vec<Params<'a>> {
        let mut all = Vec::new();
        let mut rest = value.trim_start();
        while !rest.is_empty() && all.len() < PARAMS_MAX {
            let digest = scheme(rest);
            let Some(after) = digest.or_else(|| rest.split_once(' ').map(|(_, after)| after)) else { break };
            match Params::list(after) {
                Ok((params, next)) => {
                    if digest.is_some() {
                        all.push(params);
                    }
                    rest = next;
                }
                Err(_) => break,
            }
        }
        all
    }

    /// The value as written, without its quotes.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    }

    /// The value meant: backslashes that quote the next character are gone.
    pub fn unquoted(&self, name: &str) -> Option<Cow<'a, str>> {
        self.get(name).map(|raw| {
            if !raw.contains('\\') {
                return Cow::Borrowed(raw);
            }
            let mut text = String::with_capacity(raw.len());
            let mut letters = raw.chars();
            while let Some(letter) = letters.next() {
                text.extend(if letter == '\\' { letters.next() } else { Some(letter) });
            }
            Cow::Owned(text)
        })
    }

    /// Reads until the end, or until another scheme begins; what is left is returned.
    fn list(text: &'a str) -> Result<(Params<'a>, &'a str), &'static str> {
        let mut params = Params(SmallVec::new());
        let mut rest = text.trim_start();
        loop {
            rest = rest.trim_start_matches([',', ' ', '\t']);
            if rest.is_empty() {
                return Ok((params, rest));
            }
            let end = token_end(rest.as_bytes());
            if end == rest.len() {
                return Err("a parameter without a value");
            }
            let name = &rest[..end];
            let after = rest[end..].trim_start();
            let Some(value) = after.strip_prefix('=') else {
                // A word and a blank: the next challenge of a list.
                let another = !name.is_empty() && !params.0.is_empty() && rest[end..].starts_with(' ');
                return if another { Ok((params, rest)) } else { Err("a parameter without a value") };
            };
            let (value, next) = value_of(value.trim_start())?;
            if name.is_empty() || params.get(name).is_some() {
                return Err("a parameter that stands twice, or has no name");
            }
            if params.0.len() == PARAMS_MAX {
                return Err("too many parameters");
            }
            params.0.push((name, value));
            rest = next.trim_start();
            if !rest.is_empty() && !rest.starts_with(',') {
                return Err("no comma between parameters");
            }
        }
    }
}

/// What follows the word Digest.
fn scheme(value: &str) -> Option<&str> {
    let value = value.trim_start();
    let (word, rest) = value.split_at_checked(6)?;
    (word.eq_ignore_ascii_case("Digest") && rest.starts_with([' ', '\t'])).then_some(rest)
}

/// A token or a quoted string, and what follows it.
fn value_of(text: &str) -> Result<(&str, &str), &'static str> {
    let Some(inner) = text.strip_prefix('"') else {
        let end = text.find([',', ' ', '\t', '"']).unwrap_or(text.len());
        return Ok(text.split_at(end));
    };
    let close = quote_end(text.as_bytes(), 0).ok_or("a quote that is not closed")?;
    Ok((&inner[..close - 1], &text[close + 1..]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn credentials_as_phones_write_them() {
        let read = |text| Params::read(text).unwrap().ok().unwrap();
        let params =
            read(r#"Digest username="b\"ob\\", realm = "a, b" ,uri="sip:x@y;a=b?c=\"d",nc=0000000a, qop=auth,,"#);
        assert_eq!(params.unquoted("username").as_deref(), Some(r#"b"ob\"#));
        assert_eq!(params.get("REALM"), Some("a, b"));
        assert_eq!(params.get("uri"), Some(r#"sip:x@y;a=b?c=\"d"#));
        assert_eq!(params.get("nc"), Some("0000000a"));
        assert_eq!(params.get("qop"), Some("auth"));
        assert_eq!(params.get("cnonce"), None);
        assert_eq!(read("digest  a=\"\"").get("a"), Some(""));
    }

    #[test]
    fn what_is_no_digest_and_what_is_a_broken_one() {
        for other in ["Basic dXNlcg==", "", "Digest", "Digests a=b", "Dig"] {
            assert!(Params::read(other).is_none(), "{other}");
        }
        for broken in [
            "Digest a",
            "Digest a=\"b",
            "Digest a=\"b\\\"",
            "Digest a=b a=c",
            "Digest a=b, A=c",
            "Digest =b",
            "Digest a=b, Digest c=d",
            "Digest é=1",
        ] {
            assert!(Params::read(broken).unwrap().is_err(), "{broken}");
        }
    }

    #[test]
    fn several_challenges_in_one_header() {
        let all = Params::read_all(r#"Digest realm="a", nonce="1", Basic realm="b", Digest realm="c", algorithm=MD5"#);
        let realms: Vec<_> = all.iter().map(|params| params.get("realm")).collect();
        assert_eq!(realms, [Some("a"), Some("c")]);
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "(Digest )?[a-c=\", \\\\é]{0,40}") {
            let _ = Params::read(&text).map(|params| params.map(|params| params.unquoted("a").map(Cow::into_owned)));
            let _ = Params::read_all(&text).len();
        }
    }
}
