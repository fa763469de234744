//! baresip as a desk phone without a sound card: it plays a tone of its own and records what it hears.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};
use std::{fs, thread};

use serde_json::Value;

use crate::network::port_pair;
use crate::server::{DOMAIN, Server, until};
use crate::tone;
use crate::world;

/// How long the phone may take for anything it is asked.
const PATIENCE: Duration = Duration::from_secs(15);

/// A running baresip, registered as one user.
pub struct Baresip {
    folder: tempfile::TempDir,
    child: Child,
    control: TcpStream,
    events: Receiver<Value>,
    seen: Vec<Value>,
}

/// How a phone is set up.
pub struct Setup<'a> {
    server: &'a Server,
    name: &'a str,
    hertz: f64,
    address: Ipv4Addr,
    transport: &'static str,
}

impl<'a> Setup<'a> {
    /// SIP over TCP instead of UDP.
    pub fn tcp(mut self) -> Setup<'a> {
        self.transport = "tcp";
        self
    }

    /// Signals an address that its media does not come from, as behind NAT: baresip sends RTP from the loopback's first
    /// address, whatever it announced.
    pub fn behind_nat(mut self, address: Ipv4Addr) -> Setup<'a> {
        self.address = address;
        self
    }

    /// Starts the phone and waits until the server knows its binding.
    pub fn start(self) -> Baresip {
        let folder = tempfile::Builder::new().prefix("tollgate-baresip.").tempdir().expect("a temporary folder");
        fs::create_dir(folder.path().join("heard")).expect("a folder");
        tone::write(&folder.path().join("tone.wav"), self.hertz, 60);
        let (sip, control) = (port_pair(self.address), port_pair(self.address));
        let path = folder.path().display();
        let address = self.address;
        let config = format!(
            "poll_method epoll\nsip_listen {address}:{sip}\ncall_local_timeout 120\ncall_max_calls 4\n\
             audio_path /nonexistent\naudio_player aubridge,nil\naudio_source aufile,{path}/tone.wav\n\
             audio_alert aubridge,nil\nausrc_srate 8000\nauplay_srate 8000\nausrc_channels 1\nauplay_channels 1\n\
             audio_level no\nausrc_format s16\nauplay_format s16\nauenc_format s16\naudec_format s16\n\
             audio_buffer 20-160\nrtp_ports 24000-32000\nrtcp_mux no\njitter_buffer_delay 1-3\nrtp_stats no\n\
             net_interface {address}\nmodule_path {}\n\
             module g711.so\nmodule sndfile.so\nmodule aubridge.so\nmodule aufile.so\n\
             module_tmp account.so\nmodule_app menu.so\nmodule_app ctrl_tcp.so\n\
             ctrl_tcp_listen {address}:{control}\nsnd_path {path}/heard\n",
            modules().display()
        );
        let account = format!(
            "<sip:{0}@{DOMAIN};transport={1}>;outbound=\"sip:{2};transport={1}\";auth_user={0};auth_pass={3};\
             regint=60;answermode=auto;audio_codecs=pcma,pcmu\n",
            self.name,
            self.transport,
            self.server.sip(),
            world::password(self.name)
        );
        for (name, text) in [("config", config.as_str()), ("accounts", account.as_str()), ("contacts", "")] {
            fs::write(folder.path().join(name), text).expect("written");
        }
        let log = fs::File::create(folder.path().join("log")).expect("a log file");
        let child = Command::new("baresip")
            .arg("-f")
            .arg(folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log)
            .spawn()
            .expect("baresip is installed");
        let (control, events) = connect((address, control).into());
        let phone = Baresip { folder, child, control, events, seen: Vec::new() };
        until(&format!("{} is registered", self.name), PATIENCE, || {
            !self.server.rows(&["registration", "list", "--user", self.name]).is_empty()
        });
        phone
    }
}

impl Baresip {
    /// A phone of `name` that plays a tone of `hertz`, at the loopback's first address, over UDP.
    pub fn of<'a>(server: &'a Server, name: &'a str, hertz: f64) -> Setup<'a> {
        Setup { server, name, hertz, address: Ipv4Addr::LOCALHOST, transport: "udp" }
    }

