//! Today's prices as one snapshot: decks, calendar, currencies.

use std::sync::Arc;

use tollgate_billing::calendar::{Calendar, Timeline, Zone};
use tollgate_billing::currency::RateTable;
use tollgate_billing::deck::DeckVersion;
use tollgate_types::{Currency, DeckId, Map, Seed, Wall};

/// See the module. A clone shares the decks.
#[derive(Clone)]
pub struct PriceBook {
    /// The live version of every deck.
    pub decks: Map<DeckId, Arc<DeckVersion>>,
    /// Peak, off-peak, holidays.
    pub calendar: Arc<Calendar>,
    /// The platform's currency.
    pub currency: Currency,
    /// Rates between currencies.
    pub rates: Arc<RateTable>,
    timelines: Map<Zone, Arc<Timeline>>,
    now: Wall,
}

impl PriceBook {
    /// Nothing has a price yet. Time lines are laid out from `now` on.
    pub fn new(calendar: Arc<Calendar>, currency: Currency, rates: Arc<RateTable>, seed: Seed, now: Wall) -> PriceBook {
        PriceBook { decks: seed.map(), calendar, currency, rates, timelines: seed.child(1).map(), now }
    }

    /// The calendar as a zone lives it, made once.
    pub fn timeline(&mut self, zone: Zone) -> Arc<Timeline> {
        let (calendar, now) = (self.calendar.clone(), self.now);
        self.timelines.entry(zone).or_insert_with(|| Arc::new(Timeline::new(calendar, zone, now))).clone()
    }

    /// Puts a deck's live version in.
    pub fn put(&mut self, id: DeckId, deck: Arc<DeckVersion>) {
        self.decks.insert(id, deck);
    }

    /// Is it peak time by the platform's calendar?
    pub fn is_peak(&self, at: Wall) -> bool {
        !self.calendar.is_offpeak(Zone::UTC, at)
    }

    /// By row.
    pub fn deck(&self, id: DeckId) -> Option<&Arc<DeckVersion>> {
        self.decks.get(&id)
    }
}
