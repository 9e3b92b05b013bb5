//! What is probably wrong with a report: checks with stable names.

use super::exchange::Exchange;
use super::message::Part;
use super::secrets;
use crate::json::{Json, Object};
use crate::store::{Catalog, Level, Problem, Summary};
use crate::text::{label, size};
use crate::wire::Field;

/// The most problems of one report.
const MOST: usize = 20;

/// So far a clock may be off.
const CLOCK: u64 = 5_000;

/// How many earlier reports of a session a new one is compared with.
const COMPARED: usize = 50;

/// All checks: name, level and title.
pub(crate) const CHECKS: &[(&str, Level, &str)] = &[
    ("wire", Level::Warning, "beyond what Reconify documents"),
    ("two-users", Level::Error, "two users in one session"),
    ("user-changed", Level::Warning, "a user's fields changed within a session"),
    ("key-reused", Level::Error, "one idempotency key, different bytes"),
    ("no-user", Level::Note, "no user"),
    ("no-session", Level::Note, "no session"),
    ("time-order", Level::Error, "response before request"),
    ("clock", Level::Warning, "the reporter's clock is ahead"),
    ("late", Level::Note, "arrived more than a minute after the response"),
    ("image-missing", Level::Warning, "an image was detached, but not uploaded"),
    ("interaction-missing", Level::Warning, "an image was uploaded without its interaction"),
    ("usage-missing", Level::Warning, "no token counts"),
    ("finish-missing", Level::Note, "no reason why the model stopped"),
    ("finish-length", Level::Warning, "cut off by the token limit"),
    ("finish-filter", Level::Warning, "stopped by a content filter"),
    ("truncated", Level::Warning, "not reported in full"),
    ("skipped", Level::Warning, "events of the stream could not be read"),
    ("arguments-invalid", Level::Warning, "arguments of a tool call are not JSON"),
    ("call-unanswered", Level::Warning, "a tool call without a result"),
    ("answer-changed", Level::Warning, "the history has another answer than was reported"),
    ("secret", Level::Warning, "looks like a key or a card number"),
    ("large", Level::Note, "over 1 MiB"),
    ("not-answered", Level::Warning, "no complete answer"),
    ("opaque", Level::Note, "not shown as a conversation"),
];

/// The problems of a report so far.
#[derive(Default)]
struct Found(Vec<Problem>);

impl Found {
    fn add(&mut self, check: &str, text: impl Into<String>) {
        let level =
            CHECKS.iter().find(|(name, ..)| *name == check).map_or(Level::Note, |(_, level, _)| *level);
        if self.0.len() < MOST {
            self.0.push(Problem { check: check.to_owned(), level, text: text.into() });
        }
    }
}

/// A problem that shows only when others have arrived, or not.
pub(super) fn problem(check: &str, text: String) -> Problem {
    let mut found = Found::default();
    found.add(check, text);
    found.0.remove(0)
}

/// Checks a report by itself.
pub(super) fn on_arrival(
    summary: &Summary,
    exchange: &Exchange<'_>,
    metadata: &Object<'_>,
    deviations: &[Field],
) -> Vec<Problem> {
    let mut found = Found::default();
    if !deviations.is_empty() {
        let list = deviations
            .iter()
            .take(8)
            .map(|Field { pointer, found, expected }| format!("{pointer} is {found}, expected {expected}"));
        let more = deviations.len().saturating_sub(8);
        let more = if more > 0 { format!("; and {more} more") } else { String::new() };
        found.add("wire", list.collect::<Vec<_>>().join("; ") + &more);
    }
    large(summary, exchange, &mut found);
    if summary.is_upload() {
        return found.0;
    }
    identity_and_time(summary, &mut found);
    answer(summary, exchange, &mut found);
    if summary.truncated {
        let text =
            metadata.get("truncated").filter(|json| json.is_object()).map(Json::text).unwrap_or("true");
        found.add("truncated", label(text, 200));
    }
    if let Some(skipped) = metadata.number("skipped").filter(|skipped| *skipped > 0) {
        found.add("skipped", format!("{skipped} events"));
    }
    calls(exchange, &mut found);
    let texts =
        exchange.messages.iter().chain(exchange.answers.iter().flatten()).flat_map(|message| message.texts());
    if let Some(secret) = texts.filter_map(secrets::find).next() {
        found.add("secret", format!("{secret}: see `before_send` and the example `redact`"));
    }
    if !exchange.is_known {
        found.add("opaque", format!("format {}, type {}", summary.format, summary.kind));
    }
    found.0
}

