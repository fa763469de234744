//! What the demo says before `ready`: where it is, what to ask it, and what to dial.

use std::net::SocketAddr;
use std::path::Path;

use super::manner::{FAILS_OVER, SHOWS};
use super::people::{PEOPLE, VISITOR};

/// What there is to greet with.
pub struct Greeting<'a> {
    /// How this program was called.
    pub program: &'a str,
    /// What goes when the demo ends.
    pub folder: &'a Path,
    /// For `--config`.
    pub config: &'a Path,
    /// Where phones reach the platform.
    pub server: SocketAddr,
    /// Its domain.
    pub domain: &'a str,
    /// Its web listener.
    pub web: SocketAddr,
}

impl Greeting<'_> {
    /// Its lines.
    pub fn lines(&self) -> Vec<String> {
        let Greeting { program, folder, config, server, domain, web } = self;
        let ask = format!("{program} --config {}", config.display());
        let people: Vec<String> = PEOPLE.iter().map(|person| format!("{} {}", person.name, person.number)).collect();
        let shows: Vec<String> = SHOWS.iter().map(|(prefix, _, what)| format!("{prefix}0001 {what}")).collect();
        let (visitor, password) = (VISITOR.name, VISITOR.password());
        vec![
            format!("A platform lives in {} and goes with this program.", folder.display()),
            format!("Ask it from another shell:  {ask} call list"),
            "    also: cdr list | registration list | user list | trunk list | config list | ledger verify".to_owned(),
            format!(
                "    also: user show alice | ledger list --user dave | explain --from {visitor} --to {}0001",
                SHOWS[0].0
            ),
            format!("A softphone:  server {server} (UDP or TCP), domain {domain}, user {visitor}, password {password}"),
            format!("    people: {} (passwords NAME-demo-2468)", people.join(", ")),
            "    dial a name or a number; alice, bob and dave have phones here that pick up after a moment".to_owned(),
            format!("    {}", shows.join(", ")),
            format!(
                "    {FAILS_OVER}0001 fails at the first carrier and is answered by the second; 9790000001 is blocked"
            ),
            "    any other number, such as 442079460000, answers with a tone and hangs up within a minute".to_owned(),
            "Dave likes satellite phones and has little money: watch his calls end and his next ones be refused."
                .to_owned(),
            format!("Health and metrics of the platform: http://{web}/healthz and /readyz. Ctrl-C ends it."),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_dozen_lines_that_name_what_one_needs() {
        let greeting = Greeting {
            program: "tollgate",
            folder: Path::new("/tmp/demo"),
            config: Path::new("/tmp/demo/tollgate.toml"),
            server: "127.0.0.1:5060".parse().unwrap(),
            domain: "localhost",
            web: "127.0.0.1:8080".parse().unwrap(),
        };
        let text = greeting.lines().join("\n");
        assert_eq!(text.lines().count(), 12);
        for word in
            ["--config /tmp/demo/tollgate.toml", "carol-demo-2468", "127.0.0.1:5060", "15554860001", "15552000001"]
        {
            assert!(text.contains(word), "{word} is missing:\n{text}");
        }
        assert!(text.lines().all(|line| line.trim() != "ready"));
    }
}
