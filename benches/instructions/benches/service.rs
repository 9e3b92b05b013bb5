//! What the layer adds on the caller's task, around a service that answers from memory.

mod caller;

use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tower::{Layer, Service, service_fn};
use tower_http::trace::TraceLayer;

use caller::drive::{Asked, Variant};
use caller::frames::{Frames, drain};
use caller::scenario::Scenario;

fn main() {
    let Some(asked) = Asked::on_the_command_line() else { return };
    let request = Scenario::request;
    let inner = asked.scenario.clone();
    match asked.variant {
        Variant::Bare => asked.run(&memory(inner), request),
        Variant::Wrapped => asked.refuse(),
        Variant::Trace => asked.run(&TraceLayer::new_for_http().layer(memory(inner)), request),
        Variant::Reconify => asked.run_reported(|layer| layer.layer(memory(inner)), request),
    }
}

/// A service that reads the request and answers.
fn memory<B>(
    scenario: Scenario,
) -> impl Service<Request<B>, Response = Response<Frames>, Error = Infallible> + Clone
where
    B: Body<Data = Bytes>,
{
    service_fn(move |request: Request<B>| {
        let response = scenario.response();
        async move {
            drain(request.into_body()).await;
            Ok(response)
        }
    })
}
