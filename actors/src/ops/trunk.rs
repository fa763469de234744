//! Trunks: peers that send us calls (ingress) or take calls from us (egress).

mod said;

use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tollgate_billing::calendar::Zone;
use tollgate_billing::hold::Holder;
use tollgate_routing::trunk::NumberFrom;
use tollgate_store::trunks::{self, Direction, TrunkRow, TrunkTerms};
use tollgate_store::{By, accounts, decks};

use super::outcome::Refused;
use super::{Answer, Ops, shown};
use said::Said;

/// `trunk …`
#[derive(Clone, Debug, Serialize, Deserialize, Subcommand)]
#[serde(rename_all = "snake_case")]
pub enum Trunk {
    /// Add a trunk
    Add(Add),
    /// One trunk with its health
    Show {
        /// The trunk's name
        name: String,
    },
    /// All trunks
    List,
    /// Change a trunk; what is not named stays
    Set(Set),
    /// Remove a trunk that no route names
    Remove {
        /// The trunk's name
        name: String,
    },
}

/// `trunk add`
#[derive(Clone, Debug, Serialize, Deserialize, Args)]
pub struct Add {
    /// Unique
    pub name: String,
    /// It sends us calls
    #[arg(long, required_unless_present = "egress", conflicts_with = "egress")]
    #[serde(default)]
    pub ingress: bool,
    /// It takes calls from us
    #[arg(long)]
    #[serde(default)]
    pub egress: bool,
    /// What else is known
    #[command(flatten)]
    #[serde(flatten)]
    pub terms: Terms,
}

/// `trunk set`
#[derive(Clone, Debug, Serialize, Deserialize, Args)]
pub struct Set {
    /// The trunk's name
    pub name: String,
    /// What changes
    #[command(flatten)]
    #[serde(flatten)]
    pub terms: Terms,
}

/// What can be said of a trunk.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Args)]
#[serde(default)]
pub struct Terms {
    /// HOST[:PORT]; several and networks (CIDR) separated by commas for ingress
    #[arg(long, value_name = "HOST[:PORT]")]
    pub address: Option<String>,
    /// How an ingress trunk is known: ip, ip-port, range, prefix, ip+prefix, digest
    #[arg(long, value_name = "MODE")]
    pub auth: Option<String>,
    /// The tech prefix an ingress trunk dials, or the one an egress trunk wants
    #[arg(long, value_name = "DIGITS")]
    pub prefix: Option<String>,
    /// The name for digest, theirs to us (ingress) or ours to them (egress)
    #[arg(long, value_name = "NAME")]
    pub username: Option<String>,
    /// The secret that goes with it
    #[arg(long)]
    pub password: Option<String>,
    /// The realm our secret is for; without it the trunk's host
    #[arg(long)]
    pub realm: Option<String>,
    /// Whose account pays for an ingress trunk's calls; without one it is a DID carrier
    #[arg(long, value_name = "USER")]
    pub account: Option<String>,
    /// An egress trunk's buying deck
    #[arg(long, value_name = "NAME")]
    pub deck: Option<String>,
    /// Simultaneous calls
    #[arg(long, value_name = "N")]
    pub max_lines: Option<String>,
    /// Simultaneous calls at off-peak times
    #[arg(long, value_name = "N")]
    pub max_lines_offpeak: Option<String>,
    /// Seconds an egress trunk may talk in one day (UTC); then it gets no more calls
    #[arg(long, value_name = "SECONDS")]
    pub talk_day: Option<String>,
    /// Seconds an egress trunk may talk in one month
    #[arg(long, value_name = "SECONDS")]
    pub talk_month: Option<String>,
    /// How called numbers are written: e164, plus, national, international; then -DIGITS to strip, +DIGITS to add
    #[arg(long, value_name = "FORMAT")]
    pub number_format: Option<String>,
    /// How caller ids are written: e164, plus, national, international, anonymous, fixed:NUMBER
    #[arg(long, value_name = "FORMAT")]
    pub cli_format: Option<String>,
    /// The caller id of callers without a number
    #[arg(long, value_name = "NUMBER")]
    pub caller_id: Option<String>,
    /// Country of national formats, ISO code
    #[arg(long, value_name = "CODE")]
    pub country: Option<String>,
    /// Where an ingress trunk writes the number: uri or to
    #[arg(long, value_name = "uri|to")]
    pub did_in: Option<String>,
    /// udp or tcp
    #[arg(long, value_name = "TRANSPORT")]
    pub transport: Option<String>,
    /// Register with the carrier
    #[arg(long)]
    pub register: bool,
    /// Tell the carrier who calls by P-Asserted-Identity, even where the caller withholds it: only one that keeps it to itself
    #[arg(long, value_name = "yes|no")]
    pub assert_identity: Option<String>,
    /// Seconds between OPTIONS health checks; 0 for none
    #[arg(long, value_name = "SECONDS")]
    pub options_interval: Option<String>,
    /// Media before the answer of an egress trunk's calls: allow, to-caller-only, tones-only, block; none for the platform's
    #[arg(long, value_name = "MODE")]
    pub early_media: Option<String>,
    /// Whether it is used at all
    #[arg(long, value_name = "true|false")]
    pub enabled: Option<String>,
}

