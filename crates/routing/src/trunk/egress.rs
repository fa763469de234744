//! A trunk that takes calls from us.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use tollgate_types::{Currency, DeckId, E164, Transport, TrunkId};

use crate::country::Country;
use crate::format::{CallerIdFormat, NumberFormat};

/// A carrier that takes calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Egress {
    /// Its row.
    pub id: TrunkId,
    /// As admins call it.
    pub name: Box<str>,
    /// Where its calls go.
    pub uri: EgressUri,
    /// What we prove ourselves with; the secret itself is sealed elsewhere and asked for by the trunk's id.
    pub credentials: Option<Credentials>,
    /// Do we register with it?
    pub register: bool,
    /// How often it is asked by OPTIONS whether it is well; `None` never, and then it counts as well.
    pub health_every: Option<Duration>,
    /// Calls at a time; `None` is unlimited.
    pub max_lines: Option<u32>,
    /// The same outside peak hours; `None` is as in peak hours.
    pub max_lines_offpeak: Option<u32>,
    /// Seconds it may talk on a day of UTC, of ended calls; above it gets no more calls.
    pub talk_day: Option<u64>,
    /// The same for a month.
    pub talk_month: Option<u64>,
    /// What it charges; `None` is unknown, which ranks after every known price.
    pub deck: Option<DeckId>,
    /// Its deck's currency.
    pub currency: Currency,
    /// How it wants numbers.
    pub number_format: NumberFormat,
    /// How it wants the caller.
    pub caller_id_format: CallerIdFormat,
    /// Is it told who calls by P-Asserted-Identity, even where the caller withholds his number (RFC 3325: only those whom
    /// we trust to keep it)?
    pub assert_identity: bool,
    /// Shown where the caller has no number to show.
    pub default_number: Option<E164>,
    /// For national formats; `None` sends them as international.
    pub country: Option<Country>,
    /// A disabled one takes no calls.
    pub enabled: bool,
}

/// A carrier's address as an operator writes it: `host`, `host:port`, `sip:host;transport=tcp`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EgressUri {
    /// Name or address, IPv6 without brackets, lower case.
    pub host: Box<str>,
    /// Where given, no SRV look-up is done (RFC 3263 §4.2).
    pub port: Option<u16>,
    /// Where given, no NAPTR look-up is done (RFC 3263 §4.1).
    pub transport: Option<Transport>,
}

/// Our name with a carrier, and to whom it may be proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// Our user name there.
    pub username: Box<str>,
    /// The realms it may challenge with; empty accepts the first one seen from its own host, which is then kept.
    pub realms: Box<[Box<str>]>,
}

impl Egress {
    /// An enabled carrier with nothing set.
    pub fn new(id: TrunkId, name: &str, uri: EgressUri) -> Egress {
        Egress {
            id,
            name: name.into(),
            uri,
            credentials: None,
            register: false,
            health_every: None,
            max_lines: None,
            max_lines_offpeak: None,
            talk_day: None,
            talk_month: None,
            deck: None,
            currency: Currency::USD,
            number_format: NumberFormat::default(),
            caller_id_format: CallerIdFormat::default(),
            assert_identity: false,
            default_number: None,
            country: None,
            enabled: true,
        }
    }

    /// Calls at a time at this hour.
    pub fn lines(&self, peak: bool) -> Option<u32> {
        if peak { self.max_lines } else { self.max_lines_offpeak.or(self.max_lines) }
    }

    /// May a challenge that names `realm`, received on a request that we sent to `asked_host`, be answered with our
    /// secret? Only the trunk's own host in the trunk's own realm gets a proof of it.
    pub fn may_answer(&self, asked_host: &str, realm: &str) -> bool {
        let Some(credentials) = &self.credentials else { return false };
        if !self.uri.host.eq_ignore_ascii_case(asked_host.trim_start_matches('[').trim_end_matches(']')) {
            return false;
        }
        // RFC 7616 §3.3: a realm is compared as it is, case included.
        credentials.realms.is_empty() || credentials.realms.iter().any(|known| **known == *realm)
    }
}

