//! Digest authentication (RFC 7616, RFC 8760) from both ends: who registers and calls here proves itself, and we prove
//! ourselves to trunks.
//!
//! The server keeps nothing for a challenge. A nonce is signed and says when it was minted and for whom
//! ([`NonceKey`]); [`verify`] judges an answer with it; what was answered once is remembered by the user's [`NonceBook`],
//! which only a right password can write into. MD5, SHA-256 and SHA-512-256 with qop `auth`; `-sess`, `auth-int` and
//! `userhash` are not offered.

mod algorithm;
mod book;
mod challenge;
mod client;
mod credentials;
mod nonce;
mod params;
mod verify;

pub use algorithm::{Algorithm, Ha1Set};
pub use book::{NcWindow, NonceBook, NonceUse};
pub use challenge::{challenge, challenges};
pub use client::{Challenge, Login, Realms};
pub use credentials::{Credentials, Pick};
pub use nonce::{NonceId, NonceKey, NonceVerdict};
pub use verify::{Ask, Offence, Policy, Strictness, Verdict, offered, verify};
