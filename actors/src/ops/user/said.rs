//! What is said of a user, read and checked, ready to be laid over what is known.

use tollgate_billing::account::{UNLIMITED, UNLIMITED_LINES, UNLIMITED_RATE};
use tollgate_billing::deck::DeckKind;
use tollgate_billing::{AccountKind, Mode, Zone};
use tollgate_routing::country::Country;
use tollgate_routing::emergency::Emergencies;
use tollgate_routing::{AuthMode, EarlyMedia, Ha1s, UserKind};
use tollgate_sip::digest::Ha1Set;
use tollgate_store::users::{self, NewSecret, Payer, UserTerms};
use tollgate_store::{accounts, decks};
use tollgate_types::{AccountId, Currency, DeckId, E164, Money, Rate, UserId};

use super::super::Ops;
use super::super::field::{self, Misfit, Read};
use super::super::password;
use super::{Add, Terms};

/// A user to be made.
pub struct New {
    pub terms: UserTerms,
    pub payer: Payer,
    pub secret: NewSecret,
    /// The opening balance.
    pub opening: Option<Money>,
    /// A password that nobody knows yet.
    pub shown: Option<String>,
}

/// Terms that were said; `None` was not.
#[derive(Default)]
pub struct Said {
    kind: Option<UserKind>,
    mode: Option<Mode>,
    credit_limit: Option<Option<Money>>,
    parent: Option<Option<(UserId, AccountId)>>,
    deck: Option<Option<DeckId>>,
    currency: Option<Currency>,
    country: Option<Option<Country>>,
    zone: Option<Zone>,
    email: Option<Option<String>>,
    caller_id: Option<Option<E164>>,
    extension: Option<Option<String>>,
    verified: Option<Vec<E164>>,
    max_lines: Option<Option<u32>>,
    max_lines_offpeak: Option<Option<u32>>,
    account_max_lines: Option<Option<u32>>,
    account_max_lines_offpeak: Option<Option<u32>>,
    daily_limit: Option<Option<Money>>,
    monthly_limit: Option<Option<Money>>,
    monthly_increment: Option<Option<Money>>,
    monthly_ceiling: Option<Option<Money>>,
    dynamic_baseline: Option<Option<Money>>,
    talk_day: Option<Option<u64>>,
    talk_month: Option<Option<u64>>,
    burn_rate: Option<Option<Rate>>,
    local_only: Option<bool>,
    sell_max: Option<Option<Rate>>,
    early_media: Option<Option<EarlyMedia>>,
    auth: Option<AuthMode>,
}

const NAME_MOST: usize = 64;
const EXTENSION_MOST: usize = 8;
const GENERATED: usize = 20;
/// 32 letters and digits that nobody mistakes for each other: a hundred bits in twenty.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

