//! A SIP phone that does exactly what a case tells it to, message by message; nothing of it comes from the product.
//!
//! For what scripts of sipp cannot decide: races, glare, wrong answers, SHA-256, a BYE from a server that was dead before.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use md5::Md5;
use sha2::{Digest, Sha256};

use crate::dialog::{Dialog, Invite};
use crate::message::{Sip, framed, parameter};
use crate::network::{SIP, udp_at};
use crate::server::{DOMAIN, Server};
use crate::world;

/// How long an expected message may take.
const PATIENCE: Duration = Duration::from_secs(12);

static NEXT: AtomicU32 = AtomicU32::new(1);

enum Line {
    Udp(UdpSocket),
    Tcp(TcpStream, Vec<u8>),
}

/// A phone (or a carrier's gateway) at one address.
pub struct Phone {
    line: Line,
    local: SocketAddr,
    server: SocketAddr,
    user: String,
    /// What it believes its password to be.
    pub password: String,
    /// The digest algorithm it insists on.
    pub algorithm: &'static str,
    /// Where it says it can be reached, when that is not where it sends from.
    pub contact_at: Option<SocketAddr>,
    waiting: VecDeque<Sip>,
    log: Vec<String>,
}

impl Phone {
    /// A phone of `user` over UDP.
    pub fn udp(server: &Server, host: Ipv4Addr, user: &str) -> Phone {
        let socket = udp_at((host, SIP));
        Phone::new(Line::Udp(socket), (host, SIP).into(), server.sip(), user)
    }

