//! The books' chain: each entry carries the hash of the one before it, the account the hash of its last one, and a daily
//! anchor the hash over all heads. Whoever changes, removes or swaps a row by hand breaks it at that row.

use sha2::{Digest, Sha256};
use tollgate_types::{AccountId, Money, Wall};

use super::{AskKey, EntryKind, EntryRow, Fault, Hash};
use crate::account::{AccountRow, AccountState, LARGEST};
use crate::calendar::Day;

/// The head of one account's chain, as an anchor takes it down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Whose.
    pub account: AccountId,
    /// How many entries it has.
    pub entries: u64,
    /// The hash of the last.
    pub hash: Hash,
    /// The balance after it.
    pub balance: Money,
}

/// All heads at the end of a day, chained to the anchor before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// Which day, in UTC.
    pub day: Day,
    /// When it was taken.
    pub at: Wall,
    /// Heads in the order of accounts.
    pub heads: Vec<Head>,
    /// The hash of the anchor before, or zeros.
    pub previous: Hash,
    /// Over all of the above.
    pub hash: Hash,
}

/// The first thing in the books that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Breach {
    /// Its hash is not that of its content.
    #[error("account {account}, entry {number}: its content was altered")]
    Altered {
        /// Whose.
        account: AccountId,
        /// Which entry.
        number: u64,
    },
    /// The number in its place is another.
    #[error("account {account}, entry {number}: it is missing, entry {found} stands in its place")]
    Missing {
        /// Whose.
        account: AccountId,
        /// Which entry.
        number: u64,
        /// What was found.
        found: u64,
    },
    /// It does not follow the entry before it.
    #[error("account {account}, entry {number}: it does not follow entry {}", number - 1)]
    Unchained {
        /// Whose.
        account: AccountId,
        /// Which entry.
        number: u64,
    },
    /// Its balance is not the sum.
    #[error("account {account}, entry {number}: its balance is not the sum of the entries up to it")]
    Balance {
        /// Whose.
        account: AccountId,
        /// Which entry.
        number: u64,
    },
    /// Entries at the end are gone, or were never there.
    #[error("account {account}, entry {number}: the books end before it, but the account or an anchor knows it")]
    Tail {
        /// Whose.
        account: AccountId,
        /// The first that is not there.
        number: u64,
    },
    /// An account's own head or balance disagrees with its entries.
    #[error("account {account}, entry {number}: the account's balance or head is not that of its last entry")]
    Head {
        /// Whose.
        account: AccountId,
        /// The last entry.
        number: u64,
    },
    /// An anchor's hash is not that of its content, or it does not follow the one before.
    #[error("the anchor of {0} was altered or does not follow the one before")]
    Anchor(Day),
}

/// Appends an entry to an account's chain; the account's balance, head and count follow.
pub(super) fn append(
    account: &mut AccountRow,
    key: AskKey,
    kind: EntryKind,
    amount: Money,
    note: String,
    now: Wall,
) -> Result<EntryRow, Fault> {
    let state = &mut account.state;
    let balance = state.balance.checked_add(amount).filter(in_range).ok_or(Fault::Overflow)?;
    let mut entry = EntryRow {
        account: account.id,
        number: state.entries + 1,
        at: now,
        amount,
        balance,
        kind,
        key,
        note,
        previous: state.head,
        hash: Hash::default(),
    };
    entry.hash = hash_of(&entry);
    (state.balance, state.entries, state.head) = (balance, entry.number, entry.hash);
    Ok(entry)
}

/// Can `amount` be taken off without leaving the books' range?
pub(super) fn fits(state: &AccountState, amount: Money) -> Result<(), Fault> {
    state.balance.checked_sub(amount).filter(in_range).map(|_| ()).ok_or(Fault::Overflow)
}

fn in_range(balance: &Money) -> bool {
    balance.micros().unsigned_abs() <= LARGEST.micros().unsigned_abs()
}

/// The hash an entry must have: SHA-256 over its fields, numbers big-endian, the note last.
pub fn hash_of(entry: &EntryRow) -> Hash {
    let mut sum = Sha256::new();
    sum.update(b"tollgate entry 1");
    sum.update(entry.previous.0);
    sum.update(entry.account.0.to_be_bytes());
    sum.update(entry.number.to_be_bytes());
    sum.update(entry.at.micros().to_be_bytes());
    sum.update(entry.amount.micros().to_be_bytes());
    sum.update(entry.balance.micros().to_be_bytes());
    sum.update([entry.kind as u8, entry.key.paid_leg]);
    sum.update(entry.key.call.to_i64().to_be_bytes());
    sum.update(entry.key.sequence.to_be_bytes());
    sum.update(entry.note.as_bytes());
    Hash(sum.finalize().into())
}

