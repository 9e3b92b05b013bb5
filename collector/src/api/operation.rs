//! What an operator asks.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::{Answer, json_of, respond, work};
use crate::shared::Shared;
use crate::text::label;
use crate::time::now;
use crate::view::overview;

/// The description of the API.
pub(crate) const OPENAPI: &str = include_str!("../../openapi.json");

pub(super) async fn healthz() -> &'static str {
    "ok"
}

pub(super) async fn readyz(State(shared): State<Arc<Shared>>) -> Response {
    match shared.store.trouble() {
        None => "ok".into_response(),
        // Everybody may ask, and the reason names a path.
        Some(_) => {
            let text = "reports cannot be stored: see storeError in /api/status";
            (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
        }
    }
}

pub(super) async fn description() -> Response {
    respond(StatusCode::OK, OPENAPI)
}

pub(super) async fn status(State(shared): State<Arc<Shared>>) -> Answer {
    let (size, problems) = {
        let catalog = shared.store.catalog();
        (catalog.size(), catalog.rows().filter(|row| row.has_problem()).count())
    };
    let worker = Arc::clone(&shared);
    let (_, kept) = work(worker, |shared| Ok(shared.store.refusals(0)?)).await?;
    json_of(&json!({
        "name": label(&shared.name, 100),
        "version": env!("CARGO_PKG_VERSION"),
        "started": shared.started,
        "now": now(),
        "strict": shared.rules.is_strict,
        "store": shared.store.name(),
        "storeError": shared.store.trouble(),
        "address": shared.address.get(),
        "keys": shared.rules.app_key.is_some() || shared.rules.api_key.is_some(),
        "reports": size.reports,
        "uploads": size.uploads,
        "interactions": size.reports - size.uploads,
        "bytes": size.bytes,
        "limits": {"reports": shared.limits.reports, "bytes": shared.limits.bytes},
        "evicted": size.evicted,
        "refused": shared.counters.refused.load(Ordering::Relaxed),
        "refusedKept": kept,
        "problems": problems,
        "faults": shared.faults.count(),
        "lastId": size.last_id,
        "streams": shared.open_streams(),
    }))
}

pub(super) async fn accounting(State(shared): State<Arc<Shared>>) -> Answer {
    let worker = Arc::clone(&shared);
    let processes =
        work(worker, |shared| Ok(overview::processes(&overview::rows(&shared.store.catalog(), 0, 0))))
            .await?;
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let counters = &shared.counters;
    let undelivered: Vec<_> = shared
        .undelivered()
        .into_iter()
        .rev()
        .take(100)
        .map(|(key, attempts)| json!({"key": key, "attempts": attempts}))
        .collect();
    json_of(&json!({
        "processes": processes,
        "stats": shared.stats.as_ref().map(|stats| stats()),
        "answered": {
            "ok": count(&counters.ok),
            "repeated": count(&counters.repeated),
            "refused": count(&counters.refused),
            "faulted": count(&counters.faulted),
            "failed": count(&counters.failed),
        },
        "undelivered": undelivered,
    }))
}

pub(super) async fn metrics(State(shared): State<Arc<Shared>>) -> Response {
    let size = shared.store.catalog().size();
    let counters = &shared.counters;
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let mut out = String::new();
    let mut metric = |name: &str, kind: &str, help: &str, values: &[(String, u64)]| {
        let _ =
            writeln!(out, "# HELP reconify_collector_{name} {help}\n# TYPE reconify_collector_{name} {kind}");
        for (labels, value) in values {
            let _ = writeln!(out, "reconify_collector_{name}{labels} {value}");
        }
    };
    let one = |value| [(String::new(), value)];
    let reports: Vec<_> =
        counters.by_format().map(|(format, count)| (format!("{{format=\"{format}\"}}"), count)).collect();
    metric("reports_total", "counter", "Reports that were taken.", &reports);
    let posts: Vec<_> = [
        ("ok", &counters.ok),
        ("repeated", &counters.repeated),
        ("refused", &counters.refused),
        ("faulted", &counters.faulted),
        ("failed", &counters.failed),
    ]
    .into_iter()
    .map(|(result, counter)| (format!("{{result=\"{result}\"}}"), count(counter)))
    .collect();
    metric("posts_total", "counter", "Posts by what became of them.", &posts);
    metric("bytes_total", "counter", "Bytes of the reports that were taken.", &one(count(&counters.bytes)));
    metric("evicted_total", "counter", "Reports that were removed to make place.", &one(size.evicted));
    metric("stored_reports", "gauge", "Reports that are kept.", &one(size.reports));
    metric("stored_bytes", "gauge", "Bytes that they take.", &one(size.bytes));
    metric("event_streams", "gauge", "Open streams of events.", &one(shared.open_streams() as u64));
    metric("faults_armed", "gauge", "Faults that wait for a post.", &one(shared.faults.count() as u64));
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], out).into_response()
}
