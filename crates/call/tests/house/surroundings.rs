//! What surrounds a call: an admission that says what the scene wants, a ledger with little money, a relay that only notes.

use std::net::SocketAddr;

use tollgate_billing::cdr::CallKind;
use tollgate_billing::hold::Holder;
use tollgate_billing::ledger::{Ask, Fault, Held, LevelQuote, LineAsk, Outcome, What};
use tollgate_billing::price::{Price, PricePlan};
use tollgate_call::*;
use tollgate_media::{Pair, Ports};
use tollgate_types::*;

use super::{FOR_EVER, House, Ledger, Way, flow};

impl House {
    pub(super) fn place(&self, target: &Target, address: &str) -> Place {
        let uri = match target {
            Target::User { name, .. } => format!("sip:{name}@{address}"),
            Target::Trunk { number, .. } => format!("sip:{number}@{address}"),
        };
        Place {
            uri: uri.into(),
            flow: flow(address),
            routes: Box::new([]),
            login: self.login.clone().filter(|_| target.is_trunk()),
        }
    }

    pub(super) fn admit(&mut self, ask: &PlanAsk) -> Admission {
        let way = self.ways.pop_front().unwrap_or(Way::Refuse(Rule::NoRoute));
        let identity = Identity { user: "36301234567".into(), asserted: None, ..Identity::default() };
        let mut candidates = vec![];
        let kind = match (&way, ask.kind) {
            (_, CallKind::Redirect | CallKind::Transfer) => ask.kind,
            (Way::Trunks(_), _) => CallKind::Outbound,
            _ => CallKind::Internal,
        };
        match way {
            Way::Refuse(rule) => {
                let refusal = Refusal::new(rule, None, "observed", "limit");
                return Admission {
                    verdict: Err(refusal),
                    trace: vec![],
                    callee: "callee".into(),
                    caller: "alice".into(),
                    payer: None,
                };
            }
            Way::User(name, addresses) => {
                self.places.insert(name.to_owned(), addresses);
                let target = Target::User { user: UserId(77), account: AccountId(77), name: name.into(), number: None };
                candidates.push(Candidate { target, identity: identity.clone(), buy: None });
            }
            Way::Trunks(trunks) => {
                for (id, (name, addresses)) in trunks.into_iter().enumerate() {
                    self.places.insert(name.to_owned(), addresses);
                    let target =
                        Target::Trunk { trunk: TrunkId(id as i64 + 1), name: name.into(), number: "4420123456".into() };
                    let identity = Identity { asserted: Some("36301234567".into()), ..identity.clone() };
                    candidates.push(Candidate { target, identity, buy: None });
                }
            }
        }
        let free = matches!(self.ledger, Ledger::Free);
        let price = if free { Price::FREE } else { Price::per_minute(Rate::from_nanos(600_000_000)) };
        let account = ask.payer.account().unwrap_or(AccountId(1));
        let plan = Plan {
            counts_source: true,
            kind,
            emergency: false,
            candidates,
            levels: vec![LevelQuote { account, currency: Currency::USD, plan: PricePlan::flat(price) }],
            lines: vec![LineAsk { holder: Holder::User(UserId(1)), max: Some(5), setting: "lines.enduser" }],
            price_per_minute: price.rate,
        };
        Admission {
            verdict: Ok(Box::new(plan)),
            trace: vec![],
            callee: "callee".into(),
            caller: "alice".into(),
            payer: None,
        }
    }

