//! Where everybody lives: on threads with real sockets, or all on one thread of a story whose time and network its teller
//! drives. What differs between the two is here and nowhere else.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use actix::{Arbiter, ArbiterHandle};
use tollgate_actors::caretaker::Post;
use tollgate_actors::clock::Clock;
use tollgate_actors::edge::{Sockets, Wires};
use tollgate_actors::placement::{Front, Shards};
use tollgate_actors::premises::Premises;
use tollgate_actors::rater::Rater;
use tollgate_actors::relay::{Bench, PortRange, Relay, RelayConfig, RelayHandle};
use tollgate_actors::sip_shard::SipShard;
use tollgate_types::{Seed, Transport};

use super::{Idle, NoStart};
use crate::config::Config;

/// How the platform is laid out.
pub enum Layout {
    /// On threads, as the configuration says: real sockets, the machine's clocks.
    Threads,
    /// Everybody on the calling thread.
    OneThread(Stage),
}

/// What stands in for the world when everybody lives on one thread.
pub struct Stage {
    /// A stepped clock: time passes by [`Platform::step_to`](super::Platform::step_to) alone.
    pub clock: Clock,
    /// Where all randomness comes from.
    pub seed: Seed,
    /// Takes what the platform sends.
    pub wires: Wires,
    /// The listeners that it pretends to have.
    pub listeners: Vec<(Transport, SocketAddr)>,
    /// Tells when the thread has nothing left to do; of the system that the platform is opened in.
    pub idle: Idle,
}

/// The ways in and out.
pub(super) struct Network {
    pub wires: Wires,
    pub bound: Vec<(Transport, SocketAddr)>,
    sockets: Option<Arc<Sockets>>,
}

impl Network {
    /// Binds the configured listeners, or takes the stage's.
    pub fn open(config: &Config, stage: Option<&Stage>) -> Result<Network, NoStart> {
        if let Some(stage) = stage {
            return Ok(Network { wires: stage.wires.clone(), bound: stage.listeners.clone(), sockets: None });
        }
        let advertise = config.sip.advertise.as_ref().and_then(|host| host.parse::<IpAddr>().ok());
        let sockets =
            Sockets::bind(&config.sip.udp, &config.sip.tcp, advertise).map_err(|error| NoStart(error.to_string()))?;
        let sockets = Arc::new(sockets);
        Ok(Network { wires: Wires::new(sockets.clone()), bound: sockets.bound(), sockets: Some(sockets) })
    }

    /// Reads from here on. On a stage its teller delivers.
    pub fn read_into(&self, front: &Front) {
        if let Some(sockets) = &self.sockets {
            sockets.read_into(front);
        }
    }
}

/// What relays media: threads with sockets, or a bench that packets are handed in at.
pub(super) enum Media {
    Threads(Relay),
    Bench(RelayHandle, Bench),
}

impl Media {
    pub fn open(config: &Config, most_sockets: usize, clock: &Clock, seed: Seed, told: bool) -> Result<Media, NoStart> {
        let config = relay_config(config, most_sockets)?;
        let (clock, seed) = (clock.clone(), seed.child(16));
        let now = Arc::new(move || clock.mono());
        if told {
            let (handle, bench) = RelayHandle::bench(&config, now, seed);
            return Ok(Media::Bench(handle, bench));
        }
        let relay = Relay::start(&config, now, seed).map_err(|error| NoStart(format!("media: {error}")))?;
        Ok(Media::Threads(relay))
    }

    pub fn handle(&self) -> RelayHandle {
        match self {
            Media::Threads(relay) => relay.handle(),
            Media::Bench(handle, _) => handle.clone(),
        }
    }

    pub fn bench(&self) -> Option<&Bench> {
        match self {
            Media::Threads(_) => None,
            Media::Bench(_, bench) => Some(bench),
        }
    }
}

fn relay_config(config: &Config, most_sockets: usize) -> Result<RelayConfig, NoStart> {
    let of_family = |all: &[IpAddr], v4: bool| all.iter().find(|address| address.is_ipv4() == v4).copied();
    let threads = match config.server.media_threads {
        0 => std::thread::available_parallelism().map_or(1, |cores| cores.get().div_ceil(8)),
        given => given,
    };
    let (first, last) = config.media.ports;
    let ports: PortRange = format!("{first}-{last}").parse()?;
    Ok(RelayConfig {
        threads,
        bind_v4: of_family(&config.media.bind, true),
        bind_v6: of_family(&config.media.bind, false),
        advertise_v4: of_family(&config.media.advertise, true),
        advertise_v6: of_family(&config.media.advertise, false),
        ports,
        most_sockets,
    })
}

/// The threads that actors move in to.
pub(super) struct Threads {
    arbiters: Vec<Arbiter>,
    /// Everybody lives on the thread that opens the platform.
    one: bool,
}

impl Threads {
    pub fn new(one: bool) -> Threads {
        Threads { arbiters: Vec::new(), one }
    }

    /// A thread of its own, or the current one.
    fn another(&mut self) -> Option<ArbiterHandle> {
        if self.one {
            return None;
        }
        let arbiter = Arbiter::new();
        let handle = arbiter.handle();
        self.arbiters.push(arbiter);
        Some(handle)
    }

    /// The Ledger's; `None` is the current one.
    pub fn for_ledger(&mut self) -> Option<ArbiterHandle> {
        self.another()
    }

    /// The shards and their raters.
    pub fn open_shards(&mut self, config: &Config, house: &Arc<Premises>, seed: Seed) -> (Shards, Vec<Post<Rater>>) {
        let count = match config.server.sip_shards {
            0 => std::thread::available_parallelism().map_or(1, |cores| (cores.get() / 2).max(1)),
            given => given,
        };
        let mut doors = Vec::new();
        let mut raters = Vec::new();
        for index in 0..count {
            let index = index as u16;
            match self.another() {
                Some(thread) => {
                    doors.push((SipShard::open_in(&thread, index, house.clone()), thread.clone()));
                    raters.push(Rater::open(Some(thread), house.clone()));
                }
                None => {
                    doors.push((SipShard::open(index, house.clone()), Arbiter::current()));
                    raters.push(Rater::open(None, house.clone()));
                }
            }
        }
        (Shards::new(doors, seed.child(17)), raters)
    }

    /// Ends them; who lived there is gone.
    pub fn stop(&self) {
        for arbiter in &self.arbiters {
            arbiter.stop();
        }
    }
}
