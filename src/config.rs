//! The configuration file: what is fixed from start to end. What admins tune while the platform runs are settings; the
//! section `[policy]` pins some of those.
//!
//! Every key may also come from the environment, as `TOLLGATE__SIP__DOMAIN`. What is wrong is told in one line that names
//! the place, the key, the value and what is expected.

mod read;
mod report;
mod source;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tollgate_routing::Country;
use tollgate_settings::Registry;
use tollgate_types::{Currency, Transport};

pub use report::Listener;

/// The file's content, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// `[server]`
    pub server: Server,
    /// `[database]`
    pub database: Database,
    /// `[sip]`
    pub sip: Sip,
    /// `[media]`
    pub media: Media,
    /// `[web]`
    pub web: Web,
    /// `[control]`
    pub control: Control,
    /// `[mail]`
    pub mail: Mail,
    /// `[billing]`
    pub billing: Billing,
    /// `[metrics]`
    pub metrics: Metrics,
    /// `[policy]`, as written: any name of a setting and its value. [`Config::pins`] checks them.
    pub policy: Vec<Pin>,
}

/// `[server]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Where everything that must survive is kept.
    pub data_dir: PathBuf,
    /// SIP threads; 0 = half the cores, at least one.
    pub sip_shards: usize,
    /// Media threads; 0 = one up to four cores.
    pub media_threads: usize,
    /// How long running calls may go on after SIGTERM.
    pub drain: Duration,
    /// What is logged, as `tracing` filters: `info`, `warn,tollgate=debug`.
    pub log: String,
}

/// `[database]`
#[derive(Clone, PartialEq, Eq)]
pub enum Database {
    /// SQLite in the data folder.
    Embedded,
    /// SQLite in this file.
    Sqlite(PathBuf),
    /// PostgreSQL by this URL, which may hold a password.
    Postgres(String),
}

/// `[sip]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sip {
    /// The platform's domain, which is the digest realm too.
    pub domain: String,
    /// Domains hosted beside it.
    pub domains: Vec<String>,
    /// UDP listeners.
    pub udp: Vec<SocketAddr>,
    /// TCP listeners.
    pub tcp: Vec<SocketAddr>,
    /// TLS listeners.
    pub tls: Vec<SocketAddr>,
    /// WebSocket listeners.
    pub ws: Vec<SocketAddr>,
    /// WebSocket listeners under TLS.
    pub wss: Vec<SocketAddr>,
    /// What peers are told to reach us by, where that is not the listener's address.
    pub advertise: Option<String>,
    /// Name servers; none are the system's.
    pub dns: Vec<SocketAddr>,
}

/// `[media]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media {
    /// Addresses that voice comes to: at most one IPv4 and one IPv6.
    pub bind: Vec<IpAddr>,
    /// What SDP says instead: at most one of each family.
    pub advertise: Vec<IpAddr>,
    /// First and last port; the first is even, the last odd.
    pub ports: (u16, u16),
}

/// `[web]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Web {
    /// The listener of portal, console and API.
    pub listen: SocketAddr,
    /// How people reach it, without a slash at the end.
    pub public_url: Option<String>,
}

/// `[control]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Control {
    /// The command line's socket; `None` is in the data folder.
    pub socket: Option<PathBuf>,
}

/// `[mail]`
#[derive(Clone, PartialEq, Eq)]
pub struct Mail {
    /// The server that takes our mail, as a URL that may hold a password; `None` sends none.
    pub smtp: Option<String>,
    /// Whom it comes from.
    pub from: String,
    /// Who hears of everything.
    pub admins: Vec<String>,
    /// Who hears of what customers need.
    pub support: Vec<String>,
}

/// `[billing]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Billing {
    /// The platform's currency.
    pub currency: Currency,
    /// Completes the numbers of users without a country of their own; `None` takes digits as they are.
    pub country: Option<Country>,
}

/// `[metrics]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metrics {
    /// The Prometheus listener; `None` has none.
    pub listen: Option<SocketAddr>,
}

/// One line of `[policy]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// A setting, by our name or the guide's.
    pub name: String,
    /// Its value as text.
    pub value: String,
    /// Where it is written, for the mistake's line.
    pub at: String,
}

/// What is wrong, one line each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistakes(pub Vec<String>);

impl Config {
    /// Where the file is looked for unless `--config` says otherwise.
    pub const DEFAULT_FILE: &str = "config/tollgate.toml";

