//! A simulated collector, in several states of health. It counts which exchanges it has got, whole.

use std::collections::HashSet;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::routing::any;
use axum::serve::ListenerExt;
use http::StatusCode;
use memchr::memmem;
use tokio::net::TcpListener;

use crate::upstream::LAST_WORDS;
use crate::{Error, child, load};

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Health {
    /// Takes every report.
    Healthy,
    /// Accepts connections, and never answers.
    Hanging,
    /// Answers 500 to every report.
    Refusing,
    /// Nobody listens.
    Absent,
}

impl Health {
    pub(crate) const ALL: [Self; 4] = [Self::Healthy, Self::Hanging, Self::Refusing, Self::Absent];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Hanging => "hanging",
            Self::Refusing => "refusing",
            Self::Absent => "absent",
        }
    }
}

impl FromStr for Health {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|health| health.name() == name)
            .ok_or_else(|| format!("no health {name}").into())
    }
}

/// What has come: the numbers of the exchanges, and when the last of them did.
#[derive(Default)]
struct Received {
    numbers: HashSet<u64>,
    last: Option<Instant>,
}

#[tokio::main(flavor = "current_thread")]
pub(crate) async fn run(health: Health) -> Result<(), Error> {
    let received = Arc::new(Mutex::new(Received::default()));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let told = received.clone();
    child::answer(listener.local_addr()?, move || {
        let received = told.lock().unwrap_or_else(PoisonError::into_inner);
        let since = received.last.map_or(0, |last| last.elapsed().as_micros());
        format!("{} {since}", received.numbers.len())
    });
    if health == Health::Absent {
        drop(listener);
        return std::future::pending().await;
    }
    if health == Health::Hanging {
        let mut kept = Vec::new();
        loop {
            match listener.accept().await {
                Ok(connection) => kept.push(connection),
                // There are no more descriptors: the next connections hang before they are accepted.
                Err(_) => std::future::pending().await,
            }
        }
    }
    let app = Router::new()
        .fallback(any(move |state, body| receive(health, state, body)))
        .layer(DefaultBodyLimit::disable())
        .with_state(received);
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    Ok(axum::serve(listener, app).await?)
}

async fn receive(
    health: Health,
    State(received): State<Arc<Mutex<Received>>>,
    report: Bytes,
) -> (StatusCode, &'static str) {
    if health == Health::Refusing {
        return (StatusCode::INTERNAL_SERVER_ERROR, r#"{"error":"no"}"#);
    }
    // Only what has the question's mark and the answer's last words counts.
    let number = load::number_in(&report).filter(|_| memmem::find(&report, LAST_WORDS.as_bytes()).is_some());
    if let Some(number) = number {
        let mut received = received.lock().unwrap_or_else(PoisonError::into_inner);
        if received.numbers.insert(number) {
            received.last = Some(Instant::now());
        }
    }
    (StatusCode::OK, r#"{"status":"ok"}"#)
}
