//! What memory costs on the embedded database: CPU time per paid call on the Ledger's thread, and how long a start takes to read
//! a hundred thousand users and bindings. `cargo bench -p tollgate-store`; a number as argument changes the hundred thousand.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "it prints what it measured, and stops where it cannot")]

use std::time::Instant;

use tollgate_billing::hold::{Holder, NodeLife};
use tollgate_billing::ledger::{Answered, Credit, EntryKind, Hold, LevelQuote, LineAsk, Settle, What};
use tollgate_billing::policy::Rules;
use tollgate_billing::price::{Price, PricePlan};
use tollgate_billing::{Ask, AskKey, CallKind, Cdr};
use tollgate_routing::Ha1s;
use tollgate_store::book::sqlite::Book;
use tollgate_store::registrations::{self, Row};
use tollgate_store::users::{self, NewSecret, Payer, UserTerms};
use tollgate_store::{By, Options, Store, accounts, directory};
use tollgate_types::{AccountId, CallId, ConnId, Currency, Flow, Mono, Transport, UserId, Wall};

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let store = runtime.block_on(Store::open(Options::embedded(folder.path()))).unwrap();
    let many = std::env::args().filter_map(|word| word.parse().ok()).next().unwrap_or(100_000);
    runtime.block_on(start_up(&store, many));
    let accounts: Vec<AccountId> = (0..100).map(|n| runtime.block_on(account(&store, n))).collect();
    let mut book = Book::open(&store).unwrap();
    for (calls, batch) in [(2_000, 1), (10_000, 20)] {
        calls_cost(&mut book, &accounts, calls, batch);
    }
    drop(book);
    runtime.block_on(store.close()).unwrap();
}

fn by() -> By {
    By { who: "bench".into(), at: now() }
}

fn now() -> Wall {
    Wall::from_secs(1_795_341_600)
}

async fn account(store: &Store, n: i64) -> AccountId {
    accounts::create(store, &by(), &format!("payer{n}"), &accounts::Terms::default()).await.unwrap()
}

async fn start_up(store: &Store, many: usize) {
    let ha1 = Ha1s { md5: [1; 16], sha256: [2; 32], sha512_256: [3; 32] };
    let began = Instant::now();
    let names: Vec<usize> = (0..many).collect();
    let mut ids: Vec<UserId> = Vec::with_capacity(many);
    for part in names.chunks(1000) {
        let secret = || NewSecret { realm: "voip.test".into(), ha1 };
        let new = |n: &usize| (UserTerms::new(&format!("user{n}")), Payer::Own(Box::default()), Some(secret()));
        let made = users::create_all(store, &by(), part.iter().map(new).collect()).await.unwrap();
        ids.extend(made.into_iter().map(|row| row.id));
    }
    println!("{many} users imported in {} ms", began.elapsed().as_millis());
    let began = Instant::now();
    let changes = directory::load(store, "voip.test", None).await.unwrap().changes;
    println!("{} rows of the directory read in {} ms", changes.len(), began.elapsed().as_millis());

    let flow = Flow {
        transport: Transport::Udp,
        local: "192.0.2.1:5060".parse().unwrap(),
        peer: "198.51.100.7:40000".parse().unwrap(),
        conn: ConnId(0),
    };
    let row = |user: &UserId| Row {
        user: *user,
        number: 1,
        flow,
        contact: format!("sip:user{user}@192.168.0.7:5060;transport=udp;ob"),
        instance: "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6".into(),
        reg_id: Some(1),
        call_id: "3848276298220188511@192.168.178.23".into(),
        cseq: 4711,
        user_agent: "Some Phone 6.1.2".into(),
        paths: String::new(),
        q: 1000,
        since: now(),
        refreshed_at: now(),
        expires_at: Wall::from_secs(1_795_345_200),
    };
    let put: Vec<_> = ids.iter().map(|user| registrations::Change::Put(row(user))).collect();
    let began = Instant::now();
    registrations::write(store, &put).await.unwrap();
    println!("{many} bindings written in {} ms", began.elapsed().as_millis());
    let expires_at = Wall::from_secs(1_795_348_800);
    let refresh = |user: &UserId| registrations::Change::Expiry { user: *user, number: 1, expires_at };
    let refreshed: Vec<_> = ids.iter().map(refresh).collect();
    let began = Instant::now();
    registrations::write(store, &refreshed).await.unwrap();
    println!("{many} bindings refreshed in {} ms", began.elapsed().as_millis());
    let began = Instant::now();
    let count = registrations::load(store, now(), |_| {}).await.unwrap();
    println!("{count} bindings read in {} ms", began.elapsed().as_millis());
}

