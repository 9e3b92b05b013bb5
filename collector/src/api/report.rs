//! One report, and one session.

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Serialize;

use super::{Answer, ApiError, Params, export, json_of, respond, work};
use crate::json::Json;
use crate::shared::Shared;
use crate::store::{Attempt, Catalog, Stored, Summary};
use crate::text::{label, visible};
use crate::time::now;
use crate::view::exchange::Opened;
use crate::view::transcript::{self, Transcript, Turn};
use crate::view::{arrival, facts, overview, show};

/// The maximum number of turns in a transcript, and of bytes of their reports. The newest are shown.
const MOST_TURNS: usize = 500;
const MOST_BYTES: u64 = 128 << 20;

/// The maximum number of messages compared for a transcript. Repeated messages count too.
const MOST_MESSAGES: u64 = 500_000;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Detail {
    summary: Arc<Summary>,
    turn: Option<Turn>,
    parameters: Vec<Parameter>,
    messages_total: usize,
    attempts: Vec<Attempt>,
    lag: Option<i64>,
    files: Vec<File>,
    curl: Option<String>,
    previous: Option<u64>,
    next: Option<u64>,
    visible_raw: bool,
}

#[derive(Serialize)]
struct Parameter {
    name: String,
    value: String,
}

#[derive(Serialize)]
struct File {
    filename: String,
    upload: Option<u64>,
}

fn read(shared: &Shared, id: u64) -> Result<Stored, ApiError> {
    shared.store.read(id)?.ok_or_else(|| ApiError::gone(id, shared))
}

fn id_of(text: &str) -> Result<u64, ApiError> {
    text.parse().map_err(|_| ApiError::bad("an id is a whole number"))
}

/// The uploads of detached images.
fn uploads<'a>(catalog: &Catalog, rows: impl Iterator<Item = &'a Arc<Summary>>) -> HashMap<String, u64> {
    let files = rows.flat_map(|row| &row.hidden.files);
    files.filter_map(|file| Some((file.clone(), catalog.upload_of(file)?))).collect()
}

/// The interactions of a session in order of time.
fn in_order(catalog: &Catalog, key: &str) -> Vec<Arc<Summary>> {
    let mut rows: Vec<_> = catalog.session(key).iter().filter_map(|id| catalog.get(*id)).cloned().collect();
    rows.sort_by_key(|row| (row.time(), row.id));
    rows
}

pub(super) async fn detail(State(shared): State<Arc<Shared>>, Path(id): Path<String>) -> Answer {
    let id = id_of(&id)?;
    let detail = work(shared, move |shared| {
        let stored = read(shared, id)?;
        let (uploads, order, summary) = {
            let catalog = shared.store.catalog();
            let summary = overview::with_late_problems(&catalog, &stored.summary, now());
            (uploads(&catalog, [&summary].into_iter()), in_order(&catalog, &summary.session_key), summary)
        };
        let is_here = |row: &Arc<Summary>| row.id == id;
        let place = order.iter().position(is_here);
        let near = |offset: isize| {
            let place = place.filter(|_| summary.session.is_some())?.checked_add_signed(offset)?;
            order.get(place).map(|row| row.id)
        };
        let opened = Opened::new(&stored.raw);
        let exchange = opened.exchange();
        let parameters = facts::parameters(&opened, &exchange.request);
        let shown = |(name, value): (String, &str)| Parameter {
            name: label(&name, 100),
            value: visible(crate::text::head(value, 20_000)).into_owned(),
        };
        let files = summary.hidden.files.iter().filter(|_| !summary.is_upload());
        Ok(Detail {
            parameters: parameters.into_iter().map(shown).collect(),
            messages_total: exchange.messages.len(),
            files: files
                .map(|file| File { filename: label(file, 200), upload: uploads.get(file).copied() })
                .collect(),
            lag: summary
                .responded
                .and_then(|time| i64::try_from(summary.received).ok()?.checked_sub_unsigned(time)),
            curl: crate::view::export::curl(&stored),
            previous: near(-1),
            next: near(1),
            visible_raw: stored.raw.len() <= 1 << 20,
            attempts: stored.attempts.clone(),
            turn: transcript::transcript(std::slice::from_ref(&stored), uploads).pop(),
            summary,
        })
    });
    json_of(&detail.await?)
}

pub(super) async fn raw(State(shared): State<Arc<Shared>>, Path(id): Path<String>, params: Params) -> Answer {
    let id = id_of(&id)?;
    let stored = work(shared, move |shared| read(shared, id)).await?;
    let mut response = respond(StatusCode::OK, Bytes::from_owner(Text(stored.raw)));
    if params.text("download").is_some() {
        let name = HeaderValue::from_str(&format!("attachment; filename=\"report-{id}.json\""));
        response.headers_mut().extend(name.ok().map(|name| (CONTENT_DISPOSITION, name)));
    }
    Ok(response)
}

