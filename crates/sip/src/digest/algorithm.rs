//! The hashes, and what of a password is kept: H(user:realm:password) under each.

use std::fmt;

use md5::{Digest, Md5};
use sha2::{Sha256, Sha512_256};

/// A hash that both ends may agree on. The order is from weak to strong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// RFC 1321: broken for signatures, still what most phones speak.
    Md5,
    /// FIPS 180-4.
    Sha256,
    /// SHA-512 cut to 256 bits, with start values of its own.
    Sha512_256,
}

impl Algorithm {
    /// From strong to weak: the order of preference where a user has no other.
    pub const STRONG_FIRST: [Algorithm; 3] = [Algorithm::Sha512_256, Algorithm::Sha256, Algorithm::Md5];

    /// As the `algorithm` parameter says it.
    pub fn token(self) -> &'static str {
        match self {
            Algorithm::Md5 => "MD5",
            Algorithm::Sha256 => "SHA-256",
            Algorithm::Sha512_256 => "SHA-512-256",
        }
    }

    /// What an `algorithm` parameter means; `None` for `-sess` and whatever else is not offered here.
    pub fn of(token: &str) -> Option<Algorithm> {
        Algorithm::STRONG_FIRST.into_iter().find(|algorithm| algorithm.token().eq_ignore_ascii_case(token))
    }

    /// The hash of the parts with colons between them, in lower-case hex as digest wants it everywhere.
    pub(super) fn hash(self, parts: &[&[u8]]) -> Hex {
        match self {
            Algorithm::Md5 => Hex::of(&run::<Md5>(parts)),
            Algorithm::Sha256 => Hex::of(&run::<Sha256>(parts)),
            Algorithm::Sha512_256 => Hex::of(&run::<Sha512_256>(parts)),
        }
    }
}

fn run<D: Digest>(parts: &[&[u8]]) -> Vec<u8> {
    let mut digest = D::new();
    for (turn, part) in parts.iter().enumerate() {
        if turn > 0 {
            digest.update(b":");
        }
        digest.update(part);
    }
    digest.finalize().to_vec()
}

/// A hash as text.
#[derive(Clone, Copy)]
pub(super) struct Hex {
    text: [u8; 64],
    len: usize,
}

impl Hex {
    pub fn of(bytes: &[u8]) -> Hex {
        let mut text = [0u8; 64];
        let bytes = &bytes[..bytes.len().min(32)];
        let len = bytes.len() * 2;
        hex::encode_to_slice(bytes, &mut text[..len]).expect("the slice is twice as long");
        Hex { text, len }
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.text[..self.len]
    }

    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).expect("hex digits are ASCII")
    }
}

/// What is kept instead of a password. Whoever has it can log in, so it is sealed at rest and never printed.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Ha1Set {
    /// MD5 of user:realm:password.
    pub md5: Option<[u8; 16]>,
    /// SHA-256 of the same.
    pub sha256: Option<[u8; 32]>,
    /// SHA-512-256 of the same.
    pub sha512_256: Option<[u8; 32]>,
}

impl Ha1Set {
    /// All three, of a password that is known now and not kept.
    pub fn of(user: &str, realm: &str, password: &str) -> Ha1Set {
        let parts = [user.as_bytes(), realm.as_bytes(), password.as_bytes()];
        Ha1Set {
            md5: run::<Md5>(&parts).try_into().ok(),
            sha256: run::<Sha256>(&parts).try_into().ok(),
            sha512_256: run::<Sha512_256>(&parts).try_into().ok(),
        }
    }

    /// Stands in for a user that does not exist: verifying against it costs the same and never succeeds, since no
    /// password is known that hashes to it.
    pub(super) const NOBODY: Ha1Set =
        Ha1Set { md5: Some([0x5a; 16]), sha256: Some([0x5a; 32]), sha512_256: Some([0x5a; 32]) };

    /// Can it answer under this algorithm?
    pub fn has(&self, algorithm: Algorithm) -> bool {
        self.get(algorithm).is_some()
    }

    pub(super) fn get(&self, algorithm: Algorithm) -> Option<&[u8]> {
        match algorithm {
            Algorithm::Md5 => self.md5.as_ref().map(|hash| hash.as_slice()),
            Algorithm::Sha256 => self.sha256.as_ref().map(|hash| hash.as_slice()),
            Algorithm::Sha512_256 => self.sha512_256.as_ref().map(|hash| hash.as_slice()),
        }
    }
}

