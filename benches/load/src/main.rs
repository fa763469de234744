//! Phones, calls and media for a SIP server under test: `load register`, `load calls`, `load talk`.
//!
//! It asks for nothing that a real phone would not: digest on every REGISTER and INVITE, many source addresses, RTP at its
//! pace. It works with any server that knows the users (`--user-prefix` with a number, one password), and it reports what a
//! unit of work cost the processes under test (`--pid`), not how fast the machine happened to be.
#![allow(clippy::print_stdout, reason = "it reports to whoever runs it")]

mod agenda;
mod callee;
mod caller;
mod compose;
mod net;
mod options;
mod phones;
mod report;
mod run;
mod speech;
mod watch;

use clap::Parser;

fn main() -> anyhow::Result<()> {
    let options = options::Options::parse();
    // Where it may not be raised, opening sockets says so.
    let _ = rlimit::increase_nofile_limit(65_536);
    let report = run::run(&options)?;
    report.print(options.json());
    Ok(())
}
