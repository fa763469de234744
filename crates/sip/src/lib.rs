//! SIP: wire, uri, digest, transactions, dialogs, bindings.

pub mod header;
pub mod token;
pub mod uri;
pub mod wheel;
pub mod wire;
