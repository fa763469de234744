//! What a 401 or 407 says: as little as will do, for it goes to whoever asks.

use super::Algorithm;

/// One challenge as a header value: bare, no opaque, no domain. It goes into WWW-Authenticate or Proxy-Authenticate.
pub fn challenge(realm: &str, nonce: &str, algorithm: Algorithm, stale: bool) -> String {
    let mut text = String::with_capacity(realm.len() + nonce.len() + 64);
    text.push_str("Digest realm=\"");
    push_quoted(&mut text, realm);
    text.push_str("\",nonce=\"");
    text.push_str(nonce);
    text.push_str("\",algorithm=");
    text.push_str(algorithm.token());
    text.push_str(",qop=\"auth\"");
    if stale {
        text.push_str(",stale=true");
    }
    text
}

/// One challenge for each algorithm, in the user's order of preference; one header line each (RFC 8760 §2.4).
pub fn challenges<'a>(
    realm: &'a str,
    nonce: &'a str,
    order: &'a [Algorithm],
    stale: bool,
) -> impl Iterator<Item = String> + 'a {
    order.iter().map(move |algorithm| challenge(realm, nonce, *algorithm, stale))
}

/// The inside of a quoted string: quotes and backslashes escaped, controls left out.
pub(super) fn push_quoted(text: &mut String, value: &str) {
    for letter in value.chars().filter(|letter| !letter.is_control()) {
        if matches!(letter, '"' | '\\') {
            text.push('\\');
        }
        text.push(letter);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_bare() {
        let all: Vec<_> = challenges("sip.example", "N", &[Algorithm::Sha256, Algorithm::Md5], true).collect();
        assert_eq!(
            all,
            [
                "Digest realm=\"sip.example\",nonce=\"N\",algorithm=SHA-256,qop=\"auth\",stale=true",
                "Digest realm=\"sip.example\",nonce=\"N\",algorithm=MD5,qop=\"auth\",stale=true",
            ]
        );
        assert_eq!(
            challenge("a\"\\\r\nb", "N", Algorithm::Md5, false),
            "Digest realm=\"a\\\"\\\\b\",nonce=\"N\",algorithm=MD5,qop=\"auth\""
        );
    }
}
