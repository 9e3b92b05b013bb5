//! Who may do what. A page of a stranger, open in the same browser, can send requests to this machine;
//! so can a name of a stranger that resolves to it.

use std::net::IpAddr;

use axum::http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, COOKIE, HOST, ORIGIN};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode};

use crate::wire::is_same;

/// The name of the cookie that has the token.
pub(crate) const COOKIE_NAME: &str = "collector_token";

/// The names under which the page may be reached, and the token that it may want.
#[derive(Clone, Debug, Default)]
pub(crate) struct Guard {
    pub(crate) hosts: Vec<String>,
    pub(crate) token: Option<String>,
}

/// Why a request is refused: the status, and a text for a person.
pub(crate) type Denied = (StatusCode, &'static str);

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap_or("?"))
}

impl Guard {
    /// Checks a request to the page or the API.
    pub(crate) fn check(&self, parts: &Parts) -> Result<(), Denied> {
        let headers = &parts.headers;
        let host = text(headers, HOST.as_str()).or_else(|| parts.uri.authority().map(|host| host.as_str()));
        let host = host.unwrap_or_default();
        if headers.get_all(HOST).iter().count() > 1 || !self.knows(host) {
            return Err((
                StatusCode::FORBIDDEN,
                "this Host is not allowed: set COLLECTOR_HOSTS to the names under which the collector is reached",
            ));
        }
        if let Some(origin) = text(headers, ORIGIN.as_str()) {
            let origin = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
            if !origin.is_some_and(|origin| origin.eq_ignore_ascii_case(host)) {
                return Err((StatusCode::FORBIDDEN, "requests from other origins are not allowed"));
            }
        }
        let is_navigation = parts.method == Method::GET
            && !parts.uri.path().starts_with("/api")
            && text(headers, "sec-fetch-mode") == Some("navigate")
            && text(headers, "sec-fetch-dest") == Some("document");
        let is_own = matches!(text(headers, "sec-fetch-site"), None | Some("same-origin" | "none"));
        if !is_own && !is_navigation {
            return Err((StatusCode::FORBIDDEN, "requests from other sites are not allowed"));
        }
        if self.token.is_some() && !self.is_let_in(headers) {
            return Err((
                StatusCode::UNAUTHORIZED,
                "a token is needed: open /?token=… once, or send it as `Authorization: Bearer`",
            ));
        }
        let is_write = !matches!(parts.method, Method::GET | Method::HEAD);
        let is_import = parts.uri.path() == "/api/import";
        if is_write && !is_json(headers) && !(is_import && is_lines(headers)) {
            return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, "the content-type has to be application/json"));
        }
        Ok(())
    }

    /// Whether a host is this machine or one of the known names, with any port.
    fn knows(&self, host: &str) -> bool {
        let name = match host.strip_prefix('[') {
            Some(rest) => rest.split_once(']').map_or(rest, |(name, _)| name),
            None => host.rsplit_once(':').map_or(host, |(name, _)| name),
        };
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        let is_loopback = name == "localhost"
            || name.ends_with(".localhost")
            || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        is_loopback
            || self
                .hosts
                .iter()
                .any(|known| known.eq_ignore_ascii_case(&name) || known.eq_ignore_ascii_case(host))
    }

    /// Whether a request has the token, in its header or cookie.
    fn is_let_in(&self, headers: &HeaderMap) -> bool {
        let bearer =
            headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        let cookies = headers
            .get_all(COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|text| text.split(';'));
        let cookies = cookies.filter_map(|cookie| cookie.trim().strip_prefix(COOKIE_NAME)?.strip_prefix('='));
        bearer.into_iter().chain(cookies).any(|token| self.is_token(token))
    }

    /// Whether this is the token.
    pub(crate) fn is_token(&self, token: &str) -> bool {
        self.token.as_deref().is_some_and(|expected| is_same(expected, token))
    }
}

/// Checks a POST of a report. Applications reach the collector under any name; browsers never do.
pub(crate) fn check_intake(headers: &HeaderMap) -> Result<(), Denied> {
    if headers.contains_key(ORIGIN) {
        return Err((StatusCode::FORBIDDEN, "reports are not taken from web pages"));
    }
    if !matches!(text(headers, "sec-fetch-site"), None | Some("same-origin" | "none")) {
        return Err((StatusCode::FORBIDDEN, "reports are not taken from web pages"));
    }
    if !is_json(headers) {
        return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, "the content-type has to be application/json"));
    }
    if !matches!(text(headers, CONTENT_ENCODING.as_str()), None | Some("identity")) {
        return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, "reports are not taken with a content-encoding"));
    }
    Ok(())
}

