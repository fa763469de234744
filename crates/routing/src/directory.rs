//! What the call path knows: users, accounts, trunks, numbers, routes and domains, as one snapshot.
//!
//! A clone shares everything; a change copies what it touches. Readers keep the snapshot they took.

use std::sync::Arc;

use ahash::RandomState;
use tollgate_types::{AccountId, DidId, E164, Seed, TrunkId, UserId};

use crate::account::Account;
use crate::country::Country;
use crate::did::{Did, DidNumbers, Ranges};
use crate::domains::Domains;
use crate::few::Few;
use crate::route::{Route, Routes};
use crate::shards::Shards;
use crate::trunk::{Egress, Ingress, Ingresses};
use crate::user::User;

/// The snapshot.
#[derive(Clone, Debug)]
pub struct Directory {
    seed: Seed,
    version: u64,
    users: Shards<UserId, Arc<User>>,
    // Texts and numbers are found by their hash, and compared with the row: a key of eight bytes instead of a copy.
    hasher: RandomState,
    by_name: Shards<u64, Few>,
    by_extension: Shards<u64, Few>,
    by_number: Shards<u64, Few>,
    accounts: Shards<AccountId, Arc<Account>>,
    dids: Shards<DidId, Arc<Did>>,
    did_numbers: Shards<E164, DidId>,
    did_ranges: Arc<Ranges>,
    ingresses: Arc<Ingresses>,
    egresses: Shards<TrunkId, Arc<Egress>>,
    routes: Arc<Routes>,
    domains: Arc<Domains>,
    country: Option<Country>,
}

/// One thing that changed, as the store reads it after a write.
#[derive(Clone, Debug)]
pub enum Change {
    /// A user is new or different.
    User(User),
    /// A user is gone.
    UserGone(UserId),
    /// An account is new or different.
    Account(Account),
    /// An account is gone.
    AccountGone(AccountId),
    /// A number or range is new or different.
    Did(Did),
    /// A number or range is gone.
    DidGone(DidId),
    /// An incoming trunk is new or different.
    Ingress(Ingress),
    /// An outgoing trunk is new or different.
    Egress(Egress),
    /// A trunk is gone, whichever way it went.
    TrunkGone(TrunkId),
    /// The whole routing table.
    Routes(Vec<Route>),
}

impl Directory {
    /// Nobody yet. `country` completes the numbers of users without one of their own.
    pub fn new(seed: Seed, domains: Domains, country: Option<Country>) -> Directory {
        Directory {
            seed,
            version: 0,
            users: Shards::new(seed),
            hasher: seed.child(2).hasher(),
            by_name: Shards::new(seed),
            by_extension: Shards::new(seed),
            by_number: Shards::new(seed),
            accounts: Shards::new(seed),
            dids: Shards::new(seed),
            did_numbers: Shards::new(seed),
            did_ranges: Arc::default(),
            ingresses: Arc::new(Ingresses::new([], seed)),
            egresses: Shards::new(seed),
            routes: Arc::new(Routes::new([], seed)),
            domains: Arc::new(domains),
            country,
        }
    }

    /// The snapshot after `changes`, in their order.
    pub fn with(&self, changes: impl IntoIterator<Item = Change>) -> Directory {
        let mut next = self.clone();
        next.version += 1;
        let mut ingresses: Option<Vec<Arc<Ingress>>> = None;
        let mut ranges_changed = false;
        for change in changes {
            match change {
                Change::User(user) => next.put_user(user),
                Change::UserGone(id) => next.drop_user(id),
                Change::Account(account) => drop(next.accounts.insert(account.id, Arc::new(account))),
                Change::AccountGone(id) => drop(next.accounts.remove(&id)),
                Change::Did(did) => ranges_changed |= next.put_did(did),
                Change::DidGone(id) => ranges_changed |= next.drop_did(id),
                Change::Ingress(trunk) => {
                    let list = ingresses.get_or_insert_with(|| next.ingresses.iter().cloned().collect());
                    list.retain(|old| old.id != trunk.id);
                    list.push(Arc::new(trunk));
                }
                Change::Egress(trunk) => drop(next.egresses.insert(trunk.id, Arc::new(trunk))),
                Change::TrunkGone(id) => {
                    next.egresses.remove(&id);
                    if next.ingresses.get(id).is_some() || ingresses.is_some() {
                        let list = ingresses.get_or_insert_with(|| next.ingresses.iter().cloned().collect());
                        list.retain(|old| old.id != id);
                    }
                }
                Change::Routes(routes) => next.routes = Arc::new(Routes::new(routes, self.seed)),
            }
        }
        if let Some(list) = ingresses {
            next.ingresses = Arc::new(Ingresses::new(list, self.seed));
        }
        if ranges_changed {
            next.index_ranges();
        }
        next
    }