impl Said {
    /// Reads what was said and looks up what it names.
    pub async fn read(ops: &Ops, terms: &Terms) -> Read<Said> {
        let money = |name: &'static str, text: &Option<String>| -> Read<Option<Option<Money>>> {
            text.as_deref().map(|text| field::limit(text, |text| field::limit_amount(name, text))).transpose()
        };
        let count = |name: &'static str, text: &Option<String>| -> Read<Option<Option<u32>>> {
            let read = |text: &str| field::limit_over(text, UNLIMITED_LINES, |text| field::limit_count(name, text));
            text.as_deref().map(read).transpose()
        };
        let seconds = |name: &'static str, text: &Option<String>| -> Read<Option<Option<u64>>> {
            text.as_deref().map(|text| field::limit(text, |text| field::limit_seconds(name, text))).transpose()
        };
        Ok(Said {
            kind: terms.kind.as_deref().map(|text| field::read("kind", text)).transpose()?,
            mode: match (terms.prepaid, terms.postpaid) {
                (true, true) => return Err(Misfit::new("postpaid", "an account is prepaid or postpaid, not both")),
                (true, false) => Some(Mode::Prepaid),
                (false, true) => Some(Mode::Postpaid),
                (false, false) => None,
            },
            credit_limit: money("credit_limit", &terms.credit_limit)?,
            parent: match terms.parent.as_deref() {
                Some(name) if field::means_none(name) => Some(None),
                Some(name) => Some(Some(reseller(ops, name).await?)),
                None => None,
            },
            deck: match terms.deck.as_deref() {
                Some(name) if field::means_none(name) => Some(None),
                Some(name) => Some(Some(deck(ops, "deck", name, DeckKind::Sell).await?)),
                None => None,
            },
            currency: terms.currency.as_deref().map(|text| field::read("currency", text)).transpose()?,
            country: option(&terms.country, |text| field::read("country", text))?,
            zone: terms.timezone.as_deref().map(|text| field::read("timezone", text)).transpose()?,
            email: option(&terms.email, email)?,
            caller_id: option(&terms.caller_id, |text| field::read("caller_id", text))?,
            verified: terms.verified_number.as_deref().map(verified).transpose()?,
            max_lines: count("max_lines", &terms.max_lines)?,
            max_lines_offpeak: count("max_lines_offpeak", &terms.max_lines_offpeak)?,
            account_max_lines: count("account_max_lines", &terms.account_max_lines)?,
            account_max_lines_offpeak: count("account_max_lines_offpeak", &terms.account_max_lines_offpeak)?,
            extension: match terms.extension.as_deref() {
                Some(text) if field::means_none(text) => Some(None),
                Some(text) => Some(Some(ops.extension(text).await?)),
                None => None,
            },
            daily_limit: over_class(&terms.daily_limit, UNLIMITED, |text| field::limit_amount("daily_limit", text))?,
            monthly_limit: money("monthly_limit", &terms.monthly_limit)?,
            monthly_increment: money("monthly_increment", &terms.monthly_increment)?,
            monthly_ceiling: money("monthly_ceiling", &terms.monthly_ceiling)?,
            dynamic_baseline: money("dynamic_baseline", &terms.dynamic_baseline)?,
            talk_day: seconds("talk_day", &terms.talk_day)?,
            talk_month: seconds("talk_month", &terms.talk_month)?,
            burn_rate: over_class(&terms.burn_rate, UNLIMITED_RATE, |text| field::limit_rate("burn_rate", text))?,
            local_only: terms.local_only.as_deref().map(|text| field::yes_or_no("local_only", text)).transpose()?,
            sell_max: option(&terms.max_price, |text| field::limit_rate("max_price", text))?,
            early_media: option(&terms.early_media, |text| field::read("early_media", text))?,
            auth: terms.auth.as_deref().map(auth).transpose()?,
        })
    }

    /// What was said replaces what is known.
    pub fn lay_over(self, user: &mut UserTerms, account: &mut accounts::Terms) {
        if let Some(kind) = self.kind {
            user.kind = kind;
            account.account.kind = account_kind(kind);
        }
        if let Some(parent) = self.parent {
            user.parent = parent.map(|(user, _)| user);
            account.account.parent = parent.map(|(_, account)| account);
        }
        // Of one whose calls come by trunks or from customers, the account has the lines.
        let of_account = account.account.kind != AccountKind::EndUser;
        let (lines, offpeak) = match of_account {
            true => (&mut account.account.max_lines, &mut account.account.max_lines_offpeak),
            false => (&mut user.max_lines, &mut user.max_lines_offpeak),
        };
        put(lines, self.max_lines);
        put(offpeak, self.max_lines_offpeak);
        put(&mut account.account.max_lines, self.account_max_lines);
        put(&mut account.account.max_lines_offpeak, self.account_max_lines_offpeak);
        put(&mut user.extension, self.extension);
        put(&mut user.country, self.country);
        put(&mut user.email, self.email);
        put(&mut user.caller_id, self.caller_id);
        put(&mut user.verified, self.verified);
        put(&mut user.auth, self.auth);
        put(&mut account.deck, self.deck);
        put(&mut account.local_only, self.local_only);
        put(&mut account.sell_max, self.sell_max);
        put(&mut account.early_media, self.early_media);
        let money = &mut account.account;
        put(&mut money.mode, self.mode);
        put(&mut money.currency, self.currency);
        put(&mut money.zone, self.zone);
        put(&mut money.credit_limit, self.credit_limit);
        put(&mut money.daily_limit, self.daily_limit);
        put(&mut money.monthly_limit, self.monthly_limit);
        put(&mut money.monthly_increment, self.monthly_increment);
        put(&mut money.monthly_ceiling, self.monthly_ceiling);
        put(&mut money.dynamic_baseline, self.dynamic_baseline);
        put(&mut money.talk_day, self.talk_day);
        put(&mut money.talk_month, self.talk_month);
        put(&mut money.burn_rate, self.burn_rate);
    }

    /// The user with the numbers that were said just now: what his password may not be.
    pub fn beside(&self, user: &UserTerms) -> UserTerms {
        let mut user = user.clone();
        put(&mut user.extension, self.extension.clone());
        put(&mut user.caller_id, self.caller_id);
        put(&mut user.verified, self.verified.clone());
        user
    }

    /// The first option that belongs to an account, where the account is somebody else's.
    fn of_account(&self) -> Option<&'static str> {
        [
            ("prepaid", self.mode.is_some()),
            ("deck", self.deck.is_some()),
            ("local_only", self.local_only.is_some()),
            ("currency", self.currency.is_some()),
            ("timezone", self.zone.is_some()),
            ("credit_limit", self.credit_limit.is_some()),
            ("account_max_lines", self.account_max_lines.is_some()),
            ("account_max_lines_offpeak", self.account_max_lines_offpeak.is_some()),
            ("daily_limit", self.daily_limit.is_some()),
            ("monthly_limit", self.monthly_limit.is_some()),
            ("monthly_increment", self.monthly_increment.is_some()),
            ("monthly_ceiling", self.monthly_ceiling.is_some()),
            ("dynamic_baseline", self.dynamic_baseline.is_some()),
            ("talk_day", self.talk_day.is_some()),
            ("talk_month", self.talk_month.is_some()),
            ("burn_rate", self.burn_rate.is_some()),
            ("max_price", self.sell_max.is_some()),
            ("early_media", self.early_media.is_some()),
        ]
        .into_iter()
        .find_map(|(name, said)| said.then_some(name))
    }
}

