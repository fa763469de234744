//! Session descriptions (RFC 8866), kept line by line, and what offers and answers do with them (RFC 3264).

pub mod exchange;
mod field;
mod forward;
mod said;
mod session;

pub use field::{Direction, Host, MediaLine, Protocol};
pub use session::{Malformed, Section, Session};
