//! Promise 4: however an exchange ends, it is one interaction, and its report can say how.

use std::convert::Infallible;
use std::future::Ready;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Request, Response};
use futures_util::{FutureExt, StreamExt, stream};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use serde_json::{Value, json};
use tower::{Layer, ServiceExt, service_fn};
use tower_reconify::{Config, DoNotReport, Interaction, InteractionKind, RequestBody, Tags};

use crate::support::{self, ANSWER, Observed, begin, chat, events, exchange, observed_with};

fn observed() -> Observed {
    observed_with(Config::builder("a", "b").report_failures(true).metadata(true).build().unwrap())
}

fn refusal(status: u16, body: &'static str) -> Response<Body> {
    let mut response = support::json(body);
    *response.status_mut() = status.try_into().unwrap();
    response
}

const EVENT: &str = r#"{"choices":[{"index":0,"delta":{"content":"Hel"}}]}"#;

fn stream_of(frames: Vec<Result<Bytes, &'static str>>) -> Response<Body> {
    Response::new(Body::from_stream(stream::iter(frames)))
}

#[tokio::test]
async fn without_the_setting_a_report_has_no_metadata() {
    let mut observed = support::observed();
    exchange(&observed, chat(), support::json(ANSWER)).await;
    assert_eq!(observed.report().await.get("metadata"), None);
}

#[tokio::test]
async fn metadata_says_what_is_known_beside_the_content() {
    let mut observed = observed();
    let mut request = chat();
    request.extensions_mut().insert(Tags::new().with("tenant", "acme"));
    let mut response = support::json(ANSWER);
    response.headers_mut().insert("x-request-id", "req_1".parse().unwrap());
    exchange(&observed, request, response).await;
    let mut metadata = observed.report().await["metadata"].take();
    let fields = metadata.as_object_mut().unwrap();
    assert_eq!(fields.remove("id").unwrap().as_str().unwrap().len(), 36);
    assert!(fields.remove("reporter").unwrap().is_object());
    assert!(fields.remove("durationMs").unwrap().is_u64());
    assert_eq!(
        metadata,
        json!({
            "outcome": "answered", "endpoint": "chat", "status": 200, "requestId": "req_1", "streamed": false, "chunks": 0,
            "timeToFirstTokenMs": null, "truncated": false, "skipped": 0, "tags": {"tenant": "acme"},
        })
    );
}

#[tokio::test]
async fn the_metadata_tell_a_reader_how_many_reports_never_came() {
    let mut observed = observed();
    let mut told = Vec::new();
    for skipped in [false, true, true, false] {
        let mut request = chat();
        if skipped {
            request.extensions_mut().insert(DoNotReport);
        }
        exchange(&observed, request, support::json(ANSWER)).await;
        if !skipped {
            told.push(observed.report().await["metadata"]["reporter"].take());
        }
    }
    let process = told[0]["process"].clone();
    assert_eq!(process.as_str().unwrap().len(), 36);
    let counts = |captured: u64, withheld: u64| json!({"process": process, "captured": captured, "dropped": 0, "withheld": withheld});
    assert_eq!(told, [counts(1, 0), counts(4, 2)]);
}

#[tokio::test]
async fn a_stream_has_its_chunks_and_the_time_to_its_first_token() {
    let mut observed = observed();
    let role = r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}"#;
    exchange(&observed, chat(), events(&[role, EVENT, EVENT, "[DONE]"])).await;
    let metadata = observed.report().await["metadata"].take();
    assert_eq!((&metadata["streamed"], &metadata["chunks"]), (&json!(true), &json!(3)));
    assert!(metadata["timeToFirstTokenMs"].as_u64().unwrap() <= metadata["durationMs"].as_u64().unwrap());
}

#[tokio::test]
async fn the_role_of_a_stream_is_not_its_first_token() {
    let mut observed = observed();
    let role = r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null,"tool_calls":[]}}]}"#;
    exchange(&observed, chat(), events(&[role, "[DONE]"])).await;
    assert_eq!(observed.report().await["metadata"]["timeToFirstTokenMs"], Value::Null);
}

/// The time is taken when the frame passes, however late the stream is read to its end.
#[tokio::test]
async fn the_first_token_is_timed_by_its_frame() {
    let mut observed = observed();
    let event = |data: &str| Ok(Bytes::from(format!("data: {data}\n\n")));
    let response = begin(&observed.layer, stream_of(vec![event(EVENT), event("[DONE]")])).await;
    let mut body = response.into_body();
    body.frame().await.unwrap().unwrap();
    let frame_passed = std::time::Instant::now();
    while frame_passed.elapsed() < Duration::from_millis(30) {
        tokio::task::yield_now().await;
    }
    body.collect().await.unwrap();
    let metadata = observed.report().await["metadata"].take();
    let (first, whole) =
        (metadata["timeToFirstTokenMs"].as_u64().unwrap(), metadata["durationMs"].as_u64().unwrap());
    assert!(first + 29 <= whole, "{metadata}");
}

