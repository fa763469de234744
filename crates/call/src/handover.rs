//! A party and its money moving from one call of ours to another: attended transfer.

use tollgate_sip::header::Replaces;

use crate::leg::Leg;
use crate::paid::PaidLeg;

/// A dialog by its three names, as we see it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct DialogName {
    /// The Call-ID.
    pub call_id: Box<str>,
    /// Our tag.
    pub local_tag: Box<str>,
    /// The peer's tag.
    pub remote_tag: Box<str>,
}

impl DialogName {
    /// What a Replaces names. RFC 3891 §3: `to-tag` is the local tag of the one who receives it, and that is us.
    pub fn of(replaces: &Replaces<'_>) -> DialogName {
        DialogName {
            call_id: replaces.call_id.into(),
            local_tag: replaces.to_tag.into(),
            remote_tag: replaces.from_tag.into(),
        }
    }
}

/// What one call gives another: the party opposite to the transferor, and all that is being paid.
#[derive(Debug)]
pub struct Handover {
    /// The party that changes calls. Its dialog goes on; requests in it must now reach the other call.
    pub(crate) leg: Leg,
    /// Paid legs, each under the id of the call that began it.
    pub(crate) paid: Vec<PaidLeg>,
}

impl Handover {
    /// The Call-ID whose requests belong to the receiving call from now on.
    pub fn call_id(&self) -> &str {
        &self.leg.dialog.call_id
    }
}
