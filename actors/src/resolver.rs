//! Names to addresses, off the SIP threads: RFC 3263's choices driven over a real resolver.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{RData, RecordType};
use tollgate_routing::trunk::Finding;
use tollgate_sip::locate::{Answer, Locator, Means, Naptr, Question, Srv, Step, Target, Wanted};
use tollgate_sip::token::Tokens;
use tollgate_types::{Seed, Transport};

/// One look-up, however many questions it takes.
const DEADLINE: Duration = Duration::from_secs(8);

/// Looks up where a request may be sent. Cheap to clone.
#[derive(Clone)]
pub struct Resolver(Arc<Inner>);

struct Inner {
    runtime: tokio::runtime::Handle,
    dns: Option<TokioResolver>,
    transports: Vec<Transport>,
    v4: bool,
    v6: bool,
    seed: Seed,
    searches: AtomicU64,
}

/// How good the answers of one search were.
struct Grade {
    /// How long all of them hold.
    age: Duration,
    /// Every question was answered, if only by saying that there is nothing.
    whole: bool,
}

impl Resolver {
    /// Asks `servers`, or the system's name servers if there are none, from `runtime`. Where the system has none either it
    /// knows numeric addresses alone.
    pub fn new(
        runtime: tokio::runtime::Handle,
        servers: &[SocketAddr],
        transports: Vec<Transport>,
        v4: bool,
        v6: bool,
        seed: Seed,
    ) -> Resolver {
        let guard = runtime.enter();
        let dns = ask_of(servers);
        drop(guard);
        if dns.is_none() {
            tracing::warn!(
                "no name servers are configured on this system; carriers must be given by address, or [sip] dns set"
            );
        }
        Resolver(Arc::new(Inner { runtime, dns, transports, v4, v6, seed, searches: AtomicU64::new(0) }))
    }

    /// What can be told without a question: numeric hosts. `None` when somebody must be asked.
    pub fn at_once(&self, wanted: &Wanted) -> Option<Vec<Target>> {
        match self.locator(wanted).step() {
            Step::Done(targets) => Some(targets),
            Step::Ask(_) => None,
        }
    }

    /// Looks up; `found` is called once, on the resolver's runtime, with the targets in order of trial and how long DNS lets them
    /// be used.
    pub fn look_up(&self, wanted: Wanted, found: impl FnOnce(Vec<Target>, Duration) + Send + 'static) {
        let inner = self.0.clone();
        let locator = self.locator(&wanted);
        self.0.runtime.spawn(async move {
            let mut grade = Grade::best();
            let search = inner.search(locator, &mut grade);
            let targets = tokio::time::timeout(DEADLINE, search).await.unwrap_or_default();
            found(targets, grade.age);
        });
    }

    /// All addresses that a peer called `host` may send from: those of the servers that its domain names (RFC 3263) and those of
    /// the name itself.
    pub async fn addresses(&self, host: &str) -> Finding {
        let wanted = Wanted { host: host.to_owned(), port: None, transport: None, secure: false };
        let mut grade = Grade::best();
        let mut addresses = Vec::new();
        let search = async {
            let servers = self.0.search(self.locator(&wanted), &mut grade).await;
            addresses.extend(servers.iter().map(|target| target.address.ip()));
            if let Answer::Addresses(own) = self.0.ask(&Question::Addresses(host.to_owned()), &mut grade).await {
                addresses.extend(own);
            }
        };
        let in_time = tokio::time::timeout(DEADLINE, search).await.is_ok();
        Finding { addresses, age: grade.age, whole: grade.whole && in_time }
    }

    /// Runs something else that belongs to the same runtime.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.0.runtime.spawn(task);
    }

    fn locator(&self, wanted: &Wanted) -> Locator {
        let means = Means { transports: &self.0.transports, v4: self.0.v4, v6: self.0.v6 };
        Locator::new(wanted.clone(), &means)
    }
}

impl Grade {
    fn best() -> Grade {
        Grade { age: Duration::MAX, whole: true }
    }
}

impl Inner {
    /// Asks what the locator wants to know until it is done.
    async fn search(&self, mut locator: Locator, grade: &mut Grade) -> Vec<Target> {
        // RFC 2782: among servers of equal priority each search draws anew.
        let mut tokens = Tokens::new(self.seed.child(self.searches.fetch_add(1, Ordering::Relaxed)), 0);
        loop {
            match locator.step() {
                Step::Done(targets) => return targets,
                Step::Ask(question) => {
                    let answer = self.ask(&question, grade).await;
                    locator.answer(answer, &mut tokens);
                }
            }
        }
    }

    async fn ask(&self, question: &Question, grade: &mut Grade) -> Answer {
        match question {
            Question::Naptr(domain) => {
                Answer::Naptr(self.records(domain, RecordType::NAPTR, grade).await.iter().filter_map(naptr).collect())
            }
            Question::Srv(name) => {
                Answer::Srv(self.records(name, RecordType::SRV, grade).await.iter().filter_map(srv).collect())
            }
            Question::Addresses(host) => {
                let mut found = Vec::new();
                if self.v4 {
                    found.extend(self.records(host, RecordType::A, grade).await.iter().filter_map(address));
                }
                if self.v6 {
                    found.extend(self.records(host, RecordType::AAAA, grade).await.iter().filter_map(address));
                }
                Answer::Addresses(found)
            }
        }
    }

    /// The records; `grade` is lowered to theirs.
    async fn records(&self, name: &str, kind: RecordType, grade: &mut Grade) -> Vec<RData> {
        let Some(dns) = &self.dns else {
            grade.whole = false;
            return Vec::new();
        };
        match dns.lookup(name, kind).await {
            Ok(found) => {
                grade.age = grade.age.min(found.valid_until().saturating_duration_since(Instant::now()));
                found.answers().iter().map(|record| record.data.clone()).collect()
            }
            Err(error) => {
                grade.whole &= error.is_no_records_found() || error.is_nx_domain();
                tracing::debug!(name, %kind, %error, "a name was not found");
                Vec::new()
            }
        }
    }
}

/// Whom to ask.
fn ask_of(servers: &[SocketAddr]) -> Option<TokioResolver> {
    if servers.is_empty() {
        return TokioResolver::builder_tokio().ok()?.build().ok();
    }
    let at = |server: &SocketAddr| {
        let mut ways = vec![ConnectionConfig::udp(), ConnectionConfig::tcp()];
        ways.iter_mut().for_each(|way| way.port = server.port());
        NameServerConfig::new(server.ip(), true, ways)
    };
    let config = ResolverConfig::from_name_servers(servers.iter().map(at).collect());
    TokioResolver::builder_with_config(config, TokioRuntimeProvider::default()).build().ok()
}

fn naptr(data: &RData) -> Option<Naptr> {
    let RData::NAPTR(naptr) = data else { return None };
    Some(Naptr {
        order: naptr.order,
        preference: naptr.preference,
        flags: String::from_utf8_lossy(&naptr.flags).into_owned(),
        service: String::from_utf8_lossy(&naptr.services).into_owned(),
        replacement: naptr.replacement.to_utf8(),
    })
}

fn srv(data: &RData) -> Option<Srv> {
    let RData::SRV(srv) = data else { return None };
    Some(Srv { priority: srv.priority, weight: srv.weight, port: srv.port, target: srv.target.to_utf8() })
}

fn address(data: &RData) -> Option<IpAddr> {
    match data {
        RData::A(address) => Some(IpAddr::V4(address.0)),
        RData::AAAA(address) => Some(IpAddr::V6(address.0)),
        _ => None,
    }
}
