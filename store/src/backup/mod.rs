//! One file from which either engine can be filled again.
//!
//! Lines of JSON: a header; for each table its name and columns, its rows as arrays, and an end with their number and checksum;
//! a last line that says the file is whole. It reads one snapshot while calls go on. The seal key is in it only when asked for:
//! without the key, the secrets in the file open nowhere.

mod read;
mod tables;
mod write;

pub use read::{Restored, restore};
pub use write::{Saved, save};

use serde::{Deserialize, Serialize};
use tollgate_types::Wall;

/// The format's number; a file of another one is refused.
const FORMAT: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Header {
    tollgate_backup: u32,
    created_at: Wall,
    engine: String,
    /// The newest schema change it was made with.
    schema: String,
    /// 64 hexadecimal digits, if it was asked for.
    seal_key: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Begin {
    table: String,
    columns: Vec<tables::Column>,
}

#[derive(Serialize, Deserialize)]
struct End {
    end: String,
    rows: u64,
    /// Over the lines since the beginning of the table, or of the file.
    sha256: String,
}

/// The name that the file's own end carries in place of a table's.
const WHOLE: &str = "backup";

/// A checksum over lines.
struct Sum(aws_lc_rs::digest::Context);

impl Sum {
    fn new() -> Sum {
        Sum(aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256))
    }

    fn line(&mut self, line: &str) {
        self.0.update(line.as_bytes());
        self.0.update(b"\n");
    }

    fn hex(self) -> String {
        hex::encode(self.0.finish())
    }
}

#[cfg(test)]
mod tests;
