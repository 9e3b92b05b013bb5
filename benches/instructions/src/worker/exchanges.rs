//! Exchanges as they are in practice: texts with line feeds, quotes, code and some letters beyond ASCII, the fields that
//! OpenAI's API gives today.

use std::fmt::Write;

use bytes::Bytes;

/// A chat: what was asked, and what was answered, in frames.
pub struct Exchange {
    pub request: Vec<Bytes>,
    pub response: Vec<Bytes>,
    pub is_stream: bool,
    pub api: Api,
}

/// The API that an exchange belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Api {
    OpenAi,
    Anthropic,
    Gemini,
}

impl Api {
    pub fn path(self) -> &'static str {
        match self {
            Self::OpenAi => "/v1/chat/completions",
            Self::Anthropic => "/v1/messages",
            Self::Gemini => "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse",
        }
    }
}

/// What people and models write, in turns.
const TEXTS: [&str; 4] = [
    "I’ve got a service that proxies \"chat completions\", and its p99 went from 40 ms to 1.2 s after the last deploy. \
     Nothing in the logs stands out. Where would you start looking, and what should I measure first?",
    "Start with what changed — not with what is slow.\n\n1. **Diff the deploy.** A new dependency, a changed pool size, a \
     log level.\n2. **Look at the queue.** If latency grows while CPU stays flat, requests wait:\n\n```rust\nlet permit = \
     semaphore.acquire().await?;\nprintln!(\"waited {:?}\\n\", start.elapsed());\n```\n\nThen compare the time *before* and \
     *after* the permit.",
    "Danke! Der Größenunterschied ist auffällig: vorher 12 Verbindungen, jetzt 2. The pool’s limit comes from \
     C:\\config\\pool.toml, and it said \"max = 2\" (a leftover from a test). With 12 it is back at 38 ms 🎉",
    "Good find. A limit of 2 means that the third request waits for the first to end, so the tail is what you saw. Two \
     things would have shown it earlier: a gauge of how many wait for a connection, and an alert on the time they wait — \
     both are a line of code each. If you want to be thorough, run the load test again with 4, 8 and 16 connections, and \
     keep the smallest that holds the p99; more only moves the queue to the other side.",
];

/// Frames are what fits a connection's read buffer.
const FRAME: usize = 16 * 1024;

/// The scenario of that name: `json-BYTES` (the size of request and response), `stream-CHUNKS`, `anthropic-EVENTS` or
/// `gemini-CHUNKS`.
pub fn exchange(name: &str) -> Option<Exchange> {
    let (kind, size) = name.split_once('-')?;
    let size = size.parse().ok()?;
    match kind {
        "json" => Some(Exchange {
            request: frames(request(size, false)),
            response: frames(answer(size)),
            is_stream: false,
            api: Api::OpenAi,
        }),
        "stream" => Some(Exchange {
            request: frames(request(1_024, true)),
            response: stream(size),
            is_stream: true,
            api: Api::OpenAi,
        }),
        "anthropic" => Some(Exchange {
            request: frames(request(1_024, true)),
            response: anthropic_stream(size),
            is_stream: true,
            api: Api::Anthropic,
        }),
        "gemini" => Some(Exchange {
            request: frames(gemini_request(1_024)),
            response: gemini_stream(size),
            is_stream: true,
            api: Api::Gemini,
        }),
        _ => None,
    }
}

