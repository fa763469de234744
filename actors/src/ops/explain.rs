//! A dry run of the whole admission: every rule in order, and no side effect.

use clap::Args;
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use serde_json::{Value, json};
use tollgate_billing::ledger::{Explained, Hold, explain};
use tollgate_billing::{Books, CallKind, Cdr};
use tollgate_call::admission::{self, Admission, Facts, Plan, PlanAsk};
use tollgate_call::{Claim, Party, Target};
use tollgate_guard::caller::{CallerBan, Subject};
use tollgate_guard::fraud::{self, Profile};
use tollgate_routing::Directory;
use tollgate_routing::destination::{Book, Destinations};
use tollgate_routing::emergency::Emergencies;
use tollgate_routing::lcr::Health;
use tollgate_routing::list::{Lists, Memory};
use tollgate_settings::Values;
use tollgate_store::{accounts, lists, registrations, reputations};
use tollgate_types::{CallId, E164, Refusal, TrunkId, UserId, Wall};

use super::field::{self, Misfit, Read};
use super::outcome::Refused;
use super::{Answer, Ops, shown};
use crate::price_book::PriceBook;
use crate::reputations::MOST;

/// `explain`
#[derive(Clone, Debug, Serialize, Deserialize, Args)]
pub struct Explain {
    /// A user, or an ingress trunk
    #[arg(long, value_name = "USER|TRUNK")]
    pub from: String,
    /// What would be dialled
    #[arg(long, value_name = "NUMBER")]
    pub to: String,
    /// From which address
    #[arg(long)]
    #[serde(default)]
    pub ip: Option<String>,
    /// When (RFC 3339); now unless said
    #[arg(long, value_name = "TIME")]
    #[serde(default)]
    pub at: Option<String>,
}

/// Today's snapshots, the house's or read for this one question.
pub(super) struct World {
    pub directory: Arc<Directory>,
    pub values: Values,
    pub prices: Arc<PriceBook>,
    emergencies: Emergencies,
    /// The payer, as the fraud score sees him.
    profile: Arc<Profile>,
    bans: Vec<(Subject, Arc<CallerBan>)>,
    pub destinations: Arc<Destinations>,
    pub lists: Arc<Lists>,
    /// What a stopped server had learned.
    learned: Memory,
}

impl Ops {
    pub(super) async fn explain(&self, wanted: Explain) -> Answer {
        let mut world = self.world().await?;
        let at = wanted.at.as_deref().map_or(Ok(self.clock.wall()), |text| field::time("at", text))?;
        let ask = world.ask(&wanted)?;
        if let Some(account) = ask.payer.account() {
            world.profile = self.profile(account).await?;
        }
        world.bans = self.caller_bans().await?;
        let admission = self.judge(&world, &ask, at).await?;
        let mut trace = json!(admission.trace);
        let plan = match &admission.verdict {
            Ok(plan) => plan,
            Err(refusal) => return Ok(answer(Some(refusal), None, None, trace)),
        };
        let money = if plan.emergency || plan.levels.is_empty() {
            None
        } else {
            Some(self.price(plan, &admission, ask.source, at).await?)
        };
        if let (Value::Array(rows), Some(money)) = (&mut trace, &money) {
            rows.extend(money.trace.iter().map(|row| json!(row)));
        }
        let refusal = money.as_ref().and_then(|money| money.refusal.as_ref());
        Ok(answer(refusal, Some(plan), money.as_ref().and_then(|money| money.max_seconds), trace))
    }

    pub(super) async fn world(&self) -> Result<World, Refused> {
        if let Some(house) = self.living() {
            return Ok(World {
                directory: house.directory.load_full(),
                values: Values::clone(&house.settings.load()),
                prices: house.prices.load_full(),
                emergencies: house.tuned.load().emergencies.clone(),
                profile: Arc::default(),
                bans: Vec::new(),
                destinations: house.destinations.load_full(),
                lists: house.lists.load_full(),
                learned: Memory::new(0, self.snapshots.seed),
            });
        }
        let values = self.snapshots.settings().await?;
        Ok(World {
            directory: Arc::new(self.snapshots.directory(&values).await?.0),
            prices: Arc::new(self.snapshots.prices(None).await?),
            emergencies: Emergencies::from_values(&values),
            profile: Arc::default(),
            bans: Vec::new(),
            destinations: Arc::new(self.snapshots.destinations(Arc::new(Book::published())).await?),
            lists: Arc::new(Lists::new(lists::list(&self.store).await?)),
            learned: self.learned().await?,
            values,
        })
    }

    /// What the last life learned of numbers.
    pub(super) async fn learned(&self) -> Result<Memory, Refused> {
        let mut memory = Memory::new(2 * MOST, self.snapshots.seed);
        for (number, known) in reputations::latest(&self.store, MOST as u64).await? {
            memory.put(number, known);
        }
        Ok(memory)
    }

    /// The rules, asked twice where they want to know of devices: whose, is told by the first time.
    async fn judge(&self, world: &World, ask: &PlanAsk, at: Wall) -> Result<Admission, Refused> {
        let asked = RefCell::new(None);
        let first = self.judge_with(world, ask, at, &|user| {
            *asked.borrow_mut() = Some(user);
            None
        });
        let Some(user) = asked.into_inner() else { return Ok(first) };
        let devices = match self.living() {
            Some(_) => self.live_bindings(Some(user)).await.len(),
            None => registrations::list(&self.store, Some(user), self.clock.wall()).await?.len(),
        };
        Ok(self.judge_with(world, ask, at, &|_| Some(devices)))
    }

