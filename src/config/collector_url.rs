//! Checks the URLs of the collector.

use std::net::IpAddr;

use http::Uri;

use super::setting::Problem;
use crate::error::Error;

pub(super) fn parse(text: &str) -> Result<Uri, Problem> {
    normalised(text.trim())
        .filter(|uri| uri.scheme().is_some() && uri.host().is_some_and(|host| !host.is_empty()))
        .ok_or_else(|| Problem::Invalid {
            // The text is not shown: any part of it may be user info, a query or a key.
            value: format!("a text of {} bytes (not shown)", text.len()),
            problem: "which is not a URL".into(),
            hint: "use one like https://track.reconify.com/track",
        })
}

/// The URL as reqwest reads it. Otherwise reqwest might connect to another host than the checked
/// one.
#[cfg(feature = "reqwest")]
fn normalised(text: &str) -> Option<Uri> {
    reqwest::Url::parse(text).ok()?.as_str().parse().ok()
}

#[cfg(not(feature = "reqwest"))]
fn normalised(text: &str) -> Option<Uri> {
    text.parse().ok()
}

/// Refuses a URL over which keys and conversations would cross the network in the clear.
pub(super) fn check(
    setting: &'static str,
    url: Uri,
    allow_http: bool,
    allow: &'static str,
) -> Result<Uri, Error> {
    let (problem, hint) = match url.scheme_str() {
        Some("https") => return Ok(url),
        Some("http") if allow_http || is_this_machine(&url) => return Ok(url),
        Some("http") => (
            format!("which is plain http to a host that is not this machine, and {allow} is not set").into(),
            "use https, or allow it if the network between is yours",
        ),
        _ => ("which is neither http nor https".into(), "use an https URL"),
    };
    Err(Problem::Invalid { value: shown(&url), problem, hint }.with(setting))
}

/// The default URL for image data, beside the endpoint.
pub(crate) fn upload_of(endpoint: &Uri) -> Uri {
    let Some(parent) = endpoint.path().strip_suffix("/track") else { return endpoint.clone() };
    let query = endpoint.query().map(|query| format!("?{query}")).unwrap_or_default();
    let mut parts = endpoint.clone().into_parts();
    parts.path_and_query = format!("{parent}/upload{query}").parse().ok();
    Uri::from_parts(parts).unwrap_or_else(|_| endpoint.clone())
}

/// Whether data sent to the URL stays on this machine.
pub(crate) fn is_this_machine(url: &Uri) -> bool {
    let host = url.host().unwrap_or_default().to_ascii_lowercase();
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(&host);
    match address.parse::<IpAddr>() {
        Ok(address) => address.is_loopback(),
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}

/// A URL without user info, query and fragment.
pub(crate) fn shown(url: &Uri) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let (scheme, host) = (url.scheme_str().unwrap_or_default(), url.host().unwrap_or_default());
    format!("{scheme}://{host}{port}{}", url.path())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_upload_address_is_beside_the_tracker() {
        for (endpoint, upload) in [
            ("https://host/track", "https://host/upload"),
            ("https://host/a/track?k=v", "https://host/a/upload?k=v"),
            ("https://host/soundtrack", "https://host/soundtrack"),
            ("https://host/", "https://host/"),
        ] {
            assert_eq!(upload_of(&endpoint.parse().unwrap()), upload);
        }
    }
}