    /// Grows with every change.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// By row.
    pub fn user(&self, id: UserId) -> Option<&Arc<User>> {
        self.users.get(&id)
    }

    /// By name in a hosted domain; `None` stands for the platform's own, or wherever the name is the only one of its kind.
    /// Case means nothing in names.
    pub fn user_named(&self, name: &str, domain: Option<&str>) -> Option<&Arc<User>> {
        let found = self.by_name.get(&self.text_key(name))?;
        let mut users = self.rows(found).filter(|user| same(&user.name, name));
        let at_home = |user: &&Arc<User>| match (user.domain.as_deref(), domain) {
            (None, None) => true,
            (None, Some(asked)) => asked.eq_ignore_ascii_case(self.domains.realm()),
            (Some(own), Some(asked)) => asked.eq_ignore_ascii_case(own),
            (Some(_), None) => false,
        };
        match users.clone().find(at_home) {
            Some(user) => Some(user),
            // A phone may write our address or another hosted domain where it means the only one of that name.
            None => users.next().filter(|_| users.next().is_none()),
        }
    }

    /// The user with this extension inside `tenant`.
    pub fn extension(&self, tenant: Option<UserId>, extension: &str) -> Option<&Arc<User>> {
        let found = self.by_extension.get(&self.text_key(extension))?;
        let has = |user: &&Arc<User>| user.extension.as_deref().is_some_and(|own| same(own, extension));
        self.rows(found).filter(has).find(|user| user.tenant == tenant)
    }

    /// The user whose own number this is; the oldest row where several claim it.
    pub fn user_with_number(&self, number: &E164) -> Option<&Arc<User>> {
        let found = self.by_number.get(&self.hasher.hash_one(number))?;
        self.rows(found).filter(|user| user.owns(number)).min_by_key(|user| user.id)
    }

    /// All users whom this account pays for. Looks at every user: not for the call path.
    pub fn users_of(&self, account: AccountId) -> impl Iterator<Item = &Arc<User>> {
        self.users.values().filter(move |user| user.account == account)
    }

    /// All users, in no order.
    pub fn users(&self) -> impl Iterator<Item = &Arc<User>> {
        self.users.values()
    }

    /// How many users there are.
    pub fn user_count(&self) -> usize {
        self.users.len()
    }

    /// By row.
    pub fn account(&self, id: AccountId) -> Option<&Arc<Account>> {
        self.accounts.get(&id)
    }

    /// The account and those above it, at most ten levels: each is held and charged.
    pub fn chain(&self, id: AccountId) -> impl Iterator<Item = &Arc<Account>> {
        const LEVELS: usize = 10;
        let parent = |account: &&Arc<Account>| account.terms.parent.and_then(|parent| self.account(parent));
        std::iter::successors(self.account(id), parent).take(LEVELS)
    }

    /// The number or range that `number` belongs to; a single number wins over a range, a narrow range over a wide one.
    pub fn did(&self, number: &E164) -> Option<&Arc<Did>> {
        if let Some(did) = self.did_numbers.get(number).and_then(|id| self.dids.get(id)) {
            return Some(did);
        }
        self.did_ranges.find(number)
    }

    /// The incoming trunks.
    pub fn ingresses(&self) -> &Ingresses {
        &self.ingresses
    }

    /// An incoming trunk by row.
    pub fn ingress(&self, id: TrunkId) -> Option<&Arc<Ingress>> {
        self.ingresses.get(id)
    }

    /// An outgoing trunk by row.
    pub fn egress(&self, id: TrunkId) -> Option<&Arc<Egress>> {
        self.egresses.get(&id)
    }

    /// All outgoing trunks, in no order.
    pub fn egresses(&self) -> impl Iterator<Item = &Arc<Egress>> {
        self.egresses.values()
    }

    /// The routing table.
    pub fn routes(&self) -> &Routes {
        &self.routes
    }

    /// Which domains are ours.
    pub fn domains(&self) -> &Domains {
        &self.domains
    }

    /// Completes the numbers of `user`.
    pub fn country_of(&self, user: &User) -> Option<Country> {
        user.country.or(self.country)
    }

