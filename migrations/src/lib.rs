//! The database's history, on SQLite and PostgreSQL alike.
