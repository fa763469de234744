//! What can be asked for.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// A load of phones, calls and media for a SIP server.
#[derive(Debug, Parser)]
#[command(name = "load", max_term_width = 120)]
pub struct Options {
    #[command(subcommand)]
    pub work: Work,
}

#[derive(Debug, Subcommand)]
pub enum Work {
    /// Registration refreshes, each with its challenge
    Register {
        #[command(flatten)]
        common: Common,
        /// Seconds a binding is asked for
        #[arg(long, default_value_t = 3600)]
        expires: u32,
    },
    /// Calls: INVITE with digest, ring, answer, talk, BYE
    Calls {
        #[command(flatten)]
        common: Common,
        #[command(flatten)]
        calls: Calls,
        /// Both parties of every call send RTP while they talk
        #[arg(long)]
        media: bool,
    },
    /// So many calls at once, then nothing but their RTP is measured
    Talk {
        #[command(flatten)]
        common: Common,
        #[command(flatten)]
        calls: Calls,
        /// Calls at once; each is two streams
        #[arg(long, default_value_t = 100)]
        calls_at_once: u32,
        /// Send no RTP: what is measured is memory and idle cost
        #[arg(long)]
        silent: bool,
    },
}

#[derive(Debug, Args)]
pub struct Common {
    /// The server's SIP address, UDP
    #[arg(long, default_value = "127.0.0.1:5060")]
    pub target: SocketAddr,
    /// The domain of its users, and the realm of their passwords
    #[arg(long, default_value = "localhost")]
    pub domain: String,
    /// Users are called so, with a number after it
    #[arg(long, default_value = "u")]
    pub user_prefix: String,
    /// How many there are, numbered from 0
    #[arg(long, default_value_t = 100)]
    pub users: u32,
    /// The password of all of them
    #[arg(long, default_value = "bench-secret")]
    pub password: String,
    /// Loopback addresses that phones call from
    #[arg(long, default_value_t = 256)]
    pub sources: u32,
    /// The first of them
    #[arg(long, default_value = "127.1.0.1")]
    pub first_source: Ipv4Addr,
    /// Units a second, for how many seconds: 500 or 500x10,1000x60,500x10
    #[arg(long, default_value = "100")]
    pub rate: Steps,
    /// Seconds of each step that names none
    #[arg(long, default_value_t = 10)]
    pub seconds: u32,
    /// Seconds of the first step's load before measuring begins
    #[arg(long, default_value_t = 2)]
    pub warm: u32,
    /// Processes under test, children included
    #[arg(long)]
    pub pid: Vec<u32>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Calls {
    /// Whom they call: numbers beyond a carrier's trunk, or users that registered before
    #[arg(long, value_enum, default_value_t = Called::Number)]
    pub called: Called,
    /// First digits of the numbers called
    #[arg(long, default_value = "4420")]
    pub number_prefix: String,
    /// Where the called are: the carrier's trunk, or the first of the called users' phones
    #[arg(long, default_value = "127.2.0.1:5180")]
    pub answerer: SocketAddrV4,
    /// How many users are registered to be called
    #[arg(long, default_value_t = 100)]
    pub called_users: u32,
    /// Milliseconds from ringing to the answer
    #[arg(long, default_value_t = 0)]
    pub ring_ms: u64,
    /// Milliseconds from the answer to the caller's BYE
    #[arg(long, default_value_t = 1000)]
    pub talk_ms: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Called {
    Number,
    User,
}

/// Rates, one after the other; `None` seconds are the option's.
#[derive(Clone, Debug)]
pub struct Steps(pub Vec<(f64, Option<u32>)>);

impl FromStr for Steps {
    type Err = String;
    fn from_str(text: &str) -> Result<Steps, String> {
        let step = |step: &str| {
            let (rate, seconds) = match step.split_once('x') {
                Some((rate, seconds)) => (rate, Some(seconds.parse().ok()?)),
                None => (step, None),
            };
            Some((rate.parse().ok().filter(|rate: &f64| *rate > 0.0)?, seconds))
        };
        let steps = text.split(',').map(|part| step(part.trim())).collect::<Option<Vec<_>>>();
        steps.map(Steps).ok_or_else(|| "a rate, or RATExSECONDS parted by commas".to_owned())
    }
}

impl Options {
    pub fn common(&self) -> &Common {
        match &self.work {
            Work::Register { common, .. } | Work::Calls { common, .. } | Work::Talk { common, .. } => common,
        }
    }

    pub fn json(&self) -> bool {
        self.common().json
    }
}

impl Common {
    /// Rate and length of each step.
    pub fn steps(&self) -> Vec<(f64, Duration)> {
        let length = |seconds: &Option<u32>| Duration::from_secs(u64::from(seconds.unwrap_or(self.seconds)));
        self.rate.0.iter().map(|(rate, seconds)| (*rate, length(seconds))).collect()
    }
}
