//! A random mix of calls, payments, crashes and turning days leaves counters that are those of the records. On both engines.

use std::time::Duration;

use tollgate_billing::account::{AccountKind, AccountTerms, Mode};
use tollgate_billing::cdr::Status;
use tollgate_billing::hold::{Holder, NodeLife};
use tollgate_billing::ledger::{Answered, Credit, EntryKind, Extend, Hold, LevelQuote, LineAsk, Recover, Settle, What};
use tollgate_billing::policy::Rules;
use tollgate_billing::price::{Price, PricePlan};
use tollgate_billing::{Ask, AskKey, CallKind, Cause, Cdr, Outcome};
use tollgate_types::{AccountId, CallId, Currency, Money, Mono, TrunkId, UserId, Wall};

use super::repair;
use crate::accounts::{self, Terms};
use crate::book::Book;
use crate::ledger;
use crate::open::Store;
use crate::testing::{both, by};

both!(counters_agree_with_the_records_after_a_random_mix);

const STEPS: usize = 400;
/// The mix begins so long ago and ends now: two midnights wherever an account lives.
const BEFORE: Duration = Duration::from_secs(2 * 86_400);

/// The same seed throws the same numbers (SplitMix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}

/// A live call as its shard would know it.
struct Live {
    call: i64,
    sequence: u32,
    answered_at: Option<Wall>,
    draft: Box<Cdr>,
}

fn ask(call: i64, sequence: u32, what: What) -> Ask {
    Ask { key: AskKey { call: CallId::from_i64(call), paid_leg: 0, sequence }, give_up_at: Mono::NEVER, what }
}

/// A reseller and three customers of his, in different zones and modes.
async fn accounts(store: &Store) -> Vec<AccountId> {
    let mut ids = Vec::new();
    for (name, zone, mode) in [
        ("boss", "UTC", Mode::Prepaid),
        ("anna", "Europe/Budapest", Mode::Prepaid),
        ("bob", "America/New_York", Mode::Postpaid),
        ("carol", "Asia/Kathmandu", Mode::Prepaid),
    ] {
        let account = AccountTerms {
            kind: if ids.is_empty() { AccountKind::Reseller } else { AccountKind::EndUser },
            parent: ids.first().copied(),
            zone: zone.parse().unwrap(),
            mode,
            daily_limit: Some("30".parse().unwrap()).filter(|_| !ids.is_empty()),
            ..AccountTerms::default()
        };
        ids.push(accounts::create(store, &by(1), name, &Terms { account, ..Terms::default() }).await.unwrap());
    }
    ids
}

fn price(dice: &mut Dice) -> PricePlan {
    let rate = ["0.60", "0.0713", "1.20", "0"][dice.below(4) as usize];
    let (first, next) = [(1, 1), (60, 6), (30, 30)][dice.below(3) as usize];
    let setup_fee = Money::from_micros([0, 12_345][dice.below(2) as usize]);
    PricePlan::flat(Price { first, next, setup_fee, ..Price::per_minute(rate.parse().unwrap()) })
}

fn hold(dice: &mut Dice, call: i64, accounts: &[AccountId], now: Wall) -> (Ask, Box<Cdr>) {
    let payer = 1 + dice.below(3) as usize;
    let mut draft = Box::new(Cdr::begin(CallId::from_i64(call), 0, CallKind::Outbound, now));
    (draft.account, draft.user_id) = (Some(accounts[payer]), Some(UserId(payer as i64)));
    draft.source_ip = Some([192, 0, 2, dice.below(4) as u8].into());
    let level = |account, plan| LevelQuote { account, currency: Currency::USD, plan };
    let plan = price(dice);
    let hold = Hold {
        node: NodeLife { node: 0, life: 1 },
        emergency: false,
        levels: vec![level(accounts[payer], plan.clone()), level(accounts[0], plan)],
        lines: vec![LineAsk { holder: Holder::User(UserId(payer as i64)), max: Some(20), setting: "user.max_lines" }],
        source: draft.source_ip,
        draft: draft.clone(),
        dialogs: Vec::new(),
    };
    (ask(call, 0, What::Hold(Box::new(hold))), draft)
}

