//! Where bytes come from and go to.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What carries SIP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// Datagrams, RFC 3261 §18.
    Udp,
    /// A stream, RFC 3261 §18.
    Tcp,
    /// A stream under TLS.
    Tls,
    /// WebSocket, RFC 7118.
    Ws,
    /// WebSocket under TLS.
    Wss,
}

/// Names one connection of a stream transport for the life of the process; zero on UDP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId(pub u64);

/// A path that bytes can take back: what we hear a peer on, and answer it by. On UDP the pair of addresses is all there
/// is; on a stream `conn` names the connection, and once that is gone only a new one to `peer` helps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Flow {
    /// What carries it.
    pub transport: Transport,
    /// Our end: the listener's address.
    pub local: SocketAddr,
    /// Their end, as the socket sees it.
    pub peer: SocketAddr,
    /// The connection on a stream.
    pub conn: ConnId,
}

impl Transport {
    /// Retransmission is the transport's business, not ours (RFC 3261 §17)?
    pub fn is_reliable(self) -> bool {
        self != Transport::Udp
    }

    /// As a Via says it.
    pub fn via_token(self) -> &'static str {
        match self {
            Transport::Udp => "UDP",
            Transport::Tcp => "TCP",
            Transport::Tls => "TLS",
            Transport::Ws => "WS",
            Transport::Wss => "WSS",
        }
    }

    /// As a URI's `transport` parameter says it.
    pub fn uri_token(self) -> &'static str {
        match self {
            Transport::Udp => "udp",
            Transport::Tcp => "tcp",
            Transport::Tls => "tls",
            Transport::Ws => "ws",
            Transport::Wss => "wss",
        }
    }

    /// The port that is meant where none is written.
    pub fn default_port(self) -> u16 {
        match self {
            Transport::Udp | Transport::Tcp => 5060,
            Transport::Tls => 5061,
            Transport::Ws => 80,
            Transport::Wss => 443,
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.uri_token())
    }
}

impl FromStr for Transport {
    type Err = ();
    fn from_str(text: &str) -> Result<Transport, ()> {
        [Transport::Udp, Transport::Tcp, Transport::Tls, Transport::Ws, Transport::Wss]
            .into_iter()
            .find(|transport| transport.uri_token().eq_ignore_ascii_case(text))
            .ok_or(())
    }
}
