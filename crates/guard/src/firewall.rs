//! Rules that an admin wrote: in order, the first that fits decides.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};

use tollgate_types::{Net, Transport, Wall};

/// Most rules that are kept: each message of a stranger looks at them in turn.
pub const RULES_MAX: usize = 1000;

/// One rule.
#[derive(Debug)]
pub struct Rule {
    /// Its number, for `firewall remove`.
    pub id: i64,
    /// Heard (and never banned) or dropped.
    pub allow: bool,
    /// Whose messages.
    pub net: Net,
    /// To this port of ours; any for `None`.
    pub port: Option<u16>,
    /// By this transport; any for `None`.
    pub transport: Option<Transport>,
    /// Until when it holds; for ever for `None`.
    pub until: Option<Wall>,
    hits: AtomicU64,
}

/// All rules, in order.
#[derive(Debug, Default)]
pub struct Firewall(Vec<Rule>);

impl Rule {
    /// A rule that nothing has met yet.
    pub fn new(id: i64, allow: bool, net: Net) -> Rule {
        Rule { id, allow, net, port: None, transport: None, until: None, hits: AtomicU64::new(0) }
    }

    /// How many messages it decided.
    pub fn hits(&self) -> u64 {
        self.hits.load(Ordering::Relaxed)
    }

    fn fits(&self, peer: IpAddr, local: SocketAddr, transport: Transport, now: Wall) -> bool {
        self.net.has(peer)
            && self.port.is_none_or(|port| port == local.port())
            && self.transport.is_none_or(|only| only == transport)
            && self.until.is_none_or(|until| now < until)
    }
}

impl Firewall {
    /// These rules, in this order. Hits of those that `before` had already go on counting.
    pub fn new(rules: Vec<Rule>, before: &Firewall) -> Firewall {
        for rule in &rules {
            if let Some(old) = before.0.iter().find(|old| old.id == rule.id) {
                rule.hits.store(old.hits(), Ordering::Relaxed);
            }
        }
        Firewall(rules)
    }

    /// What the first fitting rule says, counted; `None` where none fits.
    pub fn judge(&self, peer: IpAddr, local: SocketAddr, transport: Transport, now: Wall) -> Option<bool> {
        let rule = self.0.iter().find(|rule| rule.fits(peer, local, transport, now))?;
        rule.hits.fetch_add(1, Ordering::Relaxed);
        Some(rule.allow)
    }

    /// Would these rules drop everything from `peer`, wherever it is sent? For warnings before an admin shuts somebody out.
    pub fn shuts_out(&self, peer: IpAddr, now: Wall) -> bool {
        let of_peer = self.0.iter().filter(|rule| rule.net.has(peer) && rule.until.is_none_or(|until| now < until));
        let mut of_peer = of_peer.take_while(|rule| !rule.allow);
        of_peer.any(|rule| rule.port.is_none() && rule.transport.is_none())
    }

    /// The rules.
    pub fn rules(&self) -> &[Rule] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(id: i64, allow: bool, net: &str) -> Rule {
        Rule::new(id, allow, net.parse().unwrap())
    }

    #[test]
    fn the_first_fitting_rule_decides_and_counts() {
        let now = Wall::from_secs(100);
        let rules = vec![
            rule(1, true, "192.0.2.9"),
            rule(2, false, "192.0.2.0/24"),
            Rule { port: Some(5070), ..rule(3, false, "198.51.100.0/24") },
            Rule { transport: Some(Transport::Tcp), ..rule(4, false, "203.0.113.0/24") },
            Rule { until: Some(now), ..rule(5, false, "2001:db8::/32") },
        ];
        let firewall = Firewall::new(rules, &Firewall::default());
        let local = |port| SocketAddr::from(([192, 0, 2, 200], port));
        //  from, to port, by, at, verdict
        for (peer, port, transport, secs, verdict) in [
            ("192.0.2.9", 5060, Transport::Udp, 0, Some(true)),
            ("192.0.2.8", 5060, Transport::Udp, 0, Some(false)),
            ("::ffff:192.0.2.8", 5060, Transport::Udp, 0, Some(false)),
            ("198.51.100.1", 5070, Transport::Udp, 0, Some(false)),
            ("198.51.100.1", 5060, Transport::Udp, 0, None),
            ("203.0.113.1", 5060, Transport::Tcp, 0, Some(false)),
            ("203.0.113.1", 5060, Transport::Udp, 0, None),
            ("2001:db8::1", 5060, Transport::Udp, 99, Some(false)),
            ("2001:db8::1", 5060, Transport::Udp, 100, None),
            ("10.0.0.1", 5060, Transport::Udp, 0, None),
        ] {
            let at = Wall::from_secs(secs);
            assert_eq!(
                firewall.judge(peer.parse().unwrap(), local(port), transport, at),
                verdict,
                "{peer} {port} {transport}"
            );
        }
        assert_eq!(firewall.rules().iter().map(Rule::hits).collect::<Vec<_>>(), [1, 2, 1, 1, 1]);
        let again = Firewall::new(vec![rule(2, false, "192.0.2.0/24")], &firewall);
        assert_eq!(again.rules()[0].hits(), 2, "a rule keeps its count when others change");
        for (peer, out) in [("192.0.2.9", false), ("192.0.2.8", true), ("198.51.100.1", false), ("10.0.0.1", false)] {
            assert_eq!(firewall.shuts_out(peer.parse().unwrap(), now), out, "{peer}");
        }
    }
}
