//! Who is at a leg, where it can be reached, and what each side is told of the other.

use std::net::IpAddr;
use std::sync::Arc;

use tollgate_types::{AccountId, Flow, TrunkId, UserId};

/// Somebody known: a user's device, or a trunk.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub enum Party {
    /// A device of a user.
    User {
        /// Who.
        user: UserId,
        /// His account, which pays for what he starts, forwards or transfers.
        account: AccountId,
        /// His name, as CDRs show it.
        name: Box<str>,
    },
    /// A carrier or traffic sender.
    Trunk {
        /// Which.
        trunk: TrunkId,
        /// Who pays for what comes in by it; `None` for a carrier of DIDs.
        account: Option<AccountId>,
        /// Its name, as CDRs show it.
        name: Box<str>,
    },
}

impl Party {
    /// As CDRs show it.
    pub fn name(&self) -> &str {
        match self {
            Party::User { name, .. } | Party::Trunk { name, .. } => name,
        }
    }

    /// A carrier: trusted to name other hosts for media, never to redirect or transfer.
    pub fn is_trunk(&self) -> bool {
        matches!(self, Party::Trunk { .. })
    }

    /// The user, if it is one.
    pub fn user(&self) -> Option<UserId> {
        match self {
            Party::User { user, .. } => Some(*user),
            Party::Trunk { .. } => None,
        }
    }

    /// The account that pays for what it starts.
    pub fn account(&self) -> Option<AccountId> {
        match self {
            Party::User { account, .. } => Some(*account),
            Party::Trunk { account, .. } => *account,
        }
    }
}

/// Who sent the INVITE, as the gate has proven it.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Who.
    pub party: Party,
    /// The address it came from.
    pub source: IpAddr,
}

/// Where an outgoing leg leads.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub enum Target {
    /// All devices of a user.
    User {
        /// Whose.
        user: UserId,
        /// His account, for what his devices forward or transfer.
        account: AccountId,
        /// His name.
        name: Box<str>,
        /// For a PBX: the number dialled, to stand in the Request-URI instead of the contact's user part.
        number: Option<Box<str>>,
    },
    /// A carrier.
    Trunk {
        /// Which.
        trunk: TrunkId,
        /// Its name.
        name: Box<str>,
        /// The user part of the Request-URI: the number in the trunk's own format.
        number: Box<str>,
    },
}

impl Target {
    /// Who answers there.
    pub fn party(&self) -> Party {
        match self {
            Target::User { user, account, name, .. } => {
                Party::User { user: *user, account: *account, name: name.clone() }
            }
            Target::Trunk { trunk, name, .. } => Party::Trunk { trunk: *trunk, account: None, name: name.clone() },
        }
    }

    /// Is it a carrier?
    pub fn is_trunk(&self) -> bool {
        matches!(self, Target::Trunk { .. })
    }
}

/// One place where a target can be reached: a binding's flow, or one resolved address of a trunk.
#[derive(Clone, Debug)]
pub struct Place {
    /// The Request-URI. A user's registered contact; `sip:number@host` for a trunk.
    pub uri: Box<str>,
    /// What the request goes out by.
    pub flow: Flow,
    /// Route headers: the Path of a binding, an outbound proxy.
    pub routes: Box<[Box<str>]>,
    /// How we log in where we are challenged; trunks only.
    pub login: Option<Arc<Login>>,
}

/// Our credentials with one trunk. They answer challenges of its realm on its own addresses, no others.
#[derive(Clone)]
pub struct Login {
    /// The name we log in with.
    pub username: Box<str>,
    /// The secret.
    pub secret: Box<str>,
    /// The realms it may challenge with; empty takes any, from the trunk's own addresses alone.
    pub realms: Box<[Box<str>]>,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Login({})", self.username)
    }
}

/// What one side is told of who calls. Made by the dial plan in the receiver's own format; a user name never reaches a carrier.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The user part of From; `anonymous` when withheld.
    pub user: Box<str>,
    /// The display name; empty for none.
    pub display: Box<str>,
    /// The user part of P-Asserted-Identity; `None` when none is sent.
    pub asserted: Option<Box<str>>,
    /// Say `Privacy: id`, and an anonymous From (RFC 3323, RFC 3325).
    pub withheld: bool,
}

/// What the caller said of itself. A claim: only the dial plan decides what becomes of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claim {
    /// The user part of From.
    pub user: Box<str>,
    /// The display name of From.
    pub display: Box<str>,
    /// The user part of P-Asserted-Identity, else of Remote-Party-ID: believed from trusted trunks only.
    pub asserted: Option<Box<str>>,
    /// Asked not to be shown, by Privacy or an anonymous From.
    pub withheld: bool,
}
