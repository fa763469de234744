//! What an operator does in a day, on both engines: users, trunks, decks, numbers, and what the call path then sees.

use std::time::Duration;

use sea_orm::ConnectionTrait;
use tollgate_billing::Price;
use tollgate_billing::calendar::{Calendar, Zone};
use tollgate_billing::deck::{Band, DeckKind, DeckRow};
use tollgate_billing::policy::Rules;
use tollgate_routing::did::{DidNumbers, DidUri};
use tollgate_routing::directory::{Change, Directory};
use tollgate_routing::{Domains, Ha1s, Route, UserKind, route};
use tollgate_types::{Prefix, RouteId, Seed, Wall};

use crate::dids::NewDid;
use crate::open::Store;
use crate::testing::{both, by};
use crate::trunks::{Direction, TrunkSecret, TrunkTerms};
use crate::users::{NewSecret, Payer, UserTerms};
use crate::{
    accounts, audit, calendar, currency, decks, dids, directory, limits, marks, routes, trunks, users, versions,
};

both!(
    users_come_change_and_go,
    names_are_taken_once,
    decks_go_live_and_back,
    ranges_of_numbers_never_overlap,
    the_call_path_sees_what_was_written,
    calendar_and_rates_are_remembered,
    lines_are_counted_again,
    a_short_number_has_one_holder_in_each_tenant,
    migrations_go_down_and_up_again,
);

fn payer() -> Payer {
    Payer::Own(Box::default())
}

fn ha1(byte: u8) -> Ha1s {
    Ha1s { md5: [byte; 16], sha256: [byte; 32], sha512_256: [byte; 32] }
}

async fn users_come_change_and_go(store: Store) {
    let secret = NewSecret { realm: "voip.test".into(), ha1: ha1(1) };
    let anna = users::create(&store, &by(1), &UserTerms::new("anna"), payer(), Some(secret)).await.unwrap();
    let edited = users::edit(&store, &by(2), "Anna", |user, account| {
        user.caller_id = Some("3612345678".parse().unwrap());
        user.country = Some("HU".parse().unwrap());
        user.sources = vec!["192.0.2.0/24".parse().unwrap(), "[2001:db8::1]:5060".parse().unwrap()];
        account.account.max_lines = Some(5);
        account.account.daily_limit = Some("10".parse().unwrap());
        Ok(())
    })
    .await
    .unwrap();
    assert_eq!(users::named(&store, "ANNA").await.unwrap(), edited);
    assert_eq!(accounts::named(&store, "anna").await.unwrap().row.terms.daily_limit, Some("10".parse().unwrap()));
    let trail = audit::list(&store, Some("user"), Some("anna"), 10).await.unwrap();
    assert_eq!(trail[0].action, "set");
    assert_eq!(trail[0].was, Some(serde_json::json!({"caller_id": null, "country": null, "sources": ""})));
    assert!(!format!("{trail:?}").contains("sealed"));

    let secret = NewSecret { realm: "voip.test".into(), ha1: ha1(2) };
    users::set_secret(&store, &by(3), "anna", &secret).await.unwrap();
    assert_eq!(users::named(&store, "anna").await.unwrap().credential_version, 1);
    let disabled = users::disable(&store, &by(4), "anna").await.unwrap();
    assert_eq!(disabled.disabled, Some((Wall::from_secs(4), "cli:test".to_owned())));
    assert_eq!(users::enable(&store, &by(5), "anna").await.unwrap().disabled, None);

    let shared =
        users::create(&store, &by(6), &UserTerms::new("bob"), Payer::Shared(anna.account), None).await.unwrap();
    users::remove(&store, &by(7), "anna").await.unwrap();
    assert_eq!(users::named(&store, "anna").await.unwrap_err().to_string(), "there is no user anna");
    assert!(accounts::get(&store, anna.account).await.is_ok(), "bob still pays with it");
    users::remove(&store, &by(8), "bob").await.unwrap();
    assert!(accounts::get(&store, shared.account).await.is_err());
    let next = users::create(&store, &by(9), &UserTerms::new("anna"), payer(), None).await.unwrap();
    assert!(next.id > shared.id, "a number is never given again");
}

