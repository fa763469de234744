//! sipp, one run at a time: a scenario file, an address of its own, and an exit code that says whether it went as written.

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::network::SIP;
use crate::server::{DOMAIN, Server, until};
use crate::world;

/// A run to be: scenario, addresses, numbers.
pub struct Sipp {
    scenario: &'static str,
    host: Ipv4Addr,
    server: SocketAddr,
    words: BTreeMap<&'static str, String>,
    calls: Option<u32>,
    rate: u32,
    limit: u32,
    pause: Duration,
    patience: Duration,
    echo: bool,
    tcp: bool,
}

/// A run that goes on.
pub struct Running {
    scenario: &'static str,
    folder: tempfile::TempDir,
    child: Child,
    patience: Duration,
}

/// How a run ended: counts from sipp's own statistics.
#[derive(Debug)]
pub struct Report {
    /// Calls that went as the scenario is written.
    pub successful: u32,
    /// Calls that did not.
    pub failed: u32,
    /// Messages that had to be sent again.
    pub retransmissions: u32,
    /// Of a callee: calls that came to the scripted end.
    pub done: u32,
}

impl Sipp {
    /// A run of `tests/peers/scenarios/{scenario}.xml` from `host` against `server`: one call unless said otherwise.
    pub fn new(server: &Server, host: Ipv4Addr, scenario: &'static str) -> Sipp {
        Sipp {
            scenario,
            host,
            server: server.sip(),
            words: BTreeMap::from([("domain", DOMAIN.to_owned())]),
            calls: Some(1),
            rate: 10,
            limit: 100,
            pause: Duration::ZERO,
            patience: Duration::from_secs(30),
            echo: false,
            tcp: false,
        }
    }

    /// A callee: listens at `host` until dropped, for as many calls as come.
    pub fn listening(server: &Server, host: Ipv4Addr, scenario: &'static str) -> Sipp {
        Sipp { calls: None, ..Sipp::new(server, host, scenario) }
    }

    /// Replaces `{{word}}` in the scenario.
    pub fn word(mut self, word: &'static str, value: impl ToString) -> Sipp {
        self.words.insert(word, value.to_string());
        self
    }

    /// Who is calling or registering; its password comes along.
    pub fn user(self, name: &str) -> Sipp {
        let password = world::password(name);
        self.word("user", name).word("password", password)
    }

    /// Who is called.
    pub fn callee(self, callee: &str) -> Sipp {
        self.word("callee", callee)
    }

    /// How many calls, how many new ones a second, and how many at once at most.
    pub fn load(mut self, calls: u32, rate: u32, limit: u32) -> Sipp {
        (self.calls, self.rate, self.limit) = (Some(calls), rate, limit);
        self
    }

    /// The length of the scenario's `<pause/>`: the talk of a caller, the ringing of a callee.
    pub fn pause(mut self, pause: Duration) -> Sipp {
        self.pause = pause;
        self
    }

    /// The time after which the run has failed.
    pub fn patience(mut self, patience: Duration) -> Sipp {
        self.patience = patience;
        self
    }

    /// Sends every RTP packet back to where it came from.
    pub fn echo(mut self) -> Sipp {
        self.echo = true;
        self
    }

    /// One TCP connection instead of UDP.
    pub fn tcp(mut self) -> Sipp {
        self.tcp = true;
        self
    }

