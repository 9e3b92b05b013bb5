//! The two endpoints of Reconify.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use futures_util::{StreamExt, stream};
use http_body_util::{BodyExt, Limited};
use serde_json::json;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use crate::events::Event;
use crate::faults::{Answer, Effect, LONGEST};
use crate::guard::check_intake;
use crate::shared::{Counters, LONGEST_BODY, Shared};
use crate::store::{Appended, Attempt, Refusal};
use crate::text::label;
use crate::time::now;
use crate::view::arrival::{self, Arrival, Read};
use crate::view::{checks, line};
use crate::wire::{Accepted, Field, Rejected, Target};

/// The maximum time for a body, and for a pause within it.
const SLOWEST: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_secs(10);

/// How many bytes of a refused report's fields are kept, roughly. The answer has all of them.
const KEPT: usize = 16 << 10;

/// Bodies up to this size are read on the spot. They have memory of their own, so large ones do not delay them.
const SMALL: usize = 128 << 10;

pub(crate) async fn track(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    take(&shared, request, Target::Track).await
}

pub(crate) async fn upload(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    take(&shared, request, Target::Upload).await
}

/// What a POST says of itself.
struct Post {
    at: u64,
    path: &'static str,
    key: Option<String>,
    user_agent: Option<String>,
    bytes: u64,
}

impl Post {
    fn new(headers: &HeaderMap, target: Target) -> Self {
        let header = |name: &HeaderName| {
            headers.get(name).and_then(|value| value.to_str().ok()).map(|text| label(text, 200))
        };
        Self {
            at: now(),
            path: if target == Target::Track { "/track" } else { "/upload" },
            key: header(&HeaderName::from_static("idempotency-key")),
            user_agent: header(&USER_AGENT),
            bytes: 0,
        }
    }

    fn attempt(&self, status: Option<u16>, fault: Option<String>) -> Attempt {
        let (key, user_agent) = (self.key.clone(), self.user_agent.clone());
        Attempt { at: self.at, status, key, user_agent, bytes: self.bytes, same_bytes: true, fault }
    }
}

async fn take(shared: &Arc<Shared>, request: Request, target: Target) -> Response {
    let (parts, body) = request.into_parts();
    let mut post = Post::new(&parts.headers, target);
    if let Err((status, reason)) = check_intake(&parts.headers) {
        let rejected = reject(status.as_u16(), reason);
        // Any web page can send these. They are only counted, so that they push out no other refusal.
        if status == StatusCode::FORBIDDEN {
            Counters::count(&shared.counters.refused);
            return answer(status, refusal(&rejected));
        }
        return refuse(shared, &post, rejected).await;
    }
    post.bytes = length(&parts.headers).unwrap_or(0) as u64;
    let (body, charge) = match read_body(shared, &parts.headers, body, LONGEST_BODY).await {
        Ok(read) => read,
        Err(Unread::Busy) => {
            Counters::count(&shared.counters.failed);
            return retry_later(Unread::Busy.answer("").1);
        }
        Err(unread) => {
            let (status, reason) = unread.answer("a report has at most 48 MiB");
            return refuse(shared, &post, reject(status.as_u16(), reason)).await;
        }
    };
    post.bytes = body.len() as u64;
    handle(shared, post, body, charge, target).await
}

/// Why a body was not read.
pub(crate) enum Unread {
    Busy,
    TooLong,
    Broken,
    Slow,
}

impl Unread {
    /// The answer, with the reason for a body that is too long.
    pub(crate) fn answer(&self, too_long: &'static str) -> (StatusCode, &'static str) {
        match self {
            Self::Busy => (StatusCode::SERVICE_UNAVAILABLE, "too many bodies at once"),
            Self::TooLong => (StatusCode::PAYLOAD_TOO_LARGE, too_long),
            Self::Broken => (StatusCode::BAD_REQUEST, "the body broke off"),
            Self::Slow => (StatusCode::REQUEST_TIMEOUT, "the body took longer than 30 s, or paused for 10 s"),
        }
    }
}

