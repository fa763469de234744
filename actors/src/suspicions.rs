//! What is suspected of accounts and callers: admission reads it and puts its attempts in, the Watcher the rest. Nobody waits for
//! anybody: a profile is replaced whole, by whoever was first.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tollgate_guard::caller::{CallerBan, Subject};
use tollgate_guard::fraud::{Attempt, Policy, Profile, Standing, Step};
use tollgate_types::{AccountId, CallId, Map, Seed, Wall};

/// Accounts fall into so many parts; a birth copies one of them.
const PARTS: usize = 1024;
/// Accounts remembered in each part: some 200,000 in all. One more makes the idlest of its part go, blocked ones last.
const PART_MAX: usize = 200;
/// Callers banned at most; the one that ends first makes room.
const BANS_MAX: usize = 10_000;

type Part = Map<AccountId, Arc<ArcSwap<Profile>>>;

/// See the module.
pub struct Suspicions {
    parts: Box<[ArcSwap<Part>]>,
    bans: ArcSwap<Map<Subject, Arc<CallerBan>>>,
    part_max: usize,
    seed: Seed,
}

impl Suspicions {
    /// Nobody is suspected.
    pub fn new(seed: Seed) -> Suspicions {
        Suspicions::with(PARTS, PART_MAX, seed)
    }

    fn with(parts: usize, part_max: usize, seed: Seed) -> Suspicions {
        let parts = (0..parts).map(|_| ArcSwap::from_pointee(seed.map())).collect();
        Suspicions { parts, bans: ArcSwap::from_pointee(seed.map()), part_max, seed }
    }

    /// What an attempt of `account` comes to.
    pub fn standing(&self, account: AccountId, attempt: &Attempt, policy: &Policy, now: Wall) -> Standing {
        match self.part(account).load().get(&account) {
            Some(profile) => profile.load().standing(attempt, policy, now),
            None => Profile::default().standing(attempt, policy, now),
        }
    }

    /// The ban of a caller at `now`.
    pub fn ban(&self, subject: &Subject, now: Wall) -> Option<Arc<CallerBan>> {
        self.bans.load().get(subject).filter(|ban| now < ban.until).cloned()
    }

    /// All bans in force at `now`.
    pub fn bans(&self, now: Wall) -> Vec<(Subject, Arc<CallerBan>)> {
        let bans = self.bans.load();
        bans.iter().filter(|(_, ban)| now < ban.until).map(|(subject, ban)| (subject.clone(), ban.clone())).collect()
    }

    /// What is known of an account.
    pub fn profile(&self, account: AccountId) -> Option<Arc<Profile>> {
        Some(self.part(account).load().get(&account)?.load_full())
    }

    /// Accounts that are known.
    pub fn accounts(&self) -> usize {
        self.parts.iter().map(|part| part.load().len()).sum()
    }

    /// Judges an attempt and remembers it, in one step: of calls that begin together each sees those before it, on whatever shard.
    pub fn attempt(
        &self,
        account: AccountId,
        call: CallId,
        attempt: &Attempt,
        policy: &Policy,
        now: Wall,
    ) -> (Standing, Step) {
        self.change(account, |profile| {
            let standing = profile.standing(attempt, policy, now);
            (standing, profile.begin(call, attempt, policy, now))
        })
    }

    /// Changes what is known of an account, which is born if it is not known.
    pub(crate) fn change<T>(&self, account: AccountId, change: impl FnMut(&mut Profile) -> T) -> T {
        let known = self.part(account).load().get(&account).cloned();
        replace(&known.unwrap_or_else(|| self.birth(account)), change)
    }

    /// The same of an account that is known; what is not known stays so.
    pub(crate) fn change_known<T>(&self, account: AccountId, change: impl FnMut(&mut Profile) -> T) -> Option<T> {
        let known = self.part(account).load().get(&account).cloned()?;
        Some(replace(&known, change))
    }

    /// Forgets what is too old in one part of the accounts; says which of them changed for a store.
    pub(crate) fn sweep(&self, turn: usize, now: Wall) -> Vec<AccountId> {
        let part = &self.parts[turn % self.parts.len()];
        let (mut changed, mut empty) = (Vec::new(), Vec::new());
        for (account, profile) in part.load().iter() {
            if profile.load().is_stale(now) {
                if replace(profile, |profile| profile.sweep(now)) {
                    changed.push(*account);
                }
                if profile.load().is_empty() {
                    empty.push(*account);
                }
            }
        }
        if !empty.is_empty() {
            part.rcu(|part| {
                let mut fewer = Part::clone(part);
                fewer.retain(|account, profile| !(empty.contains(account) && profile.load().is_empty()));
                fewer
            });
        }
        changed
    }

    /// Bans a caller, or takes the ban away.
    pub(crate) fn set_ban(&self, subject: Subject, ban: Option<CallerBan>, now: Wall) {
        let mut bans = Map::clone(&self.bans.load());
        bans.retain(|_, ban| now < ban.until);
        match ban {
            Some(ban) => {
                if bans.len() >= BANS_MAX
                    && let Some(first) =
                        bans.iter().min_by_key(|(_, ban)| ban.until).map(|(subject, _)| subject.clone())
                {
                    bans.remove(&first);
                }
                bans.insert(subject, Arc::new(ban));
            }
            None => {
                bans.remove(&subject);
            }
        }
        self.bans.store(Arc::new(bans));
    }

