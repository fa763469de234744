//! Who calls: names, passwords, and the address each calls from.

use std::net::SocketAddr;
use std::ops::Range;

use md5::{Digest, Md5};
use tollgate_sip::wire::{Message, Name};

use crate::options::Common;

/// Every phone of the run.
pub struct Phones {
    prefix: String,
    domain: String,
    password: String,
    /// H(A1) by phone, for the realm it was asked for last.
    secrets: Vec<Option<String>>,
    realm: String,
    count: u32,
    /// The sockets they share.
    sockets: Range<usize>,
}

impl Phones {
    pub fn new(common: &Common, sockets: Range<usize>) -> Phones {
        Phones {
            prefix: common.user_prefix.clone(),
            domain: common.domain.clone(),
            password: common.password.clone(),
            secrets: vec![None; common.users as usize],
            realm: String::new(),
            count: common.users,
            sockets,
        }
    }

    pub fn count(&self) -> u32 {
        self.count
    }

    pub fn name(&self, phone: u32) -> String {
        format!("{}{phone}", self.prefix)
    }

    /// Which socket the phone sends from.
    pub fn socket(&self, phone: u32) -> usize {
        self.sockets.start + phone as usize % self.sockets.len()
    }

    /// From now on they send from others; the former ones are handed back.
    pub fn move_to(&mut self, sockets: Range<usize>) -> Range<usize> {
        std::mem::replace(&mut self.sockets, sockets)
    }

    pub fn domain(&self) -> &str {
        &self.domain
    }

    pub fn contact(&self, phone: u32, at: SocketAddr) -> String {
        format!("<sip:{}{phone}@{at}>", self.prefix)
    }

    /// The answer to the challenge in a 401 or 407: the header's name with its value. `None` where there is no MD5.
    pub fn answer(&mut self, phone: u32, challenge: &Message, method: &str, uri: &str) -> Option<String> {
        let (name, asked) = match challenge.status() {
            Some(407) => ("Proxy-Authorization", Name::ProxyAuthenticate),
            _ => ("Authorization", Name::WwwAuthenticate),
        };
        let asked = challenge.headers(asked).find(|line| !line.contains("SHA-"))?;
        let (realm, nonce) = (quoted(asked, "realm")?, quoted(asked, "nonce")?);
        let ha1 = self.secret(phone, realm);
        let ha2 = hash(&[method, ":", uri]);
        let user = self.name(phone);
        let counted = asked.contains("qop=");
        let (response, count) = match counted {
            true => (
                hash(&[&ha1, ":", nonce, ":00000001:0a4f113b:auth:", &ha2]),
                ", qop=auth, nc=00000001, cnonce=\"0a4f113b\"",
            ),
            false => (hash(&[&ha1, ":", nonce, ":", &ha2]), ""),
        };
        Some(format!(
            "{name}: Digest username=\"{user}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", \
             response=\"{response}\", algorithm=MD5{count}\r\n"
        ))
    }

    fn secret(&mut self, phone: u32, realm: &str) -> String {
        if realm != self.realm {
            self.realm = realm.to_owned();
            self.secrets.fill(None);
        }
        if let Some(secret) = &self.secrets[phone as usize] {
            return secret.clone();
        }
        let secret = hash(&[&self.name(phone), ":", realm, ":", &self.password]);
        self.secrets[phone as usize] = Some(secret.clone());
        secret
    }
}

fn hash(parts: &[&str]) -> String {
    let mut md5 = Md5::new();
    parts.iter().for_each(|part| md5.update(part.as_bytes()));
    hex::encode(md5.finalize())
}

fn quoted<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = line.split_once(&format!("{name}=\""))?;
    rest.split('"').next()
}
