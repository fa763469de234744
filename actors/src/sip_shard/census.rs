//! Whose registrations live on this shard, for operators: they ask each for itself.

use actix::prelude::*;
use tollgate_types::UserId;

use super::SipShard;
use crate::registration::Registration;

/// All registrations that live here.
#[derive(Message)]
#[rtype(result = "Vec<Addr<Registration>>")]
pub struct LiveRegistrations {
    /// This user's alone.
    pub only: Option<UserId>,
}

impl Handler<LiveRegistrations> for SipShard {
    type Result = MessageResult<LiveRegistrations>;
    fn handle(&mut self, which: LiveRegistrations, _: &mut Context<Self>) -> Self::Result {
        MessageResult(match which.only {
            None => self.roster.all_registrations().cloned().collect(),
            Some(user) => self.roster.registration(user).cloned().into_iter().collect(),
        })
    }
}
