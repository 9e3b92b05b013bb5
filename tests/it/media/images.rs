//! Promises 4 and 5 for images: an answer with image data is one interaction, its uploads included.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{Request, StatusCode, Uri};
use axum::{Router, body::Bytes};
use serde_json::{Value, json};
use tower::service_fn;
use tower_reconify::{Config, DeliveryError, Operation, ReconifyLayer, Report};

use crate::support::gateway::serve;
use crate::support::{self, PATIENCE, begin_with, events, exchange, field, observed, observed_with, post};

const ASKED: &str = r#"{"model":"gpt-image-1","prompt":"a cat","n":2}"#;
const ANSWER: &str = r#"{"created": 1700000000,"data":[{"b64_json":"aGVsbG8="},{"url":"https://x/y.png"},{"b64_json": "d29ybGQ=", "revised_prompt":"a cat"}],"usage":{"total_tokens":1.0}}"#;

fn asked() -> Request<Body> {
    post("/v1/images/generations", ASKED)
}

#[tokio::test]
async fn images_that_are_answered_as_links_are_reported_as_they_are() {
    let mut observed = observed();
    let answer = r#"{"created":1.0e1,"data":[{"url":"https://x/y.png","b64_json":null}]}"#;
    for path in ["/v1/images/generations", "/v1/images/edits", "/v1/images/variations"] {
        exchange(&observed, post(path, ASKED), support::json(answer)).await;
        let report = observed.report_text().await;
        assert_eq!((field(&report, "request"), field(&report, "response")), (ASKED, answer));
        assert!(
            report.starts_with(r#"{"reconify":{"format":"openai","type":"image","version":"1.0.0"}"#),
            "{report}"
        );
    }
    assert!(observed.settle().await.0.is_empty());
}

#[tokio::test]
async fn image_data_is_replaced_by_a_file_name_and_each_image_follows_as_an_upload() {
    let mut observed = observed();
    exchange(&observed, asked(), support::json(ANSWER)).await;
    let report = observed.report().await;
    let data = report["response"]["data"].as_array().unwrap();
    let name = |index: usize| data[index].as_str().unwrap();
    let uuid = &name(0)[..36];
    assert_eq!(
        (name(0), name(2)),
        (&*format!("{uuid}-1700000000-0.png"), &*format!("{uuid}-1700000000-2.png"))
    );
    assert_eq!(data[1], json!({"url": "https://x/y.png"}));
    assert_eq!(report["response"]["usage"], json!({"total_tokens": 1.0}));
    for (index, element) in [
        (0, json!({"b64_json": "aGVsbG8="})),
        (2, json!({"b64_json": "d29ybGQ=", "revised_prompt": "a cat"})),
    ] {
        assert_eq!(
            observed.report().await,
            json!({
                "reconify": {"format": "openai", "type": "image-upload", "version": "1.0.0"},
                "upload": {"filename": name(index), "type": "response-image", "data": element, "format": "b64_json"},
            })
        );
    }
    let (rest, stats) = observed.settle().await;
    assert!(rest.is_empty());
    assert_eq!((stats.captured, stats.delivered, stats.bytes_held), (1, 1, 0));
}

#[tokio::test]
async fn uploads_go_to_their_own_address_with_the_keys() {
    let (sender, mut posts) = tokio::sync::mpsc::unbounded_channel();
    let collector = serve(Router::new().fallback(async move |uri: Uri, body: Bytes| {
        sender.send((uri.path().to_owned(), serde_json::from_slice::<Value>(&body).unwrap())).unwrap();
        (StatusCode::OK, r#"{"status":"ok"}"#)
    }))
    .await;
    let config =
        Config::builder("APP", "API").endpoint(format!("http://{collector}/v2/track")).build().unwrap();
    let layer = ReconifyLayer::new(config);
    let response = begin_with(&layer, asked(), support::json(ANSWER)).await;
    http_body_util::BodyExt::collect(response.into_body()).await.unwrap();
    for path in ["/v2/track", "/v2/upload", "/v2/upload"] {
        let (posted, body) =
            tokio::time::timeout(PATIENCE, posts.recv()).await.expect("a post in time").unwrap();
        assert_eq!(
            (&*posted, &body["reconify"]["appKey"], &body["reconify"]["apiKey"]),
            (path, &json!("APP"), &json!("API"))
        );
    }
    assert!(layer.reporter().flush(PATIENCE).await.is_complete());
}

#[tokio::test]
async fn an_upload_that_fails_at_first_is_tried_again_alone() {
    let calls = AtomicUsize::new(0);
    let (sender, mut reports) = tokio::sync::mpsc::unbounded_channel();
    let layer = ReconifyLayer::with_transport(
        support::config(),
        service_fn(move |report: Report| {
            sender.send((report.id(), report.is_image_upload())).unwrap();
            let fails = calls.fetch_add(1, SeqCst) == 1;
            std::future::ready(if fails { Err(DeliveryError::unavailable()) } else { Ok(()) })
        }),
    );
    let response = begin_with(&layer, asked(), support::json(ANSWER)).await;
    http_body_util::BodyExt::collect(response.into_body()).await.unwrap();
    assert!(layer.reporter().flush(PATIENCE).await.is_complete());
    let mut sent = Vec::new();
    while let Ok(report) = reports.try_recv() {
        sent.push(report);
    }
    assert_eq!(sent.iter().map(|(_, is_upload)| *is_upload).collect::<Vec<_>>(), [false, true, true, true]);
    assert_eq!(sent[1].0, sent[2].0, "the same upload again");
    let stats = layer.reporter().stats();
    assert_eq!((stats.captured, stats.delivered, stats.retried), (1, 1, 1));
}

#[tokio::test]
async fn an_upload_that_is_rejected_does_not_hold_up_its_siblings() {
    let (sender, mut uploads) = tokio::sync::mpsc::unbounded_channel();
    let calls = AtomicUsize::new(0);
    let layer = ReconifyLayer::with_transport(
        support::config(),
        service_fn(move |report: Report| {
            sender.send(report.is_image_upload()).unwrap();
            let fails = calls.fetch_add(1, SeqCst) == 1;
            std::future::ready(if fails { Err(DeliveryError::rejected()) } else { Ok(()) })
        }),
    );
    let response = begin_with(&layer, asked(), support::json(ANSWER)).await;
    http_body_util::BodyExt::collect(response.into_body()).await.unwrap();
    layer.reporter().flush(PATIENCE).await;
    assert_eq!(
        [uploads.recv().await, uploads.recv().await, uploads.recv().await],
        [Some(false), Some(true), Some(true)]
    );
    let stats = layer.reporter().stats();
    assert_eq!(
        (stats.captured, stats.rejected, stats.delivered, stats.bytes_held),
        (1, 1, 0, 0),
        "the worst counts"
    );
}

#[tokio::test]
async fn a_data_field_that_occurs_twice_is_uploaded_once() {
    let mut observed = observed();
    let answer = r#"{"data":[{"b64_json":"Zmlyc3Q="}],"data":[{"b64_json":"c2Vjb25k"}]}"#;
    exchange(&observed, asked(), support::json(answer)).await;
    let (reports, _) = observed.settle().await;
    assert_eq!(reports.len(), 2);
    assert_eq!(reports[0]["response"]["data"][0], reports[1]["upload"]["filename"]);
    assert_eq!(reports[1]["upload"]["data"]["b64_json"], "c2Vjb25k");
}

#[tokio::test]
async fn a_stream_of_images_is_its_final_event() {
    let mut observed = observed();
    let answer = events(&[
        r#"{"type":"image_generation.partial_image","b64_json":"cGFydA==","partial_image_index":0}"#,
        r#"{"type":"image_generation.completed","b64_json":"aGVsbG8=","created_at":1700000000,"size":"1024x1024","usage":{"total_tokens":9}}"#,
    ]);
    exchange(&observed, asked(), answer).await;
    let report = observed.report().await;
    let name = report["response"]["data"][0].as_str().unwrap().to_owned();
    assert_eq!(
        report["response"],
        json!({"created": 1_700_000_000, "size": "1024x1024", "usage": {"total_tokens": 9}, "data": [name]})
    );
    assert_eq!(observed.report().await["upload"]["data"], json!({"b64_json": "aGVsbG8="}));
}

#[tokio::test]
async fn image_streams_of_compatible_servers_are_kept() {
    let mut observed = observed();
    for (event, data) in [
        (r#"{"created":1,"data":[{"url":"https://x/y.png"}]}"#, json!([{"url": "https://x/y.png"}])),
        (
            r#"{"type":"image_generation.completed","url":"https://x/y.png"}"#,
            json!([{"url": "https://x/y.png"}]),
        ),
    ] {
        exchange(&observed, asked(), events(&[event, "[DONE]"])).await;
        assert_eq!(observed.report().await["response"]["data"], data);
    }
}

#[cfg(feature = "multipart")]
#[tokio::test]
async fn a_form_is_reported_by_its_fields_and_its_files_by_name_type_and_size() {
    let mut observed = observed();
    let form = "--B\r\nContent-Disposition: form-data; name=\"prompt\"\r\n\r\na cät\r\n\
        --B\r\nContent-Disposition: form-data; name=\"image[]\"; filename=\"a.png\"\r\nContent-Type: image/png\r\n\r\n\u{0}\u{1}PNG\r\n\
        --B\r\nContent-Disposition: form-data; name=\"image[]\"; filename=\"b.png\"\r\n\r\n\r\n\
        --B\r\nContent-Disposition: form-data; name=\"n\"\r\n\r\n2\r\n--B--\r\n";
    let mut request = post("/v1/images/edits", form);
    request.headers_mut().insert(CONTENT_TYPE, "multipart/form-data; boundary=B".parse().unwrap());
    exchange(&observed, request, support::json(r#"{"data":[]}"#)).await;
    assert_eq!(
        observed.report().await["request"],
        json!({"prompt": "a cät", "n": "2", "image[]": [
            {"filename": "a.png", "contentType": "image/png", "bytes": 5},
            {"filename": "b.png", "contentType": null, "bytes": 0}]})
    );
}

#[cfg(not(feature = "multipart"))]
#[tokio::test]
async fn without_the_feature_multipart_a_form_is_reported_by_type_and_length() {
    let mut observed = observed();
    let form = "--B\r\nContent-Disposition: form-data; name=\"prompt\"\r\n\r\na cat\r\n--B--\r\n";
    let mut request = post("/v1/images/edits", form);
    request.headers_mut().insert(CONTENT_TYPE, "multipart/form-data; boundary=B".parse().unwrap());
    exchange(&observed, request, support::json(r#"{"data":[]}"#)).await;
    let wanted = json!({"contentType": "multipart/form-data", "bytes": form.len(), "prompt": ""});
    assert_eq!(observed.report().await["request"], wanted);
}

#[tokio::test]
async fn a_form_that_cannot_be_read_is_reported_by_type_and_length() {
    let mut observed = observed();
    for content_type in ["multipart/form-data", "multipart/form-data; boundary=X"] {
        let mut request = post("/v1/images/edits", "--B\r\ncut");
        request.headers_mut().insert(CONTENT_TYPE, content_type.parse().unwrap());
        exchange(&observed, request, support::json(r#"{"data":[]}"#)).await;
        assert_eq!(
            observed.report().await["request"],
            json!({"contentType": "multipart/form-data", "bytes": 8, "prompt": ""})
        );
    }
}

#[tokio::test]
async fn images_can_be_left_out() {
    let mut observed = observed_with(Config::builder("a", "b").track_images(false).build().unwrap());
    exchange(&observed, asked(), support::json(ANSWER)).await;
    assert_eq!(observed.settle().await.1.captured, 0);
}

#[tokio::test]
async fn more_images_than_any_model_makes_are_not_posted() {
    let mut observed = observed();
    let answer = json!({"data": vec![json!({"b64_json": "eA=="}); 1_000]}).to_string();
    exchange(&observed, asked(), support::json(answer)).await;
    let (reports, stats) = observed.settle().await;
    assert_eq!((reports.len(), stats.delivered), (1 + 128, 1));
}

#[tokio::test]
async fn a_list_of_images_that_is_too_long_to_be_taken_apart_is_counted_and_not_cut() {
    let mut observed = observed();
    let answer = json!({"data": vec![json!({"b64_json": "eA=="}); 100_000]}).to_string();
    exchange(&observed, asked(), support::json(answer.clone())).await;
    let (reports, stats) = observed.settle().await;
    assert_eq!((reports.len(), stats.unread), (1, 1), "{stats}");
    let by_length = json!({"contentType": "application/json", "bytes": answer.len(), "data": []});
    assert_eq!(reports[0]["response"], by_length);
}

#[tokio::test]
async fn without_image_tracking_a_declared_image_route_is_not_captured() {
    let config = Config::builder("a", "b").track_images(false).route("/draw", Operation::ImageGeneration);
    let mut observed = observed_with(config.build().unwrap());
    exchange(&observed, post("/draw", ASKED), support::json(ANSWER)).await;
    assert_eq!(observed.settle().await.1.captured, 0);
}

#[tokio::test]
async fn a_form_sent_to_a_chat_is_reported_by_type_and_length() {
    let mut observed = observed();
    let form = "--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nhi\r\n--B--\r\n";
    let mut request = post("/v1/chat/completions", form);
    request.headers_mut().insert(CONTENT_TYPE, "multipart/form-data; boundary=B".parse().unwrap());
    exchange(&observed, request, support::json("{}")).await;
    let wanted = json!({"contentType": "multipart/form-data", "bytes": form.len(), "messages": []});
    assert_eq!(observed.report().await["request"], wanted);
}

/// The extension of each file name in the answer's `data`.
fn extensions(report: &Value) -> Vec<&str> {
    let names = report["response"]["data"].as_array().unwrap().iter();
    names.map(|name| name.as_str().unwrap().rsplit_once('.').unwrap().1).collect()
}

#[tokio::test]
async fn a_file_name_has_the_extension_of_the_format_that_is_named_or_found() {
    let data = ["iVBORw0KGgo=", "/9j/4A==", "_9j_4A==", "R0lGODlh", "UklGRiQBAABXRUJQVlA4IA==", "aGVsbG8="];
    let data = data.map(|data| json!({"b64_json": data}));
    for (named, expected) in [
        (Value::Null, ["png", "jpeg", "jpeg", "gif", "webp", "png"]),
        (json!("webp"), ["webp"; 6]),
        (json!("jpeg"), ["jpeg"; 6]),
        (json!("../../etc"), ["png", "jpeg", "jpeg", "gif", "webp", "png"]),
    ] {
        let mut observed = observed();
        let answer = json!({"output_format": named, "data": data}).to_string();
        exchange(&observed, asked(), support::json(answer)).await;
        let report = observed.report().await;
        assert_eq!(extensions(&report), expected, "{named}");
        let upload = observed.report().await;
        assert_eq!(upload["upload"]["filename"], report["response"]["data"][0]);
    }
}

const PICTURE: &str = r#"{"type":"image_url","image_url":{"url":"data:image/jpeg;base64,/9j/4A=="}}"#;

fn chat_answer() -> String {
    let audio = r#"{"id":"a","data":"aGVsbG8="}"#;
    format!(
        r#"{{"choices":[{{"index":0,"message":{{"role":"assistant","content":"data:image/png;base64,aGk=","images":[{PICTURE}],"audio":{audio}}},"finish_reason":"stop"}}]}}"#
    )
}

#[tokio::test]
async fn images_in_the_answer_of_a_chat_are_uploaded_streamed_or_not() {
    let chunk = support::delta(&format!(r#"{{"content":"Here","images":[{PICTURE}]}}"#));
    for answer in [support::json(chat_answer()), events(&[&chunk, "[DONE]"])] {
        let mut observed = observed();
        exchange(&observed, support::chat(), answer).await;
        let report = observed.report().await;
        let message = &report["response"]["choices"][0]["message"];
        let name = message["images"][0]["image_url"]["url"].as_str().unwrap();
        assert!(name.ends_with("-0.jpeg"), "{name}");
        if message["audio"].is_object() {
            assert_eq!(message["content"], "data:image/png;base64,aGk=", "a text stays as it was");
            assert_eq!(message["audio"]["data"], "aGVsbG8=");
        }
        let upload = observed.report().await["upload"].take();
        assert_eq!((&upload["filename"], &upload["data"]), (&json!(name), &json!({"b64_json": "/9j/4A=="})));
        let (rest, stats) = observed.settle().await;
        assert!(rest.is_empty());
        assert_eq!((stats.captured, stats.delivered), (1, 1));
    }
}

#[tokio::test]
async fn images_in_the_answer_of_a_chat_are_elided_if_images_are_not_tracked() {
    let mut observed = observed_with(Config::builder("a", "b").track_images(false).build().unwrap());
    exchange(&observed, support::chat(), support::json(chat_answer())).await;
    let (reports, _) = observed.settle().await;
    let [report] = &reports[..] else { panic!("{reports:?}") };
    let message = &report["response"]["choices"][0]["message"];
    assert_eq!(message["images"][0]["image_url"]["url"], "image/jpeg, 4 bytes");
    assert_eq!(message["audio"]["data"], "aGVsbG8=");
}

#[tokio::test]
async fn images_in_the_question_of_a_chat_stay_where_they_are() {
    let mut observed = observed();
    let question = format!(r#"{{"messages":[{{"role":"user","content":[{PICTURE}]}}]}}"#);
    exchange(&observed, post("/v1/chat/completions", question.clone()), support::json(support::ANSWER)).await;
    assert_eq!(observed.report().await["request"], serde_json::from_str::<Value>(&question).unwrap());
    assert!(observed.settle().await.0.is_empty());
}
