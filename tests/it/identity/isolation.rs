//! Promises 6 and 7 where requests, layers and scopes meet: what belongs to one user never goes with another, and what is
//! to be left out is left out everywhere.

use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{Extensions, Response};
use axum::routing::{get, post};
use futures_util::future::BoxFuture;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use tower_reconify::{
    Config, DoNotReport, DropReason, Identity, IdentityHeaders, IdentitySlot, Limits, OmitContent,
    ReconifyLayer, RequestBody, Session, Tags, User, WithholdReason, identify,
};

use crate::support::{self, ANSWER, Observed, assert_accounted, chat, exchange, observed, observed_with};

/// Extracts whatever a request carries.
struct Carried(Identity);

impl<S: Sync> axum::extract::FromRequestParts<S> for Carried {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let text = |name: &str| parts.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
        let session = text("x-who-session").map(Session::new);
        let user: Identity = text("x-who").map(User::new).into();
        Ok(Self(session.map_or(user.clone(), |session| user.with_session(session))))
    }
}

impl From<Carried> for Identity {
    fn from(Carried(identity): Carried) -> Self {
        identity
    }
}

fn of(user: &str) -> Identity {
    Identity::from((User::new(user), Session::new(format!("of {user}"))))
}

/// An OpenAI behind a layer on the way out: an `http` service that answers.
fn openai(
    layer: &ReconifyLayer,
) -> impl Service<Request, Response = axum::response::Response, Error = Infallible, Future: Send>
+ Clone
+ Send
+ Sync
+ use<> {
    let inner = service_fn(async |request: Request<RequestBody<Body>>| {
        request.into_body().collect().await.unwrap();
        Ok::<_, Infallible>(support::json(ANSWER))
    });
    ServiceBuilder::new()
        .map_response(|response: axum::http::Response<_>| response.map(Body::new))
        .layer(layer.clone())
        .service(inner)
}

/// Asks it.
fn asking(layer: &ReconifyLayer) -> impl Fn() -> BoxFuture<'static, ()> + Clone + Send + Sync + use<> {
    let openai = openai(layer);
    move || {
        let openai = openai.clone();
        Box::pin(async move {
            openai.oneshot(chat()).await.unwrap().into_body().collect().await.unwrap();
        })
    }
}

async fn call(app: Router, request: Request) {
    app.oneshot(request).await.unwrap().into_body().collect().await.unwrap();
}

fn asked_with(extend: impl FnOnce(&mut Extensions)) -> Request {
    let mut request = chat();
    extend(request.extensions_mut());
    request
}

async fn who(observed: &mut Observed) -> Value {
    let report = observed.report().await;
    json!([report["user"]["userId"], report["session"]])
}

#[tokio::test]
async fn a_call_made_before_its_scope_is_opened_gets_the_identity_of_the_scope() {
    let mut observed = observed();
    let mut openai = openai(&observed.layer);
    let response = of("u1").scope(openai.call(chat())).await.unwrap();
    response.into_body().collect().await.unwrap();
    assert_eq!(who(&mut observed).await, json!(["u1", "of u1"]));
}

#[tokio::test]
async fn an_identity_slot_of_one_request_does_not_affect_the_calls_of_another() {
    let mut observed = observed();
    let (sender, slots) = tokio::sync::mpsc::unbounded_channel();
    let keep = post(async move |slot: IdentitySlot, _: Bytes| {
        sender.send(slot).unwrap();
        ANSWER
    });
    let slots = std::sync::Arc::new(tokio::sync::Mutex::new(slots));
    let ask = asking(&observed.layer);
    let use_other = get(async move || {
        slots.lock().await.recv().await.unwrap().set_user(User::new("A"));
        ask().await;
    });
    let app = Router::new().route("/v1/chat/completions", keep).route("/b", use_other);
    let app = app.layer(observed.layer.clone()).layer(identify::<Carried>());
    let mut first = chat();
    first.headers_mut().insert("x-who", "A".parse().unwrap());
    call(app.clone(), first).await;
    assert_eq!(who(&mut observed).await[0], "A");
    call(app, Request::get("/b").header("x-who", "B").body(Body::empty()).unwrap()).await;
    assert_eq!(who(&mut observed).await[0], "B");
}

