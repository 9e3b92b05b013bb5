//! What was asked and what was answered, read from a report.

use std::borrow::Cow;

use super::message::{Media, Message, Part};
use super::part::{message, parts};
use crate::json::{Json, Object};

/// A report's request and response, one step before they are read: Bedrock's request is JSON in a string.
pub(crate) struct Opened<'a> {
    pub(crate) report: Object<'a>,
    format: Cow<'a, str>,
    inner: Option<String>,
    inner_response: Option<String>,
}

/// What was asked and what was answered.
#[derive(Debug, Default)]
pub(crate) struct Exchange<'a> {
    pub(crate) request: Object<'a>,
    pub(crate) response: Object<'a>,
    pub(crate) messages: Vec<Message<'a>>,
    /// The messages of each choice.
    pub(crate) answers: Vec<Vec<Message<'a>>>,
    /// Whether it was read: the format is known, and there was something to read.
    pub(crate) is_known: bool,
}

const FORMATS: [&str; 8] =
    ["openai", "anthropic", "gemini", "bedrock", "cohere", "mistral", "perplexity", "universal"];

impl<'a> Opened<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        let report = Json::parse(text).map(Json::object).unwrap_or_default();
        let format = report.get("reconify").and_then(|head| head.get("format")?.string()).unwrap_or_default();
        let is_bedrock = format == "bedrock";
        let string = |part: &str, name: &str| {
            report.get(part).and_then(|part| part.get(name)?.string()).map(Cow::into_owned)
        };
        let inner = if is_bedrock { string("request", "body") } else { None };
        let text = report.get("response").and_then(Json::string).map(Cow::into_owned);
        let inner_response = if is_bedrock { string("response", "body") } else { text };
        Self { report, format, inner, inner_response }
    }

    fn part<'s>(&'s self, name: &str, inner: Option<&'s str>) -> Option<Json<'s>> {
        match inner.map(Json::parse) {
            Some(Ok(json)) => Some(json),
            _ if self.format == "bedrock" => self.report.get(name)?.get("body"),
            _ => self.report.get(name),
        }
    }

    pub(crate) fn exchange(&self) -> Exchange<'_> {
        let request = self.part("request", self.inner.as_deref());
        let response = self.part("response", self.inner_response.as_deref());
        let (Some(request), Some(response)) = (request, response) else { return Exchange::default() };
        let (request, answer) = (request.object(), response.object());
        let is_format = FORMATS.contains(&&*self.format);
        let messages = if is_format { messages(&request) } else { Vec::new() };
        let answers = if is_format { answers(response, &answer) } else { Vec::new() };
        let is_known = is_format && !(messages.is_empty() && answers.is_empty());
        Exchange { request, response: answer, messages, answers, is_known }
    }
}

/// The maximum number of messages of a request, and of choices and items of an answer, that are read.
const MOST_MESSAGES: usize = 20_000;
const MOST_CHOICES: usize = 200;

/// The messages of a request, the oldest first.
fn messages<'a>(request: &Object<'a>) -> Vec<Message<'a>> {
    let mut out = Vec::new();
    for name in ["system", "systemInstruction", "system_instruction", "instructions", "preamble"] {
        if let Some(system) = request.get(name) {
            let parts = system.get("parts").map_or_else(|| parts(system), parts);
            if !parts.is_empty() {
                out.push(Message::new("system", parts));
            }
        }
    }
    for name in ["history", "chat_history", "chatHistory", "messages", "contents", "input"] {
        let Some(list) = request.get(name) else { continue };
        match list.string() {
            Some(text) => out.push(Message::new("user", vec![Part::Text(text)])),
            None if list.is_array() => {
                let items = list.items();
                let rest = items.len().saturating_sub(MOST_MESSAGES);
                out.extend(items.into_iter().take(MOST_MESSAGES).map(|item| message(item, "user")));
                if rest > 0 {
                    let text = format!("… and {rest} more messages, in the report as received");
                    out.push(Message::new("collector", vec![Part::Text(text.into())]));
                }
            }
            None => out.push(message(list, "user")),
        }
    }
    if let Some(text) = request.get("message").and_then(Json::filled) {
        out.push(Message::new("user", vec![Part::Text(text)]));
    }
    for result in
        request.get("tool_results").map(Json::items).unwrap_or_default().into_iter().take(MOST_CHOICES)
    {
        let name = result.at(&["call", "name"]).and_then(Json::string);
        let text = result.get("outputs").map(Json::text).unwrap_or_default().into();
        out.push(Message::new("tool", vec![Part::Result { id: None, name, text, is_error: false }]));
    }
    for name in ["prompt", "inputText", "text_prompts", "textToImageParams"] {
        if let Some(prompt) = request.get(name) {
            let parts = parts(prompt);
            if !parts.is_empty() {
                out.push(Message::new("user", parts));
            }
        }
    }
    // Of Reconify's own `assistant` type.
    if out.is_empty() && request.get("role").is_some() {
        out.extend(request.get("content").map(|content| Message::new("user", parts(content))));
    }
    if let Some(images) = request.get("images").map(Json::items) {
        let images = images.into_iter().filter_map(Json::string);
        let images = images.map(|data| Part::Image(Media { data: Some(data), ..Media::default() }));
        if let Some(last) = out.last_mut() {
            last.parts.extend(images);
        }
    }
    out
}

