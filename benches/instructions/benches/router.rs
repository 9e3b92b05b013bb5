//! What the layer adds on the caller's task, inside a router of axum's.

mod caller;

use std::convert::identity;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::routing::post;
use http::Request;
use http_body_util::BodyExt;
use tower_http::map_request_body::MapRequestBodyLayer;
use tower_http::map_response_body::MapResponseBodyLayer;
use tower_http::trace::TraceLayer;

use caller::drive::{Asked, Variant};
use caller::frames::drain;
use caller::scenario::Scenario;

/// With a state a router is as `axum::serve` has it: its routes are made once.
fn main() {
    let Some(asked) = Asked::on_the_command_line() else { return };
    let request = |scenario: &Scenario| scenario.request().map(Body::new);
    let router = router(asked.scenario.clone());
    match asked.variant {
        Variant::Bare => asked.run(&router.with_state(()), request),
        Variant::Wrapped => {
            let bodies = (
                MapResponseBodyLayer::new(|body: Body| body.map_err(identity)),
                MapRequestBodyLayer::new(|body: Body| body.map_err(identity)),
            );
            asked.run(&router.layer(bodies).with_state(()), request);
        }
        Variant::Trace => asked.run(&router.layer(TraceLayer::new_for_http()).with_state(()), request),
        Variant::Reconify => asked.run_reported(|layer| router.layer(layer).with_state(()), request),
    }
}

/// A router whose handler reads the request and answers.
fn router(scenario: Scenario) -> Router {
    let path = scenario.path;
    // What handlers hold is usually shared: they are cloned for each call of a layer around them.
    let scenario = Arc::new(scenario);
    let handler = async move |request: Request<Body>| {
        drain(request.into_body()).await;
        scenario.response().map(Body::new)
    };
    Router::new().route(path, post(handler))
}