#[tokio::test]
async fn neither_session_nor_tags_of_one_user_go_with_another() {
    let mut observed = observed_with(Config::builder("a", "b").metadata(true).build().unwrap());
    let around = of("A").with_tags(Tags::new().with("tenant", "of A"));
    let request = asked_with(|extensions| Identity::from(User::new("B")).insert_into(extensions));
    around.clone().scope(exchange(&observed, request, support::json(ANSWER))).await;
    let report = observed.report().await;
    assert_eq!(
        json!([report["user"]["userId"], report["session"], report["metadata"]["tags"]]),
        json!(["B", null, {}])
    );
    // Of the same user, tags of both are there, and the request's win.
    let own = of("A").with_tags(Tags::new().with("turn", "1"));
    let request = asked_with(|extensions| own.insert_into(extensions));
    around.scope(exchange(&observed, request, support::json(ANSWER))).await;
    assert_eq!(observed.report().await["metadata"]["tags"], json!({"tenant": "of A", "turn": "1"}));
}

#[tokio::test]
async fn an_inner_user_ends_the_session_of_an_outer_one_whichever_layer_stands_where() {
    let mut observed = observed();
    let inner = || identify::<Carried>().map(|_| User::new("B"));
    let outer = identify::<Carried>;
    let ask = asking(&observed.layer);
    let handler = post(async move |_: Bytes| {
        ask().await;
        ANSWER
    });
    let app = || Router::new().route("/v1/chat/completions", handler.clone());
    let reconify = || observed.layer.clone();
    let apps = [
        app().layer(reconify()).layer(inner()).layer(outer()),
        app().layer(inner()).layer(reconify()).layer(outer()),
        app().layer(inner()).layer(outer()).layer(reconify()),
    ];
    for app in apps {
        let mut request = chat();
        request.headers_mut().insert("x-who", "A".parse().unwrap());
        request.headers_mut().insert("x-who-session", "of A".parse().unwrap());
        call(app, request).await;
        for _ in 0..2 {
            assert_eq!(who(&mut observed).await, json!(["B", null]));
        }
    }
}

#[tokio::test]
async fn a_session_without_a_user_belongs_to_the_user_known_from_elsewhere() {
    let config = Config::builder("a", "b").identity_headers(IdentityHeaders::Read).build().unwrap();
    let mut observed = observed_with(config);
    let mut request = asked_with(|extensions| drop(extensions.insert(User::new("u1"))));
    request.headers_mut().insert("x-reconify-session", "s1".parse().unwrap());
    exchange(&observed, request, support::json(ANSWER)).await;
    assert_eq!(who(&mut observed).await, json!(["u1", "s1"]));
    // One without an id says nothing but its timeout.
    let request = asked_with(|extensions| {
        drop(extensions.insert(Session::new("").with_timeout(Duration::from_secs(30 * 60))))
    });
    of("u2").scope(exchange(&observed, request, support::json(ANSWER))).await;
    assert_eq!(who(&mut observed).await, json!(["u2", "of u2"]));
}

#[tokio::test]
async fn a_user_found_while_an_anonymous_request_streams_has_the_calls_that_follow() {
    let mut observed = observed();
    let ask = asking(&observed.layer);
    let handler = get(async move |slot: IdentitySlot| {
        Body::from_stream(futures_util::stream::once(async move {
            slot.set_user(User::new("late"));
            ask().await;
            Ok::<_, Infallible>(Bytes::new())
        }))
    });
    let app = Router::new().route("/ask", handler).layer(identify::<Carried>());
    call(app, Request::get("/ask").body(Body::empty()).unwrap()).await;
    assert_eq!(who(&mut observed).await[0], "late");
}

#[tokio::test]
async fn an_opt_out_of_a_request_applies_to_the_calls_made_while_it_is_handled() {
    // By its scope, or because only the outermost are wanted.
    for (is_scoped, is_outermost_only) in [(true, false), (false, true), (true, true)] {
        let mut observed =
            observed_with(Config::builder("a", "b").outermost_only(is_outermost_only).build().unwrap());
        let ask = asking(&observed.layer);
        let handler = post(async move |_: Bytes| {
            ask().await;
            ANSWER
        });
        let mut app = Router::new().route("/v1/chat/completions", handler).layer(observed.layer.clone());
        if is_scoped {
            app = app.layer(identify::<Carried>());
        }
        call(app, asked_with(|extensions| _ = extensions.insert(DoNotReport))).await;
        let (reports, stats) = observed.settle().await;
        assert!(reports.is_empty(), "{reports:?}");
        assert_eq!(stats.captured, stats.withheld(WithholdReason::OptedOut));
        assert_accounted(&stats);
    }
}

