//! Promise 1: the caller sees what it would see without the layer.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body as AxumBody, Bytes};
use axum::http::{HeaderMap, HeaderValue, Request, Response, Version};
use futures_util::future::poll_immediate;
use http_body::{Body, Frame, SizeHint};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty, Full};
use proptest::prelude::*;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_reconify::{Config, Limits, Reconify, RequestBody, ResponseBody};

use crate::support::{self, chat, observed, observed_with};

/// What a body does when it is polled.
#[derive(Clone, Debug, PartialEq)]
enum Step {
    Data(Vec<u8>),
    Trailers,
    Error,
    Pending,
}

/// A body with scripted polls.
#[derive(Clone, Debug)]
struct Scripted {
    steps: VecDeque<Step>,
    /// Whether it knows its length, and when it is at its end.
    is_exact: bool,
}

impl Scripted {
    fn data_left(&self) -> u64 {
        self.steps.iter().map(|step| if let Step::Data(data) = step { data.len() as u64 } else { 0 }).sum()
    }
}

impl Body for Scripted {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        Poll::Ready(match self.steps.pop_front() {
            Some(Step::Data(data)) => Some(Ok(Frame::data(data.into()))),
            Some(Step::Trailers) => Some(Ok(Frame::trailers(HeaderMap::from_iter([(
                "x-sum".parse().unwrap(),
                HeaderValue::from(1),
            )])))),
            Some(Step::Error) => Some(Err("broken")),
            Some(Step::Pending) => {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            None => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.is_exact && self.steps.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        if self.is_exact { SizeHint::with_exact(self.data_left()) } else { SizeHint::default() }
    }
}

/// Everything that can be seen of a body from outside, poll by poll.
fn observe<B: Body<Data = Bytes, Error = &'static str> + Unpin>(mut body: B) -> Vec<String> {
    let mut seen = Vec::new();
    for _ in 0..100 {
        let hint = body.size_hint();
        seen.push(format!("{} {}..{:?}", body.is_end_stream(), hint.lower(), hint.upper()));
        match poll_immediate(body.frame()).now() {
            None => seen.push("pending".to_owned()),
            Some(None) => {
                seen.push("end".to_owned());
                break;
            }
            Some(Some(frame)) => seen.push(format!("{frame:?}")),
        }
    }
    seen
}

trait Now: Future + Sized {
    fn now(self) -> Self::Output {
        futures_util::FutureExt::now_or_never(self).expect("it is immediate")
    }
}

impl<F: Future> Now for F {}

fn bodies() -> impl Strategy<Value = Scripted> {
    let step = prop_oneof![
        4 => proptest::collection::vec(any::<u8>(), 0..40).prop_map(Step::Data),
        1 => Just(Step::Data(vec![b'x'; 20_000])),
        1 => Just(Step::Trailers),
        1 => Just(Step::Error),
        2 => Just(Step::Pending),
    ];
    (proptest::collection::vec(step, 0..12), any::<bool>())
        .prop_map(|(steps, is_exact)| Scripted { steps: steps.into(), is_exact })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn bodies_are_the_same_poll_by_poll(request in bodies(), response in bodies(), path in "/v1/(chat/)?completions|/other", limit in 1..60usize) {
        let config = Config::builder("a", "b").limits(Limits { body_bytes: limit, bytes: 30_000, ..Limits::default() }).build().unwrap();
        let observed = observed_with(config);
        let layer = &observed.layer;
        let answer = response.clone();
        let mut seen_inside = Vec::new();
        let inner = service_fn(|request: Request<RequestBody<Scripted>>| {
            seen_inside = observe(request.into_body());
            std::future::ready(Ok::<_, &'static str>(Response::new(answer.clone())))
        });
        let outgoing = Request::post(&path).body(request.clone()).unwrap();
        let incoming = layer.layer(inner).oneshot(outgoing).now().unwrap();
        prop_assert_eq!(observe(incoming.into_body()), observe(response));
        prop_assert_eq!(seen_inside, observe(request));
    }
}

#[tokio::test]
async fn nothing_is_added_to_a_request_and_nothing_is_taken_from_a_response() {
    let mut request = chat();
    request.headers_mut().append("x-two", HeaderValue::from_static("1"));
    request.headers_mut().append("x-two", HeaderValue::from_static("2"));
    request.extensions_mut().insert(42_u8);
    *request.version_mut() = Version::HTTP_2;
    let (wanted, _) = chat().into_parts();
    let inner = service_fn(|request: Request<RequestBody<AxumBody>>| {
        let (parts, _) = request.into_parts();
        assert_eq!(
            (parts.method, parts.uri, parts.version),
            (wanted.method.clone(), wanted.uri.clone(), Version::HTTP_2)
        );
        assert_eq!(parts.headers.len(), wanted.headers.len() + 2);
        assert_eq!(parts.extensions.get::<u8>(), Some(&42));
        let mut response = Response::new(AxumBody::empty());
        response.headers_mut().insert("x-request-id", HeaderValue::from_static("r"));
        response.extensions_mut().insert(43_u8);
        *response.version_mut() = Version::HTTP_2;
        *response.status_mut() = axum::http::StatusCode::ACCEPTED;
        std::future::ready(Ok::<_, std::convert::Infallible>(response))
    });
    let observed = observed();
    let response = observed.layer.layer(inner).oneshot(request).await.unwrap();
    assert_eq!(
        (response.status().as_u16(), response.version(), response.headers().len()),
        (202, Version::HTTP_2, 1)
    );
    assert_eq!(response.extensions().get::<u8>(), Some(&43));
}

#[tokio::test]
async fn the_first_event_reaches_the_caller_before_the_second_exists() {
    let (events, received) = tokio::sync::mpsc::unbounded_channel::<&str>();
    let received = futures_util::stream::unfold(received, async |mut received| {
        Some((Ok::<_, std::convert::Infallible>(received.recv().await?), received))
    });
    let observed = observed();
    let mut received = Some(received);
    let inner = service_fn(move |_| {
        let body = AxumBody::from_stream(received.take().unwrap());
        async move { Ok::<_, &'static str>(Response::new(body)) }
    });
    let response = observed.layer.layer(inner).oneshot(chat()).await.unwrap();
    let mut body = response.into_body();
    for event in ["data: 1\n\n", "data: 2\n\n"] {
        events.send(event).unwrap();
        let frame = body.frame().await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), event);
    }
}

#[tokio::test]
async fn readiness_and_errors_are_the_inner_services() {
    struct Reluctant(u8);

    impl<B> Service<Request<B>> for Reluctant {
        type Response = Response<AxumBody>;
        type Error = &'static str;
        type Future = std::future::Ready<Result<Self::Response, &'static str>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), &'static str>> {
            self.0 += 1;
            match self.0 {
                1 => Poll::Pending,
                2 => Poll::Ready(Ok(())),
                _ => Poll::Ready(Err("closed")),
            }
        }

        fn call(&mut self, _: Request<B>) -> Self::Future {
            std::future::ready(Err("refused"))
        }
    }

    let observed = observed();
    let mut service = observed.layer.layer(Reluctant(0));
    let mut context = Context::from_waker(std::task::Waker::noop());
    let mut ready =
        |service: &mut Reconify<Reluctant>| Service::<Request<AxumBody>>::poll_ready(service, &mut context);
    assert!(ready(&mut service).is_pending());
    assert_eq!(ready(&mut service), Poll::Ready(Ok(())));
    assert_eq!(service.call(chat()).await.unwrap_err(), "refused");
    assert_eq!(ready(&mut service), Poll::Ready(Err("closed")));
}

#[tokio::test]
async fn other_requests_are_not_captured() {
    let mut observed = observed();
    for (method, path) in
        [("GET", "/v1/chat/completions"), ("POST", "/v1/embeddings"), ("CONNECT", "/v1/completions")]
    {
        let request = Request::builder().method(method).uri(path).body(AxumBody::from("x")).unwrap();
        support::exchange(&observed, request, support::json("{}")).await;
    }
    let (reports, stats) = observed.settle().await;
    assert!(reports.is_empty());
    assert_eq!(stats.captured, 0);
}

#[tokio::test]
async fn a_disabled_layer_passes_everything_through_and_captures_nothing() {
    let layer = tower_reconify::ReconifyLayer::new(Config::disabled());
    let inner = service_fn(async |request: Request<RequestBody<AxumBody>>| {
        Ok::<_, &'static str>(Response::new(request.into_body()))
    });
    let response = layer.layer(inner).oneshot(chat()).await.unwrap();
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), support::CHAT);
    assert_eq!(layer.reporter().stats(), tower_reconify::Stats::default());
    assert_eq!(layer.reporter().flush(support::PATIENCE).await, Default::default());
}

#[tokio::test]
async fn the_layer_takes_any_body_of_bytes() {
    async fn pass<B>(body: B)
    where
        B: Body<Data = Bytes> + Send + Sync + Unpin + 'static,
        B::Error: std::fmt::Debug,
    {
        fn is_sync_and_unpin<T: Send + Sync + Unpin>(_: &T) {}

        let observed = observed();
        let inner = service_fn(async |request: Request<RequestBody<B>>| {
            Ok::<_, &'static str>(Response::new(request.into_body()))
        });
        let service = observed.layer.layer(inner);
        is_sync_and_unpin(&service);
        let request = Request::post("/v1/completions").body(body).unwrap();
        let response: Response<ResponseBody<RequestBody<B>>> = service.oneshot(request).await.unwrap();
        is_sync_and_unpin(response.body());
        response.into_body().collect().await.unwrap();
    }

    pass(Full::new(Bytes::from("full"))).await;
    pass(Empty::<Bytes>::new()).await;
    pass(BoxBody::new(Full::new(Bytes::from("boxed")))).await;
    pass(Scripted { steps: [Step::Data(vec![1])].into(), is_exact: true }).await;
}
