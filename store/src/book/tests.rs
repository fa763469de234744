//! The books, by the same stories on both engines.

use std::collections::BTreeMap;

use sea_orm::{ConnectionTrait, EntityTrait, PaginatorTrait};
use tollgate_billing::hold::{Holder, NodeLife};
use tollgate_billing::ledger::{Answered, Credit, EntryKind, Extend, Hold, LevelQuote, LineAsk, Recover, Settle, What};
use tollgate_billing::policy::{DynamicFor, Rules};
use tollgate_billing::price::{Price, PricePlan};
use tollgate_billing::{Ask, AskKey, CallKind, Cause, Cdr, Outcome};
use tollgate_types::{AccountId, CallId, Currency, Money, Mono, UserId, Wall};

use super::Book;
use crate::accounts::{self, Terms};
use crate::entity::{cdr, hold, line};
use crate::error::Error;
use crate::open::{Engine, Store};
use crate::testing::{both, by};
use crate::{cdrs, ledger, nodes, recovery};

both!(
    a_call_is_held_answered_extended_and_settled_once,
    the_balance_affords_37_of_200,
    two_nodes_cannot_spend_the_same_money,
    of_ten_thousand_asks_those_are_granted_that_the_account_affords,
    a_dead_life_is_settled_up_to_its_last_heartbeat,
    nothing_is_half_done_when_a_write_fails,
    a_hand_in_the_books_is_named,
    an_anchor_knows_the_tail,
);

const START: i64 = 1_795_341_600;

struct Counter {
    store: Store,
    book: Book,
    rules: Rules,
    now: Wall,
    credits: i64,
}

impl Counter {
    async fn new(store: &Store) -> Counter {
        let mut rules = Rules::default();
        rules.policy.dynamic = DynamicFor::Off;
        let book = Book::open(store).await.unwrap();
        Counter { store: store.clone(), book, rules, now: Wall::from_secs(START), credits: 1 << 40 }
    }

    async fn account(&mut self, name: &str, balance: &str) -> AccountId {
        let id = accounts::create(&self.store, &by(START), name, &Terms::default()).await.unwrap();
        self.credit(id, balance, EntryKind::Opening).await;
        id
    }

    async fn credit(&mut self, account: AccountId, amount: &str, kind: EntryKind) -> Outcome {
        self.credits += 1;
        let credit = Credit { account, amount: money(amount), kind, note: "a note".into(), force: true };
        self.one(self.credits, 0, What::Credit(credit)).await
    }

    async fn one(&mut self, call: i64, sequence: u32, what: What) -> Outcome {
        self.all(&[ask(call, sequence, what)]).await.unwrap().remove(0)
    }

    async fn all(&mut self, asks: &[Ask]) -> crate::Result<Vec<Outcome>> {
        self.book.commit(&self.rules, asks, self.now).await
    }

    async fn state(&self, account: AccountId) -> (String, String) {
        let state = accounts::get(&self.store, account).await.unwrap().row.state;
        (state.balance.to_string(), state.held.to_string())
    }
}

fn money(text: &str) -> Money {
    text.parse().unwrap()
}

fn ask(call: i64, sequence: u32, what: What) -> Ask {
    let key = AskKey { call: CallId::from_i64(call), paid_leg: 0, sequence };
    Ask { key, give_up_at: Mono::NEVER, what }
}

/// 0.60 a minute by the second: the minimum ask of ten seconds is 0.10.
fn hold(call: i64, account: AccountId, node: NodeLife, now: Wall) -> Ask {
    let price = Price { first: 1, next: 1, ..Price::per_minute("0.60".parse().unwrap()) };
    let mut draft = Box::new(Cdr::begin(CallId::from_i64(call), 0, CallKind::Outbound, now));
    draft.user = Some("anna".into());
    draft.account = Some(account);
    let levels = vec![LevelQuote { account, currency: Currency::USD, plan: PricePlan::flat(price) }];
    let lines = vec![LineAsk { holder: Holder::User(UserId(7)), max: None, setting: "lines.max" }];
    let hold = Hold { node, emergency: false, levels, lines, source: None, draft, dialogs: vec![1, 2, 3] };
    ask(call, 0, What::Hold(Box::new(hold)))
}

