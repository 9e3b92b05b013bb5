//! Reports as files.

use std::fmt::Write;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::show::{ShownMessage, ShownPart};
use super::transcript::Turn;
use crate::store::{Attempt, Stored, Summary};
use crate::text::{is_hidden, size, visible};
use crate::time::iso;

/// The name of the format of exports, and its version.
pub(crate) const FORMAT: &str = "reconify-collector 1";

/// A report in an export: all that an import needs.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Exported<'a> {
    pub(crate) key: std::borrow::Cow<'a, str>,
    pub(crate) received: u64,
    #[serde(default)]
    pub(crate) attempts: Vec<Attempt>,
    #[serde(borrow)]
    pub(crate) report: &'a RawValue,
}

/// A whole export in JSON.
#[derive(Debug, Deserialize)]
pub(crate) struct ExportedFile<'a> {
    #[allow(dead_code, reason = "its presence tells an export from a report")]
    format: String,
    #[serde(borrow)]
    pub(crate) reports: Vec<&'a RawValue>,
}

/// A report on a single line.
pub(crate) fn line(stored: &Stored) -> String {
    // In JSON, line ends occur only between tokens.
    let raw = if stored.raw.contains(['\n', '\r']) {
        stored.raw.replace(['\n', '\r'], " ")
    } else {
        stored.raw.to_string()
    };
    let Ok(report) = RawValue::from_string(raw) else { return String::new() };
    let exported = Exported {
        key: (&*stored.summary.key).into(),
        received: stored.summary.received,
        attempts: stored.attempts.clone(),
        report: &report,
    };
    serde_json::to_string(&exported).unwrap_or_default()
}

const COLUMNS: &str = "id,time,type,format,session,user,model,outcome,status,streamed,ttft_ms,duration_ms,tokens_in,tokens_cached,tokens_out,finish,bytes,attempts,problems,key,asked,answered\r\n";

/// The first line of a table.
pub(crate) fn csv_head() -> &'static str {
    COLUMNS
}

/// A report as a row of a table.
pub(crate) fn csv_row(row: &Summary) -> String {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let number = |number: Option<u64>| number.map(|number| number.to_string()).unwrap_or_default();
    let problems: Vec<_> = row.problems.iter().map(|problem| &*problem.check).collect();
    let cells = [
        row.id.to_string(),
        iso(row.time()),
        row.kind.clone(),
        row.format.clone(),
        text(&row.session),
        row.user.as_ref().map(|user| user.key.clone()).unwrap_or_default(),
        text(&row.model),
        text(&row.outcome),
        number(row.status),
        row.streamed.to_string(),
        number(row.ttft),
        number(row.duration),
        number(row.tokens.asked),
        number(row.tokens.cached),
        number(row.tokens.out),
        text(&row.finish),
        row.bytes.to_string(),
        row.attempts.to_string(),
        problems.join(" "),
        row.key.clone(),
        row.asked.clone(),
        row.answered.clone(),
    ];
    cells.iter().map(|cell| csv_cell(cell)).collect::<Vec<_>>().join(",") + "\r\n"
}

