//! Every actor answers [`Observe`] with a snapshot of itself. The console, the command line and the tests read that,
//! never an actor's insides.

use actix::Message;
use serde_json::Value;

/// What do you hold right now?
#[derive(Clone, Copy, Debug, Default, Message)]
#[rtype(result = "Value")]
pub struct Observe;
