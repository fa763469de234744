//! RTP, RTCP, SDP: who may send where, and what was heard.
//!
//! Nothing here owns a socket or reads a clock. [`sdp::exchange`] follows the offers and answers of a call and says what
//! the relay shall do ([`plan::Plan`]); [`relay`] decides over each packet; `actors::relay_loop` moves the bytes.

pub mod dtmf;
pub mod latch;
pub mod limit;
pub mod payload;
pub mod plan;
pub mod ports;
pub mod quality;
pub mod relay;
pub mod rtcp;
pub mod rtp;
pub mod sdp;
pub mod source;
pub mod target;

pub use plan::{Leg, LinePlan, Plan, Remote, SidePlan};
pub use ports::{Families, Family, Ours, Pair, Ports};
