//! Values parted by commas, where commas in quotes and in angle brackets part nothing.

/// Iterates over the values of one header line, trimmed; empty ones are skipped (RFC 3261 §7.3.1, `#rule` of RFC 2616).
pub fn split_list(line: &str) -> impl Iterator<Item = &str> {
    split_outside(line, b',').map(str::trim).filter(|value| !value.is_empty())
}

/// Splits at `mark` wherever it stands outside quotes and angle brackets. An open quote runs to the end.
pub(crate) fn split_outside(text: &str, mark: u8) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let whole = rest?;
        match find_outside(whole, mark) {
            Some(at) => {
                rest = Some(&whole[at + 1..]);
                Some(&whole[..at])
            }
            None => {
                rest = None;
                Some(whole)
            }
        }
    })
}

/// Where `mark` first stands outside quotes and angle brackets. `mark` is ASCII and neither quote nor bracket.
pub(crate) fn find_outside(text: &str, mark: u8) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => at = quote_end(bytes, at)?,
            b'<' => at += memchr::memchr(b'>', &bytes[at..])?,
            byte if byte == mark => return Some(at),
            _ => {}
        }
        at += 1;
    }
    None
}

/// Where the quote opened at `open` closes; `None` when it never does.
pub(crate) fn quote_end(bytes: &[u8], open: usize) -> Option<usize> {
    let mut at = open + 1;
    loop {
        at += memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes[at] == b'"' {
            return Some(at);
        }
        at += 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_part_values_only_outside_quotes_and_brackets() {
        //     line                                          values
        for (line, values) in [
            ("a, b ,c", &["a", "b", "c"][..]),
            ("\"A, B\" <sip:a@b>, <sip:x,y@z>;p", &["\"A, B\" <sip:a@b>", "<sip:x,y@z>;p"]),
            (r#""A \", <B>" <sip:a@b>,c"#, &[r#""A \", <B>" <sip:a@b>"#, "c"]),
            (", ,", &[]),
            ("\"never, closed", &["\"never, closed"]),
            ("<sip:never, closed", &["<sip:never, closed"]),
            ("\"ends in \\", &["\"ends in \\"]),
            ("", &[]),
        ] {
            assert_eq!(split_list(line).collect::<Vec<_>>(), values, "{line}");
        }
    }
}
