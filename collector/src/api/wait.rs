//! What is answered when something happens.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;
use tokio::time::Instant;

use super::{Answer, ApiError, Params, json_of, respond, select, work};
use crate::events::{self, Event};
use crate::faults::duration;
use crate::shared::Shared;
use crate::store::Summary;
use crate::view::line;

/// The longest wait.
const LONGEST: Duration = Duration::from_secs(60);

/// The maximum time for one look at the reports, even if the wait is shorter.
const LOOK: Duration = Duration::from_secs(5);

/// The maximum number of reports to wait for, and to answer with.
const MOST: usize = 1000;

pub(super) async fn events(State(shared): State<Arc<Shared>>, params: Params) -> Result<Response, ApiError> {
    let permit = Arc::clone(&shared.streams).try_acquire_owned();
    let permit = permit
        .map_err(|_| ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "too many streams of events are open"))?;
    let (receiver, stop) = (shared.events.subscribe(), shared.stop.subscribe());
    let last = shared.store.catalog().size().last_id;
    match params.text("format") {
        None => {
            let hello = format!("retry: 1000\nevent: hello\ndata: {{\"lastId\":{last}}}\n\n");
            Ok(events::stream(
                hello,
                receiver,
                stop,
                events::frames(),
                ": alive\n\n",
                "text/event-stream",
                permit,
            ))
        }
        Some("line") => {
            let frame = Arc::new(move |event| match event {
                Event::Report(id) => shared.store.catalog().get(id).map(|row| line::report(row) + "\n"),
                _ => None,
            });
            // A reader of lines must see that it is connected; an empty line keeps it so.
            Ok(events::stream(
                "\n".to_owned(),
                receiver,
                stop,
                frame,
                "\n",
                "text/plain; charset=utf-8",
                permit,
            ))
        }
        Some(_) => Err(ApiError::bad("`format` is line")),
    }
}

pub(super) async fn wait(State(shared): State<Arc<Shared>>, params: Params) -> Answer {
    let count = params.number::<usize>("count")?.unwrap_or(1).clamp(1, MOST);
    let timeout = duration(params.text("timeout").unwrap_or("10s"))
        .ok_or_else(|| ApiError::bad("`timeout` is a time like 500ms or 5s"))?;
    let mut after = params.number::<u64>("after")?.unwrap_or(0);
    let _permit = Arc::clone(&shared.waits)
        .try_acquire_owned()
        .map_err(|_| ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "too many requests are waiting"))?;
    let end = Instant::now() + timeout.min(LONGEST);
    let too_late = |found: &Vec<Arc<Summary>>| {
        let error = format!("{} of {count} came in time", found.len());
        let body = json!({"error": error, "matched": found.len(), "reports": found});
        Ok(respond(StatusCode::REQUEST_TIMEOUT, body.to_string()))
    };
    // Before the first look, so that nothing falls between.
    let (mut receiver, mut stop) = (shared.events.subscribe(), shared.stop.subscribe());
    let mut found = Vec::new();
    loop {
        // A search knows the time, and `Query` cannot be cloned: it is read again.
        let (query, from) = (params.query()?, after);
        let look = work(Arc::clone(&shared), move |shared| {
            let last = shared.store.catalog().size().last_id;
            let (rows, _) = select(shared, &query, from, |row| row.id <= last)?;
            Ok((rows, last))
        });
        let Ok(looked) = tokio::time::timeout_at(end.max(Instant::now() + LOOK), look).await else {
            return too_late(&found);
        };
        let (new, last) = looked?;
        found.extend(new);
        found.truncate(MOST);
        after = after.max(last);
        if found.len() >= count {
            return json_of(&json!({"matched": found.len(), "reports": found}));
        }
        loop {
            match tokio::time::timeout_at(end, events::next(&mut receiver, &mut stop)).await {
                Ok(Some(Event::Report(id))) if id > after => break,
                Ok(Some(Event::Resync)) => break,
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => return too_late(&found),
            }
        }
    }
}
