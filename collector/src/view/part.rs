//! Reads messages and their parts, in the shapes of all providers: their names for the same things do
//! not contradict each other.

use std::borrow::Cow;

use super::message::{Media, Message, Part};
use crate::json::{Json, Object};

/// So deep a content may be inside of another one. Each level is read again for the one around it.
const DEEPEST: usize = 4;

/// The maximum number of parts of a content that are read.
const MOST_PARTS: usize = 5000;

/// The parts of a content: a string, a part, or a list of both.
pub(super) fn parts<'a>(content: Json<'a>) -> Vec<Part<'a>> {
    parts_within(content, DEEPEST)
}

fn parts_within<'a>(content: Json<'a>, depth: usize) -> Vec<Part<'a>> {
    match content.string() {
        Some(text) if text.is_empty() => Vec::new(),
        Some(text) => vec![Part::Text(text)],
        None if content.is_array() => {
            let items = content.items();
            let rest = items.len().saturating_sub(MOST_PARTS);
            let mut out: Vec<_> =
                items.into_iter().take(MOST_PARTS).flat_map(|item| parts_of(item, depth)).collect();
            if rest > 0 {
                out.push(Part::Text(format!("… and {rest} more parts, in the report as received").into()));
            }
            out
        }
        None => parts_of(content, depth),
    }
}

fn parts_of<'a>(item: Json<'a>, depth: usize) -> Vec<Part<'a>> {
    if let Some(text) = item.string() {
        return vec![Part::Text(text)];
    }
    let object = item.object();
    let typed = object.string("type").and_then(|kind| typed_part(&kind, &object, depth));
    typed.or_else(|| keyed_part(&object, depth)).unwrap_or_else(|| {
        let label =
            object.string("type").or_else(|| object.iter().next().map(|(name, _)| name.to_owned().into()));
        vec![Part::Json { label: label.unwrap_or("JSON".into()), json: item }]
    })
}

/// All texts in a content, in one.
fn text_of<'a>(content: Json<'a>, depth: usize) -> Cow<'a, str> {
    if let Some(text) = content.string() {
        return text;
    }
    // Assistants have a text with annotations.
    if let Some(text) = content.get("value").and_then(Json::string) {
        return text;
    }
    let Some(depth) = depth.checked_sub(1) else { return content.text().into() };
    let texts = parts_within(content, depth).into_iter().map(|part| match part {
        Part::Text(text) | Part::Reasoning(text) | Part::Refusal(text) => text,
        Part::Image(_) => "[image]".into(),
        Part::Json { json, .. } => json.text().into(),
        _ => "[…]".into(),
    });
    let mut texts: Vec<Cow<'a, str>> = texts.collect();
    if texts.len() == 1 { texts.remove(0) } else { texts.join("\n").into() }
}

/// A part that says what it is.
fn typed_part<'a>(kind: &str, object: &Object<'a>, depth: usize) -> Option<Vec<Part<'a>>> {
    let part = typed(kind, object, depth)?;
    // A thought may be a signature only.
    let is_empty = matches!(&part, Part::Text(text) | Part::Reasoning(text) if text.is_empty());
    Some(if is_empty { Vec::new() } else { vec![part] })
}

fn typed<'a>(kind: &str, object: &Object<'a>, depth: usize) -> Option<Part<'a>> {
    let text = |name| object.get(name).map(|json| text_of(json, depth));
    Some(match kind {
        "text" | "input_text" | "output_text" | "summary_text" => Part::Text(text("text")?),
        "thinking" | "reasoning_text" | "reasoning" => {
            Part::Reasoning(text("thinking").or_else(|| text("text")).or_else(|| text("summary"))?)
        }
        "refusal" => Part::Refusal(text("refusal")?),
        "image_url" | "input_image" | "document_url" => {
            let url = object.first(&["image_url", "document_url"]);
            let url = url.and_then(|url| url.string().or_else(|| url.get("url")?.string()));
            let media = match url {
                Some(url) => Media::of_url(url),
                None => Media { filename: object.string("file_id"), ..Media::default() },
            };
            if kind == "document_url" { Part::File(media) } else { Part::Image(media) }
        }
        "image" => Part::Image(source(object.get("source")?)),
        "document" => Part::File(Media { filename: object.string("title"), ..source(object.get("source")?) }),
        "input_audio" | "audio" => {
            let audio = object.first(&["input_audio", "audio"])?;
            let data = audio.string().or_else(|| audio.get("data")?.string());
            Part::Audio(Media { data, media_type: format_type("audio", audio.object()), ..Media::default() })
        }
        "file" | "input_file" => {
            let file = object.get("file").map_or_else(|| object.clone(), Json::object);
            let data = file.string("file_data").map(Media::of_url).unwrap_or_default();
            let filename = file.string("filename").or_else(|| file.string("file_id"));
            Part::File(Media { filename, url: file.string("file_url"), ..data })
        }
        "tool_use" | "server_tool_use" | "mcp_tool_use" => call(object, "id", "input")?,
        "function_call" | "custom_tool_call" => {
            call(object, "call_id", if kind == "function_call" { "arguments" } else { "input" })?
        }
        "function_call_output" | "custom_tool_call_output" => Part::Result {
            id: object.string("call_id"),
            name: None,
            text: text("output").unwrap_or_default(),
            is_error: false,
        },
        "image_generation_call" => Part::Image(generated(object, "result")),
        result if result.ends_with("tool_result") => Part::Result {
            id: object.string("tool_use_id"),
            name: None,
            text: text("content").unwrap_or_default(),
            is_error: object.get("is_error").is_some_and(Json::is_true),
        },
        _ => return None,
    })
}

