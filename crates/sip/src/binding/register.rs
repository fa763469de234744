//! What of a REGISTER matters to the registrar.

use sha2::{Digest, Sha256};
use tollgate_types::Flow;

use crate::header::Contacts;
use crate::wire::{Message, Name};

/// Letters of a contact, an instance, a Call-ID, a user agent, all paths: what a binding may keep of each.
const CONTACT_MAX: usize = 512;
const INSTANCE_MAX: usize = 128;
const CALL_ID_MAX: usize = 256;
const USER_AGENT_MAX: usize = 64;
const PATHS_MAX: usize = 1024;

/// A REGISTER, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Register {
    /// How it came.
    pub flow: Flow,
    /// What it asks for.
    pub wanted: Wanted,
    /// The Expires header: for contacts that do not say their own.
    pub expires: Option<u32>,
    /// Orders the REGISTERs of one device, together with `cseq`.
    pub call_id: Box<str>,
    /// Orders the REGISTERs of one device.
    pub cseq: u32,
    /// What the device calls itself, made harmless: printable, at most 64 letters.
    pub user_agent: Box<str>,
    /// RFC 3327: Path values, one a line, nearest first.
    pub paths: Box<str>,
    /// Tells this very request from any other: see [`Bindings::is_repeat`](super::Bindings::is_repeat).
    pub digest: [u8; 16],
}

/// What a REGISTER asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Only to know the bindings.
    Fetch,
    /// To remove them all: `*`.
    Clear,
    /// To set, refresh or remove these.
    Contacts(Vec<Wish>),
}

/// One contact of a REGISTER.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Its URI as written.
    pub uri: Box<str>,
    /// Preference in thousandths.
    pub q: u16,
    /// Its own expiry.
    pub expires: Option<u32>,
    /// RFC 5626: the device's URN; empty where it has none.
    pub instance: Box<str>,
    /// RFC 5626: which of the device's flows this is.
    pub reg_id: Option<u32>,
    /// It names another place than the one the REGISTER came from.
    pub behind_nat: bool,
}

/// A REGISTER that is wrong in itself: 400 with these words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRegister {
    /// A contact is unreadable, or stands beside `*`.
    #[error("unreadable Contact")]
    Contact,
    /// RFC 3261 §10.2.2.
    #[error("Contact * needs Expires 0")]
    StarWithoutZero,
    /// Only what we could call.
    #[error("Contact is no SIP URI")]
    NotSip,
    /// Longer than any device needs.
    #[error("{0} too long")]
    TooLong(&'static str),
}

impl Register {
    /// Reads a REGISTER that came by `flow`.
    pub fn read(message: &Message, flow: &Flow) -> Result<Register, BadRegister> {
        let expires = message.expires();
        let wanted = match message.contacts().ok_or(BadRegister::Contact)? {
            Contacts::Star if expires == Some(0) => Wanted::Clear,
            Contacts::Star => return Err(BadRegister::StarWithoutZero),
            Contacts::List(list) if list.is_empty() => Wanted::Fetch,
            Contacts::List(list) => {
                let wishes = list.iter().map(|contact| {
                    let uri = contact.uri().filter(|uri| uri.is_sip()).ok_or(BadRegister::NotSip)?;
                    let instance = contact.instance().unwrap_or_default();
                    Ok(Wish {
                        uri: at_most(CONTACT_MAX, uri.as_str(), "Contact")?,
                        q: contact.q().unwrap_or(1000),
                        expires: contact.expires(),
                        instance: at_most(INSTANCE_MAX, &instance, "+sip.instance")?,
                        reg_id: contact.reg_id(),
                        behind_nat: super::is_behind_nat(&uri, flow),
                    })
                });
                Wanted::Contacts(wishes.collect::<Result<_, BadRegister>>()?)
            }
        };
        let paths = message.headers(Name::Path).collect::<Vec<_>>().join("\n");
        Ok(Register {
            flow: *flow,
            wanted,
            expires,
            call_id: at_most(CALL_ID_MAX, message.call_id(), "Call-ID")?,
            cseq: message.cseq().number,
            user_agent: harmless(message.header(Name::UserAgent).unwrap_or_default()),
            paths: at_most(PATHS_MAX, &paths, "Path")?,
            digest: digest(message, flow),
        })
    }
}

fn at_most(max: usize, text: &str, what: &'static str) -> Result<Box<str>, BadRegister> {
    if text.len() > max { Err(BadRegister::TooLong(what)) } else { Ok(text.into()) }
}

/// Printable ASCII, and not too much of it: it ends up in logs and on screens.
fn harmless(text: &str) -> Box<str> {
    text.chars().filter(|letter| matches!(letter, ' '..='~')).take(USER_AGENT_MAX).collect::<String>().into()
}

/// The whole request and where it came from: a repetition is the same to the last byte.
fn digest(message: &Message, flow: &Flow) -> [u8; 16] {
    let mut hash = Sha256::new();
    hash.update(flow.peer.to_string());
    hash.update([0]);
    hash.update(message.as_bytes());
    let mut short = [0; 16];
    short.copy_from_slice(&hash.finalize()[..16]);
    short
}
