//! Names to addresses, off the SIP threads: RFC 3263's choices driven over a real resolver.

use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::proto::rr::{RData, RecordType};
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
}

impl Resolver {
    /// Asks the system's name servers from `runtime`. Without any it knows numeric addresses alone.
    pub fn new(
        runtime: tokio::runtime::Handle,
        transports: Vec<Transport>,
        v4: bool,
        v6: bool,
        seed: Seed,
    ) -> Resolver {
        let guard = runtime.enter();
        let dns = TokioResolver::builder_tokio().ok().and_then(|builder| builder.build().ok());
        drop(guard);
        if dns.is_none() {
            tracing::warn!("no name servers are configured on this system; carriers must be given by address");
        }
        Resolver(Arc::new(Inner { runtime, dns, transports, v4, v6, seed }))
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
        let mut locator = self.locator(&wanted);
        let draw = self.0.seed.child(wanted.host.len() as u64);
        self.0.runtime.spawn(async move {
            let mut tokens = Tokens::new(draw, 0);
            let search = async {
                let mut ttl = u32::MAX;
                loop {
                    match locator.step() {
                        Step::Done(targets) => break (targets, Duration::from_secs(u64::from(ttl))),
                        Step::Ask(question) => {
                            let answer = inner.ask(&question, &mut ttl).await;
                            locator.answer(answer, &mut tokens);
                        }
                    }
                }
            };
            let (targets, age) = tokio::time::timeout(DEADLINE, search).await.unwrap_or_default();
            found(targets, age);
        });
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

impl Inner {
    async fn ask(&self, question: &Question, ttl: &mut u32) -> Answer {
        match question {
            Question::Naptr(domain) => {
                Answer::Naptr(self.records(domain, RecordType::NAPTR, ttl).await.iter().filter_map(naptr).collect())
            }
            Question::Srv(name) => {
                Answer::Srv(self.records(name, RecordType::SRV, ttl).await.iter().filter_map(srv).collect())
            }
            Question::Addresses(host) => {
                let mut found = Vec::new();
                if self.v4 {
                    found.extend(self.records(host, RecordType::A, ttl).await.iter().filter_map(address));
                }
                if self.v6 {
                    found.extend(self.records(host, RecordType::AAAA, ttl).await.iter().filter_map(address));
                }
                Answer::Addresses(found)
            }
        }
    }

    /// The records, `ttl` lowered to the shortest of theirs.
    async fn records(&self, name: &str, kind: RecordType, ttl: &mut u32) -> Vec<RData> {
        let Some(dns) = &self.dns else { return Vec::new() };
        match dns.lookup(name, kind).await {
            Ok(found) => found
                .answers()
                .iter()
                .map(|record| {
                    *ttl = record.ttl.min(*ttl);
                    record.data.clone()
                })
                .collect(),
            Err(error) => {
                tracing::debug!(name, %kind, %error, "a name was not found");
                Vec::new()
            }
        }
    }
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
