//! Promises 5 to 7 for every provider: the report has what crossed the wire, and the application decides what is left
//! out.

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::{Layer, ServiceExt, service_fn};
use tower_reconify::{Config, ConfigBuilder, Limits, Media, OmitContent, Operation, Provider, RequestBody};

use super::samples::{SAMPLES, Sample};
use crate::support::{Observed, exchange, field, observed_with, post};

/// A layer that captures this operation.
fn asking_for(sample: &Sample, builder: ConfigBuilder) -> Observed {
    observed_with(builder.capture([sample.operation]).build().unwrap())
}

fn builder() -> ConfigBuilder {
    Config::builder("a", "b").metadata(true)
}

fn answered(sample: &Sample, media_type: &str, body: &'static str) -> Response<Body> {
    let response = Response::builder().header(CONTENT_TYPE, media_type);
    let response = sample.id.into_iter().fold(response, |response, name| response.header(name, "req-7"));
    response.body(body.into()).unwrap()
}

fn asked(sample: &Sample) -> Request<Body> {
    post(sample.path, sample.request)
}

#[tokio::test]
async fn request_and_response_of_every_operation_are_reported_letter_by_letter_in_its_format() {
    for sample in SAMPLES {
        let mut observed = asking_for(sample, builder());
        exchange(&observed, asked(sample), answered(sample, "application/json", sample.response)).await;
        let report = observed.report_text().await;
        let whole: Value = serde_json::from_str(&report).unwrap();
        let reconify = &whole["reconify"];
        let told = ["format", "type", "version"].map(|name| reconify[name].as_str().unwrap());
        assert_eq!(told, sample.report, "{:?}", sample.operation);
        assert_eq!(field(&report, "request"), sample.reported_request(), "{:?}", sample.operation);
        assert_eq!(field(&report, "response"), sample.reported_response("req-7"), "{:?}", sample.operation);
        let metadata = &whole["metadata"];
        assert_eq!(metadata["endpoint"], sample.operation.as_str());
        assert_eq!(metadata["outcome"], "answered", "{:?}", sample.operation);
        assert_eq!(metadata["requestId"].as_str(), sample.id.map(|_| "req-7"), "{:?}", sample.operation);
    }
}

#[tokio::test]
async fn a_stream_of_every_operation_is_reported_as_its_unstreamed_answer() {
    for sample in SAMPLES {
        let Some((media_type, stream)) = sample.stream else { continue };
        let mut observed = asking_for(sample, builder());
        exchange(&observed, asked(sample), answered(sample, media_type, stream)).await;
        let report = observed.report().await;
        assert_eq!(report["response"], sample.response_value(), "{:?}", sample.operation);
        let metadata = &report["metadata"];
        assert_eq!(metadata["outcome"], "answered", "{:?}", sample.operation);
        assert_eq!(metadata["streamed"], true, "{:?}", sample.operation);
        assert!(metadata["timeToFirstTokenMs"].is_u64(), "{:?}: {metadata}", sample.operation);
        assert_eq!(metadata["skipped"], 0, "{:?}", sample.operation);
    }
}

#[tokio::test]
async fn a_stream_of_every_operation_that_breaks_off_is_interrupted_and_keeps_what_had_arrived() {
    for sample in SAMPLES {
        let Some((media_type, stream)) = sample.stream else { continue };
        let end = stream.find("my ").unwrap();
        let end = end + stream[end..].find('\n').unwrap();
        let mut observed = asking_for(sample, builder());
        exchange(&observed, asked(sample), answered(sample, media_type, &stream[..end])).await;
        let report = observed.report().await;
        assert_eq!(report["metadata"]["outcome"], "interrupted", "{:?}: {report}", sample.operation);
        assert!(report["response"].to_string().contains("my "), "{:?}: {report}", sample.operation);
    }
}

#[tokio::test]
async fn without_its_content_a_report_of_every_operation_has_the_placeholders_and_no_text() {
    for sample in SAMPLES {
        let mut observed = asking_for(sample, builder());
        let mut request = asked(sample);
        request.extensions_mut().insert(OmitContent);
        exchange(&observed, request, answered(sample, "application/json", sample.response)).await;
        let report = observed.report_text().await;
        assert!(
            !report.contains("secret") && !report.contains("aGVsbG8"),
            "{:?}: {report}",
            sample.operation
        );
        assert_placeholders(sample, &report);
        for half in ["request", "response"] {
            let half: Value = serde_json::from_str(field(&report, half)).unwrap();
            assert!(half["omitted"]["bytes"].as_u64() > Some(50), "{:?}: {report}", sample.operation);
        }
    }
}

