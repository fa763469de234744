//! A month of a platform in seconds: what its rules promise when honest customers and thieves call side by side.
//!
//! Admission, ledger, fraud score and autoban are the product's own; only time and people are made up. It stands here and not
//! beside the stories of the whole platform, because it needs the thinking rooms alone: without store, actors and web it
//! builds in a fraction of the time.

mod audit;
mod dice;
mod exchange;
mod people;
mod thieves;
mod town;

use audit::Report;
use dice::Dice;
use exchange::Exchange;
use thieves::Theft;
use tollgate_types::Rule;
use town::Town;

/// Another month each run: a failure prints its seed, and `SIM_SEED` repeats it.
#[allow(clippy::disallowed_methods, reason = "the test is told which month to repeat, the rooms are not")]
fn seed() -> u64 {
    match std::env::var("SIM_SEED") {
        Ok(text) => text.parse().expect("SIM_SEED is a number"),
        Err(_) => std::process::id().into(),
    }
}

/// Lives through the month of a town of `size` accounts, all rules on but one.
fn month(seed: u64, size: usize, without: Option<Rule>) -> Report {
    let town = Town::new(size, without);
    let mut dice = Dice::new(seed);
    let mut wishes = people::month(&town, &mut dice);
    wishes.extend(Theft::ALL.into_iter().flat_map(|theft| thieves::wishes(theft, &town, &mut dice)));
    let books = Exchange::open(&town, wishes).live();
    audit::report(&Town::new(size, None), &books)
}

#[test]
#[allow(clippy::print_stdout, reason = "the report is for whoever asks for it with --nocapture")]
fn three_thefts_among_five_hundred_accounts_stay_inside_their_exposure_and_nobody_else_is_refused() {
    let seed = seed();
    let report = month(seed, 500, None);
    println!("{report}seed {seed}");
    assert_eq!(report.failures(), Vec::<String>::new(), "seed {seed}\n{report}");
    assert!(report.honest_calls > 25_000, "too few calls to prove much: {}", report.honest_calls);
}

#[test]
#[allow(clippy::print_stdout, reason = "the report is for whoever asks for it with --nocapture")]
fn without_any_one_of_its_rules_the_month_fails() {
    let seed = seed();
    let whole = month(seed, 40, None);
    assert_eq!(whole.failures(), Vec::<String>::new(), "seed {seed}\n{whole}");
    for rule in [
        Rule::DestinationBlocked,
        Rule::Fraud,
        Rule::CallerBanned,
        Rule::Lines,
        Rule::BurnRate,
        Rule::IpCost,
        Rule::DynamicLimit,
        Rule::DailyLimit,
        Rule::MonthlyLimit,
        Rule::Credit,
    ] {
        let report = month(seed, 40, Some(rule));
        let broken = report.broken();
        println!("without {}: {}", rule.id(), report.failures().join("; "));
        assert!(broken.contains(&rule), "seed {seed}: nobody misses {}\n{report}", rule.id());
    }
}
