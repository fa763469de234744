//! SIP: wire, uri, digest, transactions, dialogs, bindings.

pub mod binding;
pub mod dialog;
pub mod digest;
pub mod header;
pub mod locate;
pub mod session_timer;
pub mod token;
pub mod trace;
pub mod transaction;
pub mod uri;
pub mod vocabulary;
pub mod wheel;
pub mod wire;