/// Hold, answer, settle with its record: CPU time of this thread, which does all of it.
fn calls_cost(book: &mut Book, accounts: &[AccountId], calls: i64, batch: usize) {
    let rules = Rules::default();
    let base = calls * 1_000_000;
    let credits: Vec<Ask> = accounts.iter().zip(0..).map(|(account, n)| credit(base + calls + n, *account)).collect();
    book.commit(&rules, &credits, now()).unwrap();
    let numbers: Vec<i64> = (1..=calls).collect();
    let (began, cpu) = (Instant::now(), cpu_nanos());
    for part in numbers.chunks(batch) {
        let payer = |call: i64| accounts[call as usize % accounts.len()];
        let stages: [Vec<Ask>; 3] = [
            part.iter().map(|call| hold(base + call, payer(*call))).collect(),
            part.iter().map(|call| answered(base + call)).collect(),
            part.iter().map(|call| settle(base + call, payer(*call))).collect(),
        ];
        for asks in stages {
            book.commit(&rules, &asks, now()).unwrap();
        }
    }
    let (wall, cpu) = (began.elapsed(), cpu_nanos() - cpu);
    println!(
        "{calls} paid calls, {batch} in a transaction: {} us of CPU and {} us in all for each",
        cpu / 1000 / calls as u64,
        wall.as_micros() / calls as u128
    );
}

fn cpu_nanos() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse().unwrap()
}

fn ask(call: i64, sequence: u32, what: What) -> Ask {
    Ask { key: AskKey { call: CallId::from_i64(call), paid_leg: 0, sequence }, give_up_at: Mono::NEVER, what }
}

fn credit(call: i64, account: AccountId) -> Ask {
    let amount = "1000".parse().unwrap();
    let kind = EntryKind::Credit;
    ask(call, 0, What::Credit(Credit { account, amount, kind, note: String::new(), force: false }))
}

fn draft(call: i64, account: AccountId) -> Box<Cdr> {
    let mut draft = Box::new(Cdr::begin(CallId::from_i64(call), 0, CallKind::Outbound, now()));
    (draft.user, draft.account) = (Some(format!("payer{account}")), Some(account));
    (draft.caller, draft.callee) = ("3612345678".into(), "491711234567".into());
    (draft.source_ip, draft.trunk_out) = (Some([192, 0, 2, 1].into()), Some("carrier".into()));
    draft
}

fn hold(call: i64, account: AccountId) -> Ask {
    let price = Price { first: 60, next: 6, ..Price::per_minute("0.012".parse().unwrap()) };
    let levels = vec![LevelQuote { account, currency: Currency::USD, plan: PricePlan::flat(price) }];
    let lines = vec![LineAsk { holder: Holder::User(UserId(account.0)), max: Some(500), setting: "lines.max" }];
    let node = NodeLife { node: 0, life: 1 };
    let (draft, dialogs) = (draft(call, account), vec![7; 300]);
    ask(call, 0, What::Hold(Box::new(Hold { node, emergency: false, levels, lines, source: None, draft, dialogs })))
}

fn answered(call: i64) -> Ask {
    ask(call, 1, What::Answered(Box::new(Answered { at: now(), buy: None, trunk_out: None, dialogs: vec![7; 600] })))
}

fn settle(call: i64, account: AccountId) -> Ask {
    let mut cdr = draft(call, account);
    (cdr.answered_at, cdr.talk_ms) = (Some(now()), 30_000);
    cdr.ended_at = now() + std::time::Duration::from_secs(30);
    ask(call, 2, What::Settle(Box::new(Settle { cdr, buy: None })))
}
