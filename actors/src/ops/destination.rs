//! Destinations: which countries, prefixes and kinds of numbers may be called, by whom; risks, groups, the IRSF list.

use std::collections::BTreeMap;
use std::sync::Arc;

use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tollgate_call::admission::rows;
use tollgate_routing::destination::{Book, Destinations, Forbids, Kind, Member, Risk, Target};
use tollgate_store::{By, accounts, destinations};
use tollgate_types::{AccountId, E164, Prefix};

use super::deck::Text;
use super::field::{self, Read};
use super::outcome::Refused;
use super::{Answer, Ops};

/// `destination …`
#[derive(Clone, Debug, Serialize, Deserialize, Subcommand)]
#[serde(rename_all = "snake_case")]
pub enum Destination {
    /// Let calls through, past what forbids them by as few digits or fewer
    Allow(Says),
    /// Refuse calls
    Block(Says),
    /// Remove a rule
    Remove {
        /// As listed
        id: i64,
    },
    /// All rules
    List,
    /// What a number is, and whether it may be called
    Lookup {
        /// The number
        number: String,
        /// By whom; anybody unless said
        #[arg(long, value_name = "NAME")]
        #[serde(default)]
        account: Option<String>,
    },
    /// How risky a prefix or country is: low, special, fraud-prone, or default to take it back
    Risk {
        /// A prefix such as 53, or a country such as CU
        member: String,
        /// low, special, fraud-prone or default
        risk: String,
    },
    /// Prefixes and countries under one name
    #[command(subcommand)]
    Group(Group),
    /// The list of numbers seen in revenue share fraud
    #[command(subcommand)]
    Irsf(Irsf),
    /// Which data is in use, and of which day
    Data,
}

/// What a rule is about, and whose it is.
#[derive(Clone, Debug, Serialize, Deserialize, Args)]
pub struct Says {
    /// all, a prefix (44), a country (GB), group:NAME, satellite, network, premium, shared-cost, irsf, low, special, fraud-prone
    pub target: String,
    /// An account, or a reseller for all below it; everybody unless said
    #[arg(long, value_name = "NAME")]
    #[serde(default)]
    pub account: Option<String>,
}

/// `destination group …`
#[derive(Clone, Debug, Serialize, Deserialize, Subcommand)]
#[serde(rename_all = "snake_case")]
pub enum Group {
    /// Make or replace a group
    Set {
        /// Its name
        name: String,
        /// Prefixes and countries with commas between
        members: String,
    },
    /// Remove a group that no rule names
    Remove {
        /// Its name
        name: String,
    },
    /// All groups
    List,
}

/// `destination irsf …`
#[derive(Clone, Debug, Serialize, Deserialize, Subcommand)]
#[serde(rename_all = "snake_case")]
pub enum Irsf {
    /// Replace the list by a CSV file (header with a column prefix or number): all of it or nothing
    Import {
        /// The file
        #[command(flatten)]
        #[serde(flatten)]
        csv: Text,
        /// The day the list is of (2026-11-25); today unless said
        #[arg(long, value_name = "DATE")]
        #[serde(default)]
        dated: Option<String>,
    },
    /// Go back to the list before, or to none
    Rollback,
    /// The lists imported
    List,
}

const NAME_MOST: usize = 64;
/// Group members and list rows at most: what an operator means, not an attack on memory.
const MEMBERS_MOST: usize = 1000;
const IRSF_MOST: usize = 500_000;

