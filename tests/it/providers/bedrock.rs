//! Promise 6 for Bedrock: its bodies are told from each other by their first bytes, and reported inside of an envelope.

use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use axum::body::Body;
use axum::http::{Request, Response};
use serde_json::{Value, json};
use tower_reconify::{Config, ConfigBuilder, Limits};

use crate::support::{Observed, exchange, field, json as answer, observed_with, post};

const CONVERSE: &str = "/model/us.amazon.nova-lite-v1%3A0/converse-stream";
const INVOKE: &str = "/model/meta.llama3-8b-instruct-v1:0/invoke";
const FRAMES: &str = "application/vnd.amazon.eventstream";

fn observed(change: impl FnOnce(ConfigBuilder) -> ConfigBuilder) -> Observed {
    observed_with(change(Config::builder("a", "b").metadata(true).report_failures(true)).build().unwrap())
}

fn message(kind: &str, name: &str, payload: &str) -> Vec<u8> {
    let text = |text: &str| HeaderValue::String(text.to_owned().into());
    let message = Message::new(payload.to_owned())
        .add_header(Header::new(":message-type", text(kind)))
        .add_header(Header::new(format!(":{kind}-type"), text(name)));
    let mut frame = Vec::new();
    write_message_to(&message, &mut frame).unwrap();
    frame
}

fn event(name: &str, payload: &str) -> Vec<u8> {
    message("event", name, payload)
}

