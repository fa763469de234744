//! The small world most cases play in: a deck, a carrier, a route to it, and users who may call.

use std::fs;
use std::net::SocketAddr;

use crate::server::Server;

/// The carrier's place in every network.
pub const CARRIER: u8 = 20;
/// The second carrier's place.
pub const SECOND_CARRIER: u8 = 21;
/// A number that the deck sells at 6.00 a minute, by the second, and that the route leads to the carrier.
pub const NUMBER: &str = "12025550123";

/// Sell prices: `1` dear by the second (a unit lasts ten seconds), `44` cheap by the second, `49` by the minute with a setup
/// fee, `33` with grace, `7900` blocked.
const SELL: &str = "prefix,destination,price_per_minute,setup_fee,first_increment,next_increment,grace,blocked\n\
    1,North America,6.00,0,1,1,0,0\n\
    44,United Kingdom,0.60,0,1,1,0,0\n\
    49,Germany,0.30,0.05,60,60,0,0\n\
    33,France,0.60,0,1,1,30,0\n\
    7900,Russia mobile,0.10,0,1,1,0,1\n";

/// What the carriers charge.
const BUY: &str = "prefix,destination,price_per_minute\n1,North America,0.01\n44,United Kingdom,0.01\n49,Germany,0.01\n\
    33,France,0.01\n7900,Russia mobile,0.01\n";

/// The SIP password of a test's user.
pub fn password(user: &str) -> String {
    format!("{user}-secret-0815")
}

/// Adds a user with that password.
#[track_caller]
pub fn add_user(server: &Server, name: &str, options: &[&str]) {
    let password = password(name);
    let mut words = vec!["user", "add", name, "--password", &password];
    words.extend(options);
    server.ok(&words);
}

/// Imports the decks, adds the egress trunk `carrier` at `address` and routes everything to it.
#[track_caller]
pub fn open_roads(server: &Server, address: SocketAddr) {
    import_decks(server);
    add_carrier(server, "carrier", address, 1);
}

/// Imports the decks `sell` and `buy`.
#[track_caller]
pub fn import_decks(server: &Server) {
    for (name, text) in [("sell", SELL), ("buy", BUY)] {
        let file = server.folder.path().join(format!("{name}.csv"));
        fs::write(&file, text).expect("written");
        server.ok(&["deck", "import", name, file.to_str().expect("UTF-8"), "--kind", name]);
    }
}

/// Adds an egress trunk and routes every prefix of the decks to it with the given priority.
#[track_caller]
pub fn add_carrier(server: &Server, name: &str, address: SocketAddr, priority: u8) {
    server.ok(&["trunk", "add", name, "--egress", "--address", &address.to_string(), "--deck", "buy"]);
    for prefix in ["1", "44", "49", "33", "7900"] {
        let priority = priority.to_string();
        server.ok(&["route", "add", "--prefix", prefix, "--trunk", name, "--priority", &priority]);
    }
}

/// Adds a prepaid user who may call everywhere the deck sells.
#[track_caller]
pub fn add_prepaid(server: &Server, name: &str, credit: &str) {
    add_user(server, name, &["--prepaid", "--credit", credit, "--deck", "sell"]);
}

/// A field of `user show`, as text.
#[track_caller]
pub fn shown(server: &Server, user: &str, field: &str) -> String {
    match &server.json(&["user", "show", user])[field] {
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A money string with six decimals as an integer of millionths.
#[track_caller]
pub fn millionths(text: &str) -> i64 {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (whole, fraction) = digits.split_once('.').unwrap_or_else(|| panic!("{text} has no six decimals"));
    assert_eq!(fraction.len(), 6, "{text} has no six decimals");
    sign * (whole.parse::<i64>().expect("digits") * 1_000_000 + fraction.parse::<i64>().expect("digits"))
}

/// The books after a case: nothing held, no line in use, and the ledger's chain whole.
#[track_caller]
pub fn assert_books_balance(server: &Server, user: &str) {
    let account = server.json(&["user", "show", user]);
    assert_eq!(account["reserved"], "0.000000", "{account:#}");
    assert_eq!(account["lines_in_use"], 0, "{account:#}");
    server.ok(&["ledger", "verify"]);
    let entries = server.rows(&["ledger", "list", "--user", user]);
    let sum: i64 = entries.iter().map(|e| millionths(e["amount"].as_str().expect("money is text"))).sum();
    assert_eq!(sum, millionths(account["balance"].as_str().expect("money is text")), "entries: {entries:#?}");
}
