use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use tollgate_billing::account::AccountTerms;
use tollgate_billing::calendar::{Calendar, Timeline, Zone};
use tollgate_billing::cdr::{CallKind, Verdict};
use tollgate_billing::currency::RateTable;
use tollgate_billing::deck::{Band, Deck, DeckKind, DeckRow, DeckVersion};
use tollgate_billing::hold::Holder;
use tollgate_billing::price::Price;
use tollgate_guard::caller::{self, CallerBan};
use tollgate_guard::fraud::{Attempt, Block, Score, Standing};
use tollgate_routing::directory::{Change, Directory};
use tollgate_routing::emergency::Emergencies;
use tollgate_routing::lcr::Health;
use tollgate_routing::{Account, AuthMode, Did, DidNumbers, DidUri, Domains, Egress, Ingress, Route, User};
use tollgate_settings::{Literal, Value, Values};
use tollgate_types::*;

use super::*;
use crate::party::{Claim, Party, Target};

const NOW: Wall = Wall::from_secs(1_800_000_000);

fn deck(id: i64, kind: DeckKind, rows: &[(&str, &str)]) -> Arc<DeckVersion> {
    let calendar = Arc::new(Calendar::new(vec![], vec![]).unwrap());
    let head = Deck { id: DeckId(id), name: "deck".into(), kind, currency: Currency::USD, zone: Zone::UTC, version: 1 };
    let rows = rows.iter().map(|(prefix, rate)| DeckRow {
        prefix: prefix.parse().unwrap(),
        destination: format!("to {prefix}"),
        price: Price::per_minute(rate.parse().unwrap_or(Rate::ZERO)),
        band: Band::All,
        effective_from: None,
        blocked: *rate == "blocked",
    });
    Arc::new(DeckVersion::new(head, rows.collect(), Arc::new(Timeline::new(calendar, Zone::UTC, NOW))))
}

fn directory() -> Directory {
    let seed = Seed([1; 4]);
    let account = |id: i64, disabled: bool| {
        Change::Account(Account {
            id: AccountId(id),
            name: format!("account{id}").into(),
            owner: None,
            terms: Arc::new(AccountTerms { disabled, ..AccountTerms::default() }),
            deck: Some(DeckId(1)),
            local_only: id == 4,
            main_number: None,
        })
    };
    let user = |id: i64, name: &str, caller_id: Option<&str>, enabled: bool| {
        let mut user = User::new(UserId(id), name, AccountId(id));
        user.caller_id = caller_id.map(|number| number.parse().unwrap());
        user.enabled = enabled;
        user.extension = Some(format!("10{id}").into());
        Change::User(user)
    };
    let mut did_carrier = Ingress::new(TrunkId(1), "didcarrier", AuthMode::Ip);
    did_carrier.default_number = None;
    let mut wholesaler = Ingress::new(TrunkId(2), "wholesaler", AuthMode::Ip);
    wholesaler.account = Some(AccountId(1));
    wholesaler.prefix = "99#".into();
    let mut carrier = Egress::new(TrunkId(11), "carrier", "192.0.2.50".parse().unwrap());
    carrier.deck = Some(DeckId(2));
    carrier.assert_identity = true;
    let route = |id: i64, prefix: &str, emergency: bool| Route {
        id: RouteId(id),
        prefix: prefix.parse().unwrap(),
        trunk: TrunkId(11),
        priority: 1,
        weight: 0,
        band: tollgate_routing::Band::All,
        emergency,
        enabled: true,
    };
    Directory::new(seed, Domains::new("example.com", [], seed), None).with([
        account(1, false),
        account(2, false),
        account(3, true),
        account(4, false),
        user(1, "alice", Some("36301111111"), true),
        user(2, "bob", None, true),
        user(3, "carol", None, true),
        user(4, "dave", None, true),
        user(5, "eve", None, false),
        Change::Did(Did {
            id: DidId(1),
            numbers: DidNumbers::One("3612345678".parse().unwrap()),
            user: UserId(2),
            inbound_deck: None,
            uri: DidUri::Number,
            enabled: true,
        }),
        Change::Ingress(did_carrier),
        Change::Ingress(wholesaler),
        Change::Egress(carrier),
        Change::Routes(vec![route(1, "44", false), route(2, "43", false), route(3, "979", false), route(4, "", true)]),
    ])
}

/// Who is suspected of what.
#[derive(Default)]
struct Watch {
    bans: BTreeMap<String, Arc<CallerBan>>,
    fraud: Option<Standing>,
    asked: RefCell<Vec<Attempt>>,
}

impl Watch {
    fn standing(&self, _: AccountId, attempt: &Attempt) -> Standing {
        self.asked.borrow_mut().push(attempt.clone());
        self.fraud.clone().unwrap_or_else(|| Standing::Clear(Score::default()))
    }
}

