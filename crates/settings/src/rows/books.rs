//! The books.

use crate::row::Row;

/// All rows of this file.
pub static ROWS: &[&Row] = &[&SPOOL_MIB];

/// Taken from the disk at the start, so that a disk that fills up cannot take it away.
pub static SPOOL_MIB: Row = Row::integer("books.spool_mib", 64, 1, 16_384, "MiB").restart().help(
    "Room for what calls tell the ledger while the database is away; a settlement takes 1 to 4 KiB, and at seven eighths \
     free calls are refused as well",
);