    /// The platform's country.
    pub fn country(&self) -> Option<Country> {
        self.country
    }

    fn put_user(&mut self, user: User) {
        self.drop_user(user.id);
        let (id, user) = (user.id, Arc::new(user));
        let key = self.text_key(&user.name);
        add(&mut self.by_name, key, id);
        if let Some(extension) = &user.extension {
            let key = self.text_key(extension);
            add(&mut self.by_extension, key, id);
        }
        for number in user.caller_id.iter().chain(&user.numbers) {
            add(&mut self.by_number, self.hasher.hash_one(number), id);
        }
        self.users.insert(id, user);
    }

    fn drop_user(&mut self, id: UserId) {
        let Some(user) = self.users.remove(&id) else { return };
        let key = self.text_key(&user.name);
        take(&mut self.by_name, key, id);
        if let Some(extension) = &user.extension {
            let key = self.text_key(extension);
            take(&mut self.by_extension, key, id);
        }
        for number in user.caller_id.iter().chain(&user.numbers) {
            take(&mut self.by_number, self.hasher.hash_one(number), id);
        }
    }

    fn rows<'a>(&'a self, found: &'a Few) -> impl Iterator<Item = &'a Arc<User>> + Clone {
        found.as_slice().iter().filter_map(|id| self.users.get(id))
    }

    /// The same for all spellings of a name, without an allocation where it has no capital.
    fn text_key(&self, text: &str) -> u64 {
        if text.bytes().any(|byte| byte.is_ascii_uppercase() || !byte.is_ascii()) {
            self.hasher.hash_one(text.to_lowercase().as_str())
        } else {
            self.hasher.hash_one(text)
        }
    }

    /// Says whether ranges are affected.
    fn put_did(&mut self, did: Did) -> bool {
        let was_range = self.drop_did(did.id);
        let did = Arc::new(did);
        if let (DidNumbers::One(number), true) = (did.numbers, did.enabled) {
            self.did_numbers.insert(number, did.id);
        }
        let is_range = matches!(did.numbers, DidNumbers::Range(..));
        self.dids.insert(did.id, did);
        was_range || is_range
    }

    fn drop_did(&mut self, id: DidId) -> bool {
        let Some(did) = self.dids.remove(&id) else { return false };
        match did.numbers {
            DidNumbers::One(number) => {
                if self.did_numbers.get(&number) == Some(&id) {
                    self.did_numbers.remove(&number);
                }
                false
            }
            DidNumbers::Range(..) => true,
        }
    }

    fn index_ranges(&mut self) {
        self.did_ranges = Arc::new(Ranges::new(self.dids.values()));
    }
}

/// Names that differ in case alone are one.
fn same(left: &str, right: &str) -> bool {
    if left.is_ascii() && right.is_ascii() {
        left.eq_ignore_ascii_case(right)
    } else {
        left.to_lowercase() == right.to_lowercase()
    }
}

fn add(index: &mut Shards<u64, Few>, key: u64, id: UserId) {
    let few = index.get(&key).map_or(Few::One(id), |few| few.with(id));
    index.insert(key, few);
}

