//! Writes `data/ranges.csv` anew: `cargo run -p tollgate-routing --example ranges > crates/routing/data/ranges.csv`.
#![allow(clippy::print_stdout, reason = "its output is the file")]

mod derive;

fn main() {
    print!("{}", derive::file());
}
