//! Which trunk is this? Answered from the transport's source and the number's prefix, never from a header that names one.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use subtle::ConstantTimeEq;
use tollgate_types::{Map, Seed, TrunkId};

use super::ingress::{Ingress, NumberFrom};

/// What a request shows of its sender before anything is proven.
#[derive(Clone, Copy, Debug)]
pub struct Approach<'a> {
    /// Where it came from, as the socket says.
    pub source: SocketAddr,
    /// The Request-URI's user part, as it stands.
    pub request_user: &'a str,
    /// The To header's user part, as it stands.
    pub to_user: &'a str,
    /// The From header's user part; proves nothing, serves only the modes that ask for a user name.
    pub from_user: &'a str,
}

/// Who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identified {
    /// This trunk, and the number it dialled without its secret prefix.
    Trunk {
        /// The trunk.
        trunk: Arc<Ingress>,
        /// What it dialled.
        number: String,
    },
    /// This trunk if it answers a challenge with its own user name.
    NeedDigest {
        /// The trunk.
        trunk: Arc<Ingress>,
        /// What it dialled.
        number: String,
    },
    /// The source is a trunk's, but its prefix or user name is missing or wrong: refused, unless the request carries a
    /// user's own credentials (phones may share an address with a trunk).
    WrongProof,
    /// No trunk: a user's phone, or a stranger.
    Unknown,
}

/// All ingress trunks with their indexes.
#[derive(Clone, Debug)]
pub struct Ingresses {
    by_id: Map<TrunkId, Arc<Ingress>>,
    by_username: Map<Box<str>, TrunkId>,
    /// Enabled ones with a single address among their sources.
    by_host: Map<IpAddr, Vec<TrunkId>>,
    /// Enabled ones with a network among their sources.
    by_net: Vec<TrunkId>,
    /// Enabled ones that come from anywhere.
    anywhere: Vec<TrunkId>,
}

impl Ingresses {
    /// Indexes `trunks`.
    pub fn new(trunks: impl IntoIterator<Item = Arc<Ingress>>, seed: Seed) -> Ingresses {
        let mut all = Ingresses {
            by_id: seed.map(),
            by_username: seed.map(),
            by_host: seed.map(),
            by_net: Vec::new(),
            anywhere: Vec::new(),
        };
        for trunk in trunks {
            all.by_id.insert(trunk.id, trunk.clone());
            if !trunk.enabled {
                continue;
            }
            if let Some(username) = &trunk.username {
                all.by_username.insert(username.clone(), trunk.id);
            }
            if !trunk.auth.wants_source() {
                all.anywhere.push(trunk.id);
                continue;
            }
            for source in trunk.all_sources() {
                let list = match source.net.is_host() {
                    true => all.by_host.entry(source.net.first()).or_default(),
                    false => &mut all.by_net,
                };
                if !list.contains(&trunk.id) {
                    list.push(trunk.id);
                }
            }
        }
        all
    }

    /// By its row.
    pub fn get(&self, id: TrunkId) -> Option<&Arc<Ingress>> {
        self.by_id.get(&id)
    }

    /// The enabled trunk that answers challenges as `username`.
    pub fn named(&self, username: &str) -> Option<&Arc<Ingress>> {
        self.by_username.get(username).and_then(|id| self.get(*id))
    }

    /// All of them, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Ingress>> {
        self.by_id.values()
    }

    /// Is `address` one that some trunk comes from?
    pub fn knows(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.by_host.contains_key(&address)
            || self.of(&self.by_net).any(|trunk| trunk.all_sources().any(|source| source.net.has(address)))
    }

    fn of<'a>(&'a self, ids: &'a [TrunkId]) -> impl Iterator<Item = &'a Arc<Ingress>> {
        ids.iter().filter_map(|id| self.get(*id))
    }
}

/// How well a trunk fits; the greater wins. A port is worth more than a longer network, that more than a longer prefix,
/// and of equals the older trunk is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Fit {
    port: bool,
    bits: u8,
    prefix: usize,
    username: bool,
    older: std::cmp::Reverse<TrunkId>,
}

