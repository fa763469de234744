//! Who is online: how many devices each user has registered on this node. Registrations write, admission reads.

use parking_lot::RwLock;
use tollgate_types::{Map, Seed, UserId};

/// See the module. Users without a device take no room.
pub struct Presence(RwLock<Map<UserId, u16>>);

impl Presence {
    /// Nobody is online.
    pub fn new(seed: Seed) -> Presence {
        Presence(RwLock::new(seed.map()))
    }

    /// The user has so many devices from now on.
    pub fn set(&self, user: UserId, devices: usize) {
        let mut online = self.0.write();
        match u16::try_from(devices).unwrap_or(u16::MAX) {
            0 => online.remove(&user),
            devices => online.insert(user, devices),
        };
    }

    /// How many devices the user has.
    pub fn devices(&self, user: UserId) -> usize {
        self.0.read().get(&user).copied().map_or(0, usize::from)
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
        presence.set(UserId(1), 2);
        assert_eq!((presence.devices(UserId(1)), presence.devices(UserId(2)), presence.online()), (2, 0, 1));
        presence.set(UserId(1), 0);
        assert_eq!((presence.devices(UserId(1)), presence.online()), (0, 0));
    }
}
