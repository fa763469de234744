//! Every counter, corrupted by hand, told and put right; and limits of addresses over two nodes. By the same stories on both engines.

use std::net::IpAddr;
use std::time::Duration;

use sea_orm::ConnectionTrait;
use tollgate_billing::hold::{Holder, NodeLife};
use tollgate_billing::ledger::{Answered, Credit, EntryKind, Hold, LevelQuote, LineAsk, Settle, What};
use tollgate_billing::policy::{DynamicFor, Rules};
use tollgate_billing::price::{Price, PricePlan};
use tollgate_billing::{Ask, AskKey, CallKind, Cause, Cdr, Outcome};
use tollgate_types::{AccountId, CallId, Currency, Money, Mono, TrunkId, UserId, Wall};

use super::{Drift, repair};
use crate::accounts::{self, Terms};
use crate::audit;
use crate::book::Book;
use crate::open::Store;
use crate::testing::{both, by};
use crate::trunk_days::{self, Talked};

both!(
    a_hand_in_every_counter_is_told_and_put_right,
    entries_that_are_gone_are_told_and_left_alone,
    two_nodes_grant_an_address_exactly_its_calls,
);

const SOURCE: [u8; 4] = [192, 0, 2, 7];

struct Desk {
    store: Store,
    book: Book,
    rules: Rules,
    now: Wall,
    account: AccountId,
}

impl Desk {
    async fn new(store: &Store) -> Desk {
        let mut rules = Rules::default();
        rules.policy.dynamic = DynamicFor::Off;
        rules.policy.ip.calls_max = Some(3);
        let now = store.now().await.unwrap();
        let account = accounts::create(store, &by(1), "anna", &Terms::default()).await.unwrap();
        let mut desk = Desk { store: store.clone(), book: Book::open(store).await.unwrap(), rules, now, account };
        let amount = "10".parse().unwrap();
        let credit = Credit { account, amount, kind: EntryKind::Opening, note: String::new(), force: true };
        desk.ask(1 << 40, 0, What::Credit(credit)).await;
        desk
    }

    async fn ask(&mut self, call: i64, sequence: u32, what: What) -> Outcome {
        let key = AskKey { call: CallId::from_i64(call), paid_leg: 0, sequence };
        let ask = Ask { key, give_up_at: Mono::NEVER, what };
        self.book.commit(&self.rules, &[ask], self.now).await.unwrap().remove(0)
    }

    fn draft(&self, call: i64) -> Box<Cdr> {
        let mut draft = Box::new(Cdr::begin(CallId::from_i64(call), 0, CallKind::Outbound, self.now));
        (draft.user, draft.account) = (Some("anna".into()), Some(self.account));
        draft.source_ip = Some(SOURCE.into());
        draft
    }

    /// 0.60 a minute by the second.
    async fn hold(&mut self, call: i64) -> Outcome {
        let price = Price { first: 1, next: 1, ..Price::per_minute("0.60".parse().unwrap()) };
        let plan = PricePlan::flat(price);
        let hold = Hold {
            node: NodeLife { node: 0, life: 1 },
            emergency: false,
            levels: vec![LevelQuote { account: self.account, currency: Currency::USD, plan }],
            lines: vec![LineAsk { holder: Holder::User(UserId(7)), max: None, setting: "lines.max" }],
            source: Some(SOURCE.into()),
            draft: self.draft(call),
            dialogs: Vec::new(),
        };
        self.ask(call, 0, What::Hold(Box::new(hold))).await
    }

    /// Talks seven seconds by trunk 5.
    async fn talk(&mut self, call: i64) {
        let answered =
            Answered { at: self.now, buy: None, trunk_out: Some((TrunkId(5), "out".into())), dialogs: Vec::new() };
        self.ask(call, 1, What::Answered(Box::new(answered))).await;
        let mut cdr = self.draft(call);
        (cdr.answered_at, cdr.talk_ms, cdr.cause) = (Some(self.now), 7000, Cause::Normal);
        (cdr.trunk_out_id, cdr.trunk_out) = (Some(TrunkId(5)), Some("out".into()));
        cdr.status = tollgate_billing::cdr::Status::Answered;
        cdr.ended_at = self.now + Duration::from_secs(7);
        self.ask(call, 9, What::Settle(Box::new(Settle { cdr, buy: None }))).await;
    }

    async fn repair(&self, dry_run: bool) -> Vec<Drift> {
        repair(&self.store, &by(1), &self.rules, dry_run).await.unwrap()
    }
}

async fn by_hand(store: &Store, sql: &str) {
    let writing = store.begin().await.unwrap();
    writing.execute_unprepared(sql).await.unwrap();
    writing.commit().await.unwrap();
}

