//! Forwards a request to a provider and passes the answer on as it comes.

use std::error::Error;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::header::UPGRADE;
use axum::http::{Method, StatusCode, Uri, Version};
use axum::response::{IntoResponse, Response};
use http_body_util::LengthLimitError;

use crate::answers::problem;
use crate::apis::{APIS, Api};
use crate::bounds::{TooSlow, too_large};
use crate::client::HttpClient;
use crate::{headers, identity};

/// An API and the server that its requests go to.
#[derive(Clone)]
pub(crate) struct Upstream {
    pub(crate) api: &'static Api,
    pub(crate) base: Uri,
    pub(crate) client: HttpClient,
    /// How long the head of its answer may take.
    pub(crate) patience: Duration,
}

impl Upstream {
    /// The address of a path at the upstream. The path stays as it is encoded.
    fn uri_of(&self, uri: &Uri) -> Result<Uri, String> {
        if has_dots(uri.path()) {
            return Err("it has a segment of dots, which would lead out of the base URL".to_owned());
        }
        let asked = uri.path_and_query().map_or("", |asked| asked.as_str());
        let rest = asked.strip_prefix(self.api.removed).unwrap_or(asked);
        Uri::builder()
            .scheme(self.base.scheme_str().unwrap_or("http"))
            .authority(self.base.authority().map_or("", |authority| authority.as_str()))
            .path_and_query(format!("{}{rest}", self.base.path().trim_end_matches('/')))
            .build()
            .map_err(|error| error.to_string())
    }
}

/// Whether a segment of a path means this folder, or the one above. Some servers decode a path before they split it,
/// split it at backslashes too, or cut parameters off its segments.
fn has_dots(path: &str) -> bool {
    let path = path.to_ascii_lowercase().replace("%2e", ".").replace("%2f", "/").replace("%5c", "\\");
    path.split(['/', '\\']).any(|segment| matches!(segment.split(';').next(), Some("." | "..")))
}

/// The answer to a request that is refused before it is routed. `CONNECT` has no path to route it by.
pub(crate) fn not_implemented(request: &Request) -> Option<Response> {
    let told = if request.method() == Method::CONNECT
        || headers::has_token(request.headers(), UPGRADE, "websocket")
    {
        "the gateway passes no tunnels and no WebSockets"
    } else if !headers::has_plain_transfer(request.headers()) {
        "the gateway takes no transfer-encoding but chunked"
    } else {
        return None;
    };
    Some(problem(StatusCode::NOT_IMPLEMENTED, told))
}

pub(crate) async fn forward(State(upstream): State<Upstream>, mut request: Request) -> Response {
    *request.uri_mut() = match upstream.uri_of(request.uri()) {
        Ok(uri) => uri,
        Err(error) => {
            return problem(StatusCode::BAD_REQUEST, &format!("the path cannot be forwarded: {error}"));
        }
    };
    let version = std::mem::replace(request.version_mut(), Version::HTTP_11);
    headers::keep_for_provider(request.headers_mut(), version);
    for name in identity::HEADERS {
        request.headers_mut().remove(name);
    }
    let name = upstream.api.name;
    match tokio::time::timeout(upstream.patience, upstream.client.request(request)).await {
        // The upgrade of a request is not forwarded, so no client has asked for this.
        Ok(Ok(response)) if response.status() == StatusCode::SWITCHING_PROTOCOLS => {
            problem(StatusCode::BAD_GATEWAY, &format!("{name} switched protocols without being asked"))
        }
        Ok(Ok(response)) if !headers::has_plain_transfer(response.headers()) => {
            problem(StatusCode::BAD_GATEWAY, &format!("{name} answered with an unknown transfer-encoding"))
        }
        Ok(Ok(mut response)) => {
            headers::remove_hop_by_hop(response.headers_mut());
            // The version belongs to a connection too.
            *response.version_mut() = Version::HTTP_11;
            response.into_response()
        }
        Ok(Err(error)) if is_caused_by::<LengthLimitError>(&error) => too_large(),
        Ok(Err(error)) if is_caused_by::<TooSlow>(&error) => {
            problem(StatusCode::REQUEST_TIMEOUT, "the request was not sent in time")
        }
        // Also when it closed the connection before it had read the request: its answer, if any, is then lost.
        Ok(Err(error)) => {
            tracing::warn!(error = &error as &dyn Error, "{name} cannot be reached");
            problem(StatusCode::BAD_GATEWAY, &format!("{name} cannot be reached: {error}"))
        }
        Err(_) => problem(StatusCode::GATEWAY_TIMEOUT, &format!("{name} did not answer in time")),
    }
}

fn is_caused_by<E: Error + 'static>(error: &(dyn Error + 'static)) -> bool {
    error.is::<E>() || error.source().is_some_and(is_caused_by::<E>)
}

/// The answer to a request that belongs to no API with a base URL.
pub(crate) fn not_forwarded(request: &Request) -> Response {
    let path = request.uri().path();
    let message = match APIS.iter().find(|api| (api.owns)(request.method(), path)) {
        Some(Api { name, variable, example, .. }) => {
            format!("{path} is a path of {name}, and {variable} is not set: set it to a URL like {example}")
        }
        None => format!(
            "{path} is a path of no provider: examples/gateway/README.md lists those that are forwarded"
        ),
    };
    problem(StatusCode::NOT_FOUND, &message)
}
