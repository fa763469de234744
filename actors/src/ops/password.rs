//! Would this do as a SIP secret? Asked before one is stored; the answer is one line for whoever chose it.
//!
//! One captured digest can be guessed at offline, at the pace of MD5, so what counts is how many guesses a secret withstands,
//! not which characters it mixes.

use tollgate_settings::Values;
use tollgate_settings::rows::digest::{PASSWORD_CHECK, PASSWORD_MIN};
use tollgate_store::users::UserTerms;
use zxcvbn::zxcvbn;

/// Guesses that a secret must withstand, tried in the order guessers try: zxcvbn's "safely unguessable".
const GUESSES_LEAST: u64 = 100_000_000;
/// Longer is not judged, and no header carries it (RFC 3261 sets no limit).
const MOST: usize = 128;

/// What is known of the user to anyone who would guess.
pub fn known_of(user: &UserTerms, domain: &str) -> Vec<String> {
    let numbers = user.caller_id.iter().chain(&user.verified).map(|number| number.to_string().replace('+', ""));
    let mut known: Vec<String> = numbers.collect();
    known.extend([user.name.clone(), domain.to_owned()]);
    known.extend(user.extension.clone());
    known
}

/// What is wrong with `password`, for a user of whom `known` is known; the settings say how much is asked.
pub fn fault(values: &Values, password: &str, known: &[String]) -> Option<String> {
    if password.chars().any(char::is_control) || password.is_empty() {
        return Some("it may not be empty nor have control characters".to_owned());
    }
    let length = password.chars().count();
    if length > MOST {
        return Some(format!("at most {MOST} characters are expected"));
    }
    let level = values.word(&PASSWORD_CHECK);
    let least = usize::try_from(values.integer(&PASSWORD_MIN)).unwrap_or(usize::MAX);
    if level == "none" {
        return None;
    }
    if length < least {
        return Some(format!("at least {least} characters are expected ({})", PASSWORD_MIN.name));
    }
    if level == "length" {
        return None;
    }
    if known.iter().any(|known| is_said_by(password, known)) {
        return Some(format!("the user's own name or number is no password ({})", PASSWORD_CHECK.name));
    }
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    let guesses = zxcvbn(password, &known).guesses();
    (guesses < GUESSES_LEAST).then(|| {
        format!(
            "some {guesses} guesses find it, one that withstands {GUESSES_LEAST} is expected ({})",
            PASSWORD_CHECK.name
        )
    })
}

/// Is it `known` over and over, in any case, forwards or backwards?
fn is_said_by(password: &str, known: &str) -> bool {
    let (password, known) = (password.to_lowercase(), known.trim_start_matches('+').to_lowercase());
    let backwards: String = known.chars().rev().collect();
    !known.is_empty()
        && [known, backwards].iter().any(|word| password.trim_start_matches('+').replace(word.as_str(), "").is_empty())
}

#[cfg(test)]
mod tests {
    use tollgate_settings::Value;

    use super::*;

    #[test]
    fn each_level_asks_more_than_the_one_before() {
        let known: Vec<String> = ["alice-anderson", "12025550100123", "voip.test", "100"].map(String::from).into();
        let strong = "some ";
        // password, what is wrong with it at none, at length (12), at strong
        for (password, none, length, strong) in [
            ("", "empty", "empty", "empty"),
            ("a\u{7}bcdefghijklm", "control", "control", "control"),
            ("short-one-1", "", "at least 12", "at least 12"),
            ("kx7mw2qz9vb", "", "at least 12", "at least 12"),
            ("alice-anderson", "", "", "own name or number"),
            ("ALICE-Andersonalice-anderson", "", "", "own name or number"),
            ("nosredna-ecila", "", "", "own name or number"),
            ("12025550100123", "", "", "own name or number"),
            ("+12025550100123", "", "", "own name or number"),
            ("100100100100", "", "", "own name or number"),
            ("alice-anderson1", "", "", strong),
            ("passwordpassword", "", "", strong),
            ("password123456", "", "", strong),
            ("iloveyou1234", "", "", strong),
            ("qwertyuiop123", "", "", strong),
            ("aaaaaaaaaaaa", "", "", strong),
            ("abcdefghijklm", "", "", strong),
            ("kx7mw2qz9vbt", "", "", ""),
            ("mending four copper kettles", "", "", ""),
            ("пароль-и-чайник-37", "", "", ""),
        ] {
            for (level, wrong) in [("none", none), ("length", length), ("strong", strong)] {
                let values = Values::default().with(&PASSWORD_CHECK, Value::Word(level));
                match fault(&values, password, &known) {
                    Some(said) => {
                        assert!(!wrong.is_empty() && said.contains(wrong), "{password} at {level}: {said}");
                        assert!(!said.contains(password) || password.is_empty(), "{said}");
                    }
                    None => assert_eq!(wrong, "", "{password} at {level}"),
                }
            }
        }
    }

    #[test]
    fn a_long_text_is_refused_before_it_is_judged() {
        assert!(fault(&Values::default(), &"x7".repeat(100_000), &[]).unwrap().contains("at most 128"));
    }
}
