//! From a report to what is stored of it.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::checks;
use super::exchange::{Exchange, Opened};
use super::facts;
use super::message::{Message, Part};
use crate::json::{Json, Object};
use crate::store::{Attempt, Hidden, NewReport, Summary, User};
use crate::text::{folded, head, label};
use crate::wire::{Accepted, Field};

/// The longest name of a session or a user that is kept as it is.
const LONGEST_NAME: usize = 300;

/// The maximum number of detached files of a report.
const MOST_FILES: usize = 32;

/// The key of the session of all reports without one.
pub(crate) const NO_SESSION: &str = "~none";

/// The POST that brought a report.
#[derive(Clone, Debug, Default)]
pub(crate) struct Arrival {
    pub(crate) at: u64,
    pub(crate) key: Option<String>,
    pub(crate) attempts: Vec<Attempt>,
    /// Of the body, before it was masked.
    pub(crate) bytes: u64,
}

/// A report that was read, and hashes of each beginning of its messages.
pub(crate) struct Read {
    pub(crate) report: NewReport,
    pub(crate) prefixes: Vec<u64>,
}

/// Reads a report.
pub(crate) fn read(accepted: Accepted, arrival: Arrival) -> Read {
    let Accepted { text, deviations } = accepted;
    let (mut summary, said, prefixes) = summarise(&text, &arrival, &deviations);
    summary.attempts = arrival.attempts.len().max(1) as u64;
    summary.faulted = arrival.attempts.iter().filter(|attempt| attempt.fault.is_some()).count() as u64;
    let raw = Arc::from(text);
    Read { report: NewReport { summary, said, raw, attempts: arrival.attempts }, prefixes }
}

fn summarise(text: &str, arrival: &Arrival, deviations: &[Field]) -> (Summary, String, Vec<u64>) {
    let opened = Opened::new(text);
    let exchange = opened.exchange();
    let report = &opened.report;
    let reconify = report.get("reconify").map(Json::object).unwrap_or_default();
    let metadata = report.get("metadata").map(Json::object).unwrap_or_default();
    let times = report.get("timestamps").map(Json::object).unwrap_or_default();
    let word = |object: &Object<'_>, name: &str| label(&object.string(name).unwrap_or_default(), 60);
    let optional = |name: &str| metadata.get(name).and_then(Json::filled).map(|text| label(&text, 200));
    let session = report.get("session").and_then(name_of);
    let digest = hash(text);
    let (prefixes, answered) = hashes(&exchange);
    let said = said(&exchange);
    let error = facts::error(&exchange.response);
    let mut summary = Summary {
        key: key(arrival, &metadata, digest),
        received: arrival.at,
        requested: times.number("request"),
        responded: times.number("response"),
        format: word(&reconify, "format"),
        kind: word(&reconify, "type"),
        version: word(&reconify, "version"),
        session_key: session_key(session.as_deref()),
        session_label: session.as_deref().map_or_else(|| "(no session)".to_owned(), |name| label(name, 100)),
        session_timeout: report.get("sessionTimeout").and_then(Json::number),
        session,
        user: report.get("user").and_then(user),
        model: facts::model(&opened, &exchange),
        operation: optional("endpoint"),
        outcome: optional("outcome")
            .or_else(|| (exchange.answers.is_empty() && error.is_some()).then(|| "refused".to_owned())),
        status: metadata.number("status"),
        request_id: optional("requestId"),
        streamed: metadata
            .get("streamed")
            .or_else(|| exchange.request.get("stream"))
            .is_some_and(Json::is_true),
        chunks: metadata.number("chunks"),
        ttft: metadata.number("timeToFirstTokenMs"),
        tokens: facts::tokens(&exchange.response),
        finish: facts::finish(&exchange.response),
        bytes: arrival.bytes,
        asked: asked(&exchange.messages),
        answered: label(
            &exchange.answers.iter().flatten().map(Message::plain).collect::<Vec<_>>().join(" "),
            160,
        ),
        tools: called(&exchange),
        has: has(&exchange),
        truncated: metadata.get("truncated").is_some_and(is_told),
        tags: tags(&metadata),
        process: metadata
            .get("reporter")
            .and_then(|reporter| reporter.get("process")?.string())
            .map(|text| label(&text, 100)),
        app: word(&reconify, "appKey"),
        hidden: Hidden {
            digest,
            asked: prefixes.last().copied().unwrap_or_default(),
            messages: prefixes.len() as u64,
            answered,
            counts: metadata.get("reporter").and_then(counts),
            files: files(&opened, &exchange),
        },
        ..Summary::default()
    };
    let span = summary.requested.zip(summary.responded).and_then(|(start, end)| end.checked_sub(start));
    summary.duration = metadata.number("durationMs").or(span);
    summary.problems = checks::on_arrival(&summary, &exchange, &metadata, deviations);
    if let Some(error) = &error {
        return (summary, format!("{}\n{}", said, folded(error)), prefixes);
    }
    (summary, said, prefixes)
}

/// The key of a session in paths: its name, except for none.
pub(crate) fn session_key(session: Option<&str>) -> String {
    match session {
        None => NO_SESSION.to_owned(),
        // A browser would take the dots for a folder.
        Some(name) if name.starts_with('~') || matches!(name, "." | "..") => format!("~{name}"),
        Some(name) => name.to_owned(),
    }
}

/// A name, which a sender may have made long.
fn name_of(json: Json<'_>) -> Option<String> {
    let name = json.string().unwrap_or_else(|| json.text().into());
    match name.len() {
        0 => None,
        length if length <= LONGEST_NAME => Some(name.into_owned()),
        _ => Some(format!("{}…{:016x}", head(&name, LONGEST_NAME), hash(&name))),
    }
}

