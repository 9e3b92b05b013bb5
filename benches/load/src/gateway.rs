//! The gateway: passes requests on to the upstream, with one or another way of reporting them.

use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::atomic::Ordering;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::serve::ListenerExt;
use http::header::{CONNECTION, HOST, TRANSFER_ENCODING};
use http::{StatusCode, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use outlet::{RequestLoggerConfig, RequestLoggerLayer};
use tokio::net::TcpListener;
use tower::util::MapRequestLayer;
use tower_reconify::{Config, Limits, ReconifyLayer, User};

use crate::spawning::{self, Poster};
use crate::{Error, child, posting};

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Variant {
    None,
    Reconify,
    Tutorial,
    Outlet,
    /// Which holds streams back until they are whole, and so writes fewer frames than came.
    SpawnAndPost,
    /// Which does not.
    TeeAndPost,
    /// No layer, and a thread beside that posts as many reports of its own.
    PostingOnly,
}

impl Variant {
    pub(crate) const ALL: [Self; 7] = [
        Self::None,
        Self::Reconify,
        Self::PostingOnly,
        Self::SpawnAndPost,
        Self::TeeAndPost,
        Self::Tutorial,
        Self::Outlet,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Reconify => "tower-reconify",
            Self::Tutorial => "tutorial",
            Self::Outlet => "outlet",
            Self::SpawnAndPost => "spawn-and-post",
            Self::TeeAndPost => "tee-and-post",
            Self::PostingOnly => "posting only",
        }
    }
}

impl FromStr for Variant {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let is_named = |variant: &Self| variant.name() == name;
        Self::ALL.into_iter().find(is_named).ok_or_else(|| format!("no variant {name}").into())
    }
}

#[tokio::main(worker_threads = 2)]
pub(crate) async fn run(
    variant: Variant,
    upstream: SocketAddr,
    collector: SocketAddr,
    is_roomy: bool,
) -> Result<(), Error> {
    let upstream = Upstream::new(upstream)?;
    let app = Router::new().route("/v1/chat/completions", post(forward)).with_state(upstream);
    let poster = Poster::new(collector)?;
    let mut counts: Box<dyn Fn() -> String + Send> = Box::new(|| "0 0 0 0".to_owned());
    let app = match variant {
        Variant::None => app,
        Variant::Reconify => {
            let mut config = Config::builder("app", "key").endpoint(format!("http://{collector}/track"));
            if is_roomy {
                config = config.limits(Limits { items: 4_000_000, bytes: 1 << 31, ..Limits::default() });
            }
            let layer = ReconifyLayer::new(config.build()?);
            let reporter = layer.reporter();
            counts = Box::new(move || {
                let stats = reporter.stats();
                format!("{} {} {} {}", stats.captured, stats.delivered, stats.dropped_total(), stats.pending)
            });
            app.layer(layer).layer(MapRequestLayer::new(|mut request: Request| {
                request.extensions_mut().insert(User::new("user-42"));
                request
            }))
        }
        Variant::PostingOnly => {
            let passed = posting::start(poster)?;
            app.layer(MapRequestLayer::new(move |request: Request| {
                passed.fetch_add(1, Ordering::Relaxed);
                request
            }))
        }
        Variant::Tutorial => app.layer(from_fn_with_state(poster, spawning::tutorial)),
        Variant::SpawnAndPost => app.layer(from_fn_with_state(poster, spawning::spawn_and_post)),
        Variant::TeeAndPost => app.layer(from_fn_with_state(poster, spawning::tee_and_post)),
        Variant::Outlet => {
            let config = RequestLoggerConfig {
                capture_request_body: true,
                capture_response_body: true,
                ..Default::default()
            };
            app.layer(RequestLoggerLayer::new(config, poster))
        }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    child::answer(listener.local_addr()?, counts);
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    Ok(axum::serve(listener, app).await?)
}

#[derive(Clone)]
struct Upstream {
    client: Client<HttpConnector, Body>,
    address: Uri,
}

impl Upstream {
    fn new(address: SocketAddr) -> Result<Self, Error> {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Ok(Self { client, address: format!("http://{address}/v1/chat/completions").parse()? })
    }
}

async fn forward(State(upstream): State<Upstream>, mut request: Request) -> Response {
    *request.uri_mut() = upstream.address.clone();
    request.headers_mut().remove(HOST);
    request.headers_mut().remove(CONNECTION);
    match upstream.client.request(request).await {
        Ok(mut response) => {
            response.headers_mut().remove(CONNECTION);
            response.headers_mut().remove(TRANSFER_ENCODING);
            response.into_response()
        }
        Err(_) => StatusCode::BAD_GATEWAY.into_response(),
    }
}