impl fmt::Debug for Ha1Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ha1Set(…)")
    }
}

/// The `response` of RFC 7616 §3.4.1. Without qop it is RFC 2069's.
pub(super) struct Answer<'a> {
    pub algorithm: Algorithm,
    pub ha1: &'a [u8],
    pub nonce: &'a str,
    /// nc as written, cnonce; absent in the legacy form.
    pub counted: Option<(&'a str, &'a str)>,
    pub method: &'a str,
    pub uri: &'a str,
}

impl Answer<'_> {
    pub fn compute(&self) -> Hex {
        let ha1 = Hex::of(self.ha1);
        let ha2 = self.algorithm.hash(&[self.method.as_bytes(), self.uri.as_bytes()]);
        match self.counted {
            Some((nc, cnonce)) => self.algorithm.hash(&[
                ha1.as_bytes(),
                self.nonce.as_bytes(),
                nc.as_bytes(),
                cnonce.as_bytes(),
                b"auth",
                ha2.as_bytes(),
            ]),
            None => self.algorithm.hash(&[ha1.as_bytes(), self.nonce.as_bytes(), ha2.as_bytes()]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_7616_and_rfc_2617_examples() {
        let mufasa = Ha1Set::of("Mufasa", "http-auth@example.org", "Circle of Life");
        let nonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v";
        let counted = Some(("00000001", "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"));
        let answer = |ha1: &Ha1Set, algorithm: Algorithm, nonce, counted, uri| {
            let ha1 = ha1.get(algorithm).unwrap();
            Answer { algorithm, ha1, nonce, counted, method: "GET", uri }.compute().as_str().to_owned()
        };
        // RFC 7616 §3.9.1.
        assert_eq!(
            answer(&mufasa, Algorithm::Md5, nonce, counted, "/dir/index.html"),
            "8ca523f5e9506fed4657c9700eebdbec"
        );
        assert_eq!(
            answer(&mufasa, Algorithm::Sha256, nonce, counted, "/dir/index.html"),
            "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"
        );
        // RFC 2617 §3.5.
        let old = Ha1Set::of("Mufasa", "testrealm@host.com", "Circle Of Life");
        assert_eq!(
            answer(
                &old,
                Algorithm::Md5,
                "dcd98b7102dd2f0e8b11d0f600bfb0c093",
                Some(("00000001", "0a4f113b")),
                "/dir/index.html"
            ),
            "6629fae49393a05397450978507c4ef1"
        );
    }

    #[test]
    fn rfc_7616_sha_512_256_example_as_its_erratum_corrects_it() {
        // RFC 7616 §3.9.2 prints SHA-512 cut short; erratum 4897 has FIPS 180-4's SHA-512/256, which begins otherwise.
        assert_eq!(
            Algorithm::Sha512_256.hash(&[b"abc"]).as_str(),
            "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23"
        );
        let doe = Ha1Set::of("J\u{e4}s\u{f8}n Doe", "api@example.org", "Secret, or not?");
        let answer = Answer {
            algorithm: Algorithm::Sha512_256,
            ha1: doe.get(Algorithm::Sha512_256).unwrap(),
            nonce: "5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK",
            counted: Some(("00000001", "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v")),
            method: "GET",
            uri: "/doe.json",
        };
        assert_eq!(answer.compute().as_str(), "3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5");
        let user_hash = Algorithm::Sha512_256.hash(&["J\u{e4}s\u{f8}n Doe".as_bytes(), b"api@example.org"]);
        assert_eq!(user_hash.as_str(), "793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b");
    }

    #[test]
    fn tokens_are_read_in_any_case_and_sess_is_not_offered() {
        for algorithm in Algorithm::STRONG_FIRST {
            assert_eq!(Algorithm::of(&algorithm.token().to_lowercase()), Some(algorithm));
        }
        for stranger in ["MD5-sess", "SHA-256-sess", "SHA256", "", "SHA-1"] {
            assert_eq!(Algorithm::of(stranger), None, "{stranger}");
        }
    }

    #[test]
    fn secrets_are_not_printed() {
        assert_eq!(format!("{:?}", Ha1Set::of("a", "b", "c")), "Ha1Set(…)");
    }
}
