//! Rows of the books as billing means them, and as tables keep them.

use tollgate_billing::account::{AccountState, DayRow, Windows};
use tollgate_billing::calendar::Day;
use tollgate_billing::hold::Holder;
use tollgate_billing::ledger::{EntryRow, Hash};
use tollgate_billing::{AccountRow, AccountTerms, AskKey, Cdr, HoldKey, HoldRow};
use tollgate_types::{AccountId, CallId, Money, Rate, TrunkId, UserId, Wall};

use crate::entity::{account, account_day, cdr, entry, hold};
use crate::error::{Error, Result};

/// Reads what was agreed with an account.
pub(crate) fn terms(row: &account::Model) -> Result<AccountTerms> {
    let id = row.id;
    let wrong = |what: &str| Error::corrupt(format!("account {id}: {what}"));
    let money = |micros: Option<i64>| micros.map(Money::from_micros);
    Ok(AccountTerms {
        kind: row.kind.parse().map_err(|()| wrong("kind"))?,
        mode: row.mode.parse().map_err(|()| wrong("mode"))?,
        currency: row.currency.parse().map_err(|_| wrong("currency"))?,
        zone: row.zone.parse().map_err(|_| wrong("zone"))?,
        parent: row.parent_id.map(AccountId),
        disabled: row.disabled_at.is_some(),
        credit_limit: money(row.credit_limit),
        max_lines: count(row.max_lines).map_err(wrong)?,
        max_lines_offpeak: count(row.max_lines_offpeak).map_err(wrong)?,
        daily_limit: money(row.daily_limit),
        monthly_limit: money(row.monthly_limit),
        monthly_increment: money(row.monthly_increment),
        monthly_ceiling: money(row.monthly_ceiling),
        dynamic_baseline: money(row.dynamic_baseline),
        burn_rate: row.burn_rate.map(Rate::from_nanos),
        talk_day: count(row.talk_day).map_err(wrong)?,
        talk_month: count(row.talk_month).map_err(wrong)?,
    })
}

/// Reads an account.
pub(crate) fn account(row: account::Model) -> Result<AccountRow> {
    let (id, terms) = (row.id, terms(&row)?);
    let wrong = |what: &str| Error::corrupt(format!("account {id}: {what}"));
    let windows = row.windows.as_deref().map(serde_json::from_str::<Windows>).transpose();
    let state = AccountState {
        balance: Money::from_micros(row.balance),
        held: Money::from_micros(row.held),
        burning: Rate::from_nanos(row.burning),
        entries: u64::try_from(row.entries).map_err(|_| wrong("entries"))?,
        head: hash(&row.head).ok_or_else(|| wrong("head"))?,
        windows: windows.map_err(|error| wrong(&format!("windows: {error}")))?,
    };
    Ok(AccountRow { id: AccountId(id), terms, state })
}

/// An account's windows as their column keeps them.
pub(crate) fn windows(state: &AccountState) -> Result<Option<String>> {
    state.windows.as_ref().map(json).transpose()
}

/// Reads a hold.
pub(crate) fn hold(key: HoldKey, text: &str) -> Result<HoldRow> {
    let row: HoldRow =
        serde_json::from_str(text).map_err(|error| Error::corrupt(format!("hold {}: {error}", key.call)))?;
    match row.key == key {
        true => Ok(row),
        false => Err(Error::corrupt(format!("hold {} says it is of call {}", key.call, row.key.call))),
    }
}

/// A hold as its table keeps it.
pub(crate) fn flat_hold(row: &HoldRow) -> Result<hold::Model> {
    Ok(hold::Model {
        call: row.key.call.to_i64(),
        paid_leg: i64::from(row.key.paid_leg),
        node_id: i64::from(row.node.node),
        life: row.node.life,
        paid_until: row.paid_until().map(Wall::micros),
        hold: json(row)?,
    })
}

/// A hold's key.
pub(crate) fn hold_key(call: i64, paid_leg: i64) -> Result<HoldKey> {
    let paid_leg = u8::try_from(paid_leg).map_err(|_| Error::corrupt(format!("paid leg {paid_leg}")))?;
    Ok(HoldKey { call: CallId::from_i64(call), paid_leg })
}

