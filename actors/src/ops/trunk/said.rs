//! What is said of a trunk, read and checked against its direction, and laid over what is known.

use std::time::Duration;

use tollgate_billing::deck::DeckKind;
use tollgate_routing::AuthMode;
use tollgate_routing::country::Country;
use tollgate_routing::format::{CallerIdFormat, NumberFormat};
use tollgate_routing::trunk::{EgressUri, Ingress, NumberFrom, Source};
use tollgate_store::trunks::{Direction, TrunkSecret, TrunkTerms};
use tollgate_types::{AccountId, DeckId, E164, Transport, TrunkId};

use super::super::Ops;
use super::super::field::{self, Misfit, Read, means_none};
use super::super::user;
use super::Terms;

/// Terms that were said; `None` was not.
pub struct Said {
    pub enabled: Option<bool>,
    address: Option<String>,
    auth: Option<AuthMode>,
    prefix: Option<String>,
    username: Option<Option<String>>,
    password: Option<String>,
    realms: Option<Vec<String>>,
    account: Option<Option<AccountId>>,
    deck: Option<Option<DeckId>>,
    max_lines: Option<Option<u32>>,
    max_lines_offpeak: Option<Option<u32>>,
    talk_day: Option<Option<u64>>,
    talk_month: Option<Option<u64>>,
    number_format: Option<NumberFormat>,
    cli_format: Option<CallerIdFormat>,
    caller_id: Option<Option<E164>>,
    country: Option<Option<Country>>,
    did_in: Option<NumberFrom>,
    transport: Option<Transport>,
    register: bool,
    assert_identity: Option<bool>,
    health_every: Option<Option<Duration>>,
}

const NAME_MOST: usize = 64;
const SECRET_MOST: usize = 256;

impl Said {
    /// Reads what was said and looks up what it names.
    pub async fn read(ops: &Ops, direction: Direction, terms: &Terms) -> Read<Said> {
        check_direction(direction, terms)?;
        Ok(Said {
            enabled: terms.enabled.as_deref().map(|text| field::yes_or_no("enabled", text)).transpose()?,
            address: terms.address.as_deref().map(|text| text.trim().to_owned()),
            auth: terms.auth.as_deref().map(|text| field::read("auth", text)).transpose()?,
            prefix: terms.prefix.as_deref().map(prefix).transpose()?,
            username: option(&terms.username, |text| plain("username", text))?,
            password: terms.password.as_deref().map(|text| plain("password", text)).transpose()?,
            realms: terms.realm.as_deref().map(realms).transpose()?,
            account: match terms.account.as_deref() {
                Some(name) if means_none(name) => Some(None),
                Some(name) => Some(Some(ops.account_of("account", name).await?)),
                None => None,
            },
            deck: match terms.deck.as_deref() {
                Some(name) if means_none(name) => Some(None),
                Some(name) => Some(Some(user::deck_named(ops, "deck", name, DeckKind::Buy).await?)),
                None => None,
            },
            max_lines: option(&terms.max_lines, |text| field::limit_count("max_lines", text))?,
            max_lines_offpeak: option(&terms.max_lines_offpeak, |text| field::limit_count("max_lines_offpeak", text))?,
            talk_day: option(&terms.talk_day, |text| field::limit_seconds("talk_day", text))?,
            talk_month: option(&terms.talk_month, |text| field::limit_seconds("talk_month", text))?,
            number_format: terms.number_format.as_deref().map(|text| field::read("number_format", text)).transpose()?,
            cli_format: terms.cli_format.as_deref().map(|text| field::read("cli_format", text)).transpose()?,
            caller_id: option(&terms.caller_id, |text| field::read("caller_id", text))?,
            country: option(&terms.country, |text| field::read("country", text))?,
            did_in: terms.did_in.as_deref().map(did_in).transpose()?,
            transport: terms.transport.as_deref().map(transport).transpose()?,
            register: terms.register,
            assert_identity: terms
                .assert_identity
                .as_deref()
                .map(|text| field::yes_or_no("assert_identity", text))
                .transpose()?,
            health_every: terms.options_interval.as_deref().map(health_every).transpose()?,
        })
    }