impl Ops {
    pub(super) async fn destination(&self, by: &By, destination: Destination) -> Answer {
        match destination {
            Destination::Allow(says) => self.lay_rule(by, &says, true).await?,
            Destination::Block(says) => self.lay_rule(by, &says, false).await?,
            Destination::Remove { id } => destinations::remove_rule(&self.store, by, id).await?,
            Destination::List => return self.list_policies().await,
            Destination::Lookup { number, account } => return self.look_up_number(&number, account.as_deref()).await,
            Destination::Risk { member, risk } => {
                let member = self.member("MEMBER", &member)?;
                let risk = match risk.trim() {
                    "default" => None,
                    text => Some(field::read_as::<Risk>("RISK", text, "low, special, fraud-prone or default")?),
                };
                destinations::put_risk(&self.store, by, member, risk).await?;
            }
            Destination::Group(Group::Set { name, members }) => {
                let fits = |char: char| char.is_ascii_alphanumeric() || matches!(char, '-' | '_' | '.');
                if name.is_empty() || name.len() > NAME_MOST || !name.chars().all(fits) {
                    return Err(
                        field::wrong("NAME", &name, "1 to 64 letters, digits, dots, dashes, underscores").into()
                    );
                }
                let items: Vec<&str> = members.split([',', ' ']).filter(|item| !item.is_empty()).collect();
                if items.is_empty() || items.len() > MEMBERS_MOST {
                    return Err(field::wrong("MEMBERS", &members, "1 to 1000 prefixes and countries").into());
                }
                let members = items.iter().map(|item| self.member("MEMBERS", item)).collect::<Read<Vec<_>>>()?;
                destinations::put_group(&self.store, by, &name, &members).await?;
            }
            Destination::Group(Group::Remove { name }) => destinations::remove_group(&self.store, by, &name).await?,
            Destination::Group(Group::List) => {
                let shown = destinations::groups(&self.store).await?.into_iter().map(|(name, members)| {
                    json!({ "name": name, "members": members.iter().map(ToString::to_string).collect::<Vec<_>>() })
                });
                return Ok(shown.collect());
            }
            Destination::Irsf(Irsf::Import { csv, dated }) => {
                return self.import_irsf(by, &csv, dated.as_deref()).await;
            }
            Destination::Irsf(Irsf::Rollback) => destinations::rollback_irsf(&self.store, by).await?,
            Destination::Irsf(Irsf::List) => {
                let shown = destinations::irsf(&self.store).await?.into_iter().map(|version| {
                    json!({ "id": version.id, "dated": version.dated, "source": version.source, "live": version.live })
                });
                return Ok(shown.collect());
            }
            Destination::Data => return self.data().await,
        }
        self.destinations_changed().await?;
        Ok(Value::Null)
    }

    async fn lay_rule(&self, by: &By, says: &Says, allows: bool) -> Result<(), Refused> {
        let expected = "all, a prefix, a country, group:NAME, a kind (satellite, network, premium, shared-cost, irsf) or a risk (low, special, fraud-prone)";
        let target = Target::parse(&says.target).ok_or_else(|| field::wrong("TARGET", &says.target, expected))?;
        if let Target::Country(country) = target {
            self.member("TARGET", &Member::Country(country).to_string())?;
        }
        let account = self.scope_of(says.account.as_deref()).await?;
        destinations::put_rule(&self.store, by, account, &target, allows).await?;
        Ok(())
    }

    /// The account that `--account` names; everybody where it is not said.
    pub(super) async fn scope_of(&self, name: Option<&str>) -> Read<Option<AccountId>> {
        let Some(name) = name else { return Ok(None) };
        self.account_of("account", name).await.map(Some)
    }

    fn member(&self, field: &'static str, text: &str) -> Read<Member> {
        let member: Member = field::read(field, text)?;
        match member {
            Member::Country(country) if !Book::published().has_country(&country) => {
                Err(field::wrong(field, text, "a country that has numbers, such as HU"))
            }
            _ => Ok(member),
        }
    }

    async fn list_policies(&self) -> Answer {
        let names = self.account_names().await?;
        let rows = destinations::rules(&self.store).await?.into_iter().map(|rule| {
            json!({
                "id": rule.id,
                "verdict": if rule.allows { "allow" } else { "block" },
                "target": rule.target.to_string(),
                "account": rule.account.and_then(|id| names.get(&id)),
            })
        });
        Ok(rows.collect())
    }

    pub(super) async fn account_names(&self) -> Result<BTreeMap<AccountId, String>, Refused> {
        Ok(accounts::list(&self.store).await?.into_iter().map(|account| (account.row.id, account.name)).collect())
    }

