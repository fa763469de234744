//! The host names of ingress trunks: looked up off the SIP threads, again and again, so that a trunk is known by the addresses
//! that its name has today.
//!
//! What was found is laid into the directory, whoever made that; a directory read anew gets it as well.

use std::sync::Arc;

use parking_lot::Mutex;
use tollgate_routing::Directory;
use tollgate_routing::directory::Change;
use tollgate_routing::trunk::{Finding, HostBook, Ingress, News};

use crate::alerter::{Raise, Severity};
use crate::premises::Premises;

/// See the module.
#[derive(Debug, Default)]
pub struct TrunkHosts(Mutex<HostBook>);

impl TrunkHosts {
    /// `directory` with what is known of its trunks' names; `None` when it knows all that.
    pub fn lay_into(&self, directory: &Directory) -> Option<Directory> {
        let book = self.0.lock();
        let changed = |trunk: &Arc<Ingress>| {
            let resolved = book.addresses(&trunk.hosts);
            (trunk.resolved != resolved).then(|| Change::Ingress(Ingress { resolved, ..Ingress::clone(trunk) }))
        };
        let changes: Vec<Change> = directory.ingresses().iter().filter_map(changed).collect();
        (!changes.is_empty()).then(|| directory.with(changes))
    }

    /// `directory` is the house's from now on; returns the one before.
    pub fn move_in(&self, directory: Directory, house: &Premises) -> Arc<Directory> {
        let directory = self.lay_into(&directory).unwrap_or(directory);
        let before = house.directory.swap(Arc::new(directory));
        // What was found meanwhile was laid into the one that goes.
        self.update(house);
        before
    }

    /// Lays what is known into the house's directory.
    fn update(&self, house: &Premises) {
        let before = house.directory.rcu(|directory| match self.lay_into(directory) {
            Some(changed) => Arc::new(changed),
            None => directory.clone(),
        });
        let now = house.directory.load_full();
        if !Arc::ptr_eq(&before, &now) {
            house.gate.learn(&now);
        }
    }

    /// The same aside, where there are names at all: one dead name server keeps nobody waiting.
    pub fn look_aside(house: &Arc<Premises>) {
        if house.directory.load().ingresses().iter().any(|trunk| !trunk.hosts.is_empty()) {
            let there = house.clone();
            house.resolver.spawn(async move { TrunkHosts::look(&there).await });
        }
    }

    /// Looks up what is due; returns when all of it is answered, or given up.
    pub async fn look(house: &Arc<Premises>) {
        let due = {
            let directory = house.directory.load();
            let trunks = directory.ingresses().iter().filter(|trunk| trunk.enabled);
            let names = trunks.flat_map(|trunk| trunk.hosts.iter().map(|host| &**host));
            house.trunk_hosts.0.lock().due(names, house.tuned.load().dns_max_age, house.clock.mono())
        };
        let searches = due.into_iter().map(|name| {
            let house = house.clone();
            async move {
                let finding = house.resolver.addresses(&name).await;
                house.trunk_hosts.found(&name, finding, &house);
            }
        });
        futures_util::future::join_all(searches).await;
    }

    fn found(&self, name: &str, finding: Finding, house: &Premises) {
        let news = self.0.lock().found(name, finding, house.clock.mono());
        self.update(house);
        let (severity, text) = match news {
            Some(News::Lost) => {
                (Severity::Warning, "the name of an ingress trunk is not found; the addresses it had last are its own")
            }
            Some(News::Back) => (Severity::Notice, "the name of an ingress trunk is found again"),
            None => return,
        };
        let subject = name.to_owned();
        let _ = house.alerter.try_send(Raise { kind: "trunk_host", severity, subject, text: text.into() });
    }
}
