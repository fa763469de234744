//! What happens once: the realm is fixed, and an empty database gets an admin.

use tollgate_actors::ops::outcome::ProgressSink;
use tollgate_actors::ops::{Ops, Request, template, user};
use tollgate_billing::calendar::Zone;
use tollgate_billing::deck::DeckKind;
use tollgate_store::decks::{self, Target};
use tollgate_store::{By, Store, marks, users};
use tollgate_types::Currency;

use super::NoStart;

const REALM_MARK: &str = "realm";
const FURNISHED_MARK: &str = "furnished";
/// What users of the shipped templates pay by.
const SELL_DECK: &str = "default-sell";
/// What egress trunks charge by where nothing else is said (`trunk.deck`).
const BUY_DECK: &str = "default-buy";

/// Fixes the realm at the first start and refuses another one later: secrets are hashed with it, so every phone would be
/// stranded. Answers whether the database is still unfurnished.
pub async fn settle_realm(store: &Store, domain: &str) -> Result<bool, NoStart> {
    match marks::get(store, REALM_MARK).await? {
        None => marks::set(store, REALM_MARK, domain).await?,
        Some(realm) if realm == domain => {}
        Some(realm) => {
            return Err(NoStart(format!(
                "sip.domain: {domain:?} is not {realm:?}, the realm that all secrets in this database belong to; \
                 set it back and add {domain:?} to sip.domains"
            )));
        }
    }
    Ok(marks::get(store, FURNISHED_MARK).await?.is_none())
}

/// Makes the admin, decks and templates of an empty database; what it returns is printed once. No price is invented: a deck
/// without rows sells nothing, which is refused, and nothing at a loss.
pub async fn furnish(store: &Store, ops: &Ops, currency: Currency) -> Result<Vec<String>, NoStart> {
    let mut news = Vec::new();
    if users::list(store).await?.is_empty() {
        let ask = async |request| ops.run(request, "platform", ProgressSink::none()).await;
        let by = By { who: "platform".into(), at: store.now().await? };
        for (name, kind) in [(SELL_DECK, DeckKind::Sell), (BUY_DECK, DeckKind::Buy)] {
            let target = Target { name, kind, currency, zone: Zone::UTC, source: "" };
            decks::create(store, &by, &target).await?;
        }
        for (name, terms) in [("standard", standard()), ("restricted", restricted())] {
            let said = template::Said { name: name.into(), terms };
            ask(Request::Template(template::Template::Add(said))).await?;
        }
        let terms = user::Terms { kind: Some("admin".into()), ..user::Terms::default() };
        let add = user::User::Add(user::Add { name: "admin".into(), credit: None, account: None, terms });
        let made = ask(Request::User(add)).await?;
        let password = made["password"].as_str().unwrap_or_default();
        news.push(format!("user admin, password (printed once): {password}"));
        news.push(format!(
            "decks {SELL_DECK} and {BUY_DECK} have no prices yet, so only calls inside are possible; next:"
        ));
        news.push(format!("  tollgate deck import {SELL_DECK} FILE.csv   what your customers pay"));
        news.push(format!("  tollgate deck import {BUY_DECK} FILE.csv --kind buy   what your carrier charges"));
        news.push(
            "  tollgate trunk add NAME --egress --address HOST, tollgate route add --prefix 1 --trunk NAME".into(),
        );
        news.push("  tollgate user add NAME --credit 10.00, by template standard, or --template restricted".into());
    }
    marks::set(store, FURNISHED_MARK, "yes").await?;
    Ok(news)
}

/// Everything but the deck is left to the class settings.
fn standard() -> user::Terms {
    user::Terms { deck: Some(SELL_DECK.into()), ..user::Terms::default() }
}

/// For accounts that nobody watches: prepaid, and small in every way. How many users share one is not limited: lines, talk and
/// money are the account's, so another user adds nothing that could be lost.
fn restricted() -> user::Terms {
    let said = |text: &str| Some(text.to_owned());
    user::Terms {
        prepaid: true,
        deck: said(SELL_DECK),
        max_lines: said("2"),
        account_max_lines: said("2"),
        daily_limit: said("5.00"),
        monthly_limit: said("50.00"),
        talk_day: said("7200"),
        talk_month: said("72000"),
        ..user::Terms::default()
    }
}
