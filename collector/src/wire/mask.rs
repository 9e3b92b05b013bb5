//! Keys never get further than here: they are compared, and then replaced by their last characters.

use crate::json::Json;

const NAMES: [&str; 2] = ["appKey", "apiKey"];

/// The number of bytes that are masked, and kept, of a body that is not a report.
const BEGINNING: usize = 64 << 10;

/// The maximum number of different keys that are looked for in the rest of a report.
const MOST_KEYS: usize = 8;

/// A key as it is stored and shown: its last four characters if it has twelve or more.
pub(crate) fn masked(key: &str) -> String {
    let letters = key.chars().count();
    let shown = key.chars().skip(letters.saturating_sub(4)).filter(|_| letters >= 12);
    // An export that is imported again has masked keys already.
    if key.starts_with('…') && letters <= 5 {
        key.to_owned()
    } else {
        format!("…{}", shown.collect::<String>())
    }
}

/// A report with its keys masked, wherever they are. Nothing else changes.
pub(crate) fn mask(report: Json<'_>, others: &[&str]) -> String {
    let text = report.text();
    let mut keys: Vec<String> = others.iter().map(|key| (*key).to_owned()).collect();
    let mut out = String::with_capacity(text.len());
    let mut end = 0;
    for value in key_values(report) {
        let Some(start) = (value.text().as_ptr() as usize).checked_sub(text.as_ptr() as usize) else {
            continue;
        };
        let key = value.string().unwrap_or_default();
        out.push_str(text.get(end..start).unwrap_or_default());
        out.push_str(&quoted(&masked(&key)));
        end = start + value.text().len();
        // All are masked where they stand; a sender that has more than one of each gains nothing.
        if keys.len() < MOST_KEYS && !keys.iter().any(|known| **known == *key) {
            keys.push(key.into_owned());
        }
    }
    out.push_str(text.get(end..).unwrap_or_default());
    replace_all(out, &keys)
}

/// The values of all keys, in order; an object may have a field twice.
fn key_values<'a>(report: Json<'a>) -> Vec<Json<'a>> {
    let mut keys = Vec::new();
    for (_, head) in report.object().iter().filter(|(name, _)| *name == "reconify") {
        keys.extend(head.object().iter().filter(|(name, _)| NAMES.contains(name)).map(|(_, key)| key));
    }
    keys
}

/// The beginning of what is not a report, with all that looks like a key masked.
pub(crate) fn mask_beginning(body: &[u8], others: &[&str]) -> String {
    let start = body.get(..BEGINNING).unwrap_or(body);
    let others: Vec<_> = others.iter().map(|key| (*key).to_owned()).collect();
    let mut text = replace_all(mask_fields(&String::from_utf8_lossy(start)), &others);
    if start.len() < body.len() {
        // The end may have cut a key in two, which is then not recognised.
        let longest = others.iter().map(String::len).max().unwrap_or(0);
        text.truncate(crate::text::head(&text, text.len().saturating_sub(longest)).len());
    }
    text
}

/// Masks the string behind each `"appKey":`, in text that need not be JSON, and with other spellings of the name.
pub(crate) fn mask_fields(text: &str) -> String {
    const GAP: [char; 7] = ['"', '\'', '\\', ' ', '\t', '\r', '\n'];
    // As long as the text, byte for byte.
    let lower = text.to_ascii_lowercase();
    let mut out = String::with_capacity(text.len());
    let mut end = 0;
    for (at, name) in lower.match_indices("key") {
        let before = lower.get(..at).unwrap_or_default().trim_end_matches(['_', '-']);
        if at < end || !["app", "api"].iter().any(|name| before.ends_with(name)) {
            continue;
        }
        let named = text.get(at + name.len()..).unwrap_or_default().trim_start_matches(GAP);
        // Without a separator it is a mere word.
        let Some(value) = named.strip_prefix([':', '=']) else { continue };
        let value = value.trim_start_matches(GAP);
        let key = value.split(['"', '\'', '\\', ',', '}', '&', '\n', '\r']).next().unwrap_or_default();
        let start = text.len() - value.len();
        out.push_str(text.get(end..start).unwrap_or_default());
        out.push_str(&masked(key));
        end = start + key.len();
    }
    out.push_str(text.get(end..).unwrap_or_default());
    out
}

/// Replaces keys in the rest of a text: a prompt may quote them. A short one would match by chance.
fn replace_all(text: String, keys: &[String]) -> String {
    keys.iter().filter(|key| key.len() >= 12 && !key.starts_with('…')).fold(text, |text, key| {
        let escaped = quoted(key);
        let inner = escaped.get(1..escaped.len() - 1).unwrap_or_default();
        if text.contains(inner) { text.replace(inner, &masked(key)) } else { text }
    })
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_keeps_its_last_four_characters_only_if_it_has_twelve() {
        for (key, expected) in
            [("", "…"), ("short", "…"), ("elevenchars", "…"), ("twelve-chars", "…hars"), ("…hars", "…hars")]
        {
            assert_eq!(masked(key), expected);
        }
    }

    #[test]
    fn keys_are_masked_and_nothing_else_changes() {
        let text = r#"{ "reconify" : {"appKey": "abcdefghijkl", "x":1.50, "api\u004bey":"secret-secret-ab\"c","apiKey":12345678901234},"request":{"p":"is abcdefghijkl a key?"}, "reconify":{"appKey":"twice-twice-twice"}}"#;
        let masked = mask(Json::parse(text).unwrap(), &[]);
        assert_eq!(
            masked,
            r#"{ "reconify" : {"appKey": "…ijkl", "x":1.50, "api\u004bey":"…ab\"c","apiKey":"…"},"request":{"p":"is …ijkl a key?"}, "reconify":{"appKey":"…wice"}}"#
        );
    }

    #[test]
    fn keys_are_masked_in_what_is_no_report() {
        for (text, expected) in [
            (
                r#"{"reconify":{"appKey":"abcdefghijkl","apiKey":"zyxwv"#,
                r#"{"reconify":{"appKey":"…ijkl","apiKey":"…"#,
            ),
            (r#"[{"appKey" : "abcdefghijkl"}]"#, r#"[{"appKey" : "…ijkl"}]"#),
            ("appKey=abcdefghijkl&apiKey=zyxwv", "appKey=…ijkl&apiKey=…"),
            (r#"{"app_key":"abcdefghijkl","API-KEY":"zyxwv"}"#, r#"{"app_key":"…ijkl","API-KEY":"…"}"#),
            ("the appKey of known-key-000", "the appKey of …-000"),
        ] {
            assert_eq!(mask_beginning(text.as_bytes(), &["known-key-000"]), expected);
        }
    }

    #[test]
    fn a_key_that_the_end_of_the_beginning_cuts_in_two_is_not_shown() {
        for before in BEGINNING - 20..=BEGINNING {
            let text = "x".repeat(before) + " known-key-000 " + &"y".repeat(100);
            let masked = mask_beginning(text.as_bytes(), &["known-key-000"]);
            assert!(!masked.contains("known"), "{before}: {}", &masked[masked.len() - 40..]);
        }
        let long = vec![0xff; 1 << 20];
        assert!(mask_beginning(&long, &[]).len() <= 3 * BEGINNING);
    }
}