async fn a_hand_in_every_counter_is_told_and_put_right(store: Store) {
    let mut desk = Desk::new(&store).await;
    assert!(matches!(desk.hold(1).await, Outcome::Held(_)));
    desk.talk(1).await;
    assert!(matches!(desk.hold(2).await, Outcome::Held(_)));
    assert_eq!(desk.repair(false).await, [], "the books' own counters are those of their rows");
    let today = tollgate_billing::Zone::UTC.day_of(desk.now);
    let talked = trunk_days::talked(&store, today).await.unwrap();
    assert_eq!(talked, [(TrunkId(5), Talked { today_ms: 7000, month_ms: 7000 })]);
    let id = desk.account.0;
    let old = "\"spend\":\"0.070000\"";
    //  what a hand does, which counters are told
    for (sql, told) in [
        ("UPDATE accounts SET balance = balance + 5".to_owned(), vec!["account anna balance"]),
        ("UPDATE accounts SET held = 0".to_owned(), vec!["account anna held"]),
        ("UPDATE accounts SET burning = 1".to_owned(), vec!["account anna burning"]),
        (
            format!("UPDATE accounts SET windows = replace(windows, '{old}', '\"spend\":\"9.000000\"')"),
            vec!["account anna spent on", "account anna spent in"],
        ),
        ("UPDATE account_days SET talk_ms = 1".to_owned(), vec!["account anna history of"]),
        (format!("DELETE FROM account_days WHERE account_id = {id}"), vec!["history of", "history of"]),
        ("UPDATE lines SET in_use = 4 WHERE holder = 0".to_owned(), vec!["user 7 lines"]),
        ("DELETE FROM lines".to_owned(), vec!["user 7 lines", "account 1 lines"]),
        (
            "UPDATE sources SET used = '{\"held\":\"0.000000\",\"parts\":[]}'".to_owned(),
            vec![
                "address 192.0.2.7 calls",
                "address 192.0.2.7 milliseconds talked",
                "address 192.0.2.7 spent",
                "address 192.0.2.7 held",
            ],
        ),
        ("UPDATE trunk_days SET talk_ms = 99".to_owned(), vec!["trunk 5 milliseconds talked on"]),
        ("DELETE FROM trunk_days".to_owned(), vec!["trunk 5 milliseconds talked on"]),
    ] {
        by_hand(&store, &sql).await;
        let seen = desk.repair(true).await;
        let names: Vec<String> = seen.iter().map(|drift| format!("{} {}", drift.of, drift.what)).collect();
        assert_eq!(names.len(), told.len(), "{sql}: {names:?}");
        assert!(names.iter().zip(&told).all(|(name, told)| name.contains(told)), "{sql}: {names:?}");
        assert_eq!(desk.repair(true).await, seen, "{sql}: looked at, not touched");
        assert_eq!(desk.repair(false).await, seen, "{sql}");
        assert_eq!(desk.repair(false).await, [], "{sql}: put right");
    }
    let trail = audit::list(&store, Some("limits"), None, 100).await.unwrap();
    assert_eq!(trail.len(), 11);
    assert!(trail[10].is_now.as_ref().unwrap()[0].as_str().unwrap().starts_with("account anna balance: 9.93"));
    // The live call goes on as if nothing had been.
    desk.talk(2).await;
    assert_eq!(desk.repair(true).await, []);
    assert_eq!(accounts::get(&store, desk.account).await.unwrap().row.state.balance, "9.86".parse::<Money>().unwrap());
}

async fn entries_that_are_gone_are_told_and_left_alone(store: Store) {
    let desk = Desk::new(&store).await;
    by_hand(&store, "DELETE FROM entries").await;
    let seen = desk.repair(false).await;
    assert_eq!((seen.len(), seen[0].what.as_str(), seen[0].beyond_repair), (1, "entries", true));
    assert_eq!(desk.repair(true).await, seen, "no sum hides what ledger verify must find");
}

async fn two_nodes_grant_an_address_exactly_its_calls(store: Store) {
    let mut desk = Desk::new(&store).await;
    let mut other = Book::open(&store).await.unwrap();
    let mut granted = 0;
    for call in 1..=6 {
        if call % 2 == 0 {
            std::mem::swap(&mut desk.book, &mut other);
        }
        match desk.hold(call).await {
            Outcome::Held(_) => granted += 1,
            Outcome::Refused(refusal) => assert_eq!(refusal.rule.id(), "ip_calls"),
            outcome => panic!("{outcome:?}"),
        }
    }
    assert_eq!(granted, 3);
    let used = crate::sources::used(&store, IpAddr::from(SOURCE)).await.unwrap();
    assert_eq!((used.sums(desk.now, Duration::from_secs(86_400)).calls, used.held), (3, "0.3".parse().unwrap()));
    // Switched off, nothing is counted and the rows go; switched on again, live calls are found.
    assert_eq!(crate::sources::prune(&store, desk.now, None).await.unwrap(), 1);
    super::recount_addresses(&store, &desk.rules).await.unwrap();
    assert!(matches!(desk.hold(7).await, Outcome::Refused(_)));
    assert_eq!(desk.repair(true).await, []);
}