impl Ops {
    /// Would these do for a user?
    pub(in super::super) async fn check_terms(&self, terms: &Terms) -> Read<()> {
        Said::read(self, terms).await.map(drop)
    }

    /// A short number: digits that help cannot be called by.
    async fn extension(&self, text: &str) -> Read<String> {
        let text = text.trim();
        if !(1..=EXTENSION_MOST).contains(&text.len()) || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(field::wrong("extension", text, "a short number of 1 to 8 digits, or none"));
        }
        let values = self.values().await.map_err(|refused| Misfit::new("extension", refused))?;
        if Emergencies::from_values(&values).is(self.snapshots.country, text) {
            return Err(Misfit::new("extension", format!("{text} is an emergency number")));
        }
        Ok(text.to_owned())
    }

    /// Everything about a new user, checked.
    pub(super) async fn read_new_user(&self, add: &Add) -> Result<New, Misfit> {
        check_name(&add.name)?;
        let (followed, template) = self.with_template(add).await?;
        let said = Said::read(self, &followed.terms).await?;
        let opening = add.credit.as_deref().map(|text| field::amount("credit", text)).transpose()?;
        let (mut terms, mut account) = (UserTerms::new(&add.name), accounts::Terms::default());
        account.account.currency = self.snapshots.currency;
        terms.template = template.map(|template| template.name);
        terms.inherited = followed.inherited;
        let payer = match &add.account {
            Some(name) => {
                if let Some(option) = said.of_account() {
                    return Err(Misfit::new(
                        option,
                        format!("that is a matter of the account, which {name} has; use user set"),
                    ));
                }
                let payer = self.payer_shared(add, name).await?;
                said.lay_over(&mut terms, &mut account);
                payer
            }
            None => {
                said.lay_over(&mut terms, &mut account);
                Payer::Own(Box::new(account))
            }
        };
        let (password, shown) = match &add.terms.password {
            Some(password) => (password.clone(), None),
            None => {
                let made = generated();
                (made.clone(), Some(made))
            }
        };
        let secret = self.secret_of(&terms, &password).await?;
        Ok(New { terms, payer, secret, opening: opening.filter(|amount| *amount != Money::ZERO), shown })
    }

    /// What a password leaves behind; one that is easily guessed, by what is known of the user, is refused.
    pub(super) async fn secret_of(&self, user: &UserTerms, password: &str) -> Result<NewSecret, Misfit> {
        let values = self.values().await.map_err(|refused| Misfit::new("password", refused))?;
        let realm = &self.snapshots.host.domain;
        if let Some(fault) = password::fault(&values, password, &password::known_of(user, realm)) {
            return Err(Misfit::new("password", fault));
        }
        Ok(NewSecret { realm: realm.to_string(), ha1: ha1s(&user.name, realm, password) })
    }
}

