//! Promise 4, exhaustively: whichever part of an exchange goes first, and at whichever poll, it is one interaction.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use axum::body::Bytes;
use axum::http::{HeaderMap, Request, Response};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use tower::{BoxError, Layer, Service, service_fn};
use tower_reconify::{ReconifyLayer, Report, RequestBody, Stats};

use crate::support::{self, config, post};

/// A body of this test's. It is one of these, and after its last step at its end.
#[derive(Clone, Debug)]
struct Scripted {
    steps: VecDeque<Step>,
    is_exact: bool,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Data(usize),
    Pending,
    Trailers,
    Error,
    Panic,
}

impl Scripted {
    /// A small frame, which is copied, a large one, which is kept by reference, and an end.
    fn ending(end: Option<Step>, is_exact: bool) -> Self {
        let steps = [Step::Data(10), Step::Pending, Step::Data(10_000)];
        Self { steps: steps.into_iter().chain(end).collect(), is_exact }
    }
}

impl Body for Scripted {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        Poll::Ready(match self.steps.pop_front() {
            Some(Step::Data(length)) => Some(Ok(Frame::data(vec![b' '; length].into()))),
            Some(Step::Pending) => return Poll::Pending,
            Some(Step::Trailers) => Some(Ok(Frame::trailers(HeaderMap::new()))),
            Some(Step::Error) => Some(Err("broken")),
            // Without a message in the output of the test.
            Some(Step::Panic) => resume_unwind(Box::new("on purpose")),
            None => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.is_exact && self.steps.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        let left =
            self.steps.iter().map(|step| if let Step::Data(length) = step { *length as u64 } else { 0 });
        if self.is_exact { SizeHint::with_exact(left.sum()) } else { SizeHint::default() }
    }
}

type AnyBody = UnsyncBoxBody<Bytes, BoxError>;
type Slot = Arc<Mutex<Option<AnyBody>>>;

/// What the inner service does.
#[derive(Clone, Debug)]
struct Inner {
    /// The request's body, if somebody else than the service's future has it.
    detached: Option<Slot>,
    /// How often the future is pending before it answers.
    pending: usize,
    answer: Option<Scripted>,
}

impl Inner {
    /// Takes the request's body, at once.
    fn call<B>(self, body: B) -> BoxFuture<'static, Result<Scripted, &'static str>>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let mut own = None;
        let body = UnsyncBoxBody::new(body.map_err(Into::into));
        match &self.detached {
            Some(slot) => drop(slot.lock().unwrap().replace(body)),
            None => own = Some(body),
        }
        let mut pending = self.pending;
        futures_util::future::poll_fn(move |cx| {
            if let Some(body) = &mut own {
                let _ = Pin::new(body).poll_frame(cx);
            }
            if pending > 0 {
                pending -= 1;
                return Poll::Pending;
            }
            Poll::Ready(self.answer.clone().ok_or("no answer"))
        })
        .boxed()
    }
}

/// The parts of an exchange that can be polled and dropped.
struct Exchange {
    call: Option<BoxFuture<'static, Result<AnyBody, BoxError>>>,
    request: Slot,
    response: Option<AnyBody>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Part {
    Call,
    Request,
    Response,
}
use Part::{Call, Request as Asked, Response as Answered};

const ORDERS: [[Part; 3]; 6] = [
    [Call, Asked, Answered],
    [Call, Answered, Asked],
    [Asked, Call, Answered],
    [Asked, Answered, Call],
    [Answered, Call, Asked],
    [Answered, Asked, Call],
];

impl Exchange {
    /// Polls a part. One that panics is not polled again.
    fn poll(&mut self, part: Part) {
        if catch_unwind(AssertUnwindSafe(|| self.poll_part(part))).is_err() {
            self.drop(part);
        }
    }

