//! Scanners: how many different names that are not there one source has tried, without proof, in ten minutes.

use std::net::IpAddr;
use std::time::Duration;

use tollgate_types::{Map, Mono, Seed};

/// How long a tried name counts.
pub const WITHIN: Duration = Duration::from_secs(600);

/// See the module: at most `capacity` sources, each with at most as many names as make a scanner.
pub struct Probes {
    capacity: usize,
    seed: Seed,
    tried: Map<IpAddr, Vec<(u32, Mono)>>,
}

impl Probes {
    /// Nobody has tried anything.
    pub fn new(capacity: usize, seed: Seed) -> Probes {
        Probes { capacity, seed, tried: seed.map() }
    }

    /// `source` tried `name`, which is not there. The number of different names when they are `most` or more.
    pub fn tried(&mut self, source: IpAddr, name: &str, most: u32, now: Mono) -> Option<u32> {
        let source = source.to_canonical();
        let hash = self.hash(name);
        if !self.tried.contains_key(&source) && self.tried.len() >= self.capacity {
            self.tried.retain(|_, names| names.last().is_some_and(|(_, at)| now.since(*at) < WITHIN));
            if self.tried.len() >= self.capacity {
                return None;
            }
        }
        let names = self.tried.entry(source).or_default();
        names.retain(|(known, at)| *known != hash && now.since(*at) < WITHIN);
        names.push((hash, now));
        let over = names.len().saturating_sub(most as usize);
        names.drain(..over);
        let count = names.len() as u32;
        (count >= most).then_some(count)
    }

    /// The name was proven to be tried in good faith: valid credentials came with it.
    pub fn explained(&mut self, source: IpAddr, name: &str) {
        let (source, hash) = (source.to_canonical(), self.hash(name));
        if let Some(names) = self.tried.get_mut(&source) {
            names.retain(|(known, _)| *known != hash);
            if names.is_empty() {
                self.tried.remove(&source);
            }
        }
    }

    /// Everything that `source` tried is forgotten.
    pub fn forgive(&mut self, source: IpAddr) {
        self.tried.remove(&source.to_canonical());
    }

    /// Sources with names tried.
    pub fn len(&self) -> usize {
        self.tried.len()
    }

    /// None?
    pub fn is_empty(&self) -> bool {
        self.tried.is_empty()
    }

    fn hash(&self, name: &str) -> u32 {
        self.seed.hasher().hash_one(name.to_ascii_lowercase()) as u32
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(secs: u64) -> Mono {
        Mono::from_millis(secs * 1000)
    }

    #[test]
    fn ten_different_names_make_a_scanner_and_one_name_ten_times_does_not() {
        let mut probes = Probes::new(10, Seed([1; 4]));
        let (one, two) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        assert!((0..50).all(|n| probes.tried(two, "100", 10, at(n)).is_none()));
        let verdicts: Vec<_> = (0..12).map(|n| probes.tried(one, &n.to_string(), 10, at(n))).collect();
        assert_eq!(verdicts[8..], [None, Some(10), Some(10), Some(10)]);
        assert_eq!(probes.tried(one, "x", 10, at(700)), None, "ten minutes later they are forgotten");
    }

    #[test]
    fn a_busy_pbx_that_proves_each_call_is_no_scanner() {
        let mut probes = Probes::new(10, Seed([1; 4]));
        let pbx = IpAddr::from([192, 0, 2, 1]);
        for n in 0..1000 {
            let number = format!("4420{n:06}");
            assert_eq!(probes.tried(pbx, &number, 10, at(n / 100)), None);
            probes.explained(pbx, &number);
        }
        assert!(probes.is_empty());
    }

    proptest! {
        /// As many as a plain list of different recent names holds, and no more memory than promised.
        #[test]
        fn it_counts_different_names(steps in prop::collection::vec((0u8..4, 0u8..12, 0u64..100), 1..200)) {
            let mut probes = Probes::new(3, Seed([1; 4]));
            let mut plain: Vec<(u8, u8, u64)> = Vec::new();
            let mut now = 0;
            for (source, name, pause) in steps {
                now += pause;
                let ip = IpAddr::from([192, 0, 2, source]);
                plain.retain(|(.., at)| now - at < 600);
                let room = plain.iter().any(|(who, ..)| *who == source)
                    || (0..4).filter(|who| plain.iter().any(|(known, ..)| known == who)).count() < 3;
                let verdict = probes.tried(ip, &name.to_string(), 6, at(now));
                if room {
                    plain.retain(|(who, known, _)| (*who, *known) != (source, name));
                    plain.push((source, name, now));
                    let count = plain.iter().filter(|(who, ..)| *who == source).count();
                    prop_assert_eq!(verdict.is_some(), count >= 6);
                } else {
                    prop_assert_eq!(verdict, None);
                }
                prop_assert!(probes.len() <= 3);
            }
        }
    }
}
