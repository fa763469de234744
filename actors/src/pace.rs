//! How many calls began within this second, here and by each tenant. The raters count, admission judges.

use parking_lot::Mutex;
use tollgate_billing::cdr::CallKind;
use tollgate_call::PlanAsk;
use tollgate_call::admission::Load;
use tollgate_types::{Map, Mono, Seed, UserId};

use crate::premises::Premises;

/// See the module. Tenants that began nothing this second take no room.
pub struct Pace(Mutex<Second>);

struct Second {
    at: u64,
    all: u64,
    tenants: Map<UserId, u64>,
}

impl Pace {
    /// Nothing yet.
    pub fn new(seed: Seed) -> Pace {
        Pace(Mutex::new(Second { at: 0, all: 0, tenants: seed.map() }))
    }

    /// Counts a new call, and tells how busy the node is with it. Redirects and transfers add nothing.
    pub fn begins(&self, house: &Premises, ask: &PlanAsk, now: Mono) -> Load {
        let tenant = tenant(house, ask);
        let mut second = self.0.lock();
        second.turn(now);
        if ask.kind == CallKind::Internal {
            second.all += 1;
            if let Some(tenant) = tenant {
                *second.tenants.entry(tenant).or_insert(0) += 1;
            }
        }
        second.load(house, tenant)
    }

    /// How busy the node would be with one more call.
    pub fn would_be(&self, house: &Premises, ask: &PlanAsk, now: Mono) -> Load {
        let tenant = tenant(house, ask);
        let mut second = self.0.lock();
        second.turn(now);
        let Load { calls, begun, begun_by_tenant } = second.load(house, tenant);
        Load { calls: calls + 1, begun: begun + 1, begun_by_tenant: begun_by_tenant + 1 }
    }
}

impl Second {
    fn turn(&mut self, now: Mono) {
        let at = now.micros() / 1_000_000;
        if at != self.at {
            (self.at, self.all) = (at, 0);
            self.tenants.clear();
        }
    }

    fn load(&self, house: &Premises, tenant: Option<UserId>) -> Load {
        let begun_by_tenant = tenant.and_then(|tenant| self.tenants.get(&tenant)).copied().unwrap_or(0);
        Load { calls: house.load.calls(), begun: self.all, begun_by_tenant }
    }
}

/// The reseller at the top of the payer's tree.
fn tenant(house: &Premises, ask: &PlanAsk) -> Option<UserId> {
    let directory = house.directory.load();
    let payer = match ask.payer.user() {
        Some(user) => Some(user),
        None => directory.account(ask.payer.account()?)?.owner,
    };
    directory.user(payer?)?.tenant
}
