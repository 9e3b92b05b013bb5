//! Promise 5 for bodies: what crossed the wire is what is reported.

use axum::body::Body;
use axum::http::Response;
use serde_json::{Value, json};
use tower_reconify::Stats;

use crate::support::{self, ANSWER, CHAT, chat, delta, exchange, field, observed, post};

/// The response that is reported for a body of this type, and the counts after it.
async fn reported(content_type: &str, body: impl Into<Body>) -> (Value, Stats) {
    let mut observed = observed();
    let response = Response::builder().header("content-type", content_type).body(body.into()).unwrap();
    exchange(&observed, chat(), response).await;
    (observed.report().await["response"].take(), observed.layer.reporter().stats())
}

#[tokio::test]
async fn json_is_reported_letter_by_letter() {
    let request = r#" {"messages":[], "a":1.0e2,"b":12345678901234567890123,"c":0.1234567890123456789,"d":1e999,"dup":1,"dup":2,"s":"\ud83d \u0000 \/ é"} "#;
    let response = r#"{"z":1,"a":[1.50,-0.0],"choices":[],"lone":"\udfff"}"#;
    let mut observed = observed();
    exchange(&observed, post("/v1/chat/completions", request), support::json(response)).await;
    let report = observed.report_text().await;
    assert_eq!(field(&report, "request"), request.trim());
    assert_eq!(field(&report, "response"), response);
}

#[tokio::test]
async fn a_stream_in_an_unknown_coding_is_reported_by_type_and_length() {
    let mut observed = observed();
    let response = Response::builder()
        .header("content-type", "text/event-stream")
        .header("content-encoding", "gzip, snappy");
    exchange(&observed, chat(), response.body(Body::from("\u{1}\u{2}\u{3}")).unwrap()).await;
    assert_eq!(
        observed.report().await["response"],
        json!({"contentType": "text/event-stream", "bytes": 3, "choices": []})
    );
}

#[tokio::test]
async fn an_answer_that_is_no_json_is_reported_by_type_and_length() {
    let mut observed = observed();
    let html = Response::builder()
        .header("content-type", "text/html; charset=utf-8")
        .body(Body::from("<html>"))
        .unwrap();
    exchange(&observed, post("/v1/chat/completions", "not json"), html).await;
    let report = observed.report().await;
    assert_eq!(report["request"], json!({"contentType": "application/json", "bytes": 8, "messages": []}));
    assert_eq!(report["response"], json!({"contentType": "text/html", "bytes": 6, "choices": []}));
}

#[tokio::test]
async fn a_byte_order_mark_does_not_hide_json() {
    let mut observed = observed();
    exchange(&observed, chat(), support::json(format!("\u{feff} \n{ANSWER}"))).await;
    let report = observed.report_text().await;
    assert_eq!(field(&report, "response"), ANSWER);
    assert_eq!(field(&report, "request"), CHAT);
}

#[tokio::test]
async fn bytes_of_json_that_are_no_utf8_become_replacement_characters_and_are_counted() {
    let body = [&b"{\"choices\":[{\"message\":{\"content\":\"caf\xe9\"}}],\"a\": 1.0}"[..]].concat();
    let mut observed = observed();
    exchange(&observed, post("/v1/chat/completions", body.clone()), support::json(body)).await;
    let report = observed.report_text().await;
    let mended = "{\"choices\":[{\"message\":{\"content\":\"caf\u{fffd}\"}}],\"a\": 1.0}";
    assert_eq!((field(&report, "request"), field(&report, "response")), (mended, mended));
    let stats = observed.layer.reporter().stats();
    assert_eq!((stats.mended, stats.truncated, stats.undecodable), (1, 0, 0), "one report");
}

