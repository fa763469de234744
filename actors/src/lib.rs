//! The living rooms: one file an actor, in tree order.
