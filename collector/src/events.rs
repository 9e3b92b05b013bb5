//! Tells open pages that something changed. An event has an id at most: the page asks for what it shows.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::Response;
use futures_util::stream;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{OwnedSemaphorePermit, broadcast, watch};

/// How many events a slow reader may be behind.
const BEHIND: usize = 1024;

/// After so long without an event a comment shows that the stream lives.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Report(u64),
    Attempt(u64),
    Refused(u64),
    Removed,
    Faults,
    /// Events were missed.
    Resync,
}

#[derive(Debug)]
pub(crate) struct Events(broadcast::Sender<Event>);

impl Default for Events {
    fn default() -> Self {
        Self(broadcast::Sender::new(BEHIND))
    }
}

impl Event {
    fn frame(self) -> String {
        match self {
            Self::Report(id) => format!("event: report\ndata: {{\"id\":{id}}}\n\n"),
            Self::Attempt(id) => format!("event: attempt\ndata: {{\"id\":{id}}}\n\n"),
            Self::Refused(id) => format!("event: refused\ndata: {{\"id\":{id}}}\n\n"),
            Self::Removed => "event: removed\ndata: {}\n\n".to_owned(),
            Self::Faults => "event: faults\ndata: {}\n\n".to_owned(),
            Self::Resync => "event: resync\ndata: {}\n\n".to_owned(),
        }
    }
}

/// Writes an event as the reader wants it; `None` for one that it does not want.
pub(crate) type Frame = Arc<dyn Fn(Event) -> Option<String> + Send + Sync>;

/// The events as the server-sent events of the page.
pub(crate) fn frames() -> Frame {
    Arc::new(|event| Some(event.frame()))
}

impl Events {
    pub(crate) fn send(&self, event: Event) {
        // An error only means that there is no subscriber.
        let _ = self.0.send(event);
    }

    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.0.subscribe()
    }
}

/// Waits for the next event, or `None` once the collector stops.
pub(crate) async fn next(
    events: &mut broadcast::Receiver<Event>,
    stop: &mut watch::Receiver<bool>,
) -> Option<Event> {
    tokio::select! {
        // Events that came before the stop are sent first.
        biased;
        event = events.recv() => match event {
            Ok(event) => Some(event),
            Err(RecvError::Lagged(_)) => Some(Event::Resync),
            Err(RecvError::Closed) => None,
        },
        // An error means that the collector is gone.
        _ = stop.wait_for(|is_stopped| *is_stopped) => None,
    }
}

/// A response that lasts until the reader leaves or the collector stops.
pub(crate) fn stream(
    first: String,
    events: broadcast::Receiver<Event>,
    stop: watch::Receiver<bool>,
    frame: Frame,
    keep_alive: &'static str,
    content_type: &'static str,
    permit: OwnedSemaphorePermit,
) -> Response {
    let state = (Some(first), events, stop, frame, permit);
    let body = stream::unfold(state, async move |(first, mut events, mut stop, frame, permit)| {
        let text = match first {
            Some(first) => first,
            None => loop {
                match tokio::time::timeout(KEEP_ALIVE, next(&mut events, &mut stop)).await {
                    Ok(None) => return None,
                    Ok(Some(event)) => {
                        if let Some(text) = frame(event) {
                            break text;
                        }
                    }
                    Err(_) => break keep_alive.to_owned(),
                }
            },
        };
        Some((Ok::<_, Infallible>(Bytes::from(text)), (None, events, stop, frame, permit)))
    });
    let mut response = Response::new(Body::from_stream(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}
