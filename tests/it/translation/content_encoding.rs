//! Promises 3 and 5 for encoded bodies: they are decoded for the report, on the copy, within bounds.

use std::convert::Infallible;
use std::time::Duration;

use async_compression::tokio::bufread::{
    BrotliEncoder, DeflateEncoder, GzipEncoder, ZlibEncoder, ZstdEncoder,
};
use axum::body::{Body, Bytes};
use axum::http::Response;
use http_body_util::BodyExt;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt};
use tower::service_fn;
use tower_reconify::{Config, DeliveryError, DropReason, Limits, ReconifyLayer, Report};

use crate::support::{
    self, ANSWER, CHAT, PATIENCE, begin, chat, config, exchange, field, observed, observed_with,
};

const SHORT: Duration = Duration::from_millis(100);

async fn read(mut encoder: impl AsyncRead + Unpin) -> Bytes {
    let mut encoded = Vec::new();
    encoder.read_to_end(&mut encoded).await.unwrap();
    encoded.into()
}

async fn gzip(plain: &[u8]) -> Bytes {
    read(GzipEncoder::new(plain)).await
}

fn encoded(coding: &str, body: Bytes) -> Response<Body> {
    let response =
        Response::builder().header("content-type", "application/json").header("content-encoding", coding);
    response.body(Body::from(body)).unwrap()
}

fn gzipped(body: Bytes, content_type: &str) -> Response<Body> {
    let response =
        Response::builder().header("content-type", content_type).header("content-encoding", "gzip");
    response.body(Body::from(body)).unwrap()
}

/// The response that is reported for an encoded one, as text.
async fn reported(coding: &str, body: Bytes) -> String {
    let mut observed = observed();
    assert_eq!(
        exchange(&observed, chat(), encoded(coding, body.clone())).await,
        body,
        "the caller gets it as it is"
    );
    field(&observed.report_text().await, "response").to_owned()
}

#[tokio::test]
async fn every_content_encoding_is_undone_for_the_report() {
    let plain = ANSWER.as_bytes();
    for (coding, body) in [
        ("gzip", gzip(plain).await),
        ("X-GZIP", gzip(plain).await),
        ("deflate", read(ZlibEncoder::new(plain)).await),
        ("deflate", read(DeflateEncoder::new(plain)).await),
        ("br", read(BrotliEncoder::new(plain)).await),
        ("zstd", read(ZstdEncoder::new(plain)).await),
        ("identity", Bytes::from(ANSWER)),
        ("", Bytes::from(ANSWER)),
        ("Gzip, identity , BR", read(BrotliEncoder::new(&*gzip(plain).await)).await),
    ] {
        assert_eq!(reported(coding, body).await, ANSWER, "{coding}");
    }
}

#[tokio::test]
async fn codings_on_several_header_lines_are_undone_in_their_order() {
    let body = read(BrotliEncoder::new(&*gzip(ANSWER.as_bytes()).await)).await;
    let mut response = encoded("gzip", body);
    response.headers_mut().append("content-encoding", "br".parse().unwrap());
    let mut observed = observed();
    exchange(&observed, chat(), response).await;
    assert_eq!(field(&observed.report_text().await, "response"), ANSWER);
}

#[tokio::test]
async fn an_encoded_request_is_decoded_for_its_report() {
    let mut observed = observed();
    let mut request = support::post("/v1/chat/completions", gzip(CHAT.as_bytes()).await);
    request.headers_mut().insert("content-encoding", "gzip".parse().unwrap());
    exchange(&observed, request, support::json(ANSWER)).await;
    assert_eq!(field(&observed.report_text().await, "request"), CHAT);
}

#[tokio::test]
async fn all_members_of_a_gzip_body_are_read() {
    let (first, second) = ANSWER.split_at(20);
    let body = [gzip(first.as_bytes()).await, gzip(second.as_bytes()).await].concat();
    assert_eq!(reported("gzip", body.into()).await, ANSWER);
}

