use tollgate_billing::calendar::Zone;
use tollgate_billing::cdr::{CallKind, LevelCharge, Status};
use tollgate_billing::ledger::What;
use tollgate_store::users;
use tollgate_types::{CallId, Currency, E164, Refusal};

use super::super::testing::Desk;
use super::*;

const MINUTE: u64 = 60;
const HOUR: u64 = 3600;
const DAY: u64 = 86_400;

/// anna and bob may call +36 at 0.60 and +252 at 0.90; what follows happens over a day and a half.
async fn desk() -> Desk {
    let desk = Desk::new().await;
    desk.file("sell.csv", "prefix,price_per_minute\n36,0.60\n252,0.90\n");
    for words in [
        // What happened is what these settings allow.
        "config set credit.dynamic.enabled off",
        "deck import sell sell.csv",
        "trunk add out --egress --address 192.0.2.9",
        "route add --prefix 36 --trunk out",
        "route add --prefix 252 --trunk out",
        "user add anna --prepaid --credit 900 --deck sell --country HU",
        "user add bob --prepaid --credit 900 --deck sell --country HU",
    ] {
        desk.ask(words).await.unwrap_or_else(|error| panic!("{words}: {error}"));
    }
    desk
}

/// The midnight before the desk's day.
fn begin(desk: &Desk) -> Wall {
    Zone::UTC.start_of(Zone::UTC.day_of(desk.ops.clock.wall()))
}

/// A call that began `after` seconds from midnight and lasted so many minutes, on the books.
async fn called(desk: &Desk, user: &str, callee: &str, after: u64, minutes: u64, from: u8) {
    let row = users::named(&desk.ops.store, user).await.unwrap();
    let at = begin(desk) + Duration::from_secs(after);
    let mut cdr = Cdr::begin(CallId::from_i64(row.id.0 * 10_000_000 + after as i64), 0, CallKind::Outbound, at);
    let price: i64 = if callee.starts_with("252") { 900_000 } else { 600_000 };
    let amount = Money::from_micros(price * minutes as i64);
    (cdr.account, cdr.user_id, cdr.user) = (Some(row.account), Some(row.id), Some(user.to_owned()));
    (cdr.caller, cdr.callee, cdr.source_ip) = (user.to_owned(), callee.to_owned(), Some([192, 0, 2, from].into()));
    (cdr.trunk_out, cdr.status, cdr.sip_status) = (Some("out".to_owned()), Status::Answered, Some(200));
    (cdr.answered_at, cdr.talk_ms) = (Some(at + Duration::from_secs(5)), minutes * 60_000);
    cdr.ended_at = at + Duration::from_secs(5 + minutes * MINUTE);
    cdr.cause = tollgate_billing::Cause::Normal;
    (cdr.sell_cost, cdr.billed_seconds) = (amount, minutes * MINUTE);
    cdr.levels = vec![LevelCharge {
        account: row.account,
        amount,
        currency: Currency::USD,
        billed_seconds: minutes * MINUTE,
        by_day: [(Zone::UTC.day_of(at), amount)].into(),
        talk_by_day: Default::default(),
    }];
    desk.ops.ask_one(What::Record(Box::new(cdr))).await.unwrap();
}

/// What stands in the answer, a line for each row: account, rule, refused, cut, stopped.
async fn stopped(desk: &Desk, set: &str) -> Vec<String> {
    let answer = ask(desk, set).await.unwrap();
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let row = |row: &Value| {
        let fields = ["account", "rule", "refused", "cut", "stopped"].map(|name| text(&row[name]));
        fields.join(" ")
    };
    answer["stopped"].as_array().unwrap().iter().map(row).collect()
}

