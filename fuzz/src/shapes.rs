//! The shapes of the events of real streams, and JSON of these shapes.

use arbitrary::{Result, Unstructured};

/// What a value usually is.
#[derive(Clone, Copy)]
pub enum Shape {
    Text,
    Number,
    /// A small number, so that events meet at the same one.
    Index,
    Flag,
    /// One of these.
    Word(&'static [&'static str]),
    List(&'static Shape),
    /// Some of these fields, in this order.
    Object(&'static [(&'static str, Shape)]),
    Either(&'static [Shape]),
}

use Shape::{Either, Flag, Index, List, Number, Object, Text, Word};

/// A chunk of a chat or of a completion.
pub static CHUNK: Shape = Object(&[
    ("id", Text),
    ("object", Word(&["chat.completion.chunk", "text_completion"])),
    ("created", Number),
    ("model", Text),
    ("choices", List(&CHOICE)),
    ("usage", Object(&[("prompt_tokens", Number), ("completion_tokens", Number)])),
    ("error", ERROR),
    ("system_fingerprint", Text),
    ("obfuscation", Text),
]);

static CHOICE: Shape = Object(&[
    ("index", Index),
    ("delta", DELTA),
    ("message", DELTA),
    ("text", Text),
    (
        "logprobs",
        Object(&[("content", List(&LOGPROB)), ("refusal", List(&LOGPROB)), ("tokens", List(&Text))]),
    ),
    ("finish_reason", Word(&["stop", "length", "tool_calls", ""])),
    ("content_filter_results", Object(&[("hate", Text)])),
]);

static LOGPROB: Shape = Object(&[("token", Text), ("logprob", Number)]);

const ERROR: Shape = Either(&[Object(&[("message", Text), ("type", Text), ("code", Number)]), Text]);

const DELTA: Shape = Object(&[
    ("role", Word(&["assistant", "user", ""])),
    ("content", Either(&[Text, List(&PART)])),
    ("refusal", Text),
    ("reasoning_content", Text),
    ("thinking", Either(&[Text, List(&PART)])),
    ("tool_calls", List(&CALL)),
    ("function_call", FUNCTION),
    ("audio", Object(&[("id", Text), ("data", Text), ("transcript", Text), ("expires_at", Number)])),
    ("annotations", List(&Text)),
]);

static PART: Shape = Object(&[
    ("type", Word(&["text", "thinking", "image_url"])),
    ("text", Text),
    ("thinking", Either(&[Text, List(&INNER_PART)])),
]);

static INNER_PART: Shape =
    Object(&[("type", Word(&["text", "thinking"])), ("text", Text), ("thinking", List(&LEAF_PART))]);

static LEAF_PART: Shape =
    Object(&[("type", Word(&["text", "thinking"])), ("text", Text), ("thinking", List(&Text))]);

static CALL: Shape = Object(&[
    ("index", Index),
    ("id", Word(&["call_a", "call_b", ""])),
    ("type", Word(&["function", "custom"])),
    ("function", FUNCTION),
    ("custom", Object(&[("name", Word(&["f", "g"])), ("input", Text)])),
]);

const FUNCTION: Shape = Object(&[("name", Word(&["f", "g", ""])), ("arguments", Text)]);

/// An event of the Responses API.
pub static RESPONSES_EVENT: Shape = Object(&[
    (
        "type",
        Word(&[
            "response.output_text.delta",
            "response.output_item.added",
            "response.output_item.done",
            "response.refusal.delta",
            "response.reasoning_text.delta",
            "response.reasoning_summary_text.delta",
            "response.function_call_arguments.delta",
            "response.custom_tool_call_input.delta",
            "response.code_interpreter_call_code.delta",
            "response.apply_patch_call_operation_diff.delta",
            "response.shell_call_command.delta",
            "response.audio.delta",
            "response.output_text.done",
            "response.content_part.added",
            "response.content_part.done",
            "response.created",
            "response.in_progress",
            "response.completed",
            "response.incomplete",
            "response.failed",
            "error",
        ]),
    ),
    ("output_index", Index),
    ("content_index", Index),
    ("summary_index", Index),
    ("command_index", Index),
    ("item_id", Text),
    ("delta", Text),
    ("text", Text),
    ("part", CONTENT),
    ("item", ITEM),
    ("response", RESPONSE),
    ("error", ERROR),
]);