    /// Reads the file and what the environment says over it. A missing file is a mistake, unless it is the default one.
    pub fn load(file: &Path, environment: impl IntoIterator<Item = (String, String)>) -> Result<Config, Mistakes> {
        let name = file.display().to_string();
        let text = match std::fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && name == Config::DEFAULT_FILE => String::new(),
            Err(error) => return Err(Mistakes(vec![format!("{name}: cannot be read: {error}")])),
        };
        Config::from_text(&name, &text, environment)
    }

    /// The same from a text; `file` is what mistakes call it.
    pub fn from_text(
        file: &str,
        text: &str,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Config, Mistakes> {
        let mut source = source::Source::new();
        source.read_file(file, text);
        source.read_environment(environment);
        read::config(source)
    }

    /// The `[policy]` section as the registry takes it: every name and value checked.
    pub fn pins(&self, registry: &Registry) -> Result<Vec<(String, String)>, Mistakes> {
        let mut mistakes = Vec::new();
        let mut seen: Vec<(&str, &str)> = Vec::new();
        for pin in &self.policy {
            match registry.parse(&pin.name, &pin.value) {
                Ok((row, _)) => match seen.iter().find(|(name, _)| *name == row.name) {
                    Some((_, at)) => {
                        mistakes.push(format!("{}: [policy] {} is pinned twice, first in {at}", pin.at, pin.name))
                    }
                    None => seen.push((row.name, &pin.at)),
                },
                Err(mistake) => mistakes.push(format!("{}: [policy] {mistake}", pin.at)),
            }
        }
        let pins = self.policy.iter().map(|pin| (pin.name.clone(), pin.value.clone()));
        if mistakes.is_empty() { Ok(pins.collect()) } else { Err(Mistakes(mistakes)) }
    }

    /// The socket that the command line talks to.
    pub fn control_socket(&self) -> PathBuf {
        self.control.socket.clone().unwrap_or_else(|| self.server.data_dir.join("tollgate.sock"))
    }

    /// The database as a URL, for the store.
    pub fn database_url(&self) -> String {
        match &self.database {
            Database::Embedded => format!("sqlite://{}", self.server.data_dir.join("tollgate.db").display()),
            Database::Sqlite(path) => format!("sqlite://{}", path.display()),
            Database::Postgres(url) => url.clone(),
        }
    }

    /// The listeners of one transport.
    pub fn listeners_of(&self, transport: Transport) -> &[SocketAddr] {
        match transport {
            Transport::Udp => &self.sip.udp,
            Transport::Tcp => &self.sip.tcp,
            Transport::Tls => &self.sip.tls,
            Transport::Ws => &self.sip.ws,
            Transport::Wss => &self.sip.wss,
        }
    }
}

/// What holds where neither file nor environment says anything; `config/tollgate.toml` shows the same.
impl Default for Config {
    fn default() -> Config {
        read::config(source::Source::new()).expect("a test reads the defaults")
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for Mistakes {}

/// Shows no password.
impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&report::database(self))
    }
}

