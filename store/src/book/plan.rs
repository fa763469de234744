//! What a batch of asks touches beside the rows themselves: which lines to lock, and how line counts move.

use std::collections::{BTreeMap, BTreeSet};

use tollgate_billing::hold::Holder;
use tollgate_billing::ledger::{Changes, What};
use tollgate_billing::{Ask, HoldKey, HoldRow};
use tollgate_types::AccountId;

/// The holds a transaction read, by key: what line counts are compared with.
pub(crate) type Before = BTreeMap<HoldKey, Vec<Holder>>;

/// Accounts that a hold names.
pub(crate) fn accounts_of(hold: &HoldRow) -> impl Iterator<Item = AccountId> + '_ {
    hold.levels.iter().map(|level| level.account)
}

/// Lines that `asks` may set free: locked together with those they ask for, in one order, so that two nodes cannot wait for
/// each other.
pub(crate) fn released(asks: &[Ask], before: &Before) -> BTreeSet<Holder> {
    let ending = asks.iter().filter(|ask| matches!(ask.what, What::Settle(_) | What::Recover(_)));
    ending.filter_map(|ask| before.get(&ask.hold_key())).flatten().copied().collect()
}

/// How many lines more or fewer each holder has after `changes`; those that stay as they are, are left out.
pub(crate) fn line_moves(before: &Before, changes: &Changes) -> BTreeMap<Holder, i64> {
    let mut moves = BTreeMap::new();
    for hold in &changes.holds {
        hold.holders.iter().for_each(|holder| *moves.entry(*holder).or_default() += 1);
    }
    let touched = changes.holds.iter().map(|hold| &hold.key).chain(&changes.ended);
    for holder in touched.filter_map(|key| before.get(key)).flatten() {
        *moves.entry(*holder).or_default() -= 1;
    }
    moves.retain(|_, by| *by != 0);
    moves
}