fn judged(who: Party, dialled: &str, change: impl FnOnce(&mut PlanAsk)) -> Admission {
    judged_at(&directory(), &Watch::default(), &Values::default(), false, who, dialled, change)
}

fn judged_in(directory: &Directory, values: &Values, night: bool, who: Party, dialled: &str) -> Admission {
    judged_at(directory, &Watch::default(), values, night, who, dialled, |_| {})
}

fn judged_under(
    watch: &Watch,
    values: &Values,
    who: Party,
    dialled: &str,
    change: impl FnOnce(&mut PlanAsk),
) -> Admission {
    judged_at(&directory(), watch, values, false, who, dialled, change)
}

fn judged_at(
    directory: &Directory,
    watch: &Watch,
    values: &Values,
    night: bool,
    who: Party,
    dialled: &str,
    change: impl FnOnce(&mut PlanAsk),
) -> Admission {
    let (sell, buy) =
        (deck(1, DeckKind::Sell, &[("44", "0.02"), ("979", "blocked")]), deck(2, DeckKind::Buy, &[("4", "0.01")]));
    let find = |id: DeckId| Some(if id == DeckId(1) { sell.clone() } else { buy.clone() });
    let emergencies = Emergencies::from_values(values);
    let facts = Facts {
        directory,
        values,
        emergencies: &emergencies,
        deck: &find,
        rates: &RateTable::default(),
        currency: Currency::USD,
        peak: true,
        offpeak: &|_| night,
        load: super::Load::default(),
        health: &|_| Health::FINE,
        devices: &|user| (user == UserId(4)).then_some(0),
        caller_ban: &|subject| watch.bans.get(&subject.to_string()).cloned(),
        fraud: &|account, attempt| watch.standing(account, attempt),
        draw: 7,
        now: Mono::START,
        wall: NOW,
    };
    let mut ask = PlanAsk {
        kind: CallKind::Internal,
        payer: who.clone(),
        source: "198.51.100.1".parse().unwrap(),
        dialled: dialled.into(),
        to: dialled.into(),
        claim: Claim { user: "alice".into(), display: "Ali\r\nce".into(), asserted: None, withheld: false },
        caller: who,
        local_only: false,
    };
    change(&mut ask);
    judge(&ask, &facts)
}

fn user(id: i64) -> Party {
    Party::User { user: UserId(id), account: AccountId(id), name: format!("user{id}").into() }
}

fn trunk(id: i64, account: Option<i64>) -> Party {
    Party::Trunk { trunk: TrunkId(id), account: account.map(AccountId), name: "trunk".into() }
}

#[test]
fn who_may_call_whom() {
    //   who                     dialled                               verdict, and how it is paid
    for (who, dialled, verdict) in [
        (user(1), "sip:bob@example.com", "internal free"),
        (user(1), "sip:102@example.com", "internal free"),
        (user(1), "sip:442012345678@example.com", "outbound 0.020000000"),
        (user(1), "sip:432012345678@example.com", "no_price"),
        (user(1), "sip:97912345678@example.com", "destination_blocked"),
        (user(1), "sip:3312345678@example.com", "no_route"),
        (user(1), "sip:3612345678@example.com", "internal free"),
        (user(1), "sip:nobody@example.com", "user_unknown"),
        (user(1), "sip:bob@elsewhere.example", "foreign_domain"),
        (user(1), "sip:alice@example.com", "self_call"),
        (user(1), "sip:eve@example.com", "user_unknown"),
        (user(1), "sip:dave@example.com", "user_offline"),
        (user(1), "sip:112@example.com", "emergency free"),
        (user(3), "sip:bob@example.com", "account_disabled"),
        (user(3), "sip:112@example.com", "emergency free"),
        (user(4), "sip:442012345678@example.com", "local_only"),
        (user(5), "sip:bob@example.com", "user_disabled"),
        (user(9), "sip:bob@example.com", "not_authorised"),
        (trunk(1, None), "sip:3612345678@example.com", "inbound free"),
        (trunk(1, None), "sip:442012345678@example.com", "user_unknown"),
        (trunk(2, Some(1)), "sip:99#442012345678@example.com", "outbound 0.020000000"),
    ] {
        let admission = judged(who, dialled, |_| {});
        let got = match &admission.verdict {
            Err(refusal) => refusal.rule.id().to_owned(),
            Ok(plan) if plan.is_free() => format!("{} free", plan.kind),
            Ok(plan) => format!("{} {}", plan.kind, plan.price_per_minute),
        };
        assert_eq!(got, verdict, "{dialled}");
        if admission.verdict.is_err() {
            let last = admission.trace.last().unwrap();
            assert_eq!((last.verdict, last.rule.id()), (Verdict::Refuse, verdict), "the trace ends with the refusal");
        } else {
            assert!(admission.trace.iter().all(|row| row.verdict != Verdict::Refuse));
            assert_eq!(admission.trace.len(), RULES.len(), "every rule has a row");
        }
    }
}

