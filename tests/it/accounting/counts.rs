//! Promises 3 and 4: what is held is bounded, and every exchange is counted once, however it ended.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};

use axum::body::{Body, Bytes};
use axum::http::{Request, Response, StatusCode};
use futures_util::{StreamExt, stream};
use http_body_util::BodyExt;
use tower::{Layer, ServiceExt, service_fn};
use tower_reconify::{
    Config, ConfigBuilder, DeliveryError, DropReason, Interaction, InteractionKind, Limits, ReconifyLayer,
    Report, RequestBody, ResponseBody, WithholdReason,
};

use crate::support::{
    self, ANSWER, PATIENCE, assert_accounted, chat, events, exchange, json, observed, observed_with,
};

type Answer = Result<Response<Body>, &'static str>;

fn answering(
    answer: impl Fn() -> Answer + Send + 'static,
) -> impl tower::Service<
    Request<RequestBody<Body>>,
    Response = Response<Body>,
    Error = &'static str,
    Future = std::future::Ready<Answer>,
> + Send {
    service_fn(move |_| std::future::ready(answer()))
}

#[tokio::test]
async fn a_refusal_and_a_failure_are_withheld() {
    let mut observed = observed();
    for status in [400, 401, 404, 429, 500, 302] {
        let mut response = json(r#"{"error":{"message":"no"}}"#);
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        exchange(&observed, chat(), response).await;
    }
    let failing = observed.layer.layer(answering(|| Err("no answer")));
    assert_eq!(failing.oneshot(chat()).await.unwrap_err(), "no answer");
    let (reports, stats) = observed.settle().await;
    assert!(reports.is_empty());
    assert_eq!((stats.withheld(WithholdReason::Refused), stats.withheld(WithholdReason::Failed)), (6, 1));
    assert_accounted(&stats);
}

#[tokio::test]
async fn a_response_that_the_caller_leaves_is_reported_with_everything_that_had_arrived() {
    let mut observed = observed();
    let endless = || {
        let first = stream::iter([Ok::<_, Infallible>(Bytes::from(
            "data: {\"choices\":[{\"delta\":{\"content\":\"Hel\"}}]}\n\n",
        ))]);
        Ok(Response::new(Body::from_stream(first.chain(stream::pending()))))
    };
    let response = observed.layer.layer(answering(endless)).oneshot(chat()).await.unwrap();
    let mut body = response.into_body();
    body.frame().await.unwrap().unwrap();
    drop(body);
    let report = observed.report().await;
    let choice = &report["response"]["choices"][0];
    assert_eq!(
        (&choice["message"]["content"], &choice["finish_reason"]),
        (&"Hel".into(), &serde_json::Value::Null)
    );
}

#[tokio::test]
async fn a_caller_that_leaves_before_the_answer_is_one_exchange() {
    let mut observed = observed();
    let silent = service_fn(|_: Request<RequestBody<Body>>| std::future::pending::<Answer>());
    let waiting = observed.layer.layer(silent).oneshot(chat());
    assert!(futures_util::future::poll_immediate(waiting).await.is_none());
    let (reports, stats) = observed.settle().await;
    assert_eq!(reports.len(), 1);
    assert_eq!(reports[0]["response"], serde_json::json!({"choices": []}));
    assert_accounted(&stats);
}

#[tokio::test]
async fn a_response_that_breaks_off_is_reported_with_everything_that_had_arrived() {
    let mut observed = observed();
    let broken = || {
        let frames =
            [Ok(Bytes::from("data: {\"choices\":[{\"delta\":{\"content\":\"Hel\"}}]}\n\nda")), Err("reset")];
        Ok(Response::new(Body::from_stream(stream::iter(frames))))
    };
    let response = observed.layer.layer(answering(broken)).oneshot(chat()).await.unwrap();
    assert!(response.into_body().collect().await.is_err());
    assert_eq!(observed.report().await["response"]["choices"][0]["message"]["content"], "Hel");
}

#[tokio::test]
async fn a_request_body_that_outlives_the_answer_is_waited_for() {
    let mut observed = observed();
    let (bodies, mut kept) = tokio::sync::mpsc::unbounded_channel();
    let early = service_fn(move |request: Request<RequestBody<Body>>| {
        bodies.send(request.into_body()).unwrap();
        std::future::ready(Ok::<_, Infallible>(json(ANSWER)))
    });
    let response = observed.layer.layer(early).oneshot(chat()).await.unwrap();
    response.into_body().collect().await.unwrap();
    assert_eq!(observed.settle().await.1.pending, 1, "the request is still being sent");
    let request = kept.recv().await.unwrap();
    std::thread::spawn(move || drop(request)).join().unwrap();
    let report = observed.report().await;
    assert_eq!(report["request"]["messages"], serde_json::json!([]), "it was never read");
}

#[tokio::test]
async fn beyond_the_limit_of_items_the_newest_report_is_dropped_and_the_exchange_goes_on() {
    let layer = hanging(Config::builder("a", "b").limits(Limits { items: 1, ..Limits::default() }));
    let whole = async |response: Response<ResponseBody<Body>>| {
        response.into_body().collect().await.unwrap().to_bytes()
    };
    // Held open, it takes up no place.
    let held = support::begin(&layer, json(ANSWER)).await;
    assert_eq!(whole(support::begin(&layer, json(ANSWER)).await).await, ANSWER);
    assert_eq!(whole(support::begin(&layer, json(ANSWER)).await).await, ANSWER);
    let stats = layer.reporter().stats();
    assert_eq!((stats.captured, stats.pending, stats.dropped(DropReason::TooManyItems)), (3, 2, 1));
    assert_eq!(whole(held).await, ANSWER);
    let stats = layer.reporter().stats();
    assert_eq!((stats.pending, stats.dropped(DropReason::TooManyItems)), (1, 2), "it needs one as it ends");
    assert_accounted(&stats);
}

/// A layer whose collector never answers.
fn hanging(config: ConfigBuilder) -> ReconifyLayer {
    let transport = service_fn(|_: Report| std::future::pending::<Result<(), Infallible>>());
    ReconifyLayer::with_transport(config.build().unwrap(), transport)
}

#[tokio::test]
async fn beyond_the_limit_of_bytes_the_newest_report_is_dropped_and_the_exchange_goes_on() {
    let mut observed = observed_with(
        Config::builder("a", "b").limits(Limits { bytes: 4_000, ..Limits::default() }).build().unwrap(),
    );
    let long = format!("{ANSWER}{}", " ".repeat(2_000));
    assert_eq!(exchange(&observed, chat(), json(long.clone())).await, long);
    observed.settle().await;
    exchange(&observed, chat(), json(ANSWER)).await;
    let (reports, stats) = observed.settle().await;
    assert_eq!((reports.len(), stats.dropped(DropReason::TooManyBytes)), (1, 1));
    assert_accounted(&stats);
    assert_eq!(stats.bytes_held, 0);
}

#[tokio::test]
async fn what_is_reported_by_hand_is_captured_and_delivered() {
    let mut observed = observed();
    let interaction =
        Interaction::new(InteractionKind::Assistant, &serde_json::json!({"role": "user"}), &[1, 2]).unwrap();
    observed.layer.reporter().report(interaction);
    let (reports, stats) = observed.settle().await;
    assert_eq!(reports[0]["reconify"]["type"], "assistant");
    assert_eq!(reports[0]["response"], serde_json::json!([1, 2]));
    assert_eq!((stats.captured, stats.delivered), (1, 1));
}

#[tokio::test]
async fn a_transport_that_panics_costs_the_report_and_not_the_worker() {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let layer = ReconifyLayer::with_transport(
        support::config(),
        service_fn(|_: Report| {
            let turn = COUNT.fetch_add(1, SeqCst);
            assert_ne!(turn, 0, "a panic in call, on purpose");
            async move {
                assert_ne!(turn, 1, "a panic in the future, on purpose");
                Ok::<_, Infallible>(())
            }
        }),
    );
    for _ in 0..3 {
        let service = layer.layer(answering(|| Ok(json(ANSWER))));
        service.oneshot(chat()).await.unwrap().into_body().collect().await.unwrap();
        let flushed = layer.reporter().flush(PATIENCE).await;
        assert_eq!(flushed.pending, 0);
    }
    let stats = layer.reporter().stats();
    assert_eq!((stats.delivered, stats.dropped(DropReason::Panicked)), (1, 2));
    assert_accounted(&stats);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn captured_is_the_sum_of_all_counts_at_rest_and_no_snapshot_shows_more() {
    const TASKS: u64 = 8;
    const EXCHANGES: u64 = 1_000;
    let layer = ReconifyLayer::with_transport(
        Config::builder("a", "b").limits(Limits { items: 200, ..Limits::default() }).build().unwrap(),
        service_fn(async |report: Report| match report.id().as_u128() % 20 {
            0 => Err(DeliveryError::rejected()),
            _ => Ok(()),
        }),
    );
    let is_over = Arc::new(AtomicBool::new(false));
    let watcher = {
        let (reporter, is_over) = (layer.reporter(), Arc::clone(&is_over));
        std::thread::spawn(move || {
            while !is_over.load(SeqCst) {
                let stats = reporter.stats();
                assert!(stats.settled() + stats.unsettled() <= stats.captured, "{stats}");
            }
        })
    };
    let tasks = (0..TASKS).map(|_| {
        let layer = layer.clone();
        tokio::spawn(async move {
            for i in 0..EXCHANGES {
                let service = layer.layer(answering(move || match i % 7 {
                    0 => Err("failed"),
                    1 => Ok(Response::builder().status(500).body(Body::empty()).unwrap()),
                    _ => Ok(events(&["{}", "[DONE]"])),
                }));
                if let Ok(response) = service.oneshot(chat()).await
                    && i % 3 > 0
                {
                    response.into_body().collect().await.unwrap();
                }
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    assert_eq!(layer.reporter().flush(PATIENCE).await.pending, 0);
    is_over.store(true, SeqCst);
    watcher.join().unwrap();
    let stats = layer.reporter().stats();
    assert_eq!((stats.captured, stats.pending, stats.bytes_held), (TASKS * EXCHANGES, 0, 0), "{stats}");
    assert_accounted(&stats);
    assert!(stats.delivered > 0 && stats.withheld_total() > 0, "{stats}");
}
