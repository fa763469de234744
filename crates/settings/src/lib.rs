//! The mechanism of the settings registry: rows, units, aliases, validation.
