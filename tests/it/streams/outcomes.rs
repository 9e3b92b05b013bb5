//! Promise 4 where the end of a body says little: the events of a stream decide how the exchange ended.

use std::convert::Infallible;

use axum::body::{Body, Bytes};
use axum::http::Response;
use futures_util::{StreamExt, stream};
use http_body_util::BodyExt;
use serde_json::json;
use tower_reconify::{Config, Limits, Operation, Responses};

use crate::support::{self, Observed, begin_with, chat, delta, events, exchange, observed_with, post};

fn observed() -> Observed {
    let config = Config::builder("a", "b").capture(Operation::ALL).metadata(true);
    observed_with(config.responses(Responses::Verbatim).build().unwrap())
}

/// The outcome of a stream of these events that ends in good order.
async fn outcome(path: &str, data: &[&str]) -> String {
    let mut observed = observed();
    exchange(&observed, post(path, "{}"), events(data)).await;
    observed.report().await["metadata"]["outcome"].as_str().unwrap().to_owned()
}

/// The outcome of a stream whose caller leaves after these events.
async fn outcome_if_left(path: &str, data: &[&str]) -> String {
    let mut observed = observed();
    let frames: Vec<_> =
        data.iter().map(|data| Ok::<_, Infallible>(Bytes::from(format!("data: {data}\n\n")))).collect();
    let read = frames.len();
    let body = Body::from_stream(stream::iter(frames).chain(stream::pending()));
    let response = Response::builder().header("content-type", "text/event-stream").body(body).unwrap();
    let mut body = begin_with(&observed.layer, post(path, "{}"), response).await.into_body();
    for _ in 0..read {
        body.frame().await.unwrap().unwrap();
    }
    drop(body);
    observed.report().await["metadata"]["outcome"].as_str().unwrap().to_owned()
}

const CHAT: &str = "/v1/chat/completions";
const PIECE: &str = r#"{"choices":[{"index":0,"delta":{"content":"The"}}]}"#;
const STOP: &str = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;