/// The report's id: the header, or the reporter's, or one of our own.
fn key(arrival: &Arrival, metadata: &Object<'_>, digest: u64) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let is_sane =
        |key: &str| (1..=200).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
    let key =
        arrival.key.clone().or_else(|| metadata.string("id").map(Into::into)).filter(|key| is_sane(key));
    key.unwrap_or_else(|| {
        format!("none-{digest:016x}-{:x}-{:x}", arrival.at, NEXT.fetch_add(1, Ordering::Relaxed))
    })
}

pub(super) fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

fn chain(before: u64, message: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (before, message).hash(&mut hasher);
    hasher.finish()
}

/// The hash of each beginning of the messages, and the one with the first answer.
fn hashes(exchange: &Exchange<'_>) -> (Vec<u64>, u64) {
    let mut last = 0;
    let mut next = |message: &Message<'_>| {
        let canonical = message.canonical();
        (!canonical.is_empty()).then(|| {
            last = chain(last, &canonical);
            last
        })
    };
    let prefixes: Vec<_> = exchange.messages.iter().filter_map(&mut next).collect();
    let answered = exchange.answers.first().into_iter().flatten().filter_map(&mut next).last();
    (prefixes, answered.unwrap_or_default())
}

fn user(json: Json<'_>) -> Option<User> {
    let object = json.object();
    let name = |name| object.get(name).and_then(name_of);
    let (user_id, email) = (name("userId"), name("email"));
    let key = user_id.clone().or_else(|| email.clone())?;
    let names: Vec<_> =
        ["firstName", "lastName"].into_iter().filter_map(|name| object.get(name)?.filled()).collect();
    let is_authenticated = object.get("isAuthenticated").map(|json| json.text() == "1" || json.is_true());
    let full = (!names.is_empty()).then(|| label(&names.join(" "), 100));
    Some(User { label: label(&key, 100), key, user_id, email, name: full, is_authenticated })
}

/// The beginning of the last words of the user.
fn asked(messages: &[Message<'_>]) -> String {
    let is_question = |message: &&Message<'_>| {
        message.role == "user" && !message.parts.iter().all(|part| matches!(part, Part::Result { .. }))
    };
    let last = messages.iter().rev().find(is_question).or_else(|| messages.last());
    last.map(|message| label(&message.plain(), 160)).unwrap_or_default()
}

fn called(exchange: &Exchange<'_>) -> Vec<String> {
    let mut names = Vec::new();
    for part in exchange.answers.iter().flatten().flat_map(|message| &message.parts) {
        if let Part::Call { name, .. } = part
            && names.len() < 32
        {
            names.push(label(name, 100));
        }
    }
    names
}

fn has(exchange: &Exchange<'_>) -> Vec<String> {
    let answers = || exchange.answers.iter().flatten().flat_map(|message| &message.parts);
    let all = || exchange.messages.iter().flat_map(|message| &message.parts).chain(answers());
    let found = [
        ("tool", answers().any(|part| matches!(part, Part::Call { .. }))),
        ("image", all().any(|part| matches!(part, Part::Image(_)))),
        ("audio", all().any(|part| matches!(part, Part::Audio(_)))),
        ("file", all().any(|part| matches!(part, Part::File(_)))),
        ("refusal", answers().any(|part| matches!(part, Part::Refusal(_)))),
        ("reasoning", answers().any(|part| matches!(part, Part::Reasoning(_)))),
        ("choices", exchange.answers.len() > 1),
    ];
    found.into_iter().filter(|(_, is_there)| *is_there).map(|(name, _)| name.to_owned()).collect()
}

/// What was said, as it is searched.
fn said(exchange: &Exchange<'_>) -> String {
    let mut out = String::new();
    for text in exchange.messages.iter().chain(exchange.answers.iter().flatten()).flat_map(Message::texts) {
        out.push_str(&folded(text));
        out.push('\n');
    }
    out
}

fn tags(metadata: &Object<'_>) -> BTreeMap<String, String> {
    let tags = metadata.get("tags").map(Json::object).unwrap_or_default();
    let tag = |(name, json): (&str, Json<'_>)| {
        let value = json.string().unwrap_or_else(|| json.text().into());
        (label(name, 100), label(&value, 200))
    };
    tags.iter().take(32).map(tag).collect()
}

/// Whether a field says that there is something: `true`, or more than nothing.
fn is_told(json: Json<'_>) -> bool {
    !matches!(json.text(), "false" | "0" | "\"\"" | "{}" | "[]")
}

fn counts(reporter: Json<'_>) -> Option<[u64; 3]> {
    let reporter = reporter.object();
    Some([reporter.number("captured")?, reporter.number("dropped")?, reporter.number("withheld")?])
}

/// The names of files that were detached from this report, or of the one that it is.
fn files(opened: &Opened<'_>, exchange: &Exchange<'_>) -> Vec<String> {
    if let Some(upload) = opened.report.get("upload") {
        return upload.get("filename").and_then(name_of).into_iter().collect();
    }
    let parts =
        exchange.answers.iter().flatten().chain(&exchange.messages).flat_map(|message| &message.parts);
    let names = parts.filter_map(|part| match part {
        Part::Image(media) if media.data.is_none() && media.url.is_none() => media.filename.as_deref(),
        _ => None,
    });
    // An id of a file at the provider has no extension.
    let mut files: Vec<String> = Vec::new();
    for name in names.filter(|name| name.contains('.')).map(|name| head(name, LONGEST_NAME)) {
        if files.len() < MOST_FILES && !files.iter().any(|known| known == name) {
            files.push(name.to_owned());
        }
    }
    files
}
