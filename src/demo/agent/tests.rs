//! Two agents, each the other's platform, and a clock that is stepped.

use std::time::Duration;

use super::*;
use crate::demo::diary::Errand;
use crate::demo::line::Sound;
use crate::demo::manner::{Span, of_carrier, of_person, seconds};

fn at(port: u16) -> SocketAddr {
    ([127, 0, 0, 1], port).into()
}

fn agent(name: &str, port: u16, server: u16, errands: &'static [Errand]) -> Agent {
    let me = Me {
        name: name.to_owned(),
        host: "localhost".to_owned(),
        domain: "localhost".to_owned(),
        password: None,
        local: at(port),
        server: at(server),
        manner: if name == "carrier" {
            Box::new(|number| of_carrier(number, true))
        } else {
            Box::new(|_| of_person("bob"))
        },
    };
    let lines = vec![at(port + 10), at(port + 12)];
    Agent::new(me, lines, Diary::new(errands, seconds(600, 600)), Seed([u64::from(port), 2, 3, 4]))
}

/// Alice's phone at one end, a carrier at the other.
struct Scene {
    alice: Agent,
    carrier: Agent,
    now: Mono,
    /// What Alice's lines and the carrier's were told last, by line.
    voices: [[Option<Voice>; 2]; 2],
    /// First lines of all messages, with who sent them.
    said: Vec<String>,
}

impl Scene {
    fn with(errands: &'static [Errand]) -> Scene {
        let (mut alice, carrier) = (agent("alice", 4000, 5000, errands), agent("carrier", 5000, 4000, &[]));
        alice.begin(Mono::START);
        Scene { alice, carrier, now: Mono::START, voices: [[None; 2]; 2], said: Vec::new() }
    }

    /// Lets time pass, in steps of 50 ms.
    fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        while self.now < end {
            self.now = self.now + Duration::from_millis(50);
            for index in 0..2 {
                let (now, mut deeds) = (self.now, Vec::new());
                self.agent(index).handle_timeout(now, &mut deeds);
                self.deliver(index, deeds);
            }
        }
    }

    fn deliver(&mut self, index: usize, deeds: Vec<Deed>) {
        for deed in deeds {
            match deed {
                Deed::Speak(line, voice) => self.voices[index][line] = voice,
                Deed::Send(bytes) => {
                    let first = String::from_utf8_lossy(&bytes).lines().next().unwrap_or_default().to_owned();
                    self.said.push(first.replace("SIP/2.0", "").trim().to_owned());
                    let (now, from) = (self.now, at(if index == 0 { 4000 } else { 5000 }));
                    let mut deeds = Vec::new();
                    self.agent(1 - index).handle_datagram(&bytes, from, now, &mut deeds);
                    self.deliver(1 - index, deeds);
                }
            }
        }
    }

    fn agent(&mut self, index: usize) -> &mut Agent {
        if index == 0 { &mut self.alice } else { &mut self.carrier }
    }
}

const TALK: &[Errand] = &[Errand { to: "442079460018", talk: Span(5000, 5000) }];
const ECHO: &[Errand] = &[Errand { to: "15552000001", talk: Span(5000, 5000) }];
const BUSY: &[Errand] = &[Errand { to: "15554860001", talk: Span(5000, 5000) }];
const SILENT: &[Errand] = &[Errand { to: "15554080001", talk: Span(5000, 5000) }];

#[test]
fn a_call_rings_is_answered_and_hung_up_by_the_caller() {
    let mut scene = Scene::with(TALK);
    scene.pass(Duration::from_secs(4));
    assert!(
        matches!(scene.voices[0][0], Some(Voice { to, sound: Sound::Tone(_), .. }) if to == at(5010)),
        "{:?}",
        scene.said
    );
    assert!(matches!(scene.voices[1][0], Some(Voice { to, .. }) if to == at(4010)));
    scene.pass(Duration::from_secs(5));
    let names: Vec<&str> = scene.said.iter().map(|line| line.split_whitespace().next().unwrap_or_default()).collect();
    assert_eq!(names, ["INVITE", "180", "200", "ACK", "BYE", "200"]);
    assert_eq!(scene.voices, [[None; 2]; 2]);
    assert!(scene.alice.talks.is_empty() && scene.carrier.talks.is_empty());
}

#[test]
fn the_echo_is_an_echo() {
    let mut scene = Scene::with(ECHO);
    scene.pass(Duration::from_secs(3));
    assert!(matches!(scene.voices[1][0], Some(Voice { sound: Sound::Echo, .. })));
}

#[test]
fn a_refusal_frees_the_line_and_silence_is_waited_for() {
    let mut scene = Scene::with(BUSY);
    scene.pass(Duration::from_secs(2));
    assert!(scene.said.iter().any(|line| line.starts_with("486")), "{:?}", scene.said);
    assert!(scene.alice.talks.is_empty() && scene.carrier.talks.is_empty());
    let mut scene = Scene::with(SILENT);
    scene.pass(Duration::from_secs(45));
    assert!(scene.said.iter().all(|line| line.starts_with("INVITE")), "{:?}", scene.said);
    assert!(scene.said.len() > 3 && scene.alice.talks.is_empty() && scene.carrier.talks.is_empty());
}

#[test]
fn whoever_closes_hangs_up_and_is_gone() {
    for closer in 0..2 {
        let mut scene = Scene::with(TALK);
        scene.pass(Duration::from_secs(4));
        let now = scene.now;
        let mut deeds = Vec::new();
        scene.agent(closer).close(now, &mut deeds);
        scene.deliver(closer, deeds);
        scene.pass(Duration::from_millis(100));
        assert!(scene.agent(closer).is_gone());
        assert_eq!(scene.voices, [[None; 2]; 2]);
        assert!(scene.said.iter().any(|line| line.starts_with("BYE")));
    }
}

#[test]
fn strangers_and_nonsense_are_dropped() {
    let mut scene = Scene::with(&[]);
    let invite = "INVITE sip:442079460018@localhost SIP/2.0\r\nVia: SIP/2.0/UDP x;branch=z9hG4bKx\r\nFrom: <sip:a@x>;tag=1\r\n\
                  To: <sip:b@x>\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n";
    let mut deeds = Vec::new();
    for (bytes, from) in
        [(invite.as_bytes(), at(6000)), (b"\r\n\r\n", at(4000)), (b"SIP/2.0 200", at(4000)), (b"\xff\x00", at(4000))]
    {
        scene.carrier.handle_datagram(bytes, from, Mono::START, &mut deeds);
    }
    assert_eq!(deeds, []);
    scene.carrier.handle_datagram(invite.as_bytes(), at(4000), Mono::START, &mut deeds);
    assert_eq!(deeds.len(), 1, "it rings");
}
