//! `counts WORK TIMES` does a fixed piece of work so often and ends: benches/instructions runs it twice under callgrind, and
//! the difference is what one piece costs.
#![allow(clippy::print_stdout, reason = "it lists its work")]

mod media;
mod money;
mod sip;

use anyhow::{Context, bail};

/// One piece of work, prepared; called once for each time.
type Piece = Box<dyn FnMut()>;

/// The name of a piece, and how it is prepared.
type Named = (&'static str, fn() -> anyhow::Result<Piece>);

const WORK: &[Named] = &[
    ("parse_invite", sip::parse_invite),
    ("write_response", sip::write_response),
    ("digest", sip::digest),
    ("relay_step", media::relay_step),
    ("quote", money::quote),
    ("ledger_call", money::ledger_call),
];

fn main() -> anyhow::Result<()> {
    let mut args = std::env::args().skip(1);
    let Some(wanted) = args.next() else {
        WORK.iter().for_each(|(name, _)| println!("{name}"));
        return Ok(());
    };
    let times: u32 = args.next().context("how often?")?.parse()?;
    let Some((_, prepare)) = WORK.iter().find(|(name, _)| *name == wanted) else { bail!("{wanted} is not known") };
    let mut piece = prepare()?;
    for _ in 0..times {
        piece();
    }
    Ok(())
}
