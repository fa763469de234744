//! What an operator would type to get the demo's platform: the same requests, in the same words.

use std::net::SocketAddr;

use clap::Parser;
use tollgate_actors::ops::outcome::Refused;
use tollgate_actors::ops::{Request, deck};

use super::people::PEOPLE;
use super::prices::Deck;
use crate::cli::{Arguments, Command};

/// All requests in their order: decks, trunks, routes, users, numbers.
pub fn requests(first: SocketAddr, second: SocketAddr) -> Result<Vec<Request>, Refused> {
    let mut all = Vec::new();
    for deck in [Deck::Sell, Deck::Buy, Deck::BuySecond] {
        let mut request = typed(["deck", "import", deck.name(), "demo.csv", "--kind", deck.kind()])?;
        if let Request::Deck(deck::Deck::Import(import)) = &mut request {
            import.csv.file = format!("{}.csv", deck.name());
            import.csv.text = deck.csv();
        }
        all.push(request);
    }
    for (name, at, deck, priority) in
        [("carrier", first, Deck::Buy, "1"), ("carrier-second", second, Deck::BuySecond, "2")]
    {
        let at = at.to_string();
        let caller = PEOPLE[0].number;
        all.push(typed([
            "trunk",
            "add",
            name,
            "--egress",
            "--address",
            &at,
            "--deck",
            deck.name(),
            "--caller-id",
            caller,
        ])?);
        all.push(typed(["route", "add", "--prefix", "", "--trunk", name, "--priority", priority])?);
    }
    all.push(typed(["route", "add", "--prefix", "112", "--trunk", "carrier", "--emergency"])?);
    // By address and port: at the loopback, phones share the carrier's address.
    let at = first.to_string();
    all.push(typed(["trunk", "add", "carrier-in", "--ingress", "--address", &at, "--auth", "ip-port"])?);
    for person in &PEOPLE {
        let password = person.password();
        let mut words =
            vec!["user", "add", person.name, "--password", &password, "--deck", "sell", "--caller-id", person.number];
        words.extend(person.terms);
        all.push(typed(words)?);
        all.push(typed(["did", "add", person.number, "--user", person.name])?);
    }
    // Nobody else may: such numbers are closed unless somebody opens them.
    all.push(typed(["destination", "allow", "satellite", "--account", "dave"])?);
    Ok(all)
}

/// A request, as the command line reads it.
fn typed<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Request, Refused> {
    let words: Vec<&str> = words.into_iter().collect();
    let asked = Arguments::try_parse_from(std::iter::once("tollgate").chain(words.iter().copied()));
    match asked.map(|arguments| arguments.command) {
        Ok(Command::Ask(request)) => Ok(request),
        Ok(_) => Err(Refused(format!("{words:?} is not asked of a server"))),
        Err(error) => Err(Refused::because(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_takes_all_of_it() {
        let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let requests = requests(at(4000), at(4002)).unwrap();
        let texts: Vec<usize> = requests
            .iter()
            .filter_map(|request| match request {
                Request::Deck(deck::Deck::Import(import)) => Some(import.csv.text.lines().count()),
                _ => None,
            })
            .collect();
        assert!(texts.len() == 3 && texts.iter().all(|lines| *lines > 300), "{texts:?}");
        assert_eq!(requests.iter().filter(|request| matches!(request, Request::User(_))).count(), PEOPLE.len());
    }
}
