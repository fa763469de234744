//! Rows that share a key: nearly always one.

use tollgate_types::UserId;

/// A short list of users in sixteen bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Few {
    /// One.
    One(UserId),
    /// Several, or none at all.
    Many(Box<[UserId]>),
}

impl Few {
    /// All of them.
    pub fn as_slice(&self) -> &[UserId] {
        match self {
            Few::One(id) => std::slice::from_ref(id),
            Few::Many(list) => list,
        }
    }

    /// With `id` among them.
    pub fn with(&self, id: UserId) -> Few {
        if self.as_slice().contains(&id) {
            return self.clone();
        }
        Few::Many(self.as_slice().iter().copied().chain([id]).collect())
    }

    /// Without `id`; `None` if nobody is left.
    pub fn without(&self, id: UserId) -> Option<Few> {
        let rest: Vec<UserId> = self.as_slice().iter().copied().filter(|each| *each != id).collect();
        match rest[..] {
            [] => None,
            [one] => Some(Few::One(one)),
            _ => Some(Few::Many(rest.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_come_and_go() {
        let few = Few::One(UserId(1)).with(UserId(2)).with(UserId(1)).with(UserId(3));
        assert_eq!(few.as_slice(), [UserId(1), UserId(2), UserId(3)]);
        let one = few.without(UserId(1)).and_then(|few| few.without(UserId(3)));
        assert_eq!(one, Some(Few::One(UserId(2))));
        assert_eq!(one.and_then(|few| few.without(UserId(2))), None);
        assert_eq!(std::mem::size_of::<Few>(), 16);
    }
}