/// A holder of lines as its table keeps it.
pub(crate) fn flat_holder(holder: Holder) -> (i64, i64) {
    match holder {
        Holder::User(UserId(id)) => (0, id),
        Holder::Account(AccountId(id)) => (1, id),
        Holder::Trunk(TrunkId(id)) => (2, id),
    }
}

/// A holder of lines.
pub(crate) fn holder(kind: i64, id: i64) -> Result<Holder> {
    match kind {
        0 => Ok(Holder::User(UserId(id))),
        1 => Ok(Holder::Account(AccountId(id))),
        2 => Ok(Holder::Trunk(TrunkId(id))),
        _ => Err(Error::corrupt(format!("holder of kind {kind}"))),
    }
}

/// Reads an entry.
pub(crate) fn entry(row: entry::Model) -> Result<EntryRow> {
    let wrong = |what: &str| Error::corrupt(format!("account {} entry {}: {what}", row.account_id, row.number));
    let HoldKey { call, paid_leg } = hold_key(row.call, row.paid_leg)?;
    Ok(EntryRow {
        account: AccountId(row.account_id),
        number: u64::try_from(row.number).map_err(|_| wrong("number"))?,
        at: Wall::from_micros(row.at),
        amount: Money::from_micros(row.amount),
        balance: Money::from_micros(row.balance),
        kind: row.kind.parse().map_err(|()| wrong("kind"))?,
        key: AskKey { call, paid_leg, sequence: u32::try_from(row.sequence).map_err(|_| wrong("sequence"))? },
        previous: hash(&row.previous).ok_or_else(|| wrong("previous"))?,
        hash: hash(&row.hash).ok_or_else(|| wrong("hash"))?,
        note: row.note,
    })
}

/// An entry as its table keeps it.
pub(crate) fn flat_entry(row: &EntryRow) -> Result<entry::Model> {
    Ok(entry::Model {
        account_id: row.account.0,
        number: signed(row.number)?,
        at: row.at.micros(),
        amount: row.amount.micros(),
        balance: row.balance.micros(),
        kind: row.kind.id().to_owned(),
        call: row.key.call.to_i64(),
        paid_leg: i64::from(row.key.paid_leg),
        sequence: i64::from(row.key.sequence),
        note: row.note.clone(),
        previous: row.previous.0.to_vec(),
        hash: row.hash.0.to_vec(),
    })
}

/// Reads a day of an account's history.
pub(crate) fn day(row: account_day::Model) -> Result<DayRow> {
    let wrong = |_| Error::corrupt(format!("account {} day {}", row.account_id, row.day));
    Ok(DayRow {
        account: AccountId(row.account_id),
        day: Day(i32::try_from(row.day).map_err(wrong)?),
        spend: Money::from_micros(row.spend),
        talk_ms: u64::try_from(row.talk_ms).map_err(wrong)?,
        capped: row.capped.map(Money::from_micros),
        accepted: row.accepted,
    })
}

/// A day as its table keeps it.
pub(crate) fn flat_day(row: &DayRow) -> Result<account_day::Model> {
    Ok(account_day::Model {
        account_id: row.account.0,
        day: i64::from(row.day.0),
        spend: row.spend.micros(),
        talk_ms: signed(row.talk_ms)?,
        capped: row.capped.map(Money::micros),
        accepted: row.accepted,
    })
}

/// A record as its table keeps it; its number is still to be given.
pub(crate) fn flat_cdr(row: &Cdr) -> Result<cdr::Model> {
    Ok(cdr::Model {
        id: 0,
        call: row.call_id.to_i64(),
        paid_leg: i64::from(row.paid_leg),
        parent: row.parent_id.map(CallId::to_i64),
        kind: row.kind.id().to_owned(),
        started_at: row.started_at.micros(),
        answered_at: row.answered_at.map(Wall::micros),
        ended_at: row.ended_at.micros(),
        user_name: row.user.clone(),
        user_id: row.user_id.map(|id| id.0),
        account_id: row.account.map(|id| id.0),
        caller: row.caller.clone(),
        callee: row.callee.clone(),
        source_ip: row.source_ip.map(|ip| ip.to_string()),
        trunk_in: row.trunk_in.clone(),
        trunk_out: row.trunk_out.clone(),
        trunk_out_id: row.trunk_out_id.map(|id| id.0),
        status: row.status.id().to_owned(),
        sip_status: row.sip_status.map(i64::from),
        q850: row.q850.map(i64::from),
        hangup_side: row.hangup_side.map(|side| side.id().to_owned()),
        cause: row.cause.id().to_owned(),
        talk_ms: signed(row.talk_ms)?,
        billed_seconds: signed(row.billed_seconds)?,
        sell_cost: row.sell_cost.micros(),
        buy_cost: row.buy_cost.micros(),
        currency: row.currency.as_str().to_owned(),
        repeats: i64::from(row.repeats),
        spend_by_day: json(&row.spend_by_day)?,
        levels: json(&row.levels)?,
        refusal: row.refusal.as_ref().map(json).transpose()?,
        trace: json(&row.trace)?,
        ladder: json(&row.ladder)?,
        media: json(&row.media)?,
    })
}

