//! What a Contact header holds.

use super::name_addr::NameAddr;

/// All Contact values of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contacts<'a> {
    /// `*`: all bindings of a REGISTER with `Expires: 0` (RFC 3261 §10.2.2).
    Star,
    /// Addresses in order, perhaps none.
    List(Vec<NameAddr<'a>>),
}

impl<'a> Contacts<'a> {
    /// Reads split values. `None` when one is unreadable, or `*` is not alone.
    pub fn of(values: impl Iterator<Item = &'a str>) -> Option<Contacts<'a>> {
        let mut list = Vec::new();
        let mut star = false;
        for value in values {
            if value == "*" {
                star = true;
            } else {
                list.push(NameAddr::parse(value).filter(NameAddr::is_readable)?);
            }
        }
        match (star, list.is_empty()) {
            (true, true) => Some(Contacts::Star),
            (true, false) => None,
            (false, _) => Some(Contacts::List(list)),
        }
    }

    /// The first address.
    pub fn first(&self) -> Option<NameAddr<'a>> {
        match self {
            Contacts::Star => None,
            Contacts::List(list) => list.first().copied(),
        }
    }
}
