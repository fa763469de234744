//! `tollgate demo`: a whole platform in a temporary folder, with users, decks, carriers and live calls of its own, so that
//! everything shows something at once.
//!
//! The platform is the real one, opened as `serve` opens it and furnished by the requests that an operator would type. What
//! surrounds it, carriers and phones, speaks SIP and RTP to it over the loopback like anybody else.

mod agent;
mod carrier;
mod countries;
mod diary;
mod furniture;
mod greeting;
mod line;
mod live;
mod manner;
mod people;
mod phone;
mod place;
mod prices;
mod session;
mod tone;
mod town;

use std::process::ExitCode;

use actix::System;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tollgate_actors::ops::outcome::ProgressSink;
use tollgate_types::Seed;

use self::greeting::Greeting;
use self::place::Place;
use self::town::{Carriers, Town};
use crate::platform::{Layout, NoStart, Platform, Prepared};
use crate::serve::{self, Doors};

/// Runs until SIGTERM or SIGINT; then nothing of it is left.
pub fn run() -> ExitCode {
    match Place::make(std::env::vars()).and_then(|place| run_in(&place)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => serve::refuse(&reason),
    }
}

fn run_in(place: &Place) -> Result<(), NoStart> {
    serve::log_to_stderr(&place.config.server.log);
    let metrics = PrometheusBuilder::new().install_recorder()?;
    let prepared = Prepared::new(&place.config, Layout::Threads).map_err(elsewhere)?;
    System::new().block_on(async {
        let platform = Platform::open(&place.config, prepared).await?;
        live(place, platform, metrics).await
    })
}

async fn live(place: &Place, platform: Platform, metrics: PrometheusHandle) -> Result<(), NoStart> {
    let (config, seed) = (&place.config, Seed(rand::random()));
    let server = town::server_of(&platform.bound)
        .ok_or_else(|| NoStart("sip.udp is empty: the demo's phones and carriers need a UDP listener".into()))?;
    let doors = Doors::open(config, &platform, metrics).map_err(elsewhere)?;
    let carriers = Carriers::bind(server, &config.sip.domain, seed)?;
    let opened = tokio::select! {
        opened = open(&platform, carriers, server, &config.sip.domain, seed) => Some(opened),
        () = serve::wait_for_the_end(&platform, None) => None,
    };
    let result = match opened {
        Some(Ok(mut town)) => {
            greet(place, server);
            serve::wait_for_the_end(&platform, None).await;
            town.close().await;
            doors.close_with(platform).await;
            drop(town);
            return Ok(());
        }
        Some(Err(reason)) => Err(reason),
        None => Ok(()),
    };
    doors.close_with(platform).await;
    result
}

/// Furnishes the platform, then lets people in.
async fn open(
    platform: &Platform,
    carriers: Carriers,
    server: std::net::SocketAddr,
    domain: &str,
    seed: Seed,
) -> Result<Town, NoStart> {
    let (first, second) = carriers.at()?;
    let (requests, ops) = (furniture::requests(first, second)?, platform.ops.clone());
    // On the database's runtime, as requests by the control socket are.
    let furnished = platform.runtime().spawn(async move {
        for request in requests {
            let made = ops.run(request, "demo", ProgressSink::none()).await;
            made.map_err(|refused| NoStart(format!("the demo cannot be furnished: {refused}")))?;
        }
        Ok(())
    });
    furnished
        .await
        .unwrap_or_else(|error| Err(NoStart(format!("a fault of ours while furnishing the demo: {error}"))))?;
    Ok(Town::open(carriers, server, domain, seed)?)
}

#[allow(clippy::print_stdout, reason = "what a visitor reads first, and the line that scripts wait for")]
fn greet(place: &Place, server: std::net::SocketAddr) {
    let program = std::env::args().next().unwrap_or_else(|| "tollgate".into());
    let greeting = Greeting {
        program: &program,
        folder: place.folder(),
        config: &place.config_file(),
        server,
        domain: &place.config.sip.domain,
        web: place.config.web.listen,
    };
    for line in greeting.lines() {
        println!("{line}");
    }
    println!("ready");
}

/// A port that is taken is a visitor's most likely trouble: says what to do about it.
fn elsewhere(reason: NoStart) -> NoStart {
    let hint = "other ports come from the environment: TOLLGATE__SIP__UDP=0.0.0.0:5070 TOLLGATE__SIP__TCP=0.0.0.0:5070 \
                TOLLGATE__WEB__LISTEN=127.0.0.1:8081";
    if reason.0.contains("in use") { NoStart(format!("{reason}; {hint}")) } else { reason }
}