/// A part that is known by its fields.
fn keyed_part<'a>(object: &Object<'a>, depth: usize) -> Option<Vec<Part<'a>>> {
    if let Some(text) = object.get("text") {
        let is_thought = object.get("thought").is_some_and(Json::is_true);
        let text = text_of(text, depth);
        return Some(match (text.is_empty(), is_thought) {
            (true, _) => Vec::new(),
            (false, true) => vec![Part::Reasoning(text)],
            (false, false) => vec![Part::Text(text)],
        });
    }
    let at = |name: &str| object.get(name).map(Json::object);
    let part = if let Some(data) = at("inlineData").or_else(|| at("inline_data")) {
        let media_type = data.string("mimeType").or_else(|| data.string("mime_type"));
        of_type(Media { media_type, data: data.string("data"), ..Media::default() })
    } else if let Some(file) = at("fileData").or_else(|| at("file_data")) {
        let media_type = file.string("mimeType").or_else(|| file.string("mime_type"));
        of_type(Media {
            media_type,
            url: file.first(&["fileUri", "file_uri"]).and_then(Json::string),
            ..Media::default()
        })
    } else if let Some(made) = at("functionCall").or_else(|| at("function_call")) {
        call(&made, "id", "args")?
    } else if let Some(result) = at("functionResponse").or_else(|| at("function_response")) {
        let text = result.get("response").map(Json::text).unwrap_or_default().into();
        Part::Result { id: result.string("id"), name: result.string("name"), text, is_error: false }
    } else if let Some(code) = at("executableCode").or_else(|| at("executable_code")) {
        Part::Call { id: None, name: "code execution".into(), arguments: code.string("code")? }
    } else if let Some(result) = at("codeExecutionResult").or_else(|| at("code_execution_result")) {
        let is_error = result.string("outcome").is_some_and(|outcome| outcome != "OUTCOME_OK");
        let text = result.string("output").unwrap_or_default();
        Part::Result { id: None, name: Some("code execution".into()), text, is_error }
    } else if object
        .iter()
        .all(|(name, _)| matches!(name, "thoughtSignature" | "thought_signature" | "thought"))
    {
        // A signature of what was said before.
        return Some(Vec::new());
    } else if let Some(used) = at("toolUse") {
        call(&used, "toolUseId", "input")?
    } else if let Some(result) = at("toolResult") {
        Part::Result {
            id: result.string("toolUseId"),
            name: None,
            text: result.get("content").map(|content| text_or_json(content, depth)).unwrap_or_default(),
            is_error: result.string("status").is_some_and(|status| status == "error"),
        }
    } else if let Some(reasoning) = at("reasoningContent") {
        Part::Reasoning(reasoning.get("reasoningText")?.get("text")?.string()?)
    } else if let Some(cited) = at("citationsContent") {
        let content = cited.get("content")?;
        return Some(depth.checked_sub(1).map_or_else(Vec::new, |depth| parts_within(content, depth)));
    } else if let Some(image) = at("image") {
        let bytes = image.get("source").and_then(|source| source.get("bytes")?.string());
        Part::Image(Media { media_type: format_type("image", image), data: bytes, ..Media::default() })
    } else if let Some(document) = at("document") {
        let data = document.get("source").and_then(|source| source.get("bytes")?.string());
        Part::File(Media { filename: document.string("name"), data, ..Media::default() })
    } else if object.get("b64_json").is_some() {
        Part::Image(generated(object, "b64_json"))
    } else if let Some(filename) = object.string("filename") {
        Part::Image(Media { filename: Some(filename), ..Media::default() })
    } else {
        Part::Image(Media::of_url(object.string("url")?))
    };
    Some(vec![part])
}

/// The text of a list of blocks, or its JSON.
fn text_or_json<'a>(content: Json<'a>, depth: usize) -> Cow<'a, str> {
    let items = content.items();
    match items.as_slice() {
        [only] => only.get("json").map_or_else(|| text_of(content, depth), |json| json.text().into()),
        _ => text_of(content, depth),
    }
}

/// An image in the answer of a tool: data, or the name of the file that it was detached to.
fn generated<'a>(object: &Object<'a>, name: &str) -> Media<'a> {
    let data = object.string(name);
    let is_name = data.as_deref().is_some_and(|data| data.len() < 200 && data.contains('.'));
    let (data, filename) = if is_name { (None, data) } else { (data, None) };
    Media { data, filename, ..Media::default() }
}