/// Takes down all heads, in the order of accounts, at the end of `day`.
pub fn anchor(day: Day, at: Wall, mut heads: Vec<Head>, previous: Hash) -> Anchor {
    heads.sort_unstable_by_key(|head| head.account);
    let mut anchor = Anchor { day, at, heads, previous, hash: Hash::default() };
    anchor.hash = hash_of_anchor(&anchor);
    anchor
}

fn hash_of_anchor(anchor: &Anchor) -> Hash {
    let mut sum = Sha256::new();
    sum.update(b"tollgate anchor 1");
    sum.update(anchor.previous.0);
    sum.update(anchor.day.0.to_be_bytes());
    sum.update(anchor.at.micros().to_be_bytes());
    for head in &anchor.heads {
        sum.update(head.account.0.to_be_bytes());
        sum.update(head.entries.to_be_bytes());
        sum.update(head.balance.micros().to_be_bytes());
        sum.update(head.hash.0);
    }
    Hash(sum.finalize().into())
}

/// Reads the books from front to back and names the first thing that does not hold.
pub struct Audit {
    account: Option<AccountId>,
    number: u64,
    head: Hash,
    balance: Money,
    /// What must be met on the way: heads of accounts and anchors, by account and number.
    expected: Vec<(Head, bool)>,
    met: usize,
}

impl Audit {
    /// `accounts` as their rows stand; `anchors` from the oldest on.
    pub fn begin(
        accounts: impl IntoIterator<Item = Head>,
        anchors: impl IntoIterator<Item = Anchor>,
    ) -> Result<Audit, Breach> {
        let mut expected: Vec<(Head, bool)> = accounts.into_iter().map(|head| (head, true)).collect();
        let mut previous = Hash::default();
        for anchor in anchors {
            if anchor.previous != previous || anchor.hash != hash_of_anchor(&anchor) {
                return Err(Breach::Anchor(anchor.day));
            }
            previous = anchor.hash;
            expected.extend(anchor.heads.iter().map(|head| (*head, false)));
        }
        expected.retain(|(head, own)| head.entries > 0 || *own);
        expected.sort_unstable_by_key(|(head, own)| (head.account, head.entries, *own));
        let (number, head, balance) = (0, Hash::default(), Money::ZERO);
        Ok(Audit { account: None, number, head, balance, expected, met: 0 })
    }

    /// The next entry; entries come by account, then by number.
    pub fn read(&mut self, entry: &EntryRow) -> Result<(), Breach> {
        let account = entry.account;
        if self.account != Some(account) {
            self.close_before(Some(account))?;
            (self.account, self.number, self.head, self.balance) = (Some(account), 0, Hash::default(), Money::ZERO);
            self.meet(account)?;
        }
        let number = self.number + 1;
        if entry.number != number {
            return Err(Breach::Missing { account, number, found: entry.number });
        }
        if entry.hash != hash_of(entry) {
            return Err(Breach::Altered { account, number });
        }
        if entry.previous != self.head {
            return Err(Breach::Unchained { account, number });
        }
        if self.balance.checked_add(entry.amount) != Some(entry.balance) {
            return Err(Breach::Balance { account, number });
        }
        (self.number, self.head, self.balance) = (number, entry.hash, entry.balance);
        self.meet(account)
    }

    /// No more entries.
    pub fn end(mut self) -> Result<(), Breach> {
        self.close_before(None)
    }

    /// Compares what accounts and anchors say about this many entries of `account`.
    fn meet(&mut self, account: AccountId) -> Result<(), Breach> {
        while let Some((head, own)) = self.expected.get(self.met) {
            if (head.account, head.entries) != (account, self.number) {
                break;
            }
            if head.hash != self.head || head.balance != self.balance {
                let number = self.number;
                return Err(if *own { Breach::Head { account, number } } else { Breach::Altered { account, number } });
            }
            self.met += 1;
        }
        Ok(())
    }

