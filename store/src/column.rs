//! Columns of text that hold something stricter.

use std::fmt::Display;
use std::str::FromStr;

use crate::error::{Error, Result};

/// Reads a column; what cannot be read is a corrupt database, because nobody but us writes it.
pub(crate) fn read<T: FromStr>(text: &str, place: impl Display) -> Result<T> {
    text.parse().map_err(|_| Error::corrupt(format!("{place}: {text:?}")))
}

/// Reads a column that may be empty.
pub(crate) fn read_option<T: FromStr>(text: Option<&str>, place: impl Display) -> Result<Option<T>> {
    text.map(|text| read(text, place)).transpose()
}

/// Reads a list separated by blanks.
pub(crate) fn read_list<T: FromStr>(text: &str, place: impl Display) -> Result<Vec<T>> {
    text.split(' ').filter(|item| !item.is_empty()).map(|item| read(item, &place)).collect()
}

/// Writes a list separated by blanks.
pub(crate) fn write_list<T: Display>(list: impl IntoIterator<Item = T>) -> String {
    list.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(" ")
}

/// Reads a count.
pub(crate) fn count<T: TryFrom<i64>>(value: i64, place: impl Display) -> Result<T> {
    T::try_from(value).map_err(|_| Error::corrupt(format!("{place}: {value}")))
}

/// Reads a count that may be absent.
pub(crate) fn count_option<T: TryFrom<i64>>(value: Option<i64>, place: impl Display) -> Result<Option<T>> {
    value.map(|value| count(value, place)).transpose()
}
