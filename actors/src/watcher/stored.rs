//! What the Watcher knows, as the store keeps it.

use tollgate_guard::caller::{CallerBan, ROWS, Subject};
use tollgate_guard::fraud::{Block, History, Profile};
use tollgate_store::fraud::{BlockRow, CallerBanRow, ProfileRow};
use tollgate_types::AccountId;

/// What is stored of an account.
pub fn row_of(account: AccountId, profile: &Profile) -> ProfileRow {
    let block = profile.block.as_ref().map(|block| BlockRow {
        since: block.since,
        until: block.until,
        reason: block.reason.clone(),
    });
    ProfileRow { account, history: profile.history.to_text(), block }
}

/// An account as it was stored.
pub fn profile_of(row: ProfileRow) -> Option<Profile> {
    let block = row.block.map(|block| Block { since: block.since, until: block.until, reason: block.reason });
    Some(Profile::of(History::from_text(&row.history)?, block))
}

/// A ban to be stored.
pub(super) fn ban_row(subject: &Subject, ban: &CallerBan) -> CallerBanRow {
    CallerBanRow {
        subject: subject.to_string(),
        setting: ban.setting.to_owned(),
        observed: ban.observed.clone(),
        usual: ban.limit.clone(),
        since: ban.since,
        expires_at: ban.until,
    }
}

/// A ban as it was stored.
pub fn ban_of(row: CallerBanRow) -> Option<(Subject, CallerBan)> {
    let setting = ROWS.iter().find(|known| known.name == row.setting)?.name;
    let ban = CallerBan { observed: row.observed, limit: row.usual, setting, since: row.since, until: row.expires_at };
    Some((Subject::from_text(&row.subject)?, ban))
}
