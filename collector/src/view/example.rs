//! A small session for a first look at the page.

use serde_json::{Value, json};

/// The session of an example, and its reports in order of time.
pub(crate) fn example(now: u64) -> (String, Vec<String>) {
    let session = format!("example-{now}");
    let system = json!({"role": "system", "content": "You answer briefly."});
    let question = json!({"role": "user", "content": "Will it rain in Oslo today?"});
    let call = json!({"role": "assistant", "content": null, "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": "{\"city\":\"Oslo\"}"}}]});
    let result =
        json!({"role": "tool", "tool_call_id": "call_1", "content": "{\"now\":\"rain\",\"later\":\"sun\"}"});
    let answer = json!({"role": "assistant", "content": "Rain now, sun in the afternoon."});
    let more = json!({"role": "user", "content": "And tomorrow?"});
    let last = json!({"role": "assistant", "content": "Dry, with some clouds."});
    let report = |at: u64, number: u64, messages: Vec<&Value>, answer: &Value, finish: &str| {
        json!({
            "reconify": {"format": "openai", "type": "chat", "version": "1.0.0", "appKey": "example", "apiKey": "example"},
            "timestamps": {"request": at, "response": at + 1200},
            "session": session, "sessionTimeout": 10,
            "user": {"userId": "example-user", "firstName": "Eve", "isAuthenticated": 1},
            "request": {"model": "gpt-4o", "temperature": 0.2, "messages": messages, "tools": [{"type": "function", "function": {"name": "get_weather"}}]},
            "response": {
                "id": format!("chatcmpl-{number}"), "model": "gpt-4o",
                "choices": [{"index": 0, "message": answer, "finish_reason": finish}],
                "usage": {"prompt_tokens": 60 + 30 * number, "completion_tokens": 18, "total_tokens": 78 + 30 * number}
            },
            "metadata": {
                "id": format!("{session}-{number}"), "outcome": "answered", "endpoint": "chat", "status": 200, "streamed": true,
                "chunks": 12, "timeToFirstTokenMs": 210 + 40 * number, "durationMs": 1200, "truncated": false, "skipped": 0,
                "tags": {"example": "yes"}
            }
        })
        .to_string()
    };
    let start = now.saturating_sub(30_000);
    let reports = vec![
        report(start, 1, vec![&system, &question], &call, "tool_calls"),
        report(start + 3_000, 2, vec![&system, &question, &call, &result], &answer, "stop"),
        report(start + 20_000, 3, vec![&system, &question, &call, &result, &answer, &more], &last, "stop"),
    ];
    (session, reports)
}
