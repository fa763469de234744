//! The living rooms: one file an actor, in tree order.
//!
//! ```text
//! Platform
//! ├ edge (udp, tcp)                 bytes in and out; counts, obeys the ban table
//! ├ SipShard ×S                     transactions, the shard's timer wheel, the roster of its children
//! ├ Gatekeeper                      the ban table's one writer; counters and firewall stand in the Gate
//! │   └ IpLimiter(source)           calls of trunks known by their address
//! ├ UserLimiter(user)               nonces; keeps the user's children:
//! │   ├ Account                     asks of money on their way to the Ledger
//! │   ├ Registration(user)          bindings
//! │   └ Call                        the B2BUA's shell
//! │       └ MediaLeg ×2             ports, silence; packets run in the relay loop
//! ├ Rater (one a shard)             admission: candidates and prices from today's snapshots
//! ├ Carrier(trunk)                  address, health, our registration
//! ├ Ledger                          the one writer of money and call records
//! ├ Journal                         what is written behind
//! ├ Watcher                         callers and accounts that are suspected
//! ├ Alerter                         what people are told
//! └ Caretaker                       successors of Alerter, Journal and Raters
//! ```

pub mod account;
pub mod alerter;
pub mod analysis;
pub mod aside;
pub mod call;
pub mod caretaker;
pub mod carrier;
pub mod clock;
pub mod edge;
pub mod gate;
pub mod gatekeeper;
pub mod ip_limiter;
pub mod journal;
pub mod kernel_set;
pub mod ledger;
pub mod media_leg;
pub mod observe;
pub mod ops;
pub mod pace;
pub mod pending;
pub mod placement;
pub mod premises;
pub mod presence;
pub mod price_book;
pub mod rater;
pub mod recall;
pub mod registration;
pub mod relay;
pub mod relay_loop;
pub mod reputations;
pub mod residents;
pub mod resolver;
#[cfg(feature = "sabotage")]
pub mod sabotage;
pub mod sip_shard;
pub mod snapshots;
pub mod supervision;
pub mod suspicions;
pub mod trunk_board;
pub mod trunk_hosts;
pub mod tuning;
pub mod undertaker;
pub mod user_limiter;
pub mod watcher;
