//! Peer carriers and wholesalers, one record for each direction.

mod egress;
mod host_book;
mod identify;
mod ingress;
mod source;

pub use egress::{Credentials, Egress, EgressUri};
pub use host_book::{Finding, HostBook, News};
pub use identify::{Approach, Identified, Ingresses, identify};
pub use ingress::{Ingress, Lack, NumberFrom};
pub use source::{BadSource, Source};