fn settle(live: &Live, now: Wall) -> Ask {
    let mut cdr = live.draft.clone();
    (cdr.answered_at, cdr.ended_at, cdr.cause) = (live.answered_at, now, Cause::Normal);
    cdr.talk_ms = live.answered_at.map_or(0, |at| now.since(at).as_millis() as u64);
    cdr.status = if live.answered_at.is_some() { Status::Answered } else { Status::Failed };
    if live.answered_at.is_some() {
        (cdr.trunk_out_id, cdr.trunk_out) = (Some(TrunkId(5)), Some("out".into()));
    }
    ask(live.call, 9999, What::Settle(Box::new(Settle { cdr, buy: None })))
}

async fn counters_agree_with_the_records_after_a_random_mix(store: Store) {
    let seed = u64::from(std::process::id());
    let mut dice = Dice(seed);
    let mut rules = Rules::default();
    rules.policy.ip.calls_max = Some(1_000_000);
    let accounts = accounts(&store).await;
    let mut book = Book::open(&store).await.unwrap();
    let end = store.now().await.unwrap();
    let mut now = end - BEFORE;
    let step = BEFORE / STEPS as u32;
    let (mut live, mut last, mut admitted): (Vec<Live>, i64, u32) = (Vec::new(), 0, 0);
    for turn in 0..STEPS {
        // Several asks ride in one transaction, each about another call.
        let mut asks = Vec::new();
        for account in accounts.iter().filter(|_| turn % 100 == 0) {
            let amount = Money::from_micros(10_000_000 + dice.below(60_000_000) as i64);
            let credit =
                Credit { account: *account, amount, kind: EntryKind::Credit, note: String::new(), force: false };
            asks.push(ask((1 << 40) + turn as i64 * 10 + account.0, 0, What::Credit(credit)));
        }
        let mut begun = Vec::new();
        for _ in 0..dice.below(4) {
            last += 1;
            let (hold, draft) = hold(&mut dice, last, &accounts, now);
            asks.push(hold);
            begun.push((asks.len() - 1, Live { call: last, sequence: 0, answered_at: None, draft }));
        }
        let mut over = Vec::new();
        for (place, call) in live.iter_mut().enumerate() {
            call.sequence += 1;
            let what = match (dice.below(6), call.answered_at) {
                (0..=2, None) => {
                    call.answered_at = Some(now);
                    let trunk_out = Some((TrunkId(5), "out".to_owned()));
                    What::Answered(Box::new(Answered { at: now, buy: None, trunk_out, dialogs: Vec::new() }))
                }
                (0..=2, Some(answered_at)) => What::Extend(Extend { answered_at }),
                (3..=4, _) => {
                    over.push(place);
                    asks.push(settle(call, now));
                    continue;
                }
                _ => continue,
            };
            asks.push(ask(call.call, call.sequence, what));
        }
        let outcomes = book.commit(&rules, &asks, now).await.unwrap();
        let impossible = outcomes.iter().find(|outcome| matches!(outcome, Outcome::Impossible(_)));
        assert_eq!(impossible, None, "seed {seed}");
        over.into_iter().rev().for_each(|place| drop(live.swap_remove(place)));
        for (place, call) in begun {
            if matches!(outcomes[place], Outcome::Held(_)) {
                admitted += 1;
                live.push(call);
            }
        }
        if dice.below(60) == 0 {
            let proven_until = now - Duration::from_secs(dice.below(40));
            let crash = |call: Live| ask(call.call, 10_000, What::Recover(Recover { proven_until }));
            let asks: Vec<Ask> = live.drain(..).map(crash).collect();
            book.commit(&rules, &asks, now).await.unwrap();
        }
        if turn % 80 == 79 {
            assert_eq!(repair(&store, &by(1), &rules, true).await.unwrap(), [], "seed {seed}, turn {turn}");
        }
        // Now and then hours pass, else seconds.
        now = if dice.below(8) == 0 { now + step * 7 } else { now + Duration::from_millis(dice.below(20_000)) };
        now = now.min(end);
    }
    assert!(admitted * 2 > last as u32 && last > 400, "seed {seed}: {admitted} of {last} calls were admitted");
    for call in live {
        book.commit(&rules, &[settle(&call, now)], now).await.unwrap();
    }
    assert_eq!(repair(&store, &by(1), &rules, true).await.unwrap(), [], "seed {seed}");
    assert_eq!(ledger::verify(&store).await.unwrap().breach, None, "seed {seed}");
}