    /// Dials a user or number.
    pub fn dial(&mut self, callee: &str) {
        self.command("dial", &format!("sip:{callee}@{DOMAIN}"));
    }

    /// Hangs up.
    pub fn hang_up(&mut self) {
        self.command("hangup", "");
    }

    /// Gives a command of baresip's menu.
    pub fn command(&mut self, command: &str, params: &str) {
        let order = serde_json::json!({ "command": command, "params": params, "token": command }).to_string();
        write!(self.control, "{}:{order},", order.len()).expect("baresip listens");
    }

    /// Waits for an event by its type (`CALL_ESTABLISHED`, `CALL_CLOSED`, …); earlier ones count.
    #[track_caller]
    pub fn await_event(&mut self, kind: &str) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(at) = self.seen.iter().position(|event| event["type"] == kind) {
                return self.seen.remove(at);
            }
            match self.events.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(event) => self.seen.push(event),
                Err(_) => panic!("baresip told no {kind}, but {:?}", self.seen),
            }
        }
    }

    /// Waits until the phone has recorded a second and a half of `hertz` and nothing much else besides.
    #[track_caller]
    pub fn await_tone(&self, hertz: f64) {
        until(&format!("{hertz} Hz are heard"), PATIENCE, || {
            self.recording().is_some_and(|path| {
                let (with, all) = tone::slices(&path, hertz);
                with >= 15 && with * 10 >= all * 7
            })
        });
    }

    /// The share of slices of the latest recording that hold `hertz`, in percent.
    pub fn percent(&self, hertz: f64) -> usize {
        self.recording().map_or(0, |path| {
            let (with, all) = tone::slices(&path, hertz);
            with * 100 / all.max(1)
        })
    }

    /// How many slices of the latest recording hold `hertz`.
    pub fn heard(&self, hertz: f64) -> usize {
        self.recording().map_or(0, |path| tone::slices(&path, hertz).0)
    }

    /// The latest file of what was heard.
    fn recording(&self) -> Option<PathBuf> {
        let entries = fs::read_dir(self.folder.path().join("heard")).ok()?;
        let heard = |path: &Path| {
            path.to_string_lossy().ends_with("-dec.wav") && fs::metadata(path).is_ok_and(|m| m.len() > 44)
        };
        entries.flatten().map(|e| e.path()).filter(|path| heard(path)).max()
    }
}

impl Drop for Baresip {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            // Its progress line is rewritten in place, ten times a second.
            let lines: Vec<&str> = log.lines().filter(|line| !line.contains("(bit/s)")).collect();
            eprintln!("--- baresip ---\n{}", lines.join("\n"));
        }
    }
}

/// Debian's folder of modules, whatever the architecture.
fn modules() -> PathBuf {
    let places = ["/usr/lib/baresip/modules", "/usr/local/lib/baresip/modules"];
    places.iter().map(PathBuf::from).find(|p| p.is_dir()).expect("baresip's modules are installed")
}

/// The control connection and the events that come over it, one netstring each.
fn connect(address: SocketAddr) -> (TcpStream, Receiver<Value>) {
    let mut connection = None;
    until("baresip opens its control port", PATIENCE, || {
        connection = TcpStream::connect(address).ok();
        connection.is_some()
    });
    let control = connection.expect("connected");
    let mut reader = control.try_clone().expect("a second handle");
    let (sender, receiver) = sync_channel(10_000);
    thread::spawn(move || {
        let mut pending = Vec::new();
        let mut chunk = [0; 4096];
        while let Ok(length @ 1..) = reader.read(&mut chunk) {
            pending.extend_from_slice(&chunk[..length]);
            while let Some((event, rest)) = netstring(&pending) {
                let _ = sender.try_send(event);
                pending = rest;
            }
        }
    });
    (control, receiver)
}

/// The first whole netstring and what follows it.
fn netstring(bytes: &[u8]) -> Option<(Value, Vec<u8>)> {
    let colon = bytes.iter().position(|b| *b == b':')?;
    let length: usize = std::str::from_utf8(&bytes[..colon]).ok()?.parse().ok()?;
    let end = colon + 1 + length;
    if bytes.len() <= end {
        return None;
    }
    Some((serde_json::from_slice(&bytes[colon + 1..end]).unwrap_or(Value::Null), bytes[end + 1..].to_vec()))
}