/// The answers: the messages of each choice.
fn answers<'a>(response: Json<'a>, answer: &Object<'a>) -> Vec<Vec<Message<'a>>> {
    let said = |parts: Vec<Part<'a>>| vec![Message::new("assistant", parts)];
    let text = |text: Cow<'a, str>| said(vec![Part::Text(text)]);
    if let Some(whole) = response.filled() {
        return vec![text(whole)];
    }
    let list = |name: &str| {
        let mut items = answer.get(name).filter(|list| list.is_array()).map(Json::items)?;
        items.truncate(MOST_CHOICES);
        Some(items)
    };
    if let Some(choices) = list("choices") {
        let choice = |choice: Json<'a>| match choice.get("message") {
            Some(json) => vec![message(json, "assistant")],
            None => choice.get("text").map(|text| said(parts(text))).unwrap_or_default(),
        };
        return choices.into_iter().map(choice).filter(|messages| !is_empty(messages)).collect();
    }
    if let Some(candidates) = list("candidates") {
        let candidate =
            |candidate: Json<'a>| candidate.get("content").map(|content| message(content, "assistant"));
        return candidates
            .into_iter()
            .filter_map(candidate)
            .map(|m| vec![m])
            .filter(|m| !is_empty(m))
            .collect();
    }
    let one = if let Some(items) = list("output") {
        items
            .into_iter()
            .map(|item| message(item, "assistant"))
            .filter(|message| !message.parts.is_empty())
            .collect()
    } else if let Some(json) = answer.get("output").and_then(|output| output.get("message")) {
        vec![message(json, "assistant")]
    } else if answer.get("content").is_some() {
        vec![message(response, "assistant")]
    } else if let Some(json) = answer.get("message").filter(|json| json.is_object()) {
        vec![message(json, "assistant")]
    } else if let Some(items) =
        ["generations", "results", "completions", "outputs"].into_iter().find_map(list)
    {
        return items.into_iter().map(|item| said(generation(item))).collect();
    } else if let Some(items) = list("data").or_else(|| list("images")).or_else(|| list("artifacts")) {
        said(data(&items))
    } else if answer.get("text").is_some_and(Json::is_string) {
        vec![with_text(response, answer)]
    } else {
        let whole = ["generation", "completion", "response", "outputText"]
            .into_iter()
            .find_map(|name| answer.string(name));
        whole.filter(|text| !text.is_empty()).map(text).unwrap_or_default()
    };
    if is_empty(&one) { Vec::new() } else { vec![one] }
}

fn is_empty(messages: &[Message<'_>]) -> bool {
    messages.iter().all(|message| message.parts.is_empty())
}

/// Cohere's first version, and transcriptions.
fn with_text<'a>(response: Json<'a>, answer: &Object<'a>) -> Message<'a> {
    let mut read = message(response, "assistant");
    read.parts.retain(|part| !matches!(part, Part::Text(_)));
    let text = answer.string("text").filter(|text| !text.is_empty());
    read.parts.splice(0..0, text.map(Part::Text));
    read
}

/// A generated text in a list of them.
fn generation<'a>(item: Json<'a>) -> Vec<Part<'a>> {
    let object = item.object();
    let text = ["text", "outputText"].into_iter().find_map(|name| object.string(name));
    let text = text.or_else(|| item.at(&["data", "text"])?.string());
    text.map_or_else(|| parts(item), |text| vec![Part::Text(text)])
}

/// Images, or anything else that is a list.
fn data<'a>(items: &[Json<'a>]) -> Vec<Part<'a>> {
    let mut out = Vec::new();
    for item in items.iter().take(128) {
        let object = item.object();
        if let Some(text) = item.string() {
            // A detached image is its file name; Bedrock's are their data.
            let media = if text.len() < 200 && text.contains('.') {
                Media { filename: Some(text), ..Media::default() }
            } else {
                Media { data: Some(text), ..Media::default() }
            };
            out.push(Part::Image(media));
        } else if let Some(data) = object.string("base64") {
            out.push(Part::Image(Media { data: Some(data), ..Media::default() }));
        } else if object.get("embedding").is_some() {
            let text = format!("{} embeddings", items.len());
            return vec![Part::Text(text.into())];
        } else {
            out.extend(parts(*item));
            out.extend(object.string("revised_prompt").map(Part::Text));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(request: &str) -> String {
        format!(r#"{{"reconify":{{"format":"openai"}},"request":{request},"response":{{"choices":[]}}}}"#)
    }

    #[test]
    fn contents_within_contents_cost_neither_stack_nor_time() {
        for (open, close) in [
            (r#"[{"type":"tool_result","content":"#, "}]"),
            (r#"{"text":"#, "}"),
            (r#"{"citationsContent":{"content":"#, "}}"),
            (r#"{"toolResult":{"content":["#, "]}}"),
            (r#"{"type":"thinking","thinking":"#, "}"),
        ] {
            let text = report(&format!(
                r#"{{"messages":[{{"role":"user","content":{}"x"{}}}]}}"#,
                open.repeat(20_000),
                close.repeat(20_000)
            ));
            let opened = Opened::new(&text);
            assert_eq!(opened.exchange().messages.len(), 1, "{open}");
        }
    }

    #[test]
    fn more_messages_than_anybody_reads_are_counted() {
        let text = report(&format!(r#"{{"messages":[{}""]}}"#, r#""x","#.repeat(MOST_MESSAGES + 6)));
        let opened = Opened::new(&text);
        let exchange = opened.exchange();
        assert_eq!(exchange.messages.len(), MOST_MESSAGES + 1);
        assert_eq!(
            exchange.messages.last().unwrap().plain(),
            "… and 7 more messages, in the report as received"
        );
    }
}
