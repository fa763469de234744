//! The called: they ring, answer after a while, and say yes to whatever else is asked.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tollgate_sip::wire::{Message, Method, Name, ResponseBuilder};
use tollgate_types::{ConnId, Flow, Transport};

use crate::compose::{media_of, sdp};
use crate::run::Desk;
use crate::speech::StreamId;

/// Everybody who is called, by Call-ID.
#[derive(Default)]
pub struct Callees {
    calls: HashMap<String, Answering>,
    ring: Duration,
    tags: u32,
}

struct Answering {
    /// What is sent again when the INVITE comes again, or the ACK does not come.
    last: Bytes,
    answer: Option<Bytes>,
    socket: usize,
    to: SocketAddr,
    acknowledged: bool,
    stream: Option<StreamId>,
}

/// Something to do for a call later.
#[derive(Debug)]
pub enum Later {
    Answer(String),
    Repeat(String, u8),
}

/// RFC 3261 §13.3.1.4: a 2xx is repeated at T1, doubling up to T2.
const T1: Duration = Duration::from_millis(500);
const T2: Duration = Duration::from_secs(4);
const REPEATS: u8 = 10;

impl Callees {
    pub fn new(ring: Duration) -> Callees {
        Callees { ring, ..Callees::default() }
    }

    pub fn asked(&mut self, request: &Message, socket: usize, peer: SocketAddr, desk: &mut Desk, now: Instant) {
        match request.method() {
            Some(Method::Invite) if request.to().tag().is_none() => self.rung(request, socket, peer, desk, now),
            Some(Method::Ack) => {
                if let Some(call) = self.calls.get_mut(request.call_id()) {
                    call.acknowledged = true;
                }
            }
            Some(Method::Bye) => {
                if let Some(call) = self.calls.remove(request.call_id()) {
                    desk.silence(call.stream);
                }
                desk.net.send(socket, peer, &plain(request, &flow(socket, peer, desk), 200).build());
            }
            _ => desk.net.send(socket, peer, &plain(request, &flow(socket, peer, desk), 200).tag("load").build()),
        }
    }

    fn rung(&mut self, invite: &Message, socket: usize, peer: SocketAddr, desk: &mut Desk, now: Instant) {
        if let Some(call) = self.calls.get(invite.call_id()) {
            return desk.net.send(socket, peer, &call.last);
        }
        self.tags = self.tags.wrapping_add(1);
        let tag = format!("c{:x}", self.tags);
        let flow = flow(socket, peer, desk);
        let contact = format!("<sip:called@{}>", flow.local);
        let said = |status| {
            plain(invite, &flow, status).tag(&tag).copy(invite, Name::RecordRoute).header(Name::Contact, &contact)
        };
        let (ringing, media) = (said(180).build(), desk.media_address(desk.called_media()));
        let answer = said(200).body("application/sdp", sdp(media)).build();
        desk.net.send(socket, peer, &ringing);
        let stream = media_of(invite.body()).and_then(|to| desk.speak(desk.called_media(), to));
        let call = Answering { last: ringing, answer: Some(answer), socket, to: peer, acknowledged: false, stream };
        self.calls.insert(invite.call_id().to_owned(), call);
        if self.ring.is_zero() {
            self.answer(invite.call_id(), desk, now);
        } else {
            desk.later_called(now + self.ring, Later::Answer(invite.call_id().to_owned()));
        }
    }

    pub fn due(&mut self, later: Later, desk: &mut Desk, now: Instant) {
        match later {
            Later::Answer(call_id) => self.answer(&call_id, desk, now),
            Later::Repeat(call_id, count) => {
                let Some(call) = self.calls.get(&call_id).filter(|call| !call.acknowledged) else { return };
                desk.net.send(call.socket, call.to, &call.last);
                if count < REPEATS {
                    let pause = (T1 * (1 << count.min(4))).min(T2);
                    desk.later_called(now + pause, Later::Repeat(call_id, count + 1));
                }
            }
        }
    }

    fn answer(&mut self, call_id: &str, desk: &mut Desk, now: Instant) {
        let Some(call) = self.calls.get_mut(call_id) else { return };
        let Some(answer) = call.answer.take() else { return };
        desk.net.send(call.socket, call.to, &answer);
        call.last = answer;
        desk.later_called(now + T1, Later::Repeat(call_id.to_owned(), 1));
    }
}

fn flow(socket: usize, peer: SocketAddr, desk: &Desk) -> Flow {
    Flow { transport: Transport::Udp, local: desk.net.address(socket), peer, conn: ConnId(0) }
}

fn plain(request: &Message, flow: &Flow, status: u16) -> ResponseBuilder {
    ResponseBuilder::to(request, flow, status, None)
}
