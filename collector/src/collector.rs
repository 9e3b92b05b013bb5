//! A collector: its settings, its routes, and its server.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::serve::ListenerExt;
use tokio::net::TcpListener;

use crate::api::{self, Access, ApiError, Route};
use crate::guard::Guard;
use crate::page;
use crate::shared::{Printer, Shared, Stats};
use crate::store::{Capacity, MemoryStore, Store};
use crate::wire::Rules;

/// So long what runs may go on after the signal to stop.
const GRACE: Duration = Duration::from_millis(500);

/// A collector. Clones are handles to the same one.
#[derive(Clone, Debug)]
pub struct Collector(Arc<Shared>);

/// The settings of a [`Collector`].
#[derive(Default)]
pub struct CollectorBuilder {
    store: Option<Arc<dyn Store>>,
    capacity: Capacity,
    rules: Rules,
    guard: Guard,
    name: Option<String>,
    stats: Option<Stats>,
    printer: Option<Printer>,
}

impl fmt::Debug for CollectorBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CollectorBuilder")
            .field("capacity", &self.capacity)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// Why a collector does not serve.
#[derive(Debug)]
#[non_exhaustive]
pub enum ServeError {
    /// The address can be reached from other machines, and something is not protected.
    Unprotected(&'static str),
    /// The server failed.
    Io(io::Error),
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unprotected(what) => write!(f, "other machines can reach this address: {what}"),
            Self::Io(error) => write!(f, "cannot serve: {error}"),
        }
    }
}

impl std::error::Error for ServeError {}

impl From<io::Error> for ServeError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl CollectorBuilder {
    /// Where reports are kept; a ring in memory unless set.
    #[must_use]
    pub fn store(mut self, store: impl Store) -> Self {
        self.store = Some(Arc::new(store));
        self
    }

    /// How much is kept: the oldest reports make place. For a store that is set, the page shows it only.
    #[must_use]
    pub fn capacity(mut self, capacity: Capacity) -> Self {
        self.capacity = capacity;
        self
    }

    /// Whether reports are refused that Reconify accepts, but does not document.
    #[must_use]
    pub fn strict(mut self, is_strict: bool) -> Self {
        self.rules.is_strict = is_strict;
        self
    }

    /// The only keys that are accepted; any unless set.
    #[must_use]
    pub fn keys(mut self, app_key: impl Into<String>, api_key: impl Into<String>) -> Self {
        self.rules.app_key = Some(app_key.into());
        self.rules.api_key = Some(api_key.into());
        self
    }

    /// Names beside those of this machine under which the page may be reached.
    #[must_use]
    pub fn hosts<I: IntoIterator<Item: Into<String>>>(mut self, hosts: I) -> Self {
        self.guard.hosts = hosts.into_iter().map(Into::into).collect();
        self
    }

    /// What a browser has to show once, as `/?token=`, and others always.
    #[must_use]
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.guard.token = Some(token.into());
        self
    }

    /// The name on the page.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The counts of a reporter in the same process, as JSON, for the view of what never came.
    #[must_use]
    pub fn stats(mut self, stats: impl Fn() -> serde_json::Value + Send + Sync + 'static) -> Self {
        self.stats = Some(Arc::new(stats));
        self
    }

    /// Is given a line of text for each report, refusal and fault. Control characters are symbols. It is
    /// called before a report is answered, so it must not block.
    #[must_use]
    pub fn print(mut self, printer: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.printer = Some(Arc::new(printer));
        self
    }

    /// The collector.
    #[must_use]
    pub fn build(self) -> Collector {
        let capacity = self.capacity;
        let store = self.store.unwrap_or_else(|| Arc::new(MemoryStore::new(capacity)));
        let mut shared =
            Shared::new(store, self.rules, self.guard, self.name.unwrap_or_else(|| "Collector".to_owned()));
        shared.limits = capacity;
        shared.stats = self.stats;
        shared.printer = self.printer;
        Collector(Arc::new(shared))
    }
}

impl Collector {
    /// The settings of a new one.
    #[must_use]
    pub fn builder() -> CollectorBuilder {
        CollectorBuilder::default()
    }

    /// One that keeps its reports in memory and takes what the vendor takes.
    #[must_use]
    pub fn memory() -> Self {
        Self::builder().build()
    }

    /// Page, API and endpoints, for a server of the application. The guard believes the `Host` header.
    pub fn router(&self) -> Router {
        let shared = &self.0;
        let routes = api::routes().into_iter().chain(page::routes());
        let mut router = Router::new();
        for Route { path, access, handler, .. } in routes {
            let handler = match access {
                Access::Guarded => handler.layer(from_fn_with_state(Arc::clone(shared), guard)),
                Access::Intake | Access::Open => handler,
            };
            router = router.route(path, handler);
        }
        router
            .fallback(async || {
                ApiError::new(StatusCode::NOT_FOUND, "there is no such path: see /api/openapi.json")
            })
            .method_not_allowed_fallback(async || {
                ApiError::new(
                    StatusCode::METHOD_NOT_ALLOWED,
                    "there is no such method: see /api/openapi.json",
                )
            })
            .layer(from_fn(protect))
            .with_state(Arc::clone(shared))
    }

    /// Serves until [`stop`](Self::stop) is called.
    ///
    /// # Errors
    ///
    /// If other machines can reach the address, but there is no token or are no keys.
    pub async fn serve(&self, listener: TcpListener) -> Result<(), ServeError> {
        let address = listener.local_addr()?;
        if !address.ip().is_loopback() {
            if self.0.guard.token.is_none() {
                return Err(ServeError::Unprotected("set COLLECTOR_TOKEN, for the page and the API"));
            }
            if self.0.rules.app_key.is_none() || self.0.rules.api_key.is_none() {
                return Err(ServeError::Unprotected(
                    "set COLLECTOR_APP_KEY and COLLECTOR_API_KEY, the only ones that are accepted",
                ));
            }
        }
        let _ = self.0.address.set(address.to_string());
        let mut stop = self.0.stop.subscribe();
        let mut cut_off = self.0.stop.subscribe();
        let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
        let server = axum::serve(listener, self.router()).with_graceful_shutdown(async move {
            let _ = stop.wait_for(|is_stopped| *is_stopped).await;
        });
        tokio::select! {
            served = server.into_future() => served?,
            () = async move {
                let _ = cut_off.wait_for(|is_stopped| *is_stopped).await;
                tokio::time::sleep(GRACE).await;
            } => {}
        }
        Ok(())
    }

    /// Ends event streams, waits and servers.
    pub fn stop(&self) {
        self.0.stop.send_replace(true);
    }

    /// The reports.
    #[must_use]
    pub fn store(&self) -> &dyn Store {
        &*self.0.store
    }
}

async fn guard(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    if let Err((status, reason)) = shared.guard.check(&parts) {
        if parts.uri.path().starts_with("/api") {
            return ApiError::new(status, reason).into_response();
        }
        let text = [(CONTENT_TYPE, "text/plain; charset=utf-8")];
        return (status, text, format!("{reason}\n")).into_response();
    }
    next.run(Request::from_parts(parts, body)).await
}

/// Adds headers that forbid a browser everything that the page does not need.
async fn protect(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.entry(CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(page::POLICY));
    for (name, value) in [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
