//! Who a message says it was sent by: lists of names that are heard or not.

use std::sync::Arc;

/// Below it an entry must be the whole text, or the whole name before its version (RFC 3261 §20.41, `product`): a short word is
/// part of too many others.
const EXACT_BELOW: usize = 5;

/// An allow list and a deny list over the same header. Denial wins.
#[derive(Clone, Debug, Default)]
pub struct Agents {
    allow: Arc<[Box<str>]>,
    deny: Arc<[Box<str>]>,
}

impl Agents {
    /// The two lists as settings hold them.
    pub fn new(allow: Arc<[Box<str>]>, deny: Arc<[Box<str>]>) -> Agents {
        Agents { allow, deny }
    }

    /// Is somebody with this `User-Agent` to be served? `None` where the header is missing: it matches nothing.
    pub fn serve(&self, agent: Option<&str>) -> bool {
        !self.blocks(agent) && (self.allow.is_empty() || agent.is_some_and(|agent| matches_any(&self.allow, agent)))
    }

    /// Does the deny list name it?
    pub fn blocks(&self, agent: Option<&str>) -> bool {
        agent.is_some_and(|agent| matches_any(&self.deny, agent))
    }

    /// Do the lists say anything at all?
    pub fn is_empty(&self) -> bool {
        self.allow.is_empty() && self.deny.is_empty()
    }
}

fn matches_any(list: &[Box<str>], agent: &str) -> bool {
    let agent = agent.trim();
    list.iter().any(|entry| match entry.chars().count() < EXACT_BELOW {
        true => entry.eq_ignore_ascii_case(agent) || entry.eq_ignore_ascii_case(product(agent)),
        false => contains(agent.as_bytes(), entry.as_bytes()),
    })
}

/// `Acme` of `Acme/1.2 (desk phone)`.
fn product(agent: &str) -> &str {
    agent.split(['/', ' ']).next().unwrap_or_default()
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window.eq_ignore_ascii_case(part))
}

#[cfg(test)]
mod tests {
    use tollgate_settings::Values;

    use super::*;
    use crate::rows;

    fn list(words: &[&str]) -> Arc<[Box<str>]> {
        words.iter().map(|word| Box::from(*word)).collect()
    }

    #[test]
    fn short_entries_match_exactly_and_long_ones_anywhere() {
        //  allow, deny, agent, served
        for (allow, deny, agent, served) in [
            (&[][..], &[][..], None, true),
            (&[], &["abc"], Some("abc"), false),
            (&[], &["abc"], Some("ABC"), false),
            (&[], &["abc"], Some("xabcx"), true),
            (&[], &["abcd"], Some("abcde"), true),
            (&[], &["scanner"], Some("Friendly-Scanner 1"), false),
            (&[], &["scanner"], Some("scan"), true),
            (&[], &["scanner"], None, true),
            (&["Acme/"], &[], Some("acme/1"), true),
            (&["Acme"], &[], Some("Acme/1"), true),
            (&["Acme"], &[], Some("Acmetron/1"), false),
            (&["Acme"], &[], Some("Foo"), false),
            (&[], &["abc"], Some("abc/2.0 (desk)"), false),
            (&["Acme/"], &[], Some("Foo"), false),
            (&["Acme/"], &[], None, false),
            (&["Acme/"], &["acme/0"], Some("Acme/0.9"), false),
        ] {
            assert_eq!(Agents::new(list(allow), list(deny)).serve(agent), served, "{allow:?} {deny:?} {agent:?}");
        }
    }

    #[test]
    fn known_scanners_are_blocked_from_the_start() {
        let shipped = Agents::new(Arc::default(), Values::default().list(&rows::BLOCK_AGENTS));
        for agent in ["friendly-scanner", "sipvicious/0.3", "sipcli/v1.8", "sundayddr", "VaxSIPUserAgent/3.1", "iWar"] {
            assert!(!shipped.serve(Some(agent)), "{agent}");
        }
        for agent in ["Yealink SIP-T46U", "baresip v1.0.0", "sipp", "Asterisk PBX 18", "Zoiper rv2"] {
            assert!(shipped.serve(Some(agent)), "{agent}");
        }
    }
}