fn large(summary: &Summary, exchange: &Exchange<'_>, found: &mut Found) {
    if summary.bytes <= 1 << 20 {
        return;
    }
    let parts = [("request", &exchange.request), ("response", &exchange.response)];
    let fields = parts.iter().flat_map(|(part, object)| {
        object
            .iter()
            .map(move |(name, json)| (json.text().len() as u64, format!("/{part}/{}", label(name, 60))))
    });
    let largest = fields.max().map(|(bytes, name)| format!(", of which {name} is {}", size(bytes)));
    found.add("large", format!("{}{}", size(summary.bytes), largest.unwrap_or_default()));
}

fn identity_and_time(summary: &Summary, found: &mut Found) {
    if summary.user.is_none() {
        found.add("no-user", "Reconify makes a new user of it");
    }
    if summary.session.is_none() {
        found.add("no-session", "it belongs to no conversation");
    }
    if let (Some(requested), Some(responded)) = (summary.requested, summary.responded)
        && responded < requested
    {
        found.add("time-order", format!("{} ms before", requested - responded));
    }
    let latest = summary.requested.max(summary.responded).unwrap_or_default();
    if let Some(ahead) = latest.checked_sub(summary.received).filter(|ahead| *ahead > CLOCK) {
        found.add("clock", format!("{ahead} ms ahead of the collector's"));
    }
    if let Some(late) =
        summary.responded.and_then(|time| summary.received.checked_sub(time)).filter(|late| *late > 60_000)
    {
        found.add("late", format!("{} s: retries, a queue, or the clock", late / 1000));
    }
}

fn answer(summary: &Summary, exchange: &Exchange<'_>, found: &mut Found) {
    if let Some(outcome) = summary.outcome.as_deref().filter(|outcome| *outcome != "answered") {
        found.add("not-answered", outcome);
    }
    let is_generation = matches!(&*summary.kind, "chat" | "completion" | "generate" | "response");
    if !is_generation || exchange.answers.is_empty() {
        return;
    }
    let is_whole = summary.outcome.as_deref().is_none_or(|outcome| outcome == "answered");
    if summary.tokens.asked.is_none() && summary.tokens.out.is_none() && is_whole {
        let is_openai = summary.streamed && summary.format == "openai";
        let hint = "a stream has them only if `stream_options.include_usage` is set";
        found.add("usage-missing", if is_openai { hint } else { "the response has no usage" });
    }
    let Some(finish) = &summary.finish else {
        if is_whole {
            found.add("finish-missing", "the response does not say it");
        }
        return;
    };
    for reason in finish.split(", ") {
        let lower = reason.to_ascii_lowercase();
        match &*lower {
            "length"
            | "max_tokens"
            | "max_output_tokens"
            | "model_context_window_exceeded"
            | "model_length" => {
                found.add("finish-length", reason);
            }
            "content_filter"
            | "safety"
            | "prohibited_content"
            | "blocklist"
            | "recitation"
            | "spii"
            | "refusal"
            | "guardrail_intervened"
            | "content_filtered"
            | "error_toxic"
            | "image_safety"
            | "model_armor" => {
                found.add("finish-filter", reason);
            }
            _ => {}
        }
    }
}