    fn birth(&self, account: AccountId) -> Arc<ArcSwap<Profile>> {
        let born = Arc::new(ArcSwap::from_pointee(Profile::default()));
        let part = self.part(account);
        part.rcu(|part| {
            let mut more = Part::clone(part);
            if more.len() >= self.part_max && !more.contains_key(&account) {
                let idlest = more.iter().min_by_key(|(_, known)| {
                    let known = known.load();
                    (known.block.is_some(), known.last_at())
                });
                if let Some(idlest) = idlest.map(|(account, _)| *account) {
                    more.remove(&idlest);
                }
            }
            more.entry(account).or_insert_with(|| born.clone());
            more
        });
        part.load().get(&account).cloned().unwrap_or(born)
    }

    fn part(&self, account: AccountId) -> &ArcSwap<Part> {
        let hash = self.seed.hasher().hash_one(account);
        &self.parts[(hash % self.parts.len() as u64) as usize]
    }
}

/// Puts a changed copy in the place of what is there; tried again when somebody else was faster.
fn replace<T>(place: &ArcSwap<Profile>, mut change: impl FnMut(&mut Profile) -> T) -> T {
    loop {
        let before = place.load_full();
        let mut after = Profile::clone(&before);
        let result = change(&mut after);
        if Arc::ptr_eq(&place.compare_and_swap(&before, Arc::new(after)), &before) {
            return result;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tollgate_types::Rate;

    use super::*;

    const NOW: Wall = Wall::from_secs(1_800_000_000);

    fn attempt(number: u64) -> Attempt {
        Attempt {
            callee: number.to_string().parse().unwrap(),
            home: false,
            price: Rate::ZERO,
            foreign: 0,
            night: false,
            wholesale: false,
        }
    }

    #[test]
    fn idle_accounts_make_room_and_blocked_ones_stay() {
        let (suspicions, policy) = (Suspicions::with(16, 20, Seed([1; 4])), Policy::default());
        let block = tollgate_guard::fraud::Block { since: NOW, until: None, reason: "seen".into() };
        suspicions.change(AccountId(-1), |profile| *profile = Profile::of(Default::default(), Some(block.clone())));
        let most = 16 * 20;
        for account in 0..10 * most as i64 {
            suspicions.change(AccountId(account), |profile| {
                profile.begin(CallId::from_i64(account), &attempt(3_612_345_678), &policy, NOW)
            });
        }
        assert!(suspicions.accounts() <= most);
        assert!(suspicions.profile(AccountId(-1)).is_some());
        let later = NOW + Duration::from_secs(3600);
        for turn in 0..16 {
            assert!(suspicions.sweep(turn, later).is_empty(), "nothing of it was for a store");
        }
        assert_eq!(suspicions.accounts(), 1);
        assert!(matches!(suspicions.standing(AccountId(-1), &attempt(36), &policy, later), Standing::Blocked(_)));
    }

    #[test]
    fn attempts_from_many_threads_are_all_seen() {
        let (suspicions, policy) = (Suspicions::new(Seed([1; 4])), Policy::default());
        // Nine neighbours called at once: whoever comes as the last of them is the one too many, and none comes twice.
        let account = AccountId(7);
        let over = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|thread| {
                    let (suspicions, policy) = (&suspicions, &policy);
                    scope.spawn(move || {
                        let one = |turn: u64| {
                            let number = 25_261_230_000 + turn * 4 + thread;
                            let attempt =
                                Attempt { night: true, price: Rate::from_nanos(900_000_000), ..attempt(number) };
                            let call = CallId::from_i64(number as i64);
                            suspicions.attempt(account, call, &attempt, policy, NOW)
                        };
                        (0..50).map(one).filter(|(standing, _)| matches!(standing, Standing::Over(_))).count()
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum::<usize>()
        });
        assert_eq!(over, 1, "one attempt passes the threshold, the others are blocked");
        assert_eq!(suspicions.profile(account).unwrap().recent(), 5);
    }

    #[test]
    fn bans_end_by_themselves_and_are_bounded() {
        let suspicions = Suspicions::new(Seed([1; 4]));
        let address = |number: u32| Subject::Address(std::net::Ipv4Addr::from(number).into());
        let ban = |secs: u64| CallerBan {
            observed: String::new(),
            limit: String::new(),
            setting: "fraud.autoban_asr",
            since: NOW,
            until: NOW + Duration::from_secs(secs),
        };
        for number in 0..50 {
            suspicions.set_ban(address(number), Some(ban(10 + u64::from(number))), NOW);
        }
        assert!(suspicions.ban(&address(0), NOW + Duration::from_secs(9)).is_some());
        assert!(suspicions.ban(&address(0), NOW + Duration::from_secs(10)).is_none());
        suspicions.set_ban(address(49), None, NOW + Duration::from_secs(20));
        assert_eq!(suspicions.bans(NOW + Duration::from_secs(20)).len(), 38);
    }
}
