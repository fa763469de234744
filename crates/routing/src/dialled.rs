//! What was dialled: a URI's user part taken apart, with only characters left that can do no harm.

/// A user part, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dialled {
    /// The name or number as written, escapes decoded, parameters cut off.
    pub text: String,
    /// If it can be a number: its digits, `*` and `#`, visual separators removed.
    pub digits: Option<String>,
    /// Are the digits a full international number: written with a plus sign, or completed by a phone-context?
    pub global: bool,
}

/// More is nobody's name and no number.
const LONGEST: usize = 256;

impl Dialled {
    /// Reads the user part of a SIP URI or the number of a tel URI (RFC 3261 §25.1, RFC 3966 §3). `None` if it holds what
    /// neither a name nor a number may: control characters, spaces in a name, broken escapes, nothing at all.
    pub fn read(user_part: &str) -> Option<Dialled> {
        if user_part.len() > LONGEST {
            return None;
        }
        let (main, parameters) = user_part.split_once(';').unwrap_or((user_part, ""));
        let text = unescape(main)?;
        if text.is_empty() || text.chars().any(|c| c.is_control() || "<>\"\\;?@&,".contains(c)) {
            return None;
        }
        let number = number_of(&text);
        if number.is_none() && text.contains(char::is_whitespace) {
            return None;
        }
        let Some((mut digits, mut global)) = number else {
            return Some(Dialled { text, digits: None, global: false });
        };
        let context = parameters.split(';').filter_map(|each| each.split_once('=')).find_map(|(name, value)| {
            name.eq_ignore_ascii_case("phone-context").then(|| unescape(value).and_then(|value| number_of(&value)))
        });
        // RFC 3966 §5.1.5: a context that is a domain says whose local number it is, which for us is the caller's anyway.
        if let (false, Some(Some((context, true)))) = (global, context) {
            digits.insert_str(0, &context);
            global = true;
        }
        Some(Dialled { text, digits: Some(digits), global })
    }
}

/// Digits, `*` and `#` without visual separators (RFC 3966 §5.1.1), and whether a plus sign led them.
fn number_of(text: &str) -> Option<(String, bool)> {
    let trimmed = text.trim();
    let (rest, global) = match trimmed.strip_prefix('+') {
        Some(rest) => (rest, true),
        None => (trimmed, false),
    };
    if !rest.chars().all(|c| c.is_ascii_digit() || "*#-.() /".contains(c)) {
        return None;
    }
    let digits: String = rest.chars().filter(|c| c.is_ascii_digit() || "*#".contains(*c)).collect();
    (!digits.is_empty()).then_some((digits, global))
}

fn unescape(text: &str) -> Option<String> {
    if !text.contains('%') {
        return Some(text.to_owned());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        if *first == b'%' {
            let [high, low, after @ ..] = tail else { return None };
            bytes.push((hex(*high)? << 4) | hex(*low)?);
            rest = after;
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    String::from_utf8(bytes).ok()
}

fn hex(digit: u8) -> Option<u8> {
    (digit as char).to_digit(16).map(|value| value as u8)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn user_parts_are_read() {
        //   user part, text, digits, global
        for (user_part, text, digits, global) in [
            ("alice", "alice", "", false),
            ("alice.smith-2", "alice.smith-2", "", false),
            ("1001", "1001", "1001", false),
            ("+36301234567", "+36301234567", "36301234567", true),
            ("%2B36301234567", "+36301234567", "36301234567", true),
            ("+36-30-123.45(67)", "+36-30-123.45(67)", "36301234567", true),
            ("06%2030%20123%204567", "06 30 123 4567", "06301234567", false),
            ("301234567;phone-context=+36", "301234567", "36301234567", true),
            ("301234567;phone-context=%2B36;npdi", "301234567", "36301234567", true),
            ("1001;phone-context=voip.test", "1001", "1001", false),
            ("+361;phone-context=+44", "+361", "361", true),
            ("*98%23", "*98#", "*98#", false),
            ("%C3%A9va", "éva", "", false),
            ("--", "--", "", false),
        ] {
            let read = Dialled::read(user_part).unwrap();
            let expected =
                Dialled { text: text.to_owned(), digits: (!digits.is_empty()).then(|| digits.to_owned()), global };
            assert_eq!(read, expected, "{user_part}");
        }
    }

    #[test]
    fn what_could_do_harm_is_nothing() {
        for bad in
            ["", ";x=1", "a b", "%", "%4", "%zz", "%0d%0aVia", "a%00", "a%40b", "%3Csip%3A", "%22", "%FF", "1%0A2"]
        {
            assert_eq!(Dialled::read(bad), None, "{bad}");
        }
        assert_eq!(Dialled::read(&"1".repeat(257)), None);
    }

    proptest! {
        #[test]
        fn nothing_panics_and_digits_are_digits(text in ".{0,60}") {
            if let Some(digits) = Dialled::read(&text).and_then(|read| read.digits) {
                prop_assert!(digits.chars().all(|c| c.is_ascii_digit() || c == '*' || c == '#'));
            }
        }
    }
}
