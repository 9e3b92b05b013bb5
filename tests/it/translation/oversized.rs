//! Promises 3 and 5 for bodies that are longer than is kept, or break off: what is complete of them is reported.

use std::convert::Infallible;

use axum::body::{Body, Bytes};
use axum::http::Response;
use serde_json::{Value, json};
use tower_reconify::{Config, Limits, Media, Responses};

use crate::support::{self, Observed, delta, exchange, observed, observed_with, post};

const LIMIT: usize = 10_000;

fn limited() -> Observed {
    observed_with(
        Config::builder("a", "b").limits(Limits { body_bytes: LIMIT, ..Limits::default() }).build().unwrap(),
    )
}

/// Text that is longer than the limit by more than is kept of a body's end.
fn long() -> String {
    "x".repeat(3 * LIMIT)
}

/// What is reported of a request, and of the same as an answer.
async fn reported(observed: &mut Observed, path: &str, body: &str) -> (Value, Value) {
    // In frames, as a large body comes.
    let frames = |body: &str| {
        let frames: Vec<_> = body
            .as_bytes()
            .chunks(700)
            .map(|frame| Ok::<_, Infallible>(Bytes::copy_from_slice(frame)))
            .collect();
        Body::from_stream(futures_util::stream::iter(frames))
    };
    exchange(observed, post(path, frames(body)), support::json(frames(body))).await;
    let mut report = observed.report().await;
    (report["request"].take(), report["response"].take())
}

fn mark(body: &str) -> Value {
    json!({"bytes": body.len(), "limit": LIMIT})
}

