//! The shard's calls: by slot for the transaction layer's owners, by Call-ID for requests inside dialogs.

use actix::prelude::*;
use tollgate_call::{Client, DialogName, Event, Query};
use tollgate_sip::transaction::ClientKey;
use tollgate_sip::wheel::TimerId;
use tollgate_types::{CallId, Map, Seed};

use crate::call::{Call, Tell};
use crate::media_leg::MediaLeg;
use crate::sip_shard::Wake;

/// Names one call of this shard for as long as it lives; harmless afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CallSlot {
    index: u32,
    generation: u32,
}

/// All calls that live on this shard.
pub struct CallBook {
    slots: Vec<Slot>,
    free: Vec<u32>,
    by_call_id: Map<Box<str>, CallSlot>,
    by_id: Map<CallId, CallSlot>,
}

struct Slot {
    generation: u32,
    entry: Option<CallEntry>,
}

/// One live call.
pub struct CallEntry {
    /// Where it lives.
    pub addr: Addr<Call>,
    /// Its name.
    pub id: CallId,
    /// Somebody calls for help.
    pub helps: bool,
    /// The Call-IDs that are its own.
    pub call_ids: Vec<Box<str>>,
    /// Its earliest deadline.
    pub timer: Option<TimerId>,
    /// Its next look at the media.
    pub media_timer: Option<TimerId>,
    /// The requests it may still want to cancel.
    pub clients: Vec<(Client, ClientKey)>,
    /// Its media, to be woken.
    pub legs: Vec<Addr<MediaLeg>>,
}

/// Requests remembered for one call: those beyond are answered and over.
const CLIENTS_MAX: usize = 64;

impl CallBook {
    pub fn new(seed: Seed) -> CallBook {
        CallBook { slots: Vec::new(), free: Vec::new(), by_call_id: seed.map(), by_id: seed.child(1).map() }
    }

    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// A place for a call whose address is not known yet.
    pub fn reserve(&mut self) -> CallSlot {
        match self.free.pop() {
            Some(index) => CallSlot { index, generation: self.slots[index as usize].generation },
            None => {
                self.slots.push(Slot { generation: 1, entry: None });
                CallSlot { index: (self.slots.len() - 1) as u32, generation: 1 }
            }
        }
    }

    /// Puts a call into its reserved place.
    pub fn settle(&mut self, slot: CallSlot, id: CallId, helps: bool, addr: Addr<Call>) {
        let entry = CallEntry {
            addr,
            id,
            helps,
            call_ids: Vec::new(),
            timer: None,
            media_timer: None,
            clients: Vec::new(),
            legs: Vec::new(),
        };
        self.slots[slot.index as usize].entry = Some(entry);
        self.by_id.insert(id, slot);
    }

    pub fn get(&mut self, slot: CallSlot) -> Option<&mut CallEntry> {
        let place = self.slots.get_mut(slot.index as usize)?;
        if place.generation == slot.generation { place.entry.as_mut() } else { None }
    }

    pub fn by_call_id(&self, call_id: &str) -> Option<CallSlot> {
        self.by_call_id.get(call_id).copied()
    }

    pub fn by_id(&self, id: CallId) -> Option<CallSlot> {
        self.by_id.get(&id).copied()
    }

    /// All live calls, or all but emergencies.
    pub fn all(&self, ordinary: bool) -> impl Iterator<Item = &Addr<Call>> {
        let entries = self.slots.iter().filter_map(|slot| slot.entry.as_ref());
        entries.filter(move |entry| !(ordinary && entry.helps)).map(|entry| &entry.addr)
    }

    /// From now on requests with this Call-ID are this call's.
    pub fn listen(&mut self, slot: CallSlot, call_id: &str) {
        let Some(entry) = self.get(slot) else { return };
        entry.call_ids.push(call_id.into());
        let before = self.by_call_id.insert(call_id.into(), slot);
        // A leg that changed calls: its old call no longer answers for it.
        if let Some(former) = before.filter(|former| *former != slot)
            && let Some(entry) = self.get(former)
        {
            entry.call_ids.retain(|own| &**own != call_id);
        }
    }

