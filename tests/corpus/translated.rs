use serde_json::{Value, json};

use super::recorded::Recorded;

/// What waits for the client in the recorded answers, besides calls of functions and custom tools.
const RUN_BY_THE_CLIENT: [&str; 3] = ["local_shell_call", "apply_patch_call", "mcp_approval_request"];

/// A translated answer must have every text, tool call, usage and finish of the one it was made from.
pub(crate) fn compare_translated(exchange: &Recorded, report: &Value) -> Result<(), String> {
    let request: Value = serde_json::from_slice(&exchange.request).unwrap();
    let (asked, answered) = (&report["request"], &report["response"]);
    let messages = asked["messages"].as_array().ok_or("no messages")?;
    let said = texts(&request["input"]) + &texts(&request["instructions"]);
    let told: String = messages.iter().map(|message| texts(&message["content"])).collect();
    if sorted(&said) != sorted(&told) {
        return Err(format!("messages\n  expected {said}\n  reported {told}"));
    }
    let expected = exchange.expected();
    let output = expected["output"].as_array().cloned().unwrap_or_default();
    let of_type = |kinds: &[&str]| -> Vec<Value> {
        output
            .iter()
            .filter(|item| kinds.contains(&item["type"].as_str().unwrap_or("message")))
            .cloned()
            .collect()
    };
    let parts = |kind: &str, key: &str| -> String {
        let messages = of_type(&["message"]);
        let parts = messages.iter().flat_map(|item| item["content"].as_array().cloned().unwrap_or_default());
        parts
            .filter(|part| part["type"] == kind)
            .map(|part| part[key].as_str().unwrap_or_default().to_owned())
            .collect()
    };
    let calls: Vec<Value> = of_type(&["function_call", "custom_tool_call"])
        .iter()
        .map(|call| {
            json!([
                call["call_id"],
                call["name"],
                if call["arguments"].is_null() { &call["input"] } else { &call["arguments"] }
            ])
        })
        .collect();
    let status = expected["status"].as_str();
    let finish = match status {
        Some("completed") if !calls.is_empty() || !of_type(&RUN_BY_THE_CLIENT).is_empty() => {
            json!("tool_calls")
        }
        Some("completed") => json!("stop"),
        Some("incomplete") if expected["incomplete_details"]["reason"] == "max_output_tokens" => {
            json!("length")
        }
        Some("incomplete") => expected["incomplete_details"]["reason"].clone(),
        _ => Value::Null,
    };
    let choice = &answered["choices"][0];
    let message = &choice["message"];
    let reported: Vec<Value> = message["tool_calls"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|call| {
            let inside = call.get("function").or(call.get("custom"))?;
            Some(json!([call["id"], inside["name"], inside.get("arguments").or(inside.get("input"))]))
        })
        .collect();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    for (what, expected, reported) in [
        ("text", json!(parts("output_text", "text")), json!(text(&message["content"]))),
        ("refusal", json!(parts("refusal", "refusal")), json!(text(&message["refusal"]))),
        ("tool calls", json!(calls), json!(reported)),
        ("finish", finish, choice["finish_reason"].clone()),
        (
            "input tokens",
            expected["usage"]["input_tokens"].clone(),
            answered["usage"]["prompt_tokens"].clone(),
        ),
        (
            "output tokens",
            expected["usage"]["output_tokens"].clone(),
            answered["usage"]["completion_tokens"].clone(),
        ),
        ("all tokens", expected["usage"]["total_tokens"].clone(), answered["usage"]["total_tokens"].clone()),
        ("id", expected["id"].clone(), answered["id"].clone()),
        ("error", expected["error"].clone(), answered["error"].clone()),
    ] {
        if expected != reported {
            return Err(format!("{what}\n  expected {expected}\n  reported {reported}"));
        }
    }
    Ok(())
}

/// All texts that a person or a tool said in an input.
fn texts(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(texts).collect(),
        Value::Object(fields) => {
            ["text", "content", "output"].iter().filter_map(|key| fields.get(*key)).map(texts).collect()
        }
        _ => String::new(),
    }
}

fn sorted(text: &str) -> Vec<char> {
    let mut letters: Vec<char> = text.chars().collect();
    letters.sort_unstable();
    letters
}
