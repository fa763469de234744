//! Prices and asks of money.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{anyhow, bail};
use tollgate_billing::calendar::{Calendar, Timeline, Zone};
use tollgate_billing::cdr::Status;
use tollgate_billing::deck::{Band, Deck, DeckKind, DeckRow, DeckVersion, Reach};
use tollgate_billing::hold::NodeLife;
use tollgate_billing::ledger::{Answered, Hold, LevelQuote, Settle, What};
use tollgate_billing::price::{Price, PricePlan};
use tollgate_billing::quote::{Level, sell};
use tollgate_billing::{AccountRow, AccountTerms, Ask, AskKey, Books, CallKind, Cause, Cdr, Outcome, Rules, apply};
use tollgate_types::{AccountId, CallId, Currency, DeckId, E164, Money, Mono, Wall};

use crate::Piece;

const NOW: Wall = Wall::from_secs(1_800_000_000);

/// A number priced in a deck of 20,000 prefixes.
pub fn quote() -> anyhow::Result<Piece> {
    let calendar = Calendar::new(vec![], vec![]).map_err(|error| anyhow!("{error:?}"))?;
    let head = Deck {
        id: DeckId(1),
        name: "deck".into(),
        kind: DeckKind::Sell,
        currency: Currency::USD,
        zone: Zone::UTC,
        version: 1,
    };
    let rate = "0.0200".parse().map_err(|error| anyhow!("{error:?}"))?;
    let rows = (0..20_000u32).map(|n| {
        Ok(DeckRow {
            prefix: format!("{}", 40_000 + n).parse().map_err(|error| anyhow!("{error:?}"))?,
            destination: format!("to {n}"),
            price: Price::per_minute(rate),
            band: Band::All,
            effective_from: None,
            blocked: false,
        })
    });
    let rows = rows.collect::<anyhow::Result<Vec<_>>>()?;
    let deck = DeckVersion::new(head, rows, Arc::new(Timeline::new(Arc::new(calendar), Zone::UTC, NOW)));
    let number: E164 = "442071234567".parse().map_err(|error| anyhow!("{error:?}"))?;
    let ask = move || {
        let level = Level { account: AccountId(1), currency: Currency::USD, deck: Some(&deck) };
        sell(&[level], black_box(&number), NOW, Reach::Offnet)
    };
    if let Err(refusal) = ask() {
        bail!("no price: {refusal:?}");
    }
    Ok(Box::new(move || {
        let _ = black_box(ask());
    }))
}

/// A call's hold, answer and settlement, each as its own transaction would decide it.
pub fn ledger_call() -> anyhow::Result<Piece> {
    let rate = "0.6000".parse().map_err(|error| anyhow!("{error:?}"))?;
    let (account, rules) = (AccountId(1), Rules::default());
    let plan = PricePlan::flat(Price::per_minute(rate));
    let call = move || {
        let mut row = AccountRow::new(account, AccountTerms::default());
        row.state.balance = Money::from_micros(1_000_000_000);
        let mut books = Books::default();
        books.put_account(row);
        let id = CallId::from_i64(1);
        let key = |sequence| AskKey { call: id, paid_leg: 0, sequence };
        let mut draft = Box::new(Cdr::begin(id, 0, CallKind::Outbound, NOW));
        draft.callee = "442071234567".into();
        let quote = LevelQuote { account, currency: Currency::USD, plan: plan.clone() };
        let hold = Hold {
            node: NodeLife { node: 1, life: 1 },
            emergency: false,
            levels: vec![quote],
            source: None,
            lines: Vec::new(),
            draft: draft.clone(),
            dialogs: b"dialogs".to_vec(),
        };
        let answered = Answered { at: NOW, buy: None, trunk_out: None, dialogs: b"both".to_vec() };
        let end = NOW + Duration::from_secs(5);
        (draft.answered_at, draft.talk_ms, draft.ended_at) = (Some(NOW), 5000, end);
        (draft.status, draft.cause) = (Status::Answered, Cause::Normal);
        let asks = [
            (What::Hold(Box::new(hold)), NOW),
            (What::Answered(Box::new(answered)), NOW),
            (What::Settle(Box::new(Settle { cdr: draft, buy: None })), end),
        ];
        let mut last = None;
        for (sequence, (what, now)) in (0..).zip(asks) {
            let ask = Ask { key: key(sequence), give_up_at: Mono::NEVER, what };
            last = apply(&mut books, &rules, &[ask], now).pop();
        }
        last
    };
    match call() {
        Some(Outcome::Settled { .. }) => Ok(Box::new(move || {
            black_box(call());
        })),
        other => bail!("the call is not settled: {other:?}"),
    }
}