fn settle(call: i64, started: Wall, answered: Wall, talk_ms: u64) -> Ask {
    let mut cdr = Box::new(Cdr::begin(CallId::from_i64(call), 0, CallKind::Outbound, started));
    cdr.user = Some("anna".into());
    cdr.answered_at = Some(answered);
    cdr.talk_ms = talk_ms;
    cdr.ended_at = answered + std::time::Duration::from_millis(talk_ms);
    cdr.status = tollgate_billing::cdr::Status::Answered;
    cdr.cause = Cause::Normal;
    ask(call, 9, What::Settle(Box::new(Settle { cdr, buy: None })))
}

const NODE: NodeLife = NodeLife { node: 0, life: 1 };

async fn lines(store: &Store) -> BTreeMap<(i64, i64), i64> {
    let rows = line::Entity::find().all(store.read()).await.unwrap();
    rows.into_iter().filter(|row| row.in_use != 0).map(|row| ((row.holder, row.holder_id), row.in_use)).collect()
}

async fn a_call_is_held_answered_extended_and_settled_once(store: Store) {
    let mut counter = Counter::new(&store).await;
    let anna = counter.account("anna", "10.00").await;
    let held = hold(1, anna, NODE, counter.now);
    let outcome = counter.all(std::slice::from_ref(&held)).await.unwrap().remove(0);
    assert!(matches!(&outcome, Outcome::Held(held) if held.held == money("0.10")), "{outcome:?}");
    assert_eq!(lines(&store).await, BTreeMap::from([((0, 7), 1), ((1, anna.0), 1)]));
    let again = counter.all(&[held]).await.unwrap().remove(0);
    assert!(matches!(&again, Outcome::Repeated(first) if **first == outcome), "{again:?}");

    let answered = Answered { at: counter.now, buy: None, trunk_out: None, dialogs: vec![4] };
    counter.one(1, 1, What::Answered(Box::new(answered))).await;
    let extended = counter.one(1, 2, What::Extend(Extend { answered_at: counter.now })).await;
    assert!(matches!(extended, Outcome::Extended { .. }), "{extended:?}");

    let settled = settle(1, counter.now, counter.now, 30_000);
    let outcome = counter.all(std::slice::from_ref(&settled)).await.unwrap().remove(0);
    let Outcome::Settled(record) = outcome else { panic!("{outcome:?}") };
    assert_eq!((record.sell_cost, record.billed_seconds), (money("0.30"), 30));
    let again = counter.all(&[settled]).await.unwrap().remove(0);
    assert!(matches!(again, Outcome::Closed | Outcome::Repeated(_)), "{again:?}");

    assert_eq!(counter.state(anna).await, ("9.700000".into(), "0.000000".into()));
    assert!(lines(&store).await.is_empty());
    let found = cdrs::list(&store, &cdrs::Filter { user: Some("anna".into()), ..Default::default() }).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].cdr, *record, "a record reads back as it was written");
    assert_eq!(cdrs::show(&store, found[0].id).await.unwrap().cdr, *record);
    let entries = ledger::list(&store, anna, 10).await.unwrap();
    assert_eq!(entries.iter().map(|entry| entry.amount.to_string()).collect::<Vec<_>>(), ["-0.300000", "10.000000"]);
    assert_eq!(ledger::days(&store, anna, 10).await.unwrap()[0].spend, money("0.30"));
    assert_eq!(ledger::verify(&store).await.unwrap(), ledger::Verdict { entries: 2, breach: None });
}