async fn names_are_taken_once(store: Store) {
    users::create(&store, &by(1), &UserTerms::new("anna"), payer(), None).await.unwrap();
    let error = users::create(&store, &by(1), &UserTerms::new("ANNA"), payer(), None).await.unwrap_err();
    assert_eq!(error.to_string(), "user ANNA exists already");
    let hosted = UserTerms { domain: Some("other.test".into()), ..UserTerms::new("anna") };
    users::create(&store, &by(1), &hosted, payer(), None).await.unwrap();
    assert_eq!(users::named(&store, "anna@Other.Test").await.unwrap().terms, hosted);
    let all = ["x", "y", "x"].map(|name| (UserTerms::new(name), payer(), None));
    assert!(users::create_all(&store, &by(2), all.into()).await.is_err());
    assert_eq!(users::list(&store).await.unwrap().len(), 2, "an import is all or nothing");
    let error = users::edit(&store, &by(3), "anna", |user, _| {
        user.name = "anna@other.test".into();
        Ok(())
    })
    .await;
    assert_eq!(error.unwrap_err().to_string(), "user anna@other.test exists already");
}

fn row(prefix: &str, rate: &str) -> DeckRow {
    DeckRow {
        prefix: prefix.parse().unwrap(),
        destination: "Somewhere".into(),
        price: Price { first: 60, next: 6, grace: 2, ..Price::per_minute(rate.parse().unwrap()) },
        band: Band::Peak,
        effective_from: Some(Wall::from_secs(7)),
        blocked: false,
    }
}

fn target<'a>(name: &'a str, kind: DeckKind, currency: &str) -> decks::Target<'a> {
    decks::Target { name, kind, currency: currency.parse().unwrap(), zone: Zone::UTC, source: "deck.csv" }
}

async fn decks_go_live_and_back(store: Store) {
    let before = versions::read(&store).await.unwrap().prices;
    let many: Vec<DeckRow> = (0..1100).map(|n| row(&format!("36{n}"), "0.123456789")).collect();
    let mut heard = Vec::new();
    let sell = target("retail", DeckKind::Sell, "USD");
    let first = decks::import(&store, &by(1), &sell, &many, |done| heard.push(done)).await.unwrap();
    assert_eq!((first.rows, first.deck.version, heard.last()), (1100, 1, Some(&1100)));
    assert_eq!(decks::rows(&store, first.deck.id).await.unwrap(), many);
    for n in 0..6 {
        decks::import(&store, &by(2 + n), &sell, &[row("1", "0.5")], |_| {}).await.unwrap();
    }
    assert_eq!(versions::read(&store).await.unwrap().prices, before + 7);
    let back = decks::rollback(&store, &by(9), "retail").await.unwrap();
    assert_eq!((back.deck.version, back.rows), (6, 1));
    for (wrong, told) in [
        (target("retail", DeckKind::Buy, "USD"), "deck retail is a sell deck, not a buy deck"),
        (target("retail", DeckKind::Sell, "EUR"), "deck retail is in USD, not in EUR"),
    ] {
        let error = decks::import(&store, &by(9), &wrong, &[], |_| {}).await.unwrap_err();
        assert_eq!(error.to_string(), told);
    }
    for _ in 0..3 {
        decks::rollback(&store, &by(9), "retail").await.unwrap();
    }
    let error = decks::rollback(&store, &by(9), "retail").await.unwrap_err().to_string();
    assert_eq!(error, "deck retail has no earlier version to go back to", "older ones were cleared away");

    let euro = decks::import(&store, &by(1), &target("euro", DeckKind::Sell, "EUR"), &[], |_| {}).await.unwrap();
    users::create(&store, &by(1), &UserTerms::new("anna"), payer(), None).await.unwrap();
    let error = users::edit(&store, &by(3), "anna", |_, account| {
        account.deck = Some(euro.deck.id);
        Ok(())
    })
    .await;
    assert_eq!(error.unwrap_err().to_string(), "deck euro is in EUR, the account in USD");
}