/// Not a carrier's address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no carrier address such as sip.carrier.example, 192.0.2.1:5060 or sip:carrier.example;transport=tcp")]
pub struct BadAddress(pub String);

impl FromStr for EgressUri {
    type Err = BadAddress;
    fn from_str(text: &str) -> Result<EgressUri, BadAddress> {
        let bad = || BadAddress(text.chars().take(80).collect());
        let trimmed = text.trim();
        let (mut transport, bare) = match trimmed.split_once(':') {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("sips") => (Some(Transport::Tls), rest),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("sip") => (None, rest),
            _ => (None, trimmed),
        };
        let (host_port, parameters) = bare.split_once(';').unwrap_or((bare, ""));
        for parameter in parameters.split(';').filter(|parameter| !parameter.is_empty()) {
            let (name, value) = parameter.split_once('=').ok_or_else(bad)?;
            if !name.eq_ignore_ascii_case("transport") {
                return Err(bad());
            }
            transport = Some(value.parse().map_err(|()| bad())?);
        }
        let (host, port) = if let Some(rest) = host_port.strip_prefix('[') {
            let (host, after) = rest.split_once(']').ok_or_else(bad)?;
            host.parse::<std::net::Ipv6Addr>().map_err(|_| bad())?;
            (host, after.strip_prefix(':').or(after.is_empty().then_some("")).ok_or_else(bad)?)
        } else if host_port.parse::<std::net::Ipv6Addr>().is_ok() {
            (host_port, "")
        } else {
            let (host, port) = host_port.split_once(':').unwrap_or((host_port, ""));
            let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
            if host.is_empty() || host.len() > 253 || !host.bytes().all(fits) || host_port.ends_with(':') {
                return Err(bad());
            }
            (host, port)
        };
        let port = match port {
            "" => None,
            digits => Some(digits.parse().ok().filter(|port| *port != 0).ok_or_else(bad)?),
        };
        Ok(EgressUri { host: host.to_ascii_lowercase().into(), port, transport })
    }
}

impl fmt::Display for EgressUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]", self.host)?
        } else {
            f.write_str(&self.host)?
        }
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        match self.transport {
            Some(transport) => write!(f, ";transport={transport}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_printed() {
        for (text, printed) in [
            ("Carrier.Example", "carrier.example"),
            ("192.0.2.1:5060", "192.0.2.1:5060"),
            ("sip:carrier.example;transport=TCP", "carrier.example;transport=tcp"),
            ("sips:carrier.example:5061", "carrier.example:5061;transport=tls"),
            ("[2001:DB8::1]:5060", "[2001:db8::1]:5060"),
            ("2001:db8::1", "[2001:db8::1]"),
        ] {
            let uri: EgressUri = text.parse().unwrap();
            assert_eq!(uri.to_string(), printed);
            assert_eq!(printed.parse::<EgressUri>().unwrap(), uri);
        }
        for bad in [
            "",
            "a b",
            "host:",
            "host:0",
            "host:70000",
            "host;x",
            "host;lr=1",
            "[::1",
            "[::1]x",
            "sip:user@host",
            "h\r\ni",
        ] {
            assert!(bad.parse::<EgressUri>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn our_secret_goes_to_the_trunks_own_host_and_realm_alone() {
        let mut trunk = Egress::new(TrunkId(1), "carrier", "sip.carrier.example".parse().unwrap());
        assert!(!trunk.may_answer("sip.carrier.example", "carrier.example"), "no credentials, no answer");
        trunk.credentials = Some(Credentials { username: "us".into(), realms: ["carrier.example".into()].into() });
        for (host, realm, may) in [
            ("sip.carrier.example", "carrier.example", true),
            ("SIP.carrier.example", "carrier.example", true),
            ("sip.carrier.example", "Carrier.example", false),
            ("sip.carrier.example", "evil.example", false),
            ("evil.example", "carrier.example", false),
        ] {
            assert_eq!(trunk.may_answer(host, realm), may, "{host} {realm}");
        }
    }
}