    fn poll_part(&mut self, part: Part) {
        let mut cx = Context::from_waker(Waker::noop());
        match part {
            Call => {
                if let Some(Poll::Ready(answer)) = self.call.as_mut().map(|call| call.poll_unpin(&mut cx)) {
                    self.call = None;
                    self.response = answer.ok();
                }
            }
            Asked => {
                if let Some(body) = &mut *self.lock() {
                    let _ = Pin::new(body).poll_frame(&mut cx);
                }
            }
            Answered => {
                if let Some(body) = &mut self.response {
                    let _ = Pin::new(body).poll_frame(&mut cx);
                }
            }
        }
    }

    fn drop(&mut self, part: Part) {
        match part {
            Call => self.call = None,
            Asked => drop(self.lock().take()),
            Answered => self.response = None,
        }
    }

    fn has(&self, part: Part) -> bool {
        match part {
            Call => self.call.is_some(),
            Asked => self.lock().is_some(),
            Answered => self.response.is_some(),
        }
    }

    /// The request's body, which may have panicked.
    fn lock(&self) -> MutexGuard<'_, Option<AnyBody>> {
        self.request.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How often each part is polled, and how they go.
#[derive(Clone, Copy, Debug)]
struct Course {
    polls: [(Part, usize); 3],
    drops: [Part; 3],
    /// Whether what is left goes on to its end when the first part is gone.
    goes_on: bool,
}

const MOST_POLLS: usize = 6;

fn courses(pending: usize) -> impl Iterator<Item = Course> {
    let polls = move |order: [Part; 3]| {
        let most = move |part| if part == Call { pending + 1 } else { MOST_POLLS };
        (0..=most(order[0])).flat_map(move |first| {
            (0..=most(order[1])).flat_map(move |second| {
                (0..=most(order[2]))
                    .map(move |third| [(order[0], first), (order[1], second), (order[2], third)])
            })
        })
    };
    // A response is there once the call has ended: it is never polled before.
    let polls = [[Call, Asked, Answered], [Asked, Call, Answered]].into_iter().flat_map(polls);
    // Without an answer, further polls of it are the same again.
    let polls = polls.filter(move |polls| {
        polls.iter().all(|(part, times)| *part != Call || *times > pending) || polls[2].1 == 0
    });
    polls.flat_map(|polls| {
        let goes_on = [false, true].into_iter();
        goes_on.flat_map(move |goes_on| ORDERS.map(|drops| Course { polls, drops, goes_on }))
    })
}

fn run(exchange: &mut Exchange, course: Course) {
    for (part, times) in course.polls {
        (0..times).for_each(|_| exchange.poll(part));
    }
    let mut drops = course.drops.into_iter();
    if let Some(first) = drops.find(|part| exchange.has(*part)) {
        exchange.drop(first);
    }
    if course.goes_on {
        for part in [Call, Asked, Answered] {
            (0..MOST_POLLS).for_each(|_| exchange.poll(part));
        }
    }
    // What came only meanwhile goes, too.
    course.drops.into_iter().for_each(|part| exchange.drop(part));
}

/// Every course through every kind of exchange that `start` makes.
async fn check_all(
    start: impl Fn(&ReconifyLayer, Scripted, Inner) -> BoxFuture<'static, Result<AnyBody, BoxError>>,
) {
    let layer =
        ReconifyLayer::with_transport(config(), service_fn(async |_: Report| Ok::<_, Infallible>(())));
    let mut before = Stats::default();
    let mut cases = 0_u64;
    for (end, is_exact) in [
        (None, false),
        (None, true),
        (Some(Step::Error), false),
        (Some(Step::Trailers), false),
        (Some(Step::Panic), false),
    ] {
        for (is_detached, has_answer) in [(true, true), (false, true), (true, false)] {
            let pending = 1;
            for course in courses(pending) {
                let asks = |part| course.polls.iter().any(|(asked, times)| *asked == part && *times > 0);
                if (!is_detached && asks(Asked)) || (!has_answer && asks(Answered)) {
                    continue;
                }
                let request = Slot::default();
                let body = Scripted::ending(end, is_exact);
                let inner = Inner {
                    detached: is_detached.then(|| Arc::clone(&request)),
                    pending,
                    answer: has_answer.then(|| body.clone()),
                };
                let call = Some(start(&layer, body, inner));
                let mut exchange = Exchange { call, request, response: None };
                run(&mut exchange, course);
                drop(exchange);
                let stats = layer.reporter().stats();
                let captured = stats.captured - before.captured;
                assert!(captured <= 1);
                assert!(
                    captured == 1 || course.polls.contains(&(Call, 0)),
                    "a call that was made is captured"
                );
                layer.reporter().flush(support::PATIENCE).await;
                let stats = layer.reporter().stats();
                let case = format!("{course:?} {end:?} {is_exact} {is_detached} {has_answer}: {stats}");
                assert_eq!(stats.settled() - before.settled(), captured, "{case}");
                assert_eq!((stats.pending, stats.bytes_held), (0, 0), "{case}");
                (before, cases) = (stats, cases + 1);
            }
        }
    }
    println!("{cases} cases");
    assert!(cases > 1_000 && before.captured > cases / 2);
    assert!(before.delivered > 0 && before.withheld_total() > 0, "{before}");
}

#[tokio::test]
async fn an_exchange_through_a_service_is_one_interaction_or_none_wherever_it_is_dropped() {
    check_all(|layer, body, inner| {
        let mut service = layer.layer(service_fn(move |request: Request<RequestBody<Scripted>>| {
            inner.clone().call(request.into_body()).map(|answer| answer.map(Response::new))
        }));
        let (parts, ()) = post("/v1/chat/completions", "").map(|_| ()).into_parts();
        let call = service.call(Request::from_parts(parts, body));
        call.map(|answer| Ok(UnsyncBoxBody::new(answer?.into_body().map_err(Into::into)))).boxed()
    })
    .await;
}

fn asked(body: impl Into<reqwest::Body>) -> reqwest::Request {
    let mut request = reqwest::Request::new(
        reqwest::Method::POST,
        "http://127.0.0.1:9/v1/chat/completions".parse().unwrap(),
    );
    *request.body_mut() = Some(body.into());
    request
}

/// The answer as reqwest has it.
async fn reqwest_answer(
    mut request: reqwest::Request,
    inner: Inner,
) -> Result<reqwest::Response, &'static str> {
    let body = request.body_mut().take().unwrap();
    let answer = inner.call(body).await?;
    Ok(Response::new(reqwest::Body::wrap(answer)).into())
}

fn any(answer: reqwest::Response) -> AnyBody {
    UnsyncBoxBody::new(reqwest::Body::from(answer).map_err(Into::into))
}

#[tokio::test]
async fn an_exchange_through_a_reqwest_client_is_one_interaction_or_none_wherever_it_is_dropped() {
    for is_streamed in [true, false] {
        check_all(|layer, body, inner| {
            let mut service = layer.layer(service_fn(move |request| reqwest_answer(request, inner.clone())));
            let body = if is_streamed { reqwest::Body::wrap(body) } else { support::CHAT.into() };
            let call = service.call(asked(body));
            call.map(|answer| Ok(any(answer?))).boxed()
        })
        .await;
    }
}

#[cfg(feature = "reqwest-middleware")]
#[tokio::test]
async fn an_exchange_through_reqwest_middleware_is_one_interaction_or_none_wherever_it_is_dropped() {
    struct Last(Inner);

    #[async_trait::async_trait]
    impl reqwest_middleware::Middleware for Last {
        async fn handle(
            &self,
            request: reqwest::Request,
            _: &mut axum::http::Extensions,
            _: reqwest_middleware::Next<'_>,
        ) -> reqwest_middleware::Result<reqwest::Response> {
            let answer = reqwest_answer(request, self.0.clone()).await;
            answer.map_err(|error| reqwest_middleware::Error::middleware(std::io::Error::other(error)))
        }
    }

    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    check_all(|layer, body, inner| {
        let client = reqwest_middleware::ClientBuilder::new(client.clone());
        let client = client.with(layer.clone()).with(Last(inner)).build();
        async move { Ok(any(client.execute(asked(reqwest::Body::wrap(body))).await?)) }.boxed()
    })
    .await;
}
