//! SIP: wire, uri, digest, transactions, dialogs, bindings.

pub mod token;
pub mod wheel;