fn frames(body: String) -> Vec<Bytes> {
    let body = Bytes::from(body);
    (0..body.len()).step_by(FRAME).map(|at| body.slice(at..body.len().min(at + FRAME))).collect()
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

/// Text of about `bytes` bytes, as a JSON string.
fn text(bytes: usize) -> String {
    let mut text = String::new();
    let mut turns = TEXTS.iter().cycle();
    while text.len() < bytes {
        text.push_str(turns.next().unwrap_or(&""));
        text.push_str("\n\n");
    }
    let end = (0..=bytes).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
    quoted(text.get(..end).unwrap_or_default())
}

/// A conversation of about that number of bytes.
fn request(bytes: usize, is_stream: bool) -> String {
    let mut request = String::from(
        r#"{"model":"gpt-4o-mini","messages":[{"role":"system","content":"You are a helpful assistant."}"#,
    );
    let tail = format!(
        r#"],"temperature":0.7,"max_tokens":1024,"top_p":1.0,"stream":{is_stream},"user":"user-42","metadata":{{"team":"billing"}}}}"#
    );
    for (turn, text) in TEXTS.iter().cycle().enumerate() {
        let role = if turn % 2 == 0 { "user" } else { "assistant" };
        let message = format!(r#",{{"role":"{role}","content":{}}}"#, quoted(text));
        if request.len() + message.len() + tail.len() > bytes {
            break;
        }
        request.push_str(&message);
    }
    let left = bytes.saturating_sub(request.len() + tail.len() + r#",{"role":"user","content":""}"#.len());
    if left > 0 {
        let _ = write!(request, r#",{{"role":"user","content":{}}}"#, text(left));
    }
    request + &tail
}

/// An answer of about that number of bytes: a choice for each 8 KiB.
fn answer(bytes: usize) -> String {
    let head = r#"{"id":"chatcmpl-CvAjQPpqrc4D6eaDx8a4BYdnfiBZ6","object":"chat.completion","created":1767741984,"model":"gpt-4o-mini-2024-07-18","choices":["#;
    let tail = r#"],"usage":{"prompt_tokens":231,"completion_tokens":350,"total_tokens":581,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}},"service_tier":"default","system_fingerprint":"fp_c4585b5b9c"}"#;
    let left = bytes.saturating_sub(head.len() + tail.len());
    let count = left.div_ceil(8 * 1024).max(1);
    let each = left.div_euclid(count);
    let choice = |index| {
        let (before, after) = (
            format!(r#"{{"index":{index},"message":{{"role":"assistant","content":"#),
            r#","refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"stop"}"#,
        );
        format!("{before}{}{after}", text(each.saturating_sub(before.len() + after.len() + 40)))
    };
    let choices: Vec<_> = (0..count).map(choice).collect();
    format!("{head}{}{tail}", choices.join(","))
}

/// Chunks, each in a frame: a role, one word each, the finish reason, the usage and the end marker.
fn stream(chunks: usize) -> Vec<Bytes> {
    let head = r#"data: {"id":"chatcmpl-Cr4QEId1Y0l9qcxYwbRcJ5NjRcVSZ","object":"chat.completion.chunk","created":1766764418,"model":"gpt-4o-mini-2024-07-18","service_tier":"default","system_fingerprint":"fp_29330a9688","choices":["#;
    let event = |number: usize, choices: &str, usage: &str| {
        // Padding of no fixed length, against guessing words from lengths.
        let padding = "Kz7QdzdJdMMgDHt6".get(..1 + number * 7 % 15).unwrap_or_default();
        format!("{head}{choices}],\"usage\":{usage},\"obfuscation\":\"{padding}\"}}\n\n")
    };
    let delta = |delta: &str, reason: &str| {
        format!(r#"{{"index":0,"delta":{delta},"logprobs":null,"finish_reason":{reason}}}"#)
    };
    let mut events =
        vec![event(0, &delta(r#"{"role":"assistant","content":"","refusal":null}"#, "null"), "null")];
    let words = TEXTS.iter().flat_map(|text| text.split_inclusive(' ')).cycle();
    for (number, word) in words.take(chunks.saturating_sub(3)).enumerate() {
        let content = format!(r#"{{"content":{}}}"#, quoted(word));
        events.push(event(number, &delta(&content, "null"), "null"));
    }
    events.push(event(1, &delta("{}", r#""stop""#), "null"));
    let usage = r#"{"prompt_tokens":231,"completion_tokens":1997,"total_tokens":2228,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}"#;
    events.push(event(2, "", usage));
    events.push("data: [DONE]\n\n".to_owned());
    events.into_iter().map(Bytes::from).collect()
}

/// A message as about this many events, each in a frame. Each delta has one word.
fn anthropic_stream(events: usize) -> Vec<Bytes> {
    let event = |number: usize, name: &str, fields: &str| {
        // Anthropic pads its events with spaces.
        let padding = "              ".get(..number * 7 % 15).unwrap_or_default();
        format!("event: {name}\ndata: {{\"type\":\"{name}\"{fields}{padding}}}\n\n")
    };
    let usage = r#"{"input_tokens":231,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},"output_tokens":1,"service_tier":"standard"}"#;
    let start = format!(
        r#","message":{{"model":"claude-sonnet-4-5-20250929","id":"msg_01XFDUDYJgAACzvnptvVoYEL","type":"message","role":"assistant","content":[],"stop_reason":null,"stop_sequence":null,"usage":{usage}}}"#
    );
    let mut all = vec![
        event(0, "message_start", &start),
        event(1, "content_block_start", r#","index":0,"content_block":{"type":"text","text":""}"#),
        "event: ping\ndata: {\"type\": \"ping\"}\n\n".to_owned(),
    ];
    let words = TEXTS.iter().flat_map(|text| text.split_inclusive(' ')).cycle();
    for (number, word) in words.take(events.saturating_sub(6)).enumerate() {
        let delta = format!(r#","index":0,"delta":{{"type":"text_delta","text":{}}}"#, quoted(word));
        all.push(event(number, "content_block_delta", &delta));
    }
    all.push(event(2, "content_block_stop", r#","index":0"#));
    let end = r#","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"input_tokens":231,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":1997}"#;
    all.push(event(3, "message_delta", end));
    all.push(event(4, "message_stop", ""));
    all.into_iter().map(Bytes::from).collect()
}

/// A request of one turn, with about this many bytes.
fn gemini_request(bytes: usize) -> String {
    format!(
        r#"{{"contents":[{{"role":"user","parts":[{{"text":{}}}]}}],"systemInstruction":{{"parts":[{{"text":"You are a helpful assistant."}}]}},"generationConfig":{{"temperature":0.7,"maxOutputTokens":1024}}}}"#,
        text(bytes.saturating_sub(190))
    )
}

/// This many chunks, each in a frame, with some words and the usage so far. The last one has a finish reason.
fn gemini_stream(chunks: usize) -> Vec<Bytes> {
    let words = TEXTS.iter().flat_map(|text| text.split_inclusive(' ')).cycle();
    let chunk = |(number, word): (usize, &str)| {
        let (text, reason) =
            (quoted(word), if number + 1 == chunks { r#","finishReason": "STOP""# } else { "" });
        let (said, all) = (3 + 2 * number, 1_050 + 2 * number);
        format!(
            r#"data: {{"candidates": [{{"content": {{"parts": [{{"text": {text}}}],"role": "model"}}{reason},"index": 0}}],"usageMetadata": {{"promptTokenCount": 231,"candidatesTokenCount": {said},"totalTokenCount": {all},"promptTokensDetails": [{{"modality": "TEXT","tokenCount": 231}}],"thoughtsTokenCount": 816}},"modelVersion": "gemini-2.5-flash","responseId": "kdcEatqVKunY1LsP272MiAo"}}"#
        ) + "\r\n\r\n"
    };
    words.take(chunks).enumerate().map(chunk).map(Bytes::from).collect()
}