    /// Starts it; a callee listens when this returns.
    pub fn start(self) -> Running {
        let folder = tempfile::Builder::new().prefix("tollgate-sipp.").tempdir().expect("a temporary folder");
        let file = format!("{}.xml", self.scenario);
        let source = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/peers/scenarios").join(&file);
        let mut text = fs::read_to_string(&source).unwrap_or_else(|e| panic!("{}: {e}", source.display()));
        for (word, value) in &self.words {
            text = text.replace(&format!("{{{{{word}}}}}"), value);
        }
        if let Some(at) = text.find("{{") {
            panic!("{file}: no value for {}", text[at..].split_inclusive("}}").next().unwrap_or_default());
        }
        fs::write(folder.path().join(&file), text).expect("written");
        let log = fs::File::create(folder.path().join("out")).expect("a log file");
        let host = self.host.to_string();
        let mut command = Command::new("sipp");
        command
            .arg(self.server.to_string())
            .args(["-sf", &file, "-i", &host, "-bind_local", "-p", &SIP.to_string(), "-ci", &host])
            .args(["-mi", &host, "-mp", "16000", "-nostdin", "-skip_rlimit"])
            .args(["-r", &self.rate.to_string(), "-l", &self.limit.to_string(), "-aa"])
            .args(["-d", &self.pause.as_millis().to_string()])
            .args(["-trace_err", "-error_file", "errors", "-trace_msg", "-message_file", "messages"])
            .args(["-trace_stat", "-stf", "stat", "-fd", "1"])
            .args(["-cid_str", &format!("%u-%p-{}@%s", self.scenario)])
            .args(["-t", if self.tcp { "t1" } else { "u1" }]);
        // sipp proves itself for the URI it is told, whatever it requests: tell it the one in the scenarios.
        let asked = self.words.get("callee").map(|callee| format!("{callee}@{DOMAIN}"));
        command.args(["-auth_uri", asked.as_deref().unwrap_or(DOMAIN)]);
        if let Some(calls) = self.calls {
            let patience = format!("{}s", self.patience.as_secs());
            command.args(["-m", &calls.to_string(), "-timeout", &patience, "-timeout_error"]);
        }
        if self.echo {
            command.arg("-rtp_echo");
        }
        let child = command
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log)
            .spawn()
            .expect("sipp is installed");
        let running = Running { scenario: self.scenario, folder, child, patience: self.patience };
        if !self.tcp {
            let port = format!("{:08X}:{SIP:04X}", u32::from_le_bytes(self.host.octets()));
            until(&format!("sipp {} has its port", self.scenario), Duration::from_secs(10), || {
                fs::read_to_string("/proc/net/udp").is_ok_and(|table| table.contains(&port)) || running.ended()
            });
        }
        running
    }

    /// Starts it and waits for an end as written.
    #[track_caller]
    pub fn run(self) -> Report {
        self.start().finish()
    }
}

impl Running {
    /// Waits for the end; every call must have gone as written.
    #[track_caller]
    pub fn finish(self) -> Report {
        let scenario = self.scenario;
        let (status, report) = self.end();
        assert!(status == 0 && report.successful > 0, "sipp {scenario} exited {status}: {report:?}");
        report
    }

    /// Waits for the end, whatever it is.
    #[track_caller]
    pub fn end(mut self) -> (i32, Report) {
        let deadline = Instant::now() + self.patience + Duration::from_secs(10);
        let mut status = None;
        until(&format!("sipp {} ends", self.scenario), deadline.saturating_duration_since(Instant::now()), || {
            status = self.child.try_wait().expect("a status");
            status.is_some()
        });
        let status = status.and_then(|s| s.code()).unwrap_or(-1);
        if status != 0 {
            self.show();
        }
        (status, self.report())
    }

    /// Of a callee: waits until `count` calls went to the scripted end, and none another way.
    #[track_caller]
    pub fn await_done(&self, count: u32) -> Report {
        until(&format!("{count} calls of {} are done, not {:?}", self.scenario, self.report()), self.patience, || {
            self.report().done >= count
        });
        let report = self.report();
        assert!(report.done == count && report.failed == 0, "sipp {}: {report:?}", self.scenario);
        report
    }

    /// All messages so far, as sipp wrote them down.
    pub fn messages(&self) -> String {
        fs::read_to_string(self.folder.path().join("messages")).unwrap_or_default()
    }

    /// The counts so far (they are a second old at most).
    pub fn report(&self) -> Report {
        let text = fs::read_to_string(self.folder.path().join("stat")).unwrap_or_default();
        let mut lines = text.lines();
        let names: Vec<&str> = lines.next().unwrap_or_default().split(';').collect();
        let values: Vec<&str> = lines.next_back().unwrap_or_default().split(';').collect();
        let value = |name: &str| {
            names.iter().position(|n| *n == name).and_then(|at| values.get(at)?.parse().ok()).unwrap_or_default()
        };
        Report {
            successful: value("SuccessfulCall(C)"),
            failed: value("FailedCall(C)"),
            retransmissions: value("Retransmissions(C)"),
            done: value("done(C)"),
        }
    }

    fn ended(&self) -> bool {
        fs::read_to_string(format!("/proc/{}/stat", self.child.id())).is_ok_and(|stat| stat.contains(") Z "))
    }

    fn show(&self) {
        for (file, lines) in [("errors", 40), ("messages", 160), ("out", 30)] {
            let text = fs::read_to_string(self.folder.path().join(file)).unwrap_or_default();
            let all: Vec<&str> = text.lines().collect();
            if !all.is_empty() {
                eprintln!("--- sipp {}: {file} ---", self.scenario);
                eprintln!("{}", all[all.len().saturating_sub(lines)..].join("\n"));
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|status| status.is_none()) {
            let _ = self.child.kill();
            let _ = self.child.wait();
            if thread::panicking() {
                self.show();
            }
        }
    }
}
