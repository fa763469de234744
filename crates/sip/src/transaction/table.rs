//! Where transactions are kept and found: slabs, and the indexes into them.

use std::net::SocketAddr;

use bytes::Bytes;
use slab::Slab;
use tollgate_types::{Flow, Map, Seed};

use super::{ClientKey, ServerKey, client, invite_client, invite_server, server};
use crate::wheel::TimerId;
use crate::wire::Message;

/// A request that we sent.
pub(super) struct Client {
    pub generation: u32,
    pub state: ClientState,
    /// Who wants the answers; nobody for a CANCEL, which is the layer's own.
    pub owner: Option<u64>,
    pub flow: Flow,
    /// Its name in the index: branch and method.
    pub index: Box<str>,
    /// What goes out (again): the request; once a failure came, its ACK; nothing once that is over.
    pub bytes: Bytes,
    /// The Reason for a CANCEL that waits for its provisional response.
    pub reason: Option<Box<str>>,
    pub timers: [Option<TimerId>; 2],
    /// Its place in the list of its peer, on streams.
    place: u32,
}

/// A request that we received.
pub(super) struct Server {
    pub generation: u32,
    pub state: ServerState,
    pub owner: Option<u64>,
    /// Where answers go.
    pub flow: Flow,
    pub index: Box<str>,
    /// Who sent it, whatever the branch: Call-ID, From-tag, CSeq (RFC 3261 §8.2.2.2). Cleared when it is over but for
    /// repetitions.
    pub origin: Option<u64>,
    /// The request, kept until the layer needs it no more to write a 100.
    pub request: Option<Message>,
    /// The last answer.
    pub bytes: Bytes,
    pub timers: [Option<TimerId>; 2],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClientState {
    Invite(invite_client::State),
    Other(client::State),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ServerState {
    Invite(invite_server::State),
    Other(server::State),
}

impl ClientState {
    pub fn is_terminated(self) -> bool {
        matches!(
            self,
            ClientState::Invite(invite_client::State::Terminated) | ClientState::Other(client::State::Terminated)
        )
    }
}

impl ServerState {
    pub fn is_terminated(self) -> bool {
        matches!(
            self,
            ServerState::Invite(invite_server::State::Terminated) | ServerState::Other(server::State::Terminated)
        )
    }

    /// Is nothing left but to repeat the answer? Then the same request by another way is no merged request any more. A 2xx
    /// keeps it: its ACK is found that way.
    pub fn is_over(self) -> bool {
        use invite_server::State;
        match self {
            ServerState::Invite(state) => {
                matches!(state, State::Completed { .. } | State::Confirmed | State::Terminated)
            }
            ServerState::Other(state) => matches!(state, server::State::Completed | server::State::Terminated),
        }
    }
}

/// All client transactions.
pub(super) struct Clients {
    slab: Slab<Client>,
    index: Map<Box<str>, u32>,
    /// Those on streams by their far end, so that a broken connection is told to them and nobody else is asked.
    peers: Map<SocketAddr, Vec<u32>>,
    generation: u32,
    pub invites: usize,
}

impl Clients {
    pub fn new(seed: Seed) -> Clients {
        Clients { slab: Slab::new(), index: seed.map(), peers: seed.map(), generation: 0, invites: 0 }
    }

    pub fn len(&self) -> usize {
        self.slab.len()
    }

    pub fn insert(
        &mut self,
        state: ClientState,
        owner: Option<u64>,
        flow: Flow,
        index: Box<str>,
        bytes: Bytes,
    ) -> ClientKey {
        self.generation = self.generation.wrapping_add(1);
        let vacant = self.slab.vacant_entry();
        let slot = u32::try_from(vacant.key()).expect("the table is capped far below 2³²");
        let place = if flow.transport.is_reliable() {
            let list = self.peers.entry(flow.peer).or_default();
            list.push(slot);
            (list.len() - 1) as u32
        } else {
            0
        };
        self.index.insert(index.clone(), slot);
        self.invites += usize::from(matches!(state, ClientState::Invite(_)));
        let generation = self.generation;
        vacant.insert(Client { generation, state, owner, flow, index, bytes, reason: None, timers: [None; 2], place });
        ClientKey(u64::from(generation) << 32 | u64::from(slot))
    }

    pub fn get(&mut self, key: ClientKey) -> Option<&mut Client> {
        let generation = (key.0 >> 32) as u32;
        self.slab.get_mut(key.0 as u32 as usize).filter(|client| client.generation == generation)
    }

    pub fn find(&self, index: &str) -> Option<ClientKey> {
        let slot = *self.index.get(index)?;
        Some(self.key_of(slot))
    }

    pub fn remove(&mut self, key: ClientKey) -> Option<Client> {
        self.get(key)?;
        let slot = key.0 as u32;
        let client = self.slab.try_remove(slot as usize)?;
        self.index.remove(&client.index);
        self.invites -= usize::from(matches!(client.state, ClientState::Invite(_)));
        if client.flow.transport.is_reliable()
            && let Some(list) = self.peers.get_mut(&client.flow.peer)
        {
            list.swap_remove(client.place as usize);
            match list.get(client.place as usize) {
                Some(&moved) => self.slab[moved as usize].place = client.place,
                None if list.is_empty() => drop(self.peers.remove(&client.flow.peer)),
                None => {}
            }
        }
        Some(client)
    }

    /// Those that wait on this flow. On UDP every transaction is looked at: nothing there breaks but by our own failure to send.
    pub fn on_flow(&self, flow: &Flow) -> Vec<ClientKey> {
        let same = |client: &Client| {
            let unnamed = client.flow.conn.0 == 0 || flow.conn.0 == 0;
            client.flow.transport == flow.transport
                && client.flow.peer == flow.peer
                && (client.flow.conn == flow.conn || unnamed)
        };
        if flow.transport.is_reliable() {
            let list = self.peers.get(&flow.peer).map(Vec::as_slice).unwrap_or_default();
            list.iter().filter(|slot| same(&self.slab[**slot as usize])).map(|slot| self.key_of(*slot)).collect()
        } else {
            self.slab.iter().filter(|(_, client)| same(client)).map(|(slot, _)| self.key_of(slot as u32)).collect()
        }
    }

    /// Is every index as empty as the slab?
    pub fn is_drained(&self) -> bool {
        self.slab.is_empty() && self.index.is_empty() && self.peers.is_empty() && self.invites == 0
    }

    fn key_of(&self, slot: u32) -> ClientKey {
        ClientKey(u64::from(self.slab[slot as usize].generation) << 32 | u64::from(slot))
    }
}

/// All server transactions.
pub(super) struct Servers {
    slab: Slab<Server>,
    index: Map<Box<str>, u32>,
    origins: Map<u64, u32>,
    hasher: ahash::RandomState,
    generation: u32,
    pub invites: usize,
}

impl Servers {
    pub fn new(seed: Seed) -> Servers {
        Servers {
            slab: Slab::new(),
            index: seed.map(),
            origins: seed.map(),
            hasher: seed.child(1).hasher(),
            generation: 0,
            invites: 0,
        }
    }

    pub fn len(&self) -> usize {
        self.slab.len()
    }

    /// Whoever sent this request, whatever way it took. The hash is keyed: nobody outside can aim for another's.
    pub fn origin(&self, request: &Message, method: &str) -> u64 {
        self.hasher.hash_one((request.call_id(), request.from().tag(), request.cseq().number, method))
    }

    pub fn insert(
        &mut self,
        state: ServerState,
        flow: Flow,
        index: Box<str>,
        origin: u64,
        request: Option<Message>,
    ) -> ServerKey {
        self.generation = self.generation.wrapping_add(1);
        let vacant = self.slab.vacant_entry();
        let slot = u32::try_from(vacant.key()).expect("the table is capped far below 2³²");
        self.index.insert(index.clone(), slot);
        let origin = (!self.origins.contains_key(&origin)).then_some(origin);
        if let Some(origin) = origin {
            self.origins.insert(origin, slot);
        }
        self.invites += usize::from(matches!(state, ServerState::Invite(_)));
        let generation = self.generation;
        vacant.insert(Server {
            generation,
            state,
            owner: None,
            flow,
            index,
            origin,
            request,
            bytes: Bytes::new(),
            timers: [None; 2],
        });
        ServerKey(u64::from(generation) << 32 | u64::from(slot))
    }

    pub fn get(&mut self, key: ServerKey) -> Option<&mut Server> {
        let generation = (key.0 >> 32) as u32;
        self.slab.get_mut(key.0 as u32 as usize).filter(|server| server.generation == generation)
    }

    pub fn find(&self, index: &str) -> Option<ServerKey> {
        let slot = *self.index.get(index)?;
        Some(self.key_of(slot))
    }

    pub fn find_origin(&self, origin: u64) -> Option<ServerKey> {
        let slot = *self.origins.get(&origin)?;
        Some(self.key_of(slot))
    }

    /// From now on it answers repetitions only: the same request by another way is a new one.
    pub fn forget_origin(&mut self, key: ServerKey) {
        if let Some(origin) = self.get(key).and_then(|server| server.origin.take()) {
            self.origins.remove(&origin);
        }
    }

    pub fn remove(&mut self, key: ServerKey) -> Option<Server> {
        self.get(key)?;
        self.forget_origin(key);
        let server = self.slab.try_remove(key.0 as u32 as usize)?;
        self.index.remove(&server.index);
        self.invites -= usize::from(matches!(server.state, ServerState::Invite(_)));
        Some(server)
    }

    /// Is every index as empty as the slab?
    pub fn is_drained(&self) -> bool {
        self.slab.is_empty() && self.index.is_empty() && self.origins.is_empty() && self.invites == 0
    }

    fn key_of(&self, slot: u32) -> ServerKey {
        ServerKey(u64::from(self.slab[slot as usize].generation) << 32 | u64::from(slot))
    }
}
