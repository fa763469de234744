//! The phones of the demo's people: each registers at the loopback, calls by its diary and picks up.

use std::io;
use std::net::SocketAddr;

use tollgate_types::Seed;

use super::agent::{Agent, Me};
use super::diary::Diary;
use super::live::Body;
use super::manner;
use super::people::Person;

/// Calls that one phone can hold.
const LINES: usize = 3;

/// A phone of `person`.
pub fn open(person: &Person, server: SocketAddr, domain: &str, seed: Seed) -> io::Result<(Agent, Body)> {
    let body = Body::bind(server.ip(), LINES)?;
    let name = person.name;
    let me = Me {
        name: name.to_owned(),
        host: domain.to_owned(),
        domain: domain.to_owned(),
        password: Some(person.password()),
        local: body.sip()?,
        server,
        manner: Box::new(move |_| manner::of_person(name)),
    };
    let agent = Agent::new(me, body.lines()?, Diary::new(person.errands, person.pause), seed);
    Ok((agent, body))
}
