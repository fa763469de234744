//! What each key means, and what is wrong with a value that does not mean it.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use super::report::without_password;
use super::source::{Raw, Source};
use super::{Billing, Config, Control, Database, Mail, Media, Metrics, Mistakes, Server, Sip, Web};

/// Reads everything, and reports every mistake rather than the first.
pub fn config(source: Source) -> Result<Config, Mistakes> {
    let mut keys = Keys { source };
    let sip = sip(&mut keys);
    let media = media(&mut keys, &sip.udp);
    let config = Config {
        server: Server {
            data_dir: PathBuf::from(keys.text("server", "data_dir", "data", "a folder", not_empty)),
            sip_shards: keys.number("server", "sip_shards", 0, 256),
            media_threads: keys.number("server", "media_threads", 0, 64),
            drain: Duration::from_secs(keys.number("server", "drain_seconds", 30, 3600) as u64),
            log: keys.text("server", "log", "info", "a log filter such as info or warn,tollgate=debug", log_filter),
        },
        database: keys.text(
            "database",
            "url",
            "sqlite",
            "sqlite, sqlite://PATH or postgres://USER:PASSWORD@HOST/NAME",
            database,
        ),
        sip,
        media,
        web: Web {
            listen: keys.text("web", "listen", "127.0.0.1:8080", "an address with port such as 127.0.0.1:8080", parsed),
            public_url: keys.text(
                "web",
                "public_url",
                "",
                "a URL such as https://voip.example.com, or nothing",
                web_url,
            ),
        },
        control: Control {
            socket: keys.text("control", "socket", "", "a path of at most 100 bytes, or nothing", socket),
        },
        mail: mail(&mut keys),
        billing: Billing {
            currency: keys.text("billing", "currency", "USD", "a currency code such as USD", parsed),
            country: keys.text("billing", "country", "", "a country code such as HU, or nothing", |text| {
                if text.is_empty() { Some(None) } else { text.parse().ok().map(Some) }
            }),
        },
        metrics: Metrics {
            listen: keys.text(
                "metrics",
                "listen",
                "",
                "an address with port such as 127.0.0.1:9100, or nothing",
                |text| {
                    if text.is_empty() { Some(None) } else { text.parse().ok().map(Some) }
                },
            ),
        },
        policy: keys.source.policy(),
    };
    if keys.source.mistakes.is_empty() { Ok(config) } else { Err(Mistakes(keys.source.mistakes)) }
}

fn sip(keys: &mut Keys) -> Sip {
    const ADDRESS: &str = "an address with port such as 0.0.0.0:5060";
    const HOST: &str = "a host name such as voip.example.com";
    let mut unbuilt = |key: &'static str, name: &str| {
        let list: Vec<SocketAddr> = keys.list("sip", key, &[], ADDRESS, parsed);
        if !list.is_empty() {
            let at = keys.place("sip", key);
            keys.source.mistakes.push(format!("{at}: [sip] {key}: {name} is not built yet; leave the list empty"));
        }
        list
    };
    let (tls, ws, wss) = (unbuilt("tls", "TLS"), unbuilt("ws", "WebSocket"), unbuilt("wss", "WebSocket over TLS"));
    Sip {
        domain: keys.text("sip", "domain", "localhost", HOST, host),
        domains: keys.list("sip", "domains", &[], HOST, host),
        udp: keys.list("sip", "udp", &["0.0.0.0:5060"], ADDRESS, parsed),
        tcp: keys.list("sip", "tcp", &["0.0.0.0:5060"], ADDRESS, parsed),
        tls,
        ws,
        wss,
        advertise: keys.text("sip", "advertise", "", "an address or host name without port, or nothing", |text| {
            if text.is_empty() {
                return Some(None);
            }
            let address = text.parse::<IpAddr>().map(|address| address.to_string()).ok();
            address.or_else(|| host(text)).map(Some)
        }),
        dns: keys.list("sip", "dns", &[], "a name server with port such as 127.0.0.1:53", parsed),
    }
}

fn media(keys: &mut Keys, sip: &[SocketAddr]) -> Media {
    let mut addresses = |key: &'static str, default: &'static str, expected: &str| {
        let list: Vec<IpAddr> = keys.texts("media", key, default, expected, parsed);
        if let Some(second) = list.iter().enumerate().find_map(|(index, address)| {
            list[..index].iter().any(|earlier| earlier.is_ipv4() == address.is_ipv4()).then_some(address)
        }) {
            keys.mistake("media", key, &format!("{:?}", second.to_string()), "at most one IPv4 and one IPv6 address");
        }
        list
    };
    let bind = addresses("bind", "0.0.0.0", "an address such as 0.0.0.0, or one of each family");
    let advertise = addresses("advertise", "", "an address such as 203.0.113.5, or nothing");
    let expected = "a range of at least four ports above 1023 such as 20000-29999";
    let ports = keys.text("media", "ports", "20000-29999", expected, port_range);
    if let Some(inside) = sip.iter().map(SocketAddr::port).find(|port| (ports.0..=ports.1).contains(port)) {
        let written = keys
            .source
            .get("media", "ports")
            .map_or_else(|| "\"20000-29999\"".to_owned(), |given| given.value.to_string());
        keys.mistake("media", "ports", &written, &format!("a range without the SIP port {inside}"));
    }
    Media { bind, advertise, ports }
}

