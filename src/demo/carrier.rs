//! The demo's carriers: loopback ends of egress trunks that answer, refuse or stay silent by the number; and from the first
//! one, calls come in to Bob's number.

use std::io;
use std::net::SocketAddr;

use tollgate_types::Seed;

use super::agent::{Agent, Me};
use super::diary::{Diary, Errand};
use super::live::Body;
use super::manner::{self, seconds};

/// Calls that one carrier can hold.
const LINES: usize = 16;
/// Who calls Bob.
const CALLER: &str = "442079460555";

/// A carrier; the first one calls, and fails where the demo shows failover.
pub fn open(
    is_first: bool,
    calls: &'static [Errand],
    server: SocketAddr,
    domain: &str,
    seed: Seed,
) -> io::Result<(Agent, Body)> {
    let body = Body::bind(server.ip(), LINES)?;
    let local = body.sip()?;
    let me = Me {
        name: CALLER.to_owned(),
        host: local.to_string(),
        domain: domain.to_owned(),
        password: None,
        local,
        server,
        manner: Box::new(move |number| manner::of_carrier(number, is_first)),
    };
    let agent = Agent::new(me, body.lines()?, Diary::new(calls, seconds(20, 45)), seed);
    Ok((agent, body))
}