    /// What was said replaces what is known; answers the secret to be sealed. What then lacks something is refused.
    pub fn lay_over(self, terms: &mut TrunkTerms, has_secret: bool, realm: &str) -> Read<Option<TrunkSecret>> {
        let was_named = terms.username.clone();
        put(&mut terms.address, self.address);
        put(&mut terms.auth, self.auth);
        put(&mut terms.username, self.username);
        put(&mut terms.realms, self.realms);
        put(&mut terms.account, self.account);
        put(&mut terms.deck, self.deck);
        put(&mut terms.max_lines, self.max_lines);
        put(&mut terms.max_lines_offpeak, self.max_lines_offpeak);
        put(&mut terms.talk_day, self.talk_day);
        put(&mut terms.talk_month, self.talk_month);
        put(&mut terms.number_format, self.number_format);
        put(&mut terms.cli_format, self.cli_format);
        put(&mut terms.default_number, self.caller_id);
        put(&mut terms.country, self.country);
        put(&mut terms.did_in, self.did_in);
        put(&mut terms.health_every, self.health_every);
        put(&mut terms.trusted_identity, self.assert_identity);
        terms.register |= self.register;
        match terms.direction {
            Direction::Ingress => {
                put(&mut terms.prefix, self.prefix);
                check_ingress(terms, self.password.is_some() || has_secret)?;
                // What a password leaves behind holds the name as well.
                if has_secret && self.password.is_none() && terms.username != was_named {
                    return Err(Misfit::new("username", "a new name needs its password: say --password too"));
                }
                let name = terms.username.as_deref().unwrap_or_default();
                let digest = |password: String| TrunkSecret::Digest(Box::new(user::ha1s(name, realm, &password)));
                Ok(self.password.map(digest))
            }
            Direction::Egress => {
                if let Some(prefix) = self.prefix {
                    terms.number_format.add = prefix.into();
                }
                terms.address = egress_address(&terms.address, self.transport)?;
                let has_login = terms.username.is_some() && (has_secret || self.password.is_some());
                if self.password.is_some() && terms.username.is_none() {
                    return Err(Misfit::new(
                        "password",
                        "a password needs the name that goes with it: say --username too",
                    ));
                }
                if terms.register && !has_login {
                    return Err(Misfit::new("register", "to register, --username and --password are needed"));
                }
                Ok(self.password.map(TrunkSecret::Password))
            }
        }
    }
}

/// The name of a trunk.
pub fn check_name(name: &str) -> Read<()> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    if name.is_empty() || name.len() > NAME_MOST || !name.bytes().all(fits) {
        return Err(field::wrong("NAME", name, "1 to 64 letters, digits, dots, dashes and underscores"));
    }
    Ok(())
}

/// Options that mean something for the other direction only.
fn check_direction(direction: Direction, terms: &Terms) -> Read<()> {
    let (foreign, owner) = match direction {
        Direction::Ingress => {
            let foreign = [
                ("deck", terms.deck.is_some()),
                ("talk_day", terms.talk_day.is_some()),
                ("talk_month", terms.talk_month.is_some()),
                ("number_format", terms.number_format.is_some()),
                ("cli_format", terms.cli_format.is_some()),
                ("realm", terms.realm.is_some()),
                ("transport", terms.transport.is_some()),
                ("register", terms.register),
                ("assert_identity", terms.assert_identity.is_some()),
                ("options_interval", terms.options_interval.is_some()),
            ];
            (foreign.into_iter().find(|(_, said)| *said), "egress")
        }
        Direction::Egress => {
            let foreign = [
                ("auth", terms.auth.is_some()),
                ("account", terms.account.is_some()),
                ("did_in", terms.did_in.is_some()),
            ];
            (foreign.into_iter().find(|(_, said)| *said), "ingress")
        }
    };
    match foreign {
        Some((field, _)) => Err(Misfit::new(field, format!("that is for {owner} trunks"))),
        None => Ok(()),
    }
}

