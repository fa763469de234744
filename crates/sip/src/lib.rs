//! SIP: wire, uri, digest, transactions, dialogs, bindings.

pub mod dialog;
pub mod header;
pub mod token;
pub mod transaction;
pub mod uri;
pub mod wheel;
pub mod wire;
