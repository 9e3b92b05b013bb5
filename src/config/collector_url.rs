//! Checks the URLs of the collector.

use url::{Host, Url};

use super::setting::Problem;
use crate::error::Error;

pub(super) fn parse(text: &str) -> Result<Url, Problem> {
    Url::parse(text.trim()).ok().filter(Url::has_host).ok_or_else(|| Problem::Invalid {
        // The text is not shown: any part of it may be user-info, a query or a key.
        value: format!("a text of {} bytes (not shown)", text.len()),
        problem: "which is not a URL".into(),
        hint: "use one like https://track.reconify.com/track",
    })
}

/// Refuses a URL over which keys and conversations would cross the network in the clear.
pub(super) fn check(
    setting: &'static str,
    url: Url,
    allow_http: bool,
    allow: &'static str,
) -> Result<Url, Error> {
    let (problem, hint) = match url.scheme() {
        "https" => return Ok(url),
        "http" if allow_http || is_this_machine(&url) => return Ok(url),
        "http" => (
            format!("which is plain http to a host that is not this machine, and {allow} is not set").into(),
            "use https, or allow it if the network between is yours",
        ),
        _ => ("which is neither http nor https".into(), "use an https URL"),
    };
    Err(Problem::Invalid { value: shown(&url), problem, hint }.with(setting))
}

/// The default URL for image data, beside the endpoint.
pub(crate) fn upload_of(endpoint: &Url) -> Url {
    let mut upload = endpoint.clone();
    if let Some(parent) = endpoint.path().strip_suffix("/track") {
        upload.set_path(&format!("{parent}/upload"));
    }
    upload
}

/// Whether data that is sent to the URL stays on this machine.
pub(crate) fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// A URL without user-info, query and fragment.
pub(crate) fn shown(url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{}{port}{}", url.scheme(), url.host_str().unwrap_or_default(), url.path())
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
            assert_eq!(upload_of(&Url::parse(endpoint).unwrap()).as_str(), upload);
        }
    }
}
