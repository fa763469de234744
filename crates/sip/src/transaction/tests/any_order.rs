//! Whatever happens in whatever order, keys long dead included: nothing panics, and in the end nothing is left.

use proptest::prelude::*;
use tollgate_types::{ConnId, Flow, Transport};

use super::{Stage, US, answer, flow, ours, request};
use crate::transaction::{Action, ClientKey, ServerKey, Timers};
use crate::wire::{Message, Method};

#[derive(Clone, Debug)]
enum Step {
    Hear { method: &'static str, branch: u8, stream: bool, elsewhere: bool },
    Respond { pick: usize, status: u16 },
    RespondStateless { pick: usize },
    Forget { pick: usize },
    Acked { pick: usize },
    Ask { method: Method, stream: bool },
    Answered { pick: usize, status: u16, tag: bool },
    Cancel { pick: usize },
    Break { stream: bool },
    Unsendable { pick: usize },
    Wait { millis: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    let method = prop::sample::select(vec!["INVITE", "INVITE", "ACK", "CANCEL", "OPTIONS", "BYE"]);
    let status = prop::sample::select(vec![100u16, 180, 183, 200, 200, 302, 404, 486, 487, 503, 603]);
    let ours = prop::sample::select(vec![Method::Invite, Method::Invite, Method::Bye, Method::Register]);
    let span = prop_oneof![0u64..600, 0u64..40_000];
    prop_oneof![
        6 => (method, 0u8..4, any::<bool>(), prop::bool::weighted(0.1))
            .prop_map(|(method, branch, stream, elsewhere)| Step::Hear { method, branch, stream, elsewhere }),
        4 => (any::<usize>(), status.clone()).prop_map(|(pick, status)| Step::Respond { pick, status }),
        1 => any::<usize>().prop_map(|pick| Step::RespondStateless { pick }),
        1 => any::<usize>().prop_map(|pick| Step::Forget { pick }),
        1 => any::<usize>().prop_map(|pick| Step::Acked { pick }),
        3 => (ours, any::<bool>()).prop_map(|(method, stream)| Step::Ask { method, stream }),
        5 => (any::<usize>(), status, any::<bool>()).prop_map(|(pick, status, tag)| Step::Answered { pick, status, tag }),
        2 => any::<usize>().prop_map(|pick| Step::Cancel { pick }),
        1 => any::<bool>().prop_map(|stream| Step::Break { stream }),
        1 => any::<usize>().prop_map(|pick| Step::Unsendable { pick }),
        3 => span.prop_map(|millis| Step::Wait { millis }),
    ]
}

fn way(stream: bool) -> Flow {
    flow(if stream { Transport::Tcp } else { Transport::Udp })
}

/// Everything that was ever given out or sent.
#[derive(Default)]
struct Known {
    servers: Vec<(ServerKey, Message)>,
    clients: Vec<ClientKey>,
    sent: Vec<Message>,
}

impl Known {
    fn learn(&mut self, stage: &mut Stage) {
        for action in stage.out.drain(..) {
            match action {
                Action::Request { key, message, .. } => self.servers.push((key, message)),
                Action::Send { bytes, .. } => {
                    let message = Message::parse(bytes).expect("what goes out can be read");
                    if message.is_request() {
                        self.sent.push(message);
                    }
                }
                _ => {}
            }
        }
    }
}

fn pick<T>(list: &[T], at: usize) -> Option<&T> {
    list.get(at % list.len().max(1))
}

fn play(stage: &mut Stage, known: &mut Known, number: u32, step: Step) {
    let now = stage.now;
    match step {
        Step::Hear { method, branch, stream, elsewhere } => {
            let via = format!("SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK{branch}");
            let peer = if elsewhere { "203.0.113.9:5060" } else { "192.0.2.1:5060" };
            let flow = Flow { peer: peer.parse().unwrap(), conn: ConnId(u64::from(branch)), ..way(stream) };
            stage.hear_by(&request(method, &via, &(branch / 2).to_string()), flow);
        }
        Step::Respond { pick: at, status } => {
            if let Some((key, message)) = pick(&known.servers, at) {
                let bytes = answer(message, &way(false), status, "us");
                stage.layer.respond(*key, bytes, status, now, &mut stage.out);
            }
        }
        Step::RespondStateless { pick: at } => {
            if let Some((key, message)) = pick(&known.servers, at) {
                let tag = stage.layer.stateless_tag(message);
                stage.layer.respond_stateless(*key, answer(message, &way(false), 407, &tag), &mut stage.out);
            }
        }
        Step::Forget { pick: at } => {
            if let Some((key, _)) = pick(&known.servers, at) {
                stage.layer.forget(*key);
            }
        }
        Step::Acked { pick: at } => {
            if let Some((key, _)) = pick(&known.servers, at) {
                stage.layer.ack_received(*key, now, &mut stage.out);
            }
        }
        Step::Ask { method, stream } => {
            let asked = stage.layer.request(7, &ours(method, number), way(stream), US, false, now, &mut stage.out);
            known.clients.extend(asked.ok());
        }
        Step::Answered { pick: at, status, tag } => {
            if let Some(request) = pick(&known.sent, at) {
                let bytes = answer(request, &way(false), status, if tag { "one" } else { "two" });
                stage.hear(&Message::parse(bytes).unwrap());
            }
        }
        Step::Cancel { pick: at } => {
            if let Some(key) = pick(&known.clients, at) {
                stage.layer.cancel(*key, None, now, &mut stage.out);
            }
        }
        Step::Break { stream } => stage.layer.handle_unreachable(&way(stream), now, &mut stage.out),
        Step::Unsendable { pick: at } => {
            if let Some(key) = pick(&known.clients, at) {
                stage.layer.handle_unsendable(*key, now, &mut stage.out);
            }
        }
        Step::Wait { millis } => stage.wait(millis),
    }
}

proptest! {
    #[test]
    fn nothing_panics_and_nothing_is_left(steps in proptest::collection::vec(step(), 1..80)) {
        let mut stage = Stage::new(Timers { clients_max: 12, servers_max: 12, ..Timers::default() });
        let mut known = Known::default();
        for (number, step) in (1u32..).zip(steps) {
            play(&mut stage, &mut known, number, step);
            known.learn(&mut stage);
            let stats = stage.layer.stats();
            // A CANCEL of ours is sent whatever the cap, at most one for each INVITE.
            prop_assert!(stats.invite_clients + stats.other_clients <= 12 + 12);
            prop_assert!(stats.invite_servers + stats.other_servers <= 13);
        }
        stage.wait(2 * 3600 * 1000);
        prop_assert!(stage.layer.is_drained(), "{:?}", stage.layer.stats());
    }
}