    pub(super) fn ledger_hears(&mut self, ask: Ask) {
        let key = ask.key;
        let leg = (key.call, key.paid_leg);
        let outcome = match (&ask.what, self.ledger) {
            (What::Settle(settle), _)
                if self.granted.contains_key(&leg) || key.call != self.call.as_ref().unwrap().id() =>
            {
                self.records.push((*settle.cdr).clone());
                Some(Outcome::Settled(settle.cdr.clone()))
            }
            (What::Settle(_), _) => Some(Outcome::Impossible(Fault::UnknownHold)),
            (What::Record(cdr), _) => {
                self.records.push((**cdr).clone());
                Some(Outcome::Settled(cdr.clone()))
            }
            (_, Ledger::Mute) => None,
            (_, Ledger::Away) => Some(Outcome::Refused(Refusal::new(Rule::LedgerUnavailable, None, "away", ""))),
            (What::Hold(_), Ledger::Refuses) => {
                Some(Outcome::Refused(Refusal::new(Rule::Credit, None, "0.60", "0.10")))
            }
            (What::Hold(_), Ledger::Pays { min, .. }) => {
                self.granted.insert(leg, min * 1000);
                Some(held(Some(min * 1000)))
            }
            (What::Hold(_), Ledger::Free) => {
                self.granted.insert(leg, FOR_EVER);
                Some(held(None))
            }
            (What::Answered(_), _) => {
                Some(Outcome::Answered { paid_ms: self.granted.get(&leg).copied().filter(|paid| *paid != FOR_EVER) })
            }
            (What::Extend(_), Ledger::Pays { slice, total, .. }) => {
                let paid = self.granted.get_mut(&leg).expect("an extension follows a hold");
                let more = (*paid + slice * 1000).min(total * 1000);
                Some(if more > *paid {
                    *paid = more;
                    Outcome::Extended { paid_ms: Some(more), held: Money::ZERO }
                } else {
                    Outcome::Refused(Refusal::new(Rule::Credit, None, "0.60", "0.10"))
                })
            }
            (_, Ledger::Refuses) => Some(Outcome::Refused(Refusal::new(Rule::Credit, None, "0.60", "0.10"))),
            _ => Some(Outcome::Done),
        };
        self.asks.push(ask);
        if let Some(outcome) = outcome {
            self.answer(Event::Ledger { key, outcome });
        }
    }

    pub(super) fn relay_hears(&mut self, order: MediaOrder) {
        match order {
            MediaOrder::Allocate { lines, .. } => {
                self.media.push(format!("allocate {lines}"));
                let ports = self.ports_left.then(|| {
                    let line =
                        |index: u16| [[Some(pair(20_000 + index * 8)), None], [Some(pair(20_004 + index * 8)), None]];
                    Box::new(Ports { lines: (0..u16::from(lines)).map(line).collect() })
                });
                self.answer(Event::MediaReady { ports });
            }
            MediaOrder::Update { plan } => {
                let told: Vec<String> = plan
                    .lines
                    .iter()
                    .map(|line| {
                        let end = |side: usize| {
                            line.sides[side]
                                .remote
                                .and_then(|remote| remote.rtp)
                                .map_or("-".into(), |rtp: SocketAddr| rtp.to_string())
                        };
                        format!("{}<->{}", end(0), end(1))
                    })
                    .collect();
                self.media.push(told.join(" "));
            }
            MediaOrder::OpenUntil { at } => self
                .media
                .push(format!("until {}", if at == Mono::NEVER { "ever".into() } else { at.millis().to_string() })),
            MediaOrder::Gate { a_to_b, b_to_a } => self.media.push(format!("gate {a_to_b} {b_to_a}")),
            MediaOrder::Close => {
                self.media.push("close".into());
                self.answer(Event::MediaClosed { stats: Box::default() });
            }
        }
    }
}

pub fn held(paid_ms: Option<u64>) -> Outcome {
    Outcome::Held(Held { paid_ms, held: Money::ZERO, price_per_minute: Rate::ZERO })
}

fn pair(rtp: u16) -> Pair {
    Pair { rtp, rtcp: rtp + 1 }
}

impl House {
    /// Delivers everything, with every hold refused by a ledger that is away: free calls do not care.
    pub fn deliver_with(&mut self, ledger: Ledger) {
        while let Some(event) = self.inbox.pop_front() {
            let event = match event {
                Event::Ledger { key, .. } if ledger == Ledger::Away => Event::Ledger {
                    key,
                    outcome: Outcome::Refused(Refusal::new(Rule::LedgerUnavailable, None, "away", "")),
                },
                other => other,
            };
            self.tell(event);
        }
        self.prompt = true;
    }
}
