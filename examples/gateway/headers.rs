//! The headers that a gateway passes on (RFC 9110, 7.6), and those of HTTP/2 that HTTP/1.1 has in another form.

use axum::http::header::{
    CONNECTION, CONTENT_LENGTH, COOKIE, HOST, HeaderName, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE,
    TRANSFER_ENCODING, UPGRADE, VIA,
};
use axum::http::{HeaderMap, HeaderValue, Version};

/// Leaves what belongs to a request to a provider. The HTTP client adds the provider's host.
pub(crate) fn keep_for_provider(headers: &mut HeaderMap, version: Version) {
    let takes_trailers = has_token(headers, TE, "trailers");
    remove_hop_by_hop(headers);
    headers.remove(HOST);
    if takes_trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
        headers.insert(CONNECTION, HeaderValue::from_static("te"));
    }
    join_cookies(headers);
    if let Ok(via) = HeaderValue::from_str(&format!("{version:?} reconify-gateway")) {
        headers.append(VIA, via);
    }
}

/// Removes the headers that concern one connection only.
pub(crate) fn remove_hop_by_hop(headers: &mut HeaderMap) {
    // A length beside it is wrong (RFC 9112, 6.3).
    if headers.remove(TRANSFER_ENCODING).is_some() {
        headers.remove(CONTENT_LENGTH);
    }
    let names = tokens(headers, CONNECTION).filter_map(|name| HeaderName::from_bytes(name).ok());
    let named: Vec<_> = names.collect();
    for name in named {
        headers.remove(name);
    }
    for name in [CONNECTION, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, UPGRADE] {
        headers.remove(name);
    }
    headers.remove("keep-alive");
    headers.remove("proxy-connection");
}

/// Whether a body is chunked at most: the HTTP library undoes no other coding, and its name belongs to a connection.
pub(crate) fn has_plain_transfer(headers: &HeaderMap) -> bool {
    let mut codings = tokens(headers, TRANSFER_ENCODING);
    codings.next().is_none_or(|coding| coding.eq_ignore_ascii_case(b"chunked")) && codings.next().is_none()
}

/// Whether a header is a list with this token.
pub(crate) fn has_token(headers: &HeaderMap, name: HeaderName, token: &str) -> bool {
    tokens(headers, name).any(|other| other.eq_ignore_ascii_case(token.as_bytes()))
}

/// The members of a list. They are bytes, so that one which is no text does not hide the others.
fn tokens(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &[u8]> {
    let values = headers.get_all(name).iter().map(HeaderValue::as_bytes);
    values.flat_map(|value| value.split(|byte| *byte == b',')).map(<[u8]>::trim_ascii)
}

/// HTTP/2 may split cookies over several headers, HTTP/1.1 may not (RFC 9113, 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let crumbs: Vec<_> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if let Ok(joined) = HeaderValue::from_bytes(&crumbs.join(&b"; "[..]))
        && crumbs.len() > 1
    {
        headers.insert(COOKIE, joined);
    }
}
