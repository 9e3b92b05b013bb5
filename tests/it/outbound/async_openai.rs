//! async-openai with its retries: what is reported with the layer inside of them, and what with the layer outside.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_openai::config::OpenAIConfig;
use async_openai::error::OpenAIError;
use async_openai::middleware::retry::OpenAIRetryLayer;
use async_openai::middleware::{HttpRequestFactory, ReqwestService};
use async_openai::types::responses::CreateResponse;
use axum::http::{HeaderValue, StatusCode};
use serde_json::{Value, json};
use tower::{BoxError, ServiceBuilder};
use tower_reconify::{Config, Identity, Session, Stats, User};

use crate::support::gateway::Upstream;
use crate::support::{self, Observed, observed_with};

type Client = async_openai::Client<OpenAIConfig>;

/// A layer that reports failures too, so that every attempt it sees can be read.
fn observed() -> Observed {
    let config = Config::builder("app-key", "api-key").report_failures(true);
    observed_with(config.build().unwrap())
}

/// A server that refuses the first attempt and answers the second.
async fn flaky_server() -> Upstream {
    let attempts = Arc::new(AtomicUsize::new(0));
    Upstream::start(move |_, _| {
        if attempts.fetch_add(1, Ordering::Relaxed) > 0 {
            let content = json!([{"type": "output_text", "text": "Meow.", "annotations": []}]);
            let message = json!({"type": "message", "id": "m", "role": "assistant", "status": "completed", "content": content});
            return support::json(
                json!({"id": "r", "object": "response", "created_at": 1, "status": "completed", "model": "gpt-4o", "output": [message]})
                    .to_string(),
            );
        }
        let mut refused = support::json(r#"{"error":{"message":"Try again."}}"#);
        *refused.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        refused.headers_mut().insert("retry-after", HeaderValue::from_static("0"));
        refused
    })
    .await
}

fn http() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

fn client(server: SocketAddr) -> Client {
    let config = OpenAIConfig::new().with_api_key("sk-test").with_api_base(format!("http://{server}/v1"));
    Client::build(http(), config)
}

/// The filter boxes every error. The retries and the callers expect async-openai's own type.
fn openai_error(error: BoxError) -> OpenAIError {
    error.downcast().map(|error| *error).unwrap_or_else(|error| match error.downcast() {
        Ok(error) => OpenAIError::Reqwest(*error),
        Err(error) => error.into(),
    })
}

/// With the layer inside of the retries, as in the example.
fn inside(server: &Upstream, observed: &Observed) -> Client {
    client(server.address).with_http_service(
        ServiceBuilder::new()
            .layer(OpenAIRetryLayer::new(1))
            .map_err(openai_error)
            .filter_async(|factory: HttpRequestFactory| async move { factory.build().await })
            .layer(observed.layer.clone())
            .service(http()),
    )
}

/// With the layer outside of the retries, as in the README.
fn outside(server: &Upstream, observed: &Observed) -> Client {
    client(server.address).with_http_service(
        ServiceBuilder::new()
            .map_err(openai_error)
            .filter_async(|factory: HttpRequestFactory| async move { factory.build().await })
            .layer(observed.layer.clone())
            .map_request(again)
            .layer(OpenAIRetryLayer::new(1))
            .service(ReqwestService::new(http())),
    )
}

/// A factory of clones: the layer leaves a buffered body as it is, so that it can be cloned.
fn again(request: reqwest::Request) -> HttpRequestFactory {
    HttpRequestFactory::new(move || {
        let clone = request.try_clone();
        async {
            clone.ok_or_else(|| OpenAIError::InvalidArgument("the body can be sent once only".to_owned()))
        }
    })
}

/// Asks one question, as a user, and returns what is reported of it.
async fn ask(client: Client, server: &Upstream, mut observed: Observed) -> (Vec<Value>, Stats) {
    let model = Some("gpt-4o".to_owned());
    let request = CreateResponse { model, input: "Tell a cat joke".into(), ..CreateResponse::default() };
    let identity = Identity::from((User::new("alice"), Session::new("alice-1")));
    let answer = identity.scope(async { client.responses().create(request).await }).await.unwrap();
    assert_eq!(answer.output_text().as_deref(), Some("Meow."));
    assert_eq!(server.requests.lock().unwrap().len(), 2, "it was tried twice");
    let (reports, stats) = observed.settle().await;
    for report in &reports {
        assert_eq!(
            (&report["user"], &report["session"]),
            (&json!({"userId": "alice"}), &json!("alice-1")),
            "{report}"
        );
    }
    (reports, stats)
}

#[tokio::test]
async fn inside_the_retries_every_attempt_is_an_interaction() {
    let (server, observed) = (flaky_server().await, observed());
    let (reports, stats) = ask(inside(&server, &observed), &server, observed).await;
    assert_eq!((reports.len(), stats.captured), (2, 2));
    // The retries drop the answer to the first attempt unread: its message never arrived.
    let is_refusal = |report: &&Value| report["response"]["error"]["type"] == "refused";
    assert_eq!(reports.iter().filter(is_refusal).count(), 1, "{reports:?}");
}

#[tokio::test]
async fn outside_the_retries_a_call_is_one_interaction_with_the_last_answer() {
    let (server, observed) = (flaky_server().await, observed());
    let (reports, stats) = ask(outside(&server, &observed), &server, observed).await;
    assert_eq!((reports.len(), stats.captured), (1, 1));
    assert_eq!(reports[0]["response"]["choices"][0]["message"]["content"], "Meow.");
}

#[tokio::test]
async fn what_openai_refuses_in_the_end_is_its_own_error_for_whoever_calls() {
    let server = Upstream::start(|_, _| {
        let mut refused = support::json(r#"{"error":{"message":"Slower.","type":"requests"}}"#);
        *refused.status_mut() = StatusCode::TOO_MANY_REQUESTS;
        refused.headers_mut().insert("retry-after", HeaderValue::from_static("0"));
        refused
    })
    .await;
    for (client_of, attempts) in [(inside as fn(&Upstream, &Observed) -> Client, 2), (outside, 1)] {
        let mut observed = observed();
        let client = client_of(&server, &observed);
        let error = client.responses().create(CreateResponse::default()).await.unwrap_err();
        let OpenAIError::ApiError(error) = error else { panic!("{error:?}") };
        assert_eq!((error.status_code.as_u16(), error.api_error.message.as_str()), (429, "Slower."));
        assert_eq!(observed.settle().await.1.captured, attempts);
    }
}

#[tokio::test]
async fn a_connection_that_fails_is_an_error_of_reqwest_for_the_retries() {
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = closed.local_addr().unwrap();
    drop(closed);
    let error = http().get(format!("http://{address}")).send().await.unwrap_err();
    assert!(matches!(openai_error(error.into()), OpenAIError::Reqwest(error) if error.is_connect()));
}