#[tokio::test]
async fn a_cut_body_without_a_complete_value_is_replaced_by_its_length() {
    let mut observed = limited();
    for body in
        [format!(r#"{{"a":"{}"}}"#, long()), format!("{:30000}", "{}"), format!(r#"["{}"]"#, long()), long()]
    {
        let (request, response) = reported(&mut observed, "/v1/completions", &body).await;
        assert_eq!(request, json!({"truncated": mark(&body), "prompt": ""}));
        assert_eq!(response, json!({"truncated": mark(&body), "choices": []}));
    }
    assert_eq!(observed.layer.reporter().stats().truncated, 4);
}

#[tokio::test]
async fn fields_and_messages_before_the_limit_are_reported_with_the_placeholders_that_consoles_expect() {
    let mut observed = limited();
    let said = |content: &str| json!({"role": "user", "content": content});
    let body = format!(
        r#"{{"model": "m","n": 1.0,"messages":[{},{},{{"role":"user","content":[{{"type":"text","text":"look"}},{{"type":"image_url","image_url":{{"url":"{}"}}}}]}}]}}"#,
        said("a"),
        said("b"),
        long()
    );
    let (request, response) = reported(&mut observed, "/v1/chat/completions", &body).await;
    let look = json!({"role": "user", "content": [{"type": "text", "text": "look"}, {"type": "image_url"}]});
    let whole =
        json!({"model": "m", "n": 1.0, "messages": [said("a"), said("b"), look], "truncated": mark(&body)});
    assert_eq!(request, whole);
    assert_eq!(response["choices"], json!([]));
    assert_eq!(response["model"], "m");
    assert_eq!(observed.layer.reporter().stats().truncated, 1);
}

#[tokio::test]
async fn fields_at_the_end_of_a_long_body_are_reported() {
    let mut observed = limited();
    let prompt = format!(r#"{{"prompt":"{}","model":"m","stream":true}}"#, long());
    let (request, _) = reported(&mut observed, "/v1/completions", &prompt).await;
    assert_eq!(request, json!({"model": "m", "stream": true, "truncated": mark(&prompt), "prompt": ""}));
    let body = format!(
        r#"{{"id":"c","messages":[{{"content":"{}, \"model\":\"not this one\""}}],"model":"m", "usage":{{"total_tokens":3}},"stream":false}} "#,
        long()
    );
    let (request, response) = reported(&mut observed, "/v1/chat/completions", &body).await;
    let end = json!({"model": "m", "usage": {"total_tokens": 3}, "stream": false, "truncated": mark(&body)});
    let with = |mut fields: Value| {
        fields.as_object_mut().unwrap().extend(end.as_object().unwrap().clone());
        fields
    };
    assert_eq!(request, with(json!({"id": "c", "messages": []})));
    assert_eq!(response, with(json!({"id": "c", "choices": []})));
}

#[tokio::test]
async fn the_end_of_a_long_body_that_is_not_known_to_be_its_end_is_not_read() {
    let mut observed = limited();
    let answer = format!(r#"{{"choices":[{{"x":"{}","model":"not this one"}}"#, long());
    let frames = [Ok(Bytes::from(answer)), Err("broken")];
    let response = Response::builder().header("content-type", "application/json");
    let response = response.body(Body::from_stream(futures_util::stream::iter(frames))).unwrap();
    let response = support::begin(&observed.layer, response).await;
    http_body_util::BodyExt::collect(response.into_body()).await.expect_err("it breaks off");
    let response = observed.report().await["response"].take();
    assert_eq!(response["model"], Value::Null, "{response}");
    assert_eq!(response["choices"], json!([]));
}

#[cfg(feature = "multipart")]
#[tokio::test]
async fn texts_of_a_long_form_are_reported_from_before_and_behind_its_file() {
    let mut observed = limited();
    let part =
        |head: &str, data: &str| format!("--B\r\ncontent-disposition: form-data; {head}\r\n\r\n{data}\r\n");
    let form = [
        part("name=\"model\"", "m"),
        part("name=\"image\"; filename=\"cat.png\"\r\ncontent-type: image/png", &long()),
        part("name=\"mask\"", "--B is no boundary here"),
        part("name=\"size\"", "256x256"),
        "--B--\r\n".to_owned(),
    ]
    .concat();
    let request = |form: &str| {
        let request = axum::http::Request::post("/v1/images/edits")
            .header("content-type", "multipart/form-data; boundary=B");
        request.body(Body::from(form.to_owned())).unwrap()
    };
    exchange(&observed, request(&form), support::json("{}")).await;
    let fields = json!({
        "model": "m",
        "image": {"filename": "cat.png", "contentType": "image/png"},
        "size": "256x256",
        "mask": "--B is no boundary here",
        "truncated": mark(&form),
        "prompt": "",
    });
    let mut reported = observed.report().await["request"].take();
    // Where the end that is kept begins, one cannot say whether a part begins.
    fields
        .as_object()
        .unwrap()
        .keys()
        .for_each(|key| assert!(reported.get(key).is_some(), "{key}: {reported}"));
    assert_eq!(reported, fields);

    // Without a limit reached, but broken off.
    let mut observed = support::observed();
    exchange(&observed, request(&form[..200]), support::json("{}")).await;
    reported = observed.report().await["request"].take();
    assert_eq!(reported["model"], "m");
    assert_eq!(reported["image"]["filename"], "cat.png");
    assert_eq!(reported["truncated"], json!({"bytes": 200}));
    assert_eq!(observed.layer.reporter().stats().truncated, 1);
}

#[tokio::test]
async fn media_are_left_out_of_what_is_reported_of_a_long_body() {
    let config = Config::builder("a", "b")
        .limits(Limits { body_bytes: LIMIT, ..Limits::default() })
        .media(Media::Elide)
        .build()
        .unwrap();
    let mut observed = observed_with(config);
    let part = |data: &str| format!(r#"{{"image_url":{{"url":"data:image/png;base64,{data}"}}}}"#);
    let body = format!(
        r#"{{"messages":[{{"content":[{},{}]}}]}}"#,
        part(&"QUJD".repeat(100)),
        part(&"QUJD".repeat(LIMIT))
    );
    let (request, _) = reported(&mut observed, "/v1/chat/completions", &body).await;
    assert_eq!(
        request,
        json!({"messages": [{"content": [{"image_url": {"url": "image/png, 300 bytes"}}]}], "truncated": mark(&body)})
    );
}

#[tokio::test]
async fn complete_images_of_a_long_answer_are_uploaded() {
    let mut observed = limited();
    let answer = format!(r#"{{"created":1,"data":[{{"b64_json":"aGVsbG8="}},{{"b64_json":"{}"}}]}}"#, long());
    exchange(&observed, post("/v1/images/generations", "{}"), support::json(answer.clone())).await;
    let (reports, _) = observed.settle().await;
    assert_eq!(reports.len(), 2);
    assert_eq!(reports[0]["response"]["data"][0], reports[1]["upload"]["filename"]);
    assert_eq!(reports[0]["response"]["truncated"], mark(&answer));
    assert_eq!(reports[1]["upload"]["data"]["b64_json"], "aGVsbG8=");
}

#[tokio::test]
async fn items_of_a_long_body_of_the_responses_api_are_translated_and_marked() {
    let mut observed = limited();
    let item = |text: &str| json!({"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text}]});
    let body = format!(
        r#"{{"object":"response","model":"m","output":[{},{}],"input":[],"status":"completed"}}"#,
        item("a"),
        item(&long())
    );
    let (_, response) = reported(&mut observed, "/v1/responses", &body).await;
    assert_eq!(response["choices"][0]["message"]["content"], "a");
    assert_eq!((&response["truncated"], &response["model"]), (&mark(&body), &json!("m")));
    let config = Config::builder("a", "b")
        .limits(Limits { body_bytes: LIMIT, ..Limits::default() })
        .responses(Responses::Verbatim);
    let (_, response) = reported(&mut observed_with(config.build().unwrap()), "/v1/responses", &body).await;
    assert_eq!((&response["output"][0], &response["status"]), (&item("a"), &json!("completed")));
}

#[tokio::test]
async fn json_that_breaks_off_is_reported_as_far_as_it_goes_and_marked() {
    let mut observed = observed();
    let body = r#"{"model":"m","messages":[{"role":"user"},{"role":"us"#;
    let (request, response) = reported(&mut observed, "/v1/chat/completions", body).await;
    let truncated = json!({"bytes": body.len()});
    assert_eq!(request, json!({"model": "m", "messages": [{"role": "user"}], "truncated": truncated}));
    assert_eq!(response["choices"], json!([]));
    assert_eq!(observed.layer.reporter().stats().truncated, 1);
    let (request, _) = reported(&mut observed, "/v1/chat/completions", "{\"a\":").await;
    assert_eq!(request, json!({"contentType": "application/json", "bytes": 5, "messages": []}));
}

#[tokio::test]
async fn mended_values_of_a_long_body_are_counted_only_if_they_are_reported() {
    let mut observed = limited();
    let body = format!(r#"{{"a":NaN,"b":"{}","c":-Infinity}}"#, long());
    let (request, _) = reported(&mut observed, "/v1/chat/completions", &body).await;
    assert_eq!((&request["a"], &request["c"]), (&json!("NaN"), &json!("-Infinity")));
    let (request, _) = reported(
        &mut observed,
        "/v1/chat/completions",
        &format!(r#"{{"a":1,"b":"{}é"#, "x".repeat(LIMIT - 12)),
    )
    .await;
    assert_eq!(request["a"], 1, "a letter that the limit cuts in two is not at fault");
    assert_eq!(observed.layer.reporter().stats().mended, 1);
}

/// The outcome of a stream that is longer than is kept, and whose caller leaves after its last event.
async fn outcome_of_long(path: &str, event: &str, last: &str) -> String {
    let config = Config::builder("a", "b")
        .limits(Limits { body_bytes: LIMIT, ..Limits::default() })
        .metadata(true)
        .build()
        .unwrap();
    let mut observed = observed_with(config);
    let frames = [format!("data: {event}\n\n").repeat(200), format!("data: {last}\n\n")];
    let frames = frames.map(|frame| Ok::<_, Infallible>(Bytes::from(frame)));
    let open =
        futures_util::StreamExt::chain(futures_util::stream::iter(frames), futures_util::stream::pending());
    let response = Response::builder().header("content-type", "text/event-stream");
    let response = response.body(Body::from_stream(open)).unwrap();
    let mut body = support::begin_with(&observed.layer, post(path, "{}"), response).await.into_body();
    for _ in 0..2 {
        http_body_util::BodyExt::frame(&mut body).await.unwrap().unwrap();
    }
    drop(body);
    observed.report().await["metadata"]["outcome"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_long_stream_with_its_terminal_event_counts_as_answered_although_the_caller_leaves_after_it() {
    let chunk = delta(r#"{"content":"x"}"#);
    let created = r#"{"type":"response.created","response":{"id":"r","object":"response"}}"#;
    let text = r#"{"type":"response.output_text.delta","item_id":"i","delta":"a text that is long enough"}"#;
    let completed = created.replace("created", "completed");
    let failed = r#"{"type":"response.failed","response":{"id":"r","error":{"code":"x","message":"m"}}}"#;
    for (path, event, last, outcome) in [
        ("/v1/chat/completions", &*chunk, "[DONE]", "answered"),
        ("/v1/chat/completions", &*chunk, "\"data: [DONE]", "abandoned"),
        ("/v1/responses", text, &*completed, "answered"),
        ("/v1/responses", text, failed, "interrupted"),
        ("/v1/responses", text, created, "abandoned"),
    ] {
        assert_eq!(outcome_of_long(path, event, last).await, outcome, "{last}");
    }
}
