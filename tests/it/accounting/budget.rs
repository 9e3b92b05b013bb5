//! Promise 3: exchanges that somebody keeps from ending do not keep others from being reported.

use std::convert::Infallible;

use axum::body::{Body, Bytes};
use axum::http::{Request, Response};
use futures_util::{StreamExt, stream};
use http_body_util::BodyExt;
use tower::{Layer, ServiceExt, service_fn};
use tower_reconify::{DropReason, ReconifyLayer, RequestBody};

use crate::support::{self, ANSWER, Observed, chat, exchange, observed};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// A request that stalls after a number of bytes, in frames as a connection yields them.
async fn stall(layer: &ReconifyLayer, bytes: usize) -> RequestBody<Body> {
    let frames = (0..bytes.div_ceil(16 * KIB)).map(move |frame| {
        let length = (bytes - frame * 16 * KIB).min(16 * KIB);
        Ok::<_, Infallible>(Bytes::from(vec![b' '; length]))
    });
    let body = Body::from_stream(stream::iter(frames).chain(stream::pending()));
    let (bodies, mut kept) = tokio::sync::mpsc::unbounded_channel();
    let service = layer.layer(service_fn(move |request: Request<RequestBody<Body>>| {
        bodies.send(request.into_body()).unwrap();
        std::future::ready(Ok::<_, Infallible>(Response::new(Body::empty())))
    }));
    drop(service.oneshot(chat().map(|_| body)).await.unwrap());
    let mut body = kept.recv().await.unwrap();
    let mut left = bytes;
    while left > 0 {
        left -= body.frame().await.unwrap().unwrap().into_data().unwrap().len();
    }
    body
}

/// Asserts that others are reported.
async fn assert_reported(observed: &mut Observed, exchanges: u64) {
    let before = observed.layer.reporter().stats();
    // A few at a time: a worker that is awake looks for exchanges now and then.
    for _ in 0..exchanges.div_ceil(10) {
        for _ in 0..10 {
            exchange(observed, chat(), support::json(ANSWER)).await;
        }
        for _ in 0..10 {
            observed.report().await;
        }
    }
    let stats = observed.layer.reporter().stats();
    assert_eq!(stats.dropped_total(), before.dropped_total(), "{stats}");
}

#[tokio::test]
async fn uploads_that_stall_leave_room_for_other_exchanges() {
    let mut observed = observed();
    let mut held = Vec::new();
    for (uploads, bytes) in [(4, 16_600_000), (12, 60_000), (40, 8_000), (94, 900)] {
        for _ in 0..uploads {
            held.push(stall(&observed.layer, bytes).await);
        }
    }
    assert_reported(&mut observed, 100).await;
    drop(held);
    let stats = support::at_rest(&observed.layer).await;
    assert_eq!(stats.dropped(DropReason::TooManyBytes), 2, "two large ones had room: {stats}");
}

/// The numbers that docs/GUARANTEES.md states: 2 bodies of just under 16 MiB, 16 of just under 1 MiB, about 250 of 64 KiB. The
/// loop at the end fills what is left with open exchanges that have no body.
#[tokio::test]
async fn as_many_stalled_uploads_silence_the_layer_as_the_guarantees_say() {
    let mut observed = observed();
    let mut held = Vec::new();
    // Half of the budget, a quarter, and all but a little of the rest.
    for (uploads, bytes) in [(2, 16 * MIB - 8 * KIB), (16, MIB - 8 * KIB), (240, 64 * KIB)] {
        for _ in 0..uploads {
            held.push(stall(&observed.layer, bytes).await);
        }
        assert_reported(&mut observed, 10).await;
    }
    // None of them had to give up yet. What was reported is settled a moment later.
    while observed.layer.reporter().stats().delivered < 30 {
        tokio::task::yield_now().await;
    }
    let stats = observed.layer.reporter().stats();
    assert_eq!((stats.pending, stats.dropped_total()), (258, 0), "{stats}");
    for _ in 0..20 {
        held.push(stall(&observed.layer, 64 * KIB).await);
    }
    while observed.layer.reporter().stats().dropped_total() == 0 {
        held.push(stall(&observed.layer, 0).await);
        assert!(held.len() < 400);
    }
    let stats = observed.layer.reporter().stats();
    assert!(stats.bytes_held as usize > 64 * MIB - 4 * KIB, "{stats}");
}

#[tokio::test]
async fn open_requests_do_not_count_toward_the_limit_of_items() {
    let mut observed = observed();
    let silent = observed.layer.layer(service_fn(|_: Request<RequestBody<Body>>| {
        std::future::pending::<Result<Response<Body>, Infallible>>()
    }));
    let mut held = Vec::new();
    for _ in 0..15_000 {
        let mut waiting = Box::pin(silent.clone().oneshot(chat()));
        assert!(futures_util::poll!(waiting.as_mut()).is_pending());
        held.push(waiting);
    }
    assert_eq!(observed.layer.reporter().stats().pending, 15_000, "more than there are places");
    assert_reported(&mut observed, 200).await;
}

#[tokio::test]
async fn requests_that_are_held_open_beyond_the_budget_are_dropped_and_counted() {
    let observed = observed();
    let silent = observed.layer.layer(service_fn(|_: Request<RequestBody<Body>>| {
        std::future::pending::<Result<Response<Body>, Infallible>>()
    }));
    let mut held = Vec::new();
    for _ in 0..33_000 {
        let mut waiting = Box::pin(silent.clone().oneshot(chat()));
        assert!(futures_util::poll!(waiting.as_mut()).is_pending());
        held.push(waiting);
    }
    let stats = observed.layer.reporter().stats();
    let most = (64 * MIB / (2 * KIB)) as u64;
    assert_eq!((stats.pending, stats.dropped(DropReason::TooManyBytes)), (most, 33_000 - most), "{stats}");
    assert!(stats.bytes_held as usize <= 64 * MIB);
    drop(held);
    let stats = support::at_rest(&observed.layer).await;
    assert_eq!(stats.captured, 33_000);
}
