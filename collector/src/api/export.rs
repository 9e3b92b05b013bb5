//! Exports: attachments that are made while they are sent.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::Response;
use futures_util::stream;

use super::{Answer, ApiError, Params, work};
use crate::shared::Shared;
use crate::store::Summary;
use crate::time::{iso, now};
use crate::view::export as view;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    Lines,
    Csv,
    Markdown,
}

impl Format {
    pub(super) fn read(params: &Params) -> Result<Option<Self>, ApiError> {
        Ok(match params.text("format") {
            None => None,
            Some("json") => Some(Self::Json),
            Some("jsonl") => Some(Self::Lines),
            Some("csv") => Some(Self::Csv),
            Some(_) => return Err(ApiError::bad("`format` is json, jsonl or csv")),
        })
    }

    pub(super) fn read_session(params: &Params) -> Result<Option<Self>, ApiError> {
        match params.text("format") {
            Some("md") => Ok(Some(Self::Markdown)),
            _ => Self::read(params),
        }
    }

    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Json => ("json", "application/json"),
            Self::Lines => ("jsonl", "application/x-ndjson"),
            Self::Csv => ("csv", "text/csv; charset=utf-8"),
            Self::Markdown => ("md", "text/markdown; charset=utf-8"),
        }
    }
}

/// A file whose name nothing in a report can choose.
pub(super) fn attachment(body: impl Into<Body>, name: &'static str, format: Format) -> Response {
    let (extension, kind) = format.names();
    let time: String = iso(now()).chars().take(19).filter(char::is_ascii_digit).collect();
    let mut response = Response::new(body.into());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let disposition = HeaderValue::from_str(&format!("attachment; filename=\"{name}-{time}.{extension}\""));
    headers.extend(disposition.ok().map(|value| (CONTENT_DISPOSITION, value)));
    response
}

/// An export of reports, the oldest first. Only one at a time is in memory.
pub(super) async fn reports(
    shared: Arc<Shared>,
    name: &'static str,
    rows: Vec<Arc<Summary>>,
    format: Format,
) -> Answer {
    if format == Format::Csv {
        let table = work(shared, move |_| {
            let table: String = rows.iter().map(|row| view::csv_row(row)).collect();
            Ok(format!("{}{table}", view::csv_head()))
        });
        return Ok(attachment(table.await?, name, format));
    }
    let is_json = format == Format::Json;
    let head =
        is_json.then(|| format!("{{\"format\":\"{}\",\"exported\":{},\"reports\":[\n", view::FORMAT, now()));
    let pieces = head.map(Piece::Text).into_iter();
    let pieces = pieces.chain(rows.into_iter().map(|row| Piece::Report(row.id)));
    let pieces = pieces.chain(is_json.then(|| Piece::Text("]}\n".to_owned())));
    let state = (pieces, shared, true);
    let body = stream::unfold(state, move |(mut pieces, shared, mut is_first)| async move {
        loop {
            let text = match pieces.next()? {
                Piece::Text(text) => text,
                Piece::Report(id) => match work(Arc::clone(&shared), move |shared| {
                    Ok(shared.store.read(id)?)
                })
                .await
                {
                    Ok(Some(stored)) => {
                        let comma =
                            if is_json && !std::mem::replace(&mut is_first, false) { "," } else { "" };
                        format!("{comma}{}\n", view::line(&stored))
                    }
                    // It was removed since.
                    Ok(None) => continue,
                    Err(error) => {
                        return Some((Err(std::io::Error::other(error.message)), (pieces, shared, is_first)));
                    }
                },
            };
            return Some((Ok(Bytes::from(text)), (pieces, shared, is_first)));
        }
    });
    Ok(attachment(Body::from_stream(body), name, format))
}

enum Piece {
    Text(String),
    Report(u64),
}
