//! A scripted person: a phone that registers, or a carrier. It does at once what every device does by itself (ACK, 200 to a
//! BYE, the answer to a challenge) and what its [`Manner`] says; the story decides the rest.

use std::net::SocketAddr;

use crate::message::{Message, digest, proves};

/// What it does with a call that comes in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Rings, and waits for the story.
    Rings,
    /// Answers at once.
    Answers,
    /// Answers each call twice, as a proxy behind it that forked would.
    AnswersTwice,
    /// Refuses with this status.
    Refuses(u16),
    /// Sends the caller on to this number or user (302).
    SendsOn(&'static str),
    /// Wants a digest first, then answers.
    Challenges,
    /// Says nothing at all, to nobody: it has lost its power.
    Silent,
}

/// How a call stands, as this side sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// INVITE is out, or has come; not answered.
    Waiting,
    /// Answered.
    Up,
    /// Refused, or given up, with this status.
    Refused(u16),
    /// The other side said BYE.
    HungUp,
    /// This side said BYE.
    Left,
}

/// One dialog of a person.
#[derive(Clone, Debug)]
pub struct Line {
    /// How it stands.
    pub state: State,
    /// Everything heard in it, in order: statuses of answers, methods of requests.
    pub heard: Vec<String>,
    /// The last request or answer with a body or a reason worth looking at.
    pub last: Option<Message>,
    /// Where its voice goes.
    pub voice_to: Option<SocketAddr>,
    /// Where it listens.
    pub ear: SocketAddr,
    call_id: String,
    tag: String,
    remote_tag: String,
    local: String,
    remote: String,
    target: String,
    cseq: u32,
    /// The INVITE that is being answered, or was sent last.
    invite: Message,
    version: u32,
    authorized: bool,
}

/// See the module.
pub struct Agent {
    /// Its name, which is its user's or trunk's.
    pub name: String,
    /// Where it lives.
    pub address: SocketAddr,
    /// What it does with calls.
    pub manner: Manner,
    /// Its calls, from the first on.
    pub lines: Vec<Line>,
    /// Seconds that its last REGISTER was granted; 0 when it was refused or has left.
    pub registered: u64,
    /// Status of the last answer to a REGISTER.
    pub register_status: u16,
    /// Answers outside any call, by method.
    pub heard: Vec<(String, u16)>,
    /// It does not answer requests inside its calls: dead, but nobody knows.
    pub dead: bool,
    /// Remember nothing of calls that are over: thousands come.
    pub forgetful: bool,
    /// Calls that it answered, also those forgotten.
    pub answered: u64,
    password: String,
    domain: &'static str,
    count: u32,
    register: Option<Message>,
    /// What it has to say.
    out: Vec<Message>,
}

impl Agent {
    pub fn new(name: &str, address: SocketAddr, password: String, domain: &'static str) -> Agent {
        Agent {
            name: name.to_owned(),
            address,
            manner: Manner::Rings,
            lines: Vec::new(),
            registered: 0,
            register_status: 0,
            heard: Vec::new(),
            dead: false,
            forgetful: false,
            answered: 0,
            password,
            domain,
            count: 0,
            register: None,
            out: Vec::new(),
        }
    }

