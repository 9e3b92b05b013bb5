//! Finds environment variables whose names are probably misspelled.

use std::cmp::Reverse;
use std::ffi::OsString;

const PREFIX: &str = "RECONIFY_";

/// How many letters may be added, missing or replaced.
const MOST_EDITS: usize = 2;

/// Finds the `RECONIFY_` variables that are not known, but whose names are within two letters of a known one. It names the
/// nearest known name; of two equally near names, it names the one that is not set.
pub(super) fn misspelled(set: &[OsString], known: &[&'static str]) -> Vec<(String, &'static str)> {
    let names = set.iter().filter_map(|name| name.to_str()).filter(|name| name.starts_with(PREFIX));
    let unknown = names.filter(|name| !known.contains(name));
    let meant = |name: &str| {
        let near = known.iter().filter_map(|known| Some((edits(name, known)?, known)));
        let is_unset = |known: &str| !set.iter().any(|name| name == known);
        near.min_by_key(|(edits, known)| (*edits, Reverse(is_unset(known)))).map(|(_, known)| *known)
    };
    unknown.filter_map(|name| Some((name.to_owned(), meant(name)?))).collect()
}

/// The edit distance of two names (Levenshtein's), if it is small.
fn edits(name: &str, known: &str) -> Option<usize> {
    if name.len().abs_diff(known.len()) > MOST_EDITS {
        return None;
    }
    // The distances of the part of `name` so far from each beginning of `known`.
    let mut row: Vec<usize> = (0..=known.len()).collect();
    for (place, letter) in name.bytes().enumerate() {
        let (mut diagonal, mut left) = (place, place + 1);
        for (cell, other) in row.iter_mut().skip(1).zip(known.bytes()) {
            left = (diagonal + usize::from(letter != other)).min(left + 1).min(*cell + 1);
            diagonal = std::mem::replace(cell, left);
        }
    }
    row.last().copied().filter(|edits| *edits <= MOST_EDITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 4] =
        ["RECONIFY_APP_KEY", "RECONIFY_API_KEY", "RECONIFY_IDENTITY_HEADERS", "RECONIFY_DISABLED"];

    fn meant(set: &[&str]) -> Vec<(String, &'static str)> {
        misspelled(&set.iter().map(OsString::from).collect::<Vec<_>>(), &KNOWN)
    }

    #[test]
    fn a_name_within_two_letters_of_a_known_one_is_found_and_no_other() {
        for (name, right) in [
            ("RECONIFY_IDENTITY_HEADER", Some("RECONIFY_IDENTITY_HEADERS")),
            ("RECONIFY_IDENTIY_HEADER", Some("RECONIFY_IDENTITY_HEADERS")),
            ("RECONIFY_IDENTTIY_HEADERS", Some("RECONIFY_IDENTITY_HEADERS")),
            ("RECONIFY_IDENTITY__HEADERS_", Some("RECONIFY_IDENTITY_HEADERS")),
            ("RECONIFY_IDENTITY_HEAD", None),
            ("RECONIFY_IDENTIFY_HEADER", Some("RECONIFY_IDENTITY_HEADERS")),
            ("RECONIFY_DISABLE", Some("RECONIFY_DISABLED")),
            ("RECONIFY_ENABLED", None),
            ("RECONIFY_APPKEY", Some("RECONIFY_APP_KEY")),
            ("RECONIFY_API_KEYS", Some("RECONIFY_API_KEY")),
            ("RECONIFY_API_TOKEN", None),
            ("RECONIFY_", None),
            ("RECONIFY", None),
            ("RECONIFI_API_KEY", None),
            ("", None),
            ("PATH", None),
        ] {
            let found = right.map(|right| (name.to_owned(), right));
            assert_eq!(meant(&[name]), found.into_iter().collect::<Vec<_>>(), "{name}");
        }
        assert_eq!(meant(&KNOWN), []);
    }

    #[test]
    fn of_two_names_that_are_equally_near_the_one_that_is_not_set_is_meant() {
        let found = |right| [("RECONIFY_AP_KEY".to_owned(), right)];
        assert_eq!(meant(&["RECONIFY_API_KEY", "RECONIFY_AP_KEY"]), found("RECONIFY_APP_KEY"));
        assert_eq!(meant(&["RECONIFY_AP_KEY", "RECONIFY_APP_KEY"]), found("RECONIFY_API_KEY"));
    }

    #[test]
    fn edits_are_letters_that_are_added_missing_or_replaced() {
        for (name, known, expected) in [
            ("kitten", "kitten", Some(0)),
            ("kittens", "kitten", Some(1)),
            ("kiten", "kitten", Some(1)),
            ("sitten", "kitten", Some(1)),
            ("sittin", "kitten", Some(2)),
            ("iktten", "kitten", Some(2)),
            ("sitting", "kitten", None),
            ("", "a", Some(1)),
            ("ü", "u", Some(2)),
        ] {
            assert_eq!(edits(name, known), expected, "{name} and {known}");
        }
        assert_eq!(edits(&"R".repeat(1 << 20), "RECONIFY_SPOOL"), None);
    }
}
