//! Decks, quotes, holds and the ledger's one decision.