fn media_type(headers: &HeaderMap) -> String {
    let value = text(headers, CONTENT_TYPE.as_str()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn is_json(headers: &HeaderMap) -> bool {
    media_type(headers) == "application/json"
}

pub(crate) fn is_lines(headers: &HeaderMap) -> bool {
    matches!(&*media_type(headers), "application/x-ndjson" | "application/jsonl" | "application/x-jsonlines")
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn parts(method: &str, path: &str, headers: &[(&str, &str)]) -> Parts {
        let request =
            headers.iter().fold(Request::builder().method(method).uri(path), |all, (name, value)| {
                all.header(*name, *value)
            });
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn only_known_names_reach_the_page() {
        let guard = Guard { hosts: vec!["demo.example".into()], token: None };
        for (host, is_known) in [
            ("localhost:8788", true),
            ("LOCALHOST", true),
            ("127.0.0.1:1", true),
            ("127.9.9.9", true),
            ("[::1]:8788", true),
            ("a.localhost", true),
            ("demo.example", true),
            ("Demo.Example:80", true),
            ("evil.example", false),
            ("localhost.evil.example", false),
            ("10.0.0.1", false),
            ("", false),
            ("127.0.0.1.evil.example", false),
        ] {
            assert_eq!(guard.check(&parts("GET", "/", &[("host", host)])).is_ok(), is_known, "{host}");
        }
    }

    #[test]
    fn other_origins_and_sites_reach_nothing_but_the_page_itself() {
        let guard = Guard::default();
        let host = ("host", "localhost:8788");
        let json = ("content-type", "application/json");
        for (method, path, headers, is_right) in [
            ("GET", "/api/reports", vec![("origin", "http://localhost:8788")], true),
            ("GET", "/api/reports", vec![("origin", "http://localhost:3000")], false),
            ("GET", "/api/reports", vec![("origin", "null")], false),
            ("GET", "/api/reports", vec![("sec-fetch-site", "same-origin")], true),
            ("GET", "/api/reports", vec![("sec-fetch-site", "same-site")], false),
            ("GET", "/api/reports", vec![("sec-fetch-site", "cross-site")], false),
            (
                "GET",
                "/",
                vec![
                    ("sec-fetch-site", "cross-site"),
                    ("sec-fetch-mode", "navigate"),
                    ("sec-fetch-dest", "document"),
                ],
                true,
            ),
            (
                "GET",
                "/",
                vec![
                    ("sec-fetch-site", "cross-site"),
                    ("sec-fetch-mode", "navigate"),
                    ("sec-fetch-dest", "iframe"),
                ],
                false,
            ),
            (
                "GET",
                "/api/reports",
                vec![
                    ("sec-fetch-site", "cross-site"),
                    ("sec-fetch-mode", "navigate"),
                    ("sec-fetch-dest", "document"),
                ],
                false,
            ),
            ("POST", "/api/faults", vec![json], true),
            ("POST", "/api/faults", vec![("content-type", "text/plain")], false),
            ("DELETE", "/api/faults", vec![], false),
            ("POST", "/api/import", vec![("content-type", "application/x-ndjson")], true),
            ("POST", "/api/faults", vec![("content-type", "application/x-ndjson")], false),
        ] {
            let headers: Vec<_> = headers.into_iter().chain([host]).collect();
            assert_eq!(
                guard.check(&parts(method, path, &headers)).is_ok(),
                is_right,
                "{method} {path} {headers:?}"
            );
        }
    }

    #[test]
    fn a_token_is_taken_from_header_or_cookie() {
        let guard = Guard { token: Some("secret".into()), ..Guard::default() };
        for (headers, is_right) in [
            (vec![], false),
            (vec![("authorization", "Bearer secret")], true),
            (vec![("authorization", "Bearer secreT")], false),
            (vec![("cookie", "a=b; collector_token=secret")], true),
            (vec![("cookie", "collector_token=")], false),
        ] {
            let headers: Vec<_> = headers.into_iter().chain([("host", "localhost")]).collect();
            assert_eq!(guard.check(&parts("GET", "/api/status", &headers)).is_ok(), is_right, "{headers:?}");
        }
    }

    #[test]
    fn reports_are_taken_under_any_name_but_from_no_page() {
        let json = ("content-type", "application/json; charset=utf-8");
        for (headers, is_right) in [
            (vec![json, ("host", "collector:8788")], true),
            (vec![json, ("origin", "http://localhost:8788")], false),
            (vec![json, ("origin", "null")], false),
            (vec![json, ("sec-fetch-site", "cross-site")], false),
            (vec![("content-type", "text/plain")], false),
            (vec![], false),
            (vec![json, ("content-encoding", "gzip")], false),
        ] {
            assert_eq!(
                check_intake(&parts("POST", "/track", &headers).headers).is_ok(),
                is_right,
                "{headers:?}"
            );
        }
    }
}