    /// Remembers which transaction a request became.
    pub fn note_client(&mut self, slot: CallSlot, client: Client, key: ClientKey) {
        if let Some(entry) = self.get(slot) {
            if entry.clients.len() >= CLIENTS_MAX {
                entry.clients.remove(0);
            }
            entry.clients.push((client, key));
        }
    }

    /// Takes a call out. What it leaves are timers to cancel.
    pub fn remove(&mut self, slot: CallSlot) -> Option<CallEntry> {
        let place = self.slots.get_mut(slot.index as usize)?;
        if place.generation != slot.generation {
            return None;
        }
        let entry = place.entry.take()?;
        place.generation = place.generation.wrapping_add(1).max(1);
        self.free.push(slot.index);
        for call_id in &entry.call_ids {
            if self.by_call_id.get(call_id) == Some(&slot) {
                self.by_call_id.remove(call_id);
            }
        }
        self.by_id.remove(&entry.id);
        Some(entry)
    }

    pub fn wake(&mut self, slot: CallSlot) {
        if let Some(entry) = self.get(slot) {
            entry.timer = None;
            // A call that does not take its deadlines would overrun its paid time: this one is never dropped.
            entry.addr.do_send(Wake);
        }
    }

    /// `again` sets the timer for their next look.
    pub fn wake_media(&mut self, slot: CallSlot, again: impl FnOnce() -> TimerId) {
        if let Some(entry) = self.get(slot) {
            for leg in &entry.legs {
                let _ = leg.try_send(Wake);
            }
            entry.media_timer = (!entry.legs.is_empty()).then(again);
        }
    }

    /// Tells a call something; news that no longer finds it is dropped.
    pub fn tell(&mut self, slot: CallSlot, event: Event) {
        let Some(entry) = self.get(slot) else { return };
        if entry.addr.try_send(Tell(event)).is_err() {
            metrics::counter!("tollgate_mailbox_full_total", "of" => "call").increment(1);
        }
    }
}

impl CallSlot {
    /// As the transaction layer's owner: the slot with the client number. The highest bit stays free for other owners.
    pub fn owner(self, client: Client) -> u64 {
        (u64::from(self.index & 0xf_ffff) << 43) | (u64::from(self.generation & 0x7ff) << 32) | u64::from(client.0)
    }

    /// Reads an owner back.
    pub fn of_owner(owner: u64, book: &CallBook) -> Option<(CallSlot, Client)> {
        let index = ((owner >> 43) & 0xf_ffff) as u32;
        let generation = book.slots.get(index as usize)?.generation;
        let fits = u64::from(generation & 0x7ff) == (owner >> 32) & 0x7ff;
        fits.then_some((CallSlot { index, generation }, Client(owner as u32)))
    }
}

/// Who holds this dialog? Asked on the shard that the Call-ID names; the answer goes to the asking call.
#[derive(Message)]
#[rtype(result = "()")]
pub struct FindDialog {
    /// As the transferor names it.
    pub dialog: DialogName,
    /// The asking call.
    pub asker: CallId,
    /// Its question.
    pub query: Query,
    /// Where it lives.
    pub reply: Addr<Call>,
}

impl Handler<FindDialog> for super::SipShard {
    type Result = ();
    fn handle(&mut self, find: FindDialog, _: &mut Context<Self>) {
        let FindDialog { dialog, asker, query, reply } = find;
        let holder = self
            .calls
            .by_call_id(&dialog.call_id)
            .and_then(|slot| self.calls.get(slot))
            .map(|entry| entry.addr.clone());
        let delivered = holder.is_some_and(|holder| {
            holder
                .try_send(crate::call::SurrenderTo {
                    event: Event::Surrender { to: asker, query, dialog },
                    reply: reply.clone(),
                })
                .is_ok()
        });
        if !delivered {
            let _ = reply.try_send(Tell(Event::Found { query, handover: None }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_of_a_past_call_names_nobody() {
        let mut book = CallBook::new(Seed([1; 4]));
        let slot = book.reserve();
        let owner = slot.owner(Client(7));
        assert_eq!(CallSlot::of_owner(owner, &book), Some((slot, Client(7))));
        book.slots[0].generation += 1;
        assert_eq!(CallSlot::of_owner(owner, &book), None);
    }
}
