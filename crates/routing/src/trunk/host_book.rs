//! What the host names of ingress trunks were found to be, and when they are to be looked up again.
//!
//! A name that cannot be looked up keeps the addresses it had: a name server that is down for an hour takes no trunk down.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use tollgate_types::Mono;

/// Looked up again no sooner, whatever DNS says.
const AGE_MIN: Duration = Duration::from_secs(1);
/// One that was not found is looked for again after so long.
const RETRY: Duration = Duration::from_secs(5);
/// Addresses kept of one name; the rest of the zone is no business of ours.
const ADDRESSES_MAX: usize = 64;

/// See the module. Holds the names of today's trunks alone.
#[derive(Clone, Debug, Default)]
pub struct HostBook(BTreeMap<Box<str>, Known>);

#[derive(Clone, Debug, Default)]
struct Known {
    addresses: Box<[IpAddr]>,
    /// When it was looked up last, and for how long that holds.
    found: Option<(Mono, Duration)>,
    asking: bool,
    failing: bool,
}

/// What a look-up brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Finding {
    /// All addresses found.
    pub addresses: Vec<IpAddr>,
    /// How long DNS lets them be used.
    pub age: Duration,
    /// Every question had its answer: what is not among the addresses is not the trunk's any more.
    pub whole: bool,
}

/// What an operator should hear of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// It is not found, for the first time since it was.
    Lost,
    /// It is found again.
    Back,
}

impl HostBook {
    /// Which of `names`, the host names of today's trunks, are to be looked up now; they count as being asked until
    /// [`HostBook::found`]. Other names are forgotten.
    pub fn due<'a>(&mut self, names: impl IntoIterator<Item = &'a str>, age_max: Duration, now: Mono) -> Vec<Box<str>> {
        let mut before = std::mem::take(&mut self.0);
        let mut due = Vec::new();
        for name in names {
            if self.0.contains_key(name) {
                continue;
            }
            let mut known = before.remove(name).unwrap_or_default();
            let age = |age: Duration| if known.failing { RETRY } else { age.min(age_max).max(AGE_MIN) };
            if !known.asking && known.found.is_none_or(|(at, ttl)| now.since(at) >= age(ttl)) {
                known.asking = true;
                due.push(name.into());
            }
            self.0.insert(name.into(), known);
        }
        due
    }

    /// A look-up is done. What was found in part adds to what is known, what was found whole replaces it, and nothing found
    /// changes nothing.
    pub fn found(&mut self, name: &str, finding: Finding, now: Mono) -> Option<News> {
        let known = self.0.get_mut(name)?;
        let Finding { mut addresses, age, whole } = finding;
        let failed = addresses.is_empty() || !whole;
        if failed {
            addresses.extend(known.addresses.iter().copied());
        }
        addresses.iter_mut().for_each(|address| *address = address.to_canonical());
        addresses.sort_unstable();
        addresses.dedup();
        addresses.truncate(ADDRESSES_MAX);
        let was_failing = known.failing;
        *known = Known { addresses: addresses.into(), found: Some((now, age)), asking: false, failing: failed };
        match (was_failing, failed) {
            (false, true) => Some(News::Lost),
            (true, false) => Some(News::Back),
            _ => None,
        }
    }

    /// The addresses of all `names` together.
    pub fn addresses(&self, names: &[Box<str>]) -> Box<[IpAddr]> {
        names.iter().filter_map(|name| self.0.get(name)).flat_map(|known| known.addresses.iter().copied()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIVE_MINUTES: Duration = Duration::from_secs(300);

    fn at(secs: u64) -> Mono {
        Mono::from_millis(secs * 1000)
    }

    fn finding(addresses: &str, age: u64, whole: bool) -> Finding {
        let addresses = addresses.split_whitespace().map(|address| address.parse().unwrap()).collect();
        Finding { addresses, age: Duration::from_secs(age), whole }
    }

    #[test]
    fn the_last_good_answer_is_kept_and_its_loss_told_once() {
        let mut book = HostBook::default();
        let names = ["a.example"];
        assert_eq!(book.due(names, FIVE_MINUTES, at(0)), [Box::from("a.example")]);
        assert!(book.due(names, FIVE_MINUTES, at(1)).is_empty(), "it is being asked");
        //   second  found                     age  whole  known then                    news
        for (second, addresses, age, whole, known, news) in [
            (1, "192.0.2.2 192.0.2.1", 30, true, "192.0.2.1 192.0.2.2", None),
            (31, "192.0.2.3 2001:db8::1", 30, true, "192.0.2.3 2001:db8::1", None),
            (61, "", 0, false, "192.0.2.3 2001:db8::1", Some(News::Lost)),
            (66, "", 0, true, "192.0.2.3 2001:db8::1", None),
            (71, "192.0.2.4", 30, false, "192.0.2.3 192.0.2.4 2001:db8::1", None),
            (76, "::ffff:192.0.2.5", 30, true, "192.0.2.5", Some(News::Back)),
        ] {
            if second > 1 {
                assert!(book.due(names, FIVE_MINUTES, at(second - 1)).is_empty(), "not before second {second}");
                assert_eq!(book.due(names, FIVE_MINUTES, at(second)).len(), 1, "at second {second}");
            }
            assert_eq!(book.found("a.example", finding(addresses, age, whole), at(second)), news, "second {second}");
            let shown: Vec<_> = book.addresses(&names.map(Into::into)).iter().map(IpAddr::to_string).collect();
            assert_eq!(shown.join(" "), known, "second {second}");
        }
    }

    #[test]
    fn the_operator_bounds_what_dns_says_and_gone_names_are_forgotten() {
        let mut book = HostBook::default();
        for (age, age_max, due_after) in [(3600, 300, 300), (0, 300, 1), (30, 300, 30), (30, 10, 10)] {
            let mut fresh = book.clone();
            let age_max = Duration::from_secs(age_max);
            fresh.due(["a"], age_max, at(0));
            fresh.found("a", finding("192.0.2.1", age, true), at(0));
            assert!(fresh.due(["a"], age_max, at(due_after - 1)).is_empty() || due_after == 1, "{age}");
            assert_eq!(fresh.due(["a", "a"], age_max, at(due_after)).len(), 1, "{age}");
        }
        book.due(["a", "b"], FIVE_MINUTES, at(0));
        book.found("a", finding("192.0.2.1", 30, true), at(0));
        book.due(["b"], FIVE_MINUTES, at(1));
        assert!(book.addresses(&["a".into()]).is_empty() && book.found("a", finding("", 0, true), at(2)).is_none());
    }
}
