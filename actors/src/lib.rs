//! The living rooms: one file an actor, in tree order.

pub mod relay;
mod relay_loop;