async fn ask(desk: &Desk, set: &str) -> Answer {
    let words: Vec<String> = set.split_whitespace().map(|one| format!("--set {one}")).collect();
    // The desk's clock stands still: its day may have calls that lie ahead of it.
    let (since, until) = (begin(desk), begin(desk) + Duration::from_secs(2 * DAY));
    desk.ask(&format!("whatif {} --since {since} --until {until}", words.join(" "))).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_settings_would_have_stopped_what_their_rule_says_and_nothing_else() {
    let desk = desk().await;
    // anna: five calls of five minutes, 3.00 each; the last two at a time. bob: one call of ten minutes, 6.00.
    for after in [8 * HOUR, 9 * HOUR, 10 * HOUR, 11 * HOUR, 11 * HOUR + MINUTE] {
        called(&desk, "anna", "36301234567", after, 5, 1).await;
    }
    called(&desk, "bob", "36307654321", 12 * HOUR, 10, 2).await;
    // The day after.
    called(&desk, "anna", "36301234567", DAY + 8 * HOUR, 5, 1).await;
    let none: [&str; 0] = [];
    assert_eq!(stopped(&desk, "credit.daily.enduser=15").await, none);
    // 7.50: two calls, half of the third; bob's 6.00 is less.
    assert_eq!(stopped(&desk, "credit.daily.enduser=7.50").await, ["anna daily_limit 2 1 7.500000"]);
    assert_eq!(
        stopped(&desk, "MaxDailyCreditForEndUser=5").await,
        ["anna daily_limit 3 1 10.000000", "bob daily_limit 0 1 1.000000"]
    );
    assert_eq!(stopped(&desk, "lines.enduser=1").await, ["anna lines 1 0 3.000000"]);
    assert_eq!(stopped(&desk, "ip.calls_max=4").await, ["anna ip_calls 2 0 6.000000"]);
    // The hour before counts: at nine 2.00 are left, at ten 3.00, at eleven 2.00 for two.
    assert_eq!(
        stopped(&desk, "ip.cost_max=5 ip.period=1h").await,
        ["anna ip_cost 0 3 5.000000", "bob ip_cost 0 1 1.000000"]
    );
    assert_eq!(stopped(&desk, "ip.seconds_max=600").await, ["anna ip_seconds 4 0 12.000000"]);
    assert_eq!(
        stopped(&desk, "price.sell_max=0.59").await,
        ["anna too_dear 6 0 18.000000", "bob too_dear 1 0 6.000000"]
    );
    // The first day ends at the floor, and from then on 3.00 is usual: seven times of it are more than the second day.
    assert_eq!(
        stopped(&desk, "credit.dynamic.enabled=all credit.dynamic.floor.enduser=3").await,
        ["anna dynamic_limit 4 0 12.000000", "bob dynamic_limit 0 1 3.000000"]
    );
    // 0.60 a minute is all that one call burns; two at a time are too many.
    assert_eq!(stopped(&desk, "credit.daily.enduser=24 credit.burn_time=30m").await, ["anna burn_rate 1 0 3.000000"]);
    let answer = ask(&desk, "lines.enduser=1").await.unwrap();
    assert_eq!((&answer["calls"], &answer["honest_calls"], &answer["fraud_calls"]), (&json!(7), &json!(1), &json!(0)));
    assert_eq!(answer["settings"], json!([{ "name": "lines.enduser", "was": "5", "would_be": "1" }]));
    let call = &answer["stopped_calls"][0];
    assert_eq!((&call["verdict"], &call["callee"]), (&json!("refused"), &json!("36301234567")));
    assert_eq!(call["refusal"]["text"], "1 of 1 lines are in use");
    assert_eq!(desk.ask("config get lines.enduser").await.unwrap()["value"], 5, "nothing was set");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_theft_is_told_apart_from_honest_calls() {
    let desk = desk().await;
    desk.ask("user set anna --max-lines 30").await.unwrap();
    // anna calls at home, and by day a number abroad; at night a thief calls eight in a row, all at once.
    called(&desk, "anna", "36301234567", 9 * HOUR, 5, 1).await;
    called(&desk, "bob", "252617000000", 10 * HOUR, 1, 2).await;
    for n in 0..8u64 {
        called(&desk, "anna", &format!("25261234567{n}"), 23 * HOUR + n, 30, 66).await;
    }
    // Nobody watched when it happened.
    desk.ask("config set fraud.block_at off").await.unwrap();
    let same = ask(&desk, "fraud.block_at=off").await.unwrap();
    assert_eq!(same["stopped"], json!([]), "the settings as they are stop nothing more");
    let rows = ask(&desk, "fraud.block_at=80").await.unwrap();
    assert_eq!(rows["stopped"].as_array().unwrap().len(), 1, "{rows:#}");
    let row = &rows["stopped"][0];
    assert_eq!((&row["account"], &row["rule"], &row["flagged"]), (&json!("anna"), &json!("fraud"), &json!(false)));
    assert_eq!(row["refused"], 5, "the first three make the score: {rows:#}");
    assert_eq!(rows["honest_calls"], row["refused"], "nobody has said yet that it was fraud");
    // What was refused as fraud meanwhile says whose account it is.
    let anna = users::named(&desk.ops.store, "anna").await.unwrap();
    let mut refused = Cdr::begin(CallId::from_i64(5), 0, CallKind::Outbound, begin(&desk) + Duration::from_secs(DAY));
    (refused.account, refused.user_id) = (Some(anna.account), Some(anna.id));
    refused.callee = "252612345679".parse::<E164>().unwrap().to_string();
    refused.refuse(Refusal::new(Rule::Fraud, None, "110 points", 100));
    desk.ops.ask_one(What::Record(Box::new(refused))).await.unwrap();
    let rows = ask(&desk, "fraud.block_at=80").await.unwrap();
    assert_eq!((&rows["honest_calls"], &rows["honest_stopped"]), (&json!(0), &json!("0.000000")), "{rows:#}");
    assert_eq!(rows["fraud_calls"], row["refused"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mistake_gets_one_line() {
    let desk = Desk::new().await;
    for (words, told) in [
        (
            "--set lines.enduser=1 --since yesterday",
            "since: \"yesterday\" is not a time such as 2026-03-01T08:00:00Z, or a date",
        ),
        (
            "--set lines.enduser --since 2026-03-01",
            "\"lines.enduser\" is not NAME=VALUE, such as credit.dynamic.multiplier=4",
        ),
        ("--set line.enduser=1 --since 2026-03-01", "line.enduser"),
        ("--set lines.enduser=many --since 2026-03-01", "lines.enduser"),
        (
            "--set lines.enduser=1 --since 2026-03-02 --until 2026-03-01",
            "since 2026-03-02T00:00:00.000Z is not before 2026-03-01T00:00:00.000Z",
        ),
    ] {
        let error = desk.ask(&format!("whatif {words}")).await.unwrap_err().0;
        assert!(error.contains(told) && !error.contains('\n'), "{words}: {error}");
    }
}