/// Names the trunk behind a request. Several may fit: the most specific wins, whatever order they were made in.
pub fn identify(ingresses: &Ingresses, approach: &Approach<'_>) -> Identified {
    let address = approach.source.ip().to_canonical();
    let here = ingresses.by_host.get(&address).map(Vec::as_slice).unwrap_or_default();
    let mut best: Option<(Fit, &Arc<Ingress>)> = None;
    let mut source_known = false;
    for trunk in ingresses.of(here).chain(ingresses.of(&ingresses.by_net)).chain(ingresses.of(&ingresses.anywhere)) {
        let Some((port, bits)) = source_fit(trunk, approach.source) else { continue };
        source_known |= trunk.auth.wants_source();
        let Some(prefix) = prefix_fit(trunk, dialled(trunk, approach)) else { continue };
        let username = names_itself(trunk, approach);
        // One that is known only by name shows it before anything is said about a challenge.
        if trunk.auth.wants_username() && !(username || trunk.auth.wants_source() && trunk.auth.wants_digest()) {
            continue;
        }
        let fit = Fit { port, bits, prefix, username, older: std::cmp::Reverse(trunk.id) };
        if best.as_ref().is_none_or(|(best, _)| fit > *best) {
            best = Some((fit, trunk));
        }
    }
    match best {
        Some((fit, trunk)) => {
            let number = dialled(trunk, approach)[fit.prefix..].to_owned();
            let trunk = trunk.clone();
            match trunk.auth.wants_digest() {
                true => Identified::NeedDigest { trunk, number },
                false => Identified::Trunk { trunk, number },
            }
        }
        None if source_known => Identified::WrongProof,
        None => Identified::Unknown,
    }
}

fn dialled<'a>(trunk: &Ingress, approach: &Approach<'a>) -> &'a str {
    match trunk.number_from {
        NumberFrom::Uri => approach.request_user,
        NumberFrom::To => approach.to_user,
    }
}

/// Whether a port was asked for, and how many bits of the address.
fn source_fit(trunk: &Ingress, peer: SocketAddr) -> Option<(bool, u8)> {
    if !trunk.auth.wants_source() {
        return Some((false, 0));
    }
    trunk
        .all_sources()
        .filter(|source| match trunk.auth.wants_port() {
            true => source.port.is_some() && source.has(peer),
            false => source.has(peer),
        })
        .map(|source| (source.port.is_some(), source.net.bits()))
        .max()
}

/// How many bytes to strip; `None` where the prefix is asked for and not there.
fn prefix_fit(trunk: &Ingress, number: &str) -> Option<usize> {
    let prefix = trunk.prefix.as_bytes();
    let given = number.as_bytes().get(..prefix.len());
    let fits = given.is_some_and(|given| bool::from(given.ct_eq(prefix)));
    match (fits, trunk.auth.wants_prefix()) {
        (true, true) if prefix.is_empty() => None,
        (true, _) if number.is_char_boundary(prefix.len()) => Some(prefix.len()),
        (_, true) => None,
        (_, false) => Some(0),
    }
}

