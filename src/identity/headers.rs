//! Reads an identity from headers, for trusted callers that have no other way to set one.

use std::time::Duration;

use http::HeaderMap;

use super::{Identity, Session, Tags, User};

const USER_ID: &str = "x-reconify-user-id";
const USER_EMAIL: &str = "x-reconify-user-email";
const SESSION: &str = "x-reconify-session";
const SESSION_TIMEOUT: &str = "x-reconify-session-timeout";
const TAG: &str = "x-reconify-tag-";
const ALL: &str = "x-reconify-";

/// The maximum length of an id or address. Longer ones are ignored rather than cut, because two
/// users could share the same beginning.
const MOST_ID_BYTES: usize = 256;

/// Limits on tags. Longer values and further tags are ignored.
const MOST_BYTES: usize = 1_024;
const MOST_TAGS: usize = 32;
const MOST_NAME_BYTES: usize = 64;

/// Reads an identity from the headers.
///
/// Values that are empty, too long or not UTF-8 are ignored. So is a header that occurs more than
/// once: a proxy that appends its own value keeps the client's, and the two cannot be told apart.
pub(crate) fn read(headers: &HeaderMap) -> Identity {
    let (user, email) = (id(headers, USER_ID), id(headers, USER_EMAIL));
    let user = match (user, email) {
        (Some(id), Some(email)) => Some(User::new(id).email(email)),
        (Some(id), None) => Some(User::new(id)),
        (None, email) => email.map(User::from_email),
    };
    let minutes = text(headers, SESSION_TIMEOUT).and_then(|minutes| minutes.trim().parse::<u32>().ok());
    let timeout = minutes.map(|minutes| Duration::from_secs(60 * u64::from(minutes)));
    let session = match (id(headers, SESSION), timeout) {
        (None, None) => None,
        (id, timeout) => Some(Session::new(id.unwrap_or_default()).with_timeout(timeout.unwrap_or_default())),
    };
    let named = headers.keys().filter_map(|name| Some((name, name.as_str().strip_prefix(TAG)?)));
    let named = named.filter(|(_, tag)| (1..=MOST_NAME_BYTES).contains(&tag.len()));
    let tags = named.filter_map(|(name, tag)| Some((tag, text(headers, name.as_str())?))).take(MOST_TAGS);
    let tags = tags.fold(Tags::new(), |tags, (name, value)| tags.with(name, value));
    Identity { user, session, tags: Some(tags).filter(|tags| !tags.is_empty()), ..Identity::default() }
}

/// Removes the headers, so that the service behind the layer does not learn the identity.
pub(crate) fn remove(headers: &mut HeaderMap) {
    let is_ours = |name: &http::HeaderName| name.as_str().starts_with(ALL);
    let names: Vec<_> = headers.keys().filter(|name| is_ours(name)).cloned().collect();
    for name in names {
        headers.remove(name);
    }
}

fn id<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    text(headers, name).filter(|id| id.len() <= MOST_ID_BYTES)
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    str::from_utf8(value.as_bytes()).ok().filter(|text| !text.is_empty() && text.len() <= MOST_BYTES)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap()))
            .collect()
    }

    #[test]
    fn every_header_says_what_its_name_says() {
        let headers = headers(&[
            (USER_ID, "user-42"),
            (USER_EMAIL, "jürgen@example.com"),
            (SESSION, "s"),
            (SESSION_TIMEOUT, "30"),
            ("x-reconify-tag-plan", "free"),
            ("x-reconify-other", "x"),
        ]);
        let expected = Identity::from((
            User::new("user-42").email("jürgen@example.com"),
            Session::new("s").with_timeout(Duration::from_secs(1_800)),
        ));
        assert_eq!(read(&headers), expected.with_tags(Tags::new().with("plan", "free")));
    }

    #[test]
    fn what_says_nothing_is_left_out() {
        assert!(read(&HeaderMap::new()).is_empty());
        let (long, longer) = ("x".repeat(MOST_ID_BYTES + 1), "x".repeat(MOST_BYTES + 1));
        let nothing = headers(&[
            (USER_ID, &long),
            (USER_EMAIL, ""),
            (SESSION, &long),
            (SESSION_TIMEOUT, "soon"),
            (TAG, "x"),
            ("x-reconify-tag-plan", &longer),
        ]);
        assert!(read(&nothing).is_empty());
        let mut other = HeaderMap::new();
        other.insert(USER_ID, HeaderValue::from_bytes(b"\xff").unwrap());
        assert!(read(&other).is_empty());
        let by_address = headers(&[(USER_EMAIL, "a@b"), (SESSION_TIMEOUT, "5")]);
        assert_eq!(
            read(&by_address),
            Identity::from((
                User::from_email("a@b"),
                Session::new("").with_timeout(Duration::from_secs(300))
            ))
        );
    }

    const ONCE: [(&str, &str); 6] = [
        (USER_ID, "u"),
        (USER_EMAIL, "a@b"),
        (SESSION, "s"),
        (SESSION_TIMEOUT, "5"),
        ("x-reconify-tag-plan", "free"),
        ("x-reconify-tag-team", "red"),
    ];

    #[test]
    fn an_identity_header_that_occurs_twice_is_ignored_and_the_others_are_read() {
        for (name, value) in ONCE {
            let without: Vec<_> = ONCE.into_iter().filter(|(other, _)| *other != name).collect();
            for second in [value, "another", ""] {
                let twice = [&ONCE[..], &[(name, second)]].concat();
                assert_eq!(read(&headers(&twice)), read(&headers(&without)), "{name}: {second:?}");
                // Order and number of the duplicates do not matter.
                let more = [&[(name, second); 3], &ONCE[..]].concat();
                assert_eq!(read(&headers(&more)), read(&headers(&without)), "{name}: {second:?}");
            }
        }
    }

    #[test]
    fn all_identity_headers_are_removed_however_often_they_occur_and_nothing_else() {
        let mut headers = headers(&[
            (USER_ID, "a"),
            (USER_ID, "b"),
            ("x-other", "d"),
            ("x-reconify-tag-a", "b"),
            ("x-reconify-new", "c"),
            ("x-reconify-new", "c"),
            (USER_ID, "c"),
        ]);
        remove(&mut headers);
        assert_eq!(headers.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["x-other"]);
    }
}