impl Ops {
    pub(super) async fn trunk(&self, by: &By, trunk: Trunk) -> Answer {
        match trunk {
            Trunk::Add(add) => self.add_trunk(by, &add).await,
            Trunk::Show { name } => {
                let trunk = trunks::named(&self.store, &name).await?;
                self.show_trunk(&trunk).await
            }
            Trunk::List => {
                let mut rows = Vec::new();
                for trunk in trunks::list(&self.store).await? {
                    rows.push(self.brief_trunk(&trunk).await?);
                }
                Ok(Value::Array(rows))
            }
            Trunk::Set(set) => self.set_trunk(by, &set).await,
            Trunk::Remove { name } => {
                trunks::remove(&self.store, by, &name).await?;
                self.directory_changed().await?;
                Ok(Value::Null)
            }
        }
    }

    async fn add_trunk(&self, by: &By, add: &Add) -> Answer {
        said::check_name(&add.name)?;
        let direction = if add.ingress { Direction::Ingress } else { Direction::Egress };
        let said = Said::read(self, direction, &add.terms).await?;
        let mut terms = TrunkTerms::new(&add.name, direction, "");
        if direction == Direction::Egress {
            terms.deck = self.default_buy_deck().await?;
        }
        let enabled = said.enabled;
        let secret = said.lay_over(&mut terms, false, &self.snapshots.host.domain)?;
        trunks::create(&self.store, by, &terms, secret).await?;
        if enabled == Some(false) {
            trunks::set_enabled(&self.store, by, &add.name, false).await?;
        }
        self.directory_changed().await?;
        Ok(Value::Null)
    }

    async fn set_trunk(&self, by: &By, set: &Set) -> Answer {
        let known = trunks::named(&self.store, &set.name).await?;
        let said = Said::read(self, known.terms.direction, &set.terms).await?;
        let enabled = said.enabled;
        let mut terms = known.terms.clone();
        let secret = said.lay_over(&mut terms, known.has_secret, &self.snapshots.host.domain)?;
        let edit = move |now: &mut TrunkTerms| {
            *now = terms;
            Ok(())
        };
        trunks::edit(&self.store, by, &set.name, secret, edit).await?;
        if let Some(enabled) = enabled {
            trunks::set_enabled(&self.store, by, &set.name, enabled).await?;
        }
        self.directory_changed().await?;
        Ok(Value::Null)
    }

    async fn brief_trunk(&self, trunk: &TrunkRow) -> Answer {
        let terms = &trunk.terms;
        let account = match terms.account {
            Some(account) => Some(accounts::get(&self.store, account).await?.name),
            None => None,
        };
        let deck = match terms.deck {
            Some(deck) => Some(decks::get(&self.store, deck).await?.deck.name),
            None => None,
        };
        Ok(json!({
            "name": terms.name,
            "direction": terms.direction.name(),
            "address": terms.address,
            "account": account,
            "deck": deck,
            "max_lines": terms.max_lines,
            "max_lines_offpeak": terms.max_lines_offpeak,
            "lines_in_use": self.trunk_lines(trunk).await?,
            "enabled": trunk.disabled_at.is_none(),
            "well": self.is_well(trunk),
        }))
    }