/// Shows no password.
impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let smtp = self.smtp.as_deref().map(report::without_password);
        let mut shown = f.debug_struct("Mail");
        shown.field("smtp", &smtp).field("from", &self.from);
        shown.field("admins", &self.admins).field("support", &self.support).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHIPPED: &str = include_str!("../config/tollgate.toml");

    fn read(text: &str) -> Result<Config, Mistakes> {
        Config::from_text("t.toml", text, [])
    }

    fn with_env(pairs: &[(&str, &str)]) -> Result<Config, Mistakes> {
        Config::from_text("t.toml", "", pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())))
    }

    #[test]
    fn the_shipped_file_says_every_key_with_its_default() {
        assert_eq!(Config::from_text("config/tollgate.toml", SHIPPED, []).unwrap(), Config::default());
        let mut section = "";
        let mut written = Vec::new();
        for line in SHIPPED.lines() {
            if let Some(name) = line.strip_prefix('[') {
                section = name.trim_end_matches(']');
            } else if let Some((key, _)) = line.split_once(" = ")
                && !line.starts_with('#')
            {
                written.push((section, key.trim()));
            }
        }
        let known: Vec<_> = source::KEYS.iter().map(|(section, key)| (*section, *key)).collect();
        assert_eq!(written, known);
    }

    #[test]
    fn a_mistake_is_one_line_with_place_key_value_and_expectation() {
        for (text, line) in [
            ("[sip]\ndomian = \"x\"", "t.toml:2: [sip] has no key domian; did you mean domain?"),
            ("[spi]\ndomain = \"x\"", "t.toml:1: there is no section [spi]; did you mean [sip]?"),
            ("domain = \"x\"", "t.toml:1: domain stands outside any section"),
            (
                "[sip]\n\nudp = [\"0.0.0.0\"]",
                "t.toml:3: [sip] udp = \"0.0.0.0\": expected an address with port such as 0.0.0.0:5060",
            ),
            ("[sip]\nudp = 5060", "t.toml:2: [sip] udp = 5060: expected a list of texts such as [\"0.0.0.0:5060\"]"),
            (
                "[sip]\ntcp = [\"[::]:5060\", \"[::]:5060\"]",
                "t.toml:2: [sip] tcp = \"[::]:5060\": expected each address once",
            ),
            ("[sip]\ntls = [\"0.0.0.0:5061\"]", "t.toml:2: [sip] tls: TLS is not built yet; leave the list empty"),
            (
                "[sip]\ndomain = \"a b\"",
                "t.toml:2: [sip] domain = \"a b\": expected a host name such as voip.example.com",
            ),
            (
                "[sip]\nadvertise = \"x:1\"",
                "t.toml:2: [sip] advertise = \"x:1\": expected an address or host name without port, or nothing",
            ),
            ("[server]\nsip_shards = -1", "t.toml:2: [server] sip_shards = -1: expected a whole number from 0 to 256"),
            (
                "[server]\nsip_shards = \"two\"",
                "t.toml:2: [server] sip_shards = \"two\": expected a whole number from 0 to 256",
            ),
            (
                "[server]\nlog = \"loud\"",
                "t.toml:2: [server] log = \"loud\": expected a log filter such as info or warn,tollgate=debug",
            ),
            (
                "[media]\nports = \"20000\"",
                "t.toml:2: [media] ports = \"20000\": expected a range of at least four ports above 1023 such as 20000-29999",
            ),
            (
                "[media]\nports = \"5000-5100\"",
                "t.toml:2: [media] ports = \"5000-5100\": expected a range without the SIP port 5060",
            ),
            (
                "[media]\nbind = [\"0.0.0.0\", \"127.0.0.1\"]",
                "t.toml:2: [media] bind = \"127.0.0.1\": expected at most one IPv4 and one IPv6 address",
            ),
            (
                "[web]\nlisten = \"nowhere\"",
                "t.toml:2: [web] listen = \"nowhere\": expected an address with port such as 127.0.0.1:8080",
            ),
            (
                "[web]\npublic_url = \"ftp://x\"",
                "t.toml:2: [web] public_url = \"ftp://x\": expected a URL such as https://voip.example.com, or nothing",
            ),
            (
                "[database]\nurl = \"mysql://x\"",
                "t.toml:2: [database] url = \"mysql://x\": expected sqlite, sqlite://PATH or postgres://USER:PASSWORD@HOST/NAME",
            ),
            (
                "[mail]\nsmtp = \"smtp://u:secret@\"",
                "t.toml:2: [mail] smtp = \"smtp://u:***@\": expected smtp://USER:PASSWORD@HOST:PORT or smtps://…, or nothing",
            ),
            (
                "[mail]\nsmtp = \"smtp://h\"",
                "t.toml: [mail] from = \"\": expected a mail address such as pbx@example.com, for smtp is set",
            ),
            (
                "[mail]\nadmins = [\"me\"]",
                "t.toml:2: [mail] admins = \"me\": expected a mail address such as pbx@example.com",
            ),
            (
                "[billing]\ncurrency = \"EURO\"",
                "t.toml:2: [billing] currency = \"EURO\": expected a currency code such as USD",
            ),
            (
                "[billing]\ncountry = \"Hungary\"",
                "t.toml:2: [billing] country = \"Hungary\": expected a country code such as HU, or nothing",
            ),
            (
                "[sip]\ndns = [\"127.0.0.1\"]",
                "t.toml:2: [sip] dns = \"127.0.0.1\": expected a name server with port such as 127.0.0.1:53",
            ),
            ("[sip\n", "t.toml:1: "),
            ("[sip]\ndomain = \"x\"\ndomain = \"y\"", "t.toml:3: "),
            ("[control]\nsocket = 1.5", "t.toml:2: [control] socket = 1.5: expected a text"),
        ] {
            let Mistakes(lines) = read(text).expect_err(text);
            assert!(lines.len() == 1 && lines[0].starts_with(line), "{text}\n{lines:#?}");
            assert!(!lines[0].contains('\n'), "{lines:?}");
        }
        let Mistakes(lines) = read("[sip]\nudp = [\"a\", \"b\"]\n[web]\nlisten = 1").unwrap_err();
        assert_eq!(lines.len(), 3, "all at once: {lines:#?}");
    }

    #[test]
    fn the_environment_wins_over_the_file() {
        let file = "[sip]\ndomain = \"file.test\"\nudp = []";
        let pairs = [
            ("TOLLGATE__SIP__DOMAIN", "env.test"),
            ("TOLLGATE__SIP__UDP", "127.0.0.1:5070, [::1]:5070"),
            ("TOLLGATE__SIP__TCP", ""),
            ("TOLLGATE__SERVER__SIP_SHARDS", "3"),
            ("TOLLGATE__POLICY__CREDIT__MIN_TALK", "20s"),
            ("TOLLGATE_LOG", "not ours"),
            ("PATH", "/bin"),
        ];
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let config = Config::from_text("t.toml", file, pairs).unwrap();
        assert_eq!(config.sip.domain, "env.test");
        assert_eq!((config.sip.udp.len(), config.sip.tcp.len(), config.server.sip_shards), (2, 0, 3));
        assert_eq!((config.policy[0].name.as_str(), config.policy[0].value.as_str()), ("credit.min_talk", "20s"));
        for (name, value, line) in [
            ("TOLLGATE__SIP__DOMIAN", "x", "TOLLGATE__SIP__DOMIAN: [sip] has no key domian; did you mean domain?"),
            (
                "TOLLGATE__SERVER__SIP_SHARDS",
                "x",
                "TOLLGATE__SERVER__SIP_SHARDS: [server] sip_shards = \"x\": expected a whole number from 0 to 256",
            ),
            ("TOLLGATE__X", "x", "TOLLGATE__X: expected TOLLGATE__SECTION__KEY"),
        ] {
            assert_eq!(with_env(&[(name, value)]).unwrap_err().0, [line]);
        }
    }

    #[test]
    fn policy_pins_settings_in_any_spelling() {
        let registry = Registry::new(&[tollgate_settings::rows::media::ROWS, tollgate_settings::rows::call::ROWS]);
        let text =
            "[policy]\ncall.ring_max = 45\n\"media.source\" = \"strict\"\nmaxnetworkspeed = -1\ncall.anonymous = false";
        let pins = read(text).unwrap().pins(&registry).unwrap();
        let shown: Vec<_> = pins.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(shown, ["call.anonymous=false", "call.ring_max=45", "maxnetworkspeed=-1", "media.source=strict"]);
        for (text, line) in [
            (
                "[policy]\ncall.ring_maxx = 45",
                "t.toml:2: [policy] there is no setting \"call.ring_maxx\"; did you mean call.ring_max?",
            ),
            (
                "[policy]\ncall.ring_max = \"long\"",
                "t.toml:2: [policy] call.ring_max = \"long\": expected a duration such as 30s, 5m or 1d from 5s to 10m",
            ),
            (
                "[policy]\nchecKrtpaddr = 2\nmedia.source = \"off\"",
                "t.toml:3: [policy] media.source is pinned twice, first in t.toml:2",
            ),
        ] {
            assert_eq!(read(text).unwrap().pins(&registry).unwrap_err().0, [line]);
        }
    }

    #[test]
    fn places_and_urls() {
        let config = read("[server]\ndata_dir = \"/var/lib/tollgate\"").unwrap();
        assert_eq!(config.control_socket(), Path::new("/var/lib/tollgate/tollgate.sock"));
        assert_eq!(config.database_url(), "sqlite:///var/lib/tollgate/tollgate.db");
        let config = read(
            "[database]\nurl = \"postgres://us:secret@db/toll\"\n[mail]\nsmtp=\"smtps://u:secret@h\"\nfrom=\"a@b\"",
        )
        .unwrap();
        assert_eq!(config.database_url(), "postgres://us:secret@db/toll");
        assert!(!format!("{config:?}").contains("secret") && !config.check_report().contains("secret"));
        assert!(
            Config::load(Path::new("/nowhere/x.toml"), []).unwrap_err().0[0]
                .starts_with("/nowhere/x.toml: cannot be read")
        );
    }
}
