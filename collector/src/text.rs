//! Text of strangers, made safe to look at.

use std::borrow::Cow;

/// Whether a character cannot be seen or changes how others are shown. The joiners stay: scripts and
/// emoji need them.
pub(crate) fn is_hidden(letter: char) -> bool {
    matches!(letter,
        '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'
        | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

fn push_symbol(letter: char, out: &mut String) {
    let picture = match letter {
        '\u{0}'..='\u{1f}' => char::from_u32(0x2400 + u32::from(letter)),
        '\u{7f}' => Some('\u{2421}'),
        _ => None,
    };
    match picture {
        Some(picture) => out.push(picture),
        None => {
            out.push_str("⟨U+");
            out.push_str(&format!("{:04X}", u32::from(letter)));
            out.push('⟩');
        }
    }
}

/// The text with symbols in place of control and bidirectional characters, but for line ends and tabs.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    let is_kept = |letter| matches!(letter, '\n' | '\t');
    if !text.contains(|letter| is_hidden(letter) && !is_kept(letter)) {
        return text.into();
    }
    let mut out = String::with_capacity(text.len() + 8);
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\r' if letters.peek() == Some(&'\n') => {}
            letter if is_hidden(letter) && !is_kept(letter) => push_symbol(letter, &mut out),
            letter => out.push(letter),
        }
    }
    out.into()
}

/// The first `most` characters of a text on one line, with the same symbols. It has at most about four bytes
/// for each character.
pub(crate) fn label(text: &str, most: usize) -> String {
    let mut out = String::new();
    let mut is_blank = true;
    for (count, letter) in text.trim().chars().enumerate() {
        // A symbol takes six times the bytes of its character.
        if count >= most || out.len() >= most * 4 {
            out.push('…');
            break;
        }
        if matches!(letter, '\n' | '\r' | '\t' | ' ') {
            if !is_blank {
                out.push(' ');
            }
            is_blank = true;
            continue;
        }
        is_blank = false;
        if is_hidden(letter) { push_symbol(letter, &mut out) } else { out.push(letter) }
    }
    out
}

/// The form in which text is searched: lower case, letter by letter, so that a part of a word has the
/// form that it has in the word.
pub(crate) fn folded(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    text.chars().flat_map(char::to_lowercase).collect()
}

/// The beginning of a text: whole characters, and not more bytes than `most`.
pub(crate) fn head(text: &str, most: usize) -> &str {
    let end = (0..=most.min(text.len())).rev().find(|index| text.is_char_boundary(*index));
    text.get(..end.unwrap_or(0)).unwrap_or_default()
}

/// Bytes as a person reads them.
pub(crate) fn size(bytes: u64) -> String {
    match bytes {
        0..=1023 => format!("{bytes} B"),
        1024..=1_048_575 => format!("{} KiB", bytes / 1024),
        _ => format!("{}.{} MiB", bytes >> 20, ((bytes & 0xf_ffff) * 10) >> 20),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_and_bidirectional_characters_are_shown_as_symbols() {
        assert_eq!(visible("a\u{1b}[31mb\u{202e}c\u{7f}\r\nd\te"), "a␛[31mb⟨U+202E⟩c␡\nd\te");
        assert_eq!(label("  a\n\n b\u{0}\u{2066}", 99), "a b␀⟨U+2066⟩");
        assert_eq!(label("abcdef", 3), "abc…");
        assert_eq!(label(&"\u{ad}".repeat(9), 3), "⟨U+00AD⟩…", "symbols do not make a label long");
        assert!(matches!(visible("Привет 今天我 👩\u{200d}🚀"), Cow::Borrowed(_)));
    }

    #[test]
    fn folding_ignores_case_in_any_script() {
        assert_eq!(folded("ПрИвет ΣΑΣ ABC"), "привет σασ abc");
        assert_eq!(head("aé", 2), "a");
        assert_eq!(
            (size(10), size(2048), size(1_572_864)),
            ("10 B".into(), "2 KiB".into(), "1.5 MiB".into())
        );
    }
}
