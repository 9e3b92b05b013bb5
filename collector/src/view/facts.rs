//! What a report tells beside its messages: model, tokens, how it ended, what it was asked with.

use std::borrow::Cow;

use super::exchange::{Exchange, Opened};
use crate::json::{Json, Object};
use crate::store::Tokens;
use crate::text::{head, label, visible};

/// Fields of a request that are its messages.
const CONTENT: &[&str] = &[
    "messages",
    "contents",
    "history",
    "system",
    "systemInstruction",
    "system_instruction",
    "instructions",
    "preamble",
    "prompt",
    "input",
    "inputText",
    "message",
    "chat_history",
    "chatHistory",
    "tool_results",
    "images",
    "tools",
    "previous_response_id",
    "text_prompts",
    "textToImageParams",
    "body",
    "suffix",
    "documents",
];

/// The model that was asked, or else the one that answered.
pub(crate) fn model(opened: &Opened<'_>, exchange: &Exchange<'_>) -> Option<String> {
    let envelope = opened.report.get("request").map(Json::object).unwrap_or_default();
    let asked = envelope.first(&["modelId", "model"]).and_then(Json::filled);
    let asked = asked.or_else(|| exchange.request.get("model").and_then(Json::filled));
    let model = asked.or_else(|| exchange.response.first(&["model", "modelVersion"]).and_then(Json::filled));
    model.map(|model| label(&model, 200))
}

/// Why the model stopped: of each choice, without repetitions.
pub(crate) fn finish(response: &Object<'_>) -> Option<String> {
    let mut reasons: Vec<String> = Vec::new();
    let mut add = |json: Option<Json<'_>>| {
        if let Some(json) = json {
            let text = json.filled().unwrap_or_else(|| json.text().to_owned().into());
            let text = label(&text, 60);
            if !text.is_empty() && text != "\"\"" && !reasons.contains(&text) && reasons.len() < 8 {
                reasons.push(text);
            }
        }
    };
    for list in ["choices", "candidates", "generations", "results", "outputs", "completions"] {
        for item in response.get(list).map(Json::items).unwrap_or_default() {
            let item = item.object();
            let reason = item.first(&["finish_reason", "finishReason", "stop_reason", "completionReason"]);
            add(reason.map(|reason| reason.get("reason").unwrap_or(reason)));
        }
    }
    let names = ["finish_reason", "finishReason", "stop_reason", "stopReason", "done_reason"];
    add(response.first(&names));
    if let Some(details) = response.get("incomplete_details") {
        add(details.get("reason"));
    } else if response.get("output").is_some_and(Json::is_array) {
        add(response.get("status"));
    }
    if let Some(feedback) = response.get("promptFeedback") {
        add(feedback.get("blockReason"));
    }
    (!reasons.is_empty()).then(|| reasons.join(", "))
}

