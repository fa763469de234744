//! The real `tollgate` binary: configured into a temporary folder, started, talked to by its command line, killed, restarted.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};
use std::{fs, thread};

use serde_json::Value;

use crate::network::{Network, SIP};
use crate::wire::{self, Wire};

/// The domain every test serves.
pub const DOMAIN: &str = "tollgate.test";

/// How long the binary may take from start to `ready`, an empty database and a busy machine included.
const READY: Duration = Duration::from_secs(60);

/// Which engine remembers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Database {
    /// Embedded, in the data folder.
    Sqlite,
    /// A database of its own in the cluster that `./tests/run` started.
    Postgres,
}

/// What a server is started with.
pub struct Setup {
    host: Ipv4Addr,
    database: Database,
    shards: u16,
    drain_seconds: u32,
    algorithms: &'static str,
    ipv6: Option<u16>,
    dns: Option<SocketAddr>,
    media_ports: &'static str,
    policy: Vec<(String, String)>,
    wire: Option<u16>,
    /// URL and seal key of the node whose database it shares.
    shared: Option<(String, PathBuf)>,
}

/// A running (or killed) server with its folder.
pub struct Server {
    /// The folder of configuration, data and logs; goes with the server.
    pub folder: tempfile::TempDir,
    host: Ipv4Addr,
    child: Option<Child>,
    starts: u32,
    postgres: Option<String>,
}

/// What a command said.
#[derive(Debug)]
pub struct Said {
    /// Exit status: 0 done, 1 refused or not found, 2 usage.
    pub status: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Setup {
    /// The engine to remember with; SQLite unless said otherwise.
    pub fn database(mut self, database: Database) -> Setup {
        self.database = database;
        self
    }

    /// How many SIP shards; 1 unless said otherwise.
    pub fn shards(mut self, shards: u16) -> Setup {
        self.shards = shards;
        self
    }

    /// Seconds that running calls get after SIGTERM.
    pub fn drain_seconds(mut self, seconds: u32) -> Setup {
        self.drain_seconds = seconds;
        self
    }

    /// Digest algorithms offered; MD5 alone unless said otherwise, because Debian's peers know no other: sipp 3.6 gives up
    /// when MD5 is not the first offer, baresip 1.0 when it is not the only one.
    pub fn algorithms(mut self, algorithms: &'static str) -> Setup {
        self.algorithms = algorithms;
        self
    }

    /// Listens and relays at the IPv6 loopback too; there is but one, so the SIP port must be a free one.
    pub fn ipv6(mut self, port: u16) -> Setup {
        self.ipv6 = Some(port);
        self
    }

    /// Reaches PostgreSQL by way of a wire that can be cut.
    pub fn through(mut self, wire: &Wire) -> Setup {
        self.wire = Some(wire.port());
        self
    }

    /// A second node, at `.2` of the network, on the first one's PostgreSQL.
    pub fn beside(first: &Server, network: &Network) -> Setup {
        let url = first.postgres().expect("nodes share a PostgreSQL").to_owned();
        let shared = Some((url, first.data().join("seal.key")));
        Setup { host: network.host(2), database: Database::Postgres, shared, ..Server::at(network) }
    }

    /// The name server that looks names up; the system's unless said otherwise.
    pub fn dns(mut self, at: SocketAddr) -> Setup {
        self.dns = Some(at);
        self
    }

    /// Ports for media, which bound how many calls there can be.
    pub fn media_ports(mut self, ports: &'static str) -> Setup {
        self.media_ports = ports;
        self
    }

    /// Pins a setting in `[policy]`; `value` is TOML.
    pub fn policy(mut self, name: &str, value: &str) -> Setup {
        self.policy.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Writes the configuration and starts; returns once the server has said `ready`.
    pub fn start(self) -> Server {
        let folder = tempfile::Builder::new().prefix("tollgate-peers.").tempdir().expect("a temporary folder");
        let mut postgres = None;
        let direct = match &self.shared {
            Some((url, key)) => {
                fs::create_dir_all(folder.path().join("data")).expect("a data folder");
                fs::copy(key, folder.path().join("data/seal.key")).expect("the first node's key");
                url.clone()
            }
            None if self.database == Database::Postgres => postgres.insert(create_database()).clone(),
            None => "sqlite".to_owned(),
        };
        let url = self.wire.map_or(direct.clone(), |port| wire::by_way_of(port, &direct));
        fs::write(folder.path().join("tollgate.toml"), self.configuration(folder.path(), &url)).expect("written");
        let mut server = Server { folder, host: self.host, child: None, starts: 0, postgres };
        server.start_again();
        server
    }

    fn configuration(&self, folder: &Path, url: &str) -> String {
        let host = self.host;
        let data = folder.join("data");
        let (more, six) = self.ipv6.map_or_else(Default::default, |port| (format!(", \"[::1]:{port}\""), ", \"::1\""));
        let dns = self.dns.map(|at| format!("\"{at}\"")).unwrap_or_default();
        let policy: String = self.policy.iter().map(|(name, value)| format!("\"{name}\" = {value}\n")).collect();
        format!(
            "[server]\ndata_dir = {data:?}\nsip_shards = {}\ndrain_seconds = {}\nlog = \"debug\"\n\
             [database]\nurl = \"{url}\"\n\
             [sip]\ndomain = \"{DOMAIN}\"\nudp = [\"{host}:{SIP}\"{more}]\ntcp = [\"{host}:{SIP}\"{more}]\ndns = [{dns}]\n\
             [media]\nbind = [\"{host}\"{six}]\nports = \"{}\"\n\
             [web]\nlisten = \"{host}:18080\"\n\
             [metrics]\nlisten = \"{host}:19090\"\n\
             [billing]\ncurrency = \"USD\"\n\
             [policy]\n\"digest.algorithms\" = \"{}\"\n{policy}",
            self.shards, self.drain_seconds, self.media_ports, self.algorithms,
        )
    }
}

impl Server {
    /// A server at `.1` of the network, on SQLite with one shard, not started yet.
    pub fn at(network: &Network) -> Setup {
        Setup {
            host: network.host(1),
            database: Database::Sqlite,
            shards: 1,
            drain_seconds: 2,
            algorithms: "md5",
            ipv6: None,
            dns: None,
            media_ports: "20000-23999",
            policy: Vec::new(),
            wire: None,
            shared: None,
        }
    }

    /// Where phones and carriers send their SIP.
    pub fn sip(&self) -> SocketAddr {
        (self.host, SIP).into()
    }

    /// The configuration file.
    pub fn config(&self) -> PathBuf {
        self.folder.path().join("tollgate.toml")
    }

    /// The data folder.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The PostgreSQL URL, when it runs on that.
    pub fn postgres(&self) -> Option<&str> {
        self.postgres.as_deref()
    }

    /// Starts the binary on the same folder and waits for `ready`.
    pub fn start_again(&mut self) {
        assert!(self.child.is_none(), "the server runs already");
        self.starts += 1;
        let log = fs::File::create(self.log(self.starts)).expect("a log file");
        let mut child = program()
            .arg("--config")
            .arg(self.config())
            .arg("serve")
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("the tollgate binary starts");
        let lines = lines_of(child.stdout.take().expect("piped"));
        self.child = Some(child);
        let deadline = Instant::now() + READY;
        loop {
            match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) if line.trim() == "ready" => return,
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => panic!("the server did not say ready within {READY:?}"),
                Err(RecvTimeoutError::Disconnected) => {
                    let status = self.child.take().and_then(|mut c| c.wait().ok());
                    panic!("the server ended before it was ready: {status:?}");
                }
            }
        }
    }

