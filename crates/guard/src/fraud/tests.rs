//! Stories of thieves and of honest people, each with the score it comes to; and a property over honest mixes.

use std::time::Duration;

use proptest::prelude::*;
use tollgate_types::{CallId, Rate, Wall};

use super::*;

/// A Friday, 08:00 UTC.
const MORNING: Wall = Wall::from_secs(1_800_000_000);

/// An account and the time that passes for it.
struct Tale {
    profile: Profile,
    policy: Policy,
    now: Wall,
    calls: i64,
    night: bool,
    told: u32,
}

impl Tale {
    fn new(night: bool) -> Tale {
        let (profile, policy) = (Profile::default(), Policy::default());
        Tale { profile, policy, now: MORNING, calls: 0, night, told: 0 }
    }

    /// An account that has called these countries for long.
    fn with_habits(mut self, numbers: &[&str]) -> Tale {
        for number in numbers {
            self.profile.history.learn(Land::of(&number.parse().unwrap()), Rate::from_nanos(20_000_000), self.now);
        }
        self.now = self.now + Duration::from_secs(2 * 86_400);
        self.profile.sweep(self.now);
        self
    }

    fn attempt(&self, number: u64, price_millis: i64) -> Attempt {
        Attempt {
            callee: number.to_string().parse().unwrap(),
            home: false,
            price: Rate::from_nanos(price_millis * 1_000_000),
            foreign: 0,
            night: self.night,
            wholesale: false,
        }
    }

    /// One call, `secs` after the one before. `None` for `ending` leaves it open.
    fn call(&mut self, attempt: &Attempt, secs: u64, ending: Option<Ending>) -> Step {
        self.now = self.now + Duration::from_secs(secs);
        self.calls += 1;
        let call = CallId::from_i64(self.calls);
        let step = self.profile.begin(call, attempt, &self.policy, self.now);
        self.told += u32::from(step.tells);
        if let Some(ending) = ending {
            self.profile.end(call, &attempt.callee, ending, self.now);
        }
        step
    }

    /// The call that was one too many.
    fn blocked_at(&mut self, calls: impl IntoIterator<Item = (Attempt, u64, Option<Ending>)>) -> Option<usize> {
        calls.into_iter().position(|(attempt, secs, ending)| self.call(&attempt, secs, ending).blocks)
    }
}

#[test]
fn thieves_are_stopped_within_a_few_calls() {
    // Revenue share fraud by night: long parallel calls into one dear range abroad, over five lines.
    let mut tale = Tale::new(true).with_habits(&["3612345678"]);
    let call = |tale: &Tale, turn: u64| (tale.attempt(252_612_345_000 + turn * 3, 900), 2, None);
    let calls: Vec<_> = (0..20).map(|turn| call(&tale, turn)).collect();
    assert_eq!(tale.blocked_at(calls), Some(4), "{}", tale.profile.block.as_ref().unwrap().reason);
    assert_eq!(tale.told, 2, "once of the suspicion, once of the block");

    // The same by day, one call after the other, numbers at random: the dear ones alone are no proof, in a row they are.
    let mut tale = Tale::new(false).with_habits(&["3612345678"]);
    let calls: Vec<_> =
        (0..20).map(|turn| (tale.attempt(252_612_345_000 + turn * 7919, 900), 60, Some(Ending::Good))).collect();
    assert_eq!(tale.blocked_at(calls), None);
    assert_eq!(tale.told, 1, "somebody is told all the same");

    // Wangiri: one ring to mobile after mobile of a country never called, by day.
    let mut tale = Tale::new(false).with_habits(&["3612345678"]);
    let calls: Vec<_> = (0..40).map(|turn| (tale.attempt(447_911_123_000 + turn, 20), 5, Some(Ending::Poor))).collect();
    assert_eq!(tale.blocked_at(calls), Some(10), "{}", tale.profile.block.as_ref().unwrap().reason);

    // A dialler that shows another number for each call, within the countries always called.
    let mut tale = Tale::new(true).with_habits(&["447911123000"]);
    let calls: Vec<_> = (0..40)
        .map(|turn| (Attempt { foreign: turn + 1, ..tale.attempt(447_911_123_000 + turn, 20) }, 5, Some(Ending::Poor)))
        .collect();
    assert_eq!(tale.blocked_at(calls), Some(10), "{}", tale.profile.block.as_ref().unwrap().reason);
}

