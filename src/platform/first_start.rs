//! What happens once: the realm is fixed, and an empty database gets an admin.

use tollgate_actors::ops::outcome::ProgressSink;
use tollgate_actors::ops::{Ops, Request, user};
use tollgate_store::{Store, marks, users};

use super::NoStart;

const REALM_MARK: &str = "realm";
const FURNISHED_MARK: &str = "furnished";

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

/// Makes the admin of an empty database; what it returns is printed once.
pub async fn furnish(store: &Store, ops: &Ops) -> Result<Vec<String>, NoStart> {
    let mut news = Vec::new();
    if users::list(store).await?.is_empty() {
        let terms = user::Terms { kind: Some("admin".into()), ..user::Terms::default() };
        let add = user::User::Add(user::Add { name: "admin".into(), credit: None, account: None, terms });
        let made = ops.run(Request::User(add), "platform", ProgressSink::none()).await?;
        let password = made["password"].as_str().unwrap_or_default();
        news.push(format!("user admin, password (printed once): {password}"));
        news.push("next: tollgate user add NAME, tollgate deck import NAME FILE.csv, tollgate trunk add NAME --egress --address HOST".into());
    }
    marks::set(store, FURNISHED_MARK, "yes").await?;
    Ok(news)
}
