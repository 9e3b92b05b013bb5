//! Promise 5, whatever the network does: how a body is cut into frames, and what is in it, never matters.

use std::convert::Infallible;

use axum::body::{Body, Bytes};
use axum::http::Response;
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::support::cuttings::{self, Cutting, Whole, assert_same_however_cut};
use crate::support::{Observed, exchange, observed, observed_with, post};

fn chat() -> String {
    let deltas = [
        json!({"role": "assistant", "content": "", "refusal": null}),
        json!({"content": "Grüße, "}),
        json!({"content": "Welt 🌍"}),
        json!({"tool_calls": [{"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": ""}}]}),
        json!({"tool_calls": [{"index": 1, "id": "b", "type": "function", "function": {"name": "g", "arguments": "{"}}]}),
        json!({"tool_calls": [{"index": 0, "function": {"arguments": "[1]"}}, {"index": 1, "function": {"arguments": "}"}}]}),
        json!({}),
    ];
    let chunks = deltas
        .iter()
        .map(|delta| json!({"id": "c", "model": "m", "choices": [{"index": 0, "delta": delta}]}));
    let events: String = chunks.map(|chunk| format!(": ping\r\n\r\ndata: {chunk}\r\n\r\n")).collect();
    format!("\u{feff}{events}data: [DONE]\r\n\r\n")
}

fn completion() -> String {
    let chunk = |text: &str| {
        format!("data: {}\n\n", json!({"choices": [{"index": 0, "text": text, "finish_reason": null}]}))
    };
    ["Es ", "war ", "einmal", " …"].iter().map(|text| chunk(text)).collect()
}

fn responses() -> String {
    let delta = |text: &str| json!({"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": text});
    let item = json!({"type": "message", "role": "assistant", "content": []});
    let events = [
        json!({"type": "response.output_item.added", "output_index": 0, "item": item}),
        delta("Grü"),
        delta("ße"),
    ];
    events.iter().map(|event| format!("event: x\ndata: {event}\n\n")).collect()
}

fn images() -> String {
    let image = |kind: &str, data: &str| json!({"type": format!("image_generation.{kind}"), "b64_json": data, "created_at": 1});
    let events = [image("partial_image", "AAAA"), image("completed", "iVBORw0KGgo=")];
    events.iter().map(|event| format!("data: {event}\r\r")).collect()
}

fn transcription() -> String {
    let deltas = ["Gr", "ü", "ße 🌍"].map(|text| json!({"type": "transcript.text.delta", "delta": text}));
    deltas.iter().map(|event| format!("data:{event}\n\n")).collect()
}

async fn reported(observed: &mut Observed, path: &str, frames: Vec<Bytes>) -> Value {
    let frames = futures_util::stream::iter(frames.into_iter().map(Ok::<_, Infallible>));
    let response = Response::builder().header("content-type", "text/event-stream");
    exchange(observed, post(path, "{}"), response.body(Body::from_stream(frames)).unwrap()).await;
    // Images follow the answers that they were in.
    loop {
        let mut report = observed.report().await;
        if report["reconify"]["type"] != "image-upload" {
            return report["response"].take();
        }
    }
}

