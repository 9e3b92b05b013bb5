//! Percent-encoding in paths (RFC 3986, section 2.1).

use std::borrow::Cow;

/// The text with its escapes decoded once. A malformed escape stays as it is, and so does the whole
/// text if the result would not be UTF-8.
pub(crate) fn decoded(text: &str) -> Cow<'_, str> {
    let mut pieces = text.split('%');
    let mut bytes = pieces.next().unwrap_or_default().as_bytes().to_vec();
    if bytes.len() == text.len() {
        return text.into();
    }
    for piece in pieces {
        let digits = piece.get(..2).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                bytes.extend(piece.bytes().skip(2));
            }
            None => bytes.extend([b"%", piece.as_bytes()].concat()),
        }
    }
    String::from_utf8(bytes).map_or(text.into(), Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::decoded;

    #[test]
    fn escapes_are_decoded_once_and_anything_else_stays() {
        for (text, expected) in [
            ("claude@1", "claude@1"),
            ("claude%401", "claude@1"),
            ("a%3Ab%2fc%25%34%30", "a:b/c%40"),
            ("%C3%A9", "é"),
            ("%", "%"),
            ("%4", "%4"),
            ("%+1%zz%é%41", "%+1%zz%éA"),
            ("%FF%41", "%FF%41"),
            ("", ""),
        ] {
            assert_eq!(decoded(text), expected, "{text}");
        }
    }
}
