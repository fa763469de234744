//! What is taken where an operator says nothing.

use tollgate_settings::Row;
use tollgate_store::decks;
use tollgate_types::DeckId;

use super::Ops;
use super::outcome::Refused;

/// Every row of this file.
pub static ROWS: &[&Row] = &[&DEFAULT_TEMPLATE, &BUY_DECK];

/// `user add` without `--template`.
pub static DEFAULT_TEMPLATE: Row = Row::text("user.template", "standard", 64)
    .help("The template of new end users that name none; empty, or a name that no template has: none");

/// `trunk add --egress` without `--deck`.
pub static BUY_DECK: Row = Row::text("trunk.deck", "default-buy", 64)
    .help("The buying deck of new egress trunks that name none; empty, or a name that no deck has: none");

impl Ops {
    /// The buying deck of carriers whose deck is not said.
    pub(super) async fn default_buy_deck(&self) -> Result<Option<DeckId>, Refused> {
        let name = self.values().await?.text(&BUY_DECK);
        if name.is_empty() {
            return Ok(None);
        }
        match decks::named(&self.store, &name).await {
            Ok(found) => Ok((found.deck.kind == tollgate_billing::deck::DeckKind::Buy).then_some(found.deck.id)),
            Err(tollgate_store::Error::Missing { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}