/// The tokens, under the names of all providers.
pub(crate) fn tokens(response: &Object<'_>) -> Tokens {
    let usage =
        response.first(&["usage", "usageMetadata", "token_count"]).map(Json::object).unwrap_or_default();
    let meta = response.get("meta").map(Json::object).unwrap_or_default();
    let cohere = usage.get("tokens").or_else(|| meta.first(&["tokens", "billed_units", "billedUnits"]));
    let cohere = cohere.or_else(|| usage.get("billed_units")).map(Json::object).unwrap_or_default();
    let find = |names: &[&str]| {
        names.iter().find_map(|name| {
            usage.number(name).or_else(|| cohere.number(name)).or_else(|| response.number(name))
        })
    };
    let detail =
        |names: [&str; 2], name: &str| names.iter().find_map(|of| usage.get(of)?.get(name)?.number());
    let read = find(&["cache_read_input_tokens", "cacheReadInputTokens"]);
    let written = find(&["cache_creation_input_tokens", "cacheWriteInputTokens"]);
    // Those who have such names count the cached tokens apart.
    let apart = read.unwrap_or(0).saturating_add(written.unwrap_or(0));
    let asked = find(&[
        "prompt_tokens",
        "input_tokens",
        "inputTokens",
        "promptTokenCount",
        "prompt_eval_count",
        "prompt_token_count",
        "inputTextTokenCount",
    ]);
    let reasoning = detail(["completion_tokens_details", "output_tokens_details"], "reasoning_tokens")
        .or_else(|| find(&["thoughtsTokenCount", "reasoning_tokens"]));
    let out = find(&[
        "completion_tokens",
        "output_tokens",
        "outputTokens",
        "eval_count",
        "generation_token_count",
        "response_tokens",
    ]);
    let out = out.or_else(|| {
        Some(find(&["candidatesTokenCount"])?.saturating_add(find(&["thoughtsTokenCount"]).unwrap_or(0)))
    });
    let out = out.or_else(|| {
        let results = response.get("results")?.items();
        let counts = results.iter().filter_map(|result| result.get("tokenCount")?.number());
        Some(counts.fold(0, u64::saturating_add))
    });
    Tokens {
        asked: asked.map(|asked| asked.saturating_add(apart)),
        cached: read
            .or_else(|| detail(["prompt_tokens_details", "input_tokens_details"], "cached_tokens"))
            .or_else(|| find(&["cachedContentTokenCount", "cached_tokens"])),
        out,
        reasoning,
    }
}

/// The text of an error in a response.
pub(crate) fn error(response: &Object<'_>) -> Option<String> {
    let error = response.first(&["error", "detail"]).or_else(|| {
        let flat = response.first(&["message", "Message"]).filter(|message| message.is_string())?;
        Some(flat)
    })?;
    let text = match error.string() {
        Some(text) => text,
        None => match error.get("message").and_then(Json::string) {
            Some(message) => {
                let kind = error.object().first(&["type", "status", "code"]).and_then(Json::string);
                kind.map_or(message.clone(), |kind| format!("{kind}: {message}").into())
            }
            None => error.text().into(),
        },
    };
    Some(visible(head(&text, 4000)).into_owned())
}

/// What was asked with beside the messages: name and JSON. The options in an object are listed one by one.
pub(crate) fn parameters<'a>(opened: &Opened<'a>, request: &Object<'a>) -> Vec<(String, &'a str)> {
    let mut out = Vec::new();
    for (name, json) in request.iter() {
        if CONTENT.contains(&name) || json.is_null() {
            continue;
        }
        if matches!(name, "generationConfig" | "generation_config" | "inferenceConfig" | "options")
            && json.is_object()
        {
            out.extend(json.object().iter().map(|(inner, json)| (format!("{name}.{inner}"), json.text())));
        } else {
            out.push((name.to_owned(), json.text()));
        }
    }
    let envelope = opened.report.get("request").map(Json::object).unwrap_or_default();
    for name in ["modelId", "modelArn"] {
        out.extend(envelope.get(name).map(|json| (name.to_owned(), json.text())));
    }
    out.truncate(200);
    out
}

/// The names of the tools that the model could call.
pub(crate) fn tools(request: &Object<'_>) -> Vec<String> {
    let tools = request.get("tools").or_else(|| request.get("toolConfig")?.get("tools"));
    let mut out = Vec::new();
    for tool in tools.map(Json::items).unwrap_or_default() {
        let object = tool.object();
        let declared = object.first(&["functionDeclarations", "function_declarations"]).map(Json::items);
        for tool in declared.unwrap_or_else(|| vec![tool]) {
            let object = tool.object();
            let inner = object.first(&["function", "toolSpec"]).map_or_else(|| object.clone(), Json::object);
            let name = inner.first(&["name", "type"]).and_then(Json::string);
            let name = name.or_else(|| object.iter().next().map(|(name, _)| Cow::Owned(name.to_owned())));
            out.extend(name.map(|name| label(&name, 100)));
            if out.len() > 500 {
                return out;
            }
        }
    }
    out
}
