//! Promises 1 and 6 around the clients with which an application calls OpenAI.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::{HeaderMap, Method, Request, Response, StatusCode, Version};
use axum::response::IntoResponse;
use axum::routing::{any, post};
use futures_util::StreamExt;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tower::{Service, ServiceBuilder, ServiceExt};
use tower_reconify::{Config, Identity, IdentityHeaders, Reconify, ReconifyLayer, Session, User};

use crate::support::gateway::serve;
use crate::support::{ANSWER, CHAT, Observed, PATIENCE, observed, observed_with};

fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

fn around(layer: &ReconifyLayer) -> Reconify<reqwest::Client> {
    ServiceBuilder::new().layer(layer.clone()).service(client())
}

fn asked(address: SocketAddr) -> reqwest::Request {
    let url = format!("http://{address}/v1/chat/completions");
    client().post(url).header(CONTENT_TYPE, "application/json").body(CHAT).build().unwrap()
}

/// An OpenAI that answers with the headers and the body that it got.
async fn echo() -> SocketAddr {
    serve(Router::new().fallback(any(async |method: Method, headers: HeaderMap, body: Bytes| {
        let mut answer = Response::new(Body::from(body));
        *answer.headers_mut() = headers
            .into_iter()
            .filter_map(|(name, value)| Some((name?, value)))
            .filter(|(name, _)| name.as_str().starts_with("x-") || *name == CONTENT_TYPE)
            .collect();
        answer.headers_mut().insert("x-method", method.as_str().parse().unwrap());
        answer
    })))
    .await
}

/// One that answers a chat.
async fn openai() -> SocketAddr {
    serve(
        Router::new().route(
            "/v1/chat/completions",
            post(async |_: Bytes| ([(CONTENT_TYPE, "application/json")], ANSWER)),
        ),
    )
    .await
}

async fn report(observed: &mut Observed) -> Value {
    observed.report().await
}

#[tokio::test]
async fn a_call_through_reqwest_is_reported_and_its_response_is_as_without_the_layer() {
    let mut observed = observed();
    let address = openai().await;
    let bare = client().execute(asked(address)).await.unwrap();
    let response = around(&observed.layer).oneshot(asked(address)).await.unwrap();
    assert_eq!(response.url(), bare.url());
    assert_eq!((response.status(), response.version()), (StatusCode::OK, Version::HTTP_11));
    assert_eq!((response.remote_addr(), response.content_length()), (Some(address), bare.content_length()));
    assert_eq!(response.headers()[CONTENT_TYPE], bare.headers()[CONTENT_TYPE]);
    assert_eq!(response.text().await.unwrap(), bare.text().await.unwrap());
    let report = report(&mut observed).await;
    assert_eq!(report["request"], serde_json::from_str::<Value>(CHAT).unwrap());
    assert_eq!(report["response"], serde_json::from_str::<Value>(ANSWER).unwrap());
}

#[tokio::test]
async fn a_call_without_a_body_or_to_another_route_is_as_without_the_layer() {
    let mut observed = observed();
    let address = echo().await;
    let mut service = around(&observed.layer);
    let call = async |request: reqwest::RequestBuilder| {
        let response = around(&observed.layer).oneshot(request.build().unwrap()).await.unwrap();
        (
            response.url().path().to_owned(),
            response.headers()["x-method"].clone(),
            response.bytes().await.unwrap(),
        )
    };
    let url = |path: &str| format!("http://{address}{path}");
    assert_eq!(
        call(client().get(url("/v1/models"))).await,
        ("/v1/models".to_owned(), "GET".parse().unwrap(), Bytes::new())
    );
    let path = "/v1/chat/completions";
    assert_eq!(
        call(client().post(url(path))).await,
        (path.to_owned(), "POST".parse().unwrap(), Bytes::new())
    );
    assert!(service.ready().await.is_ok());
    let report = report(&mut observed).await;
    assert_eq!(report["request"], json!({"contentType": null, "bytes": 0, "messages": []}));
    assert_eq!(observed.settle().await.1.captured, 1);
}