#[tokio::test]
async fn an_encoded_stream_that_was_cut_gives_what_could_be_decoded() {
    // Text without repetition, so that half of the encoded bytes is about half of the text.
    let words: String =
        (0..2_000_u64).map(|i| format!("{:x} ", i.wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect();
    let events: String = words
        .split_inclusive(' ')
        .map(|word| format!("data: {}\n\n", json!({"choices": [{"delta": {"content": word}}]})))
        .collect();
    let whole = gzip(events.as_bytes()).await;
    let mut observed = observed();
    exchange(&observed, chat(), gzipped(whole.slice(..whole.len() / 2), "text/event-stream")).await;
    let report = observed.report().await;
    let content = report["response"]["choices"][0]["message"]["content"].as_str().unwrap();
    assert!(
        words.starts_with(content) && content.len() > words.len() / 4,
        "{} of {}",
        content.len(),
        words.len()
    );
}

#[tokio::test]
async fn a_body_that_its_content_encoding_cannot_decode_is_reported_by_type_and_length_and_counted() {
    for (coding, body) in [
        ("gzip", "plain text, of no coding"),
        ("br", "plain text, of no coding"),
        ("compress", "x"),
        ("gzip,gzip,gzip,gzip,gzip", "x"),
    ] {
        let mut observed = observed();
        exchange(&observed, chat(), encoded(coding, Bytes::from(body))).await;
        assert_eq!(
            observed.report().await["response"],
            json!({"contentType": "application/json", "bytes": body.len(), "choices": []}),
            "{coding}"
        );
        let stats = observed.layer.reporter().stats();
        assert_eq!((stats.undecodable, stats.truncated), (1, 0), "{coding}");
    }
}

/// Clients take a coding that they do not know as none, and some servers name what is none.
#[tokio::test]
async fn a_body_that_can_be_read_as_it_stands_is_read_whatever_its_coding_says() {
    let stream = format!("data: {}\n\ndata: [DONE]\n\n", support::delta(r#"{"content":"Meow."}"#));
    let lines = stream.replace("data: ", "").replace("[DONE]", &support::delta("{}"));
    for coding in
        ["none", "None", "utf-8", "chunked", "aws-chunked", "gzip", "br", "snappy, gzip", "?", "zstd,deflate"]
    {
        assert_eq!(reported(coding, Bytes::from(ANSWER)).await, ANSWER, "{coding}");
        for stream in [&stream, &lines] {
            let reported = reported(coding, Bytes::from(stream.clone())).await;
            assert!(reported.contains(r#""content":"Meow.""#), "{coding}: {reported}");
        }
    }
    let mut observed = observed();
    let mut request = support::post("/v1/chat/completions", CHAT);
    request.headers_mut().insert("content-encoding", "none".parse().unwrap());
    exchange(&observed, request, encoded("gzip", Bytes::from(ANSWER))).await;
    assert_eq!(field(&observed.report_text().await, "request"), CHAT);
    assert_eq!(observed.layer.reporter().stats().undecodable, 0);
}

#[tokio::test]
async fn a_list_of_codings_that_is_wrong_in_part_is_undone_as_far_as_it_is_right() {
    let gzipped = gzip(ANSWER.as_bytes()).await;
    for coding in ["gzip, none", "utf-8,gzip", "gzip, gzip", "br, gzip", "gzip, deflate", "gzip, aws-chunked"]
    {
        assert_eq!(reported(coding, gzipped.clone()).await, ANSWER, "{coding}");
    }
}

#[tokio::test]
async fn a_body_that_is_not_json_in_an_unknown_coding_is_reported_by_its_length_and_not_counted() {
    let mut observed = observed();
    exchange(&observed, chat(), encoded("none", Bytes::from("<html>"))).await;
    let by_length = json!({"contentType": "application/json", "bytes": 6, "choices": []});
    assert_eq!(observed.report().await["response"], by_length);
    assert_eq!(observed.layer.reporter().stats().undecodable, 0);
}

#[tokio::test]
async fn complete_values_of_json_are_reported_although_the_rest_cannot_be_decoded() {
    let words: String =
        (0..2_000_u64).map(|i| format!("{:x} ", i.wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect();
    let plain = json!({"a": {"model": "m"}, "b": words}).to_string();
    let whole = gzip(plain.as_bytes()).await;
    let mut broken = whole.to_vec();
    broken.truncate(whole.len() / 2);
    broken.extend([0xff; 1_000]);
    for (body, coding) in [(whole.slice(..whole.len() / 2), "gzip"), (broken.into(), "gzip")] {
        let reported: serde_json::Value =
            serde_json::from_str(&reported(coding, body.clone()).await).unwrap();
        assert_eq!(reported, json!({"a": {"model": "m"}, "truncated": {"bytes": body.len()}, "choices": []}));
    }
}

#[tokio::test]
async fn the_end_of_an_encoded_body_is_not_taken_for_its_text() {
    let mut observed = observed_with(
        Config::builder("a", "b").limits(Limits { body_bytes: 1_000, ..Limits::default() }).build().unwrap(),
    );
    let words: String =
        (0..2_000_u64).map(|i| format!("{:x} ", i.wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect();
    let mut body = gzip(json!({"a": 1, "b": words}).to_string().as_bytes()).await.to_vec();
    body.extend(br#"","model":"not this one"}"#);
    exchange(&observed, chat(), encoded("gzip", body.into())).await;
    let response = observed.report().await["response"].take();
    assert_eq!((&response["a"], &response["model"]), (&json!(1), &json!(null)));
}

#[tokio::test]
async fn a_cut_body_never_counts_as_undecodable_wherever_it_was_cut() {
    let observed = observed();
    let plain = ANSWER.as_bytes();
    for (coding, whole) in [
        ("gzip", gzip(plain).await),
        ("deflate", read(ZlibEncoder::new(plain)).await),
        ("deflate", read(DeflateEncoder::new(plain)).await),
        ("br", read(BrotliEncoder::new(plain)).await),
        ("zstd", read(ZstdEncoder::new(plain)).await),
    ] {
        for cut in 0..whole.len() {
            exchange(&observed, chat(), encoded(coding, whole.slice(..cut))).await;
        }
    }
    let mut observed = observed;
    let stats = observed.settle().await.1;
    assert!(stats.captured > 400 && stats.undecodable == 0, "{} of {}", stats.undecodable, stats.captured);
}

#[tokio::test]
async fn a_decompression_bomb_is_cut_at_the_limit() {
    let bomb = gzip(&vec![b' '; 50 * 1024 * 1024]).await;
    let mut observed = observed_with(
        Config::builder("a", "b")
            .limits(Limits { body_bytes: 1024 * 1024, ..Limits::default() })
            .build()
            .unwrap(),
    );
    exchange(&observed, chat(), encoded("gzip", bomb.clone())).await;
    let report = observed.report().await;
    assert_eq!(
        report["response"],
        json!({"truncated": {"bytes": bomb.len(), "limit": 1024 * 1024}, "choices": []})
    );
    assert_eq!(observed.layer.reporter().stats().truncated, 1);
}

#[tokio::test]
async fn the_growth_of_bodies_by_decoding_is_charged_to_the_budget() {
    const LIMIT: usize = 1024 * 1024;
    let config = Config::builder("a", "b")
        .limits(Limits { bytes: LIMIT, body_bytes: LIMIT, ..Limits::default() })
        .build()
        .unwrap();
    let layer = ReconifyLayer::with_transport(
        config,
        service_fn(async |_: Report| Err::<(), _>(DeliveryError::unavailable().with_retry_after(PATIENCE))),
    );
    let plain = format!(r#"{{"x":"{}"}}"#, "x".repeat(LIMIT / 2));
    let encoded = gzip(plain.as_bytes()).await;
    let mut responses = Vec::new();
    for _ in 0..100 {
        responses.push(begin(&layer, gzipped(encoded.clone(), "application/json")).await);
    }
    for response in responses {
        response.into_body().collect().await.unwrap();
    }
    let reporter = layer.reporter();
    tokio::time::timeout(PATIENCE, async {
        // One fits. Of the others only the beginning is read, or nothing if too many wait to be read
        // aside. Beyond 32, they wait until there is room for further deliveries.
        while reporter.stats().truncated + reporter.stats().unread < 20 {
            assert!(reporter.stats().bytes_held <= 2 * LIMIT as u64, "{}", reporter.stats());
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap_or_else(|_| panic!("{}", reporter.stats()));
    assert_eq!((reporter.stats().pending, reporter.stats().dropped_total()), (100, 0));
}

/// Each of them settles at once, since it does not fit into the budget: that leaves room for the next, and must not
/// leave none for the shutdown.
#[tokio::test]
async fn a_queue_of_decompression_bombs_does_not_delay_a_shutdown() {
    let config =
        Config::builder("a", "b").limits(Limits { bytes: 512 * 1024, ..Limits::default() }).build().unwrap();
    let layer = ReconifyLayer::with_transport(
        config,
        service_fn(|_: Report| std::future::pending::<Result<(), Infallible>>()),
    );
    let bomb = read(BrotliEncoder::new(&*vec![b' '; 8 * 1024 * 1024])).await;
    for _ in 0..200 {
        let response = begin(&layer, encoded("br", bomb.clone())).await;
        response.into_body().collect().await.unwrap();
    }
    let report = layer.reporter().shutdown(SHORT).await;
    assert!(report.dropped > 0 && report.exchanges_open == 0, "{report:?}");
    assert!(layer.reporter().stats().dropped(DropReason::Shutdown) > 0, "it did not wait for all of them");
}

#[tokio::test]
async fn bodies_that_take_long_to_read_do_not_delay_the_deadline_of_a_shutdown() {
    let layer =
        ReconifyLayer::with_transport(config(), service_fn(async |_: Report| Ok::<_, Infallible>(())));
    let chunk = format!("data: {{\"choices\":[{}{{}}]}}\n\n", "{},".repeat(1_000_000));
    let encoded = gzip(chunk.as_bytes()).await;
    for _ in 0..32 {
        let response = begin(&layer, gzipped(encoded.clone(), "text/event-stream")).await;
        response.into_body().collect().await.unwrap();
    }
    let report = layer.reporter().shutdown(SHORT).await;
    assert!(report.dropped > 16, "it did not wait for all of them: {report:?}");
}
