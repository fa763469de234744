//! Every actor answers [`Observe`] with a snapshot of itself. The console, the command line and the tests read that,
//! never an actor's insides.

use actix::Message;
use serde_json::Value;
use tollgate_types::Mono;

/// What do you hold right now?
#[derive(Clone, Copy, Debug, Default, Message)]
#[rtype(result = "Value")]
pub struct Observe;

/// Until when do you need no [`Tick`](crate::sip_shard::Tick)? `None`: until something else happens. Asked where time is
/// moved by hand.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Option<Mono>")]
pub struct NextDeadline;
