//! What the whole platform, and each tenant on it, may do.

use crate::row::Row;

/// All rows of this file.
pub static ROWS: &[&Row] = &[&CALLS, &PACE, &USERS, &TENANT_CALLS, &TENANT_PACE, &TENANT_USERS];

/// Beside what the machine can carry.
pub static CALLS: Row = Row::integer("platform.calls_max", 0, 0, 1_000_000, "calls")
    .off_by_default()
    .help("Calls at a time on one node, ringing ones included; one more is answered 503");

/// Each node's own.
pub static PACE: Row = Row::integer("platform.calls_per_second", 0, 0, 100_000, "calls a second")
    .off_by_default()
    .help("New calls a second on one node; one more is answered 503");

/// Rows of users, whatever they are.
pub static USERS: Row = Row::integer("platform.users_max", 0, 0, 100_000_000, "users")
    .off_by_default()
    .help("Users of the platform; one more is refused to whoever adds him");

/// Of the tree below a reseller at the top, himself included.
pub static TENANT_CALLS: Row = Row::integer("tenant.calls_max", 0, 0, 1_000_000, "calls")
    .off_by_default()
    .help("Calls at a time of one tenant on all nodes, ringing ones included; one more is answered 503");

/// Each node's own.
pub static TENANT_PACE: Row = Row::integer("tenant.calls_per_second", 0, 0, 100_000, "calls a second")
    .off_by_default()
    .help("New calls a second of one tenant on one node; one more is answered 503");

/// A tenant is a reseller at the top and all below him.
pub static TENANT_USERS: Row = Row::integer("tenant.users_max", 0, 0, 100_000_000, "users")
    .off_by_default()
    .help("Users of one tenant, the reseller included; one more is refused to whoever adds him");