#[tokio::test]
async fn a_chat_without_a_finish_reason_or_done_is_interrupted() {
    let blank = r#"{"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":""}]}"#;
    let usage = r#"{"choices":[],"usage":{"total_tokens":3}}"#;
    let other = r#"{"choices":[{"index":1,"delta":{"content":"x"}}]}"#;
    for (data, expected) in [
        (&[PIECE, PIECE, PIECE][..], "interrupted"),
        (&[PIECE, blank], "interrupted"),
        (&[PIECE, usage], "interrupted"),
        (&[PIECE, other, STOP], "interrupted"),
        (&[PIECE, STOP, usage], "answered"),
        (&[PIECE, "[DONE]"], "answered"),
    ] {
        assert_eq!(outcome(CHAT, data).await, expected, "{data:?}");
    }
    assert_eq!(outcome("/v1/completions", &[r#"{"choices":[{"index":0,"text":"x"}]}"#]).await, "interrupted");
    let finished = r#"{"choices":[{"index":0,"text":"x","finish_reason":"length"}]}"#;
    assert_eq!(outcome("/v1/completions", &[finished]).await, "answered");
}

#[tokio::test]
async fn a_caller_that_leaves_after_every_finish_reason_has_its_answer() {
    let other = r#"{"choices":[{"index":1,"delta":{"content":"x"}}]}"#;
    let other_stop = r#"{"choices":[{"index":1,"delta":{},"finish_reason":"tool_calls"}]}"#;
    assert_eq!(outcome_if_left(CHAT, &[PIECE, STOP]).await, "answered");
    assert_eq!(outcome_if_left(CHAT, &[PIECE, other, STOP, other_stop]).await, "answered");
    assert_eq!(outcome_if_left(CHAT, &[PIECE, other, STOP]).await, "abandoned");
    assert_eq!(outcome_if_left(CHAT, &[PIECE]).await, "abandoned");
}

#[tokio::test]
async fn a_responses_stream_without_its_terminal_event_is_interrupted() {
    let created = r#"{"type":"response.created","response":{"id":"r","status":"in_progress","output":[]}}"#;
    let text = r#"{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"The"}"#;
    let end = |kind: &str| format!(r#"{{"type":"response.{kind}","response":{{"id":"r","output":[]}}}}"#);
    let path = "/v1/responses";
    assert_eq!(outcome(path, &[created, text]).await, "interrupted");
    assert_eq!(outcome_if_left(path, &[created, text]).await, "abandoned");
    for (kind, expected) in [("completed", "answered"), ("incomplete", "answered"), ("failed", "interrupted")]
    {
        assert_eq!(outcome(path, &[created, text, &end(kind)]).await, expected, "{kind}");
        assert_eq!(outcome_if_left(path, &[created, text, &end(kind)]).await, expected, "{kind}");
    }
    assert_eq!(outcome(path, &[created, text, "[DONE]"]).await, "answered");
}

#[tokio::test]
async fn one_event_that_carries_the_whole_answer_is_an_answer() {
    let response = r#"{"id":"r","object":"response","status":"completed","output":[{"type":"message"}]}"#;
    let mut observed = observed();
    exchange(&observed, post("/v1/responses", "{}"), events(&[response])).await;
    let report = observed.report().await;
    assert_eq!(report["metadata"]["outcome"], "answered");
    assert_eq!(report["response"], serde_json::from_str::<serde_json::Value>(response).unwrap());
    for (path, data) in [
        ("/v1/images/generations", r#"{"created":1,"data":[{"url":"https://x/y.png"}]}"#),
        ("/v1/audio/transcriptions", r#"{"text":"Hello"}"#),
    ] {
        assert_eq!(outcome(path, &[data]).await, "answered", "{path}");
    }
}

#[tokio::test]
async fn streams_of_images_and_sound_without_their_terminal_event_are_interrupted() {
    let partial = r#"{"type":"image_generation.partial_image","b64_json":"cGFydA=="}"#;
    let completed = r#"{"type":"image_generation.completed","b64_json":"cGFydA=="}"#;
    let text = r#"{"type":"transcript.text.delta","delta":"Hel"}"#;
    let text_done = r#"{"type":"transcript.text.done","text":"Hel"}"#;
    let sound = r#"{"type":"speech.audio.delta","audio":"aGk="}"#;
    let sound_done = r#"{"type":"speech.audio.done"}"#;
    let chunk = r#"{"choices":[{"delta":{"content":"Hel"}}]}"#;
    let chunk_stop = r#"{"choices":[{"delta":{"content":"lo"},"finish_reason":"stop"}]}"#;
    for (path, piece, end) in [
        ("/v1/images/generations", partial, completed),
        ("/v1/audio/transcriptions", text, text_done),
        ("/v1/audio/transcriptions", chunk, chunk_stop),
        ("/v1/audio/speech", sound, sound_done),
    ] {
        assert_eq!(outcome(path, &[piece]).await, "interrupted", "{piece}");
        assert_eq!(outcome(path, &[piece, end]).await, "answered", "{end}");
        assert_eq!(outcome(path, &[piece, "[DONE]"]).await, "answered", "{piece}");
    }
}

/// Nobody knows how it ended: what was not kept may have a terminal event.
#[tokio::test]
async fn a_stream_that_is_longer_than_what_is_kept_counts_as_answered() {
    let mut observed = observed_with(
        Config::builder("a", "b")
            .metadata(true)
            .limits(Limits { body_bytes: 500, ..Limits::default() })
            .build()
            .unwrap(),
    );
    let piece = delta(r#"{"content":"Hello"}"#);
    exchange(&observed, chat(), events(&[&*piece; 20])).await;
    assert_eq!(observed.report().await["metadata"]["outcome"], "answered");
}

#[tokio::test]
async fn an_error_and_nothing_else_is_a_refusal_whatever_the_status() {
    let path = "/v1/chat/completions";
    for (body, expected) in [
        (r#"{"error":{"message":"overloaded"}}"#, "refused"),
        (r#"{"error" : "overloaded","choices":[ ],"data":null}"#, "refused"),
        (r#"{"error":{"message":"x"},"choices":[{"index":0}]}"#, "answered"),
        (r#"{"error":{"message":"x"},"output":[{}]}"#, "answered"),
        (r#"{"error":{"message":"x"},"data":[{}]}"#, "answered"),
        (r#"{"error": null}"#, "answered"),
        (r#"{"error": null,"inner":{"error":"x"}}"#, "answered"),
        (r#"{"message":"\"error\": x"}"#, "answered"),
        (r#"["error", 1]"#, "answered"),
    ] {
        let mut observed = observed();
        exchange(&observed, post(path, "{}"), support::json(body)).await;
        let report = observed.report().await;
        assert_eq!(report["metadata"]["outcome"], expected, "{body}");
        assert_eq!(report["metadata"]["status"], 200);
        assert_eq!(report["response"], serde_json::from_str::<serde_json::Value>(body).unwrap());
    }
}

/// As a chat it has a choice, which is none of the service's.
#[tokio::test]
async fn an_error_of_the_responses_api_is_a_refusal_translated_or_not() {
    for (body, expected) in [
        (
            r#"{"object":"response","status":"failed","error":{"code":"x","message":"y"},"output":[]}"#,
            "refused",
        ),
        (r#"{"object":"response","status":"failed","error":{"code":"x","message":"y"}}"#, "refused"),
        (
            r#"{"error":{"code":"x"},"output":[{"type":"message","role":"assistant","content":[]}]}"#,
            "answered",
        ),
        (r#"{"object":"response","status":"completed","error":null,"output":[]}"#, "answered"),
    ] {
        for responses in [Responses::Chat, Responses::Verbatim] {
            let config = Config::builder("a", "b").metadata(true).responses(responses).build().unwrap();
            let mut observed = observed_with(config);
            exchange(&observed, post("/v1/responses", "{}"), support::json(body)).await;
            let report = observed.report().await;
            assert_eq!(report["metadata"]["outcome"], expected, "{responses:?} {body}");
            let choices = report["response"]["choices"].as_array();
            assert_eq!(choices.is_some(), responses == Responses::Chat, "{body}");
        }
    }
}

#[tokio::test]
async fn metadata_counts_the_events_that_could_not_be_read() {
    let mut observed = observed();
    exchange(&observed, chat(), events(&[PIECE, "{", "nothing", STOP, "[DONE]"])).await;
    let report = observed.report().await;
    assert_eq!(report["metadata"]["skipped"], 2);
    assert_eq!(report["response"]["choices"][0]["message"]["content"], "The");
}

#[tokio::test]
async fn a_report_has_the_request_id_of_whoever_answered() {
    let long = "x".repeat(300);
    for (headers, expected) in [
        (&[("request-id", "c"), ("apim-request-id", "b"), ("x-request-id", "a")][..], json!("a")),
        (&[("request-id", "c"), ("apim-request-id", "b")], json!("b")),
        (&[("request-id", "c"), ("x-request-id", "")], json!("c")),
        (&[("x-request-id", &long)], json!(&long[..256])),
        (&[("x-other-id", "d")], json!(null)),
    ] {
        let mut observed = observed();
        let mut response = support::json("{}");
        for (name, value) in headers {
            let name: axum::http::HeaderName = name.parse().unwrap();
            response.headers_mut().insert(name, value.parse().unwrap());
        }
        exchange(&observed, chat(), response).await;
        assert_eq!(observed.report().await["metadata"]["requestId"], expected, "{headers:?}");
    }
}