async fn the_balance_affords_37_of_200(store: Store) {
    let mut counter = Counter::new(&store).await;
    let anna = counter.account("anna", "3.75").await;
    let mut granted = 0;
    for batch in 0..10 {
        let asks: Vec<Ask> = (0..20).map(|n| hold(1 + batch * 20 + n, anna, NODE, counter.now)).collect();
        let outcomes = counter.all(&asks).await.unwrap();
        granted += outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Held(_))).count();
    }
    assert_eq!(granted, 37);
    assert_eq!(counter.state(anna).await, ("3.750000".into(), "3.700000".into()));
    assert_eq!(lines(&store).await[&(1, anna.0)], 37);
    // Held and settled in one transaction leaves a record and nothing else.
    counter.credit(anna, "1.00", EntryKind::Credit).await;
    let now = counter.now;
    counter.all(&[hold(999, anna, NODE, now), settle(999, now, now, 1000)]).await.unwrap();
    assert_eq!(lines(&store).await[&(1, anna.0)], 37);
    assert_eq!(hold::Entity::find().count(store.read()).await.unwrap(), 37);
}

async fn two_nodes_cannot_spend_the_same_money(store: Store) {
    let mut counter = Counter::new(&store).await;
    let anna = counter.account("anna", "3.75").await;
    let now = counter.now;
    let mut tasks = Vec::new();
    for node in 0..4u16 {
        let mut other = Counter::new(&store).await;
        tasks.push(tokio::spawn(async move {
            let mut granted = 0;
            for n in 0..50 {
                let call = i64::from(node) * 1000 + n + 1;
                let asks = [hold(call, anna, NodeLife { node, life: 1 }, now)];
                let outcome = other.all(&asks).await.unwrap().remove(0);
                granted += usize::from(matches!(outcome, Outcome::Held(_)));
            }
            granted
        }));
    }
    let mut granted = 0;
    for task in tasks {
        granted += task.await.unwrap();
    }
    assert_eq!(granted, 37);
    assert_eq!(counter.state(anna).await, ("3.750000".into(), "3.700000".into()));
    assert_eq!(lines(&store).await[&(0, 7)], 37);
}

/// As ten thousand INVITEs come that arrive at once: on two nodes, from as many addresses, in batches as the Ledger has them.
async fn of_ten_thousand_asks_those_are_granted_that_the_account_affords(store: Store) {
    let mut counter = Counter::new(&store).await;
    let anna = counter.account("anna", "13.7099").await;
    let now = counter.now;
    let mut tasks = Vec::new();
    for node in 0..2u16 {
        let mut other = Counter::new(&store).await;
        tasks.push(tokio::spawn(async move {
            let mut granted = 0;
            for batch in 0..20 {
                let call = |n: i64| {
                    let call = i64::from(node) * 10_000 + batch * 250 + n + 1;
                    let mut ask = hold(call, anna, NodeLife { node, life: 1 }, now);
                    let source = Some(std::net::Ipv4Addr::from(0xc633_0000 + call as u32).into());
                    if let What::Hold(hold) = &mut ask.what {
                        (hold.source, hold.draft.source_ip) = (source, source);
                    }
                    ask
                };
                let asks: Vec<Ask> = (0..250).map(call).collect();
                let outcomes = other.all(&asks).await.unwrap();
                granted += outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Held(_))).count();
            }
            granted
        }));
    }
    let mut granted = 0;
    for task in tasks {
        granted += task.await.unwrap();
    }
    assert_eq!(granted, 137);
    assert_eq!(counter.state(anna).await, ("13.709900".into(), "13.700000".into()));
    assert_eq!(lines(&store).await[&(1, anna.0)], 137);
}

