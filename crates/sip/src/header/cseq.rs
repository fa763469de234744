//! Numbers that order requests.

use std::fmt;

use crate::wire::{Method, is_token, number};

/// CSeq: place of a request within its dialog, and its method (RFC 3261 §20.16).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CSeq {
    /// Place.
    pub number: u32,
    /// The method that the request has, or the response answers.
    pub method: Method,
}

/// RAck: which reliable provisional response a PRACK acknowledges (RFC 3262 §7.2).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RAck {
    /// The response's RSeq.
    pub rseq: u32,
    /// The response's CSeq.
    pub cseq: CSeq,
}

impl CSeq {
    /// Reads `314159 INVITE`; a number past `u32` is none (RFC 4475 §3.1.2.4).
    pub fn parse(value: &str) -> Option<CSeq> {
        let (digits, method) = value.trim().split_once([' ', '\t'])?;
        let method = method.trim_start();
        let number = u32::try_from(number(digits)?).ok()?;
        is_token(method.as_bytes()).then(|| CSeq { number, method: Method::of(method) })
    }
}

impl RAck {
    /// Reads `776656 1 INVITE`.
    pub fn parse(value: &str) -> Option<RAck> {
        let (digits, cseq) = value.trim().split_once([' ', '\t'])?;
        Some(RAck { rseq: u32::try_from(number(digits)?).ok()?, cseq: CSeq::parse(cseq)? })
    }
}

impl Default for CSeq {
    fn default() -> CSeq {
        CSeq { number: 0, method: Method::Other("".into()) }
    }
}

impl fmt::Display for CSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.number, self.method)
    }
}

impl fmt::Display for RAck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.rseq, self.cseq)
    }
}