#[tokio::test]
async fn numbers_that_json_does_not_have_are_reported_as_strings_and_counted() {
    let mut observed = observed();
    let body = r#"{"logprob":-Infinity, "a":[NaN,Infinity,1.50],"text":"NaN, -Infinity"}"#;
    exchange(&observed, post("/v1/chat/completions", body), support::json(body)).await;
    let report = observed.report_text().await;
    let mended = r#"{"logprob":"-Infinity", "a":["NaN","Infinity",1.50],"text":"NaN, -Infinity"}"#;
    assert_eq!((field(&report, "request"), field(&report, "response")), (mended, mended));
    assert_eq!(observed.layer.reporter().stats().mended, 1);
    exchange(&observed, chat(), support::json(r#"{"a":NaN,"b":nan}"#)).await;
    assert_eq!(observed.report().await["response"]["bytes"], 17, "what is wrong otherwise stays so");
    exchange(&observed, chat(), support::json(ANSWER)).await;
    observed.report().await;
    assert_eq!(observed.layer.reporter().stats().mended, 1, "what was sent so is not mended");
}

#[tokio::test]
async fn an_event_with_a_number_that_json_does_not_have_is_read_and_counted_as_mended() {
    let chunk = |content: &str, logprob: &str| {
        let choice = format!(
            r#"{{"index":0,"delta":{{"content":"{content}"}},"logprobs":{{"content":[{{"logprob":{logprob}}}]}}}}"#
        );
        format!("data: {{\"choices\":[{choice}]}}\n\n")
    };
    let stream = [chunk("a", "-1.5"), chunk("b", "-Infinity"), chunk("NaN", "0"), "data: {NaN\n\n".into()];
    let (response, stats) = reported("text/event-stream", stream.concat()).await;
    assert_eq!(response["choices"][0]["message"]["content"], "abNaN");
    assert_eq!(response["choices"][0]["logprobs"]["content"][1], json!({"logprob": "-Infinity"}));
    assert_eq!((stats.mended, stats.skipped_events), (1, 1));
}

#[tokio::test]
async fn lines_of_json_are_a_stream_whatever_type_they_are_sent_with() {
    let (a, b) = (delta(r#"{"content":"a"}"#), delta(r#"{"content":"b"}"#));
    for content_type in
        ["application/x-ndjson", "application/jsonl; charset=utf-8", "application/json", "text/plain"]
    {
        for (stream, skipped) in [
            (format!("{a}\n{b}\n"), 0),
            (format!("{a}\r\n\r\n{b}\r\n[DONE]"), 0),
            (format!("\u{feff}{a}\n{b}\n{{\"choices\":[{{\"del"), 1),
            (format!("{a}\n{}\n", b.replace("null", "NaN")), 0),
        ] {
            let (response, stats) = reported(content_type, stream.clone()).await;
            assert_eq!(response["choices"][0]["message"]["content"], "ab", "{content_type}: {stream}");
            assert_eq!(response["object"], "chat.completion");
            assert_eq!(stats.skipped_events, skipped, "{content_type}: {stream}");
        }
    }
}

#[tokio::test]
async fn one_line_of_json_is_a_stream_only_if_its_type_says_so() {
    let line = delta(r#"{"content":"a"}"#);
    let (response, _) = reported("application/x-ndjson", line.clone()).await;
    assert_eq!(response["choices"][0]["message"]["content"], "a");
    let (response, _) = reported("application/json", line.clone() + "\n").await;
    assert_eq!(response, serde_json::from_str::<Value>(&line).unwrap());
}

#[tokio::test]
async fn lines_of_json_are_no_stream_where_the_api_has_none() {
    let config = tower_reconify::Config::builder("a", "b").capture(tower_reconify::Operation::ALL);
    let mut observed = support::observed_with(config.build().unwrap());
    exchange(&observed, post("/v1/embeddings", "{}\n{}"), support::json("{}\n{}")).await;
    let report = observed.report().await;
    let by_length = json!({"contentType": "application/json", "bytes": 5});
    assert_eq!((&report["request"], &report["response"]), (&by_length, &by_length));
}

#[tokio::test]
async fn events_without_blank_lines_between_them_are_read_one_by_one() {
    let (a, b) = (delta(r#"{"content":"a"}"#), delta(r#"{"content":"b"}"#));
    for stream in [
        format!("data: {a}\ndata: {b}\ndata: [DONE]\n"),
        format!("data: {a}\r\ndata: {b}\r\n"),
        format!("data: {a}\n\ndata: {b}\ndata: [DONE]\n\n"),
        format!("event: x\ndata: {a}\nid: 2\nevent: y\ndata: {}\n", b.replace("null", "NaN")),
    ] {
        let (response, stats) = reported("text/event-stream", stream.clone()).await;
        assert_eq!(response["choices"][0]["message"]["content"], "ab", "{stream}");
        assert_eq!(stats.skipped_events, 0, "{stream}");
    }
}

#[tokio::test]
async fn json_in_several_lines_of_one_event_stays_one_event() {
    let chunk = delta(r#"{"content":"a"}"#).replace(',', ",\ndata: ");
    let (response, stats) = reported("text/event-stream", format!("data: {chunk}\n\n")).await;
    assert_eq!(response["choices"][0]["message"]["content"], "a");
    assert_eq!((stats.skipped_events, stats.mended), (0, 0));
}