#[tokio::test]
async fn a_stream_passes_through_reqwest_piece_by_piece_in_both_directions() {
    let mut observed = observed();
    // It answers each piece before it gets the next.
    let openai = serve(Router::new().fallback(any(async |body: Body| {
        ([(CONTENT_TYPE, "text/event-stream")], Body::from_stream(body.into_data_stream()))
    })))
    .await;
    let (sender, pieces) = tokio::sync::mpsc::unbounded_channel::<Result<String, Infallible>>();
    let pieces =
        futures_util::stream::unfold(pieces, async |mut pieces| Some((pieces.recv().await?, pieces)));
    let request = client().post(format!("http://{openai}/v1/chat/completions"));
    let request = request.body(reqwest::Body::wrap_stream(pieces)).build().unwrap();
    let response = around(&observed.layer).oneshot(request).await.unwrap();
    let mut answer = response.bytes_stream();
    for word in ["a", "b", "c"] {
        let event =
            format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{word}\"}}}}]}}\n\n");
        sender.send(Ok(event.clone())).unwrap();
        let piece = tokio::time::timeout(PATIENCE, answer.next()).await.expect("it does not wait for more");
        assert_eq!(piece.unwrap().unwrap(), event);
    }
    drop(sender);
    assert!(answer.next().await.is_none());
    let report = report(&mut observed).await;
    assert_eq!(report["response"]["choices"][0]["message"]["content"], "abc");
    assert!(report["request"]["bytes"].as_u64() > Some(100), "{report}");
}

#[tokio::test]
async fn a_buffered_body_follows_redirects() {
    for status in [StatusCode::TEMPORARY_REDIRECT, StatusCode::PERMANENT_REDIRECT] {
        let mut observed = observed();
        let target = echo().await;
        let from = serve(Router::new().fallback(any(async move |_: Bytes| {
            (status, [(LOCATION, format!("http://{target}/elsewhere"))]).into_response()
        })))
        .await;
        let response = around(&observed.layer).oneshot(asked(from)).await.unwrap();
        assert_eq!(response.url().path(), "/elsewhere");
        assert_eq!((response.status(), response.text().await.unwrap()), (StatusCode::OK, CHAT.to_owned()));
        assert_eq!(report(&mut observed).await["request"], serde_json::from_str::<Value>(CHAT).unwrap());
        assert_eq!(observed.settle().await.1.captured, 1, "one call is one exchange");
    }
}

#[tokio::test]
async fn a_buffered_body_can_still_be_cloned_and_one_that_streams_still_cannot() {
    let observed = observed();
    let inner = tower::service_fn(async |request: reqwest::Request| {
        let clone = request.try_clone();
        let bytes = clone.as_ref().and_then(|clone| clone.body()?.as_bytes().map(<[u8]>::to_vec));
        Ok::<_, Infallible>(reqwest::Response::from(Response::new(bytes.unwrap_or_else(|| b"none".to_vec()))))
    });
    let service = ServiceBuilder::new().layer(observed.layer.clone()).service(inner);
    let address = ([127, 0, 0, 1], 9).into();
    let response = service.clone().oneshot(asked(address)).await.unwrap();
    assert_eq!(response.text().await.unwrap(), CHAT);
    let stream = futures_util::stream::once(async { Ok::<_, Infallible>(CHAT) });
    let mut request = asked(address);
    *request.body_mut() = Some(reqwest::Body::wrap_stream(stream));
    assert_eq!(service.oneshot(request).await.unwrap().text().await.unwrap(), "none");
}

/// A server that breaks off in the middle of its answers.
async fn breaking_off() -> SocketAddr {
    const HALF: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n7\r\ndata: {\r\n";
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            let mut request = Vec::new();
            // All of the request: what is left unread would reset the connection.
            while !request.ends_with(CHAT.as_bytes()) && connection.read_buf(&mut request).await.unwrap() > 0
            {
            }
            connection.write_all(HALF).await.unwrap();
        }
    });
    address
}

