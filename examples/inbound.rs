//! The first program of the README: an Axum route that passes chats on to OpenAI, with a login.
//!
//! ```text
//! cargo run --example inbound
//! ```
//!
//! It takes `OPENAI_API_KEY`, `RECONIFY_APP_KEY` and `RECONIFY_API_KEY` from the environment. The
//! README says how to run it without any account.

use std::env;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, FromRequestParts, State};
use axum::http::{Response, StatusCode, header, request::Parts};
use axum::routing::post;
use axum::serve::ListenerExt;
use tokio::{net::TcpListener, signal, sync::oneshot, time};
use tower_reconify::{Config, Identity, ReconifyLayer, Session, User, identify, reqwest};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let reconify = ReconifyLayer::new(Config::from_env()?);
    let openai = OpenAi {
        http: reqwest::Client::new(),
        base: env::var("OPENAI_BASE_URL").unwrap_or_else(|_| "https://api.openai.com/v1".into()),
        key: env::var("OPENAI_API_KEY")?,
    };
    let app = Router::new()
        .route("/v1/chat/completions", post(chat))
        .layer(reconify.clone()) // reports each chat
        .layer(identify::<Login>()) // says who is asking
        .layer(DefaultBodyLimit::max(64 << 20)) // chats with images exceed axum's 2 MB
        .with_state(openai);

    let address = env::var("LISTEN_ADDR").unwrap_or_else(|_| "127.0.0.1:3000".into());
    let listener = TcpListener::bind(address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    // Without TCP_NODELAY, the events of a stream arrive up to 43 ms late.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    let (stopping, stopped) = oneshot::channel();
    let server = axum::serve(listener, app).with_graceful_shutdown(async {
        stop_signal().await;
        _ = stopping.send(());
    });
    // A stream can last minutes. What still runs after 20 s is given up, before Kubernetes kills after 30 s.
    let grace = async {
        _ = stopped.await;
        time::sleep(Duration::from_secs(20)).await;
    };
    tokio::select! { ended = server.into_future() => ended?, () = grace => {} }
    reconify.reporter().shutdown(Duration::from_secs(5)).await; // delivers the queued reports
    Ok(())
}

#[derive(Clone)]
struct OpenAi {
    http: reqwest::Client,
    base: String,
    key: String,
}

async fn chat(State(openai): State<OpenAi>, body: Bytes) -> Result<Response<Body>, StatusCode> {
    let url = format!("{}/chat/completions", openai.base);
    let request =
        openai.http.post(url).bearer_auth(openai.key).header(header::CONTENT_TYPE, "application/json");
    let answer = request.body(body).send().await.map_err(|_| StatusCode::BAD_GATEWAY)?;
    let mut response = Response::from(answer).map(Body::new);
    // These two belong to the connection with OpenAI.
    response.headers_mut().remove(header::CONNECTION);
    response.headers_mut().remove(header::TRANSFER_ENCODING);
    Ok(response)
}

/// The login of your application: here a token that is just a name.
struct Login(String);

impl<S: Sync> FromRequestParts<S> for Login {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, StatusCode> {
        let token = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let name = token.and_then(|token| token.strip_prefix("Bearer ")).ok_or(StatusCode::UNAUTHORIZED)?;
        Ok(Self(name.to_owned()))
    }
}

impl From<Login> for Identity {
    fn from(Login(name): Login) -> Self {
        (User::new(&name).authenticated(true), Session::new(format!("{name}-1"))).into()
    }
}

/// Ends on Ctrl-C, and on Unix also on SIGTERM.
async fn stop_signal() {
    #[cfg(unix)]
    if let Ok(mut terminate) = signal::unix::signal(signal::unix::SignalKind::terminate()) {
        tokio::select! { _ = terminate.recv() => {}, _ = signal::ctrl_c() => {} }
        return;
    }
    drop(signal::ctrl_c().await);
}
