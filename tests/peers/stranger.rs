//! Somebody at an address of the network who sends what a case tells him to, and counts what comes back.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use md5::{Digest, Md5};

use crate::message::{Sip, parameter};
use crate::server::{DOMAIN, Server};

static NEXT: AtomicU32 = AtomicU32::new(1);

/// How long an answer on the loopback may take.
const SOON: Duration = Duration::from_millis(1500);

/// See the module.
pub struct Stranger {
    socket: UdpSocket,
    server: SocketAddr,
}

impl Stranger {
    /// At a port of the address that nobody uses.
    pub fn at(server: &Server, host: Ipv4Addr) -> Stranger {
        let socket = UdpSocket::bind((host, 0)).expect("a port");
        Stranger { socket, server: server.sip() }
    }

    /// Where he is.
    pub fn local(&self) -> SocketAddr {
        self.socket.local_addr().expect("bound")
    }

    /// Sends bytes as they are.
    pub fn send(&self, bytes: &[u8]) {
        self.socket.send_to(bytes, self.server).expect("sent");
    }

    /// A request outside any dialog that claims to come from `from`.
    pub fn request(&self, method: &str, uri: &str, from: &str, more: &str) -> String {
        let (local, n) = (self.local(), NEXT.fetch_add(1, Ordering::Relaxed));
        let to = if method == "REGISTER" { format!("sip:{from}@{DOMAIN}") } else { uri.to_owned() };
        format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bKs{n};rport\r\n\
             From: <sip:{from}@{DOMAIN}>;tag=s{n}\r\nTo: <{to}>\r\nCall-ID: stranger-{n}@{local}\r\n\
             CSeq: {n} {method}\r\nMax-Forwards: 70\r\nContact: <sip:{from}@{local}>\r\n{more}Content-Length: 0\r\n\r\n"
        )
    }

    /// OPTIONS to the server itself, with the headers that phones send.
    pub fn options(&self) -> String {
        let agent = "User-Agent: Desk phone 1.2.3 of a maker with a long name\r\nAllow: INVITE, ACK, CANCEL, BYE\r\n";
        self.request("OPTIONS", &format!("sip:{DOMAIN}"), "stranger", agent)
    }

    /// Sends it and returns the answer to it, if one comes soon.
    pub fn ask(&self, request: &str) -> Option<Sip> {
        self.send(request.as_bytes());
        let call_id = Sip::parse(request).header("Call-ID").to_owned();
        let deadline = Instant::now() + SOON;
        let mut chunk = [0; 65_536];
        while let Some(left) = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            self.socket.set_read_timeout(Some(left)).expect("a timeout");
            let Ok(length) = self.socket.recv(&mut chunk) else { return None };
            let answer = Sip::parse(&String::from_utf8_lossy(&chunk[..length]));
            if answer.header("Call-ID") == call_id && answer.status() >= 200 {
                return Some(answer);
            }
        }
        None
    }

    /// Does the server answer an OPTIONS?
    pub fn is_heard(&self) -> bool {
        self.ask(&self.options()).is_some()
    }

    /// Registers `user` with that password; the status of the last answer, 0 for none.
    pub fn register(&self, user: &str, password: &str) -> u16 {
        let uri = format!("sip:{DOMAIN}");
        let Some(first) = self.ask(&self.request("REGISTER", &uri, user, "Expires: 600\r\n")) else { return 0 };
        let Some(challenge) = first.all("WWW-Authenticate").next().map(str::to_owned) else { return first.status() };
        let more = format!("{}Expires: 600\r\n", authorization(&challenge, "REGISTER", &uri, user, password));
        self.ask(&self.request("REGISTER", &uri, user, &more)).map_or(0, |answer| answer.status())
    }

    /// Everything that has arrived by now, in bytes.
    pub fn drain(&self) -> Vec<usize> {
        let mut chunk = [0; 65_536];
        self.socket.set_read_timeout(Some(Duration::from_millis(300))).expect("a timeout");
        std::iter::from_fn(|| self.socket.recv(&mut chunk).ok()).collect()
    }
}

/// The Authorization line for an MD5 challenge.
pub fn authorization(challenge: &str, method: &str, uri: &str, user: &str, password: &str) -> String {
    let hash = |text: String| hex::encode(Md5::digest(text));
    let (realm, nonce) =
        (parameter(challenge, "realm").expect("a realm"), parameter(challenge, "nonce").expect("a nonce"));
    let (ha1, ha2) = (hash(format!("{user}:{realm}:{password}")), hash(format!("{method}:{uri}")));
    let response = hash(format!("{ha1}:{nonce}:00000001:c:auth:{ha2}"));
    format!(
        "Authorization: Digest username=\"{user}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", \
         algorithm=MD5, response=\"{response}\", cnonce=\"c\", qop=auth, nc=00000001\r\n"
    )
}