    async fn snapshot(&self) -> Result<Arc<Destinations>, Refused> {
        match self.living() {
            Some(house) => Ok(house.destinations.load_full()),
            None => Ok(Arc::new(self.snapshots.destinations(Arc::new(Book::published())).await?)),
        }
    }

    async fn look_up_number(&self, number: &str, account: Option<&str>) -> Answer {
        let number: E164 = field::read("NUMBER", number)?;
        let values = self.values().await?;
        let mut chain = Vec::new();
        let mut next = self.scope_of(account).await?;
        while let Some(id) = next.filter(|_| chain.len() < 10) {
            chain.push(id);
            next = accounts::get(&self.store, id).await?.row.terms.parent;
        }
        let snapshot = self.snapshot().await?;
        let (facts, ruling) = snapshot.judge(&number, chain, rows::closed(&values));
        let kinds: Vec<Value> = Kind::ALL
            .into_iter()
            .filter_map(|kind| {
                facts.kinds[kind as usize].as_ref().map(|(_, name)| json!({ "kind": kind.name(), "of": &**name }))
            })
            .collect();
        let why = match &ruling {
            Ok(None) => Value::Null,
            Ok(Some(rule)) | Err(Forbids::Rule(rule)) => json!(format!("destination rule {rule}")),
            Err(Forbids::Kind(kind, _)) => json!(format!("{} ({kind})", rows::closes(*kind))),
        };
        Ok(json!({
            "number": number,
            "country": facts.country.map(|(_, iso)| String::from_utf8_lossy(&iso).into_owned()),
            "kinds": kinds,
            "risk": facts.risk.1.name(),
            "verdict": if ruling.is_ok() { "allow" } else { "block" },
            "why": why,
        }))
    }

    async fn data(&self) -> Answer {
        let [networks, ranges] = Book::dates();
        let live = destinations::irsf(&self.store).await?.into_iter().find(|version| version.live);
        let snapshot = self.snapshot().await?;
        Ok(json!([
            { "name": "networks", "dated": networks, "source": "part of the program" },
            { "name": "ranges", "dated": ranges, "source": "part of the program" },
            {
                "name": "irsf",
                "dated": live.as_ref().map(|version| &version.dated),
                "source": live.as_ref().map(|version| &version.source),
                "prefixes": snapshot.irsf_len(),
            },
        ]))
    }

    async fn import_irsf(&self, by: &By, csv: &Text, dated: Option<&str>) -> Answer {
        let dated = match dated {
            Some(text) => field::time("dated", text)?,
            None => by.at,
        };
        let prefixes = read_prefixes(csv)?;
        let day = dated.to_utc().date_naive().to_string();
        destinations::import_irsf(&self.store, by, &day, &csv.file, &prefixes).await?;
        self.destinations_changed().await?;
        Ok(Value::Null)
    }
}

