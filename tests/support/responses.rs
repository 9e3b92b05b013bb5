//! An answer of the Responses API, and what it is as a chat.

use serde_json::{Value, json};

/// An answer with text, reasoning, and calls of every kind.
pub fn answer() -> Value {
    json!({
        "id": "resp_1", "object": "response", "created_at": 1_700_000_000, "status": "completed", "error": null,
        "instructions": "Be brief.", "model": "gpt-4o",
        "output": [
            {"type": "reasoning", "id": "rs", "summary": [{"type": "summary_text", "text": "Hm."}]},
            {"type": "message", "id": "msg", "role": "assistant", "content": [
                {"type": "output_text", "text": "Hel", "annotations": [{"type": "url_citation"}]},
                {"type": "output_text", "text": "lo", "annotations": []}]},
            {"type": "web_search_call", "id": "ws", "status": "completed"},
            {"type": "function_call", "id": "fc", "call_id": "call_1", "name": "weather", "arguments": "{\"city\":1}"},
            {"type": "custom_tool_call", "call_id": "call_2", "name": "shell", "input": "ls"},
        ],
        "usage": {"input_tokens": 3, "input_tokens_details": {"cached_tokens": 1}, "output_tokens": 4,
            "output_tokens_details": {"reasoning_tokens": 2}, "total_tokens": 7},
        "temperature": 1.0,
    })
}

/// The same, as that of a chat.
pub fn translated() -> Value {
    json!({
        "id": "resp_1", "object": "chat.completion", "created": 1_700_000_000, "status": "completed", "error": null, "model": "gpt-4o",
        "choices": [{"index": 0, "finish_reason": "tool_calls", "message": {
            "role": "assistant", "content": "Hello", "refusal": null, "reasoning_content": "Hm.",
            "tool_calls": [
                {"id": "ws", "type": "web_search_call", "web_search_call": {"type": "web_search_call", "id": "ws", "status": "completed"}},
                {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{\"city\":1}"}},
                {"id": "call_2", "type": "custom", "custom": {"name": "shell", "input": "ls"}},
            ],
            "annotations": [{"type": "url_citation"}],
        }}],
        "usage": {"prompt_tokens": 3, "prompt_tokens_details": {"cached_tokens": 1}, "completion_tokens": 4,
            "completion_tokens_details": {"reasoning_tokens": 2}, "total_tokens": 7},
        "temperature": 1.0,
    })
}
