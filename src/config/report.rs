//! What would listen, in words and as data; no password among them.

use std::fmt::Write;

use serde::Serialize;

use super::{Config, Database};

/// One thing that would listen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Listener {
    /// `sip udp`, `media`, `web`, `metrics`, `control`.
    pub what: &'static str,
    /// Address and port, or range of ports, or path.
    pub address: String,
}

impl Config {
    /// What would listen.
    pub fn listeners(&self) -> Vec<Listener> {
        let mut all = Vec::new();
        let mut add = |what, address: String| all.push(Listener { what, address });
        for (what, list) in [
            ("sip udp", &self.sip.udp),
            ("sip tcp", &self.sip.tcp),
            ("sip tls", &self.sip.tls),
            ("sip ws", &self.sip.ws),
            ("sip wss", &self.sip.wss),
        ] {
            list.iter().for_each(|address| add(what, address.to_string()));
        }
        let (first, last) = self.media.ports;
        self.media.bind.iter().for_each(|address| add("media", format!("{address} ports {first}-{last}")));
        add("web", self.web.listen.to_string());
        if let Some(listen) = self.metrics.listen {
            add("metrics", listen.to_string());
        }
        add("control", self.control_socket().display().to_string());
        all
    }

    /// The same for a person, with what it would work on.
    pub fn check_report(&self) -> String {
        let mut text = String::new();
        let mut line = |name: &str, value: &str| {
            let _ = writeln!(text, "{name:<10}{value}");
        };
        for listener in self.listeners() {
            line(listener.what, &listener.address);
        }
        line("domain", &self.sip.domain);
        for domain in &self.sip.domains {
            line("", domain);
        }
        if let Some(advertise) = &self.sip.advertise {
            line("known as", advertise);
        }
        let servers: Vec<String> = self.sip.dns.iter().map(ToString::to_string).collect();
        line(
            "names by",
            if servers.is_empty() { "the system's name servers".to_owned() } else { servers.join(", ") }.as_str(),
        );
        line("data", &self.server.data_dir.display().to_string());
        line("database", &database(&self.database));
        line("mail", &self.mail.smtp.as_deref().map_or("none".to_owned(), without_password));
        let country = self.billing.country.map_or("digits as they are".to_owned(), |country| country.to_string());
        line("billing", &format!("{}, numbers: {country}", self.billing.currency));
        if !self.policy.is_empty() {
            line("pinned", &self.policy.iter().map(|pin| pin.name.as_str()).collect::<Vec<_>>().join(", "));
        }
        text
    }
}

pub(super) fn database(database: &Database) -> String {
    match database {
        Database::Embedded => "sqlite in the data folder".to_owned(),
        Database::Sqlite(path) => format!("sqlite in {}", path.display()),
        Database::Postgres(url) => without_password(url),
    }
}

/// `scheme://user:***@host`: a URL as it may be shown.
pub(super) fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    match rest.rsplit_once('@') {
        Some((user, host)) => match user.split_once(':') {
            Some((name, _)) => format!("{scheme}://{name}:***@{host}"),
            None => url.to_owned(),
        },
        None => url.to_owned(),
    }
}