/// A shared text as the owner of its bytes.
struct Text(Arc<str>);

impl AsRef<[u8]> for Text {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// The images that a browser shows without running anything.
fn image_type(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0x89, b'P', b'N', b'G', ..] => Some("image/png"),
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [b'G', b'I', b'F', b'8', ..] => Some("image/gif"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        _ => None,
    }
}

fn decoded(base64: &str) -> Option<Vec<u8>> {
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let config = config.with_decode_allow_trailing_bits(true);
    GeneralPurpose::new(&STANDARD, config).decode(base64.trim()).ok()
}

pub(super) async fn media(
    State(shared): State<Arc<Shared>>,
    Path((id, n)): Path<(String, String)>,
) -> Answer {
    let (id, n) = (id_of(&id)?, usize::try_from(id_of(&n)?).unwrap_or(usize::MAX));
    let bytes = work(shared, move |shared| {
        let stored = read(shared, id)?;
        let opened = Opened::new(&stored.raw);
        let exchange = opened.exchange();
        let image = show::media(&exchange, n).and_then(|media| decoded(media.data.as_deref()?));
        let upload = || {
            let data = opened.report.get("upload").filter(|_| n == 0)?.get("data")?.object();
            decoded(&data.first(&["b64_json", "result", "data"]).and_then(Json::string)?)
        };
        let bytes = image.or_else(upload);
        bytes.ok_or_else(|| ApiError::new(StatusCode::NOT_FOUND, "there is no such image in the report"))
    });
    let bytes = bytes.await?;
    let Some(kind) = image_type(&bytes) else {
        let message = "only png, jpeg, gif and webp are shown";
        return Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
    };
    let mut response = Response::new(Body::from(bytes));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox; default-src 'none'"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, max-age=3600"));
    Ok(response)
}

/// The newest reports of a session, in order of time, and how many are left out.
fn session_reports(shared: &Shared, rows: Vec<Arc<Summary>>) -> Result<(Vec<Stored>, u64), ApiError> {
    let total = rows.len();
    let (mut bytes, mut messages) = (0, 0);
    let mut out = Vec::new();
    for row in rows.into_iter().rev().take(MOST_TURNS) {
        bytes += row.bytes;
        messages += row.hidden.messages;
        if (bytes > MOST_BYTES || messages > MOST_MESSAGES) && !out.is_empty() {
            break;
        }
        // One may have been removed since.
        out.extend(shared.store.read(row.id)?);
    }
    out.reverse();
    let omitted = total.saturating_sub(out.len());
    Ok((out, omitted as u64))
}

pub(super) async fn session(
    State(shared): State<Arc<Shared>>,
    Path(key): Path<String>,
    params: Params,
) -> Answer {
    let format = export::Format::read_session(&params)?;
    let order = in_order(&shared.store.catalog(), &key);
    if order.is_empty() {
        let message = "there is no such session: none of its interactions is kept";
        return Err(ApiError::new(StatusCode::NOT_FOUND, message));
    }
    if let Some(format) = format.filter(|format| *format != export::Format::Markdown) {
        return export::reports(shared, "session", order, format).await;
    }
    let transcript = work(shared, move |shared| {
        let row = overview::sessions(&order, now()).into_iter().next();
        let mut users = Vec::new();
        for user in order.iter().filter_map(|row| row.user.as_ref()) {
            if !users.contains(user) && users.len() < 20 {
                users.push(user.clone());
            }
        }
        let session = order.first().and_then(|row| row.session.clone());
        let label = order.first().map(|row| row.session_label.clone()).unwrap_or_default();
        let uploads = uploads(&shared.store.catalog(), order.iter());
        let (stored, omitted) = session_reports(shared, order)?;
        let turns = transcript::transcript(&stored, uploads);
        let threads = turns.iter().map(|turn| turn.thread + 1).max().unwrap_or(0);
        Ok(Transcript { key, session, label, users, row, omitted, threads, turns })
    });
    let transcript = transcript.await?;
    if format.is_some() {
        let text = crate::view::export::markdown(&transcript.label, &transcript.turns);
        return Ok(export::attachment(text, "session", export::Format::Markdown));
    }
    json_of(&transcript)
}

pub(super) async fn compare(State(shared): State<Arc<Shared>>, params: Params) -> Answer {
    let (Some(a), Some(b)) = (params.number("a")?, params.number("b")?) else {
        return Err(ApiError::bad("`a` and `b` are the ids of two reports"));
    };
    let comparison =
        work(shared, move |shared| Ok(transcript::compare(&read(shared, a)?, &read(shared, b)?)));
    json_of(&comparison.await?)
}

/// The key of the session that a name stands for.
pub(super) fn session_key(name: &str) -> String {
    arrival::session_key(Some(name))
}