#[tokio::test]
async fn errors_are_told_apart_as_without_the_layer() {
    let broken = breaking_off().await;
    let silent = serve(Router::new().fallback(any(async |_: Bytes| {
        let nothing = futures_util::stream::pending::<Result<Bytes, Infallible>>();
        ([(CONTENT_TYPE, "text/event-stream")], Body::from_stream(nothing))
    })))
    .await;
    let nobody = { tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap() };
    let mut observed = observed();
    let kinds = |error: reqwest::Error| {
        json!([
            error.is_timeout(),
            error.is_connect(),
            error.is_body(),
            error.is_decode(),
            error.is_request(),
            error.to_string()
        ])
    };
    for (address, timeout) in [(broken, PATIENCE), (silent, Duration::from_millis(100)), (nobody, PATIENCE)] {
        let asked = || {
            let mut request = asked(address);
            *request.timeout_mut() = Some(timeout);
            request
        };
        let bare = match client().execute(asked()).await {
            Ok(response) => response.bytes().await.unwrap_err(),
            Err(error) => error,
        };
        let layered = match around(&observed.layer).oneshot(asked()).await {
            Ok(response) => response.bytes().await.unwrap_err(),
            Err(error) => error,
        };
        assert_eq!(kinds(layered), kinds(bare));
    }
    let (reports, stats) = observed.settle().await;
    assert_eq!((reports.len(), stats.captured), (2, 3), "what failed without an answer is withheld");
}

#[tokio::test]
async fn the_scope_says_who_calls_and_headers_do_not_leave() {
    let address = echo().await;
    for (setting, expected) in [
        (IdentityHeaders::Ignore, json!(["current", null])),
        (IdentityHeaders::Read, json!(["from the header", "s"])),
        (IdentityHeaders::Take, json!(["from the header", "s"])),
    ] {
        let mut observed =
            observed_with(Config::builder("a", "b").identity_headers(setting).build().unwrap());
        let mut request = asked(address);
        if setting != IdentityHeaders::Ignore {
            request.headers_mut().insert("x-reconify-user-id", "from the header".parse().unwrap());
            request.headers_mut().insert("x-reconify-session", "s".parse().unwrap());
        }
        let current = Identity::from(User::new("current"));
        let response = current.scope(around(&observed.layer).oneshot(request)).await.unwrap();
        let passed = response.headers().keys().any(|name| name.as_str().starts_with("x-reconify-"));
        response.bytes().await.unwrap();
        assert!(!passed);
        let report = report(&mut observed).await;
        assert_eq!(json!([report["user"]["userId"], report["session"]]), expected);
    }
}

#[tokio::test]
async fn hyper_clients_need_no_box() {
    let mut observed = observed();
    let address = openai().await;
    let hyper = HyperClient::builder(TokioExecutor::new()).build_http();
    let mut service = ServiceBuilder::new().layer(observed.layer.clone()).service(hyper);
    let mut request = Request::post(format!("http://{address}/v1/chat/completions"))
        .body(Full::new(Bytes::from(CHAT)))
        .unwrap();
    Identity::from((User::new("u"), Session::new("s"))).insert_into(request.extensions_mut());
    let response = service.ready().await.unwrap().call(request).await.unwrap();
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), ANSWER);
    let report = report(&mut observed).await;
    assert_eq!((&report["user"]["userId"], &report["session"]), (&json!("u"), &json!("s")));
}

/// An OpenAI that is unavailable twice, and how often it was asked.
async fn unsteady() -> (SocketAddr, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let openai = any(async move |_: Bytes| match counted.fetch_add(1, SeqCst) {
        0 | 1 => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        _ => ([(CONTENT_TYPE, "application/json")], ANSWER).into_response(),
    });
    (serve(Router::new().fallback(openai)).await, calls)
}

#[derive(Clone)]
struct Again;

impl tower::retry::Policy<reqwest::Request, reqwest::Response, reqwest::Error> for Again {
    type Future = std::future::Ready<()>;

    fn retry(
        &mut self,
        _: &mut reqwest::Request,
        result: &mut Result<reqwest::Response, reqwest::Error>,
    ) -> Option<Self::Future> {
        let is_unavailable = result.as_ref().is_ok_and(|response| response.status().is_server_error());
        is_unavailable.then(|| std::future::ready(()))
    }

    fn clone_request(&mut self, request: &reqwest::Request) -> Option<reqwest::Request> {
        request.try_clone()
    }
}