fn mail(keys: &mut Keys) -> Mail {
    const ADDRESS: &str = "a mail address such as pbx@example.com";
    let smtp = keys.text("mail", "smtp", "", "smtp://USER:PASSWORD@HOST:PORT or smtps://…, or nothing", smtp_url);
    let from = keys.text("mail", "from", "", "a mail address such as pbx@example.com, or nothing", |text| {
        if text.is_empty() { Some(String::new()) } else { mail_address(text) }
    });
    if smtp.is_some() && from.is_empty() {
        keys.mistake("mail", "from", "\"\"", &format!("{ADDRESS}, for smtp is set"));
    }
    let admins = keys.list("mail", "admins", &[], ADDRESS, mail_address);
    let support = keys.list("mail", "support", &[], ADDRESS, mail_address);
    Mail { smtp, from, admins, support }
}

struct Keys {
    source: Source,
}

impl Keys {
    /// One text. A mistake is noted and the default taken, so that reading goes on.
    fn text<T>(
        &mut self,
        section: &'static str,
        key: &'static str,
        default: &str,
        expected: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> T {
        let fallback = || read(default).expect("a default is what its own key expects; a test reads them all");
        let Some(given) = self.source.get(section, key) else { return fallback() };
        match &given.value {
            Raw::Text(text) | Raw::Loose(text) => match read(text.trim()) {
                Some(value) => return value,
                None => {
                    let shown = format!("{:?}", without_password(text));
                    self.mistake(section, key, &shown, expected);
                }
            },
            other => {
                let shown = other.to_string();
                self.mistake(section, key, &shown, "a text");
            }
        }
        fallback()
    }

    /// A list of texts, each entry once.
    fn list<T: PartialEq>(
        &mut self,
        section: &'static str,
        key: &'static str,
        default: &[&str],
        expected: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Vec<T> {
        let Some(given) = self.source.get(section, key) else {
            return default.iter().filter_map(|text| read(text)).collect();
        };
        let texts = match &given.value {
            Raw::Texts(texts) => texts.clone(),
            Raw::Loose(text) => split(text),
            other => {
                let example = default.first().unwrap_or(&"…");
                let (shown, expected) = (other.to_string(), format!("a list of texts such as [{example:?}]"));
                self.mistake(section, key, &shown, &expected);
                return Vec::new();
            }
        };
        self.entries(section, key, &texts, expected, read)
    }

    /// A text or a list of texts.
    fn texts<T: PartialEq>(
        &mut self,
        section: &'static str,
        key: &'static str,
        default: &str,
        expected: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Vec<T> {
        let texts = match self.source.get(section, key).map(|given| given.value.clone()) {
            None => split(default),
            Some(Raw::Texts(texts)) => texts,
            Some(Raw::Text(text) | Raw::Loose(text)) => split(&text),
            Some(other) => {
                self.mistake(section, key, &other.to_string(), expected);
                return Vec::new();
            }
        };
        self.entries(section, key, &texts, expected, read)
    }

    /// A whole number from nothing to `most`.
    fn number(&mut self, section: &'static str, key: &'static str, default: usize, most: usize) -> usize {
        let Some(given) = self.source.get(section, key) else { return default };
        let read = match &given.value {
            Raw::Loose(text) | Raw::Other(text) => text.trim().replace('_', "").parse().ok(),
            _ => None,
        };
        match read.filter(|number| *number <= most) {
            Some(number) => number,
            None => {
                let shown = given.value.to_string();
                self.mistake(section, key, &shown, &format!("a whole number from 0 to {most}"));
                default
            }
        }
    }

    fn entries<T: PartialEq>(
        &mut self,
        section: &'static str,
        key: &'static str,
        texts: &[String],
        expected: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Vec<T> {
        let mut values = Vec::new();
        for text in texts {
            match read(text.trim()) {
                Some(value) if values.contains(&value) => {
                    self.mistake(section, key, &format!("{text:?}"), "each address once");
                }
                Some(value) => values.push(value),
                None => self.mistake(section, key, &format!("{text:?}"), expected),
            }
        }
        values
    }

    fn place(&self, section: &'static str, key: &'static str) -> String {
        self.source.get(section, key).map_or_else(|| self.source.file().to_owned(), |given| given.at.clone())
    }

    fn mistake(&mut self, section: &'static str, key: &'static str, shown: &str, expected: &str) {
        let at = self.place(section, key);
        self.source.mistakes.push(format!("{at}: [{section}] {key} = {shown}: expected {expected}"));
    }
}

fn split(text: &str) -> Vec<String> {
    // As the file would write it: ["a", "b"]. Brackets alone may be an IPv6 address.
    let listed = text.trim().strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let listed = listed.filter(|inside| inside.is_empty() || inside.contains(['"', '\'']));
    let parts = listed.unwrap_or(text).split(',').map(|part| part.trim().trim_matches(['"', '\'']));
    parts.filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

fn parsed<T: std::str::FromStr>(text: &str) -> Option<T> {
    text.parse().ok()
}

fn not_empty(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn log_filter(text: &str) -> Option<String> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    // To the filter a lone word that is no level is a part's name, which is never what was meant.
    let meant = |part: &str| match part.trim().rsplit_once('=') {
        Some((_, level)) => !level.is_empty(),
        None => LEVELS.iter().any(|level| level.eq_ignore_ascii_case(part.trim())),
    };
    let fits = text.split(',').all(meant) && tracing_subscriber::EnvFilter::builder().parse(text).is_ok();
    fits.then(|| text.to_owned())
}

fn database(url: &str) -> Option<Database> {
    if url == "sqlite" {
        return Some(Database::Embedded);
    }
    if let Some(path) = url.strip_prefix("sqlite://") {
        return (!path.is_empty()).then(|| Database::Sqlite(path.into()));
    }
    let rest = url.strip_prefix("postgres://").or_else(|| url.strip_prefix("postgresql://"))?;
    let (host, name) = rest.rsplit_once('/')?;
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    (!host.is_empty() && !name.is_empty()).then(|| Database::Postgres(url.to_owned()))
}

/// RFC 1123 §2.1, lower case; an address does as well.
fn host(text: &str) -> Option<String> {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let name = text.len() <= 253 && text.split('.').all(label);
    (name || text.parse::<IpAddr>().is_ok()).then(|| text.to_ascii_lowercase())
}

fn web_url(text: &str) -> Option<Option<String>> {
    if text.is_empty() {
        return Some(None);
    }
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
    let authority = rest.split('/').next().unwrap_or("");
    let name =
        authority.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok()).map_or(authority, |(name, _)| name);
    let fits =
        host(name.trim_start_matches('[').trim_end_matches(']')).is_some() && !text.contains(char::is_whitespace);
    fits.then(|| Some(text.trim_end_matches('/').to_owned()))
}

fn smtp_url(text: &str) -> Option<Option<String>> {
    if text.is_empty() {
        return Some(None);
    }
    let rest = text.strip_prefix("smtps://").or_else(|| text.strip_prefix("smtp://"))?;
    let server = rest.rsplit_once('@').map_or(rest, |(_, server)| server).trim_end_matches('/');
    let name = match server.rsplit_once(':') {
        Some((name, port)) => port.parse::<u16>().ok().map(|_| name)?,
        None => server,
    };
    host(name).map(|_| Some(text.to_owned()))
}

fn mail_address(text: &str) -> Option<String> {
    let (name, domain) = text.split_once('@')?;
    let fits =
        !name.is_empty() && host(domain).is_some() && !text.contains(|c: char| c.is_whitespace() || c.is_control());
    fits.then(|| text.to_owned())
}

fn socket(text: &str) -> Option<Option<PathBuf>> {
    // A socket's address holds 108 bytes, its end mark included (unix(7)).
    const LONGEST: usize = 100;
    (text.len() <= LONGEST).then(|| (!text.is_empty()).then(|| PathBuf::from(text)))
}

/// RTP takes the even port of each pair, RTCP the odd one (RFC 3550 §11).
fn port_range(text: &str) -> Option<(u16, u16)> {
    let (first, last) = text.split_once('-')?;
    let (first, last): (u16, u16) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    let (first, last) = (first.checked_add(first % 2)?, if last % 2 == 0 { last.checked_sub(1)? } else { last });
    (first >= 1024 && last >= first.checked_add(3)?).then_some((first, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_as_the_file_or_a_shell_writes_it() {
        for (text, parts) in [
            ("127.0.0.1:5060", &["127.0.0.1:5060"][..]),
            (" a , b,", &["a", "b"]),
            (r#"["a", "b"]"#, &["a", "b"]),
            ("[]", &[]),
            ("[::1]:5060,[::]:5061", &["[::1]:5060", "[::]:5061"]),
            ("[::1]", &["[::1]"]),
        ] {
            assert_eq!(split(text), parts, "{text}");
        }
    }
}