#[tokio::test]
async fn a_refusal_is_reported_with_the_error_that_was_answered() {
    let mut observed = observed();
    let error = r#"{"error":{"message":"no","type":"invalid_request_error","param":null,"code":null}}"#;
    exchange(&observed, chat(), refusal(400, error)).await;
    let report = observed.report().await;
    assert_eq!(report["response"], serde_json::from_str::<Value>(error).unwrap());
    assert_eq!(
        (&report["metadata"]["outcome"], &report["metadata"]["status"]),
        (&json!("refused"), &json!(400))
    );
}

#[tokio::test]
async fn a_refusal_without_an_error_in_it_gets_one() {
    for body in ["", "<html>", "{}", "[1]", "null"] {
        let mut observed = observed();
        exchange(&observed, chat(), refusal(503, body)).await;
        let report = observed.report().await;
        let error = json!({"type": "refused", "message": "The service answered with status 503."});
        assert_eq!(report["response"], json!({"error": error, "choices": []}), "{body}");
    }
}

#[tokio::test]
async fn a_refusal_in_the_shape_of_a_compatible_server_stays_as_it_was() {
    for body in
        [r#"{"object":"error","message":"bad"}"#, r#"[{"error":{"code":400}}]"#, r#"{"detail":[{"loc":[]}]}"#]
    {
        let mut observed = observed();
        exchange(&observed, chat(), refusal(400, body)).await;
        assert_eq!(observed.report().await["response"], serde_json::from_str::<Value>(body).unwrap());
    }
}

#[tokio::test]
async fn a_failure_is_reported_as_an_error() {
    let mut observed = observed();
    let failing =
        service_fn(async |_: Request<RequestBody<Body>>| Err::<Response<Body>, _>("SECRET of the error"));
    observed.layer.layer(failing).oneshot(chat()).await.unwrap_err();
    let report = observed.report().await;
    assert_eq!(
        (&report["metadata"]["outcome"], &report["metadata"]["status"]),
        (&json!("failed"), &Value::Null)
    );
    assert_eq!(report["response"]["error"]["type"], "no_response");
    assert!(!report.to_string().contains("SECRET"), "nobody knows what is in a service's error");
}

#[tokio::test]
async fn interrupted_and_abandoned_answers_are_told_apart() {
    let event = || Ok(Bytes::from(format!("data: {EVENT}\n\n")));
    let finish =
        || Ok(Bytes::from("data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"));
    let done = || Ok(Bytes::from("data: [DONE]\n\n"));
    let error = || Ok(Bytes::from("data: {\"error\":{\"message\":\"overloaded\"}}\n\n"));
    // The frames, how many of them the caller reads before it leaves, and the outcome.
    for (frames, read, outcome) in [
        (vec![event(), Err("reset")], 3, "interrupted"),
        (vec![event(), error(), done()], 4, "interrupted"),
        (vec![event(), error()], 2, "interrupted"),
        (vec![event(), event(), done()], 1, "abandoned"),
        (vec![event(), event()], 0, "abandoned"),
        (vec![event(), done(), event()], 2, "answered"),
        (vec![event(), event()], 3, "interrupted"),
        (vec![event(), finish(), Err("reset")], 3, "interrupted"),
        (vec![event(), finish(), event()], 2, "answered"),
        (vec![event(), done(), Err("reset")], 3, "answered"),
    ] {
        let mut observed = observed();
        let mut body = begin(&observed.layer, stream_of(frames.clone())).await.into_body();
        for _ in 0..read {
            let _ = body.frame().await;
        }
        drop(body);
        assert_eq!(observed.report().await["metadata"]["outcome"], outcome, "{read} of {frames:?}");
    }
}

#[tokio::test]
async fn a_caller_that_leaves_before_the_answer_has_abandoned_it() {
    let mut observed = observed();
    let silent = service_fn(|_: Request<RequestBody<Body>>| {
        std::future::pending::<Result<Response<Body>, Infallible>>()
    });
    assert!(
        futures_util::future::poll_immediate(observed.layer.layer(silent).oneshot(chat())).await.is_none()
    );
    let metadata = observed.report().await["metadata"].take();
    assert_eq!((&metadata["outcome"], &metadata["status"]), (&json!("abandoned"), &Value::Null));
}

/// Servers stop polling a body when they have written as many bytes as `content-length` says.
#[tokio::test]
async fn a_body_that_is_dropped_at_its_last_byte_was_answered() {
    let mut observed = observed();
    let frames = [Ok::<_, Infallible>(Bytes::from(ANSWER))];
    let body = Body::from_stream(stream::iter(frames).chain(stream::pending()));
    let response = Response::builder().header("content-length", ANSWER.len()).body(body).unwrap();
    let mut body = begin(&observed.layer, response).await.into_body();
    body.frame().await.unwrap().unwrap();
    drop(body);
    assert_eq!(observed.report().await["metadata"]["outcome"], "answered");
}

#[tokio::test]
async fn an_answer_without_a_body_is_answered_though_nobody_reads_it() {
    let mut observed = observed();
    drop(begin(&observed.layer, Response::new(Body::empty())).await);
    assert_eq!(observed.report().await["metadata"]["outcome"], "answered");
}

/// A body that ends in trailers, as hyper's do: it does not say that it is at its end.
fn with_trailers(frames: &[&'static str]) -> Response<Body> {
    let frames = frames.iter().map(|frame| Frame::data(Bytes::from_static(frame.as_bytes())));
    let frames: Vec<_> = frames.chain([Frame::trailers(HeaderMap::new())]).collect();
    let frames = stream::iter(frames.into_iter().map(Ok::<_, Infallible>));
    Response::new(Body::new(StreamBody::new(frames.chain(stream::pending()))))
}

/// Nothing can follow trailers: a server that has passed them on drops the body.
#[tokio::test]
async fn trailers_end_an_answer() {
    let event = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hel\"}}]}\n\n";
    let last = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
    for frames in [vec![ANSWER], vec![], vec![event, last]] {
        let mut observed = observed();
        let mut body = begin(&observed.layer, with_trailers(&frames)).await.into_body();
        while body.frame().await.unwrap().unwrap().is_data() {}
        drop(body);
        assert_eq!(observed.report().await["metadata"]["outcome"], "answered", "{frames:?}");
    }
}

#[tokio::test]
async fn trailers_end_a_request() {
    let mut observed = observed();
    let stops_there = service_fn(async |request: Request<RequestBody<Body>>| {
        let mut body = request.into_body();
        while body.frame().await.unwrap().unwrap().is_data() {}
        Ok::<_, Infallible>(support::json(ANSWER))
    });
    let request = chat().map(|_| with_trailers(&["{\"messages\""]).into_body());
    observed.layer.layer(stops_there).oneshot(request).await.unwrap().into_body().collect().await.unwrap();
    let report = observed.report().await;
    assert_eq!(report["request"]["bytes"], 11, "all that was sent: {report}");
    assert_eq!(report["metadata"]["truncated"], false);
}

/// Runs what panics, and returns what it panicked with.
async fn panic_of<T>(run: impl Future<Output = T>) -> String {
    let panicked = AssertUnwindSafe(run).catch_unwind().await.map(|_| "nothing").unwrap_err();
    *panicked.downcast::<String>().expect("it passes on unchanged")
}

/// Panics without a message in the output of the test.
fn panic(with: &str) -> ! {
    resume_unwind(Box::new(with.to_owned()))
}

#[tokio::test]
async fn a_handler_that_panics_has_failed_and_the_panic_passes_on() {
    let mut observed = observed();
    let later = observed.layer.layer(service_fn(async |_: Request<RequestBody<Body>>| {
        tokio::task::yield_now().await;
        if true { panic("in poll") } else { Ok::<_, Infallible>(support::json(ANSWER)) }
    }));
    assert_eq!(panic_of(later.oneshot(chat())).await, "in poll");
    let report = observed.report().await;
    assert_eq!(report["metadata"]["outcome"], "failed", "{report}");
    assert_eq!(report["response"]["error"]["type"], "no_response");

    let at_once = observed.layer.layer(service_fn(
        |_: Request<RequestBody<Body>>| -> Ready<Result<Response<Body>, Infallible>> { panic("in call") },
    ));
    assert_eq!(panic_of(at_once.oneshot(chat())).await, "in call");
    assert_eq!(observed.report().await["metadata"]["outcome"], "failed");
    assert_eq!(observed.settle().await.1.captured, 2);
}

#[tokio::test]
async fn a_client_that_panics_has_failed_and_the_panic_passes_on() {
    let mut observed = observed();
    let request = || {
        let url = "http://127.0.0.1:9/v1/chat/completions".parse().unwrap();
        reqwest::Request::new(reqwest::Method::POST, url)
    };
    let later = observed.layer.layer(service_fn(async |_: reqwest::Request| {
        tokio::task::yield_now().await;
        if true { panic("in poll") } else { Err::<reqwest::Response, _>("nothing else") }
    }));
    assert_eq!(panic_of(later.oneshot(request())).await, "in poll");
    assert_eq!(observed.report().await["metadata"]["outcome"], "failed");

    let at_once = observed.layer.layer(service_fn(
        |_: reqwest::Request| -> Ready<Result<reqwest::Response, Infallible>> { panic("in call") },
    ));
    assert_eq!(panic_of(at_once.oneshot(request())).await, "in call");
    assert_eq!(observed.report().await["metadata"]["outcome"], "failed");
}

/// A caller that panics is none of the service's business.
#[tokio::test]
async fn a_caller_that_panics_while_it_waits_has_abandoned_the_answer() {
    let mut observed = observed();
    let silent = observed.layer.layer(service_fn(|_: Request<RequestBody<Body>>| {
        std::future::pending::<Result<Response<Body>, Infallible>>()
    }));
    let waiting = async {
        let mut answer = std::pin::pin!(silent.oneshot(chat()));
        assert!(futures_util::poll!(answer.as_mut()).is_pending());
        panic("elsewhere")
    };
    assert_eq!(panic_of::<()>(waiting).await, "elsewhere");
    assert_eq!(observed.report().await["metadata"]["outcome"], "abandoned");
}

#[tokio::test]
async fn an_answer_whose_body_panics_is_interrupted_and_the_panic_passes_on() {
    let mut observed = observed();
    let event = Bytes::from(format!("data: {EVENT}\n\n"));
    let frames = stream::iter([Ok::<_, Infallible>(event)]).chain(stream::poll_fn(|_| panic("in a body")));
    let body = begin(&observed.layer, Response::new(Body::from_stream(frames))).await.into_body();
    assert_eq!(panic_of(body.collect()).await, "in a body");
    let report = observed.report().await;
    assert_eq!(report["metadata"]["outcome"], "interrupted");
    assert_eq!(report["response"]["choices"][0]["message"]["content"], "Hel");
}

/// A service that answers once it has read a number of frames of a request.
async fn half_read(frames: &[&'static str], read: usize, length: Option<usize>) -> Value {
    let mut observed = observed();
    let early = service_fn(async |request: Request<RequestBody<Body>>| {
        let mut body = request.into_body();
        for _ in 0..read {
            body.frame().await;
        }
        Ok::<_, Infallible>(support::json(ANSWER))
    });
    let frames: Vec<_> =
        frames.iter().map(|frame| Ok::<_, Infallible>(Bytes::from_static(frame.as_bytes()))).collect();
    let mut request = chat().map(|_| Body::from_stream(stream::iter(frames)));
    if let Some(length) = length {
        request.headers_mut().insert("content-length", length.into());
    }
    observed.layer.layer(early).oneshot(request).await.unwrap().into_body().collect().await.unwrap();
    let (mut reports, stats) = observed.settle().await;
    assert_eq!(stats.truncated, u64::from(reports[0]["metadata"]["truncated"].as_bool().unwrap()));
    reports.remove(0)
}

#[tokio::test]
async fn a_request_that_is_read_in_part_is_marked_truncated() {
    let frames = ["{\"messages\":", "[]}"];
    for (read, length) in [(0, None), (1, None), (1, Some(15))] {
        let report = half_read(&frames, read, length).await;
        assert_eq!(report["request"]["truncated"]["bytes"], 12 * read, "{report}");
        assert_eq!(
            (&report["metadata"]["truncated"], &report["metadata"]["outcome"]),
            (&json!(true), &json!("answered"))
        );
    }
}

/// A reader of a JSON value need not poll again after its last byte.
#[tokio::test]
async fn a_request_that_is_read_to_its_last_byte_is_whole() {
    for (read, length) in [(2, None), (2, Some(15)), (3, None)] {
        let report = half_read(&["{\"messages\":", "[]}"], read, length).await;
        assert_eq!(report["request"], json!({"messages": []}));
        assert_eq!(report["metadata"]["truncated"], false);
    }
    let report = half_read(&["<html>"], 1, Some(6)).await;
    assert_eq!((&report["request"]["bytes"], &report["metadata"]["truncated"]), (&json!(6), &json!(false)));
}

#[tokio::test]
async fn interactions_reported_by_hand_have_metadata() {
    let mut observed = observed();
    let interaction = Interaction::new(InteractionKind::Assistant, &1, &2).unwrap();
    let interaction = interaction.at(std::time::UNIX_EPOCH, Duration::from_secs(2));
    observed.layer.reporter().report(interaction);
    let metadata = observed.report().await["metadata"].take();
    assert_eq!((&metadata["durationMs"], &metadata["endpoint"]), (&json!(2_000), &Value::Null));
}
