//! What a verdict is made from: today's snapshots, handed in.

use std::sync::Arc;

use tollgate_billing::calendar::Zone;
use tollgate_billing::currency::RateTable;
use tollgate_billing::deck::DeckVersion;
use tollgate_guard::caller::{CallerBan, Subject};
use tollgate_guard::fraud;
use tollgate_routing::directory::Directory;
use tollgate_routing::emergency::Emergencies;
use tollgate_routing::lcr::Health;
use tollgate_settings::Values;
use tollgate_types::{AccountId, Currency, DeckId, Mono, TrunkId, UserId, Wall};

/// Everything that admission looks at. Borrowed snapshots: the same facts give the same verdict.
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    /// Users, accounts, trunks, numbers and routes.
    pub directory: &'a Directory,
    /// The settings.
    pub values: &'a Values,
    /// Which numbers save lives.
    pub emergencies: &'a Emergencies,
    /// The live version of a deck.
    pub deck: &'a dyn Fn(DeckId) -> Option<Arc<DeckVersion>>,
    /// Exchange rates.
    pub rates: &'a RateTable,
    /// The platform's currency.
    pub currency: Currency,
    /// Peak hours by the platform's calendar?
    pub peak: bool,
    /// Is it off-peak now where an account lives?
    pub offpeak: &'a dyn Fn(Zone) -> bool,
    /// How busy the platform is with this call.
    pub load: Load,
    /// How carriers are.
    pub health: &'a dyn Fn(TrunkId) -> Health,
    /// How many devices a user has registered, where that is known; a call finds out when it locates them.
    pub devices: &'a dyn Fn(UserId) -> Option<usize>,
    /// Whether a caller or an address is banned for how its calls went.
    pub caller_ban: &'a dyn Fn(&Subject) -> Option<Arc<CallerBan>>,
    /// What an account's attempt comes to with those before it.
    pub fraud: &'a dyn Fn(AccountId, &fraud::Attempt) -> fraud::Standing,
    /// Random for each call: shares calls among carriers by weight.
    pub draw: u64,
    /// Now.
    pub now: Mono,
    /// Now, by the calendar.
    pub wall: Wall,
}

/// What this node has to do, the call that is asked about included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Calls that live here.
    pub calls: u64,
    /// New calls within this second.
    pub begun: u64,
    /// The same of the caller's tenant.
    pub begun_by_tenant: u64,
}
