//! SIP: wire, uri, digest, transactions, dialogs, bindings.
