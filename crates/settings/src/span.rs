//! Lengths of time as people write them: `30s`, `1h30m`, `500ms`.

use std::time::Duration;

const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

/// Reads `1d12h`, `90s`, `500ms`; a plain number counts units of `plain_ms` milliseconds. `None` if it is anything else.
pub fn parse_with(text: &str, plain_ms: u64) -> Option<Duration> {
    let mut rest = text.trim();
    if let Ok(plain) = rest.parse::<u64>() {
        return plain.checked_mul(plain_ms).map(Duration::from_millis);
    }
    let mut total: u64 = 0;
    let mut largest_left = u64::MAX;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let count: u64 = rest[..digits].parse().ok()?;
        rest = rest[digits..].trim_start();
        let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        let unit = rest[..letters].to_ascii_lowercase();
        let (_, millis) = UNITS.iter().find(|(name, _)| *name == unit)?;
        if *millis >= largest_left {
            return None;
        }
        largest_left = *millis;
        total = total.checked_add(count.checked_mul(*millis)?)?;
        rest = rest[letters..].trim_start();
    }
    (largest_left != u64::MAX).then(|| Duration::from_millis(total))
}

/// Prints in the largest units that fit: `1d12h`, `1m30s`, `0s`. Below a millisecond nothing is kept.
pub fn print(span: Duration) -> String {
    let mut left = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    let mut text = String::new();
    for (name, millis) in UNITS {
        if left >= millis {
            text += &format!("{}{name}", left / millis);
            left %= millis;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn spans_are_read_and_printed() {
        for (text, millis, printed) in [
            ("30", 30_000, "30s"),
            ("90s", 90_000, "1m30s"),
            ("1h 30m", 5_400_000, "1h30m"),
            ("500ms", 500, "500ms"),
            ("36h", 129_600_000, "1d12h"),
            ("0", 0, "0s"),
            ("6H", 21_600_000, "6h"),
        ] {
            let span = parse_with(text, 1000).unwrap();
            assert_eq!((span, print(span).as_str()), (Duration::from_millis(millis), printed), "{text}");
        }
        for bad in
            ["", "s", "1x", "30s1h", "1h1h", "-1", "1.5h", "٣s", "99999999999999999999d", "9999999999999999d", "1 é"]
        {
            assert_eq!(parse_with(bad, 1000), None, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn printing_reads_back(millis in 0u64..=u64::MAX / 2) {
            let span = Duration::from_millis(millis);
            prop_assert_eq!(parse_with(&print(span), 1000), Some(span));
        }

        #[test]
        fn nothing_panics(text in ".{0,24}") {
            let _ = parse_with(&text, 1000);
        }
    }
}