/// A whole Converse stream with this text.
fn stream(text: &str) -> Vec<u8> {
    let delta = json!({"contentBlockIndex": 0, "delta": {"text": text}, "p": "abc"}).to_string();
    [
        event("messageStart", r#"{"role":"assistant"}"#),
        event("contentBlockDelta", &delta),
        event("contentBlockStop", r#"{"contentBlockIndex":0}"#),
        event("messageStop", r#"{"stopReason":"end_turn"}"#),
        event("metadata", r#"{"usage":{"inputTokens":1}}"#),
    ]
    .concat()
}

fn response(content_type: &str, body: impl Into<Body>) -> Response<Body> {
    let response = Response::builder().header("content-type", content_type);
    response.header("x-amzn-requestid", "r-1").body(body.into()).unwrap()
}

/// The report of an exchange.
async fn reported(request: Request<Body>, response: Response<Body>) -> Value {
    let mut observed = observed(|config| config);
    exchange(&observed, request, response).await;
    observed.report().await
}

#[tokio::test]
async fn a_request_is_a_string_of_the_bytes_that_were_sent() {
    let mut observed = observed(|config| config);
    let body = "{\"prompt\": \"é\\\"\", \"a\":1e999,\n \"a\":0.10}";
    exchange(&observed, post(INVOKE, body), answer(r#"{"generation":1e999,"a":1,"a":0.10}"#)).await;
    let report = observed.report_text().await;
    let body = serde_json::to_string(body).unwrap();
    let expected = format!(
        r#"{{"modelId":"meta.llama3-8b-instruct-v1:0","contentType":"application/json","accept":"application/json","body":{body}}}"#
    );
    assert_eq!(field(&report, "request"), expected);
    assert_eq!(field(&report, "response"), r#"{"body":{"generation":1e999,"a":1,"a":0.10}}"#);
    let part = |name| serde_json::from_str::<Value>(field(&report, name)).unwrap();
    let (reconify, metadata) = (part("reconify"), part("metadata"));
    let shown = [&reconify["format"], &reconify["type"], &reconify["version"], &metadata["endpoint"]];
    assert_eq!(shown, ["bedrock", "chat", "1.0.0", "bedrock-invoke"]);
}

#[tokio::test]
async fn frames_are_read_by_their_media_type_or_their_first_bytes_and_json_is_json() {
    let assembled = json!({
        "output": {"message": {"role": "assistant", "content": [{"text": "Hi"}]}},
        "stopReason": "end_turn", "usage": {"inputTokens": 1},
    });
    for content_type in [FRAMES, "Application/vnd.amazon.EventStream; a=b", "application/octet-stream"] {
        let report = reported(post(CONVERSE, "{}"), response(content_type, stream("Hi"))).await;
        assert_eq!(report["response"], json!({"requestId": "r-1", "body": assembled}), "{content_type}");
        let metadata = &report["metadata"];
        assert_eq!((&metadata["streamed"], &metadata["outcome"]), (&true.into(), &"answered".into()));
        assert_eq!((&metadata["chunks"], &metadata["requestId"]), (&5.into(), &"r-1".into()));
        assert!(metadata["timeToFirstTokenMs"].is_number());
    }
    // An error may be labelled as a stream.
    let report = reported(post(CONVERSE, "{}"), response(FRAMES, r#"{"message":"no"}"#)).await;
    assert_eq!(report["response"]["body"], json!({"message": "no"}));
    assert_eq!(
        (&report["metadata"]["streamed"], &report["metadata"]["outcome"]),
        (&false.into(), &"refused".into())
    );
}

#[tokio::test]
async fn errors_are_wrapped_too() {
    let mut refused = response("application/json", r#"{"message":"throttled"}"#);
    *refused.status_mut() = axum::http::StatusCode::TOO_MANY_REQUESTS;
    let report = reported(post(CONVERSE, "{}"), refused).await;
    assert_eq!(report["response"], json!({"requestId": "r-1", "body": {"message": "throttled"}}));
    let mut empty = Response::new(Body::empty());
    *empty.status_mut() = axum::http::StatusCode::BAD_GATEWAY;
    let report = reported(post(CONVERSE, "{}"), empty).await;
    let body = json!({"type": "refused", "message": "The service answered with status 502."});
    assert_eq!(report["response"], json!({"body": body}));
}

#[tokio::test]
async fn an_exception_and_a_missing_end_interrupt_a_stream() {
    let whole = stream("Hi");
    let start = &whole[..whole.len() - event("metadata", r#"{"usage":{"inputTokens":1}}"#).len()];
    let text = &whole[..event("messageStart", r#"{"role":"assistant"}"#).len() + 110];
    let exception = message("exception", "throttlingException", r#"{"message":"slow down"}"#);
    for (frames, outcome) in [
        (whole.clone(), "answered"),
        // It has a stop reason, but no usage.
        (start.to_vec(), "answered"),
        (text.to_vec(), "interrupted"),
        ([start, &exception].concat(), "interrupted"),
    ] {
        let report = reported(post(CONVERSE, "{}"), response(FRAMES, frames)).await;
        assert_eq!(report["metadata"]["outcome"], outcome, "{report}");
    }
    let report = reported(post(CONVERSE, "{}"), response(FRAMES, [start, &exception].concat())).await;
    let body = &report["response"]["body"];
    assert_eq!(body["error"], json!({"type": "throttlingException", "message": "slow down"}));
    assert_eq!(body["output"]["message"]["content"], json!([{"text": "Hi"}]));
}

#[tokio::test]
async fn the_end_of_a_stream_beyond_the_limit_decides_its_outcome() {
    let limits = Limits { body_bytes: 10_000, ..Limits::default() };
    let deltas: Vec<u8> = (0..300)
        .flat_map(|_| event("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"text":"some text"}}"#))
        .collect();
    let exception = message("exception", "throttlingException", r#"{"message":"slow down"}"#);
    for (end, outcome) in [(stream("Hi"), "answered"), (exception, "interrupted")] {
        let mut observed = observed(|config| config.limits(limits));
        let frames = [&deltas[..], &end].concat();
        exchange(&observed, post(CONVERSE, "{}"), response(FRAMES, frames)).await;
        let report = observed.report().await;
        let metadata = &report["metadata"];
        assert_eq!((&metadata["outcome"], &metadata["truncated"]), (&outcome.into(), &true.into()));
        assert_eq!(report["response"]["body"]["truncated"]["limit"], 10_000);
    }
}

#[tokio::test]
async fn bodies_that_cannot_be_read_stand_in_their_envelopes() {
    let report = reported(post(INVOKE, "no JSON"), response("text/html", "<html>")).await;
    let request = json!({
        "modelId": "meta.llama3-8b-instruct-v1:0", "contentType": "application/json", "accept": "application/json",
        "body": r#"{"contentType":"application/json","bytes":7}"#,
    });
    assert_eq!(report["request"], request);
    let body = json!({"contentType": "text/html", "bytes": 6});
    assert_eq!(report["response"], json!({"requestId": "r-1", "body": body}));
}

#[tokio::test]
async fn hooks_see_the_body_as_json_and_a_report_without_content_keeps_ids_and_usage() {
    let mut hooked = observed(|config| {
        config.before_send(|mut interaction| {
            interaction.request_mut()["body"]["prompt"] = "[removed]".into();
            Some(interaction)
        })
    });
    exchange(&hooked, post(INVOKE, r#"{"prompt":"secret"}"#), answer(r#"{"generation":"a"}"#)).await;
    assert_eq!(hooked.report().await["request"]["body"], r#"{"prompt":"[removed]"}"#);

    let mut omitted = observed(|config| {
        config.before_send(|mut interaction| {
            interaction.omit_content();
            Some(interaction)
        })
    });
    exchange(&omitted, post(CONVERSE, r#"{"messages":["secret"]}"#), response(FRAMES, stream("secret")))
        .await;
    let mut report = omitted.report().await;
    for part in ["request", "response"] {
        assert!(report[part]["omitted"].take()["bytes"].is_number());
    }
    let request = json!({
        "modelId": "amazon.nova-lite-v1:0", "modelArn": "us.amazon.nova-lite-v1:0", "contentType": "application/json",
        "accept": "application/json", "body": "{}", "omitted": null,
    });
    assert_eq!(report["request"], request);
    let response = json!({"requestId": "r-1", "body": {"usage": {"inputTokens": 1}}, "omitted": null});
    assert_eq!(report["response"], response);
}

#[tokio::test]
async fn images_are_replaced_in_the_body() {
    let mut observed = observed(|config| config.media(tower_reconify::Media::Elide));
    let body = r#"{"messages":[{"role":"user","content":[{"image":{"format":"png","source":{"bytes":"aW1hZ2U="}}}]}]}"#;
    exchange(&observed, post(CONVERSE, body), response(FRAMES, stream("Hi"))).await;
    let report = observed.report().await;
    assert_eq!(report["request"]["body"], body.replace("aW1hZ2U=", "image/png, 5 bytes"));
}
