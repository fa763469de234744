//! Stories: a whole platform on one thread, whose clock stands still until the story moves it.
//!
//! How it works:
//!
//! - [`story`](house::story) opens the platform by `Platform::open(Layout::OneThread)`: the composition that `serve` opens,
//!   with its SQLite database in a folder of its own. Shards, raters, ledger, journal and alerter live on the test's
//!   thread; the relay is its bench, so no socket exists; the seed is fixed.
//! - People ([`Agent`](agent::Agent)) are phones and carriers that write SIP by hand. What the platform sends lies in the
//!   [`Network`](network::Network) until [`House::exchange`](house::House::exchange) carries it to them, and their answers
//!   back, until nobody has anything to say.
//! - [`House::advance`](house::House::advance) moves the clock from deadline to deadline: the platform names the earliest
//!   one (timer wheels, transactions, the queues of Ledger, Journal and Watcher), the clock jumps there, everybody is ticked, and
//!   all of it settles before the next jump. Between deadlines nothing can happen, so nothing is skipped; the longest jump
//!   is [`COARSE`](house::COARSE), which lets chores come to their turn.
//! - "Settled" is the runtime's own word: it tells before it puts the thread to sleep. What the Journal and
//!   the Watcher let the database do leaves the thread; it is counted, and waited for. There is no sleep and no wait by the wall clock.
//! - [`House::talk`](house::House::talk) advances while everybody who is in a call speaks; by `advance` alone they are
//!   silent, and the media timeout will find them.
//! - Money and records are read as an operator reads them: by the commands of `actors/src/ops`.
//! - [`sabotage`](tollgate_actors::sabotage) makes an actor panic, or the next event that runs contained at a place. The feature
//!   is a dev-dependency's: no shipped binary has it.
//! - [`House::left_behind`](house::House::left_behind) lists what is still held anywhere: nothing, after the last call.
//!
//! A story is one async closure, its name a sentence. It may look at its people's lines (state, what they heard) and at
//! the platform's records, never inside an actor.

mod agent;
mod crash;
mod dialogs;
mod house;
mod leaks;
mod limits;
mod message;
mod money;
mod network;
mod outage;
mod registration;
mod silence;
mod suspicion;
