//! Operations that Reconify documents no type for: captured only if asked for.

use axum::body::Body;
use axum::http::Response;
use serde_json::json;
use tower_reconify::{Config, Operation};

use crate::support::{self, Observed, events, exchange, field, observed, observed_with, post};

const PATHS: [(&str, &str); 5] = [
    ("/v1/embeddings", "embedding"),
    ("/v1/moderations", "moderation"),
    ("/v1/audio/speech", "speech"),
    ("/v1/audio/transcriptions", "transcription"),
    ("/v1/audio/translations", "translation"),
];

fn asked() -> Observed {
    observed_with(Config::builder("a", "b").capture(Operation::ALL).build().unwrap())
}

#[tokio::test]
async fn operations_that_reconify_documents_no_type_for_pass_through_unless_asked_for() {
    let mut observed = observed();
    for (path, _) in PATHS {
        exchange(&observed, post(path, "{}"), support::json("{}")).await;
    }
    assert_eq!(observed.settle().await.1.captured, 0);
}

#[tokio::test]
async fn operations_that_reconify_documents_no_type_for_are_reported_letter_by_letter_with_types_of_their_own()
 {
    let mut observed = asked();
    for (path, kind) in PATHS {
        let (request, response) = (r#"{"model":"m","input": "x"}"#, r#"{"data":[1.50e-3],"text": "t"}"#);
        exchange(&observed, post(path, request), support::json(response)).await;
        let report = observed.report_text().await;
        assert!(field(&report, "reconify").contains(&format!(r#""type":"{kind}""#)), "{report}");
        assert_eq!((field(&report, "request"), field(&report, "response")), (request, response));
    }
}

#[tokio::test]
async fn sound_is_reported_by_type_and_length() {
    let mut observed = asked();
    let sound = Response::builder()
        .header("content-type", "audio/mpeg")
        .body(Body::from(vec![0xff_u8; 5_000]))
        .unwrap();
    exchange(&observed, post("/v1/audio/speech", "{}"), sound).await;
    assert_eq!(observed.report().await["response"], json!({"contentType": "audio/mpeg", "bytes": 5_000}));
}

#[tokio::test]
async fn a_streamed_transcription_is_its_final_event_or_the_text_so_far() {
    let mut observed = asked();
    let deltas = [
        r#"{"type":"transcript.text.delta","delta":"Hel"}"#,
        r#"{"type":"transcript.text.delta","delta":"lo"}"#,
    ];
    let done = r#"{"type":"transcript.text.done","text":"Hello","usage":{"type":"tokens","total_tokens":3}}"#;
    let path = "/v1/audio/transcriptions";
    exchange(&observed, post(path, "{}"), events(&[deltas[0], deltas[1], done])).await;
    let whole = json!({"text": "Hello", "usage": {"type": "tokens", "total_tokens": 3}});
    assert_eq!(observed.report().await["response"], whole);
    exchange(&observed, post(path, "{}"), events(&deltas)).await;
    assert_eq!(observed.report().await["response"], json!({"text": "Hello"}));
}

#[tokio::test]
async fn segments_and_the_length_of_sound_are_kept_of_streams() {
    let mut observed = asked();
    let stream = events(&[
        r#"{"type":"transcript.text.segment","id":"seg_1","start":0.0,"end":1.50,"text":"Hello","speaker":"A"}"#,
        r#"{"type":"transcript.text.done","text":"Hello"}"#,
    ]);
    exchange(&observed, post("/v1/audio/transcriptions", "{}"), stream).await;
    let segment = json!({"id": "seg_1", "start": 0.0, "end": 1.5, "text": "Hello", "speaker": "A"});
    assert_eq!(observed.report().await["response"], json!({"text": "Hello", "segments": [segment]}));

    let stream = events(&[
        r#"{"type":"speech.audio.delta","audio":"aGVsbG8="}"#,
        r#"{"type":"speech.audio.delta","audio":"aGk="}"#,
        r#"{"type":"speech.audio.done","usage":{"total_tokens":3}}"#,
    ]);
    exchange(&observed, post("/v1/audio/speech", "{}"), stream).await;
    assert_eq!(observed.report().await["response"], json!({"usage": {"total_tokens": 3}, "bytes": 7}));
}

#[tokio::test]
async fn a_list_of_endpoints_replaces_the_default() {
    let mut observed =
        observed_with(Config::builder("a", "b").capture([Operation::Embedding]).build().unwrap());
    exchange(&observed, support::chat(), support::json("{}")).await;
    exchange(&observed, post("/v1/embeddings", "{}"), support::json("{}")).await;
    assert_eq!(observed.settle().await.1.captured, 1);
}

#[tokio::test]
async fn transcriptions_of_compatible_servers_are_kept() {
    let mut observed = asked();
    let path = "/v1/audio/transcriptions";
    for stream in [
        vec![
            r#"{"object":"transcription.chunk","choices":[{"delta":{"content":"Hel"}}]}"#,
            r#"{"choices":[{"delta":{"content":"lo"}}]}"#,
            "[DONE]",
        ],
        vec![
            r#"{"type":"transcription.text.delta","text":"Hel"}"#,
            r#"{"type":"transcription.text.delta","text":"lo"}"#,
        ],
        vec![r#"{"text":"Hello"}"#, "[DONE]"],
    ] {
        exchange(&observed, post(path, "{}"), events(&stream)).await;
        assert_eq!(observed.report().await["response"]["text"], "Hello");
    }
}

fn answer_of(content_type: &str, body: impl Into<Body>) -> Response<Body> {
    Response::builder().header("content-type", content_type).body(body.into()).unwrap()
}

#[tokio::test]
async fn a_transcription_as_text_or_subtitles_is_reported_as_a_text() {
    let mut observed = asked();
    for path in ["/v1/audio/transcriptions", "/v1/audio/translations"] {
        for (content_type, body) in [
            ("text/plain; charset=utf-8", "Hello,\nworld.\n"),
            // It begins as a stream does.
            ("text/plain", "data: the new oil"),
            ("text/plain", "42"),
            ("text/vtt", "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\nHello\n\n"),
            ("application/x-subrip", "1\n00:00:00,000 --> 00:00:01,000\n\"Hello\"\n\n"),
        ] {
            exchange(&observed, post(path, "{}"), answer_of(content_type, body)).await;
            let report = observed.report().await;
            assert_eq!(report["response"], json!({"text": body}), "{content_type}");
        }
    }
}

#[tokio::test]
async fn a_response_that_is_not_a_transcript_is_not_reported_as_one() {
    let mut observed = asked();
    let path = "/v1/audio/transcriptions";
    exchange(&observed, post(path, "{}"), answer_of("text/plain", r#"{"text": "Hello"}"#)).await;
    assert_eq!(observed.report().await["response"], json!({"text": "Hello"}));
    for (path, content_type) in [(path, "text/html"), (path, "audio/mpeg"), ("/v1/embeddings", "text/plain")]
    {
        exchange(&observed, post(path, "{}"), answer_of(content_type, "<p>")).await;
        let response = observed.report().await["response"].take();
        assert_eq!(response, json!({"contentType": content_type, "bytes": 3}), "{path}");
    }
    let long = "\u{1}".repeat(4 * 1024 * 1024 + 1);
    exchange(&observed, post(path, "{}"), answer_of("text/plain", long)).await;
    assert_eq!(observed.report().await["response"]["bytes"], 4 * 1024 * 1024 + 1);
}

#[tokio::test]
async fn a_refusal_in_plain_text_is_no_transcript() {
    let config = Config::builder("a", "b").capture(Operation::ALL).report_failures(true).build().unwrap();
    let mut observed = observed_with(config);
    let mut refusal = answer_of("text/plain", "no");
    *refusal.status_mut() = axum::http::StatusCode::BAD_REQUEST;
    exchange(&observed, post("/v1/audio/transcriptions", "{}"), refusal).await;
    assert_eq!(observed.report().await["response"]["error"]["type"], "refused");
}
