//! What changes something.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde_json::json;
use serde_json::value::RawValue;
use tokio::runtime::Handle;

use super::{Answer, ApiError, Params, json_of, report, respond, select, work};
use crate::events::Event;
use crate::faults::Fault;
use crate::guard::is_lines;
use crate::intake::{self, Unread};
use crate::shared::{LONGEST_BODY, Shared};
use crate::store::{Appended, Attempt};
use crate::text::{label, visible};
use crate::time::now;
use crate::view::arrival::Arrival;
use crate::view::example::example as example_reports;
use crate::view::export::{Exported, ExportedFile};
use crate::wire::{Rules, Target, is_upload};

pub(super) async fn delete_reports(State(shared): State<Arc<Shared>>, params: Params) -> Answer {
    let query = params.query()?;
    if query.is_empty {
        return Err(ApiError::bad("`q` is empty: `q=*` removes everything"));
    }
    let ids = work(Arc::clone(&shared), move |shared| {
        let (rows, _) = select(shared, &query, 0, |_| true)?;
        Ok(rows.iter().map(|row| row.id).collect::<Vec<_>>())
    });
    let deleted = shared.store.remove(ids.await?).await?;
    shared.events.send(Event::Removed);
    json_of(&json!({"deleted": deleted}))
}

pub(super) async fn delete_refused(State(shared): State<Arc<Shared>>) -> Answer {
    let deleted = shared.store.forgive().await?;
    shared.events.send(Event::Removed);
    json_of(&json!({"deleted": deleted}))
}

pub(super) async fn faults(State(shared): State<Arc<Shared>>) -> Answer {
    json_of(&json!({"faults": shared.faults.list()}))
}

fn unread(unread: &Unread, too_long: &'static str) -> ApiError {
    let (status, reason) = unread.answer(too_long);
    ApiError::new(status, reason)
}

pub(super) async fn arm(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Body) -> Answer {
    let read = intake::read_body(&shared, &headers, body, 2 << 20).await;
    let (body, _permit) = read.map_err(|error| unread(&error, "a fault has at most 2 MiB"))?;
    let fault = serde_json::from_slice::<Fault>(&body)
        .map_err(|error| ApiError::bad(label(&error.to_string(), 400)))?;
    let armed = shared.faults.arm(fault, now()).map_err(ApiError::bad)?;
    shared.events.send(Event::Faults);
    let mut response = json_of(&armed)?;
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}

pub(super) async fn disarm(State(shared): State<Arc<Shared>>) -> Answer {
    let deleted = shared.faults.disarm();
    shared.events.send(Event::Faults);
    json_of(&json!({"deleted": deleted}))
}

/// The reports of an export: a file of JSON, or lines.
fn split(text: &str, is_lines: bool) -> Result<Vec<&str>, ApiError> {
    if is_lines {
        return Ok(text.lines().map(str::trim).filter(|line| !line.is_empty()).collect());
    }
    let file = serde_json::from_str::<ExportedFile<'_>>(text).map_err(|error| {
        ApiError::bad(format!("this is no export of a collector: {}", label(&error.to_string(), 200)))
    })?;
    Ok(file.reports.into_iter().map(RawValue::get).collect())
}

pub(super) async fn import(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Body) -> Answer {
    let read = intake::read_body(&shared, &headers, body, LONGEST_BODY).await;
    let (body, charge) =
        read.map_err(|error| unread(&error, "an import has at most 48 MiB: split the lines"))?;
    let (is_lines, runtime) = (is_lines(&headers), Handle::current());
    let import = work(shared, move |shared| {
        let _charge = charge;
        import_all(shared, &body, is_lines, &runtime)
    });
    json_of(&import.await?)
}

/// Takes all reports of an export, on a thread that may block.
fn import_all(
    shared: &Shared,
    body: &[u8],
    is_lines: bool,
    runtime: &Handle,
) -> Result<serde_json::Value, ApiError> {
    let text = str::from_utf8(body).map_err(|_| ApiError::bad("the import is not UTF-8"))?;
    let (mut imported, mut known, mut refused) = (0u64, 0u64, 0u64);
    let mut errors = Vec::new();
    for (index, line) in split(text, is_lines)?.into_iter().enumerate() {
        match runtime.block_on(import_one(shared, line)) {
            Ok(Appended::New(_)) => imported += 1,
            Ok(Appended::Repeated(_)) => known += 1,
            Err(error) => {
                refused += 1;
                if errors.len() < 20 {
                    errors.push(format!("report {}: {error}", index + 1));
                }
            }
        }
    }
    Ok(json!({"imported": imported, "known": known, "refused": refused, "errors": errors}))
}

async fn import_one(shared: &Shared, line: &str) -> Result<Appended, String> {
    let shown = |error: serde_json::Error| label(&error.to_string(), 200);
    let exported = serde_json::from_str::<Exported<'_>>(line).map_err(shown)?;
    let text = exported.report.get();
    let kind = crate::json::Json::parse(text)
        .map_err(shown)?
        .at(&["reconify", "type"])
        .and_then(crate::json::Json::string);
    let target = if kind.is_some_and(|kind| is_upload(&kind)) { Target::Upload } else { Target::Track };
    // Its keys are masked already, and it was taken once.
    let accepted = Rules::default().check(text.as_bytes(), target).map_err(|rejected| {
        let fields = rejected.fields.first().map(|field| format!(": {} is {}", field.pointer, field.found));
        visible(&(rejected.reason + &fields.unwrap_or_default())).into_owned()
    })?;
    // As long as those of a POST.
    let short = |text: Option<String>| text.map(|text| label(&text, 200));
    let attempts = exported.attempts.into_iter().take(crate::store::MOST_ATTEMPTS).map(|attempt| Attempt {
        key: short(attempt.key),
        user_agent: short(attempt.user_agent),
        fault: short(attempt.fault),
        ..attempt
    });
    let arrival = Arrival {
        at: exported.received,
        key: Some(exported.key.into_owned()),
        attempts: attempts.collect(),
        bytes: text.len() as u64,
    };
    intake::add(shared, accepted, arrival).await
}

pub(super) async fn example(State(shared): State<Arc<Shared>>) -> Answer {
    let (session, reports) = example_reports(now());
    let mut ids = Vec::new();
    for text in reports {
        let rejected = || ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "the example is not a report");
        let accepted = Rules::default().check(text.as_bytes(), Target::Track).map_err(|_| rejected())?;
        let arrival = Arrival { at: now(), bytes: text.len() as u64, ..Arrival::default() };
        match intake::add(&shared, accepted, arrival).await {
            Ok(Appended::New(summary) | Appended::Repeated(summary)) => ids.push(summary.id),
            Err(error) => return Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, error)),
        }
    }
    let body = json!({"reports": ids, "sessionKey": report::session_key(&session)});
    Ok(respond(StatusCode::OK, body.to_string()))
}
