//! Digest secrets: what a password leaves behind (RFC 7616 §3.4.2, RFC 8760).

use std::fmt;
use std::str::FromStr;

/// H(username:realm:password) by each algorithm. Never printed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Ha1s {
    /// By MD5.
    pub md5: [u8; 16],
    /// By SHA-256.
    pub sha256: [u8; 32],
    /// By SHA-512/256.
    pub sha512_256: [u8; 32],
}

/// A digest algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// What every phone knows.
    Md5,
    /// RFC 8760.
    Sha256,
    /// RFC 8760.
    Sha512_256,
}

/// Which algorithms a user is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Algorithms(u8);

impl fmt::Debug for Ha1s {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ha1s(secret)")
    }
}

impl Algorithm {
    /// All of them, the strongest first.
    pub const ALL: [Algorithm; 3] = [Algorithm::Sha512_256, Algorithm::Sha256, Algorithm::Md5];

    /// As a challenge names it.
    pub fn token(self) -> &'static str {
        match self {
            Algorithm::Md5 => "MD5",
            Algorithm::Sha256 => "SHA-256",
            Algorithm::Sha512_256 => "SHA-512-256",
        }
    }
}

impl FromStr for Algorithm {
    type Err = ();
    fn from_str(text: &str) -> Result<Algorithm, ()> {
        Algorithm::ALL.into_iter().find(|algorithm| algorithm.token().eq_ignore_ascii_case(text)).ok_or(())
    }
}

impl Algorithms {
    /// Every one.
    pub const ALL: Algorithms = Algorithms(0b111);
    /// For phones of another age.
    pub const MD5: Algorithms = Algorithms(0b001);
    /// SHA-256 and SHA-512/256.
    pub const SHA: Algorithms = Algorithms(0b110);

    /// Is `algorithm` among them?
    pub fn has(self, algorithm: Algorithm) -> bool {
        self.0 & (1 << algorithm as u8) != 0
    }

    /// Those in both.
    pub fn and(self, other: Algorithms) -> Algorithms {
        Algorithms(self.0 & other.0)
    }

    /// None at all?
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// In the order to offer them: what was answered last first, then the strongest.
    pub fn in_order(self, last: Option<Algorithm>) -> impl Iterator<Item = Algorithm> {
        let first = last.filter(|last| self.has(*last));
        let rest = Algorithm::ALL.into_iter().filter(move |each| self.has(*each) && Some(*each) != first);
        first.into_iter().chain(rest)
    }

    /// As the database keeps it: a bit each for MD5, SHA-256, SHA-512/256.
    pub fn bits(self) -> u8 {
        self.0
    }

    /// From the database; unknown bits are dropped.
    pub fn from_bits(bits: u8) -> Algorithms {
        Algorithms(bits & 0b111)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_answered_last_is_offered_first() {
        let order = |set: Algorithms, last| set.in_order(last).map(Algorithm::token).collect::<Vec<_>>().join(" ");
        assert_eq!(order(Algorithms::ALL, None), "SHA-512-256 SHA-256 MD5");
        assert_eq!(order(Algorithms::ALL, Some(Algorithm::Md5)), "MD5 SHA-512-256 SHA-256");
        assert_eq!(order(Algorithms::SHA, Some(Algorithm::Md5)), "SHA-512-256 SHA-256");
        assert_eq!(order(Algorithms::SHA.and(Algorithms::MD5), None), "");
    }
}
