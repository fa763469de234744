//! Who is online: by which ways each user's devices are registered on this node. Registrations write, the front door and
//! admission read.

use parking_lot::RwLock;
use tollgate_sip::binding::{Road, Strict};
use tollgate_types::{Flow, Map, Seed, UserId};

/// See the module. Users without a device take no room.
pub struct Presence(RwLock<Map<UserId, Box<[Road]>>>);

impl Presence {
    /// Nobody is online.
    pub fn new(seed: Seed) -> Presence {
        Presence(RwLock::new(seed.map()))
    }

    /// The user's devices are registered by these ways from now on.
    pub fn set(&self, user: UserId, devices: Box<[Road]>) {
        let mut online = self.0.write();
        match devices.is_empty() {
            true => online.remove(&user),
            false => online.insert(user, devices),
        };
    }

    /// How many devices the user has.
    pub fn devices(&self, user: UserId) -> usize {
        self.0.read().get(&user).map_or(0, |devices| devices.len())
    }

    /// May the user, having registered as he has, come by this flow?
    pub fn allows(&self, user: UserId, flow: &Flow, strict: Strict) -> bool {
        self.0.read().get(&user).is_none_or(|devices| strict.allows(devices, flow.into()))
    }

    /// How many users are online.
    pub fn online(&self) -> usize {
        self.0.read().len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_whose_last_device_is_gone_takes_no_room() {
        let presence = Presence::new(Seed([1; 4]));
        let road = Road { transport: tollgate_types::Transport::Udp, peer: ([192, 0, 2, 1], 5060).into() };
        presence.set(UserId(1), [road; 2].into());
        assert_eq!((presence.devices(UserId(1)), presence.devices(UserId(2)), presence.online()), (2, 0, 1));
        presence.set(UserId(1), [].into());
        assert_eq!((presence.devices(UserId(1)), presence.online()), (0, 0));
    }
}