    /// Every head of an account before `next` must have been met; heads of no entries are met by there being none.
    fn close_before(&mut self, next: Option<AccountId>) -> Result<(), Breach> {
        while let Some((head, _)) = self.expected.get(self.met) {
            if next.is_some_and(|next| head.account >= next) {
                break;
            }
            let read = if self.account == Some(head.account) { self.number } else { 0 };
            if head.entries > read {
                return Err(Breach::Tail { account: head.account, number: read + 1 });
            }
            if head.entries < read || head.balance != Money::ZERO || head.hash != Hash::default() {
                return Err(Breach::Head { account: head.account, number: read });
            }
            self.met += 1;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tollgate_types::CallId;

    use super::*;
    use crate::account::AccountTerms;

    /// Two accounts, four entries each: 10, -1, -2, -3.
    fn books() -> (Vec<EntryRow>, Vec<Head>) {
        let mut entries = Vec::new();
        let mut heads = Vec::new();
        for id in [3, 8] {
            let mut account = AccountRow::new(AccountId(id), AccountTerms::default());
            for (n, amount) in [10, -1, -2, -3].into_iter().enumerate() {
                let key = AskKey { call: CallId::from_i64(n as i64), paid_leg: 0, sequence: 1 };
                let amount = Money::from_micros(amount * 1_000_000);
                let now = Wall::from_secs(1_800_000_000 + n as i64);
                entries.push(append(&mut account, key, EntryKind::Call, amount, "note".into(), now).unwrap());
            }
            let state = &account.state;
            heads.push(Head { account: account.id, entries: state.entries, hash: state.head, balance: state.balance });
        }
        (entries, heads)
    }

    fn audit(entries: &[EntryRow], heads: &[Head], anchors: &[Anchor]) -> Result<(), Breach> {
        let mut audit = Audit::begin(heads.iter().copied(), anchors.iter().cloned())?;
        entries.iter().try_for_each(|entry| audit.read(entry))?;
        audit.end()
    }

    fn head_at(entries: &[EntryRow], at: usize) -> Head {
        let entry = &entries[at];
        Head { account: entry.account, entries: entry.number, hash: entry.hash, balance: entry.balance }
    }

    #[test]
    fn whole_books_hold() {
        let (entries, mut heads) = books();
        let anchor =
            anchor(Day(1), Wall::from_secs(9), vec![head_at(&entries, 1), head_at(&entries, 6)], Hash::default());
        assert_eq!(audit(&entries, &heads, &[anchor]), Ok(()));
        // An account nobody used has a head of nothing.
        heads.push(Head { account: AccountId(5), entries: 0, hash: Hash::default(), balance: Money::ZERO });
        assert_eq!(audit(&entries, &heads, &[]), Ok(()));
        heads[2].balance = Money::from_micros(5);
        assert_eq!(audit(&entries, &heads, &[]), Err(Breach::Head { account: AccountId(5), number: 0 }));
    }

    type Hand = fn(&mut Vec<EntryRow>, &mut Vec<Head>);

    #[test]
    fn what_a_hand_did_is_named() {
        let account = AccountId(8);
        let cases: [(&str, Hand, Breach); 8] = [
            ("amount altered", |e, _| e[5].amount = Money::ZERO, Breach::Altered { account, number: 2 }),
            ("note altered", |e, _| e[6].note.push('x'), Breach::Altered { account, number: 3 }),
            (
                "row deleted",
                |e, _| {
                    e.remove(5);
                },
                Breach::Missing { account, number: 2, found: 3 },
            ),
            ("rows swapped", |e, _| e.swap(5, 6), Breach::Missing { account, number: 2, found: 3 }),
            (
                "contents swapped, numbers kept, hashes made anew",
                |e, _| {
                    e.swap(5, 6);
                    (e[5].number, e[6].number) = (2, 3);
                    for at in [5, 6] {
                        e[at].hash = hash_of(&e[at]);
                    }
                },
                Breach::Unchained { account, number: 2 },
            ),
            ("last rows deleted", |e, _| e.truncate(6), Breach::Tail { account, number: 3 }),
            ("all rows of an account deleted", |e, _| e.truncate(4), Breach::Tail { account, number: 1 }),
            ("the account's balance altered", |_, h| h[1].balance = Money::MAX, Breach::Head { account, number: 4 }),
        ];
        for (hand, act, breach) in cases {
            let (mut entries, mut heads) = books();
            act(&mut entries, &mut heads);
            assert_eq!(audit(&entries, &heads, &[]), Err(breach), "{hand}");
        }
    }

    #[test]
    fn a_tail_cut_off_together_with_its_head_is_shown_by_the_anchor() {
        let (mut entries, mut heads) = books();
        let anchor = anchor(Day(1), Wall::from_secs(9), heads.clone(), Hash::default());
        entries.truncate(6);
        heads[1] = head_at(&entries, 5);
        assert_eq!(audit(&entries, &heads, &[]), Ok(()), "without an anchor nobody can tell");
        assert_eq!(
            audit(&entries, &heads, std::slice::from_ref(&anchor)),
            Err(Breach::Tail { account: AccountId(8), number: 3 })
        );
        let forged = Anchor { heads, ..anchor };
        assert_eq!(audit(&entries, &forged.heads.clone(), &[forged]), Err(Breach::Anchor(Day(1))));
    }
}
