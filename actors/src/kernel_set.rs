//! Bans that the kernel obeys too: mirrored into an nftables set whose elements end when the ban does, so that a flood from
//! a banned source costs this process nothing.
//!
//! Off unless `guard.nftables` says so, and where `nft` or the right to use it is missing: then one line in the log, and the
//! edges drop as always. Only the SIP ports are closed; an admin who bans himself still gets in by other ways.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::IpAddr;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use tollgate_guard::{Ban, Scope};
use tollgate_types::Wall;

/// Orders that may wait; beyond it the edges alone obey.
const WAITING_MAX: usize = 4096;
/// Elements in one call of `nft`.
const BATCH_MAX: usize = 256;
const TABLE: &str = "inet tollgate";

/// The way to the kernel's set. Never waits.
#[derive(Clone)]
pub struct KernelSet(SyncSender<Order>);

/// One change of the set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    /// In, for so many seconds; for good without.
    Add(Scope, Option<u64>),
    /// Out.
    Remove(Scope),
}

impl KernelSet {
    /// Makes the table with rules for these ports of ours. The error says in one line why there is none.
    pub fn open(udp: &[u16], tcp: &[u16]) -> Result<KernelSet, String> {
        run(&table(udp, tcp))?;
        let (orders, waiting) = sync_channel(WAITING_MAX);
        let thread = std::thread::Builder::new().name("nftables".into());
        thread.spawn(move || work(&waiting)).map_err(|error| error.to_string())?;
        Ok(KernelSet(orders))
    }

    /// A ban begins. Ports and users are the edges' alone.
    pub fn add(&self, ban: &Ban, now: Wall) {
        let left = ban.until.map(|until| until.since(now).as_secs().max(1));
        self.order(Order::Add(ban.scope, left));
    }

    /// A ban is lifted.
    pub fn remove(&self, scope: Scope) {
        self.order(Order::Remove(scope));
    }

    fn order(&self, order: Order) {
        if element(&order).is_some() && self.0.try_send(order).is_err() {
            metrics::counter!("tollgate_mailbox_full_total", "of" => "nftables").increment(1);
        }
    }
}

/// Until the gate is gone; the table goes with it.
fn work(waiting: &Receiver<Order>) {
    while let Ok(first) = waiting.recv() {
        let mut batch = vec![first];
        batch.extend(waiting.try_iter().take(BATCH_MAX - 1));
        for script in scripts(&batch) {
            // What is there already, or no more, is as it should be.
            if let Err(error) = run(&script) {
                tracing::debug!(%error, "nftables did not take a change");
            }
        }
    }
    let _ = run(&format!("delete table {TABLE}\n"));
}

fn run(script: &str) -> Result<(), String> {
    let mut command = Command::new("nft");
    command.args(["-f", "-"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut nft = command.spawn().map_err(|error| format!("nft: {error}"))?;
    if let Some(mut input) = nft.stdin.take() {
        let _ = input.write_all(script.as_bytes());
    }
    let output = nft.wait_with_output().map_err(|error| format!("nft: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).lines().next().unwrap_or("nft failed").to_owned()),
    }
}

/// An empty table, whatever an earlier life left.
fn table(udp: &[u16], tcp: &[u16]) -> String {
    let mut text = format!("table {TABLE}\ndelete table {TABLE}\ntable {TABLE} {{\n");
    for (set, kind) in [("banned4", "ipv4_addr"), ("banned6", "ipv6_addr")] {
        let _ = writeln!(text, "  set {set} {{ type {kind}; flags interval, timeout; }}");
    }
    text.push_str("  chain input {\n    type filter hook input priority -10; policy accept;\n");
    for (protocol, ports) in [("udp", udp), ("tcp", tcp)] {
        if ports.is_empty() {
            continue;
        }
        let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
        for (family, set) in [("ip", "banned4"), ("ip6", "banned6")] {
            let _ = writeln!(text, "    {protocol} dport {{ {} }} {family} saddr @{set} drop", ports.join(", "));
        }
    }
    text.push_str("  }\n}\n");
    text
}

/// Additions together, each removal alone: one that is not there fails its whole script.
fn scripts(batch: &[Order]) -> Vec<String> {
    let mut scripts = Vec::new();
    let mut additions = String::new();
    for order in batch {
        let Some((set, element)) = element(order) else { continue };
        match order {
            Order::Add(..) => {
                let _ = writeln!(additions, "add element {TABLE} {set} {{ {element} }}");
            }
            Order::Remove(_) => {
                if !additions.is_empty() {
                    scripts.push(std::mem::take(&mut additions));
                }
                scripts.push(format!("delete element {TABLE} {set} {{ {element} }}\n"));
            }
        }
    }
    if !additions.is_empty() {
        scripts.push(additions);
    }
    scripts
}

/// The set and the element; `None` for what the kernel is not told.
fn element(order: &Order) -> Option<(&'static str, String)> {
    let (scope, left) = match order {
        Order::Add(scope, left) => (scope, *left),
        Order::Remove(scope) => (scope, None),
    };
    let first = match scope {
        Scope::Ip(ip) => *ip,
        Scope::Net(net) => net.first(),
        Scope::Port(_) | Scope::UserAt(..) => return None,
    };
    let set = if matches!(first, IpAddr::V4(_)) { "banned4" } else { "banned6" };
    Some((set, left.map_or_else(|| scope.to_string(), |left| format!("{scope} timeout {left}s"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_is_told_addresses_and_networks_with_their_time() {
        let ip = |text: &str| Scope::Ip(text.parse().unwrap());
        let port = Scope::Port("192.0.2.9:5060".parse().unwrap());
        let batch = [
            Order::Add(ip("192.0.2.1"), Some(300)),
            Order::Add(Scope::Net("2001:db8::/48".parse().unwrap()), None),
            Order::Add(port, Some(300)),
            Order::Remove(ip("192.0.2.1")),
            Order::Add(ip("192.0.2.2"), Some(1)),
        ];
        assert_eq!(
            scripts(&batch),
            [
                "add element inet tollgate banned4 { 192.0.2.1 timeout 300s }\n\
                 add element inet tollgate banned6 { 2001:db8::/48 }\n",
                "delete element inet tollgate banned4 { 192.0.2.1 }\n",
                "add element inet tollgate banned4 { 192.0.2.2 timeout 1s }\n",
            ]
        );
    }

    #[test]
    fn only_the_ports_of_sip_are_closed() {
        let text = table(&[5060, 5070], &[]);
        assert!(text.starts_with("table inet tollgate\ndelete table inet tollgate\ntable inet tollgate {\n"), "{text}");
        assert!(text.contains("    udp dport { 5060, 5070 } ip saddr @banned4 drop\n"), "{text}");
        assert!(
            text.contains("    udp dport { 5060, 5070 } ip6 saddr @banned6 drop\n") && !text.contains("tcp"),
            "{text}"
        );
    }
}