#[test]
fn a_block_lasts_until_it_is_released_and_what_was_done_is_usual_then() {
    let mut tale = Tale::new(true).with_habits(&["3612345678"]);
    let calls: Vec<_> = (0..10).map(|turn| (tale.attempt(252_612_345_000 + turn, 900), 2, None)).collect();
    assert!(tale.blocked_at(calls).is_some());
    let home = tale.attempt(3_612_345_678, 20);
    tale.now = tale.now + Duration::from_secs(30 * 86_400);
    assert!(matches!(tale.profile.standing(&home, &tale.policy, tale.now), Standing::Blocked(_)));
    assert_eq!(tale.call(&home, 1, None), Step::default(), "who is blocked is told of no more");
    let mut off = tale.policy;
    off.block_at = None;
    assert!(matches!(tale.profile.standing(&home, &off, tale.now), Standing::Clear(_)));
    tale.profile.release(tale.now);
    assert_eq!(tale.profile.score(Some(&home), &tale.policy, tale.now).points, 0);
    let somalia = tale.attempt(252_612_399_000, 900);
    assert_eq!(tale.call(&somalia, 1, None).score.points, 0, "an admin has looked");

    let mut tale = Tale::new(true);
    tale.policy.block_for = Some(Duration::from_secs(3600));
    let calls: Vec<_> = (0..10).map(|turn| (tale.attempt(252_612_345_000 + turn, 900), 2, None)).collect();
    assert!(tale.blocked_at(calls).is_some());
    tale.now = tale.now + Duration::from_secs(3600);
    assert!(tale.profile.is_stale(tale.now) && tale.profile.sweep(tale.now) && tale.profile.block.is_none());
}

#[test]
fn each_sign_stands_for_itself() {
    let night = |tale: &Tale, number, price| Attempt { night: true, ..tale.attempt(number, price) };
    type Story = fn(&Tale, u64) -> (Attempt, Option<Ending>);
    //   what is done sixteen times; points at the end: wangiri, sequential, caller ids, new country, dear, parallel
    let cases: &[(&str, Story, [u32; 6])] = &[
        ("nothing", |t, n| (t.attempt(3_612_300_000 + n * 50_000, 20), Some(Ending::Good)), [0; 6]),
        ("nobody answers", |t, n| (t.attempt(3_612_300_000 + n * 50_000, 20), Some(Ending::Poor)), [50, 0, 0, 0, 0, 0]),
        ("our fault", |t, n| (t.attempt(3_612_300_000 + n * 50_000, 20), Some(Ending::Void)), [0; 6]),
        ("one number again and again", |t, _| (t.attempt(3_612_300_000, 20), Some(Ending::Poor)), [0; 6]),
        ("a range", |t, n| (t.attempt(3_612_300_000 + n, 20), Some(Ending::Good)), [0, 30, 0, 0, 0, 0]),
        ("at once", |t, n| (t.attempt(3_612_300_000 + n * 20, 20), None), [0, 0, 0, 0, 0, 30]),
        (
            "ids",
            |t, n| (Attempt { foreign: n + 1, ..t.attempt(3_612_300_000 + n * 50_000, 20) }, None),
            [0, 0, 20, 0, 0, 0],
        ),
        ("abroad", |t, n| (t.attempt(3_312_300_000 + n * 50_000, 20), None), [0, 0, 0, 20, 0, 0]),
        ("dear at home", |t, n| (t.attempt(3_612_300_000 + n * 50_000, 400), None), [0, 0, 0, 0, 40, 0]),
    ];
    for (name, story, points) in cases {
        let mut tale = Tale::new(false).with_habits(&["3612345678"]);
        let mut last = Score::default();
        for turn in 0..16 {
            let (attempt, ending) = story(&tale, turn);
            last = tale.call(&attempt, 30, ending).score;
        }
        assert_eq!(last.parts.map(|part| part.points), *points, "{name}: {last}");
    }
    let mut tale = Tale::new(true).with_habits(&["3612345678"]);
    for turn in 0..4 {
        let attempt = night(&tale, 3_312_300_000 + turn * 50_000, 20);
        tale.call(&attempt, 30, None);
    }
    let wholesale = Attempt { wholesale: true, ..night(&tale, 25_261_230_000, 900) };
    assert_eq!(tale.profile.score(None, &tale.policy, tale.now).points, 40);
    assert_eq!(
        tale.profile.score(None, &tale.policy, tale.now).to_string(),
        "40 points: 4 numbers in new countries, 4 by night (40)"
    );
    let mut trunk = Tale::new(true);
    for turn in 0..60 {
        let attempt = Attempt {
            callee: (25_261_230_000 + turn * 50_000).to_string().parse().unwrap(),
            foreign: turn,
            ..wholesale.clone()
        };
        assert_eq!(trunk.call(&attempt, 1, Some(Ending::Good)).score.points, 0, "other people's calls");
    }
}

