//! The page: three files by hand, without a build step, from no other host.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use axum::routing::get;

use crate::api::{Access, Params, Route};
use crate::guard::COOKIE_NAME;
use crate::shared::Shared;

/// Nothing but the page's own files, and no string ever becomes markup.
pub(crate) const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'; trusted-types 'none'";

struct File {
    text: &'static str,
    kind: &'static str,
}

const INDEX: File = File { text: include_str!("index.html"), kind: "text/html; charset=utf-8" };
const STYLE: File = File { text: include_str!("app.css"), kind: "text/css; charset=utf-8" };
const SCRIPT: File = File { text: include_str!("app.js"), kind: "text/javascript; charset=utf-8" };
const ICON: File = File { text: include_str!("favicon.svg"), kind: "image/svg+xml" };

/// The routes of the page.
pub(crate) fn routes() -> Vec<Route> {
    let route = |path, handler| Route { path, methods: &["get"], access: Access::Guarded, handler };
    vec![
        Route { access: Access::Open, ..route("/", get(index)) },
        route("/app.css", get(async |headers: HeaderMap| serve(&STYLE, &headers))),
        route("/app.js", get(async |headers: HeaderMap| serve(&SCRIPT, &headers))),
        route("/favicon.ico", get(async |headers: HeaderMap| serve(&ICON, &headers))),
    ]
}

/// Opens the page. A redirect would not do: after a link on another site, browsers send no `SameSite=Strict`
/// cookie with it.
const LET_IN: &str = "<!doctype html><meta http-equiv=\"refresh\" content=\"0; url=/\">\n";

/// The page itself. `?token=` lets a browser in, once.
async fn index(
    State(shared): State<Arc<Shared>>,
    params: Params,
    request: axum::extract::Request,
) -> Response {
    let (parts, _) = request.into_parts();
    if let Some(token) = params.text("token").filter(|token| shared.guard.is_token(token)) {
        let mut response = Response::new(Body::from(LET_IN));
        let cookie = format!("{COOKIE_NAME}={token}; Path=/; HttpOnly; SameSite=Strict");
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.extend(HeaderValue::from_str(&cookie).ok().map(|cookie| (SET_COOKIE, cookie)));
        return response;
    }
    match shared.guard.check(&parts) {
        Ok(()) => serve(&INDEX, &parts.headers),
        Err((status, reason)) => {
            let mut response = Response::new(Body::from(format!("{reason}\n")));
            *response.status_mut() = status;
            response
                .headers_mut()
                .insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
            response
        }
    }
}

fn serve(file: &File, headers: &HeaderMap) -> Response {
    let mut hasher = DefaultHasher::new();
    file.text.hash(&mut hasher);
    let tag = format!("\"{:016x}\"", hasher.finish());
    let is_same = headers.get(IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let mut response = Response::new(if is_same { Body::empty() } else { Body::from(file.text) });
    if is_same {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let out = response.headers_mut();
    out.insert(CONTENT_TYPE, HeaderValue::from_static(file.kind));
    out.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    out.extend(HeaderValue::from_str(&tag).ok().map(|tag| (ETAG, tag)));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    /// It was planned with 40 KB. What is added beyond this has to be worth its reading, or something else goes.
    #[test]
    fn the_page_stays_small_without_being_minified() {
        let texts = [&INDEX, &STYLE, &SCRIPT].map(|file| file.text);
        let bytes: usize = texts.iter().map(|text| text.len()).sum();
        assert!(bytes < 55_000, "{bytes}");
    }
}
