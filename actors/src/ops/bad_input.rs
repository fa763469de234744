//! Whatever cannot be is refused with one clear line, and nothing is half-changed: a table through the real commands.

use serde_json::Value;

use super::testing::Desk;

/// Everything that a command could have changed.
async fn all(desk: &Desk) -> Vec<Value> {
    let mut seen = Vec::new();
    for words in [
        "user list",
        "user show anna",
        "user show low",
        "user show boss",
        "template list",
        "trunk list",
        "trunk show out",
        "route list",
        "did list",
        "deck list",
        "calendar show",
        "currency rate list",
        "config list",
        "ledger list --user anna",
    ] {
        seen.push(desk.ask(words).await.unwrap());
    }
    seen
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_is_refused_with_one_line_and_changes_nothing() {
    let desk = Desk::new().await;
    desk.file("sell.csv", "prefix,price_per_minute\n1,6.00\n");
    desk.file("twice.csv", "name,extension\nu1,300\nu2,300\n");
    desk.file("zone.csv", "name,timezone\nu1,UTC\nu2,Mars/Base\n");
    for words in [
        "deck import sell sell.csv",
        "user add anna --password anna-secret-0815 --credit 5 --deck sell --extension 100",
        "user add boss --kind reseller --password boss-secret-0815",
        "user add low --kind reseller --parent boss --password low-secret-0815",
        "trunk add out --egress --address 192.0.2.1",
        "template add small --max-lines 2",
    ] {
        desk.ask(words).await.unwrap();
    }
    let before = all(&desk).await;
    //  command, what the line must name
    for (words, names) in [
        ("user add x --credit 1e5", "--credit: \"1e5\""),
        ("user add x --credit 1,00", "--credit"),
        ("user add x --credit NaN", "--credit"),
        ("user add x --credit 0x10", "--credit"),
        ("user add x --credit 99999999999999999999", "--credit"),
        ("user add x --credit 0.0000001", "--credit"),
        ("user add x --postpaid --credit-limit=-1", "--credit-limit"),
        ("user add x --daily-limit=-0.01", "--daily-limit"),
        ("user set anna --daily-limit 1.0000001", "--daily-limit"),
        ("user set anna --monthly-limit ten", "--monthly-limit"),
        ("user set anna --monthly-increment=-5", "--monthly-increment"),
        ("user set anna --monthly-ceiling 1..2", "--monthly-ceiling"),
        ("user set anna --dynamic-baseline=-1", "--dynamic-baseline"),
        ("user set anna --burn-rate=-0.1", "--burn-rate"),
        ("user set anna --talk-day 1.5", "--talk-day"),
        ("user set anna --talk-month=-60", "--talk-month"),
        ("user set anna --talk-day 99999999999999999h", "--talk-day"),
        ("user set anna --max-lines=-1", "--max-lines"),
        ("user set anna --max-lines 4294967296", "--max-lines"),
        ("user set anna --account-max-lines two", "--account-max-lines"),
        ("user set anna --timezone Mars/Base", "--timezone"),
        ("user set anna --currency DOLLARS", "--currency"),
        ("user set anna --currency EUR", "currency"),
        ("user set anna --country Atlantis", "--country"),
        ("user set anna --caller-id 36ABC", "--caller-id"),
        ("user set anna --extension 12a", "--extension"),
        ("user set anna --extension 123456789", "--extension"),
        ("user set anna --extension 112", "emergency"),
        ("user set low --extension 1-1", "--extension"),
        ("user set anna --local-only maybe", "--local-only"),
        ("user set anna --template gone", "--template"),
        ("user set anna --daily-limit 3 --timezone Mars/Base", "--timezone"),
        ("user set boss --parent low", "circle"),
        ("user set boss --parent boss", "circle"),
        ("user import twice.csv", "extension 300"),
        ("user import zone.csv", "line 3, column timezone"),
        ("credit add anna 1e3", "AMOUNT"),
        ("credit add anna 0.00", "AMOUNT"),
        ("credit add anna 92233720368547758079", "AMOUNT"),
        ("credit add anna 9223372036854.775807", "large"),
        ("template set small --daily-limit x", "--daily-limit"),
        ("template set small --extension 100", "--extension"),
        ("trunk set out --talk-day=-3", "--talk-day"),
        ("trunk set out --max-lines-offpeak some", "--max-lines-offpeak"),
        ("trunk add in --ingress --address 192.0.2.9 --talk-day 60", "--talk-day"),
        ("route add --prefix 12x --trunk out", "prefix"),
        ("did add 12ab --user anna", "NUMBER"),
        ("currency rate set EUR USD 0", "rate"),
        ("currency rate set EUR USD -- -1.1", "rate"),
        ("currency rate set EUR USD much", "rate"),
        ("calendar set --peak mon-fri_08:00-18:00", "--peak"),
        ("calendar set --holidays 02-30", "--holidays"),
        ("config set ip.calls_max -5", "ip.calls_max"),
        ("config set maxcallperperiod -1", "maxcallperperiod"),
        ("config set ip.period 1s", "ip.period"),
        ("config set ip.scope group:x", "ip.scope"),
        ("config set maxcostperip 1e3", "maxcostperip"),
        ("config set credit.daily.enduser -2", "credit.daily.enduser"),
        ("config set quotadiscreason 200", "quotadiscreason"),
    ] {
        let line = desk.ask(words).await.expect_err(words).0;
        assert!(line.to_lowercase().contains(&names.to_lowercase()), "{words}: {line}");
        assert!(!line.trim().is_empty() && !line.contains('\n'), "{words}: {line}");
        assert_eq!(all(&desk).await, before, "{words} left something behind");
    }
}