/// The frames of a body that is cut behind these places.
fn cut(body: &[u8], places: &[prop::sample::Index]) -> Vec<Bytes> {
    let mut places: Vec<usize> = places.iter().map(|place| place.index(body.len() + 1)).collect();
    places.sort_unstable();
    let mut frames = Vec::new();
    let mut start = 0;
    for end in places.into_iter().chain([body.len()]) {
        frames.push(Bytes::copy_from_slice(&body[start..end]));
        start = end;
    }
    frames
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn a_stream_is_the_same_however_it_is_cut(places in prop::collection::vec(any::<prop::sample::Index>(), 0..60)) {
        Runtime::new().unwrap().block_on(async {
            let mut observed = observed();
            for (path, stream) in [("/v1/chat/completions", chat()), ("/v1/completions", completion()), ("/v1/responses", responses())] {
                let whole = reported(&mut observed, path, vec![Bytes::from(stream.clone())]).await;
                assert!(whole["choices"][0].is_object());
                let frames = cut(stream.as_bytes(), &places);
                assert_eq!(reported(&mut observed, path, frames).await, whole, "{path}");
            }
        });
    }

    /// Bytes of a stream are replaced, dropped and doubled at random: whatever it is then, it is reported, as JSON.
    #[test]
    fn every_stream_however_odd_is_reported(
        harms in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3), 1..30),
    ) {
        Runtime::new().unwrap().block_on(async {
            let mut observed = observed();
            for (path, stream) in [("/v1/chat/completions", chat()), ("/v1/completions", completion()), ("/v1/responses", responses())] {
                let mut stream = stream.into_bytes();
                for (place, byte, kind) in &harms {
                    let place = place.index(stream.len());
                    match kind {
                        0 => stream[place] = *byte,
                        1 => drop(stream.remove(place)),
                        _ => stream.insert(place, stream[place]),
                    }
                }
                let response = reported(&mut observed, path, vec![stream.into()]).await;
                assert!(response.is_object() && response["choices"].is_array(), "{response}");
            }
        });
    }

    #[test]
    fn any_json_at_all_makes_a_chunk_that_is_reported(chunks in prop::collection::vec(odd_json(), 1..8)) {
        Runtime::new().unwrap().block_on(async {
            let mut observed = observed();
            let stream: String = chunks.iter().map(|chunk| format!("data: {chunk}\n\n")).collect();
            for path in ["/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/images/generations"] {
                let response = reported(&mut observed, path, vec![stream.clone().into()]).await;
                assert!(response.is_object(), "{response}");
            }
        });
    }
}

/// JSON of all shapes, with the names that mean something in a stream.
fn odd_json() -> impl Strategy<Value = Value> {
    let names = prop::sample::select(vec![
        "choices",
        "delta",
        "message",
        "index",
        "content",
        "role",
        "tool_calls",
        "function",
        "name",
        "arguments",
        "id",
        "type",
        "text",
        "thinking",
        "logprobs",
        "usage",
        "error",
        "finish_reason",
        "audio",
        "response",
        "item",
        "output",
        "output_index",
        "content_index",
        "summary",
        "status",
        "data",
        "b64_json",
        "object",
        "created",
    ]);
    let words = prop::sample::select(vec![
        "",
        "a",
        "text",
        "thinking",
        "message",
        "function_call",
        "response.completed",
        "response.output_text.delta",
        "response.output_item.added",
        "response.output_item.done",
        "image_generation.completed",
        "error",
        "completed",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i8>().prop_map(Value::from),
        words.prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 60, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((names.clone(), inner), 0..6).prop_map(|fields| fields
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect()),
        ]
    })
}

#[tokio::test]
async fn bodies_of_all_kinds_are_the_same_in_frames_of_any_size() {
    let mut random = cuttings::random();
    let mut observed = observed_with(cuttings::config());
    let json = |path, body: Value| Whole::answered(path, "application/json", body.to_string());
    let events = |path, body: String| Whole::answered(path, "text/event-stream", body);
    for whole in [
        events("/v1/chat/completions", chat()),
        events("/v1/completions", completion()),
        events("/v1/responses", responses()),
        events("/v1/images/generations", images()),
        events("/v1/audio/transcriptions", transcription()),
        json(
            "/v1/chat/completions",
            json!({"id": "c", "choices": [{"message": {"content": "Grüße 🌍".repeat(90)}}]}),
        ),
        json(
            "/v1/images/generations",
            json!({"created": 1, "data": [{"b64_json": "AAAA"}, {"b64_json": "BBBB"}]}),
        ),
    ] {
        let cuttings: Vec<_> = Cutting::even(whole.response.len()).chain(Cutting::odd(&mut random)).collect();
        let plain = assert_same_however_cut(&mut observed, &whole, &cuttings).await;
        // Without decompression, an encoded body is reported by its length.
        if cfg!(feature = "decompression") {
            for members in [1, 2, 7] {
                let gzipped = whole.gzipped(members).await;
                let told = assert_same_however_cut(&mut observed, &gzipped, &cuttings).await;
                assert_eq!(told, plain, "in {members} members");
            }
        }
    }
}