/// What a password leaves behind in `realm`.
pub fn ha1s(name: &str, realm: &str, password: &str) -> Ha1s {
    let set = Ha1Set::of(name, realm, password);
    Ha1s {
        md5: set.md5.unwrap_or_default(),
        sha256: set.sha256.unwrap_or_default(),
        sha512_256: set.sha512_256.unwrap_or_default(),
    }
}

/// The deck called `name`, which must be of that kind.
pub async fn deck(ops: &Ops, field: &'static str, name: &str, kind: DeckKind) -> Read<DeckId> {
    let found = decks::named(&ops.store, name).await.map_err(|error| Misfit::new(field, error))?;
    if found.deck.kind != kind {
        return Err(Misfit::new(field, format!("{name} is a {} deck, a {kind} deck is expected", found.deck.kind)));
    }
    Ok(found.deck.id)
}

async fn reseller(ops: &Ops, name: &str) -> Read<(UserId, AccountId)> {
    let user = users::named(&ops.store, name).await.map_err(|error| Misfit::new("parent", error))?;
    if user.terms.kind != UserKind::Reseller {
        return Err(Misfit::new("parent", format!("{name} is no reseller")));
    }
    Ok((user.id, user.account))
}

fn check_name(name: &str) -> Read<()> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let begins_well = name.starts_with(|first: char| first.is_ascii_alphanumeric());
    if name.len() > NAME_MOST || !begins_well || !name.bytes().all(fits) {
        let expected = "1 to 64 letters, digits, dots, dashes and underscores, a letter or digit first";
        return Err(field::wrong("NAME", name, expected));
    }
    Ok(())
}

fn verified(text: &str) -> Read<Vec<E164>> {
    const MOST: usize = 100;
    let items = text.split([',', ' ']).filter(|item| !item.is_empty() && !field::means_none(item));
    let numbers: Vec<E164> = items.map(|item| field::read("verified_number", item)).collect::<Read<_>>()?;
    if numbers.len() > MOST {
        return Err(Misfit::new("verified_number", format!("at most {MOST} numbers are expected")));
    }
    Ok(numbers)
}

fn auth(text: &str) -> Read<AuthMode> {
    let mode: AuthMode = field::read("auth", text)?;
    if mode != AuthMode::Digest {
        return Err(Misfit::new("auth", format!("users prove themselves by digest; {mode} is for trunks")));
    }
    Ok(mode)
}

fn email(text: &str) -> Read<String> {
    let text = text.trim();
    let is_one = text.split_once('@').is_some_and(|(name, host)| !name.is_empty() && !host.is_empty())
        && !text.contains(|c: char| c.is_whitespace() || c.is_control())
        && text.len() <= 254;
    if is_one {
        Ok(text.to_owned())
    } else {
        Err(field::wrong("email", text, "a mail address such as anna@example.com"))
    }
}

fn account_kind(kind: UserKind) -> AccountKind {
    match kind {
        UserKind::TrafficSender => AccountKind::TrafficSender,
        UserKind::Reseller => AccountKind::Reseller,
        UserKind::EndUser | UserKind::Support | UserKind::Admin => AccountKind::EndUser,
    }
}

fn option<T>(text: &Option<String>, read: impl FnOnce(&str) -> Read<T>) -> Read<Option<Option<T>>> {
    text.as_deref().map(|text| field::limit(text, read)).transpose()
}

fn over_class<T>(text: &Option<String>, most: T, read: impl FnOnce(&str) -> Read<T>) -> Read<Option<Option<T>>> {
    text.as_deref().map(|text| field::limit_over(text, most, read)).transpose()
}

fn put<T>(place: &mut T, said: Option<T>) {
    if let Some(value) = said {
        *place = value;
    }
}

fn generated() -> String {
    let draw: [u8; GENERATED] = rand::random();
    draw.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect()
}