/// Addresses, networks and names; and what the way of proof asks for.
fn check_ingress(terms: &TrunkTerms, has_secret: bool) -> Read<()> {
    let mut trunk = Ingress::new(TrunkId(0), &terms.name, terms.auth);
    let (mut sources, mut hosts) = (Vec::new(), Vec::new());
    for item in terms.address.split([' ', ',']).filter(|item| !item.is_empty()) {
        match item.parse::<Source>() {
            Ok(source) => sources.push(source),
            Err(bad) if !is_host(item) => return Err(Misfit::new("address", bad)),
            Err(_) => hosts.push(Box::from(item)),
        }
    }
    (trunk.sources, trunk.hosts) = (sources.into(), hosts.into());
    trunk.prefix = terms.prefix.as_str().into();
    trunk.username = terms.username.as_deref().map(Into::into);
    trunk.ha1 = has_secret.then(|| user::ha1s("", "", ""));
    match trunk.lacks(false) {
        Some(lack) => Err(Misfit::new("auth", lack)),
        None => Ok(()),
    }
}

/// A name that could be looked up: not an address gone wrong.
fn is_host(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    text.bytes().all(fits) && text.bytes().any(|byte| byte.is_ascii_alphabetic()) && !text.starts_with(['-', '.'])
}

fn egress_address(text: &str, transport: Option<Transport>) -> Read<String> {
    if text.is_empty() {
        return Err(Misfit::new("address", "HOST or HOST:PORT is expected"));
    }
    let mut uri: EgressUri = field::read("address", text)?;
    uri.transport = transport.or(uri.transport);
    if !matches!(uri.transport, None | Some(Transport::Udp | Transport::Tcp)) {
        return Err(Misfit::new("transport", "udp or tcp is expected, others are not built yet"));
    }
    Ok(uri.to_string())
}

fn transport(text: &str) -> Read<Transport> {
    match text.trim().to_ascii_lowercase().as_str() {
        "udp" => Ok(Transport::Udp),
        "tcp" => Ok(Transport::Tcp),
        _ => Err(field::wrong("transport", text, "udp or tcp")),
    }
}

fn prefix(text: &str) -> Read<String> {
    let text = if text.trim().eq_ignore_ascii_case("none") { "" } else { text.trim() };
    let fits = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'*' | b'#' | b'+');
    let is_prefix = text.len() <= 15 && text.bytes().all(fits);
    if is_prefix { Ok(text.to_owned()) } else { Err(field::wrong("prefix", text, "at most 15 digits, *, # or +")) }
}

/// Text that goes into a header: no quotes, nothing that ends a line.
fn plain(name: &'static str, text: &str) -> Read<String> {
    let is_plain = !text.is_empty() && text.len() <= SECRET_MOST && !text.contains(|c: char| c.is_control());
    let quotes_well = name == "password" || !text.contains(['"', '\\']);
    if is_plain && quotes_well {
        return Ok(text.to_owned());
    }
    Err(Misfit::new(name, format!("1 to {SECRET_MOST} characters on one line are expected, without quotes in a name")))
}

fn realms(text: &str) -> Read<Vec<String>> {
    if means_none(text) {
        return Ok(Vec::new());
    }
    text.split(',').map(|realm| plain("realm", realm.trim())).collect()
}

fn did_in(text: &str) -> Read<NumberFrom> {
    match text.trim().to_ascii_lowercase().as_str() {
        "uri" => Ok(NumberFrom::Uri),
        "to" => Ok(NumberFrom::To),
        _ => Err(field::wrong("did_in", text, "uri or to")),
    }
}

fn health_every(text: &str) -> Read<Option<Duration>> {
    if text.trim().eq_ignore_ascii_case("default") {
        return Ok(None);
    }
    let seconds = field::limit_seconds("options_interval", text)?;
    if seconds > 86_400 {
        return Err(field::wrong("options_interval", text, "0 to 86400 seconds, or default"));
    }
    Ok(Some(Duration::from_secs(seconds)))
}

fn option<T>(text: &Option<String>, read: impl FnOnce(&str) -> Read<T>) -> Read<Option<Option<T>>> {
    text.as_deref().map(|text| field::limit(text, read)).transpose()
}

fn put<T>(place: &mut T, said: Option<T>) {
    if let Some(value) = said {
        *place = value;
    }
}