const RESPONSE: Shape = Object(&[
    ("id", Text),
    ("object", Word(&["response"])),
    ("created_at", Number),
    ("status", Word(&["completed", "incomplete", "failed", "in_progress"])),
    ("error", ERROR),
    ("incomplete_details", Object(&[("reason", Word(&["max_output_tokens", "content_filter"]))])),
    ("instructions", Text),
    ("output", List(&ITEM)),
    ("usage", Object(&[("input_tokens", Number), ("output_tokens", Number), ("total_tokens", Number)])),
]);

const ITEM: Shape = Object(&[
    (
        "type",
        Word(&["message", "reasoning", "function_call", "custom_tool_call", "web_search_call", "compaction"]),
    ),
    ("id", Text),
    ("call_id", Text),
    ("role", Word(&["assistant"])),
    ("name", Text),
    ("arguments", Text),
    ("input", Text),
    ("code", Text),
    ("content", List(&CONTENT)),
    ("summary", List(&CONTENT)),
]);

static CONTENT: Shape = Object(&[
    ("type", Word(&["output_text", "refusal", "summary_text", "reasoning_text"])),
    ("text", Text),
    ("refusal", Text),
    ("annotations", List(&Text)),
    ("logprobs", List(&LOGPROB)),
]);

/// An event of a stream of images.
pub static IMAGE_EVENT: Shape = Object(&[
    (
        "type",
        Word(&[
            "image_generation.partial_image",
            "image_generation.completed",
            "image_edit.completed",
            "error",
        ]),
    ),
    ("b64_json", Text),
    ("url", Text),
    ("revised_prompt", Text),
    ("created_at", Number),
    ("partial_image_index", Index),
    ("size", Text),
    ("data", List(&Text)),
    ("usage", Object(&[("total_tokens", Number)])),
    ("error", ERROR),
]);

/// An event of a stream of a transcription or of speech.
pub static AUDIO_EVENT: Shape = Object(&[
    (
        "type",
        Word(&["transcript.text.delta", "transcript.text.done", "speech.audio.delta", "speech.audio.done"]),
    ),
    ("delta", Text),
    ("text", Text),
    ("audio", Text),
    ("logprobs", List(&LOGPROB)),
    ("usage", Object(&[("total_tokens", Number)])),
    ("error", ERROR),
]);

/// An event of a stream of Cohere's, of any of its interfaces.
pub static COHERE_EVENT: Shape = Object(&[
    (
        "type",
        Word(&[
            "message-start",
            "content-start",
            "content-delta",
            "content-end",
            "tool-plan-delta",
            "tool-call-start",
            "tool-call-delta",
            "citation-start",
            "message-end",
            "debug",
        ]),
    ),
    (
        "event_type",
        Word(&["stream-start", "text-generation", "tool-calls-chunk", "tool-calls-generation", "stream-end"]),
    ),
    ("id", Text),
    ("index", Index),
    (
        "delta",
        Object(&[
            ("message", COHERE_MESSAGE),
            ("finish_reason", Word(&["COMPLETE", "ERROR"])),
            ("usage", Object(&[("tokens", Number)])),
            ("error", ERROR),
        ]),
    ),
    ("logprobs", LOGPROB),
    ("text", Text),
    ("tool_call_delta", Object(&[("index", Index), ("name", Text), ("parameters", Text)])),
    ("tool_calls", List(&COHERE_CALL)),
    ("citations", List(&COHERE_CITATION)),
    ("finish_reason", Word(&["COMPLETE", "ERROR"])),
    ("err", Text),
    ("error", ERROR),
    ("message", Text),
    (
        "response",
        Object(&[("id", Text), ("text", Text), ("generations", List(&COHERE_CALL)), ("meta", Number)]),
    ),
]);

const COHERE_MESSAGE: Shape = Object(&[
    ("role", Word(&["assistant"])),
    ("content", Either(&[COHERE_CONTENT, List(&COHERE_CONTENT)])),
    ("tool_plan", Text),
    ("tool_calls", Either(&[COHERE_CALL, List(&COHERE_CALL)])),
    ("citations", Either(&[COHERE_CITATION, List(&COHERE_CITATION)])),
]);

static COHERE_CONTENT: Shape =
    Object(&[("type", Word(&["text", "thinking"])), ("text", Text), ("thinking", Text)]);