#[tokio::test]
async fn a_scope_can_opt_a_call_out() {
    let mut observed = observed();
    of("u1").do_not_report().scope(asking(&observed.layer)()).await;
    of("u1").omit_content().scope(asking(&observed.layer)()).await;
    let (reports, stats) = observed.settle().await;
    assert_eq!((reports.len(), stats.withheld(WithholdReason::OptedOut)), (1, 1));
    assert!(reports[0]["response"]["omitted"].is_object());
}

/// Sends a request through one layer, and what a gateway makes of it through another.
async fn pass_on(outer: &ReconifyLayer, inner: &ReconifyLayer, change: fn(&mut Extensions)) {
    let upstream = openai(inner);
    let gateway = outer.layer(service_fn(move |request: Request<RequestBody<Body>>| {
        let mut request = request.map(Body::new);
        change(request.extensions_mut());
        upstream.clone().oneshot(request)
    }));
    gateway.oneshot(chat()).await.unwrap().into_body().collect().await.unwrap();
}

#[tokio::test]
async fn an_opt_out_added_between_two_layers_reaches_the_layer_that_records() {
    let mut observed = observed();
    let layer = observed.layer.clone();
    pass_on(&layer, &layer, |extensions| _ = extensions.insert(DoNotReport)).await;
    pass_on(&layer, &layer, |extensions| _ = extensions.insert(OmitContent)).await;
    let (reports, stats) = observed.settle().await;
    assert_eq!((stats.captured, stats.withheld(WithholdReason::OptedOut)), (2, 1));
    assert!(reports.len() == 1 && reports[0]["response"]["omitted"].is_object(), "{reports:?}");
}

#[tokio::test]
async fn an_exchange_without_room_is_counted_once_by_two_layers() {
    for is_outermost_only in [false, true] {
        let config = Config::builder("a", "b")
            .limits(Limits { bytes: 1, ..Limits::default() })
            .outermost_only(is_outermost_only)
            .build()
            .unwrap();
        let observed = observed_with(config);
        pass_on(&observed.layer, &observed.layer, |_| {}).await;
        let stats = observed.layer.reporter().stats();
        assert_eq!((stats.captured, stats.dropped(DropReason::TooManyBytes)), (1, 1));
    }
}

/// What a disabled layer does with the header of a request that it would capture, and of another.
#[tokio::test]
async fn a_disabled_layer_passes_and_takes_identity_headers_as_an_enabled_one_does() {
    const EMAIL: &str = "x-reconify-user-email";
    for (setting, passes, leaves) in [
        (IdentityHeaders::Ignore, true, true),
        (IdentityHeaders::Read, true, false),
        (IdentityHeaders::Take, false, false),
    ] {
        for disabled in [true, false] {
            let config = Config::builder("a", "b").disabled(disabled).identity_headers(setting);
            let layer = observed_with(config.build().unwrap()).layer;
            for path in ["/v1/chat/completions", "/v1/models"] {
                let inside = layer.layer(service_fn(async |request: Request<RequestBody<Body>>| {
                    let passed = request.headers().contains_key(EMAIL);
                    Ok::<_, Infallible>(Response::new(Body::from(passed.to_string())))
                }));
                let request = Request::post(path).header(EMAIL, "jane@example.com");
                let answer = inside.oneshot(request.body(Body::from("{}")).unwrap()).await.unwrap();
                let passed = answer.into_body().collect().await.unwrap().to_bytes();
                assert_eq!(passed, passes.to_string(), "{setting:?}, disabled: {disabled}, {path}");

                let outside = layer.layer(service_fn(async |request: reqwest::Request| {
                    let left = request.headers().contains_key(EMAIL);
                    Ok::<_, reqwest::Error>(reqwest::Response::from(Response::new(left.to_string())))
                }));
                let client = reqwest::Client::new();
                let request = client.post(format!("http://openai{path}")).header(EMAIL, "jane@example.com");
                let answer = outside.oneshot(request.build().unwrap()).await.unwrap();
                let left = answer.text().await.unwrap();
                assert_eq!(left, leaves.to_string(), "{setting:?}, disabled: {disabled}, {path}");
            }
        }
    }
}