/// Reads a record.
pub(crate) fn cdr(row: cdr::Model) -> Result<Cdr> {
    let id = row.id;
    let wrong = |what: &str| Error::corrupt(format!("cdr {id}: {what}"));
    let HoldKey { call, paid_leg } = hold_key(row.call, row.paid_leg)?;
    let talk_ms = u64::try_from(row.talk_ms).map_err(|_| wrong("talk_ms"))?;
    Ok(Cdr {
        call_id: call,
        paid_leg,
        parent_id: row.parent.map(CallId::from_i64),
        kind: row.kind.parse().map_err(|()| wrong("kind"))?,
        started_at: Wall::from_micros(row.started_at),
        answered_at: row.answered_at.map(Wall::from_micros),
        ended_at: Wall::from_micros(row.ended_at),
        user: row.user_name,
        user_id: row.user_id.map(UserId),
        account: row.account_id.map(AccountId),
        caller: row.caller,
        callee: row.callee,
        source_ip: row.source_ip.map(|ip| ip.parse()).transpose().map_err(|_| wrong("source_ip"))?,
        trunk_in: row.trunk_in,
        trunk_out: row.trunk_out,
        trunk_out_id: row.trunk_out_id.map(TrunkId),
        status: row.status.parse().map_err(|()| wrong("status"))?,
        sip_status: row.sip_status.map(u16::try_from).transpose().map_err(|_| wrong("sip_status"))?,
        q850: row.q850.map(u8::try_from).transpose().map_err(|_| wrong("q850"))?,
        hangup_side: row.hangup_side.map(|side| side.parse()).transpose().map_err(|()| wrong("hangup_side"))?,
        cause: row.cause.parse().map_err(|()| wrong("cause"))?,
        talk_seconds: talk_ms / 1000,
        talk_ms,
        billed_seconds: u64::try_from(row.billed_seconds).map_err(|_| wrong("billed_seconds"))?,
        sell_cost: Money::from_micros(row.sell_cost),
        buy_cost: Money::from_micros(row.buy_cost),
        currency: row.currency.parse().map_err(|_| wrong("currency"))?,
        spend_by_day: unjson(&row.spend_by_day).map_err(wrong)?,
        levels: unjson(&row.levels).map_err(wrong)?,
        repeats: u32::try_from(row.repeats).map_err(|_| wrong("repeats"))?,
        refusal: row.refusal.as_deref().map(unjson).transpose().map_err(wrong)?,
        trace: unjson(&row.trace).map_err(wrong)?,
        ladder: unjson(&row.ladder).map_err(wrong)?,
        media: unjson(&row.media).map_err(wrong)?,
    })
}

/// A hash as a column keeps it.
pub(crate) fn hash(bytes: &[u8]) -> Option<Hash> {
    bytes.try_into().ok().map(Hash)
}

/// A count as a column keeps it.
pub(crate) fn signed(count: u64) -> Result<i64> {
    i64::try_from(count).map_err(|_| Error::corrupt(format!("{count} is beyond what a column holds")))
}

fn count<T: TryFrom<i64>>(value: Option<i64>) -> std::result::Result<Option<T>, &'static str> {
    value.map(T::try_from).transpose().map_err(|_| "a limit is negative or too large")
}

fn json(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(Error::corrupt)
}

fn unjson<T: serde::de::DeserializeOwned>(text: &str) -> std::result::Result<T, &'static str> {
    serde_json::from_str(text).map_err(|_| "a column of JSON cannot be read")
}