static COHERE_CALL: Shape = Object(&[
    ("id", Text),
    ("type", Word(&["function"])),
    ("function", FUNCTION),
    ("name", Text),
    ("parameters", Object(&[("a", Number)])),
]);

static COHERE_CITATION: Shape = Object(&[("start", Number), ("text", Text), ("sources", List(&Text))]);

/// A line of a stream of Ollama's.
pub static OLLAMA_LINE: Shape = Object(&[
    ("model", Text),
    ("created_at", Text),
    (
        "message",
        Object(&[
            ("role", Word(&["assistant"])),
            ("content", Text),
            ("thinking", Text),
            ("tool_calls", List(&CALL)),
            ("images", List(&Text)),
        ]),
    ),
    ("response", Text),
    ("thinking", Text),
    ("context", List(&Number)),
    ("logprobs", List(&LOGPROB)),
    ("done", Flag),
    ("done_reason", Word(&["stop", "length", "load"])),
    ("eval_count", Number),
    ("error", ERROR),
]);

/// An event of Anthropic's messages, or of its completions.
pub static MESSAGE_EVENT: Shape = Object(&[
    (
        "type",
        Word(&[
            "content_block_delta",
            "content_block_start",
            "content_block_delta",
            "message_start",
            "message_delta",
            "content_block_stop",
            "message_stop",
            "completion",
            "message",
            "ping",
            "error",
        ]),
    ),
    ("index", Index),
    (
        "delta",
        Either(&[
            Object(&[("type", Word(&["text_delta"])), ("text", Text)]),
            Object(&[("type", Word(&["input_json_delta"])), ("partial_json", Text)]),
            Object(&[("type", Word(&["thinking_delta"])), ("thinking", Text)]),
            Object(&[("type", Word(&["signature_delta"])), ("signature", Text)]),
            Object(&[("type", Word(&["citations_delta"])), ("citation", Object(&[("cited_text", Text)]))]),
            Object(&[("type", Word(&["compaction_delta"])), ("content", Text)]),
            Object(&[("stop_reason", Word(&["end_turn", "tool_use", "refusal"])), ("stop_sequence", Text)]),
        ]),
    ),
    ("content_block", Either(&[BLOCK])),
    ("message", Object(&[("id", Text), ("content", List(&BLOCK)), ("stop_reason", Text), ("usage", USAGE)])),
    ("content", List(&BLOCK)),
    ("completion", Text),
    ("stop_reason", Word(&["stop_sequence", "max_tokens"])),
    ("usage", USAGE),
    ("error", ERROR),
]);

static BLOCK: Shape = Object(&[
    (
        "type",
        Word(&["text", "thinking", "redacted_thinking", "tool_use", "server_tool_use", "fallback", "x"]),
    ),
    ("text", Text),
    ("citations", List(&Text)),
    ("thinking", Text),
    ("signature", Text),
    ("input", Object(&[("a", Number)])),
    ("to", Object(&[("model", Text)])),
]);

const USAGE: Shape = Object(&[("input_tokens", Number), ("output_tokens", Number)]);

/// A chunk of Gemini's.
pub static GENERATED_CHUNK: Shape = Object(&[
    ("candidates", List(&CANDIDATE)),
    (
        "usageMetadata",
        Object(&[("promptTokenCount", Number), ("totalTokenCount", Number), ("details", List(&Text))]),
    ),
    ("modelVersion", Text),
    ("promptFeedback", Object(&[("blockReason", Word(&["SAFETY", "BLOCK_REASON_UNSPECIFIED"]))])),
    ("error", ERROR),
]);

static CANDIDATE: Shape = Object(&[
    ("content", Object(&[("parts", List(&GENERATED_PART)), ("role", Word(&["model", ""]))])),
    ("index", Index),
    ("finishReason", Either(&[Word(&["STOP", "MAX_TOKENS", ""]), Index])),
    ("safetyRatings", List(&Text)),
    ("groundingMetadata", Object(&[("groundingChunks", List(&Text)), ("searchEntryPoint", Text)])),
    ("citationMetadata", Object(&[("citations", List(&Number))])),
]);

