//! Bytes that mean something in SIP's grammar, and what may be written.

/// Part of a `token` (RFC 3261 §25.1).
const TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    let marks = b"-.!%*_+`'~";
    let mut at = 0;
    while at < marks.len() {
        table[marks[at] as usize] = true;
        at += 1;
    }
    table
};

/// A non-empty run of token bytes?
pub(crate) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|&byte| TOKEN[usize::from(byte)])
}

/// Where the token that `bytes` begin with ends.
pub(crate) fn token_end(bytes: &[u8]) -> usize {
    bytes.iter().position(|&byte| !TOKEN[usize::from(byte)]).unwrap_or(bytes.len())
}

/// White space inside a header, a fold's line break included.
pub(crate) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// A byte that no line of ours holds and no line of theirs should: controls but the tab, and DEL.
fn is_control(byte: u8) -> bool {
    (byte < 0x20 && byte != b'\t') || byte == 0x7f
}

/// Any control in it? No early exit, so that it runs as vector code.
pub(crate) fn has_control(bytes: &[u8]) -> bool {
    bytes.iter().fold(false, |any, &byte| any | is_control(byte))
}

/// How many there are; in steps that a byte can count, so that it runs as vector code.
pub(crate) fn count_controls(bytes: &[u8]) -> usize {
    let count = |chunk: &[u8]| usize::from(chunk.iter().map(|&byte| u8::from(is_control(byte))).sum::<u8>());
    bytes.chunks(128).map(count).sum()
}

/// A control that is not the second half of a quoted pair (`\` and any byte but CR and LF, RFC 3261 §25.1)?
pub(crate) fn has_bare_control(line: &[u8]) -> bool {
    if !has_control(line) {
        return false;
    }
    let mut escaped = false;
    for &byte in line {
        if is_control(byte) && (!escaped || byte == b'\r' || byte == b'\n') {
            return true;
        }
        escaped = byte == b'\\' && !escaped;
    }
    false
}

/// Appends `text` with controls left out, so that it stays within its line.
pub(crate) fn push_line_text(out: &mut Vec<u8>, text: &[u8]) {
    if has_control(text) {
        out.extend(text.iter().copied().filter(|&byte| !is_control(byte)));
    } else {
        out.extend_from_slice(text);
    }
}

/// Appends `text` without controls and white space: a URI on a request line, a tag, a branch.
pub(crate) fn push_word(out: &mut Vec<u8>, text: &[u8]) {
    out.extend(text.iter().copied().filter(|&byte| !is_control(byte) && !is_space(byte)));
}

/// `bytes` without white space at either end, and how much was cut in front.
pub(crate) fn trim(bytes: &[u8]) -> (usize, &[u8]) {
    let front = bytes.iter().take_while(|&&byte| is_space(byte)).count();
    let rest = &bytes[front..];
    let back = rest.iter().rev().take_while(|&&byte| is_space(byte)).count();
    (front, &rest[..rest.len() - back])
}

/// A number in plain digits, however many zeros lead; `None` when it is none or past `u64`.
pub(crate) fn number(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controls_live_only_behind_a_backslash() {
        //     line                  bare control
        for (line, bare) in [
            (&b"plain\ttext"[..], false),
            (b"\"BEL:\\\x07 NUL:\\\x00\"", false),
            (b"\"two\\\\\x07\"", true),
            (b"a\rb", true),
            (b"a\\\rb", true),
            (b"\x7f", true),
        ] {
            assert_eq!(has_bare_control(line), bare, "{line:?}");
        }
    }
}
