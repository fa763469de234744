//! Arguments, configuration, platform, signal, close.

use std::process::ExitCode;

use clap::Parser;
use tollgate::cli::{self, Arguments, Command, Own};
use tollgate::config::Config;
use tollgate::{demo, platform, serve};

/// Calls are made of many small pieces that live for milliseconds and end on other threads than they began on: measured,
/// the system's allocator spends a fifth of a call on them.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    // Before anything may open a TLS connection: there is one provider, and it is this one.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let arguments = Arguments::parse();
    if matches!(arguments.command, Command::Version) {
        return cli::say(concat!("tollgate ", env!("CARGO_PKG_VERSION")));
    }
    if matches!(arguments.command, Command::Demo) {
        return demo::run();
    }
    let config = match Config::load(&arguments.config, std::env::vars()) {
        Ok(config) => config,
        Err(mistakes) => return cli::mistaken(&mistakes),
    };
    let (common, asked) = arguments.split();
    match asked {
        Ok(Own::Serve) => serve::run(&config, &common.config),
        Ok(Own::Demo) => demo::run(),
        Ok(Own::Check) => match config.pins(&tollgate_actors::tuning::registry()) {
            Ok(_) => cli::say(&config.check_report()),
            Err(mistakes) => cli::mistaken(&mistakes),
        },
        Ok(Own::Migrate) => cli::done(platform::migrate(&config)),
        Ok(Own::Restore(file)) => cli::done(platform::restore(&config, &file)),
        Err(request) => cli::ask(&config, request, common.json),
    }
}