fn source<'a>(source: Json<'a>) -> Media<'a> {
    let source = source.object();
    let data = source.string("data");
    Media {
        media_type: source.string("media_type"),
        data,
        url: source.string("url"),
        filename: source.string("file_id"),
        transcript: None,
    }
}

fn format_type<'a>(class: &str, object: Object<'a>) -> Option<Cow<'a, str>> {
    object.string("format").map(|format| format!("{class}/{format}").into())
}

fn of_type(media: Media<'_>) -> Part<'_> {
    match media.media_type.as_deref().unwrap_or_default() {
        image if image.starts_with("image/") => Part::Image(media),
        audio if audio.starts_with("audio/") => Part::Audio(media),
        _ => Part::File(media),
    }
}

/// A call of a tool. Its arguments are a string of JSON or JSON.
fn call<'a>(object: &Object<'a>, id: &str, arguments: &str) -> Option<Part<'a>> {
    let arguments = object.get(arguments);
    let text = arguments.map(|json| json.string().unwrap_or_else(|| json.text().into()));
    Some(Part::Call {
        id: object.string(id),
        name: object.string("name")?,
        arguments: text.unwrap_or_default(),
    })
}

/// The calls in a list, as OpenAI has them and those that follow it.
fn calls<'a>(list: Json<'a>, out: &mut Vec<Part<'a>>) {
    for item in list.items().into_iter().take(MOST_PARTS) {
        let object = item.object();
        let function = object.first(&["function", "custom"]).map_or_else(|| object.clone(), Json::object);
        let arguments =
            ["arguments", "parameters", "input"].into_iter().find(|name| function.get(name).is_some());
        if let Some(Part::Call { name, arguments, .. }) =
            call(&function, "id", arguments.unwrap_or("arguments"))
        {
            out.push(Part::Call { id: object.string("id"), name, arguments });
        } else {
            out.push(Part::Json { label: "tool call".into(), json: item });
        }
    }
}

/// A role in the words of OpenAI.
fn role<'a>(role: Cow<'a, str>) -> Cow<'a, str> {
    match &*role {
        "model" | "CHATBOT" => "assistant".into(),
        "USER" => "user".into(),
        "SYSTEM" => "system".into(),
        "TOOL" => "tool".into(),
        _ => role,
    }
}

/// One message, or one item of the Responses API.
pub(super) fn message<'a>(json: Json<'a>, default: &'static str) -> Message<'a> {
    let object = json.object();
    let given = object.string("role").map(role);
    let mut out = Vec::new();
    if given.is_none()
        && let Some(kind) = object.string("type").filter(|kind| !matches!(&**kind, "message" | "text"))
    {
        return item(&kind, json, &object, default);
    }
    for name in ["reasoning_content", "reasoning", "thinking", "tool_plan"] {
        if let Some(text) = object.get(name).and_then(Json::filled) {
            out.push(Part::Reasoning(text));
            break;
        }
    }
    let content = object.first(&["content", "parts", "message"]);
    let content = content.map_or_else(|| json.string().map(Part::Text).into_iter().collect(), parts);
    match given.as_deref() {
        Some("tool" | "function")
            if !content.iter().any(|part| matches!(part, Part::Result { .. }))
                && object.get("content").is_some() =>
        {
            out.push(Part::Result {
                id: object.string("tool_call_id"),
                name: object.string("name").or_else(|| object.string("tool_name")),
                text: object.get("content").map(|content| text_of(content, DEEPEST)).unwrap_or_default(),
                is_error: false,
            });
        }
        _ => out.extend(content),
    }
    if let Some(text) = object.get("refusal").and_then(Json::filled) {
        out.push(Part::Refusal(text));
    }
    if let Some(list) = object.get("tool_calls") {
        calls(list, &mut out);
    }
    if let Some(made) = object.get("function_call").and_then(|made| call(&made.object(), "id", "arguments")) {
        out.push(made);
    }
    if let Some(audio) = object.get("audio").filter(|audio| audio.is_object()).map(Json::object) {
        let (data, transcript) = (audio.string("data"), audio.string("transcript"));
        out.push(Part::Audio(Media { data, transcript, ..Media::default() }));
    }
    for image in object.get("images").map(Json::items).unwrap_or_default().into_iter().take(MOST_PARTS) {
        match image.string() {
            Some(data) => out.push(Part::Image(Media { data: Some(data), ..Media::default() })),
            None => out.extend(parts_of(image, DEEPEST)),
        }
    }
    Message { role: given.unwrap_or(default.into()), name: object.string("name"), parts: out }
}

/// An item that is no message: a call, a result, reasoning.
fn item<'a>(kind: &str, json: Json<'a>, object: &Object<'a>, default: &'static str) -> Message<'a> {
    let parts = typed_part(kind, object, DEEPEST).unwrap_or_else(|| {
        if kind == "reasoning" {
            return Vec::new();
        }
        vec![Part::Json { label: kind.to_owned().into(), json }]
    });
    let role = match kind {
        "function_call_output" | "custom_tool_call_output" => "tool",
        "reasoning" | "function_call" | "custom_tool_call" => "assistant",
        _ if kind.ends_with("_call") => "assistant",
        _ => default,
    };
    Message::new(role, parts)
}