fn take(index: &mut Shards<u64, Few>, key: u64, id: UserId) {
    match index.get(&key).map(|few| few.without(id)) {
        Some(Some(rest)) => drop(index.insert(key, rest)),
        Some(None) => drop(index.remove(&key)),
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tollgate_billing::account::AccountTerms;

    use super::*;

    fn empty() -> Directory {
        let seed = Seed([3; 4]);
        Directory::new(seed, Domains::new("voip.test", ["acme.test"], seed), None)
    }

    fn number(text: &str) -> E164 {
        text.parse().unwrap()
    }

    #[test]
    fn a_changed_user_is_found_by_his_new_names_alone() {
        let mut user = User::new(UserId(1), "alice", AccountId(1));
        user.extension = Some("101".into());
        user.numbers = [number("361")].into();
        let before = empty().with([Change::User(user.clone())]);
        user.name = "Alicia".into();
        user.extension = None;
        user.numbers = [number("362")].into();
        user.account = AccountId(2);
        let after = before.with([Change::User(user)]);
        assert!(before.user_named("ALICE", None).is_some() && before.extension(None, "101").is_some());
        assert!(after.user_named("alice", None).is_none() && after.extension(None, "101").is_none());
        assert_eq!(after.user_named("alicia", Some("voip.test")).unwrap().id, UserId(1));
        assert!(after.user_with_number(&number("361")).is_none() && after.user_with_number(&number("362")).is_some());
        assert_eq!((after.users_of(AccountId(1)).count(), after.users_of(AccountId(2)).count()), (0, 1));
        let gone = after.with([Change::UserGone(UserId(1))]);
        assert_eq!((gone.user_count(), after.user_count()), (0, 1));
        assert!(gone.user_named("alicia", None).is_none() && gone.version() == 3);
    }

    #[test]
    fn single_numbers_win_over_ranges_and_narrow_over_wide() {
        let did = |id, numbers, enabled| {
            Change::Did(Did {
                id: DidId(id),
                numbers,
                user: UserId(id),
                inbound_deck: None,
                uri: Default::default(),
                enabled,
            })
        };
        let range = |first, last| DidNumbers::range(number(first), number(last)).unwrap();
        let all = empty().with([
            did(1, range("3610000", "3619999"), true),
            did(2, range("3612000", "3612999"), true),
            did(3, DidNumbers::One(number("3612345")), true),
            did(4, DidNumbers::One(number("3612346")), false),
        ]);
        for (digits, row) in [
            ("3612345", 3),
            ("3612346", 2),
            ("3612000", 2),
            ("3619999", 1),
            ("361999", 0),
            ("36199990", 0),
            ("3620000", 0),
        ] {
            assert_eq!(all.did(&number(digits)).map_or(0, |did| did.id.0), row, "{digits}");
        }
        let moved = all.with([Change::DidGone(DidId(3)), did(2, DidNumbers::One(number("449")), true)]);
        assert_eq!(moved.did(&number("3612345")).unwrap().id, DidId(1));
        assert_eq!(moved.did(&number("449")).unwrap().id, DidId(2));
        assert!(DidNumbers::range(number("99"), number("100")).is_none());
    }

    #[test]
    fn a_chain_ends_even_where_rows_go_round() {
        let account = |id, parent| {
            let terms = AccountTerms { parent: Some(AccountId(parent)), ..AccountTerms::default() };
            Change::Account(Account {
                id: AccountId(id),
                name: "a".into(),
                owner: None,
                terms: Arc::new(terms),
                deck: None,
                local_only: false,
                main_number: None,
                sell_max: None,
                early_media: None,
            })
        };
        let all = empty().with([account(1, 2), account(2, 3), account(7, 7)]);
        assert_eq!(all.chain(AccountId(1)).count(), 2);
        assert_eq!(all.chain(AccountId(7)).count(), 10);
        assert_eq!(all.chain(AccountId(9)).count(), 0);
    }

    #[test]
    fn trunks_come_and_go() {
        let ingress = Ingress::new(TrunkId(1), "in", crate::AuthMode::Open);
        let egress = Egress::new(TrunkId(2), "out", "carrier.example".parse().unwrap());
        let all = empty().with([Change::Ingress(ingress), Change::Egress(egress)]);
        assert!(all.ingress(TrunkId(1)).is_some() && all.egress(TrunkId(2)).is_some());
        let none = all.with([Change::TrunkGone(TrunkId(1)), Change::TrunkGone(TrunkId(2))]);
        assert!(none.ingress(TrunkId(1)).is_none() && none.egresses().count() == 0);
    }

    proptest! {
        /// Whatever order changes come in, looking up by any index tells the same as asking every user.
        #[test]
        fn indexes_agree_with_the_rows(steps in prop::collection::vec((1i64..6, 0u8..4, 0u8..4, any::<bool>()), 0..40)) {
            let mut all = empty();
            for (id, name, extension, gone) in steps {
                let mut user = User::new(UserId(id), &format!("User{name}"), AccountId(i64::from(extension)));
                user.extension = Some(extension.to_string().into());
                all = all.with([if gone { Change::UserGone(UserId(id)) } else { Change::User(user) }]);
            }
            for key in 0u8..4 {
                let rows = all.users().filter(|user| *user.name == format!("User{key}")).count();
                prop_assert_eq!(all.user_named(&format!("user{key}"), None).is_some(), rows > 0);
                let rows = all.users().filter(|user| user.extension.as_deref() == Some(&key.to_string())).count();
                prop_assert_eq!(all.extension(None, &key.to_string()).is_some(), rows > 0);
                prop_assert_eq!(all.users_of(AccountId(i64::from(key))).count(), rows);
            }
        }
    }
}