    /// A phone of `user` over UDP at the IPv6 loopback, where the server listens at `port`.
    pub fn udp_ipv6(port: u16, user: &str) -> Phone {
        let socket = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).expect("a port");
        let local = socket.local_addr().expect("bound");
        Phone::new(Line::Udp(socket), local, (Ipv6Addr::LOCALHOST, port).into(), user)
    }

    /// A phone of `user` over TCP (its connection leaves from the loopback's first address).
    pub fn tcp(server: &Server, user: &str) -> Phone {
        let stream = TcpStream::connect(server.sip()).expect("the server listens");
        let local = stream.local_addr().expect("connected");
        Phone::new(Line::Tcp(stream, Vec::new()), local, server.sip(), user)
    }

    fn new(line: Line, local: SocketAddr, server: SocketAddr, user: &str) -> Phone {
        Phone {
            line,
            local,
            server,
            user: user.to_owned(),
            password: world::password(user),
            algorithm: "MD5",
            contact_at: None,
            waiting: VecDeque::new(),
            log: Vec::new(),
        }
    }

    /// Sends bytes as they are.
    pub fn send_raw(&mut self, bytes: &[u8]) {
        self.log.push(format!(">>> {}", String::from_utf8_lossy(bytes).lines().next().unwrap_or_default()));
        match &mut self.line {
            Line::Udp(socket) => {
                socket.send_to(bytes, self.server).expect("sent");
            }
            Line::Tcp(stream, _) => stream.write_all(bytes).expect("sent"),
        }
    }

    /// Sends a message given line by line; `Content-Length` and the body follow.
    pub fn send(&mut self, start: &str, headers: &[String], body: &str) {
        let mut text = format!("{start}\r\n");
        for header in headers {
            text.push_str(header);
            text.push_str("\r\n");
        }
        if !body.is_empty() && !headers.iter().any(|h| h.starts_with("Content-Type")) {
            text.push_str("Content-Type: application/sdp\r\n");
        }
        text.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
        self.send_raw(text.as_bytes());
    }

    /// The next message within `patience`, if any.
    pub fn receive(&mut self, patience: Duration) -> Option<Sip> {
        if let Some(message) = self.waiting.pop_front() {
            return Some(message);
        }
        let deadline = Instant::now() + patience;
        let mut chunk = [0; 65_536];
        loop {
            if let Line::Tcp(_, pending) = &mut self.line
                && let Some(message) = framed(pending)
            {
                self.log.push(format!("<<< {}", message.start));
                return Some(message);
            }
            let left = deadline.checked_duration_since(Instant::now()).filter(|d| !d.is_zero())?;
            match &mut self.line {
                Line::Udp(socket) => {
                    socket.set_read_timeout(Some(left)).expect("a timeout");
                    let length = socket.recv(&mut chunk).ok()?;
                    let message = Sip::parse(&String::from_utf8_lossy(&chunk[..length]));
                    self.log.push(format!("<<< {} [{}]", message.start, message.header("CSeq")));
                    return Some(message);
                }
                Line::Tcp(stream, pending) => {
                    stream.set_read_timeout(Some(left)).expect("a timeout");
                    let length = stream.read(&mut chunk).ok().filter(|n| *n > 0)?;
                    pending.extend_from_slice(&chunk[..length]);
                }
            }
        }
    }

    /// Waits for the first message that `wanted` accepts; others that come meanwhile are dropped, OPTIONS are answered.
    #[track_caller]
    pub fn await_message(&mut self, what: &str, wanted: impl Fn(&Sip) -> bool) -> Sip {
        let deadline = Instant::now() + PATIENCE;
        while let Some(left) = deadline.checked_duration_since(Instant::now()) {
            match self.receive(left) {
                Some(message) if wanted(&message) => return message,
                Some(message) if message.method() == "OPTIONS" && message.status() == 0 => {
                    self.answer(&message, 200, &[], "");
                }
                Some(_) => {}
                None => break,
            }
        }
        panic!("{}@{}: {what} did not come; so far:\n{}", self.user, self.local, self.log.join("\n"));
    }

    /// Waits for a request.
    #[track_caller]
    pub fn await_request(&mut self, method: &str) -> Sip {
        self.await_message(method, |m| m.status() == 0 && m.method() == method)
    }

    /// Waits for a response to `method` with that status.
    #[track_caller]
    pub fn await_status(&mut self, status: u16, method: &str) -> Sip {
        self.await_message(&format!("{status} to {method}"), |m| m.status() == status && m.method() == method)
    }

    /// Waits for a final response to `method` with that CSeq.
    #[track_caller]
    fn await_final(&mut self, method: &str, cseq: u32) -> Sip {
        self.await_message(&format!("a final answer to {method}"), |m| {
            m.status() >= 200 && m.method() == method && m.cseq() == cseq
        })
    }

    /// Asserts that nothing matching comes within `time`.
    #[track_caller]
    pub fn expect_none(&mut self, what: &str, time: Duration, unwanted: impl Fn(&Sip) -> bool) {
        let deadline = Instant::now() + time;
        while let Some(left) = deadline.checked_duration_since(Instant::now()) {
            if let Some(message) = self.receive(left) {
                assert!(!unwanted(&message), "{what} came:\n{}", self.log.join("\n"));
            }
        }
    }

    /// Contact of this phone.
    pub fn contact(&self) -> String {
        let transport = if matches!(self.line, Line::Tcp(..)) { ";transport=tcp" } else { "" };
        format!("<sip:{}@{}{transport}>", self.user, self.contact_at.unwrap_or(self.local))
    }

    /// Where it sends from.
    pub fn address(&self) -> SocketAddr {
        self.local
    }

    /// The headers of a request outside a dialog that proves nothing.
    pub fn plain_request(&self, method: &str, uri: &str, more: &[String]) -> Vec<String> {
        self.out_of_dialog(method, uri, &fresh("c"), &fresh("t"), 1, more)
    }

    fn via(&self) -> String {
        // Who connects says at which port he listens (RFC 3261 §18.1.1).
        let (transport, sent_by) = match self.line {
            Line::Tcp(..) => ("TCP", self.contact_at.unwrap_or(self.local)),
            Line::Udp(_) => ("UDP", self.local),
        };
        format!("Via: SIP/2.0/{transport} {sent_by};branch=z9hG4bK{};rport", fresh("b"))
    }

    /// A request outside a dialog: the headers everybody needs, then `more`.
    fn out_of_dialog(
        &self,
        method: &str,
        to: &str,
        call_id: &str,
        tag: &str,
        cseq: u32,
        more: &[String],
    ) -> Vec<String> {
        let mut headers = vec![
            self.via(),
            format!("From: <sip:{}@{DOMAIN}>;tag={tag}", self.user),
            format!("To: <{to}>"),
            format!("Call-ID: {call_id}"),
            format!("CSeq: {cseq} {method}"),
            "Max-Forwards: 70".to_owned(),
            format!("Contact: {}", self.contact()),
        ];
        // A header given by the case replaces the usual one;
        headers.retain(|usual| {
            let name = usual.split(':').next().unwrap_or_default();
            !more.iter().any(|m| m.split(':').next().is_some_and(|n| n.eq_ignore_ascii_case(name)))
        });
        // one without a value removes it.
        headers.extend(more.iter().filter(|m| !m.ends_with(':')).cloned());
        headers
    }

    /// Sends a request outside a dialog, answers the challenge if one comes, and returns the final response.
    #[track_caller]
    pub fn request(&mut self, method: &str, uri: &str, to: &str, more: &[String], body: &str) -> Sip {
        let (call_id, tag) = (fresh("c"), fresh("t"));
        let start = format!("{method} {uri} SIP/2.0");
        let headers = self.out_of_dialog(method, to, &call_id, &tag, 1, more);
        self.send(&start, &headers, body);
        let first = self.await_final(method, 1);
        if !matches!(first.status(), 401 | 407) {
            return first;
        }
        let proof = self.proof(&first, method, uri).expect("an algorithm this phone knows is offered");
        let mut headers = self.out_of_dialog(method, to, &call_id, &tag, 2, more);
        headers.push(proof);
        self.send(&start, &headers, body);
        self.await_final(method, 2)
    }

    /// Registers for an hour.
    #[track_caller]
    pub fn register(&mut self) {
        let answer = self.register_with(&[format!("Contact: {}", self.contact()), "Expires: 3600".to_owned()]);
        assert_eq!(answer.status(), 200, "{answer:#?}");
    }

    /// Registers with those headers and returns the final response.
    #[track_caller]
    pub fn register_with(&mut self, more: &[String]) -> Sip {
        let aor = format!("sip:{}@{DOMAIN}", self.user);
        self.request("REGISTER", &format!("sip:{DOMAIN}"), &aor, more, "")
    }

    /// The Authorization line for a challenge, by this phone's algorithm; `None` when that is not offered.
    pub fn proof(&self, challenge: &Sip, method: &str, uri: &str) -> Option<String> {
        let (from, to) = if challenge.status() == 401 {
            ("WWW-Authenticate", "Authorization")
        } else {
            ("Proxy-Authenticate", "Proxy-Authorization")
        };
        let offered = challenge
            .all(from)
            .find(|line| parameter(line, "algorithm").unwrap_or("MD5").eq_ignore_ascii_case(self.algorithm))?;
        let (realm, nonce) = (parameter(offered, "realm")?, parameter(offered, "nonce")?);
        let hash = |text: &str| -> String {
            match self.algorithm {
                "MD5" => hex::encode(Md5::digest(text)),
                "SHA-256" => hex::encode(Sha256::digest(text)),
                other => panic!("this phone knows no {other}"),
            }
        };
        let (nc, cnonce) = ("00000001", fresh("n"));
        let ha1 = hash(&format!("{}:{realm}:{}", self.user, self.password));
        let ha2 = hash(&format!("{method}:{uri}"));
        let response = hash(&format!("{ha1}:{nonce}:{nc}:{cnonce}:auth:{ha2}"));
        Some(format!(
            "{to}: Digest username=\"{}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", algorithm={}, \
             response=\"{response}\", cnonce=\"{cnonce}\", qop=auth, nc={nc}",
            self.user, self.algorithm
        ))
    }

    /// Sends an INVITE to a user or number, proves who it is, and returns the half-open call; answers come next.
    #[track_caller]
    pub fn invite(&mut self, callee: &str, more: &[String], body: &str) -> Invite {
        let target = format!("sip:{callee}@{DOMAIN}");
        let (call_id, tag) = (fresh("c"), fresh("t"));
        let start = format!("INVITE {target} SIP/2.0");
        let mut headers = self.out_of_dialog("INVITE", &target, &call_id, &tag, 1, more);
        self.send(&start, &headers, body);
        let first = self.await_message("an answer to INVITE", |m| m.status() > 100 && m.method() == "INVITE");
        let mut invite = Invite { target, call_id, tag, cseq: 1, headers: headers.clone() };
        if !matches!(first.status(), 401 | 407) {
            self.waiting.push_back(first);
            return invite;
        }
        self.acknowledge_refusal(&invite, &first);
        let proof = self.proof(&first, "INVITE", &invite.target).expect("an algorithm this phone knows is offered");
        headers = self.out_of_dialog("INVITE", &invite.target, &invite.call_id, &invite.tag, 2, more);
        headers.push(proof);
        self.send(&start, &headers, body);
        (invite.cseq, invite.headers) = (2, headers);
        invite
    }

    /// Sends the same INVITE once more, as UDP does when nothing is heard.
    pub fn repeat(&mut self, invite: &Invite, body: &str) {
        self.send(&format!("INVITE {} SIP/2.0", invite.target), &invite.headers.clone(), body);
    }

    /// ACK to a final response that is not 2xx: same branch as the INVITE.
    pub fn acknowledge_refusal(&mut self, invite: &Invite, response: &Sip) {
        let keep = |name: &str| invite.headers.iter().find(|h| h.starts_with(name)).cloned().unwrap_or_default();
        let headers = [
            keep("Via"),
            keep("From"),
            format!("To: {}", response.header("To")),
            keep("Call-ID"),
            format!("CSeq: {} ACK", invite.cseq),
            "Max-Forwards: 70".to_owned(),
        ];
        self.send(&format!("ACK {} SIP/2.0", invite.target), &headers, "");
    }

    /// CANCEL of an INVITE under way.
    pub fn cancel(&mut self, invite: &Invite) {
        let keep = |name: &str| invite.headers.iter().find(|h| h.starts_with(name)).cloned().unwrap_or_default();
        let headers = [
            keep("Via"),
            keep("From"),
            keep("To"),
            keep("Call-ID"),
            format!("CSeq: {} CANCEL", invite.cseq),
            "Max-Forwards: 70".to_owned(),
        ];
        self.send(&format!("CANCEL {} SIP/2.0", invite.target), &headers, "");
    }

    /// Waits for the 200, acknowledges it, and returns the dialog and the 200.
    #[track_caller]
    pub fn await_answer(&mut self, invite: &Invite) -> (Dialog, Sip) {
        let answer = self.await_final("INVITE", invite.cseq);
        assert_eq!(answer.status(), 200, "{answer:#?}\n{}", self.log.join("\n"));
        let dialog = self.accept(invite, &answer);
        (dialog, answer)
    }

    /// Acknowledges a 2xx to `invite`.
    pub fn accept(&mut self, invite: &Invite, answer: &Sip) -> Dialog {
        let dialog = self.dialog_by(invite, answer);
        self.acknowledge(&dialog, invite.cseq);
        dialog
    }

    /// The caller's side of the dialog, early or not, that a response to `invite` opens.
    pub fn dialog_by(&self, invite: &Invite, answer: &Sip) -> Dialog {
        let routes: Vec<String> = answer.all("Record-Route").map(str::to_owned).collect();
        Dialog {
            call_id: invite.call_id.clone(),
            local: format!("<sip:{}@{DOMAIN}>;tag={}", self.user, invite.tag),
            remote: answer.header("To").to_owned(),
            target: answer.contact(),
            cseq: invite.cseq,
            routes: routes.into_iter().rev().collect(),
        }
    }

    /// ACK to a 2xx inside a dialog.
    pub fn acknowledge(&mut self, dialog: &Dialog, cseq: u32) {
        let mut headers = dialog.headers(self.via(), cseq, "ACK");
        headers.push("Max-Forwards: 70".to_owned());
        self.send(&format!("ACK {} SIP/2.0", dialog.target), &headers, "");
    }

    /// Waits for a refusal of `invite`, acknowledges it, and returns it.
    #[track_caller]
    pub fn await_refusal(&mut self, invite: &Invite) -> Sip {
        let refusal = self.await_final("INVITE", invite.cseq);
        self.acknowledge_refusal(invite, &refusal);
        assert!(refusal.status() >= 300, "{refusal:#?}");
        refusal
    }

    /// Sends a request inside a dialog and does not wait.
    pub fn send_within(&mut self, dialog: &mut Dialog, method: &str, more: &[String], body: &str) -> u32 {
        dialog.cseq += 1;
        let mut headers = dialog.headers(self.via(), dialog.cseq, method);
        headers.push("Max-Forwards: 70".to_owned());
        headers.push(format!("Contact: {}", self.contact()));
        headers.extend(more.iter().cloned());
        self.send(&format!("{method} {} SIP/2.0", dialog.target), &headers, body);
        dialog.cseq
    }

    /// Sends a request inside a dialog, proves who it is when asked, and returns the final response.
    #[track_caller]
    pub fn within(&mut self, dialog: &mut Dialog, method: &str, more: &[String], body: &str) -> Sip {
        let cseq = self.send_within(dialog, method, more, body);
        let answer = self.await_final(method, cseq);
        if method == "INVITE" && answer.status() < 300 {
            self.acknowledge(dialog, cseq);
        } else if method == "INVITE" {
            self.acknowledge_within(dialog, &answer);
        }
        answer
    }

    /// ACK to a refused re-INVITE. Its branch is the request's.
    pub fn acknowledge_within(&mut self, dialog: &Dialog, refusal: &Sip) {
        let mut headers = dialog.headers(format!("Via: {}", refusal.header("Via")), refusal.cseq(), "ACK");
        headers.push("Max-Forwards: 70".to_owned());
        self.send(&format!("ACK {} SIP/2.0", dialog.target), &headers, "");
    }

    /// BYE, answered.
    #[track_caller]
    pub fn hang_up(&mut self, dialog: &mut Dialog) {
        let answer = self.within(dialog, "BYE", &[], "");
        assert_eq!(answer.status(), 200, "{answer:#?}");
    }

    /// Waits for a BYE and answers it.
    #[track_caller]
    pub fn await_bye(&mut self) -> Sip {
        let bye = self.await_request("BYE");
        self.answer(&bye, 200, &[], "");
        bye
    }

    /// Answers a request. The To tag is made from the Call-ID, so that all answers of a call carry the same one.
    pub fn answer(&mut self, request: &Sip, status: u16, more: &[String], body: &str) {
        let to = request.header("To");
        let tag =
            if to.contains(";tag=") || status == 100 { String::new() } else { format!(";tag={}", self.tag(request)) };
        let mut headers: Vec<String> = request.all("Via").map(|via| format!("Via: {via}")).collect();
        headers.extend(request.all("Record-Route").map(|route| format!("Record-Route: {route}")));
        for name in ["From", "Call-ID", "CSeq"] {
            headers.push(format!("{name}: {}", request.header(name)));
        }
        headers.push(format!("To: {to}{tag}"));
        if request.method() == "INVITE" {
            headers.push(format!("Contact: {}", self.contact()));
        }
        headers.extend(more.iter().cloned());
        let reason = match status {
            100 => "Trying",
            180 => "Ringing",
            183 => "Session Progress",
            200 => "OK",
            486 => "Busy Here",
            487 => "Request Terminated",
            491 => "Request Pending",
            503 => "Service Unavailable",
            _ => "Whatever",
        };
        self.send(&format!("SIP/2.0 {status} {reason}"), &headers, body);
    }

    /// The callee's side of the dialog that answering `invite` opens.
    pub fn dialog_of(&self, invite: &Sip) -> Dialog {
        let to = invite.header("To");
        Dialog {
            call_id: invite.header("Call-ID").to_owned(),
            local: if to.contains(";tag=") { to.to_owned() } else { format!("{to};tag={}", self.tag(invite)) },
            remote: invite.header("From").to_owned(),
            target: invite.contact(),
            cseq: 100,
            routes: invite.all("Record-Route").map(str::to_owned).collect(),
        }
    }

    fn tag(&self, request: &Sip) -> String {
        let hash = hex::encode(Md5::digest(format!("{}{}", request.header("Call-ID"), self.local)));
        hash[..10].to_owned()
    }

    /// Rings, answers with `body`, waits for the ACK, and returns the dialog and the INVITE.
    #[track_caller]
    pub fn pick_up(&mut self) -> (Dialog, Sip) {
        let invite = self.await_request("INVITE");
        self.answer(&invite, 180, &[], "");
        self.answer(&invite, 200, &[], &self.sdp());
        self.await_request("ACK");
        (self.dialog_of(&invite), invite)
    }

    /// An offer or answer of one G.711 stream at this phone's address.
    pub fn sdp(&self) -> String {
        self.sdp_with("RTP/AVP", "a=sendrecv\r\n")
    }

    /// The same with another profile and other attribute lines.
    pub fn sdp_with(&self, profile: &str, attributes: &str) -> String {
        let ip = self.local.ip();
        let family = if ip.is_ipv6() { "IP6" } else { "IP4" };
        // Each is a new version (RFC 3264 §8): one that is not is answered without the other party.
        let version = NEXT.fetch_add(1, Ordering::Relaxed);
        format!(
            "v=0\r\no=- 1 {version} IN {family} {ip}\r\ns=-\r\nc=IN {family} {ip}\r\nt=0 0\r\nm=audio 16000 {profile} 8 0 101\r\n\
             a=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n{attributes}"
        )
    }
}

/// A token nobody else has.
fn fresh(kind: &str) -> String {
    format!("{kind}{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}
