//! The JSON API. `openapi.json` describes it, and a test compares that file with the routes.

mod export;
mod lists;
mod operation;
mod report;
mod wait;
mod write;

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::Query as UrlQuery;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, delete, get, post};
use serde::Serialize;
use serde_json::json;

use crate::intake;
use crate::shared::Shared;
use crate::store::{StoreError, Summary};
use crate::time::now;
use crate::view::overview::rows;
use crate::view::query::{self, Query, QueryError};

/// Whom the guard lets through to a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Applications.
    Intake,
    /// Everybody: it tells nothing.
    Open,
    /// The page, and who has the token.
    Guarded,
}

/// A path and what answers its methods.
pub(crate) struct Route {
    pub(crate) path: &'static str,
    #[cfg_attr(not(test), allow(dead_code, reason = "compared with the description"))]
    pub(crate) methods: &'static [&'static str],
    pub(crate) access: Access,
    pub(crate) handler: MethodRouter<Arc<Shared>>,
}

/// All routes but those of the page.
pub(crate) fn routes() -> Vec<Route> {
    const GET: &[&str] = &["get"];
    const POST: &[&str] = &["post"];
    let route = |path, methods, handler| Route { path, methods, access: Access::Guarded, handler };
    vec![
        Route { access: Access::Intake, ..route("/track", POST, post(intake::track)) },
        Route { access: Access::Intake, ..route("/upload", POST, post(intake::upload)) },
        Route { access: Access::Open, ..route("/healthz", GET, get(operation::healthz)) },
        Route { access: Access::Open, ..route("/readyz", GET, get(operation::readyz)) },
        route("/metrics", GET, get(operation::metrics)),
        route("/api/status", GET, get(operation::status)),
        route("/api/reports", &["get", "delete"], get(lists::reports).delete(write::delete_reports)),
        route("/api/reports/{id}", GET, get(report::detail)),
        route("/api/reports/{id}/raw", GET, get(report::raw)),
        route("/api/reports/{id}/media/{n}", GET, get(report::media)),
        route("/api/sessions", GET, get(lists::sessions)),
        route("/api/sessions/{key}", GET, get(report::session)),
        route("/api/users", GET, get(lists::users)),
        route("/api/figures", GET, get(lists::figures)),
        route("/api/problems", GET, get(lists::problems)),
        route("/api/refused", &["get", "delete"], get(lists::refused).delete(write::delete_refused)),
        route("/api/compare", GET, get(report::compare)),
        route("/api/accounting", GET, get(operation::accounting)),
        route("/api/events", GET, get(wait::events)),
        route("/api/wait", GET, get(wait::wait)),
        route(
            "/api/faults",
            &["get", "post", "delete"],
            get(write::faults).post(write::arm).merge(delete(write::disarm)),
        ),
        route("/api/import", POST, post(write::import)),
        route("/api/example", POST, post(write::example)),
        route("/api/openapi.json", GET, get(operation::description)),
    ]
}

/// Why a request to the API failed.
#[derive(Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    message: String,
    at: Option<usize>,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), at: None }
    }

    fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// A report that is not here.
    fn gone(id: u64, shared: &Shared) -> Self {
        let size = shared.store.catalog().size();
        let reason = if id > size.last_id {
            "has not come yet"
        } else {
            "is gone: removed, or too old for what is kept"
        };
        Self::new(StatusCode::NOT_FOUND, format!("report {id} {reason}"))
    }
}

impl From<QueryError> for ApiError {
    fn from(error: QueryError) -> Self {
        Self { at: Some(error.at), ..Self::bad(error.message) }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, error.0)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = match self.at {
            Some(at) => json!({"error": self.message, "at": at}),
            None => json!({"error": self.message}),
        };
        respond(self.status, body.to_string())
    }
}

type Answer = Result<Response, ApiError>;

/// The parameters of a URL.
pub(crate) struct Params(HashMap<String, String>);

impl Params {
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A number, if it is there.
    fn number<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, ApiError> {
        let number = self.text(name).filter(|text| !text.is_empty()).map(str::parse);
        number.transpose().map_err(|_| ApiError::bad(format!("`{name}` is not a whole number")))
    }

    fn limit(&self, default: usize, most: usize) -> Result<usize, ApiError> {
        Ok(self.number("limit")?.unwrap_or(default).clamp(1, most))
    }

    fn query(&self) -> Result<Query, ApiError> {
        let zone = self.number("tz")?.unwrap_or(0);
        Ok(query::parse(self.text("q").unwrap_or_default(), now(), zone)?)
    }
}

impl<S: Send + Sync> axum::extract::FromRequestParts<S> for Params {
    type Rejection = ApiError;

    async fn from_request_parts(
        parts: &mut axum::http::request::Parts,
        _: &S,
    ) -> Result<Self, Self::Rejection> {
        let params = UrlQuery::try_from_uri(&parts.uri);
        params.map(|UrlQuery(params)| Self(params)).map_err(|error| ApiError::bad(error.to_string()))
    }
}

fn respond(status: StatusCode, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn json_of(value: &impl Serialize) -> Answer {
    let body = serde_json::to_vec(value)
        .map_err(|error| ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
    Ok(respond(StatusCode::OK, body))
}

/// Runs what reads the store, which may take long, beside the server.
async fn work<T: Send + 'static>(
    shared: Arc<Shared>,
    work: impl FnOnce(&Shared) -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    let busy = || ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "the collector stops");
    let permit = Arc::clone(&shared.work).acquire_owned().await.map_err(|_| busy())?;
    let done = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        work(&shared)
    });
    done.await.map_err(|_| busy())?
}

/// The reports after an id that match, the oldest first, and how many there are in all.
fn select(
    shared: &Shared,
    query: &Query,
    after: u64,
    is_meant: impl Fn(&Summary) -> bool,
) -> Result<(Vec<Arc<Summary>>, u64), ApiError> {
    let (rows, total) = {
        let catalog = shared.store.catalog();
        (rows(&catalog, after, now()), catalog.size().reports)
    };
    let mut rows: Vec<_> = rows.into_iter().filter(|row| is_meant(row) && query.matches(row)).collect();
    if !query.words.is_empty() {
        let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
        let found = shared.store.search(&ids, &query.words)?;
        rows.retain(|row| found.binary_search(&row.id).is_ok());
    }
    Ok((rows, total))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_description_lists_exactly_the_routes() {
        let description: serde_json::Value = serde_json::from_str(operation::OPENAPI).unwrap();
        let paths = description["paths"].as_object().unwrap();
        let methods = paths.iter().flat_map(|(path, methods)| {
            methods.as_object().unwrap().keys().map(move |method| (path.clone(), method.clone()))
        });
        let routes = routes().into_iter().chain(crate::page::routes());
        let routes = routes.flat_map(|route| {
            route.methods.iter().map(move |method| (route.path.to_owned(), (*method).to_owned()))
        });
        assert_eq!(methods.collect::<BTreeSet<_>>(), routes.collect::<BTreeSet<_>>());
    }
}