    /// What it says, in order; nothing any more afterwards.
    pub fn take_words(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.out).iter().map(Message::write).collect()
    }

    fn fresh(&mut self, what: &str) -> String {
        self.count += 1;
        format!("{what}{}{}", self.name, self.count)
    }

    fn request(&mut self, method: &str, uri: &str) -> Message {
        let branch = self.fresh("z9hG4bK");
        let via = format!("SIP/2.0/UDP {};branch={branch};rport", self.address);
        Message::new(format!("{method} {uri} SIP/2.0")).with("Via", via).with("Max-Forwards", "70")
    }

    fn contact(&self) -> String {
        format!("<sip:{}@{}>", self.name, self.address)
    }

    /// REGISTER for so many seconds.
    pub fn register(&mut self, seconds: u32) {
        let me = format!("<sip:{}@{}>", self.name, self.domain);
        let uri = format!("sip:{}", self.domain);
        let (call_id, tag, cseq) = match &self.register {
            Some(last) => (last.header("Call-ID").to_owned(), last.tag("From").to_owned(), last.cseq() + 1),
            None => (self.fresh("reg"), self.fresh("t"), 1),
        };
        let request = self
            .request("REGISTER", &uri)
            .with("From", format!("{me};tag={tag}"))
            .with("To", me)
            .with("Call-ID", call_id)
            .with("CSeq", format!("{cseq} REGISTER"))
            .with("Contact", self.contact())
            .with("Expires", seconds.to_string());
        self.register = Some(request.clone());
        self.out.push(request);
    }

    /// INVITE; gives the number of its line.
    pub fn invite(&mut self, number: &str) -> usize {
        let target = format!("sip:{number}@{}", self.domain);
        let (call_id, tag) = (self.fresh("call"), self.fresh("t"));
        let local = format!("<sip:{}@{}>;tag={tag}", self.name, self.domain);
        let remote = format!("<{target}>");
        let ear = self.ear();
        let line = Line {
            state: State::Waiting,
            heard: Vec::new(),
            last: None,
            voice_to: None,
            ear,
            call_id,
            tag,
            remote_tag: String::new(),
            local,
            remote,
            target,
            cseq: 0,
            invite: Message::new(String::new()),
            version: 1,
            authorized: false,
        };
        self.lines.push(line);
        let index = self.lines.len() - 1;
        self.offer(index, "sendrecv", None);
        index
    }

    fn ear(&self) -> SocketAddr {
        SocketAddr::new(self.address.ip(), 20_000 + (self.lines.len() as u16 % 10_000) * 2)
    }

    /// A request in a dialog, or the one that begins it.
    fn within(&mut self, index: usize, method: &str) -> Message {
        let target = self.lines[index].target.clone();
        let request = self.request(method, &target);
        let contact = self.contact();
        let line = &mut self.lines[index];
        line.cseq += 1;
        request
            .with("From", line.local.clone())
            .with("To", line.remote.clone())
            .with("Call-ID", line.call_id.clone())
            .with("CSeq", format!("{} {method}", line.cseq))
            .with("Contact", contact)
    }

    /// An offer by INVITE: the first, hold, resume.
    pub fn offer(&mut self, index: usize, direction: &str, authorization: Option<(&str, String)>) {
        let mut invite = self
            .within(index, "INVITE")
            .with("Supported", "100rel")
            .with("Allow", "INVITE, ACK, CANCEL, BYE, UPDATE, REFER, NOTIFY, OPTIONS, PRACK");
        if let Some((name, value)) = authorization {
            invite = invite.with(name, value);
        }
        let line = &mut self.lines[index];
        line.version += 1;
        let invite = invite.with_body("application/sdp", &sdp(line.ear, line.version, direction));
        line.invite = invite.clone();
        self.out.push(invite);
    }

    /// 180.
    pub fn ring(&mut self, index: usize) {
        self.say(index, 180, false);
    }

    /// 200 with an answer.
    pub fn answer(&mut self, index: usize) {
        self.answered += 1;
        self.lines[index].state = State::Up;
        self.say(index, 200, true);
    }

    /// A final refusal.
    pub fn refuse(&mut self, index: usize, status: u16) {
        self.lines[index].state = State::Refused(status);
        self.say(index, status, false);
    }

    fn say(&mut self, index: usize, status: u16, with_sdp: bool) {
        let (contact, line) = (self.contact(), &self.lines[index]);
        let mut answer = line
            .invite
            .answer(status, &line.tag)
            .with("Contact", contact)
            .with("Allow", "INVITE, ACK, CANCEL, BYE, UPDATE");
        if status == 200 && line.invite.header("Supported").contains("timer") {
            let expires = line.invite.header("Session-Expires").split(';').next().unwrap_or_default();
            if !expires.is_empty() {
                answer = answer.with("Session-Expires", format!("{expires};refresher=uac")).with("Require", "timer");
            }
        }
        if with_sdp {
            answer = answer.with_body("application/sdp", &sdp(line.ear, line.version, mirrored(&line.invite.body)));
        }
        self.out.push(answer);
    }

    /// CANCEL of the INVITE sent last.
    pub fn cancel(&mut self, index: usize) {
        let invite = &self.lines[index].invite;
        let mut cancel = Message::new(format!("CANCEL {} SIP/2.0", invite.target())).with("Max-Forwards", "70");
        for name in ["Via", "From", "To", "Call-ID"] {
            cancel = cancel.with(name, invite.header(name));
        }
        self.out.push(cancel.with("CSeq", format!("{} CANCEL", invite.cseq())));
    }

    /// BYE.
    pub fn hang_up(&mut self, index: usize) {
        let bye = self.within(index, "BYE");
        self.lines[index].state = State::Left;
        self.out.push(bye);
    }

    /// REFER: the other side shall call `number`.
    pub fn refer(&mut self, index: usize, number: &str) {
        let domain = self.domain;
        let refer = self.within(index, "REFER").with("Refer-To", format!("<sip:{number}@{domain}>"));
        self.out.push(refer);
    }

    /// Something has come.
    pub fn hear(&mut self, message: Message) {
        if self.manner == Manner::Silent {
            return;
        }
        match message.status() {
            Some(status) => self.hear_answer(status, message),
            None => self.hear_request(message),
        }
    }

    fn line_of(&self, message: &Message) -> Option<usize> {
        let call_id = message.header("Call-ID");
        self.lines.iter().rposition(|line| line.call_id == call_id)
    }

    fn hear_answer(&mut self, status: u16, message: Message) {
        let Some(index) = self.line_of(&message) else { return self.hear_outside(status, &message) };
        self.lines[index].heard.push(format!("{status} {}", message.method()));
        if message.method() != "INVITE" || status < 180 {
            return;
        }
        let line = &mut self.lines[index];
        line.last = Some(message.clone());
        if let Some(to) = voice_of(&message.body) {
            line.voice_to = Some(to);
        }
        if status < 200 {
            line.remote_tag = message.tag("To").to_owned();
            if !message.header("RSeq").is_empty() {
                self.acknowledge_provisional(index, &message);
            }
            return;
        }
        let begins = line.state == State::Waiting;
        let sequence = message.cseq();
        if status < 300 {
            if begins {
                line.state = State::Up;
            }
            line.remote_tag = message.tag("To").to_owned();
            line.remote = message.header("To").to_owned();
            line.target = message.contact();
            let (target, local, remote, call_id) =
                (line.target.clone(), line.local.clone(), line.remote.clone(), line.call_id.clone());
            let ack = self.request("ACK", &target);
            self.out.push(
                ack.with("From", local)
                    .with("To", remote)
                    .with("Call-ID", call_id)
                    .with("CSeq", format!("{sequence} ACK")),
            );
            return;
        }
        let invite = line.invite.clone();
        let mut ack = Message::new(format!("ACK {} SIP/2.0", invite.target())).with("Max-Forwards", "70");
        for name in ["Via", "From", "Call-ID"] {
            ack = ack.with(name, invite.header(name));
        }
        let challenge = message.header("WWW-Authenticate").to_owned();
        let again = status == 401 && !line.authorized && !challenge.is_empty();
        line.authorized = true;
        if begins && !again {
            line.state = State::Refused(status);
        }
        self.out.push(ack.with("To", message.header("To")).with("CSeq", format!("{sequence} ACK")));
        if again {
            let authorization = digest(&challenge, (&self.name, &self.password), "INVITE", invite.target());
            self.offer(index, "sendrecv", Some(("Authorization", authorization)));
        }
    }

    fn acknowledge_provisional(&mut self, index: usize, message: &Message) {
        let rack = format!("{} {} INVITE", message.header("RSeq"), message.cseq());
        let line = &mut self.lines[index];
        line.target = message.contact();
        line.remote = message.header("To").to_owned();
        let prack = self.within(index, "PRACK").with("RAck", rack);
        self.out.push(prack);
    }

    fn hear_outside(&mut self, status: u16, message: &Message) {
        let method = message.method().to_owned();
        self.heard.push((method.clone(), status));
        if method != "REGISTER" {
            return;
        }
        self.register_status = status;
        let challenge = message.header("WWW-Authenticate").to_owned();
        let Some(last) = self.register.clone() else { return };
        if status == 401 && !challenge.is_empty() && last.header("Authorization").is_empty() {
            let uri = last.target().to_owned();
            let branch = self.fresh("z9hG4bK");
            let mut again = Message::new(last.start.clone())
                .with("Via", format!("SIP/2.0/UDP {};branch={branch};rport", self.address))
                .with("Max-Forwards", "70");
            for name in ["From", "To", "Call-ID", "Contact", "Expires"] {
                again = again.with(name, last.header(name));
            }
            let authorization = digest(&challenge, (&self.name, &self.password), "REGISTER", &uri);
            let again =
                again.with("CSeq", format!("{} REGISTER", last.cseq() + 1)).with("Authorization", authorization);
            self.register = Some(again.clone());
            self.out.push(again);
        } else if status == 200 {
            let own = message.all("Contact").find(|contact| contact.contains(&self.address.to_string()));
            let expires = own.and_then(|contact| contact.split("expires=").nth(1));
            self.registered = expires
                .map(|text| text.chars().take_while(char::is_ascii_digit).collect::<String>())
                .and_then(|digits| digits.parse().ok())
                .unwrap_or(0);
        }
    }

    fn hear_request(&mut self, message: Message) {
        let index = self.line_of(&message);
        if let Some(index) = index {
            self.lines[index].heard.push(message.method().to_owned());
        }
        if self.dead && message.method() != "ACK" {
            return;
        }
        match (message.method(), index) {
            ("ACK", _) => {}
            ("INVITE", None) => self.called(message),
            ("INVITE", Some(index)) if message.tag("To").is_empty() => self.called_again(index, message),
            ("INVITE", Some(index)) => {
                let line = &mut self.lines[index];
                line.voice_to = voice_of(&message.body).or(line.voice_to);
                line.last = Some(message.clone());
                line.invite = message;
                line.version += 1;
                self.say(index, 200, true);
            }
            ("CANCEL", Some(index)) => {
                let tag = self.lines[index].tag.clone();
                self.out.push(message.answer(200, &tag));
                if self.lines[index].state == State::Waiting {
                    self.refuse(index, 487);
                }
            }
            ("BYE", Some(index)) => {
                let line = &mut self.lines[index];
                line.state = State::HungUp;
                line.last = Some(message.clone());
                let tag = line.tag.clone();
                self.out.push(message.answer(200, &tag));
            }
            (_, Some(index)) => {
                let tag = self.lines[index].tag.clone();
                let mut answer = message.answer(200, &tag);
                if !message.header("Session-Expires").is_empty() {
                    answer = answer.with("Session-Expires", message.header("Session-Expires")).with("Require", "timer");
                }
                let answer = answer.with("Contact", self.contact());
                self.out.push(answer);
            }
            ("OPTIONS", None) => self.out.push(message.answer(200, "o")),
            (_, None) => self.out.push(message.answer(481, "n")),
        }
    }

    fn called(&mut self, invite: Message) {
        if self.forgetful {
            self.lines.retain(|line| matches!(line.state, State::Waiting | State::Up));
        }
        let tag = self.fresh("t");
        let ear = self.ear();
        let line = Line {
            state: State::Waiting,
            heard: vec!["INVITE".to_owned()],
            last: Some(invite.clone()),
            voice_to: voice_of(&invite.body),
            ear,
            call_id: invite.header("Call-ID").to_owned(),
            remote_tag: invite.tag("From").to_owned(),
            local: format!("{};tag={tag}", invite.header("To")),
            remote: invite.header("From").to_owned(),
            target: invite.contact(),
            tag,
            cseq: 100,
            invite,
            version: 1,
            authorized: false,
        };
        self.lines.push(line);
        let index = self.lines.len() - 1;
        match self.manner.clone() {
            Manner::Rings => self.ring(index),
            Manner::Answers => self.answer(index),
            Manner::AnswersTwice => {
                self.answer(index);
                let other = self.fresh("fork");
                let line = &self.lines[index];
                let (contact, line_sdp) = (self.contact(), sdp(line.ear, 9, "sendrecv"));
                let second = line.invite.answer(200, &other).with("Contact", contact);
                self.out.push(second.with_body("application/sdp", &line_sdp));
            }
            Manner::Refuses(status) => self.refuse(index, status),
            Manner::SendsOn(to) => {
                let line = &mut self.lines[index];
                line.state = State::Refused(302);
                let contact = format!("<sip:{to}@{}>", self.domain);
                let moved = line.invite.answer(302, &line.tag).with("Contact", contact);
                self.out.push(moved);
            }
            Manner::Challenges => {
                let line = &mut self.lines[index];
                let challenge = "Digest realm=\"carrier\", nonce=\"5f1c\", qop=\"auth\", algorithm=MD5";
                let refusal = line.invite.answer(407, &line.tag).with("Proxy-Authenticate", challenge);
                self.out.push(refusal);
            }
            Manner::Silent => {}
        }
    }

    /// The same call once more: with the digest that was asked for.
    fn called_again(&mut self, index: usize, invite: Message) {
        let authorization = invite.header("Proxy-Authorization").to_owned();
        if self.manner == Manner::Challenges && !authorization.is_empty() {
            let right = proves(&authorization, &self.password, "INVITE");
            self.lines[index].invite = invite;
            if right { self.answer(index) } else { self.refuse(index, 403) }
        }
    }
}

/// An offer or answer of one audio line.
pub fn sdp(ear: SocketAddr, version: u32, direction: &str) -> String {
    let ip = ear.ip();
    format!(
        "v=0\r\no=- 7 {version} IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {} RTP/AVP 8\r\n\
         a=rtpmap:8 PCMA/8000\r\na={direction}\r\n",
        ear.port()
    )
}

fn mirrored(offer: &str) -> &'static str {
    if offer.contains("a=sendonly") {
        "recvonly"
    } else if offer.contains("a=inactive") {
        "inactive"
    } else {
        "sendrecv"
    }
}

/// Where an SDP wants voice.
fn voice_of(sdp: &str) -> Option<SocketAddr> {
    let ip = sdp.lines().find_map(|line| line.strip_prefix("c=IN IP4 "))?.trim();
    let port = sdp.lines().find_map(|line| line.strip_prefix("m=audio "))?.split(' ').next()?;
    let at: SocketAddr = format!("{ip}:{port}").parse().ok()?;
    (at.port() != 0).then_some(at)
}