#[test]
fn a_user_name_never_reaches_a_carrier() {
    for (claim, withheld, from, asserted) in [
        ("alice", false, "36301111111", Some("36301111111")),
        ("36709999999", false, "36301111111", Some("36301111111")),
        ("+36301111111", false, "36301111111", Some("36301111111")),
        ("alice", true, "anonymous", Some("36301111111")),
    ] {
        let admission = judged(user(1), "sip:442012345678@example.com", |ask| {
            ask.claim.user = claim.into();
            ask.claim.withheld = withheld;
        });
        let plan = admission.verdict.unwrap();
        let identity = &plan.candidates[0].identity;
        assert_eq!(
            (&*identity.user, identity.asserted.as_deref(), identity.withheld),
            (from, asserted, withheld),
            "{claim}"
        );
        assert!(identity.display.is_empty());
        assert!(plan.candidates[0].buy.is_some());
    }
    // Bob has no number at all: nobody is shown rather than his name.
    let plan = judged(user(2), "sip:442012345678@example.com", |_| {}).verdict.unwrap();
    assert_eq!((&*plan.candidates[0].identity.user, plan.candidates[0].identity.withheld), ("anonymous", true));
    // A device of ours sees what it can call back, without control characters.
    let plan = judged(user(1), "sip:bob@example.com", |_| {}).verdict.unwrap();
    assert_eq!((&*plan.candidates[0].identity.user, &*plan.candidates[0].identity.display), ("101", "Alice"));
}

#[test]
fn numbers_of_ours_reach_their_user_with_the_number_where_a_pbx_wants_it() {
    let admission = judged(trunk(1, None), "sip:3612345678@example.com", |ask| ask.claim.user = "+442012345678".into());
    assert_eq!((&*admission.caller, &*admission.callee), ("442012345678", "3612345678"));
    assert_eq!(admission.payer, Some((UserId(2), "bob".into(), AccountId(2))), "the callee's record");
    let plan = admission.verdict.unwrap();
    let Target::User { number, .. } = &plan.candidates[0].target else { panic!("a user") };
    assert_eq!(number.as_deref(), Some("3612345678"));
    assert_eq!(
        plan.lines.iter().map(|line| line.holder).collect::<Vec<_>>(),
        [Holder::Trunk(TrunkId(1)), Holder::User(UserId(2))]
    );
}

#[test]
fn who_sends_a_call_on_keeps_the_line_he_has() {
    let plan = judged(user(1), "sip:442012345678@example.com", |ask| ask.kind = CallKind::Redirect).verdict.unwrap();
    assert!(plan.lines.is_empty());
    assert_eq!(plan.kind, CallKind::Redirect);
    let refused = judged(user(1), "sip:442012345678@example.com", |ask| ask.local_only = true);
    assert_eq!(refused.verdict.unwrap_err().rule, Rule::LocalOnly);
}

#[test]
fn lines_follow_the_hour_where_the_account_lives() {
    use tollgate_settings::rows::call::{LINES_ENDUSER, LINES_ENDUSER_OFFPEAK};
    let directory = directory();
    let class = Values::default()
        .with(&LINES_ENDUSER, tollgate_settings::Value::Integer(4))
        .with(&LINES_ENDUSER_OFFPEAK, tollgate_settings::Value::Integer(3));
    //  lines, off-peak lines, is it off-peak, so many, and what says so
    for (max, offpeak, night, most, setting) in [
        (Some(7), None, false, Some(7), "user.max_lines"),
        (Some(7), Some(2), false, Some(7), "user.max_lines"),
        (Some(7), Some(2), true, Some(2), "user.max_lines_offpeak"),
        (Some(7), None, true, Some(7), "user.max_lines"),
        (None, Some(2), true, Some(2), "user.max_lines_offpeak"),
        (None, Some(2), false, Some(4), "lines.enduser"),
        (None, None, true, Some(3), "lines.enduser_offpeak"),
        (None, None, false, Some(4), "lines.enduser"),
    ] {
        let mut alice = User::clone(directory.user(UserId(1)).unwrap());
        (alice.max_lines, alice.max_lines_offpeak) = (max, offpeak);
        let directory = directory.with([Change::User(alice)]);
        let admission = judged_in(&directory, &class, night, user(1), "sip:442012345678@example.com");
        let lines = admission.verdict.unwrap().lines;
        assert_eq!((lines[0].max, lines[0].setting), (most, setting), "{max:?} {offpeak:?} {night}");
    }
}