    /// `kill -9`: what a power cut, the kernel's memory killer or a bad day do.
    pub fn kill(&mut self) {
        let mut child = self.child.take().expect("the server runs");
        child.kill().expect("killed");
        child.wait().expect("gone");
    }

    /// SIGTERM, and what it exits with.
    pub fn terminate(&mut self) -> ExitStatus {
        let mut child = self.child.take().expect("the server runs");
        signal("TERM", child.id());
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            if let Some(status) = child.try_wait().expect("a status") {
                return status;
            }
            if Instant::now() > deadline {
                let _ = child.kill();
                panic!("the server did not end within a minute of SIGTERM");
            }
            pause();
        }
    }

    /// Sends SIGTERM and does not wait.
    pub fn ask_to_stop(&self) {
        signal("TERM", self.child.as_ref().expect("the server runs").id());
    }

    /// SIGHUP: the configuration file and the database are read anew.
    pub fn ask_to_reload(&self) {
        signal("HUP", self.child.as_ref().expect("the server runs").id());
    }

    /// Waits for the end of a server that was asked to stop.
    pub fn wait(&mut self) -> ExitStatus {
        let mut child = self.child.take().expect("the server runs");
        child.wait().expect("a status")
    }

    /// Whether the process still lives.
    pub fn lives(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| child.try_wait().is_ok_and(|status| status.is_none()))
    }

    /// Resident memory of the process in KiB.
    pub fn memory_kib(&self) -> u64 {
        let id = self.child.as_ref().expect("the server runs").id();
        let status = fs::read_to_string(format!("/proc/{id}/status")).expect("the process is there");
        let line = status.lines().find(|l| l.starts_with("VmRSS:")).expect("resident size");
        line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).expect("a number")
    }

    /// Runs a command and returns what it said.
    pub fn cli(&self, words: &[&str]) -> Said {
        let output = program()
            .arg("--config")
            .arg(self.config())
            .args(words)
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .output()
            .expect("the tollgate binary starts");
        Said {
            status: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Runs a command that must succeed; returns its output.
    #[track_caller]
    pub fn ok(&self, words: &[&str]) -> String {
        let said = self.cli(words);
        assert!(said.status == 0, "tollgate {} exited {}: {}{}", words.join(" "), said.status, said.out, said.err);
        said.out
    }

    /// Runs a reading command with `--json` and parses its answer.
    #[track_caller]
    pub fn json(&self, words: &[&str]) -> Value {
        let mut words = words.to_vec();
        words.push("--json");
        let out = self.ok(&words);
        serde_json::from_str(&out).unwrap_or_else(|e| panic!("tollgate {}: {e}: {out}", words.join(" ")))
    }

    /// The rows of a reading command.
    #[track_caller]
    pub fn rows(&self, words: &[&str]) -> Vec<Value> {
        match self.json(words) {
            Value::Array(rows) => rows,
            other => panic!("tollgate {}: a list was expected, not {other}", words.join(" ")),
        }
    }

    /// What a listener of the server answers to GET, head and all.
    #[track_caller]
    pub fn get(&self, port: u16, path: &str) -> String {
        let mut stream = TcpStream::connect((self.host, port)).expect("it listens");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").expect("sent");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("an answer");
        text
    }

    /// A gauge of the metrics, summed over its labels.
    #[track_caller]
    pub fn gauge(&self, name: &str) -> f64 {
        let page = self.get(19090, "/metrics");
        let of = |line: &str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{']));
        let values: Vec<f64> =
            page.lines().filter(|line| of(line)).filter_map(|line| line.rsplit(' ').next()?.parse().ok()).collect();
        assert!(!values.is_empty(), "no {name} in {page}");
        values.iter().sum()
    }

    /// Waits until no call is live.
    #[track_caller]
    pub fn await_quiet(&self) {
        until("no call is live", Duration::from_secs(40), || self.rows(&["call", "list"]).is_empty());
    }

    /// Waits for `count` CDRs and returns them all, newest first.
    #[track_caller]
    pub fn await_cdrs(&self, count: usize) -> Vec<Value> {
        let mut rows = Vec::new();
        until(&format!("{count} CDRs are written"), Duration::from_secs(20), || {
            rows = self.rows(&["cdr", "list", "--limit", "100000"]);
            rows.len() >= count
        });
        assert_eq!(rows.len(), count, "CDRs: {rows:#?}");
        rows
    }

    /// The one CDR there must be.
    #[track_caller]
    pub fn only_cdr(&self) -> Value {
        self.await_cdrs(1).remove(0)
    }

    /// Everything the server logged since it was first started.
    pub fn logged(&self) -> String {
        (1..=self.starts).map(|n| fs::read_to_string(self.log(n)).unwrap_or_default()).collect()
    }

    fn log(&self, start: u32) -> PathBuf {
        self.folder.path().join(format!("tollgate.{start}.log"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if thread::panicking() {
            let log = self.logged();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!("--- the server's last lines ---");
            for line in &lines[lines.len().saturating_sub(150)..] {
                eprintln!("{line}");
            }
        }
        if let Some(url) = &self.postgres {
            let name = url.rsplit('/').next().unwrap_or_default();
            let _ = psql(&cluster(), &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
        }
    }
}

/// The binary under test, built by the same `cargo test`.
pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
    // What the developer has set for himself must not reach the server.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("TOLLGATE__") {
            command.env_remove(name);
        }
    }
    command
}

/// Waits until `done`, asking often; fails with the sentence `what` after `limit`.
#[track_caller]
pub fn until(what: &str, limit: Duration, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + limit;
    while !done() {
        assert!(Instant::now() < deadline, "waited {limit:?} in vain until {what}");
        pause();
    }
}

/// The beat at which other programs are asked whether they are there yet.
fn pause() {
    thread::sleep(Duration::from_millis(40));
}

/// Real time passes: for cases in which the length of a call is the point.
pub fn let_pass(time: Duration) {
    thread::sleep(time);
}

/// The lines of a stream, read by a thread of their own so that the program never blocks on a full pipe.
pub fn lines_of(stream: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = sync_channel(10_000);
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            // Nobody listens any more: go on reading, so that the writer is not stopped by a closed pipe.
            let _ = sender.try_send(line);
        }
    });
    receiver
}

/// Sends a signal by the `kill` that every shell has.
pub fn signal(name: &str, process: u32) {
    let status = Command::new("sh").args(["-c", &format!("kill -{name} {process}")]).status();
    assert!(status.is_ok_and(|s| s.success()), "kill -{name} {process}");
}

/// The URL of the cluster that databases are made in.
pub fn cluster() -> String {
    std::env::var("TOLLGATE_TEST_POSTGRES")
        .expect("TOLLGATE_TEST_POSTGRES names no PostgreSQL: ./tests/run starts one and sets it")
}

fn create_database() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let name = format!("peers_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let cluster = cluster();
    psql(&cluster, &format!("CREATE DATABASE {name}"));
    let base = cluster.rsplit_once('/').map(|(base, _)| base.to_owned()).expect("a URL with a database");
    format!("{base}/{name}")
}

/// Runs one statement by PostgreSQL's own shell; returns its bare rows.
pub fn psql(url: &str, statement: &str) -> String {
    let output = Command::new("psql")
        .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set", "ON_ERROR_STOP=1"])
        .args(["--dbname", url, "--command", statement])
        .output()
        .expect("psql is installed");
    assert!(output.status.success(), "psql: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