    async fn show_trunk(&self, trunk: &TrunkRow) -> Answer {
        let mut fields = self.brief_trunk(trunk).await?;
        let terms = &trunk.terms;
        let common = json!({
            "username": terms.username,
            "has_password": trunk.has_secret,
            "caller_id": terms.default_number.as_ref().map(|number| number.digits()),
            "country": terms.country.map(|country| country.to_string()),
            "disabled_at": trunk.disabled_at,
            "created_at": trunk.created_at,
        });
        let today = Zone::UTC.day_of(self.clock.wall());
        let talked = tollgate_store::trunk_days::talked(&self.store, today).await?;
        let talked = talked.into_iter().find(|(id, _)| *id == trunk.id).map(|(_, talked)| talked).unwrap_or_default();
        let of_direction = match terms.direction {
            Direction::Ingress => json!({
                "auth": terms.auth.name(),
                "prefix": terms.prefix,
                "did_in": if terms.did_in == NumberFrom::To { "to" } else { "uri" },
                "trusted_identity": terms.trusted_identity,
                "found_at": self.found_at(trunk),
            }),
            Direction::Egress => json!({
                "realms": terms.realms,
                "number_format": terms.number_format.to_string(),
                "cli_format": terms.cli_format.to_string(),
                "register": terms.register,
                "assert_identity": terms.trusted_identity,
                "talk_day_limit": terms.talk_day,
                "talk_month_limit": terms.talk_month,
                "talk_today": talked.today_ms / 1000,
                "talk_month": talked.month_ms / 1000,
                "options_interval": terms.health_every.map(|every| every.as_secs()),
                "early_media": terms.early_media.map(|early| early.name()),
                "health": self.health(trunk),
            }),
        };
        for more in [common, of_direction] {
            if let (Value::Object(fields), Value::Object(more)) = (&mut fields, more) {
                fields.extend(more);
            }
        }
        Ok(fields)
    }

    /// Lines as they are in the books, the same on every node.
    async fn trunk_lines(&self, trunk: &TrunkRow) -> Result<u32, Refused> {
        match (trunk.terms.direction, self.living()) {
            // The way out is chosen after the hold: its lines are counted where its calls live.
            (Direction::Egress, Some(house)) => Ok(house.trunks.health(trunk.id).in_use),
            (Direction::Egress, None) => Ok(0),
            (Direction::Ingress, _) => Ok(accounts::lines_in_use(&self.store, Holder::Trunk(trunk.id)).await?),
        }
    }

    /// Does it answer? Null where nobody asks it.
    fn is_well(&self, trunk: &TrunkRow) -> Option<bool> {
        let house = self.living().filter(|_| trunk.terms.direction == Direction::Egress)?;
        Some(house.trunks.health(trunk.id).well)
    }

    /// What its host names were found to be; null where it has none, or no server runs to look them up.
    fn found_at(&self, trunk: &TrunkRow) -> Value {
        let found = self.living().and_then(|house| house.directory.load().ingress(trunk.id).cloned());
        match found {
            Some(ingress) if !ingress.hosts.is_empty() => shown::list(ingress.resolved.iter()),
            _ => Value::Null,
        }
    }

    fn health(&self, trunk: &TrunkRow) -> Value {
        let Some(house) = self.living() else { return Value::Null };
        let record = house.trunks.record(trunk.id);
        let (attempts, answered, failed) = record.totals();
        let health = record.health();
        let rests_until = health.rest_demanded.max(health.rest_inferred);
        let now = house.clock.mono();
        let rests_for = rests_until.filter(|until| *until > now).map(|until| until.since(now).as_secs());
        json!({
            "well": health.well,
            "registered": record.is_registered(),
            "attempts": attempts,
            "answered": answered,
            "failed": failed,
            "rests_for": rests_for,
        })
    }
}