#[test]
fn memory_is_bounded_and_old_attempts_are_forgotten() {
    let mut tale = Tale::new(false);
    tale.policy.block_at = None;
    for turn in 0..10_000 {
        let attempt = tale.attempt(252_612_345_000 + turn, 900);
        tale.call(&attempt, 0, None);
        assert!(tale.profile.recent() <= RECENT);
    }
    tale.now = tale.now + Duration::from_secs(3600);
    assert_eq!(tale.profile.score(None, &tale.policy, tale.now).points, 0, "before it is swept as well");
    tale.profile.sweep(tale.now);
    assert_eq!(tale.profile.recent(), 0);
    assert!(tale.profile.is_empty());
}

/// One honest account's way to call, and how busy it is.
#[derive(Clone, Copy, Debug)]
enum Custom {
    /// A household: few numbers, some abroad, now and then a dear one.
    Home,
    /// An office: many numbers at home, a customer's numbers side by side.
    Office,
    /// A call centre: hundreds an hour at random, three of ten answered, one of eight answers short.
    Centre,
    /// A wholesaler: everybody's calls to everywhere.
    Wholesale,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// A day of honest calls, the account's first: nobody is blocked by the default, whatever the hour.
    #[test]
    fn honest_customers_are_never_blocked(
        custom in prop::sample::select(vec![Custom::Home, Custom::Office, Custom::Centre, Custom::Wholesale]),
        night: bool,
        draws in prop::collection::vec((any::<u64>(), 0u32..1000), 200..400),
    ) {
        let mut tale = Tale::new(night);
        let friends: Vec<u64> = draws.iter().take(8).map(|(number, _)| number % 90_000_000).collect();
        for (number, chance) in draws {
            let local = 3_610_000_000 + number % 90_000_000;
            let friend = friends[(number % 8) as usize];
            let answered = match custom { Custom::Home | Custom::Office => chance % 100 < 70, _ => chance % 100 < 30 };
            let short = chance % 8 == 0;
            let ending = if answered && !short { Ending::Good } else { Ending::Poor };
            let (attempt, pause, ending) = match custom {
                Custom::Home => {
                    let abroad = [3_310_000_000, 4_479_000_000, 53_500_000_000, 252_600_000_000][(friend % 4) as usize];
                    let (number, price) = match chance % 10 {
                        0 if friend % 4 >= 2 => (abroad + friends[0] % 3, 700),
                        0..=2 => (abroad + friend, 100),
                        _ => (3_610_000_000 + friend, 20),
                    };
                    let home = (3_600_000_000..3_700_000_000).contains(&number);
                    (Attempt { home, ..tale.attempt(number, price) }, 120, ending)
                }
                Custom::Office => {
                    let customer = 3_613_330_000 + number % 40;
                    let number = if chance % 4 == 0 { customer } else { local };
                    (Attempt { home: true, ..tale.attempt(number, 20) }, 40, ending)
                }
                Custom::Centre => (tale.attempt(local, 20), 5, ending),
                Custom::Wholesale => {
                    let land = [36, 33, 44, 252, 53, 1876][(number % 6) as usize];
                    let number = land * 1_000_000_000 + number % 900_000_000;
                    (Attempt { wholesale: true, foreign: u64::from(chance), ..tale.attempt(number, 700) }, 1, ending)
                }
            };
            let step = tale.call(&attempt, pause, Some(ending));
            prop_assert!(!step.blocks, "{custom:?} was blocked: {}", step.score);
        }
    }
}
