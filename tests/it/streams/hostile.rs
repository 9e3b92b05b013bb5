//! Promise 5 for streams that no server should send: what can be read of them is reported, at a bounded cost.

use axum::body::Body;
use axum::http::Response;
use serde_json::Value;

use crate::support::{self, chat, delta, events, exchange, field, observed};

/// The response that is reported for these events.
async fn assembled(data: &[&str]) -> Value {
    let mut observed = observed();
    exchange(&observed, chat(), events(data)).await;
    observed.report().await["response"].clone()
}

#[tokio::test]
async fn unreadable_events_of_a_stream_are_skipped_and_counted() {
    let good = delta(r#"{"content":"good"}"#);
    let mut observed = observed();
    let answer = events(&[
        "{",
        "null",
        "[1]",
        "\"text\"",
        r#"{"choices":null}"#,
        r#"{"choices":[1,null,[]]}"#,
        &good,
        "{\"a\":",
    ]);
    exchange(&observed, chat(), answer).await;
    let response = observed.report().await["response"].take();
    assert_eq!(response["choices"][0]["message"]["content"], "good");
    assert_eq!(response["choices"].as_array().unwrap().len(), 1);
    assert_eq!(observed.layer.reporter().stats().skipped_events, 5, "those that are no objects");
}

#[tokio::test]
async fn a_key_with_a_lone_surrogate_is_kept_and_loses_nothing_else() {
    let response = assembled(&[r#"{"\ud800":1,"choices":[{"index":0,"delta":{"content":"a"}}]}"#]).await;
    assert_eq!(response["choices"][0]["message"]["content"], "a");
    assert_eq!(response["\\ud800"], 1, "known by its escapes");
}

#[tokio::test]
async fn a_stream_that_says_it_is_json_is_read_as_the_stream_it_is() {
    let mut observed = observed();
    let body = format!("data: {}\n\ndata: [DONE]\n\n", delta(r#"{"content":"a"}"#));
    exchange(&observed, chat(), support::json(body)).await;
    assert_eq!(observed.report().await["response"]["choices"][0]["message"]["content"], "a");
}

#[tokio::test]
async fn invalid_utf8_in_a_stream_becomes_replacement_characters_and_loses_nothing_else() {
    let mut observed = observed();
    let body = [
        &b"data: {\"choices\":[{\"delta\":{\"content\":\"a\xff\"}}]}\n\ndata: "[..],
        delta(r#"{"content":"b"}"#).as_bytes(),
    ]
    .concat();
    exchange(&observed, chat(), Response::new(Body::from(body))).await;
    assert_eq!(observed.report().await["response"]["choices"][0]["message"]["content"], "a\u{fffd}b");
}

#[tokio::test]
async fn a_stream_beyond_the_limit_is_reported_up_to_it_and_marked() {
    let config = tower_reconify::Config::builder("a", "b")
        .limits(tower_reconify::Limits { body_bytes: 200, ..tower_reconify::Limits::default() })
        .build()
        .unwrap();
    let mut observed = support::observed_with(config);
    let chunk = delta(r#"{"content":"x"}"#);
    exchange(&observed, chat(), events(&[&chunk, &chunk, &chunk, "[DONE]"])).await;
    let report = observed.report().await;
    assert_eq!(report["response"]["choices"][0]["message"]["content"], "x");
    assert_eq!(report["response"]["truncated"]["limit"], 200);
    assert_eq!(observed.layer.reporter().stats().truncated, 1);
}

#[tokio::test]
async fn hostile_nesting_is_reported_without_harm() {
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    let part = format!(
        "{}{}",
        r#"[{"type":"thinking","thinking":"#.repeat(20_000),
        "[]".to_owned() + &"}]".repeat(20_000)
    );
    let chunk = delta(&format!(r#"{{"content":{part},"x":{deep}}}"#));
    let mut observed = observed();
    exchange(&observed, chat(), events(&[&chunk, &chunk])).await;
    let report = observed.report_text().await;
    let response = field(&report, "response");
    assert!(
        response.contains(r#""object":"chat.completion""#) && response.contains(&deep[1..deep.len() - 1])
    );
}

#[tokio::test]
async fn millions_of_choices_or_calls_are_not_held() {
    let choices: String = (0..100_000).map(|i| format!(r#"{{"index":{i}}},"#)).collect();
    let calls: String = (0..100_000).map(|i| format!(r#"{{"index":{i}}},"#)).collect();
    let chunks = [
        format!(r#"{{"choices":[{choices}{{}}]}}"#),
        format!(r#"{{"choices":[{{"index":0,"delta":{{"tool_calls":[{calls}{{}}]}}}}]}}"#),
    ];
    let response = assembled(&[&chunks[0], &chunks[1]]).await;
    assert_eq!(response["choices"].as_array().unwrap().len(), 1_024);
    assert_eq!(response["choices"][0]["message"]["tool_calls"].as_array().unwrap().len(), 4_096);
}

/// A call takes more memory than what is known of it.
#[tokio::test]
async fn calls_without_any_fields_are_held_within_the_allowance_of_all_choices_together() {
    let calls: Vec<String> = (0..4_000).map(|call| format!(r#"{{"index":{call}}}"#)).collect();
    let chunks: Vec<String> = (0..20)
        .map(|choice| {
            format!(r#"{{"choices":[{{"index":{choice},"delta":{{"tool_calls":[{}]}}}}]}}"#, calls.join(","))
        })
        .collect();
    let mut observed = observed();
    let body: String = chunks.iter().map(|chunk| format!("data: {chunk}\n\n")).collect();
    let mut answer = Response::new(Body::from(body));
    answer.headers_mut().insert("content-type", "text/event-stream".parse().unwrap());
    exchange(&observed, chat(), answer).await;
    let response = observed.report().await["response"].take();
    let held = |choice: &Value| choice["message"]["tool_calls"].as_array().map_or(0, Vec::len);
    let held: usize = response["choices"].as_array().unwrap().iter().map(held).sum();
    // Six nodes each, of 250,000.
    assert!((20_000..42_000).contains(&held), "{held} calls");
    let stats = observed.layer.reporter().stats();
    assert!(stats.skipped_events > 0 && stats.truncated == 1, "{stats}");
}

#[tokio::test]
async fn pieces_beyond_the_limits_of_a_stream_are_skipped_and_counted() {
    let mut observed = observed();
    let fields: String = (0..250_001).map(|field| format!(r#""{field}":0,"#)).collect();
    let elements = "{},".repeat(250_001);
    let choices: Vec<String> = (0..1_100).map(|index| format!(r#"{{"index":{index}}}"#)).collect();
    for (event, skipped) in [
        (format!(r#"{{{fields}"choices":[]}}"#), 1),
        (format!(r#"{{"choices":[{elements}{{}}]}}"#), 1),
        (format!(r#"{{"choices":[{}]}}"#, choices.join(",")), 76),
    ] {
        let before = observed.layer.reporter().stats().skipped_events;
        exchange(&observed, chat(), events(&[&event])).await;
        assert!(observed.report().await["response"]["choices"].is_array());
        assert_eq!(observed.layer.reporter().stats().skipped_events - before, skipped);
    }
}

#[tokio::test]
async fn empty_events_only_keep_a_connection_alive() {
    let mut observed = observed();
    exchange(&observed, chat(), events(&["", &delta(r#"{"content":"a"}"#), "", "[DONE]"])).await;
    assert_eq!(observed.report().await["response"]["choices"][0]["message"]["content"], "a");
    assert_eq!(observed.layer.reporter().stats().skipped_events, 0);
}