#[tokio::test]
async fn bodies_of_every_operation_that_are_longer_than_is_kept_have_the_placeholders() {
    for sample in SAMPLES {
        let limits = Limits { body_bytes: 64, ..Limits::default() };
        let mut observed = asking_for(sample, builder().limits(limits));
        // One string longer than the limit, so that nothing of it is complete.
        let long = format!(r#"{{"padding":"{}"}}"#, "x".repeat(10_000));
        let response = Response::builder().header(CONTENT_TYPE, "application/json").body(long.clone().into());
        exchange(&observed, post(sample.path, long), response.unwrap()).await;
        let report = observed.report_text().await;
        assert!(report.contains("truncated"), "{:?}: {report}", sample.operation);
        match sample.provider() {
            Provider::Bedrock => {
                let request: Value = serde_json::from_str(field(&report, "request")).unwrap();
                assert!(request["body"].is_string() && request["modelId"].is_string(), "{report}");
            }
            _ => assert_placeholders(sample, &report),
        }
    }
}

#[track_caller]
fn assert_placeholders(sample: &Sample, report: &str) {
    for (half, (name, empty)) in ["request", "response"].into_iter().zip(sample.placeholders) {
        let half = field(report, half);
        assert_eq!(field(half, name), empty, "{:?}: {report}", sample.operation);
    }
}

#[tokio::test]
async fn a_redaction_reaches_every_text_of_every_operation() {
    for sample in SAMPLES {
        let redacting = builder().before_send(|mut interaction| {
            interaction.redact(|text| text.contains("secret").then(|| text.replace("secret", "…")));
            Some(interaction)
        });
        let mut observed = asking_for(sample, redacting);
        exchange(&observed, asked(sample), answered(sample, "application/json", sample.response)).await;
        let report = observed.report_text().await;
        let (request, response) = (sample.reported_request(), sample.reported_response("req-7"));
        assert_eq!(field(&report, "request"), request.replace("secret", "…"), "{:?}", sample.operation);
        assert_eq!(field(&report, "response"), response.replace("secret", "…"), "{:?}", sample.operation);
    }
}

#[tokio::test]
async fn a_hook_can_change_the_tree_of_every_operation() {
    for sample in SAMPLES {
        let changing = builder().before_send(|mut interaction| {
            interaction.request_mut()["seen"] = "by the hook".into();
            interaction.response_mut()["seen"] = "by the hook".into();
            Some(interaction)
        });
        let mut observed = asking_for(sample, changing);
        exchange(&observed, asked(sample), answered(sample, "application/json", sample.response)).await;
        let report = observed.report().await;
        for half in ["request", "response"] {
            assert_eq!(report[half]["seen"], "by the hook", "{:?}", sample.operation);
        }
        assert!(report.to_string().contains("my secret"), "{:?}: {report}", sample.operation);
    }
}

#[tokio::test]
async fn type_and_length_stand_for_the_images_of_every_operation() {
    for sample in SAMPLES.iter().filter(|sample| sample.request.contains("aGVsbG8")) {
        let mut observed = asking_for(sample, builder().media(Media::Elide));
        exchange(&observed, asked(sample), answered(sample, "application/json", sample.response)).await;
        let report = observed.report_text().await;
        let request = field(&report, "request");
        assert!(
            !request.contains("aGVsbG8") && request.contains(" bytes"),
            "{:?}: {request}",
            sample.operation
        );
        assert!(request.contains("a secret"), "{:?}: {request}", sample.operation);
    }
}

#[tokio::test]
async fn an_error_of_every_operation_is_reported_without_placeholders_if_failures_are() {
    const ERROR: &str = r#"{"type":"error","error":{"type":"overloaded_error","message":"try later"}}"#;
    for sample in SAMPLES {
        let mut observed = asking_for(sample, builder().report_failures(true));
        let mut response = answered(sample, "application/json", ERROR);
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        exchange(&observed, asked(sample), response).await;
        let report = observed.report_text().await;
        let expected = match sample.provider() {
            Provider::Bedrock => format!(r#"{{"requestId":"req-7","body":{ERROR}}}"#),
            _ => ERROR.to_owned(),
        };
        assert_eq!(field(&report, "response"), expected, "{:?}", sample.operation);
        let whole: Value = serde_json::from_str(&report).unwrap();
        assert_eq!(whole["metadata"]["outcome"], "refused", "{:?}", sample.operation);
    }
}

#[tokio::test]
async fn a_call_of_every_operation_without_an_answer_is_reported_as_its_own_error_if_failures_are() {
    for sample in SAMPLES {
        let mut observed = asking_for(sample, builder().report_failures(true));
        let inner = service_fn(async |request: Request<RequestBody<Body>>| {
            request.into_body().collect().await.expect("the request's body is whole");
            Err::<Response<Body>, _>("no connection")
        });
        assert!(observed.layer.layer(inner).oneshot(asked(sample)).await.is_err());
        let report = observed.report().await;
        assert_eq!(report["metadata"]["outcome"], "failed", "{:?}", sample.operation);
        assert!(
            report["response"].to_string().contains("instead of a response"),
            "{:?}: {report}",
            sample.operation
        );
        assert!(report["request"].to_string().contains("a secret"), "{:?}: {report}", sample.operation);
    }
}

#[test]
fn every_operation_of_a_provider_other_than_openai_has_a_sample() {
    let others = Operation::ALL.iter().filter(|operation| operation.provider() != Provider::OpenAi);
    for operation in others {
        assert!(SAMPLES.iter().any(|sample| sample.operation == *operation), "{operation}");
    }
}
