//! The entry point of the fuzz target: reads, shows and masks any posted text. It must not panic.

#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a finding is a panic")]

use std::collections::HashMap;
use std::sync::Arc;

use crate::json::Json;
use crate::store::{Stored, Summary};
use crate::text::visible;
use crate::view::arrival::{self, Arrival};
use crate::view::{export, line, query, transcript};
use crate::wire::{Rules, Target};

const FORMATS: [&str; 9] =
    ["openai", "anthropic", "gemini", "bedrock", "cohere", "mistral", "perplexity", "universal", "other"];

/// A body as it is posted; then, if it is two values of JSON with a line between them, as request and
/// response of a report.
pub fn report(data: &[u8]) {
    post(data);
    let Some((format, rest)) = data.split_first() else { return };
    let Ok(text) = str::from_utf8(rest) else { return };
    let (request, response) = text.split_once('\n').unwrap_or((text, text));
    if Json::parse(request).is_err() || Json::parse(response).is_err() {
        return;
    }
    let format = FORMATS[usize::from(*format) % FORMATS.len()];
    let body = if format == "bedrock" {
        let body = serde_json::to_string(request).expect("a string is JSON");
        (format!(r#"{{"modelId":"m","body":{body}}}"#), format!(r#"{{"body":{response}}}"#))
    } else {
        (request.to_owned(), response.to_owned())
    };
    let (request, response) = body;
    let text = format!(
        r#"{{"reconify":{{"format":"{format}","type":"chat","version":"1.0.0","appKey":"app-key-of-fuzz-1234","apiKey":"api-key-of-fuzz-5678"}},"request":{request},"response":{response}}}"#
    );
    post(text.as_bytes());
}

fn post(body: &[u8]) {
    let strict = Rules { is_strict: true, ..Rules::default() };
    let is_within = strict.check(body, Target::Track).is_ok();
    let accepted = match Rules::default().check(body, Target::Track) {
        Ok(accepted) => accepted,
        Err(rejected) => {
            assert!(!is_within && !rejected.fields.is_empty());
            assert_eq!(visible(&rejected.head), rejected.head);
            return;
        }
    };
    assert_eq!(accepted.deviations.is_empty(), is_within);
    let raw: Arc<str> = Arc::from(&*accepted.text);
    assert!(Json::parse(&raw).is_ok());
    assert!(!raw.contains("app-key-of-fuzz-1234") && !raw.contains("api-key-of-fuzz-5678"));
    let again = Rules::default().check(raw.as_bytes(), Target::Track).expect("an export can be imported");
    assert_eq!(again.text, accepted.text);
    let read = arrival::read(accepted, Arrival::default());
    let summary = read.report.summary;
    for shown in [&summary.asked, &summary.answered, &summary.session_label, &line::report(&summary)] {
        assert_eq!(visible(shown), **shown);
        assert!(!shown.contains('\n'));
    }
    let words = query::parse(&summary.asked.replace(['"', '\\', '-', ':', '…', ','], " "), 0, 0);
    drop(words);
    let _ = export::csv_row(&summary);
    let stored: Vec<_> = (1..4)
        .map(|id| Stored {
            summary: Arc::new(Summary { id, ..summary.clone() }),
            raw: Arc::clone(&raw),
            attempts: Vec::new(),
        })
        .collect();
    assert!(Json::parse(&export::line(&stored[0])).is_ok());
    let turns = transcript::transcript(&stored, HashMap::new());
    assert_eq!(turns.len(), 3);
    let markdown = export::markdown(&summary.session_label, &turns);
    assert_eq!(visible(&markdown), markdown);
    drop(serde_json::to_string(&turns).expect("turns are JSON"));
    drop(serde_json::to_string(&transcript::compare(&stored[0], &stored[1])).expect("a comparison is JSON"));
    let _ = export::curl(&stored[0]);
}
