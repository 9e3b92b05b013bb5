//! Forwards a request to a provider and passes the answer on as it comes.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{self, HeaderName};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use crate::apis::{APIS, Api};
use crate::identity;

pub(crate) type HttpClient = Client<HttpsConnector<HttpConnector>, Body>;

pub(crate) fn http_client() -> std::io::Result<HttpClient> {
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    http.set_nodelay(true);
    http.set_connect_timeout(Some(Duration::from_secs(10)));
    let https = hyper_rustls::HttpsConnectorBuilder::new()
        .try_with_platform_verifier()
        .map_err(std::io::Error::other)?
        .https_or_http()
        .enable_http1()
        .wrap_connector(http);
    Ok(Client::builder(TokioExecutor::new()).build(https))
}

/// An API and the server that its requests go to.
#[derive(Clone)]
pub(crate) struct Upstream {
    pub(crate) api: &'static Api,
    pub(crate) base: Uri,
    pub(crate) client: HttpClient,
}

impl Upstream {
    /// The address of a path at the upstream. The path stays as it is encoded.
    fn uri_of(&self, uri: &Uri) -> Result<Uri, String> {
        if uri.path().split('/').any(is_dots) {
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

/// Whether a segment of a path means this folder, or the one above.
fn is_dots(segment: &str) -> bool {
    let segment = segment.to_ascii_lowercase().replace("%2e", ".");
    segment == "." || segment == ".."
}

pub(crate) async fn forward(State(upstream): State<Upstream>, mut request: Request) -> Response {
    *request.uri_mut() = match upstream.uri_of(request.uri()) {
        Ok(uri) => uri,
        Err(error) => {
            return problem(StatusCode::BAD_REQUEST, &format!("the path cannot be forwarded: {error}"));
        }
    };
    *request.version_mut() = axum::http::Version::HTTP_11;
    let headers = request.headers_mut();
    remove_hop_by_hop(headers);
    headers.remove(header::HOST);
    for name in identity::HEADERS {
        headers.remove(name);
    }
    match upstream.client.request(request).await {
        Ok(mut response) => {
            remove_hop_by_hop(response.headers_mut());
            response.into_response()
        }
        // Also when it closed the connection before it had read the request: its answer, if any, is then lost.
        Err(error) => {
            problem(StatusCode::BAD_GATEWAY, &format!("{} cannot be reached: {error}", upstream.api.name))
        }
    }
}

/// The answer to a request that belongs to no API with a base URL.
pub(crate) fn not_forwarded(request: &Request) -> Response {
    let path = request.uri().path();
    let message = match APIS.iter().find(|api| (api.owns)(request.method(), path)) {
        Some(Api { name, variable, example, .. }) => {
            format!("{path} is a path of {name}, and {variable} is not set: set it to a URL like {example}")
        }
        None => format!("{path} is a path of no provider: the README lists those that are forwarded"),
    };
    problem(StatusCode::NOT_FOUND, &message)
}

/// Removes the headers that concern one connection only (RFC 9110, 7.6.1).
fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named {
        headers.remove(name);
    }
    for name in [
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ] {
        headers.remove(name);
    }
}

/// An error in the shape of OpenAI's.
fn problem(status: StatusCode, message: &str) -> Response {
    let error = serde_json::json!({"error": {"message": message, "type": "gateway_error", "param": null, "code": null}});
    (status, axum::Json(error)).into_response()
}
