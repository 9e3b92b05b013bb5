//! Finds what should not have been sent: keys and card numbers.

/// The kind of the first secret in a text. Linear in its length.
pub(super) fn find(text: &str) -> Option<&'static str> {
    const PREFIXES: &[(&str, &str, usize)] = &[
        ("sk-", "an API key", 20),
        ("AKIA", "a key of AWS", 16),
        ("ghp_", "a token of GitHub", 30),
        ("github_pat_", "a token of GitHub", 30),
        ("xoxb-", "a token of Slack", 20),
        ("xoxp-", "a token of Slack", 20),
        ("AIza", "a key of Google", 30),
        ("glpat-", "a token of GitLab", 20),
    ];
    for (prefix, name, length) in PREFIXES {
        for (at, _) in text.match_indices(prefix) {
            let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
            let is_start = text.as_bytes().get(..at).and_then(<[u8]>::last).is_none_or(|byte| !is_word(byte));
            let rest = text.as_bytes().get(at + prefix.len()..).unwrap_or_default();
            let word: Vec<_> = rest.iter().take(*length).take_while(|byte| is_word(byte)).collect();
            let has_digit = word.iter().any(|byte| byte.is_ascii_digit());
            if is_start && word.len() == *length && has_digit {
                return Some(name);
            }
        }
    }
    if text.contains("PRIVATE KEY-----") {
        return Some("a private key");
    }
    has_card(text).then_some("a card number")
}

/// Whether there is a number of 13 to 19 digits, in groups or not, whose check digit is right.
fn has_card(text: &str) -> bool {
    let mut digits: Vec<u8> = Vec::new();
    let mut is_gap = false;
    for byte in text.bytes().chain([b'.']) {
        match byte {
            b'0'..=b'9' => {
                digits.push(byte - b'0');
                is_gap = false;
            }
            b' ' | b'-' if !digits.is_empty() && !is_gap => is_gap = true,
            _ => {
                if is_card(&digits) {
                    return true;
                }
                digits.clear();
                is_gap = false;
            }
        }
        // A longer number is none; it need not be kept.
        digits.truncate(20);
    }
    false
}

fn is_card(digits: &[u8]) -> bool {
    let is_issuer = digits.first().is_some_and(|digit| (3..=6).contains(digit));
    if !(13..=19).contains(&digits.len()) || !is_issuer {
        return false;
    }
    let double = |digit: u8| if digit > 4 { digit * 2 - 9 } else { digit * 2 };
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| u32::from(if place % 2 == 1 { double(*digit) } else { *digit }))
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_card_numbers_are_found_and_other_numbers_are_not() {
        for (text, expected) in [
            ("use sk-proj-abcdefghij0123456789xyz", Some("an API key")),
            ("AKIAIOSFODNN7EXAMPLE", Some("a key of AWS")),
            ("pay with 4111 1111 1111 1111 please", Some("a card number")),
            ("5555-5555-5555-4444", Some("a card number")),
            ("-----BEGIN RSA PRIVATE KEY-----", Some("a private key")),
            ("task-1234567890123456789012", None),
            ("at 1732999999123 and 4111111111111112", None),
            ("sk-learn is a library that many people use", None),
            (&"4111111111111111".repeat(9), None),
            ("", None),
        ] {
            assert_eq!(find(text), expected, "{text}");
        }
    }
}