async fn ranges_of_numbers_never_overlap(store: Store) {
    let user = users::create(&store, &by(1), &UserTerms::new("anna"), payer(), None).await.unwrap().id;
    let did = |first: &str, last: &str| {
        let (first, last) = (first.parse().unwrap(), last.parse().unwrap());
        let numbers = if first == last { DidNumbers::One(first) } else { DidNumbers::range(first, last).unwrap() };
        NewDid { numbers, user, inbound_deck: None, uri: DidUri::Number }
    };
    dids::add(&store, &by(1), &[did("36100", "36199"), did("361000", "361999")]).await.unwrap();
    for (first, last, told) in [
        ("36150", "36150", Some("DID 36100-36199 exists already")),
        ("36099", "36100", Some("DID 36100-36199 exists already")),
        ("36199", "36300", Some("DID 36100-36199 exists already")),
        ("36000", "36300", Some("DID 36100-36199 exists already")),
        ("36200", "36300", None),
        ("36099", "36099", None),
    ] {
        let told = told.map(str::to_owned);
        assert_eq!(dids::add(&store, &by(2), &[did(first, last)]).await.err().map(|error| error.to_string()), told);
    }
    let error = users::remove(&store, &by(3), "anna").await.unwrap_err().to_string();
    assert_eq!(error, "user anna still has 4 DID(s): remove them first");
    dids::remove(&store, &by(3), "36100".parse().unwrap()).await.unwrap();
    assert_eq!(dids::list(&store).await.unwrap().len(), 3);
}

async fn the_call_path_sees_what_was_written(store: Store) {
    let reseller = UserTerms { kind: UserKind::Reseller, ..UserTerms::new("boss") };
    let boss = users::create(&store, &by(1), &reseller, payer(), None).await.unwrap();
    let secret = NewSecret { realm: "voip.test".into(), ha1: ha1(9) };
    let terms = UserTerms { parent: Some(boss.id), extension: Some("101".into()), ..UserTerms::new("anna") };
    let anna = users::create(&store, &by(2), &terms, payer(), Some(secret)).await.unwrap();
    let mut sender = TrunkTerms::new("sender", Direction::Ingress, "192.0.2.1, sbc.peer.test");
    sender.account = Some(boss.account);
    trunks::create(&store, &by(3), &sender, Some(TrunkSecret::Digest(Box::new(ha1(5))))).await.unwrap();
    let mut carrier = TrunkTerms::new("carrier", Direction::Egress, "sip.carrier.test:5080");
    carrier.username = Some("we".into());
    carrier.health_every = Some(Duration::from_secs(17));
    let password = TrunkSecret::Password("pa55 wörd".into());
    let carrier = trunks::create(&store, &by(4), &carrier, Some(password)).await.unwrap();
    assert_eq!(trunks::password(&store, carrier.id).await.unwrap().as_deref(), Some("pa55 wörd"));
    let route = Route {
        id: RouteId(0),
        prefix: Prefix::ANY,
        trunk: carrier.id,
        priority: 10,
        weight: 1,
        band: route::Band::OffPeak,
        emergency: false,
        enabled: true,
    };
    let id = routes::add(&store, &by(5), &route).await.unwrap();
    assert_eq!(routes::list(&store).await.unwrap(), [Route { id, ..route.clone() }]);
    let error = trunks::remove(&store, &by(6), "carrier").await.unwrap_err().to_string();
    assert_eq!(error, "trunk carrier still has 1 route(s): remove them first");

    let changes = directory::load(&store, "voip.test", None).await.unwrap().changes;
    let trunks_seen: Vec<String> = changes
        .iter()
        .filter_map(|change| match change {
            Change::Ingress(trunk) => Some(format!("{} {} {:?}", trunk.name, trunk.sources.len(), trunk.hosts)),
            Change::Egress(trunk) => Some(format!("{} {} {:?}", trunk.name, trunk.uri, trunk.health_every)),
            _ => None,
        })
        .collect();
    assert_eq!(trunks_seen, ["sender 1 [\"sbc.peer.test\"]", "carrier sip.carrier.test:5080 Some(17s)"]);
    let seed = Seed([1; 4]);
    let snapshot = Directory::new(seed, Domains::new("voip.test", [], seed), None).with(changes);
    let seen = snapshot.user_named("ANNA", None).unwrap();
    assert_eq!((seen.id, seen.tenant, seen.ha1), (anna.id, Some(boss.id), Some(ha1(9))));
    assert_eq!(snapshot.extension(Some(boss.id), "101").unwrap().id, anna.id);
    assert_eq!(snapshot.users_of(anna.account).map(|user| user.id).collect::<Vec<_>>(), [anna.id]);
}

