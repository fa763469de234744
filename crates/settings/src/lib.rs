//! The settings registry's mechanism: rows with names, units, ranges and the guide's aliases; values read, checked,
//! printed and handed out as one snapshot.
//!
//! A room declares its rows as `static`s beside the rule they steer, lists them in a `ROWS` slice, and reads them from the
//! [`Values`] it is given: `values.duration(&MIN_TALK)`. The front door joins all slices in one [`Registry`].

pub mod alias;
pub mod describe;
pub mod mistake;
pub mod registry;
pub mod row;
pub mod rows;
pub mod span;
pub mod value;
pub mod values;

pub use alias::{Alias, Reads};
pub use mistake::Mistake;
pub use registry::{Layers, Profile, Registry};
pub use row::{Effect, Kind, Literal, Row};
pub use value::{Multiplier, Value};
pub use values::Values;