fn names_itself(trunk: &Ingress, approach: &Approach<'_>) -> bool {
    trunk.auth.wants_username() && trunk.username.as_deref().is_some_and(|name| name == approach.from_user)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::auth::AuthMode;

    fn trunk(id: i64, auth: &str, sources: &str, prefix: &str, username: &str) -> Ingress {
        let mut trunk = Ingress::new(TrunkId(id), &format!("t{id}"), auth.parse::<AuthMode>().unwrap());
        trunk.sources = sources.split_whitespace().map(|source| source.parse().unwrap()).collect();
        trunk.prefix = prefix.into();
        trunk.username = (!username.is_empty()).then(|| username.into());
        trunk
    }

    fn ingresses(trunks: impl IntoIterator<Item = Ingress>) -> Ingresses {
        Ingresses::new(trunks.into_iter().map(Arc::new), Seed([5; 4]))
    }

    fn who(ingresses: &Ingresses, source: &str, number: &str, from: &str) -> String {
        let approach =
            Approach { source: source.parse().unwrap(), request_user: number, to_user: "to-number", from_user: from };
        match identify(ingresses, &approach) {
            Identified::Trunk { trunk, number } => format!("{} {number}", trunk.name),
            Identified::NeedDigest { trunk, number } => format!("{}? {number}", trunk.name),
            Identified::WrongProof => "wrong proof".to_owned(),
            Identified::Unknown => "unknown".to_owned(),
        }
    }

    #[test]
    fn each_mode_with_right_and_wrong_factors() {
        const HERE: &str = "192.0.2.1:5060";
        const PORT: &str = "192.0.2.1:9999";
        const AWAY: &str = "198.51.100.1:5060";
        //   mode, sources, prefix, username | from where, number, From → who
        for (mode, sources, prefix, username, rows) in [
            ("ip", "192.0.2.1", "", "", &[(HERE, "361", "x", "t1 361"), (AWAY, "361", "x", "unknown")][..]),
            ("ip-port", "192.0.2.1:5060", "", "", &[(HERE, "361", "x", "t1 361"), (PORT, "361", "x", "unknown")]),
            // A port is asked for, so a source without one fits nobody.
            ("ip-port", "192.0.2.1", "", "", &[(HERE, "361", "x", "unknown")]),
            ("range", "192.0.2.0/24", "", "", &[("192.0.2.77:1", "361", "x", "t1 361"), (AWAY, "361", "x", "unknown")]),
            ("prefix", "", "99#", "", &[(AWAY, "99#361", "x", "t1 361"), (AWAY, "98#361", "x", "unknown")]),
            ("prefix", "", "", "", &[(AWAY, "361", "x", "unknown")]),
            (
                "ip+prefix",
                "192.0.2.1",
                "7788",
                "",
                &[
                    (HERE, "7788361", "x", "t1 361"),
                    (HERE, "7789361", "x", "wrong proof"),
                    (HERE, "77", "x", "wrong proof"),
                    (AWAY, "7788361", "x", "unknown"),
                ],
            ),
            ("digest", "", "", "peer", &[(AWAY, "361", "peer", "t1? 361"), (AWAY, "361", "x", "unknown")]),
            ("username", "", "", "peer", &[(AWAY, "361", "peer", "t1 361"), (AWAY, "361", "x", "unknown")]),
            (
                "ip+username",
                "192.0.2.1",
                "",
                "peer",
                &[(HERE, "361", "peer", "t1 361"), (HERE, "361", "x", "wrong proof"), (AWAY, "361", "peer", "unknown")],
            ),
            ("ip+digest", "192.0.2.1", "", "peer", &[(HERE, "361", "x", "t1? 361"), (AWAY, "361", "peer", "unknown")]),
            ("range+digest", "192.0.2.0/24", "", "peer", &[("192.0.2.9:1", "361", "x", "t1? 361")]),
            ("open", "", "", "", &[(AWAY, "361", "x", "t1 361")]),
        ] {
            let all = ingresses([trunk(1, mode, sources, prefix, username)]);
            for (source, number, from, expected) in rows {
                assert_eq!(who(&all, source, number, from), *expected, "{mode} {source} {number} {from}");
            }
        }
    }

    #[test]
    fn the_most_specific_wins_whatever_the_order() {
        let mut trunks = vec![
            trunk(1, "range", "192.0.0.0/8", "", ""),
            trunk(2, "range", "192.0.2.0/24", "", ""),
            trunk(3, "ip", "192.0.2.1", "", ""),
            trunk(4, "ip-port", "192.0.2.1:5060", "", ""),
            trunk(5, "ip+prefix", "192.0.2.1", "77", ""),
            trunk(6, "ip+prefix", "192.0.2.1", "7788", ""),
            trunk(7, "ip", "192.0.2.1", "", ""),
            trunk(8, "ip", "2001:db8::1", "", ""),
        ];
        for _ in 0..2 {
            let all = ingresses(trunks.clone());
            for (source, number, expected) in [
                ("192.9.9.9:1", "361", "t1 361"),
                ("192.0.2.9:1", "361", "t2 361"),
                ("192.0.2.1:1", "361", "t3 361"),
                ("192.0.2.1:5060", "361", "t4 361"),
                ("192.0.2.1:1", "77361", "t5 361"),
                ("192.0.2.1:1", "7788361", "t6 361"),
                ("[::ffff:192.0.2.1]:1", "361", "t3 361"),
                ("[2001:db8::1]:1", "361", "t8 361"),
            ] {
                assert_eq!(who(&all, source, number, "x"), expected, "{source} {number}");
            }
            trunks.reverse();
        }
    }

    #[test]
    fn the_number_stands_where_the_trunk_puts_it_and_disabled_ones_are_strangers() {
        let mut by_to = trunk(1, "ip", "192.0.2.1", "", "");
        by_to.number_from = NumberFrom::To;
        let all = ingresses([by_to.clone()]);
        assert_eq!(who(&all, "192.0.2.1:1", "account", "x"), "t1 to-number");
        assert!(all.knows("192.0.2.1".parse().unwrap()) && !all.knows("192.0.2.2".parse().unwrap()));
        by_to.enabled = false;
        by_to.username = Some("peer".into());
        let all = ingresses([by_to]);
        assert_eq!(who(&all, "192.0.2.1:1", "account", "x"), "unknown");
        assert!(all.named("peer").is_none() && all.get(TrunkId(1)).is_some());
    }

    proptest! {
        #[test]
        fn nothing_panics(number in ".{0,20}", from in ".{0,10}", prefix in "[0-9é]{0,3}") {
            let all = ingresses([trunk(1, "ip+prefix", "192.0.2.1", &prefix, ""), trunk(2, "ip", "192.0.2.1", &prefix, "")]);
            who(&all, "192.0.2.1:1", &number, &from);
        }
    }
}