async fn a_dead_life_is_settled_up_to_its_last_heartbeat(store: Store) {
    let mut counter = Counter::new(&store).await;
    let anna = counter.account("anna", "10.00").await;
    let dead = nodes::begin(&store, "alpha").await.unwrap();
    let node = NodeLife { node: dead.node, life: dead.id };
    counter.now = dead.started_at;
    let now = counter.now;
    counter.all(&[hold(1, anna, node, now), hold(2, anna, node, now)]).await.unwrap();
    let answered = Answered { at: now, buy: None, trunk_out: None, dialogs: vec![4, 5] };
    counter.one(1, 1, What::Answered(Box::new(answered))).await;
    let proven = nodes::heartbeat(&store, &dead).await.unwrap();
    let talked = proven.since(now).as_millis();
    // The same node again; PostgreSQL wants the old life to be silent for a while, so only its number counts here.
    let next = nodes::Life { id: dead.id + 1, ..dead.clone() };
    let orphans = recovery::of_earlier_lives(&store, &next).await.unwrap();
    assert_eq!(orphans.len(), 2);
    assert!(orphans.iter().all(|orphan| orphan.proven_until == proven));
    assert_eq!(orphans[0].hold.dialogs, [4, 5], "what ends the dialogs is still there");
    for round in 0..2 {
        for orphan in &orphans {
            let recover = What::Recover(Recover { proven_until: orphan.proven_until });
            let outcome = counter.one(orphan.hold.key.call.to_i64(), orphan.hold.sequence + 1, recover).await;
            match round {
                0 => assert!(matches!(outcome, Outcome::Settled(_)), "{outcome:?}"),
                _ => assert!(matches!(outcome, Outcome::Closed | Outcome::Repeated(_)), "{outcome:?}"),
            }
        }
    }
    assert!(recovery::of_earlier_lives(&store, &next).await.unwrap().is_empty());
    recovery::close_earlier_lives(&store, &next).await.unwrap();
    assert!(nodes::open_lives(&store).await.unwrap().is_empty());
    assert!(lines(&store).await.is_empty());
    let record = cdrs::of_call(&store, CallId::from_i64(1)).await.unwrap().remove(0).cdr;
    // The answer is kept to the millisecond.
    assert!(record.cause == Cause::Crash && u128::from(record.talk_ms).abs_diff(talked) <= 1, "{record:?}");
    assert_eq!(counter.state(anna).await.1, "0.000000");
    assert_eq!(ledger::verify(&store).await.unwrap().breach, None);
}

async fn nothing_is_half_done_when_a_write_fails(store: Store) {
    let mut counter = Counter::new(&store).await;
    let anna = counter.account("anna", "10.00").await;
    let now = counter.now;
    counter.all(&[hold(1, anna, NODE, now)]).await.unwrap();
    let before = (counter.state(anna).await, lines(&store).await);
    let (fail, heal) = match store.engine() {
        Engine::Sqlite => {
            ("CREATE TRIGGER fail BEFORE INSERT ON cdrs BEGIN SELECT raise(ABORT, 'no'); END", "DROP TRIGGER fail")
        }
        Engine::Postgres => {
            ("ALTER TABLE cdrs ADD CONSTRAINT fail CHECK (call < 0) NOT VALID", "ALTER TABLE cdrs DROP CONSTRAINT fail")
        }
    };
    by_hand(&store, fail).await;
    let batch = [hold(2, anna, NODE, now), settle(1, now, now, 10_000)];
    assert!(counter.all(&batch).await.is_err());
    assert_eq!((counter.state(anna).await, lines(&store).await), before);
    assert_eq!(cdr::Entity::find().count(store.read()).await.unwrap(), 0);
    by_hand(&store, heal).await;
    counter.all(&batch).await.unwrap();
    assert_eq!(counter.state(anna).await, ("9.900000".into(), "0.100000".into()));
}

