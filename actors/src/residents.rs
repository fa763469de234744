//! Where registered devices are: which addresses have users of ours behind them now, and which had lately.
//!
//! Registrations write; the gate reads, so that no served user is hit by a ban that others earned.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use parking_lot::RwLock;
use tollgate_types::{Map, Seed, UserId, Wall};

/// How long an address is known after its last registration.
pub const KNOWN_FOR: Duration = Duration::from_secs(7 * 86_400);
/// Addresses known at most; beyond it those not seen for longest make room.
pub const KNOWN_MAX: usize = 500_000;
/// An address is written down again when what is written is so old.
const WRITTEN_AGAIN_AFTER: Duration = Duration::from_secs(6 * 3600);

/// See the module. Users without a device take no room.
pub struct Residents(RwLock<Inner>);

struct Inner {
    devices: Map<UserId, Vec<SocketAddr>>,
    houses: Map<IpAddr, Vec<UserId>>,
    seen: Map<IpAddr, Wall>,
    unwritten: Vec<(IpAddr, Wall)>,
}

impl Residents {
    /// Nobody lives anywhere.
    pub fn new(seed: Seed) -> Residents {
        Residents(RwLock::new(Inner {
            devices: seed.map(),
            houses: seed.child(1).map(),
            seen: seed.child(2).map(),
            unwritten: Vec::new(),
        }))
    }

    /// The user's devices are there from now on, and nowhere else. Was an address unknown before?
    pub fn settle(&self, user: UserId, devices: Vec<SocketAddr>, now: Wall) -> bool {
        let mut inner = self.0.write();
        let before = inner.devices.remove(&user).unwrap_or_default();
        for peer in &before {
            let ip = peer.ip().to_canonical();
            if let Some(users) = inner.houses.get_mut(&ip) {
                if let Some(at) = users.iter().position(|known| *known == user) {
                    users.swap_remove(at);
                }
                if users.is_empty() {
                    inner.houses.remove(&ip);
                }
            }
        }
        let mut unknown = false;
        for peer in &devices {
            let ip = peer.ip().to_canonical();
            inner.houses.entry(ip).or_default().push(user);
            unknown |= !inner.seen.contains_key(&ip);
            inner.see(ip, now);
        }
        if !devices.is_empty() {
            inner.devices.insert(user, devices);
        }
        unknown
    }

    /// How many devices are registered at the address.
    pub fn devices(&self, ip: IpAddr) -> u32 {
        self.0.read().houses.get(&ip).map_or(0, |users| users.len() as u32)
    }

    /// Is a device of the user's registered at the address?
    pub fn lives_at(&self, user: UserId, ip: IpAddr) -> bool {
        self.0.read().houses.get(&ip).is_some_and(|users| users.contains(&user))
    }

    /// Was somebody registered at the address within the last days?
    pub fn is_known(&self, ip: IpAddr, now: Wall) -> bool {
        let inner = self.0.read();
        inner.houses.contains_key(&ip) || inner.seen.get(&ip).is_some_and(|at| now.since(*at) < KNOWN_FOR)
    }

    /// All addresses with registered devices.
    pub fn addresses(&self) -> Vec<IpAddr> {
        self.0.read().houses.keys().copied().collect()
    }

    /// Addresses from an earlier life, and those that other nodes saw.
    pub fn remember(&self, seen: impl IntoIterator<Item = (IpAddr, Wall)>) {
        let mut inner = self.0.write();
        for (ip, at) in seen {
            let known = inner.seen.entry(ip).or_insert(at);
            *known = (*known).max(at);
        }
    }

    /// What is to be written down, once.
    pub fn take_unwritten(&self) -> Vec<(IpAddr, Wall)> {
        std::mem::take(&mut self.0.write().unwritten)
    }

    /// It could not be written yet.
    pub fn put_back(&self, seen: Vec<(IpAddr, Wall)>) {
        let mut inner = self.0.write();
        let room = KNOWN_MAX.saturating_sub(inner.unwritten.len());
        inner.unwritten.extend(seen.into_iter().take(room));
    }

    /// Forgets addresses not seen for [`KNOWN_FOR`].
    pub fn prune(&self, now: Wall) {
        self.0.write().seen.retain(|_, at| now.since(*at) < KNOWN_FOR);
    }
}

impl Inner {
    fn see(&mut self, ip: IpAddr, now: Wall) {
        if self.seen.get(&ip).is_some_and(|at| now.since(*at) < WRITTEN_AGAIN_AFTER) {
            return;
        }
        if self.seen.len() >= KNOWN_MAX
            && let Some(oldest) = self.seen.iter().min_by_key(|(_, at)| **at).map(|(ip, _)| *ip)
        {
            self.seen.remove(&oldest);
        }
        self.seen.insert(ip, now);
        if self.unwritten.len() < KNOWN_MAX {
            self.unwritten.push((ip, now));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_house_while_somebody_lives_there_and_known_for_a_week() {
        let residents = Residents::new(Seed([1; 4]));
        let now = Wall::from_secs(1_000_000);
        let (anna, bob) = (UserId(1), UserId(2));
        let office: IpAddr = [192, 0, 2, 1].into();
        let at = |port| SocketAddr::new(office, port);
        assert!(residents.settle(anna, vec![at(1), at(2)], now));
        assert!(!residents.settle(bob, vec![at(3)], now), "the address is known by now");
        assert_eq!((residents.devices(office), residents.lives_at(bob, office)), (3, true));
        assert_eq!(residents.take_unwritten(), [(office, now)]);
        residents.settle(anna, Vec::new(), now);
        residents.settle(bob, vec!["[2001:db8::1]:5060".parse().unwrap()], now);
        assert_eq!((residents.devices(office), residents.lives_at(bob, office)), (0, false));
        assert!(residents.is_known(office, now + KNOWN_FOR - Duration::from_secs(1)));
        assert!(!residents.is_known(office, now + KNOWN_FOR));
        residents.prune(now + KNOWN_FOR);
        assert!(residents.is_known("2001:db8::1".parse().unwrap(), now + KNOWN_FOR), "bob still lives there");
    }
}
