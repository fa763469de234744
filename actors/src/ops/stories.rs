//! What operators do without a server, command by command.

use serde_json::{Value, json};

use super::testing::Desk;

async fn desk_with_decks() -> Desk {
    let desk = Desk::new().await;
    desk.file("sell.csv", "prefix,price_per_minute,blocked\n1,6.00,0\n7900,0.10,1\n");
    desk.file("buy.csv", "prefix,price_per_minute\n1,0.01\n");
    desk.ask("deck import sell sell.csv").await.unwrap();
    desk.ask("deck import buy buy.csv --kind buy").await.unwrap();
    desk
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_lives_from_add_to_remove() {
    let desk = desk_with_decks().await;
    let made =
        desk.ask("user add anna --prepaid --credit 10.00 --deck sell --max-lines 3 --daily-limit 5").await.unwrap();
    assert_eq!(made["password"].as_str().unwrap().len(), 20);
    let shown = desk.ask("user show ANNA").await.unwrap();
    for (field, value) in [
        ("name", json!("anna")),
        ("mode", json!("prepaid")),
        ("balance", json!("10.000000")),
        ("reserved", json!("0.000000")),
        ("available", json!("5.000000")),
        ("daily_limit", json!("5.000000")),
        ("dynamic_limit", json!("10.000000")),
        ("monthly_limit", Value::Null),
        ("credit_limit", Value::Null),
        ("lines_in_use", json!(0)),
        ("max_lines", json!(3)),
        ("registrations", json!(0)),
        ("blocked", Value::Null),
        ("deck", json!("sell")),
    ] {
        assert_eq!(shown[field], value, "{field}");
    }
    assert!(desk.ask("credit add anna -4 --note refund").await.unwrap().is_null());
    let entries = desk.ask("ledger list --user anna").await.unwrap();
    assert_eq!((&entries[0]["amount"], &entries[0]["kind"]), (&json!("-4.000000"), &json!("credit")));
    assert_eq!((&entries[1]["kind"], &entries[1]["balance"]), (&json!("opening"), &json!("10.000000")));
    assert!(entries[0]["call_id"].is_null());
    assert_eq!(desk.ask("ledger verify").await.unwrap()["entries"], 2);
    desk.ask("user set anna --postpaid --credit-limit 3 --daily-limit unlimited --timezone Europe/Budapest")
        .await
        .unwrap();
    let shown = desk.ask("user show anna").await.unwrap();
    assert_eq!((&shown["available"], &shown["timezone"]), (&json!("9.000000"), &json!("Europe/Budapest")));
    desk.ask("user disable anna").await.unwrap();
    assert_eq!(desk.ask("user show anna").await.unwrap()["blocked"]["rule"], "user_disabled");
    desk.ask("user enable anna").await.unwrap();
    desk.ask("user remove anna").await.unwrap();
    assert_eq!(desk.ask("user show anna").await.unwrap_err().0, "there is no user anna");
    assert_eq!(desk.ask("ledger verify").await.unwrap()["entries"], 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mistakes_get_one_line_and_leave_nothing() {
    let desk = desk_with_decks().await;
    desk.ask("user add anna --password anna-secret-0815 --credit 1").await.unwrap();
    desk.ask("trunk add out --egress --address 192.0.2.1:5070 --deck buy").await.unwrap();
    //  command, what is refused
    for (words, refused) in [
        ("user add Anna", "user Anna exists already"),
        (
            "user add no/body",
            "NAME: \"no/body\" is not 1 to 64 letters, digits, dots, dashes and underscores, a letter or digit first",
        ),
        ("user add carol --credit ten", "--credit: \"ten\" is not an amount such as 10.00"),
        ("user add carol --deck missing", "--deck: there is no deck missing"),
        ("user add carol --deck buy", "--deck: buy is a buy deck, a sell deck is expected"),
        ("user add carol --password short", "--password: at least 12 characters are expected (digest.password_min)"),
        (
            "user add caroline-smith --password caroline-smith",
            "--password: the user's own name or number is no password (digest.password_check)",
        ),
        (
            "user set anna --caller-id 12025550100 --password 1202555010012025550100",
            "--password: the user's own name or number is no password (digest.password_check)",
        ),
        (
            "user set anna --password passwordpassword",
            "--password: some 7 guesses find it, one that withstands 100000000 is expected (digest.password_check)",
        ),
        (
            "user add carol --kind boss",
            "--kind: \"boss\" is no kind of user: enduser, traffic-sender, reseller, support or admin",
        ),
        ("user add carol --max-lines many", "--max-lines: \"many\" is not a whole number from 0 on, or unlimited"),
        (
            "user add carol --account anna --deck sell",
            "--deck: that is a matter of the account, which anna has; use user set",
        ),
        (
            "user add carol --account anna --credit 5",
            "--credit: the account of anna has its balance already; use credit add",
        ),
        ("user add carol --parent anna", "--parent: anna is no reseller"),
        ("user add carol --currency EUR --deck sell", "deck sell is in USD, the account in EUR"),
        ("user accept-day anna yesterday", "DATE: \"yesterday\" is not a date such as 2026-03-01"),
        ("user accept-day anna 2026-01-01", "the account has no spend on that day"),
        ("credit add nobody 1.00", "there is no user nobody"),
        ("credit add anna 0", "AMOUNT: \"0\" is not an amount other than zero"),
        ("credit add anna -1.01", "credit: 1.010000 is needed, 1.000000 is available"),
        ("trunk add in --ingress", "--auth: authentication ip needs an address, network or host name"),
        ("trunk add in --ingress --address 192.0.2.1 --deck buy", "--deck: that is for egress trunks"),
        (
            "trunk add in --ingress --address 1.2.3",
            "--address: \"1.2.3\" is no address, network or address with port, such as 192.0.2.1, 192.0.2.0/24, 192.0.2.1:5060 or [2001:db8::1]:5060",
        ),
        (
            "trunk add in --egress --address 192.0.2.1 --register",
            "--register: to register, --username and --password are needed",
        ),
        (
            "trunk add in --egress --address 192.0.2.1 --deck sell",
            "--deck: sell is a sell deck, a buy deck is expected",
        ),
        ("trunk add out --egress --address 192.0.2.1", "trunk out exists already"),
        ("route add --prefix 1 --trunk missing", "--trunk: there is no trunk missing"),
        ("route add --prefix 1 --trunk out --band night", "--band: \"night\" is not all, peak or offpeak"),
        ("route remove 99", "there is no route 99"),
        ("did add 1202555 --user nobody", "--user: there is no user nobody"),
        ("did add x --user anna", "NUMBER: \"x\" is not a number: digits only, with or without a leading +"),
        ("call hangup 999999", "there is no live call 999999"),
        ("cdr show 999999", "there is no CDR 999999"),
        ("cdr list --since soon", "--since: \"soon\" is not a time such as 2026-03-01T08:00:00Z, or a date"),
        ("registration remove 1-1", "there is no registration 1-1"),
        ("currency rate set USD USD 1", "TO: two different currencies are expected"),
        ("calendar set --peak sometimes", "--peak: \"sometimes\" is not a span such as mon-fri 08:00-18:00"),
        ("explain --from nobody --to 1", "--from: there is no user or ingress trunk nobody"),
    ] {
        assert_eq!(desk.ask(words).await.unwrap_err().0, refused, "{words}");
    }
    assert_eq!(desk.ask("user list").await.unwrap().as_array().unwrap().len(), 1);
    assert_eq!(desk.ask("user show anna").await.unwrap()["balance"], "1.000000");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_come_from_a_file_all_or_none() {
    let desk = desk_with_decks().await;
    desk.file(
        "good.csv",
        "name,password,mode,credit,deck,max_lines\nu1,password-of-u1,prepaid,5.00,sell,3\nu2,,postpaid,0,sell,2\n",
    );
    let told = desk.ask("user import good.csv").await.unwrap();
    assert_eq!((told.as_array().unwrap().len(), &told[0]["name"]), (1, &json!("u2")));
    assert_eq!(desk.ask("user show u1").await.unwrap()["balance"], "5.000000");
    assert_eq!(desk.ask("user show u2").await.unwrap()["max_lines"], 2);
    for (text, refused) in [
        ("name,deck\nu3,sell\nu4,nowhere\n", "bad.csv: line 3, column deck: there is no deck nowhere"),
        ("name,credit\nu3,1\nu1,1\n", "bad.csv: user u1 exists already"),
    ] {
        desk.file("bad.csv", text);
        assert_eq!(desk.ask("user import bad.csv").await.unwrap_err().0, refused);
        assert!(desk.ask("user show u3").await.is_err(), "half an import was left");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn roads_are_laid_shown_and_taken_away() {
    let desk = desk_with_decks().await;
    desk.ask("user add whole --kind traffic-sender --prepaid --credit 10 --deck sell --max-lines 7").await.unwrap();
    desk.ask("user add anna --credit 1.25 --deck sell").await.unwrap();
    desk.ask("trunk add in --ingress --address 192.0.2.0/24,peer.test --auth ip+prefix --prefix 7788 --account whole")
        .await
        .unwrap();
    desk.ask("trunk add out --egress --address carrier.test --deck buy --username us --password theirs --register --prefix 99 --transport tcp").await.unwrap();
    desk.ask("route add --prefix 1 --trunk out").await.unwrap();
    desk.ask("did add 441632960000-441632960099 --user anna").await.unwrap();
    let shown = desk.ask("trunk show out").await.unwrap();
    for (field, value) in [
        ("address", json!("carrier.test;transport=tcp")),
        ("number_format", json!("e164,+99")),
        ("register", json!(true)),
        ("assert_identity", json!(false)),
        ("has_password", json!(true)),
        ("deck", json!("buy")),
    ] {
        assert_eq!(shown[field], value, "{field}");
    }
    assert_eq!(desk.ask("trunk show in").await.unwrap()["account"], "whole");
    assert_eq!(desk.ask("user show whole").await.unwrap()["max_lines"], 7);
    assert_eq!(desk.ask("did list").await.unwrap()[0]["number"], "441632960000-441632960099");
    assert!(desk.ask("trunk remove out").await.unwrap_err().0.contains("route"));
    let good = desk.ask("explain --from anna --to 12025550123").await.unwrap();
    assert_eq!((&good["verdict"], &good["price_per_minute"]), (&json!("admit"), &json!("6.000000")), "{good:#}");
    assert_eq!((&good["max_seconds"], &good["trunk"]), (&json!(12), &json!("out")), "{good:#}");
    let bad = desk.ask("explain --from anna --to 79001234567").await.unwrap();
    assert_eq!((&bad["verdict"], &bad["max_seconds"]), (&json!("refuse"), &json!(0)), "{bad:#}");
    let sender = desk.ask("explain --from in --to 12025550123").await.unwrap();
    assert_eq!((&sender["verdict"], &sender["max_seconds"]), (&json!("admit"), &json!(100)), "{sender:#}");
    let id = desk.ask("route list").await.unwrap()[0]["id"].to_string();
    desk.ask(&format!("route remove {id}")).await.unwrap();
    desk.ask("trunk set out --enabled false --max-lines 10").await.unwrap();
    assert_eq!(desk.ask("trunk show out").await.unwrap()["enabled"], false);
    desk.ask("trunk remove out").await.unwrap();
    desk.ask("did remove 441632960000-441632960099").await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calendars_currencies_and_a_backup() {
    let desk = Desk::new().await;
    desk.ask("calendar set --peak always --holidays christmas=12-25").await.unwrap();
    assert_eq!(desk.ask("calendar show").await.unwrap()["holidays"], json!(["christmas=12-25"]));
    desk.ask("currency rate set EUR USD 1.0842").await.unwrap();
    assert_eq!(desk.ask("currency rate list").await.unwrap()[0]["rate"], "1.084200000");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("all.backup");
    let words = format!("backup {}", file.display());
    assert!(desk.ask(&words).await.unwrap()["rows"].as_u64().unwrap() > 0);
    assert!(desk.ask(&words).await.unwrap_err().0.ends_with("is there already"));
    assert!(desk.ask("cdr list").await.unwrap().as_array().unwrap().is_empty());
    assert!(desk.ask("registration list").await.unwrap().as_array().unwrap().is_empty());
}