/// A cell that no program takes for a formula.
fn csv_cell(text: &str) -> String {
    let text = visible(text);
    // Some programs also take the wide forms of these characters.
    const STARTS: [char; 8] = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];
    let is_formula = text.starts_with('\t') || text.trim_start().starts_with(STARTS);
    let text = if is_formula { format!("'{text}") } else { text.into_owned() };
    if is_formula || text.contains(['"', ',', '\n', '\r', ';']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

/// A transcript in Markdown. Each message is in a block of its own, so that nothing in it is markup.
pub(crate) fn markdown(label: &str, turns: &[Turn]) -> String {
    let mut out = String::new();
    let first = turns.first().map(|turn| iso(turn.report.time())).unwrap_or_default();
    let _ = writeln!(out, "# Session {}\n", inline(label));
    let _ = writeln!(out, "{} interactions from {first}", turns.len());
    let threads = turns.iter().map(|turn| turn.thread + 1).max().unwrap_or(0);
    for thread in 0..threads {
        if threads > 1 {
            let _ = write!(out, "\n## Thread {}", thread + 1);
            let start = turns.iter().find(|turn| turn.thread == thread).and_then(|turn| turn.parent);
            let _ =
                writeln!(out, "{}", start.map(|parent| format!(", after turn {parent}")).unwrap_or_default());
        }
        for turn in turns.iter().filter(|turn| turn.thread == thread) {
            push_turn(&mut out, turn);
        }
    }
    out
}

fn push_turn(out: &mut String, turn: &Turn) {
    let Summary { model, ttft, duration, tokens, finish, .. } = &*turn.report;
    let _ = write!(out, "\n---\n\nTurn {}, {}", turn.n, iso(turn.report.time()));
    for (name, value) in [("model", model), ("stopped by", finish)] {
        let _ = value.as_ref().map(|value| write!(out, ", {name} {}", inline(value)));
    }
    for (name, value, unit) in [
        ("first token after", ttft, " ms"),
        ("took", duration, " ms"),
        ("tokens in", &tokens.asked, ""),
        ("tokens out", &tokens.out, ""),
    ] {
        let _ = value.map(|value| write!(out, ", {name} {value}{unit}"));
    }
    out.push('\n');
    for change in &turn.changes {
        let side = |side: &Option<String>| side.as_deref().map_or("none".to_owned(), inline);
        let _ = writeln!(out, "\n- {}: {} → {}", inline(&change.name), side(&change.from), side(&change.to));
    }
    if let Some((removed, added)) = turn.history_of() {
        let _ = writeln!(out, "\nHistory: {} messages of it were replaced by {}.", removed, added.len());
        push_messages(out, added);
    }
    push_messages(out, &turn.messages);
    for (choice, messages) in turn.answers.iter().enumerate() {
        if turn.answers.len() > 1 {
            let _ = writeln!(out, "\nChoice {}:", choice + 1);
        }
        push_messages(out, messages);
    }
    if let Some(torn) = &turn.torn {
        let _ = writeln!(out, "\nOutcome: {}", inline(torn));
    }
    if let Some(error) = &turn.error {
        out.push_str("\nError:\n");
        push_block(out, error);
    }
}

fn push_messages(out: &mut String, messages: &[ShownMessage]) {
    for message in messages {
        let _ = writeln!(out, "\n**{}**", inline(&message.role));
        for part in &message.parts {
            match part {
                ShownPart::Text { text } => push_block(out, text),
                ShownPart::Reasoning { text } => push_named(out, "Reasoning", text),
                ShownPart::Refusal { text } => push_named(out, "Refusal", text),
                ShownPart::ToolCall { name, arguments, .. } => {
                    push_named(out, &format!("Calls {}", inline(name)), arguments)
                }
                ShownPart::ToolResult { name, text, .. } => {
                    let name = name.as_deref().map(|name| format!("Result of {}", inline(name)));
                    push_named(out, name.as_deref().unwrap_or("Result"), text);
                }
                ShownPart::Image { bytes, url, filename, .. } => {
                    push_line(out, "image", *bytes, url.as_ref().or(filename.as_ref()));
                }
                ShownPart::Audio { bytes, transcript, filename, .. } => {
                    push_line(out, "audio", *bytes, filename.as_ref());
                    transcript.iter().for_each(|text| push_block(out, text));
                }
                ShownPart::File { bytes, filename, url, .. } => {
                    push_line(out, "file", *bytes, filename.as_ref().or(url.as_ref()));
                }
                ShownPart::Json { label, text } => push_named(out, &inline(label), text),
            }
        }
    }
}

fn push_named(out: &mut String, name: &str, text: &str) {
    let _ = writeln!(out, "\n{name}:");
    push_block(out, text);
}

fn push_line(out: &mut String, kind: &str, bytes: u64, name: Option<&String>) {
    let name = name.map(|name| format!(" {}", inline(name))).unwrap_or_default();
    let _ = writeln!(out, "\n[{kind}{name}, {}]", size(bytes));
}

/// A block whose fence is longer than any in the text.
fn push_block(out: &mut String, text: &str) {
    let fence = fence(text, 3);
    let _ = writeln!(out, "\n{fence}text\n{text}\n{fence}");
}

/// More backticks than there are in a row in a text.
fn fence(text: &str, least: usize) -> String {
    let longest = text.split(|letter| letter != '`').map(str::len).max().unwrap_or(0);
    "`".repeat((longest + 1).max(least))
}

/// A short text within a line, as code.
fn inline(text: &str) -> String {
    let text = visible(text).replace(['\n', '\t'], " ");
    let is_plain = text.chars().all(|letter| letter.is_alphanumeric() || " .-_@:…()".contains(letter));
    let fence = fence(&text, 2);
    if is_plain { text } else { format!("{fence} {text} {fence}") }
}

/// A command for a shell that asks the model again; the key is a variable there.
pub(crate) fn curl(stored: &Stored) -> Option<String> {
    let opened = super::exchange::Opened::new(&stored.raw);
    let row: &Arc<Summary> = &stored.summary;
    let (url, header) = match (&*row.format, &*row.kind) {
        ("openai", "chat") => {
            ("https://api.openai.com/v1/chat/completions", "authorization: Bearer $OPENAI_API_KEY")
        }
        ("openai", "completion") => {
            ("https://api.openai.com/v1/completions", "authorization: Bearer $OPENAI_API_KEY")
        }
        ("openai", "response") => {
            ("https://api.openai.com/v1/responses", "authorization: Bearer $OPENAI_API_KEY")
        }
        ("openai", "image") => {
            ("https://api.openai.com/v1/images/generations", "authorization: Bearer $OPENAI_API_KEY")
        }
        ("anthropic", "chat") => ("https://api.anthropic.com/v1/messages", "x-api-key: $ANTHROPIC_API_KEY"),
        ("mistral", _) => {
            ("https://api.mistral.ai/v1/chat/completions", "authorization: Bearer $MISTRAL_API_KEY")
        }
        ("perplexity", _) => {
            ("https://api.perplexity.ai/chat/completions", "authorization: Bearer $PERPLEXITY_API_KEY")
        }
        ("cohere", "chat") => ("https://api.cohere.com/v2/chat", "authorization: Bearer $COHERE_API_KEY"),
        _ => return None,
    };
    let request = opened.report.get("request")?.text();
    if request.len() > 1 << 20 || request.contains('\0') {
        return None;
    }
    let version = if row.format == "anthropic" { " -H 'anthropic-version: 2023-06-01'" } else { "" };
    Some(format!(
        "curl {url} -H \"{header}\"{version} -H 'content-type: application/json' --data-raw {}",
        quoted(&escaped(request))
    ))
}

/// The same JSON without characters that are not seen or that a terminal obeys.
fn escaped(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for letter in json.chars() {
        match letter {
            '\r' => out.push(' '),
            '\n' | '\t' => out.push(letter),
            // Outside of strings JSON has none of these.
            letter if is_hidden(letter) => {
                for unit in letter.encode_utf16(&mut [0; 2]) {
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
            letter => out.push(letter),
        }
    }
    out
}

/// A word for a shell: nothing in it means anything.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula() {
        for (cell, expected) in [
            ("=1+1", "\"'=1+1\""),
            ("+1", "\"'+1\""),
            ("-1", "\"'-1\""),
            ("@x", "\"'@x\""),
            (" =x", "\"' =x\""),
            ("＝1", "\"'＝1\""),
            ("a,\"b\"", "\"a,\"\"b\"\"\""),
            ("plain", "plain"),
            ("a\u{1b}b", "a␛b"),
        ] {
            assert_eq!(csv_cell(cell), expected);
        }
    }

    #[test]
    fn a_shell_reads_a_quoted_word_as_it_is() {
        assert_eq!(quoted("it's $HOME `x`"), r"'it'\''s $HOME `x`'");
        assert_eq!(
            escaped("{\"a\":\r\n\"\u{9b}2J\u{202e}\u{e0041}é\"}"),
            "{\"a\": \n\"\\u009b2J\\u202e\\udb40\\udc41é\"}"
        );
    }

    #[test]
    fn a_block_ends_where_its_text_does() {
        let mut out = String::new();
        push_block(&mut out, "```\n# no heading\n````");
        assert_eq!(out, "\n`````text\n```\n# no heading\n````\n`````\n");
        assert_eq!(inline("a ```<b>` c"), "```` a ```<b>` c ````");
    }
}