async fn a_hand_in_the_books_is_named(store: Store) {
    let mut counter = Counter::new(&store).await;
    counter.account("other", "1.00").await;
    let anna = counter.account("anna", "10.00").await;
    for n in 1..=4 {
        counter.credit(anna, &format!("{n}.00"), EntryKind::Credit).await;
    }
    let id = anna.0;
    let swap = format!(
        "UPDATE entries SET number = -number WHERE account_id = {id} AND number IN (2, 3);
         UPDATE entries SET number = 3 WHERE account_id = {id} AND number = -2;
         UPDATE entries SET number = 2 WHERE account_id = {id} AND number = -3"
    );
    let hands = [
        (
            "amount",
            format!("UPDATE entries SET amount = amount + 1 WHERE account_id = {id} AND number = 3"),
            "entry 3: its content was altered",
        ),
        (
            "note",
            format!("UPDATE entries SET note = 'x' WHERE account_id = {id} AND number = 2"),
            "entry 2: its content was altered",
        ),
        (
            "kind",
            format!("UPDATE entries SET kind = 'gift' WHERE account_id = {id} AND number = 4"),
            "entry 4: its content was altered",
        ),
        (
            "deleted",
            format!("DELETE FROM entries WHERE account_id = {id} AND number = 3"),
            "entry 3: it is missing, entry 4 stands in its place",
        ),
        ("swapped", swap, "entry 2: its content was altered"),
        (
            "tail cut",
            format!("DELETE FROM entries WHERE account_id = {id} AND number > 3"),
            "entry 4: the books end before it, but the account or an anchor knows it",
        ),
        (
            "balance",
            format!("UPDATE accounts SET balance = balance + 1 WHERE id = {id}"),
            "entry 5: the account's balance or head is not that of its last entry",
        ),
    ];
    assert_eq!(ledger::verify(&store).await.unwrap(), ledger::Verdict { entries: 6, breach: None });
    for table in ["entries", "accounts"] {
        by_hand(&store, &format!("CREATE TABLE kept_{table} AS SELECT * FROM {table}")).await;
    }
    for (what, sql, told) in hands {
        by_hand(&store, &sql).await;
        let (breach, name) = ledger::verify(&store).await.unwrap().breach.expect(what);
        assert_eq!((breach.to_string(), name.as_deref()), (format!("account {id}, {told}"), Some("anna")), "{what}");
        by_hand(&store, "DELETE FROM entries").await;
        by_hand(&store, "INSERT INTO entries SELECT * FROM kept_entries").await;
        let heal = "UPDATE accounts SET balance = (SELECT k.balance FROM kept_accounts k WHERE k.id = accounts.id)";
        by_hand(&store, heal).await;
    }
    assert_eq!(ledger::verify(&store).await.unwrap().breach, None);
}

async fn an_anchor_knows_the_tail(store: Store) {
    let mut counter = Counter::new(&store).await;
    let anna = counter.account("anna", "10.00").await;
    counter.credit(anna, "5.00", EntryKind::Credit).await;
    assert!(ledger::anchor(&store).await.unwrap());
    assert!(!ledger::anchor(&store).await.unwrap(), "once a day");
    assert_eq!(ledger::verify(&store).await.unwrap().breach, None);
    // A careful hand: the last entry goes, and the account is put right to match.
    let id = anna.0;
    by_hand(&store, &format!("DELETE FROM entries WHERE account_id = {id} AND number = 2")).await;
    let head = "(SELECT e.hash FROM entries e WHERE e.account_id = accounts.id AND e.number = 1)";
    let sql = format!("UPDATE accounts SET balance = 10000000, entries = 1, head = {head} WHERE id = {id}");
    by_hand(&store, &sql).await;
    let (breach, _) = ledger::verify(&store).await.unwrap().breach.expect("the anchor tells");
    assert!(breach.to_string().ends_with("entry 2: the books end before it, but the account or an anchor knows it"));
}

async fn by_hand(store: &Store, sql: &str) {
    let writing = store.begin().await.unwrap();
    writing.execute_unprepared(sql).await.unwrap();
    writing.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_locked_file_is_busy_and_then_serves_again() {
    let house = crate::testing::sqlite().await;
    let mut counter = Counter::new(&house.store).await;
    let anna = counter.account("anna", "10.00").await;
    let intruder = rusqlite::Connection::open(house.store.file().unwrap()).unwrap();
    intruder.execute_batch("BEGIN IMMEDIATE").unwrap();
    let now = counter.now;
    let error = counter.all(&[hold(1, anna, NODE, now)]).await.unwrap_err();
    assert!(matches!(error, Error::Busy) && error.is_outage(), "{error}");
    intruder.execute_batch("ROLLBACK").unwrap();
    assert!(matches!(counter.all(&[hold(1, anna, NODE, now)]).await.unwrap()[0], Outcome::Held(_)));
}