static GENERATED_PART: Shape = Either(&[
    Object(&[("text", Text)]),
    Object(&[("text", Text), ("thought", Word(&["true"])), ("thoughtSignature", Text)]),
    Object(&[("functionCall", Object(&[("name", Text), ("args", Object(&[("a", Number)]))]))]),
    Object(&[(
        "functionCall",
        Object(&[("name", Text), ("partialArgs", List(&ARGUMENT)), ("willContinue", Word(&["true"]))]),
    )]),
    Object(&[("inlineData", Object(&[("mimeType", Word(&["image/png"])), ("data", Text)]))]),
]);

static ARGUMENT: Shape = Object(&[
    ("jsonPath", Word(&["$.a", "$.a[0]", "$.a[1].b", "$['c']", "$.c.d", "$.a[1000000000]", "$"])),
    ("stringValue", Text),
    ("numberValue", Number),
    ("willContinue", Word(&["true"])),
]);

/// Nothing real is as deep as this.
const MOST_DEPTH: u32 = 12;

/// Names that mean something somewhere, for where they do not belong.
const NAMES: [&str; 12] = [
    "choices",
    "delta",
    "message",
    "index",
    "type",
    "content",
    "tool_calls",
    "error",
    "response",
    "output",
    "data",
    "truncated",
];

/// Pieces of texts, escaped: the halves of a surrogate pair may meet, or not.
const PIECES: [&str; 10] =
    ["a", "", "Grüße", "🌍", "\\ud83c", "\\udf0d", "\\n", "\\\"", "{\\\"", "iVBORw0KGgo="];

impl Shape {
    /// Appends JSON of this shape, or now and then of none.
    pub fn write(&self, bytes: &mut Unstructured<'_>, out: &mut String, depth: u32) -> Result<()> {
        if depth > MOST_DEPTH || bytes.ratio(1, 32)? {
            return odd(bytes, out, depth);
        }
        match self {
            Text => text(bytes, out)?,
            Number => out.push_str(bytes.choose(&["0", "1", "1e999", "-1.50", "18446744073709551616"])?),
            Index => out.push_str(bytes.choose(&["0", "1", "2", "7"])?),
            Flag => out.push_str(bytes.choose(&["false", "true"])?),
            Word(words) => out.extend(["\"", bytes.choose(words)?, "\""]),
            Either(shapes) => bytes.choose(shapes)?.write(bytes, out, depth + 1)?,
            List(shape) => {
                let length = bytes.int_in_range(0..=3)?;
                list(length, out, |out| shape.write(bytes, out, depth + 1))?;
            }
            Object(fields) => {
                out.push('{');
                let start = out.len();
                for (name, shape) in *fields {
                    // Seldom a name stands there twice.
                    for _ in 0..*bytes.choose(&[0, 1, 0, 1, 1, 0, 1, 2])? {
                        comma(start, out);
                        out.extend(["\"", *name, "\":"]);
                        shape.write(bytes, out, depth + 1)?;
                    }
                }
                out.push('}');
            }
        }
        Ok(())
    }
}

/// A value that is not what it should be.
fn odd(bytes: &mut Unstructured<'_>, out: &mut String, depth: u32) -> Result<()> {
    match bytes.int_in_range(0..=7)? {
        3 => text(bytes, out)?,
        4 => out.push_str("true"),
        5 => out.push_str("-0.0"),
        6 if depth < MOST_DEPTH => {
            let length = bytes.int_in_range(0..=4)?;
            list(length, out, |out| odd(bytes, out, depth + 1))?;
        }
        7 if depth < MOST_DEPTH => {
            out.push('{');
            let start = out.len();
            for _ in 0..bytes.int_in_range(0..=4)? {
                comma(start, out);
                out.extend(["\"", *bytes.choose(&NAMES)?, "\":"]);
                odd(bytes, out, depth + 1)?;
            }
            out.push('}');
        }
        _ => out.push_str("null"),
    }
    Ok(())
}

fn text(bytes: &mut Unstructured<'_>, out: &mut String) -> Result<()> {
    out.push('"');
    for _ in 0..bytes.int_in_range(0..=3)? {
        out.push_str(bytes.choose(&PIECES)?);
    }
    out.push('"');
    Ok(())
}

fn list(length: usize, out: &mut String, mut element: impl FnMut(&mut String) -> Result<()>) -> Result<()> {
    out.push('[');
    let start = out.len();
    for _ in 0..length {
        comma(start, out);
        element(out)?;
    }
    out.push(']');
    Ok(())
}

fn comma(start: usize, out: &mut String) {
    if out.len() > start {
        out.push(',');
    }
}