/// The column `prefix`, or `number`, or `range`; other columns are passed over. Blanks, plus signs and a closing `*` are cut.
fn read_prefixes(csv: &Text) -> Result<Vec<Prefix>, Refused> {
    let text = csv.text.strip_prefix('\u{feff}').unwrap_or(&csv.text);
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).flexible(true).from_reader(text.as_bytes());
    let unreadable = |error: csv::Error| Refused(format!("{}: {error}", csv.file));
    let header: Vec<String> = reader.headers().map_err(unreadable)?.iter().map(str::to_ascii_lowercase).collect();
    let column = header.iter().position(|name| matches!(name.as_str(), "prefix" | "number" | "range"));
    let column =
        column.ok_or_else(|| Refused(format!("{}: line 1: a column prefix or number is expected", csv.file)))?;
    let mut found = Vec::new();
    for record in reader.records() {
        let record = record.map_err(unreadable)?;
        let line = record.position().map_or(0, csv::Position::line);
        let cell = record.get(column).unwrap_or("").trim_end_matches('*').trim();
        let wrong = || Refused(format!("{}: line {line}, column {}: digits are expected", csv.file, header[column]));
        let prefix: Prefix = cell.parse().map_err(|_| wrong())?;
        // One or two digits would shut out whole parts of the world.
        if prefix.digits().len() < 3 {
            return Err(Refused(format!("{}: line {line}: {cell:?} is too short, 3 digits at least", csv.file)));
        }
        found.push(prefix);
        if found.len() > IRSF_MOST {
            return Err(Refused(format!("{}: more than {IRSF_MOST} lines", csv.file)));
        }
    }
    if found.is_empty() {
        return Err(Refused(format!("{}: a header and at least one line below it are expected", csv.file)));
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::super::testing::Desk;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn rules_risks_groups_and_the_irsf_list_decide_what_a_number_is() {
        let desk = Desk::new().await;
        desk.ask("user add alice --password a-longer-secret").await.unwrap();
        desk.file("irsf.csv", "country,number\nSO,+25261*\nLV,3719\n");
        desk.file("bad.csv", "prefix\n25261\nx\n");
        desk.file("short.csv", "prefix\n25\n");
        let said = async |words: &str| {
            let found = desk.ask(words).await.unwrap();
            format!("{} {}", found["verdict"].as_str().unwrap(), found["why"].as_str().unwrap_or("-"))
        };
        assert_eq!(said("destination lookup 881612345678").await, "block destination.satellite (satellite)");
        desk.ask("destination allow satellite --account alice").await.unwrap();
        assert_eq!(said("destination lookup 881612345678 --account alice").await, "allow destination rule 1");
        assert_eq!(said("destination lookup 881612345678").await, "block destination.satellite (satellite)");
        assert_eq!(said("destination lookup 252611234567").await, "allow -");
        desk.ask("destination irsf import irsf.csv --dated 2026-10-01").await.unwrap();
        assert_eq!(said("destination lookup 252611234567").await, "block destination.premium (irsf)");
        assert_eq!(desk.ask("destination data").await.unwrap()[2]["dated"], "2026-10-01");
        desk.ask("destination irsf rollback").await.unwrap();
        assert_eq!(said("destination lookup 252611234567").await, "allow -");
        desk.ask("destination risk CU fraud-prone").await.unwrap();
        desk.ask("destination block fraud-prone").await.unwrap();
        assert_eq!(said("destination lookup 5371234567").await, "block destination rule 2");
        desk.ask("destination group set near AT,421").await.unwrap();
        desk.ask("destination block group:near --account alice").await.unwrap();
        assert_eq!(said("destination lookup 43123456 --account alice").await, "block destination rule 3");
        // The other way round is the same rule.
        desk.ask("destination allow group:near --account alice").await.unwrap();
        assert_eq!(desk.ask("destination list").await.unwrap().as_array().unwrap().len(), 3);
        //  command, what is refused
        for (words, refused) in [
            ("destination allow nonsense", "TARGET: \"nonsense\" is not all, a prefix"),
            ("destination block XX", "TARGET: \"XX\" is not a country that has numbers"),
            ("destination block group:none", "there is no destination group none"),
            ("destination allow all --account nobody", "--account: there is no user nobody"),
            ("destination risk CU high", "RISK: \"high\" is not low, special, fraud-prone or default"),
            ("destination group set near 12x", "MEMBERS: \"12x\" is neither a prefix such as 44 nor a country"),
            ("destination group remove near", "destination rule 3 names group near: remove it first"),
            ("destination remove 9", "there is no destination rule 9"),
            ("destination irsf import bad.csv", "bad.csv: line 3, column prefix: digits are expected"),
            ("destination irsf import short.csv", "short.csv: line 2: \"25\" is too short"),
            ("destination irsf rollback", "no IRSF list is in force"),
            ("destination lookup 12x", "NUMBER: \"12x\" is not a number"),
        ] {
            let said = desk.ask(words).await.unwrap_err().0;
            assert!(said.starts_with(refused), "{words}: {said}");
        }
        desk.ask("destination remove 3").await.unwrap();
        desk.ask("destination group remove near").await.unwrap();
        desk.ask("destination risk CU default").await.unwrap();
    }
}