/// Whether arguments begin as JSON and are none. Some tools take plain text.
fn is_broken(arguments: &str) -> bool {
    arguments.trim_start().starts_with(['{', '[']) && Json::parse(arguments).is_err()
}

/// Calls of tools: their arguments in answers, and their results in the history.
fn calls(exchange: &Exchange<'_>, found: &mut Found) {
    let parts = exchange.answers.iter().flatten().flat_map(|message| &message.parts);
    let invalid = parts.filter_map(|part| match part {
        Part::Call { name, arguments, .. } if is_broken(arguments) => Some(name),
        _ => None,
    });
    for name in invalid.take(3) {
        found.add("arguments-invalid", label(name, 100));
    }
    let parts = || exchange.messages.iter().flat_map(|message| &message.parts);
    let results: std::collections::HashSet<_> = parts()
        .filter_map(|part| if let Part::Result { id, .. } = part { id.as_deref() } else { None })
        .collect();
    let open = parts().filter_map(|part| match part {
        Part::Call { id: Some(id), name, .. } if !results.contains(&**id) => Some((id, name)),
        _ => None,
    });
    for (id, name) in open.take(3) {
        found.add("call-unanswered", format!("{} ({})", label(name, 100), label(id, 60)));
    }
}

/// Compares a report with those that are there. Called before it is stored.
pub(crate) fn compare(catalog: &Catalog, summary: &mut Summary, prefixes: &[u64]) {
    let mut found = Found(std::mem::take(&mut summary.problems));
    if let Some(old) = catalog.with_key(&summary.key) {
        found.add("key-reused", format!("report {} has the same key and other bytes", old.id));
    }
    // A history beyond any that is sent in earnest is not worth the time.
    let prefixes = if prefixes.len() > 10_000 { &[] } else { prefixes };
    if !summary.is_upload() && summary.session.is_some() {
        let earlier = catalog
            .session(&summary.session_key)
            .iter()
            .rev()
            .take(COMPARED)
            .filter_map(|id| catalog.get(*id));
        same_user(earlier.clone().map(|row| &**row), summary, &mut found);
        let wrong = earlier.clone().find(|old| is_answer_changed(old, prefixes));
        // Not if another earlier report is what it continues.
        let continues =
            earlier.clone().any(|old| old.hidden.answered != 0 && prefixes.contains(&old.hidden.answered));
        if let Some(old) = wrong.filter(|_| !continues) {
            found.add("answer-changed", format!("the answer of report {}", old.id));
        }
    }
    summary.problems = found.0;
}

fn same_user<'a>(
    mut earlier: impl Iterator<Item = &'a Summary> + Clone,
    summary: &Summary,
    found: &mut Found,
) {
    let Some(user) = &summary.user else { return };
    let other = earlier.clone().filter_map(|old| old.user.as_ref()).find(|other| other.key != user.key);
    if let Some(other) = other {
        found.add("two-users", format!("{} and {}", other.label, user.label));
    }
    let same = earlier.find_map(|old| old.user.as_ref().filter(|other| other.key == user.key));
    if let Some(other) = same.filter(|other| *other != user) {
        let differs = [
            ("email", other.email != user.email),
            ("name", other.name != user.name),
            ("isAuthenticated", other.is_authenticated != user.is_authenticated),
        ];
        let names: Vec<_> =
            differs.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect();
        found.add("user-changed", names.join(", "));
    }
}

/// Whether the messages go on where an earlier request ended, with another answer.
fn is_answer_changed(old: &Summary, prefixes: &[u64]) -> bool {
    let at = usize::try_from(old.hidden.messages).unwrap_or(usize::MAX);
    let before = at.checked_sub(1).and_then(|last| prefixes.get(last));
    let is_continued = before == Some(&old.hidden.asked);
    old.hidden.answered != 0
        && is_continued
        && prefixes.get(at).is_some_and(|next| *next != old.hidden.answered)
}