#[tokio::test]
async fn outside_a_retry_layer_a_call_is_one_interaction_and_inside_one_an_attempt() {
    for (is_outside, captured) in [(true, 1), (false, 3)] {
        let mut observed = observed_with(Config::builder("a", "b").report_failures(true).build().unwrap());
        let (address, calls) = unsteady().await;
        let retry = tower::retry::RetryLayer::new(Again);
        let response = if is_outside {
            ServiceBuilder::new()
                .layer(observed.layer.clone())
                .layer(retry)
                .service(client())
                .oneshot(asked(address))
                .await
        } else {
            ServiceBuilder::new()
                .layer(retry)
                .layer(observed.layer.clone())
                .service(client())
                .oneshot(asked(address))
                .await
        };
        assert_eq!(response.unwrap().text().await.unwrap(), ANSWER);
        assert_eq!(calls.load(SeqCst), 3);
        let (reports, stats) = observed.settle().await;
        assert_eq!((reports.len(), stats.captured), (captured, captured as u64));
        assert_eq!(reports.last().unwrap()["response"], serde_json::from_str::<Value>(ANSWER).unwrap());
    }
}

#[cfg(feature = "reqwest-middleware")]
#[tokio::test]
async fn a_middleware_client_is_captured_with_the_identity_of_its_extensions() {
    let mut observed = observed();
    let address = openai().await;
    let client = reqwest_middleware::ClientBuilder::new(client()).with(observed.layer.clone()).build();
    let url = format!("http://{address}/v1/chat/completions");
    let request =
        client.post(&url).with_extension(User::new("u")).with_extension(Session::new("s")).body(CHAT);
    let response = request.send().await.unwrap();
    assert_eq!(response.url().as_str(), url);
    assert_eq!(response.text().await.unwrap(), ANSWER);
    let report = report(&mut observed).await;
    assert_eq!(json!([report["user"]["userId"], report["session"]]), json!(["u", "s"]));
    assert_eq!(report["request"], serde_json::from_str::<Value>(CHAT).unwrap());
}

#[cfg(feature = "reqwest-middleware")]
#[tokio::test]
async fn an_attempt_with_the_same_extensions_is_an_exchange_of_its_own() {
    /// Asks twice, and holds both answers.
    struct Twice;

    #[async_trait::async_trait]
    impl reqwest_middleware::Middleware for Twice {
        async fn handle(
            &self,
            request: reqwest::Request,
            extensions: &mut axum::http::Extensions,
            next: reqwest_middleware::Next<'_>,
        ) -> reqwest_middleware::Result<reqwest::Response> {
            let first = next.clone().run(request.try_clone().unwrap(), extensions).await?;
            let second = next.run(request, extensions).await;
            drop(first);
            second
        }
    }

    let mut observed = observed();
    let address = openai().await;
    let client =
        reqwest_middleware::ClientBuilder::new(client()).with(Twice).with(observed.layer.clone()).build();
    let response =
        client.post(format!("http://{address}/v1/chat/completions")).body(CHAT).send().await.unwrap();
    response.bytes().await.unwrap();
    assert_eq!(observed.settle().await.1.captured, 2);
}

#[cfg(feature = "reqwest-middleware")]
#[tokio::test]
async fn an_attempt_that_was_broken_off_leaves_nothing_to_the_next() {
    use futures_util::FutureExt;
    use tower_reconify::DoNotReport;

    /// Asks, is not to be reported, breaks that off, and asks again.
    struct Impatient;

    #[async_trait::async_trait]
    impl reqwest_middleware::Middleware for Impatient {
        async fn handle(
            &self,
            request: reqwest::Request,
            extensions: &mut axum::http::Extensions,
            next: reqwest_middleware::Next<'_>,
        ) -> reqwest_middleware::Result<reqwest::Response> {
            extensions.insert(DoNotReport);
            let first = next.clone().run(request.try_clone().unwrap(), extensions);
            assert!(first.now_or_never().is_none(), "a connection takes longer");
            extensions.remove::<DoNotReport>();
            next.run(request, extensions).await
        }
    }

    let mut observed = observed();
    let address = openai().await;
    let client =
        reqwest_middleware::ClientBuilder::new(client()).with(Impatient).with(observed.layer.clone()).build();
    let response =
        client.post(format!("http://{address}/v1/chat/completions")).body(CHAT).send().await.unwrap();
    response.bytes().await.unwrap();
    let (reports, stats) = observed.settle().await;
    assert_eq!((reports.len(), stats.captured, stats.withheld_total()), (1, 2, 1));
}