    fn judge_with(
        &self,
        world: &World,
        ask: &PlanAsk,
        at: Wall,
        devices: &dyn Fn(UserId) -> Option<usize>,
    ) -> Admission {
        let health = |trunk: TrunkId| self.living().map_or(Health::FINE, |house| house.trunks.health(trunk));
        let load = self.living().map(|house| house.pace.would_be(house, ask, house.clock.mono())).unwrap_or_default();
        let policy = fraud::Policy::of(&world.values);
        let reputation = |number: &E164| match self.living() {
            Some(house) => house.reputations.of(number),
            None => world.learned.of(number),
        };
        let facts = Facts {
            directory: &world.directory,
            destinations: &world.destinations,
            lists: &world.lists,
            reputation: &reputation,
            values: &world.values,
            emergencies: &world.emergencies,
            deck: &|id| world.prices.deck(id).cloned(),
            rates: &world.prices.rates,
            currency: world.prices.currency,
            peak: world.prices.is_peak(at),
            offpeak: &|zone| world.prices.calendar.is_offpeak(zone, at),
            load,
            health: &health,
            devices,
            caller_ban: &|subject| {
                let found = world.bans.iter().find(|(banned, _)| banned == subject);
                found.map(|(_, ban)| ban.clone())
            },
            fraud: &|_, attempt| world.profile.standing(attempt, &policy, at),
            draw: 0,
            now: self.clock.mono(),
            wall: at,
        };
        admission::judge(ask, &facts)
    }

    /// What the ledger would say, on rows read now.
    async fn price(&self, plan: &Plan, admission: &Admission, ip: IpAddr, at: Wall) -> Result<Explained, Refused> {
        let mut books = Books::default();
        for level in &plan.levels {
            books.put_account(accounts::get(&self.store, level.account).await?.row);
            let holder = tollgate_billing::hold::Holder::Account(level.account);
            books.put_lines(holder, accounts::lines_in_use(&self.store, holder).await?);
        }
        for line in &plan.lines {
            books.put_lines(line.holder, accounts::lines_in_use(&self.store, line.holder).await?);
        }
        let rules = self.rules().await?;
        let source = Some(ip).filter(|_| plan.counts_source);
        if let Some(ip) = source.filter(|_| rules.policy.ip.is_on()) {
            books.put_source(ip, tollgate_store::sources::used(&self.store, ip).await?);
        }
        let mut draft = Cdr::begin(CallId::from_i64(0), 0, plan.kind, at);
        draft.callee = admission.callee.to_string();
        let hold = Hold {
            node: Default::default(),
            emergency: plan.emergency,
            levels: plan.levels.clone(),
            lines: plan.lines.clone(),
            source,
            draft: Box::new(draft),
            dialogs: Vec::new(),
        };
        explain(&books, &rules, &hold, at).map_err(Refused::because)
    }
}

impl World {
    /// The question as a call would ask it.
    fn ask(&self, wanted: &Explain) -> Read<PlanAsk> {
        let party = self.party(&wanted.from)?;
        let domain = self.directory.domains().realm();
        let unfit = |c: char| c.is_control() || c.is_whitespace() || matches!(c, '@' | '<' | '>' | ';' | '?');
        if wanted.to.is_empty() || wanted.to.len() > 80 || wanted.to.contains(unfit) {
            return Err(field::wrong("to", &wanted.to, "a number, name or extension as it would be dialled"));
        }
        let dialled: Box<str> = format!("sip:{}@{domain}", wanted.to.replace('#', "%23")).into();
        Ok(PlanAsk {
            kind: CallKind::Internal,
            payer: party.clone(),
            source: wanted.ip.as_deref().map_or(Ok(IpAddr::V4(Ipv4Addr::LOCALHOST)), |text| {
                field::read_as("ip", text, "an address such as 192.0.2.1")
            })?,
            to: dialled.clone(),
            dialled,
            claim: Claim::default(),
            caller: party,
            local_only: false,
        })
    }

    fn party(&self, name: &str) -> Read<Party> {
        let (bare, domain) = name.split_once('@').map_or((name, None), |(name, domain)| (name, Some(domain)));
        if let Some(user) = self.directory.user_named(bare, domain) {
            return Ok(Party::User { user: user.id, account: user.account, name: user.name.clone() });
        }
        let trunk = self.directory.ingresses().iter().find(|trunk| *trunk.name == *name);
        let trunk = trunk.ok_or_else(|| Misfit::new("from", format!("there is no user or ingress trunk {name}")))?;
        Ok(Party::Trunk { trunk: trunk.id, account: trunk.account, name: trunk.name.clone() })
    }
}

fn answer(refusal: Option<&Refusal>, plan: Option<&Plan>, max_seconds: Option<u64>, trace: Value) -> Value {
    let trunk = plan.and_then(|plan| {
        plan.candidates.iter().find_map(|candidate| match &candidate.target {
            Target::Trunk { name, .. } => Some(name.clone()),
            Target::User { .. } => None,
        })
    });
    json!({
        "verdict": if refusal.is_some() { "refuse" } else { "admit" },
        "refusal": refusal.map(shown::refusal),
        "max_seconds": if refusal.is_some() { Some(0) } else { max_seconds },
        "price_per_minute": plan.map(|plan| shown::price(plan.price_per_minute)),
        "trunk": trunk,
        "trace": trace,
    })
}
