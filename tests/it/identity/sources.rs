//! Promise 6, for every way in which the application can say who is asking.

use std::convert::Infallible;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequestParts, OptionalFromRequestParts, Path, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Response, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_reconify::{
    Config, Identity, IdentityHeaders, IdentitySlot, ReconifyLayer, RequestBody, Session, Tags, User,
    WithholdReason, identify,
};

use crate::support::{self, ANSWER, Observed, chat, exchange, observed, observed_with};

/// What the application knows of who is logged in: from a header, as a stand-in for a session cookie.
struct Claims(String);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rejected {
    NoLogin,
    Expired,
    StoreDown,
}

impl IntoResponse for Rejected {
    fn into_response(self) -> axum::response::Response {
        let status = match self {
            Self::NoLogin | Self::Expired => StatusCode::UNAUTHORIZED,
            Self::StoreDown => StatusCode::SERVICE_UNAVAILABLE,
        };
        (status, [("x-rejected", format!("{self:?}"))], format!("{self:?}")).into_response()
    }
}

impl<S: Sync> FromRequestParts<S> for Claims {
    type Rejection = Rejected;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Rejected> {
        let login = <Self as OptionalFromRequestParts<S>>::from_request_parts(parts, state).await?;
        login.ok_or(Rejected::NoLogin)
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for Claims {
    type Rejection = Rejected;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Rejected> {
        match parts.headers.get("x-login").map(|login| login.to_str().unwrap()) {
            None => Ok(None),
            Some("expired") => Err(Rejected::Expired),
            Some("unknown") => Err(Rejected::StoreDown),
            Some(subject) => Ok(Some(Self(subject.to_owned()))),
        }
    }
}

impl From<Claims> for Identity {
    fn from(Claims(subject): Claims) -> Self {
        Self::from((User::new(&*subject), Session::new(format!("of {subject}"))))
    }
}

fn asked_by(login: Option<&str>) -> Request {
    let mut request = chat();
    login.map(|login| request.headers_mut().insert("x-login", login.parse().unwrap()));
    request
}

async fn call<B>(app: Router, request: Request<B>) -> (StatusCode, Bytes)
where
    B: http_body::Body<Data = Bytes, Error: Into<tower::BoxError>> + Send + 'static,
{
    let response = app.oneshot(request.map(Body::new)).await.unwrap();
    (response.status(), response.into_body().collect().await.unwrap().to_bytes())
}

fn answering() -> Router {
    Router::new().route(
        "/v1/chat/completions",
        post(async |_: Bytes| ([("content-type", "application/json")], ANSWER)),
    )
}

/// A layer on the way out, and what asks OpenAI through it.
fn asking(layer: &ReconifyLayer) -> impl Fn() -> BoxFuture<'static, ()> + Clone + Send + Sync + use<> {
    let openai = layer.layer(service_fn(async |request: Request<RequestBody<Body>>| {
        request.into_body().collect().await.unwrap();
        Ok::<_, Infallible>(support::json(ANSWER))
    }));
    move || {
        let asked = openai.clone().oneshot(chat());
        Box::pin(async move {
            asked.await.unwrap().into_body().collect().await.unwrap();
        })
    }
}

async fn user_of(observed: &mut Observed) -> Value {
    let report = observed.report().await;
    json!([report["user"]["userId"], report["session"]])
}

#[tokio::test]
async fn an_extractor_says_who_is_asking_whichever_layer_stands_outside() {
    let mut observed = observed();
    let inside = answering().layer(observed.layer.clone()).layer(identify::<Claims>());
    let outside = answering().layer(identify::<Claims>()).layer(observed.layer.clone());
    for app in [inside, outside] {
        assert_eq!(call(app, asked_by(Some("u1"))).await.0, StatusCode::OK);
        assert_eq!(user_of(&mut observed).await, json!(["u1", "of u1"]));
    }
}

/// What an app answers to no login, an expired one, one that the session store cannot tell, and a good one.
async fn answers(app: &Router) -> [(StatusCode, Bytes); 4] {
    let logins = [None, Some("expired"), Some("unknown"), Some("u1")];
    let mut answers = [const { (StatusCode::OK, Bytes::new()) }; 4];
    for (answer, login) in answers.iter_mut().zip(logins) {
        *answer = call(app.clone(), asked_by(login)).await;
    }
    answers
}

const NO_LOGIN: (StatusCode, Bytes) = (StatusCode::UNAUTHORIZED, Bytes::from_static(b"NoLogin"));
const EXPIRED: (StatusCode, Bytes) = (StatusCode::UNAUTHORIZED, Bytes::from_static(b"Expired"));
const STORE_DOWN: (StatusCode, Bytes) = (StatusCode::SERVICE_UNAVAILABLE, Bytes::from_static(b"StoreDown"));
const SERVED: (StatusCode, Bytes) = (StatusCode::OK, Bytes::from_static(ANSWER.as_bytes()));

#[tokio::test]
async fn every_rejection_is_answered_as_a_handlers_extractor_would_answer_it() {
    let observed = &mut observed();
    let identified = answering().layer(observed.layer.clone()).layer(identify::<Claims>());
    assert_eq!(answers(&identified).await, [NO_LOGIN, EXPIRED, STORE_DOWN, SERVED]);
    assert_eq!(user_of(observed).await, json!(["u1", "of u1"]));
    assert!(observed.settle().await.0.is_empty(), "a rejected request never gets to the layer");

    let extracted = Router::new().route("/v1/chat/completions", post(async |_: Claims, _: Bytes| ANSWER));
    for login in [None, Some("expired"), Some("unknown")] {
        let answer = identified.clone().oneshot(asked_by(login)).await.unwrap();
        let as_axum_would = extracted.clone().oneshot(asked_by(login)).await.unwrap();
        assert_eq!(answer.headers(), as_axum_would.headers());
    }
}

#[tokio::test]
async fn an_optional_login_lets_a_missing_login_pass_and_neither_an_expired_token_nor_a_failing_store() {
    let observed = &mut observed();
    let app = answering().layer(observed.layer.clone());
    let is_missing = |rejection: &Rejected| *rejection == Rejected::NoLogin;
    for app in [
        app.clone().layer(identify::<Option<Claims>>()),
        app.clone().layer(identify::<Claims>().anonymous_if(|rejection| *rejection == Rejected::NoLogin)),
        app.clone().layer(identify::<Claims>().anonymous_if(is_missing).map(Identity::from).with_state(7)),
        app.clone().layer(identify::<Claims>().with_state(7).map(Identity::from).anonymous_if(is_missing)),
    ] {
        assert_eq!(answers(&app).await, [SERVED, EXPIRED, STORE_DOWN, SERVED]);
        assert_eq!(user_of(observed).await, json!([null, null]));
        assert_eq!(user_of(observed).await, json!(["u1", "of u1"]));
    }
    assert!(observed.settle().await.0.is_empty(), "a rejected request never gets to the layer");
}

#[tokio::test]
async fn a_rejection_that_means_anonymous_keeps_the_identity_found_by_an_outer_layer() {
    let observed = &mut observed();
    let anonymous = identify::<Claims>().anonymous_if(|_| true);
    let outer = identify::<Identity>().map(|_| User::new("of the outer layer"));
    let app = answering().layer(observed.layer.clone()).layer(anonymous).layer(outer);
    assert_eq!(call(app, asked_by(None)).await, SERVED);
    assert_eq!(user_of(observed).await, json!(["of the outer layer", null]));
}

#[tokio::test]
async fn an_extractor_takes_the_applications_state_and_a_closure_says_what_it_means() {
    #[derive(Clone)]
    struct Tenants(&'static str);

    struct Tenant(String);

    impl FromRequestParts<Tenants> for Tenant {
        type Rejection = StatusCode;

        async fn from_request_parts(parts: &mut Parts, Tenants(name): &Tenants) -> Result<Self, StatusCode> {
            Ok(Self(format!("{} of {name}", parts.headers["x-login"].to_str().unwrap())))
        }
    }

    let mut observed = observed();
    let who = identify::<Tenant>().with_state(Tenants("acme")).map(|Tenant(name)| User::new(name));
    call(answering().layer(observed.layer.clone()).layer(who), asked_by(Some("u1"))).await;
    assert_eq!(user_of(&mut observed).await, json!(["u1 of acme", null]));
    let path = identify::<Path<String>>().map(|Path(name)| User::new(name));
    let app = Router::new()
        .route("/{tenant}/chat/completions", post(async |_: Bytes| "{}"))
        .layer(observed.layer.clone());
    let app = Router::new().merge(app.route_layer(path));
    let mut request = chat();
    *request.uri_mut() = "/acme/chat/completions".parse().unwrap();
    call(app, request).await;
    assert_eq!(user_of(&mut observed).await, json!(["acme", null]));
}

/// What a middleware of the application knows.
#[derive(Clone)]
struct CurrentUser(&'static str);

async fn log_in(mut request: Request, next: Next) -> axum::response::Response {
    if request.headers().contains_key("x-login") {
        request.extensions_mut().insert(CurrentUser("of a middleware"));
        request.extensions_mut().insert(User::new("in the extensions"));
    }
    next.run(request).await
}

#[tokio::test]
async fn a_value_that_a_middleware_puts_into_the_extensions_says_who_is_asking() {
    let mut observed = observed();
    let app = answering().layer(observed.layer.clone());
    let who = identify::<Extension<CurrentUser>>().map(|Extension(CurrentUser(name))| User::new(name));
    let required = app.clone().layer(who).layer(from_fn(log_in));
    let (status, _) = call(required.clone(), asked_by(None)).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    call(required, asked_by(Some("yes"))).await;
    assert_eq!(user_of(&mut observed).await, json!(["of a middleware", null]));

    let who = identify::<Option<Extension<CurrentUser>>>()
        .map(|user| Identity::from(user.map(|Extension(CurrentUser(name))| User::new(name))));
    let optional = app.layer(who).layer(from_fn(log_in));
    call(optional.clone(), asked_by(None)).await;
    assert_eq!(user_of(&mut observed).await, json!([null, null]));
    call(optional, asked_by(Some("yes"))).await;
    assert_eq!(user_of(&mut observed).await, json!(["of a middleware", null]));
}

#[tokio::test]
async fn calls_of_a_handler_are_those_of_the_user_that_a_middleware_puts_into_the_extensions() {
    let mut observed = observed();
    let client = observed
        .layer
        .layer(service_fn(async |_: Request<RequestBody<Body>>| Ok::<_, Infallible>(support::json(ANSWER))));
    let handler = async move || {
        let response = client.clone().oneshot(chat()).await.unwrap();
        response.into_body().collect().await.unwrap().to_bytes()
    };
    let app = Router::new().route("/v1/chat/completions", post(handler));
    call(app.clone().layer(from_fn(log_in)), asked_by(Some("yes"))).await;
    assert_eq!(user_of(&mut observed).await, json!([null, null]), "without the layer there is no scope");
    call(app.layer(identify::<Identity>()).layer(from_fn(log_in)), asked_by(Some("yes"))).await;
    assert_eq!(user_of(&mut observed).await, json!(["in the extensions", null]));
}

#[tokio::test]
async fn a_handler_can_identify_the_user_late_and_the_last_writer_wins() {
    let mut observed = observed_with(Config::builder("a", "b").metadata(true).build().unwrap());
    let handler = async |slot: IdentitySlot, body: Bytes| {
        slot.set_user(User::new("first"));
        slot.set_user(User::new("last"));
        slot.tag("b", "late");
        let stream = futures_util::stream::once(async move {
            // The response has begun, and has not ended.
            slot.set_session(Session::new("from the stream"));
            slot.tag("c", "stream");
            Ok::<_, Infallible>(body)
        });
        ([("content-type", "application/json")], Body::from_stream(stream))
    };
    let app = Router::new().route("/v1/chat/completions", post(handler)).layer(observed.layer.clone());
    let mut request = asked_by(None);
    request.extensions_mut().insert(User::new("from the extensions"));
    request.extensions_mut().insert(Tags::new().with("a", "early").with("b", "early"));
    call(app, request).await;
    let report = observed.report().await;
    assert_eq!((&report["user"]["userId"], &report["session"]), (&json!("last"), &json!("from the stream")));
    assert_eq!(report["metadata"]["tags"], json!({"a": "early", "b": "late", "c": "stream"}));
}

#[tokio::test]
async fn an_identity_slot_that_outlives_its_exchange_delays_nothing_and_changes_nothing() {
    let mut observed = observed();
    let (sender, mut slots) = tokio::sync::mpsc::unbounded_channel();
    let handler = async move |slot: IdentitySlot, _: Bytes| {
        sender.send(slot).unwrap();
        ANSWER
    };
    let app = Router::new().route("/v1/chat/completions", post(handler)).layer(observed.layer.clone());
    call(app, asked_by(None)).await;
    let slot = slots.recv().await.unwrap();
    assert_eq!(user_of(&mut observed).await, json!([null, null]), "it was handed over");
    slot.set_user(User::new("too late"));
    let (reports, stats) = observed.settle().await;
    assert!(reports.is_empty() && stats.delivered == 1 && stats.bytes_held == 0);
}

#[tokio::test]
async fn an_identity_slot_without_a_layer_does_nothing() {
    let app = Router::new().route("/", get(async |slot: IdentitySlot| slot.set_user(User::new("nobody"))));
    assert_eq!(call(app, Request::get("/").body(Body::empty()).unwrap()).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_handler_can_opt_a_request_out_late() {
    let mut observed = observed();
    let app = Router::new()
        .route(
            "/v1/chat/completions",
            post(async |slot: IdentitySlot, _: Bytes| {
                slot.do_not_report();
                ANSWER
            }),
        )
        .route(
            "/v1/completions",
            post(async |slot: IdentitySlot, _: Bytes| {
                slot.omit_content();
                r#"{"choices":["secret"]}"#
            }),
        )
        .layer(observed.layer.clone());
    call(app.clone(), asked_by(None)).await;
    call(app, support::post("/v1/completions", r#"{"prompt":"secret"}"#)).await;
    let (reports, stats) = observed.settle().await;
    assert_eq!(stats.withheld(WithholdReason::OptedOut), 1);
    assert!(reports.len() == 1 && !reports[0].to_string().contains("secret"), "{reports:?}");
}

#[tokio::test]
async fn handlers_can_read_who_is_asking() {
    let handler = async |user: User, session: Option<Session>, identity: Identity, body: Bytes| {
        drop(body);
        assert_eq!(identity.user(), Some(&user));
        Json(json!([user.id(), session.as_ref().and_then(Session::id)]))
    };
    let app = Router::new().route("/v1/chat/completions", post(handler));
    let (_, body) = call(app.clone().layer(identify::<Claims>()), asked_by(Some("u1"))).await;
    assert_eq!(body, r#"["u1","of u1"]"#);
    let (status, body) = call(app, asked_by(Some("u1"))).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(str::from_utf8(&body).unwrap().contains("no user is attached"));
}

#[tokio::test]
async fn calls_made_while_a_request_is_handled_have_its_user() {
    let mut observed = observed();
    let ask = asking(&observed.layer);
    let handler = async move |slot: IdentitySlot| {
        ask().await;
        // A spawned task has to be given it.
        tokio::spawn({
            let ask = ask.clone();
            Identity::current().scope(async move { ask().await })
        })
        .await
        .unwrap();
        tokio::spawn({
            let ask = ask.clone();
            async move { ask().await }
        })
        .await
        .unwrap();
        slot.set_user(User::new("someone else"));
        ask().await;
        // A response that is driven later keeps it.
        Body::from_stream(futures_util::stream::once(async move {
            ask().await;
            Ok::<_, Infallible>(Bytes::from_static(b"done"))
        }))
    };
    let app = Router::new().route("/ask", get(handler)).layer(identify::<Claims>());
    let request = Request::get("/ask").header("x-login", "u1").body(Body::empty()).unwrap();
    assert_eq!(call(app, request).await.1, "done");
    for expected in [
        json!(["u1", "of u1"]),
        json!(["u1", "of u1"]),
        json!([null, null]),
        json!(["someone else", null]),
        json!(["someone else", null]),
    ] {
        assert_eq!(user_of(&mut observed).await, expected);
    }
    assert!(Identity::current().is_empty());
}

#[tokio::test]
async fn the_extensions_of_a_request_take_precedence_and_sessions_stay_with_their_users() {
    let mut observed = observed();
    let current = Identity::from((User::new("u1"), Session::new("s1")));
    for (own, expected) in [
        (Identity::new(), json!(["u1", "s1"])),
        (Identity::from(Session::new("s2")), json!(["u1", "s2"])),
        (Identity::from(User::new("u2")), json!(["u2", null])),
        (Identity::from(User::new("u1")), json!(["u1", "s1"])),
    ] {
        let mut request = chat();
        own.insert_into(request.extensions_mut());
        current.clone().scope(exchange(&observed, request, support::json(ANSWER))).await;
        assert_eq!(user_of(&mut observed).await, expected);
    }
}

fn with_headers() -> Request {
    let mut request = chat();
    let headers: HeaderMap = [
        ("x-reconify-user-id", "u1"),
        ("x-reconify-session", "s1"),
        ("x-reconify-tag-plan", "free"),
        ("x-other", "stays"),
    ]
    .into_iter()
    .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
    .collect();
    request.headers_mut().extend(headers);
    request
}

#[tokio::test]
async fn identity_headers_are_read_only_if_the_setting_allows_it() {
    for (setting, expected, passed) in [
        (None, json!([null, null]), 4),
        (Some(IdentityHeaders::Ignore), json!([null, null]), 4),
        (Some(IdentityHeaders::Read), json!(["u1", "s1"]), 4),
        (Some(IdentityHeaders::Take), json!(["u1", "s1"]), 1),
    ] {
        let mut config = Config::builder("a", "b");
        if let Some(setting) = setting {
            config = config.identity_headers(setting);
        }
        let mut observed = observed_with(config.build().unwrap());
        let seen = service_fn(async |request: Request<RequestBody<Body>>| {
            let (parts, body) = request.into_parts();
            body.collect().await.unwrap();
            let ours = parts.headers.keys().filter(|name| name.as_str().starts_with("x-")).count();
            Ok::<_, Infallible>(Response::new(Body::from(ours.to_string())))
        });
        let answer = observed.layer.layer(seen).oneshot(with_headers()).await.unwrap();
        assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), passed.to_string());
        assert_eq!(user_of(&mut observed).await, expected);
    }
}

/// A proxy that appends its header leaves the client's in place.
#[tokio::test]
async fn a_client_cannot_choose_its_user_by_sending_the_header_that_a_proxy_appends() {
    for (setting, passed) in [(IdentityHeaders::Read, 5), (IdentityHeaders::Take, 1)] {
        let config = Config::builder("a", "b").identity_headers(setting).build().unwrap();
        let mut observed = observed_with(config);
        let mut request = with_headers();
        request.headers_mut().append("x-reconify-user-id", "from the proxy".parse().unwrap());
        let seen = service_fn(async |request: Request<RequestBody<Body>>| {
            let (parts, body) = request.into_parts();
            body.collect().await.unwrap();
            let names = parts.headers.iter().map(|(name, _)| name.as_str());
            let ours = names.filter(|name| name.starts_with("x-")).count();
            Ok::<_, Infallible>(Response::new(Body::from(ours.to_string())))
        });
        let answer = observed.layer.layer(seen).oneshot(request).await.unwrap();
        assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), passed.to_string());
        assert_eq!(user_of(&mut observed).await, json!([null, "s1"]));
    }
}

#[tokio::test]
async fn identity_headers_are_taken_from_requests_that_are_not_captured() {
    let config = Config::builder("a", "b").identity_headers(IdentityHeaders::Take).build().unwrap();
    let observed = observed_with(config);
    let seen = service_fn(async |request: Request<RequestBody<Body>>| {
        assert!(!request.headers().contains_key("x-reconify-user-id"));
        Ok::<_, Infallible>(Response::new(Body::empty()))
    });
    let mut request = with_headers();
    *request.uri_mut() = "/v1/models".parse().unwrap();
    observed.layer.layer(seen).oneshot(request).await.unwrap();
}

/// A gateway that passes its request on through another layer.
fn gateway(
    inside: &ReconifyLayer,
    outside: &ReconifyLayer,
) -> impl Service<Request, Response = Response<Body>, Error = Infallible, Future: Send> + Clone + use<> {
    let upstream = inside.layer(service_fn(async |request: Request<RequestBody<RequestBody<Body>>>| {
        request.into_body().collect().await.unwrap();
        Ok::<_, Infallible>(support::json(ANSWER))
    }));
    let gateway = outside
        .layer(service_fn(move |request: Request<RequestBody<Body>>| upstream.clone().oneshot(request)));
    tower::util::MapResponseLayer::new(IntoResponse::into_response).layer(
        tower::util::MapResponseLayer::new(|response: Response<_>| response.map(Body::new)).layer(gateway),
    )
}

#[tokio::test]
async fn a_gateway_with_a_layer_on_both_sides_reports_once() {
    let (mut outer, mut inner) = (observed(), observed());
    for (outside, inside) in
        [(outer.layer.clone(), outer.layer.clone()), (outer.layer.clone(), inner.layer.clone())]
    {
        let response = gateway(&inside, &outside).oneshot(chat()).await.unwrap();
        response.into_body().collect().await.unwrap();
    }
    assert_eq!(outer.settle().await.1.delivered, 2);
    assert_eq!(inner.settle().await.1.captured, 0);
    // A request that is left out is left out once.
    let mut request = chat();
    request.extensions_mut().insert(tower_reconify::DoNotReport);
    let response = gateway(&outer.layer.clone(), &outer.layer.clone()).oneshot(request).await.unwrap();
    response.into_body().collect().await.unwrap();
    assert_eq!(outer.settle().await.1.withheld(WithholdReason::OptedOut), 1);
}

#[tokio::test]
async fn calls_of_an_agent_are_reported_unless_only_the_outermost_are_wanted() {
    for (is_outermost_only, reported) in [(false, 3), (true, 1)] {
        let config = Config::builder("a", "b").outermost_only(is_outermost_only).build().unwrap();
        let mut observed = observed_with(config);
        let ask = asking(&observed.layer);
        let agent = async move |_: Bytes| {
            ask().await;
            let stream = futures_util::stream::once(async move {
                ask().await;
                Ok::<_, Infallible>(Bytes::from_static(ANSWER.as_bytes()))
            });
            Body::from_stream(stream.boxed())
        };
        let app = Router::new().route("/v1/chat/completions", post(agent)).layer(observed.layer.clone());
        call(app, asked_by(None)).await;
        assert_eq!(observed.settle().await.1.captured, reported);
    }
}