async fn calendar_and_rates_are_remembered(store: Store) {
    assert_eq!(calendar::get(&store).await.unwrap(), Calendar::default());
    let empty = Calendar::new(Vec::new(), Vec::new()).unwrap();
    calendar::set(&store, &by(1), &empty).await.unwrap();
    assert_eq!(calendar::get(&store).await.unwrap(), empty);
    let (eur, usd) = ("EUR".parse().unwrap(), "USD".parse().unwrap());
    currency::set(&store, &by(10), eur, usd, "1.1".parse().unwrap()).await.unwrap();
    currency::set(&store, &by(20), eur, usd, "1.2".parse().unwrap()).await.unwrap();
    currency::set(&store, &by(20), eur, usd, "1.3".parse().unwrap()).await.unwrap();
    let rates: Vec<_> = currency::list(&store).await.unwrap().into_iter().map(|row| row.rate.to_string()).collect();
    assert_eq!(rates, ["1.300000000", "1.100000000"]);
    assert!(currency::table(&store).await.unwrap().at(eur, usd, Wall::from_secs(15)).is_some());
    marks::set(&store, "realm", "voip.test").await.unwrap();
    assert_eq!(marks::get(&store, "realm").await.unwrap().as_deref(), Some("voip.test"));
}

async fn lines_are_counted_again(store: Store) {
    let rules = Rules::default();
    let anna = users::create(&store, &by(1), &UserTerms::new("anna"), payer(), None).await.unwrap();
    assert_eq!(limits::repair(&store, &by(1), &rules, false).await.unwrap(), []);
    let writing = store.begin().await.unwrap();
    let sql = format!("INSERT INTO lines VALUES (0, {}, 3); UPDATE accounts SET held = 5", anna.id);
    writing.execute_unprepared(&sql).await.unwrap();
    writing.commit().await.unwrap();
    let told = |drifts: Vec<limits::Drift>| -> Vec<String> {
        drifts.iter().map(|d| format!("{} {}: {} is {}", d.of, d.what, d.carried, d.counted)).collect()
    };
    let expected = ["account anna held: 0.000005 is 0.000000".to_owned(), format!("user {} lines: 3 is 0", anna.id)];
    assert_eq!(told(limits::repair(&store, &by(2), &rules, true).await.unwrap()), expected, "looked at, not touched");
    assert_eq!(told(limits::repair(&store, &by(3), &rules, false).await.unwrap()), expected);
    assert_eq!(limits::repair(&store, &by(4), &rules, false).await.unwrap(), []);
}

async fn migrations_go_down_and_up_again(store: Store) {
    let writer = store.writer();
    tollgate_migrations::down(writer, 5).await.unwrap();
    assert_eq!(tollgate_migrations::pending(writer).await.unwrap().len(), 5);
    tollgate_migrations::up(writer).await.unwrap();
    assert!(tollgate_migrations::pending(writer).await.unwrap().is_empty());
    users::create(&store, &by(1), &UserTerms::new("anna"), payer(), None).await.unwrap();
}

async fn a_short_number_has_one_holder_in_each_tenant(store: Store) {
    let user = |name: &str, extension: &str, parent| UserTerms {
        extension: (!extension.is_empty()).then(|| extension.to_owned()),
        parent,
        ..UserTerms::new(name)
    };
    let make = async |terms: UserTerms| users::create(&store, &by(1), &terms, payer(), None).await;
    let reseller = |name: &str, parent| UserTerms { kind: UserKind::Reseller, ..user(name, "", parent) };
    let (top, other) = (make(reseller("top", None)).await.unwrap().id, make(reseller("other", None)).await.unwrap().id);
    let below = make(reseller("below", Some(top))).await.unwrap().id;
    make(user("anna", "100", None)).await.unwrap();
    make(user("bob", "100", Some(top))).await.unwrap();
    make(user("carol", "100", Some(other))).await.unwrap();
    let refused = async |terms| make(terms).await.unwrap_err().to_string();
    assert_eq!(refused(user("dave", "100", None)).await, "extension 100 would be that of anna and of dave");
    assert_eq!(refused(user("eve", "100", Some(below))).await, "extension 100 would be that of bob and of eve");
    // A name of digits is dialled like an extension.
    make(user("200", "", None)).await.unwrap();
    assert_eq!(refused(user("fay", "200", None)).await, "extension 200 of fay is the name of another user");
    make(user("gus", "200", Some(top))).await.unwrap();
    // Who moves into another tenant brings his number along.
    let moved = users::edit(&store, &by(2), "bob", |user, _| {
        user.parent = None;
        Ok(())
    })
    .await;
    assert_eq!(moved.unwrap_err().to_string(), "extension 100 would be that of anna and of bob");
    assert_eq!(users::named(&store, "bob").await.unwrap().terms.parent, Some(top), "nothing half-done");
    assert!(users::named(&store, "dave").await.is_err());
}
