//! Promise 6 under load: ten thousand exchanges of a thousand users at once, and none has what is another's.

use std::collections::HashMap;
use std::convert::Infallible;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::Response;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::routing::post;
use futures_util::{StreamExt, stream};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::task::yield_now;
use tower::{Layer, ServiceExt, service_fn};
use tower_reconify::{Config, Identity, IdentitySlot, ReconifyLayer, RequestBody, Session, User, identify};

use crate::support::{self, Observed, observed_with};

const EXCHANGES: usize = 10_000;
const USERS: usize = 1_000;

/// Which user makes an exchange, and what else is different from one to the next.
#[derive(Clone, Copy)]
struct Turn(usize);

impl Turn {
    fn user(self) -> String {
        format!("user-{}", self.0 % USERS)
    }

    fn session(self) -> String {
        format!("session of {}", self.user())
    }

    fn said(self) -> String {
        format!("turn {} of {}", self.0, self.user())
    }

    fn is_streamed(self) -> bool {
        self.0.is_multiple_of(2)
    }

    /// Whether the caller leaves in the middle of the answer.
    fn is_left(self) -> bool {
        self.0.is_multiple_of(10)
    }

    /// Gives way to others a number of times, so that exchanges overlap in every order.
    async fn pause(self, salt: usize) {
        for _ in 0..(self.0.wrapping_mul(2_654_435_761) >> 7).wrapping_add(salt) % 7 {
            yield_now().await;
        }
    }

    fn request(self) -> Request {
        let body = json!({"messages": [], "turn": self.0, "said": self.said()}).to_string();
        support::post("/v1/chat/completions", body)
    }

    /// What a model says: the turn, in pieces or as a whole.
    fn answer(self) -> Response<Body> {
        if !self.is_streamed() {
            let message = json!({"role": "assistant", "content": self.said()});
            return support::json(json!({"choices": [{"index": 0, "message": message}]}).to_string());
        }
        let words: Vec<String> = self.said().split_inclusive(' ').map(str::to_owned).collect();
        let events = stream::iter(words).then(move |word| async move {
            self.pause(word.len()).await;
            let chunk = json!({"choices": [{"index": 0, "delta": {"content": word}}]});
            Ok::<_, Infallible>(format!("data: {chunk}\n\n"))
        });
        let end = stream::once(async { Ok("data: [DONE]\n\n".to_owned()) });
        let body = Body::from_stream(events.chain(end).boxed());
        Response::builder().header(CONTENT_TYPE, "text/event-stream").body(body).unwrap()
    }
}

fn turn_of(body: &[u8]) -> Turn {
    let request: Value = serde_json::from_slice(body).unwrap();
    Turn(usize::try_from(request["turn"].as_u64().unwrap()).unwrap())
}

fn layer() -> Observed {
    observed_with(Config::builder("a", "b").metadata(true).build().unwrap())
}

/// Runs all turns at once, each on a task of its own.
async fn run<F: Future<Output = Response<Body>> + Send>(call: impl Fn(Turn) -> F + Clone + Send + 'static) {
    let tasks: Vec<_> = (0..EXCHANGES)
        .map(|turn| {
            let call = call.clone();
            tokio::spawn(async move {
                let turn = Turn(turn);
                turn.pause(0).await;
                let mut body = call(turn).await.into_body();
                if turn.is_left() {
                    body.frame().await.unwrap().unwrap();
                } else {
                    body.collect().await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

/// Every report is of the user whose words it has.
async fn check(mut observed: Observed) {
    let (reports, stats) = observed.settle().await;
    assert_eq!((stats.captured, stats.delivered), (EXCHANGES as u64, EXCHANGES as u64));
    let mut turns = HashMap::new();
    for report in &reports {
        let turn = turn_of(report["request"].to_string().as_bytes());
        *turns.entry(turn.0).or_insert(0) += 1;
        assert_eq!(report["user"]["userId"], turn.user());
        assert_eq!(report["session"], turn.session());
        assert_eq!(report["request"]["said"], turn.said());
        let content = report["response"]["choices"][0]["message"]["content"].as_str().unwrap();
        match report["metadata"]["outcome"].as_str().unwrap() {
            "answered" => assert_eq!(content, turn.said()),
            outcome => assert!(outcome == "abandoned" && turn.is_left() && turn.said().starts_with(content)),
        }
    }
    assert_eq!(turns.len(), EXCHANGES);
}

struct Claims(String, String);

impl<S: Sync> axum::extract::FromRequestParts<S> for Claims {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        yield_now().await;
        let text = |name: &str| parts.headers[name].to_str().unwrap().to_owned();
        Ok(Self(text("x-user"), text("x-session")))
    }
}

impl From<Claims> for Identity {
    fn from(Claims(user, session): Claims) -> Self {
        Self::from((User::new(user), Session::new(session)))
    }
}

fn asked_by(turn: Turn, mut request: Request) -> Request {
    request.headers_mut().insert("x-user", turn.user().parse().unwrap());
    request.headers_mut().insert("x-session", turn.session().parse().unwrap());
    request
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_app_never_mixes_up_its_users() {
    let observed = layer();
    let handler = async |slot: IdentitySlot, body: Bytes| {
        let turn = turn_of(&body);
        turn.pause(3).await;
        // Some find out late.
        if turn.0.is_multiple_of(3) {
            slot.set((User::new(turn.user()), Session::new(turn.session())));
        }
        turn.answer()
    };
    let app: Router = Router::new().route("/v1/chat/completions", post(handler));
    let app = app.layer(observed.layer.clone()).layer(identify::<Claims>());
    run(move |turn| {
        // Who finds out late has a wrong identity at first: that of the next user.
        let seems = if turn.0.is_multiple_of(3) { Turn(turn.0 + 1) } else { turn };
        let request = asked_by(seems, turn.request());
        let app = app.clone();
        async move { app.oneshot(request).await.unwrap() }
    })
    .await;
    check(observed).await;
}

/// An OpenAI behind a layer on the way out.
fn ask(layer: &ReconifyLayer, turn: Turn) -> impl Future<Output = Response<Body>> + Send + use<> {
    let openai = layer.layer(service_fn(async |request: Request<RequestBody<Body>>| {
        let turn = turn_of(&request.into_body().collect().await.unwrap().to_bytes());
        turn.pause(5).await;
        Ok::<_, Infallible>(turn.answer())
    }));
    let asked = openai.oneshot(turn.request());
    async move { asked.await.unwrap().map(Body::new) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn outbound_calls_never_have_the_user_of_another_request() {
    let observed = layer();
    let outbound = observed.layer.clone();
    let handler = async move |body: Bytes| {
        let turn = turn_of(&body);
        turn.pause(2).await;
        let asked = ask(&outbound, turn);
        if turn.0.is_multiple_of(3) {
            // On a task of its own, which is given the identity.
            let current = Identity::current();
            return tokio::spawn(current.scope(asked)).await.unwrap();
        }
        asked.await
    };
    let app: Router = Router::new().route("/ask", post(handler)).layer(identify::<Claims>());
    run(move |turn| {
        let mut request = asked_by(turn, turn.request());
        *request.uri_mut() = "/ask".parse().unwrap();
        let app = app.clone();
        async move { app.oneshot(request).await.unwrap() }
    })
    .await;
    check(observed).await;
}
