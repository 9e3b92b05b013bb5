use serde_json::value::RawValue;

use super::item::Item;
use super::{has_too_many, lengthen, of_too_many, set_once, whole};
use crate::codec::json::{self, Fields, Node, Nodes};
use crate::provider::spec::Converted;

/// The message of a chat, assembled from an output.
#[derive(Default)]
struct ConvertedMessage<'a> {
    content: Option<String>,
    refusal: Option<String>,
    reasoning: Option<String>,
    phase: Option<&'a RawValue>,
    /// The insides of lists, as JSON text rather than nodes: an attacker could send millions of
    /// elements.
    annotations: String,
    logprobs: String,
    others: String,
    tool_calls: Nodes<'a>,
    /// The number of calls that wait for a result from the client.
    open_calls: usize,
}

/// Converts a response into that of a chat: the output becomes the message of one choice, usage
/// gets the chat's names, all other fields stay.
pub(crate) fn chat_response(raw: &RawValue) -> Option<Converted> {
    let fields = json::object(raw)?;
    let get = |name| json::field(&fields, name);
    // If the whole response is an error, there is nothing to convert.
    if get("output").is_none() && get("object").and_then(json::text) != Some("response") {
        return None;
    }
    let mut message = ConvertedMessage::default();
    if get("output").is_some_and(has_too_many) {
        return Some(of_too_many(raw, "choices"));
    }
    // The instructions of a prompt stored at OpenAI appear in no request.
    let has_stored_prompt = get("prompt").is_some_and(|prompt| !json::is_null(prompt));
    let output = get("output").and_then(json::array).unwrap_or_default();
    output.into_iter().filter_map(Item::of).for_each(|item| message.add(&item));
    let finish = finish_reason(get("status"), get("incomplete_details"), message.open_calls > 0);
    let mut chat = Fields::default();
    let mut choices = Some(message.into_choices(finish));
    for (key, raw) in &fields {
        match &**key {
            "object" => chat.set("object", Node::string("chat.completion")),
            "created_at" => chat.set("created", Node::Raw(raw)),
            "output" => set_once(&mut chat, "choices", &mut choices),
            // `choices` is not a field of the Responses API. It must not replace the converted
            // choices.
            "choices" => {}
            "usage" => chat.set("usage", usage(raw)),
            // The request already contains them.
            "instructions" if !has_stored_prompt => {}
            _ => chat.set(key.clone(), Node::Raw(raw)),
        }
    }
    set_once(&mut chat, "choices", &mut choices);
    Some(whole(chat.to_json()))
}

impl<'a> ConvertedMessage<'a> {
    fn add(&mut self, item: &Item<'a>) {
        match item.kind() {
            "message" => {
                let parts = item.get("content").and_then(json::array).unwrap_or_default();
                parts.into_iter().filter_map(Item::of).for_each(|part| self.add_part(&part));
                push(&mut self.content, item.text("content"), "");
                // The phase of the last message is the phase of the turn.
                self.phase = item.get("phase").filter(|phase| !json::is_null(phase)).or(self.phase);
            }
            "reasoning" => {
                for parts in ["summary", "content"] {
                    let parts = item.get(parts).and_then(json::array).unwrap_or_default();
                    for part in parts.into_iter().filter_map(Item::of) {
                        push(&mut self.reasoning, part.text("text"), "\\n\\n");
                    }
                }
            }
            kind => match item.tool_call() {
                Some(call) => {
                    self.open_calls += usize::from(is_run_by_client(kind));
                    self.tool_calls.push(call);
                }
                None => {
                    match kind {
                        "mcp_approval_request" => self.open_calls += 1,
                        // A shell in OpenAI's container already has its result.
                        result if result.ends_with("_call_output") => {
                            self.open_calls = self.open_calls.saturating_sub(1);
                        }
                        _ => {}
                    }
                    lengthen(&mut self.others, item.raw.get());
                }
            },
        }
    }

    fn add_part(&mut self, part: &Item<'a>) {
        let list = |name| part.get(name).and_then(json::items).unwrap_or_default();
        match part.kind() {
            "refusal" => push(&mut self.refusal, part.text("refusal"), ""),
            _ if part.get("text").is_none() => lengthen(&mut self.others, part.raw.get()),
            _ => {
                push(&mut self.content, part.text("text"), "");
                lengthen(&mut self.annotations, list("annotations"));
                lengthen(&mut self.logprobs, list("logprobs"));
            }
        }
    }

    fn into_choices(self, finish: Node<'a>) -> Node<'a> {
        let text = |text: Option<String>| text.map_or(Node::NULL, Node::Text);
        let mut message = Fields::default();
        message.set("role", Node::string("assistant"));
        message.set("content", text(self.content));
        message.set("refusal", text(self.refusal));
        if self.reasoning.is_some() {
            message.set("reasoning_content", text(self.reasoning));
        }
        if let Some(phase) = self.phase {
            message.set("phase", Node::Raw(phase));
        }
        if !self.tool_calls.is_empty() {
            message.set("tool_calls", Node::Array(self.tool_calls));
        }
        for (name, list) in [("annotations", self.annotations), ("items", self.others)] {
            if !list.is_empty() {
                message.set(name, Node::List(list));
            }
        }
        let mut choice = Fields::default();
        choice.set("index", Node::number(0));
        choice.set("message", Node::Object(message));
        if !self.logprobs.is_empty() {
            let mut logprobs = Fields::default();
            logprobs.set("content", Node::List(self.logprobs));
            choice.set("logprobs", Node::Object(logprobs));
        }
        choice.set("finish_reason", finish);
        Node::Array([Node::Object(choice)].into_iter().collect())
    }
}

/// Whether a call of this kind waits for the client. A hosted tool has already run, so it does not
/// end the turn.
fn is_run_by_client(kind: &str) -> bool {
    matches!(
        kind,
        "function_call"
            | "custom_tool_call"
            | "computer_call"
            | "local_shell_call"
            | "shell_call"
            | "apply_patch_call"
    )
}

/// Appends to a text that keeps its JSON escapes.
fn push(text: &mut Option<String>, piece: Option<&str>, between: &str) {
    let Some(piece) = piece else { return };
    match text {
        Some(text) => {
            text.push_str(between);
            text.push_str(piece);
        }
        None => *text = Some(piece.to_owned()),
    }
}

/// The chat's finish reason; null if the model did not stop.
fn finish_reason<'a>(
    status: Option<&RawValue>,
    details: Option<&'a RawValue>,
    asks_for_tools: bool,
) -> Node<'a> {
    match status.and_then(json::text) {
        Some("completed") if asks_for_tools => Node::string("tool_calls"),
        Some("completed") => Node::string("stop"),
        Some("incomplete") => {
            let reason = details.and_then(Item::of).and_then(|details| details.text("reason"));
            match reason {
                Some("max_output_tokens") => Node::string("length"),
                Some(reason) => Node::Text(reason.to_owned()),
                None => Node::NULL,
            }
        }
        _ => Node::NULL,
    }
}

fn usage(raw: &RawValue) -> Node<'_> {
    let Some(fields) = json::object(raw) else { return Node::Raw(raw) };
    let mut usage = Fields::default();
    for (key, raw) in fields {
        let key = match &*key {
            "input_tokens" => "prompt_tokens".into(),
            "output_tokens" => "completion_tokens".into(),
            "input_tokens_details" => "prompt_tokens_details".into(),
            "output_tokens_details" => "completion_tokens_details".into(),
            _ => key,
        };
        usage.set(key, Node::Raw(raw));
    }
    Node::Object(usage)
}