#[test]
fn a_banned_caller_is_refused_and_others_on_his_trunk_are_not() {
    let ban = CallerBan {
        observed: "0 % of 20 calls answered".into(),
        limit: "5 %".into(),
        setting: caller::ASR.name,
        since: NOW,
        until: NOW,
    };
    let watch = Watch {
        bans: ["user 1 alice", "trunk 2 442011111111", "address 198.51.100.1"]
            .map(|subject| (subject.to_owned(), Arc::new(ban.clone())))
            .into(),
        ..Watch::default()
    };
    let with = |mode| Values::default().with(&caller::AUTOBAN, Value::from(Literal::Word(mode)));
    //   mode, who, from address, shown number, dialled, refused
    for (mode, who, address, shown, dialled, refused) in [
        ("number", user(1), "192.0.2.1", "alice", "442012345678", true),
        ("number", user(1), "192.0.2.1", "36709999999", "442012345678", true), // another number shown is no way round
        ("number", user(1), "192.0.2.1", "alice", "bob", false),
        ("number", user(1), "192.0.2.1", "alice", "112", false),
        ("off", user(1), "192.0.2.1", "alice", "442012345678", false),
        ("number", user(2), "198.51.100.1", "bob", "442012345678", false),
        ("number+ip", user(2), "198.51.100.1", "bob", "442012345678", true),
        ("number+ip", user(2), "::ffff:198.51.100.1", "bob", "442012345678", true),
        ("number", trunk(2, Some(1)), "198.51.100.1", "442011111111", "99#442012345678", true),
        ("number+ip", trunk(2, Some(1)), "198.51.100.1", "442011111112", "99#442012345678", false),
        ("number+ip", trunk(1, None), "198.51.100.1", "442011111111", "3612345678", false), // shown on another trunk
    ] {
        let admission = judged_under(&watch, &with(mode), who, &format!("sip:{dialled}@example.com"), |ask| {
            ask.source = address.parse().unwrap();
            ask.claim.user = shown.into();
        });
        let got = admission.verdict.err().map(|refusal| (refusal.rule, refusal.setting.clone(), refusal.text()));
        let words = "calls from here went too badly of late: 0 % of 20 calls answered; usual is 5 %".to_owned();
        let expected = refused.then(|| (Rule::CallerBanned, Some(caller::ASR.name.into()), words));
        assert_eq!(got, expected, "{mode} {shown} {dialled}");
    }
}

#[test]
fn an_account_under_suspicion_is_refused_with_the_reasons_and_may_call_for_help() {
    let block = Block { since: NOW, until: None, reason: "110 points: 9 of 9 numbers in a row (30)".into() };
    let watch = Watch { fraud: Some(Standing::Blocked(Arc::new(block))), ..Watch::default() };
    for (dialled, refused) in [("442012345678", true), ("bob", false), ("112", false), ("3612345678", false)] {
        let admission =
            judged_under(&watch, &Values::default(), user(1), &format!("sip:{dialled}@example.com"), |_| {});
        assert_eq!(admission.verdict.as_ref().err().map(|refusal| refusal.rule), refused.then_some(Rule::Fraud));
        let text = admission.verdict.err().map(|refusal| refusal.text());
        let words =
            "this looks like fraud: 110 points: 9 of 9 numbers in a row (30); calls are blocked from 100 points on";
        assert_eq!(text.as_deref(), refused.then_some(words), "{dialled}");
    }
    let asked = watch.asked.into_inner();
    assert_eq!(asked.len(), 1, "only calls that leave by a carrier are scored");
    assert_eq!(asked[0].price, "0.02".parse::<Rate>().unwrap());
}

#[test]
fn a_passed_call_carries_its_score_in_the_trace() {
    let row = |watch: &Watch, shown: &str| {
        let admission = judged_under(watch, &Values::default(), user(1), "sip:442012345678@example.com", |ask| {
            ask.claim.user = shown.into()
        });
        let row = admission.trace.iter().find(|row| row.rule == Rule::Fraud).cloned().unwrap();
        (row.setting, row.observed, row.limit)
    };
    let watch = Watch::default();
    assert_eq!(row(&watch, "alice"), (Some("fraud.block_at".into()), "0 points".into(), "100".into()));
    row(&watch, "36301111111");
    row(&watch, "+36709999999");
    row(&watch, "36709999999");
    let foreign: Vec<u64> = watch.asked.into_inner().iter().map(|attempt| attempt.foreign).collect();
    assert_eq!(foreign[..2], [0, 0], "his own name and number");
    assert!(foreign[2] != 0 && foreign[2] == foreign[3], "the same number however it is written");
}
