//! A dialog as bytes: what a hold row keeps so that both ends can be sent a BYE after a crash.

use std::net::SocketAddr;

use tollgate_types::{ConnId, Flow, Transport};

use super::Dialog;

/// The bytes are not a dialog.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("these bytes do not describe a dialog")]
pub struct Forgotten;

const VERSION: &str = "d1";

impl Dialog {
    /// One line per field. No field can contain a line break: they come from parsed headers.
    pub fn remember(&self) -> String {
        let mut text = format!(
            "{VERSION}\n{}\n{}\n{}\n{}\n{}\n{}\n{}\n{}\n{} {} {}",
            self.call_id,
            self.local_tag,
            self.remote_tag,
            self.local,
            self.remote,
            self.contact,
            self.target,
            self.local_seq,
            self.flow.transport,
            self.flow.local,
            self.flow.peer
        );
        for route in &self.routes {
            text.push('\n');
            text.push_str(route);
        }
        text
    }

    /// Reads what [`Dialog::remember`] wrote. The connection of a stream is gone by then: `conn` is zero.
    pub fn recall(text: &str) -> Result<Dialog, Forgotten> {
        let mut lines = text.split('\n');
        let mut next = || lines.next().ok_or(Forgotten);
        if next()? != VERSION {
            return Err(Forgotten);
        }
        let [call_id, local_tag, remote_tag, local, remote, contact, target] =
            [next()?, next()?, next()?, next()?, next()?, next()?, next()?].map(Box::<str>::from);
        let local_seq = next()?.parse().map_err(|_| Forgotten)?;
        let flow = flow(next()?).ok_or(Forgotten)?;
        let routes = lines.map(Box::from).collect();
        Ok(Dialog {
            call_id,
            local_tag,
            remote_tag,
            local,
            remote,
            contact,
            target,
            routes,
            flow,
            local_seq,
            remote_seq: None,
        })
    }
}

fn flow(line: &str) -> Option<Flow> {
    let mut words = line.split(' ');
    let transport: Transport = words.next()?.parse().ok()?;
    let local: SocketAddr = words.next()?.parse().ok()?;
    let peer: SocketAddr = words.next()?.parse().ok()?;
    Some(Flow { transport, local, peer, conn: ConnId(0) })
}