fn length(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// What a body holds of the memory for all bodies, in KiB, until it is dropped.
#[derive(Debug, Default)]
pub(crate) struct Charge {
    /// For the first bytes of each body, and for the others.
    small: Option<OwnedSemaphorePermit>,
    large: Option<OwnedSemaphorePermit>,
}

impl Charge {
    /// Raises the charge to the length of the body so far, if there is room.
    fn raise(&mut self, shared: &Shared, bytes: usize) -> Result<(), Unread> {
        let parts = [
            (&mut self.small, &shared.small_reads, bytes.min(SMALL)),
            (&mut self.large, &shared.large_reads, bytes.saturating_sub(SMALL)),
        ];
        for (held, semaphore, bytes) in parts {
            let more = bytes.div_ceil(1 << 10) - held.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
            let more = u32::try_from(more).map_err(|_| Unread::TooLong)?;
            let permit = Arc::clone(semaphore).try_acquire_many_owned(more).map_err(|_| Unread::Busy)?;
            match held {
                Some(held) => held.merge(permit),
                None => *held = Some(permit),
            }
        }
        Ok(())
    }
}

/// Reads a body. Bytes are charged as they arrive; an announced length is not.
pub(crate) async fn read_body(
    shared: &Shared,
    headers: &HeaderMap,
    body: Body,
    most: usize,
) -> Result<(Bytes, Charge), Unread> {
    if length(headers).is_some_and(|length| length > most) {
        return Err(Unread::TooLong);
    }
    let (mut body, mut kept, mut charge) = (Limited::new(body, most), Vec::new(), Charge::default());
    let read = async {
        while let Some(frame) = timeout(PAUSE, body.frame()).await.map_err(|_| Unread::Slow)? {
            let frame = frame.map_err(|error| {
                let is_long = error.is::<http_body_util::LengthLimitError>();
                if is_long { Unread::TooLong } else { Unread::Broken }
            })?;
            if let Ok(data) = frame.into_data() {
                charge.raise(shared, kept.len() + data.len())?;
                kept.extend_from_slice(&data);
            }
        }
        Ok(())
    };
    timeout(SLOWEST, read).await.map_err(|_| Unread::Slow)??;
    Ok((kept.into(), charge))
}

fn reject(status: u16, reason: &str) -> Rejected {
    Rejected { status, reason: reason.to_owned(), fields: Vec::new(), head: String::new() }
}

async fn handle(shared: &Arc<Shared>, post: Post, body: Bytes, charge: Charge, target: Target) -> Response {
    let arrival = Arrival { at: post.at, key: post.key.clone(), attempts: Vec::new(), bytes: post.bytes };
    let checked = {
        let shared = Arc::clone(shared);
        let is_small = body.len() <= SMALL;
        // The charge moves along, because the work goes on even if the caller leaves.
        let check = move || {
            let checked = shared.rules.check(&body, target);
            (checked.map(|accepted| arrival::read(accepted, arrival)), charge)
        };
        if is_small { Ok(check()) } else { tokio::task::spawn_blocking(check).await }
    };
    let Ok((checked, charge)) = checked else { return retry_later("the report could not be read") };
    let report = checked.as_ref().ok().map(|read| (&read.report.summary, &*read.report.said));
    if let Some(effect) = shared.faults.meet(report, now()) {
        shared.events.send(Event::Faults);
        tokio::time::sleep(effect.delay).await;
        if effect.answer != Answer::Late {
            return fault(shared, &post, checked.ok(), charge, effect).await;
        }
        return match checked {
            Ok(read) => store(shared, &post, read, Some(effect.text)).await,
            Err(rejected) => refuse(shared, &post, rejected).await,
        };
    }
    match checked {
        Ok(read) => store(shared, &post, read, None).await,
        Err(rejected) => refuse(shared, &post, rejected).await,
    }
}

/// Stores a report with the attempts that it took.
async fn store(shared: &Shared, post: &Post, read: Read, fault: Option<String>) -> Response {
    let Read { mut report, prefixes } = read;
    let (key, digest) = (report.summary.key.clone(), report.summary.hidden.digest);
    let mut attempt = post.attempt(Some(200), fault);
    attempt.same_bytes = shared.store.catalog().with_key(&key).is_none_or(|old| old.hidden.digest == digest);
    report.attempts = shared.recall(&key);
    report.attempts.push(attempt);
    let earlier = report.attempts.clone();
    report.summary.attempts = earlier.len() as u64;
    report.summary.faulted = earlier.iter().filter(|attempt| attempt.fault.is_some()).count() as u64;
    let compare = Box::new(move |catalog: &_, summary: &mut _| checks::compare(catalog, summary, &prefixes));
    match shared.store.append(report, compare).await {
        Ok(Appended::New(summary)) => {
            shared.counters.count_report(&summary);
            shared.print(|| line::report(&summary));
            shared.events.send(Event::Report(summary.id));
            answer(StatusCode::OK, json!({"status": "ok"}).to_string())
        }
        Ok(Appended::Repeated(summary)) => {
            Counters::count(&shared.counters.repeated);
            shared.events.send(Event::Attempt(summary.id));
            answer(StatusCode::OK, json!({"status": "ok"}).to_string())
        }
        Err(error) => {
            Counters::count(&shared.counters.failed);
            for mut attempt in earlier {
                if attempt.status == Some(200) {
                    attempt.status = Some(503);
                }
                shared.remember(&key, digest, attempt);
            }
            shared.print(|| format!("not stored: {error}"));
            retry_later(&error.to_string())
        }
    }
}

/// Does what an armed fault wants.
async fn fault(shared: &Shared, post: &Post, read: Option<Read>, charge: Charge, effect: Effect) -> Response {
    Counters::count(&shared.counters.faulted);
    let status = match &effect.answer {
        Answer::Status(status, _) => Some(*status),
        Answer::Broken(_) | Answer::Garbage(_) => Some(200),
        Answer::Late | Answer::Hang | Answer::Reset => None,
    };
    let attempt = post.attempt(status, Some(effect.text.clone()));
    let name = post.key.as_deref().unwrap_or("a report without a key");
    shared.print(|| format!("fault     {}: {}", name, effect.text));
    if let Some(Read { report, .. }) = read {
        shared.remember(&report.summary.key, report.summary.hidden.digest, attempt);
    } else if let Some(key) = &post.key {
        shared.remember(key, 0, attempt);
    }
    // The report is gone; a fault that hangs holds nothing.
    drop(charge);
    let ok = json!({"status": "ok"}).to_string();
    let mut response = match effect.answer {
        Answer::Late => answer(StatusCode::OK, ok),
        Answer::Status(status, body) => {
            answer(StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE), body)
        }
        Answer::Garbage(body) => answer(StatusCode::OK, body),
        Answer::Broken(bytes) => broken(Some(&ok), bytes),
        Answer::Reset => broken(None, 0),
        Answer::Hang => {
            let mut stop = shared.stop.subscribe();
            let _ = tokio::time::timeout(LONGEST, stop.wait_for(|is_stopped| *is_stopped)).await;
            broken(None, 0)
        }
    };
    if let Some(seconds) = effect.retry_after {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// An answer that breaks off, or none at all: the server closes the connection when its body fails.
fn broken(text: Option<&str>, bytes: usize) -> Response {
    let start =
        text.map(|text| Bytes::copy_from_slice(text.as_bytes().get(..bytes).unwrap_or(text.as_bytes())));
    let failure = || std::io::Error::new(std::io::ErrorKind::ConnectionReset, "a fault was armed");
    let length = text.map(|text| text.len() + 1);
    let chunks = stream::iter(start.map(Ok)).chain(stream::once(async move {
        // The head and the start have to be on their way before the failure.
        if length.is_some() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Err(failure())
    }));
    let mut response = Response::new(Body::from_stream(chunks));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(length) = length {
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    response
}

/// The answer to a POST that is refused.
fn refusal(rejected: &Rejected) -> String {
    let Rejected { reason, fields, .. } = rejected;
    json!({"status": "error", "error": reason, "fields": fields}).to_string()
}

/// Refuses a POST with all fields at fault, and remembers it.
async fn refuse(shared: &Shared, post: &Post, rejected: Rejected) -> Response {
    Counters::count(&shared.counters.refused);
    let body = refusal(&rejected);
    let Rejected { status, reason, fields, head } = rejected;
    shared.print(|| line::refusal(&reason, &fields));
    let refusal = Refusal {
        id: 0,
        at: post.at,
        path: post.path.to_owned(),
        status,
        reason,
        fields: kept(fields),
        key: post.key.clone(),
        user_agent: post.user_agent.clone(),
        bytes: post.bytes,
        head,
    };
    if let Ok(id) = shared.store.refuse(refusal).await {
        shared.events.send(Event::Refused(id));
    }
    answer(StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST), body)
}

/// The first fields, and how many more there are.
fn kept(mut fields: Vec<Field>) -> Vec<Field> {
    let mut bytes = 0;
    let count = fields
        .iter()
        .take_while(|field| {
            bytes += field.pointer.len() + field.found.len() + field.expected.len();
            bytes <= KEPT
        })
        .count();
    let more = fields.len() - count;
    if more > 0 {
        fields.truncate(count);
        let (found, expected) = (format!("{more} more"), "see the answer for all".to_owned());
        fields.push(Field { pointer: String::new(), found, expected });
    }
    fields
}

fn retry_later(reason: &str) -> Response {
    let body = json!({"status": "error", "error": reason}).to_string();
    let mut response = answer(StatusCode::SERVICE_UNAVAILABLE, body);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

fn answer(status: StatusCode, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Stores a report that came by other ways: an import, an example.
pub(crate) async fn add(shared: &Shared, accepted: Accepted, arrival: Arrival) -> Result<Appended, String> {
    let Read { report, prefixes } = arrival::read(accepted, arrival);
    let same = |old: &Arc<_>| {
        let old: &crate::store::Summary = old;
        old.hidden.digest == report.summary.hidden.digest
    };
    let known = shared.store.catalog().with_key(&report.summary.key).filter(|old| same(old)).cloned();
    if let Some(known) = known {
        return Ok(Appended::Repeated(known));
    }
    let compare = Box::new(move |catalog: &_, summary: &mut _| checks::compare(catalog, summary, &prefixes));
    let appended = shared.store.append(report, compare).await.map_err(|error| error.to_string())?;
    if let Appended::New(summary) = &appended {
        shared.counters.bytes.fetch_add(summary.bytes, Ordering::Relaxed);
        shared.events.send(Event::Report(summary.id));
    }
    Ok(appended)
}
