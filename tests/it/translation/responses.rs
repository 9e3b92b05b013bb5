//! Promise 5 for the Responses API: it is reported as a chat, with every text, call, usage and finish.

use axum::body::Body;
use axum::http::{Request, Response};
use serde_json::{Value, json};
use tower_reconify::{Config, Operation, Responses};

use crate::support::responses::{answer, translated};
use crate::support::{self, Observed, exchange, observed, observed_with, post};

fn request(body: &Value) -> Request<Body> {
    post("/v1/responses", body.to_string())
}

async fn report_of(observed: &mut Observed, asked: &Value, answer: Response<Body>) -> Value {
    exchange(observed, request(asked), answer).await;
    observed.report().await
}

#[tokio::test]
async fn an_answer_of_the_responses_api_becomes_that_of_a_chat() {
    let mut observed = observed();
    let report = report_of(&mut observed, &json!({"input": "hi"}), support::json(answer().to_string())).await;
    assert_eq!(report["reconify"]["type"], "chat");
    assert_eq!(report["response"], translated());
}

#[tokio::test]
async fn a_request_of_the_responses_api_becomes_that_of_a_chat() {
    let mut observed = observed();
    let asked = json!({
        "model": "gpt-4o", "instructions": "Be brief.", "temperature": 0.5,
        "input": [
            {"role": "user", "content": "hi"},
            {"type": "message", "role": "user", "content": [
                {"type": "input_text", "text": "look"}, {"type": "input_image", "image_url": "https://x/y.png", "detail": "low"},
                {"type": "input_file", "file_id": "f"}]},
            {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
            {"type": "custom_tool_call", "call_id": "c2", "name": "g", "input": "x"},
            {"type": "function_call_output", "call_id": "c1", "output": "done"},
            {"type": "item_reference", "id": "i"},
        ],
    });
    let report = report_of(&mut observed, &asked, support::json(answer().to_string())).await;
    assert_eq!(
        report["request"],
        json!({
            "model": "gpt-4o", "temperature": 0.5,
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "hi"},
                {"role": "user", "content": [{"type": "text", "text": "look"},
                    {"type": "image_url", "image_url": {"url": "https://x/y.png", "detail": "low"}}, {"type": "input_file", "file_id": "f"}]},
                {"role": "assistant", "content": null, "tool_calls": [
                    {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}},
                    {"id": "c2", "type": "custom", "custom": {"name": "g", "input": "x"}}]},
                {"role": "tool", "content": "done", "tool_call_id": "c1"},
                {"role": "assistant", "content": null, "item": {"type": "item_reference", "id": "i"}},
            ],
        })
    );
    let report = report_of(&mut observed, &json!({"prompt": {"id": "p"}}), support::json("{}")).await;
    assert_eq!(report["request"], json!({"prompt": {"id": "p"}, "messages": []}), "without an input");
}

#[tokio::test]
async fn the_responses_api_can_be_reported_verbatim_or_not_at_all() {
    let config = |responses| Config::builder("a", "b").responses(responses).build().unwrap();
    let mut verbatim = observed_with(config(Responses::Verbatim));
    let report = report_of(&mut verbatim, &json!({"input": "hi"}), support::json(answer().to_string())).await;
    assert_eq!(report["reconify"]["type"], "response");
    assert_eq!((&report["request"], &report["response"]), (&json!({"input": "hi"}), &answer()));

    let others = [Operation::Chat, Operation::Completion];
    let mut off = observed_with(Config::builder("a", "b").capture(others).build().unwrap());
    exchange(&off, request(&json!({"input": "hi"})), support::json(answer().to_string())).await;
    assert_eq!(off.settle().await.1.captured, 0);
}

#[tokio::test]
async fn content_in_the_formats_of_compatible_servers_is_kept_in_a_chat() {
    let mut observed = observed();
    let answer = json!({"object": "response", "status": "completed", "output": [
        {"type": "message", "content": "Hello"},
        {"type": "message", "content": [{"type": "output_image", "image_url": "https://x/y.png"}]}]});
    let asked = json!({"input": ["a", "b"], "messages": [{"role": "user", "content": "c"}]});
    let report = report_of(&mut observed, &asked, support::json(answer.to_string())).await;
    let message = &report["response"]["choices"][0]["message"];
    assert_eq!(
        (&message["content"], &message["items"][0]["image_url"]),
        (&json!("Hello"), &json!("https://x/y.png"))
    );
    let said: Vec<&Value> =
        report["request"]["messages"].as_array().unwrap().iter().map(|message| &message["content"]).collect();
    assert_eq!(said, ["a", "b", "c"]);
}

#[tokio::test]
async fn every_logprob_of_a_long_answer_is_kept() {
    let mut observed = observed();
    let logprobs = vec![json!({"token": "x"}); 20_001];
    let answer = json!({"object": "response", "output": [
        {"type": "message", "content": [{"type": "output_text", "text": "x", "logprobs": logprobs}]}]});
    let report = report_of(&mut observed, &json!({"input": "hi"}), support::json(answer.to_string())).await;
    assert_eq!(report["response"]["choices"][0]["logprobs"]["content"].as_array().unwrap().len(), 20_001);
}

#[tokio::test]
async fn more_items_than_any_conversation_has_are_reported_by_their_length() {
    for items in [20_000, 300_000] {
        let mut observed = observed();
        let asked = json!({"input": vec![json!({}); items]});
        let answered = json!({"object": "response", "output": vec![json!({}); items]});
        let report = report_of(&mut observed, &asked, support::json(answered.to_string())).await;
        let truncated = |body: &Value| json!({"bytes": body.to_string().len(), "itemLimit": 10_000});
        assert_eq!(report["request"], json!({"truncated": truncated(&asked), "messages": []}));
        assert_eq!(report["response"], json!({"truncated": truncated(&answered), "choices": []}));
        assert_eq!(observed.layer.reporter().stats().truncated, 1);
    }
}

#[tokio::test]
async fn a_call_that_waits_for_the_client_ends_the_turn() {
    let mut observed = observed();
    for (output, finish) in [
        (json!([{"type": "function_call", "call_id": "c"}]), "tool_calls"),
        (json!([{"type": "computer_call", "call_id": "c"}]), "tool_calls"),
        (json!([{"type": "local_shell_call", "call_id": "c"}]), "tool_calls"),
        (json!([{"type": "apply_patch_call", "call_id": "c"}]), "tool_calls"),
        (json!([{"type": "mcp_approval_request", "id": "m"}]), "tool_calls"),
        (json!([{"type": "shell_call", "call_id": "c"}]), "tool_calls"),
        (
            json!([{"type": "shell_call", "call_id": "c"}, {"type": "shell_call_output", "call_id": "c"}]),
            "stop",
        ),
        (json!([{"type": "web_search_call", "id": "w"}]), "stop"),
    ] {
        let answer = json!({"object": "response", "status": "completed", "output": output});
        let report =
            report_of(&mut observed, &json!({"input": "hi"}), support::json(answer.to_string())).await;
        assert_eq!(report["response"]["choices"][0]["finish_reason"], finish, "{output}");
    }
}

#[tokio::test]
async fn the_result_of_a_computer_call_is_a_part_with_an_image() {
    let mut observed = observed();
    let asked = json!({"input": [{"type": "computer_call_output", "call_id": "c",
        "output": {"type": "computer_screenshot", "image_url": "https://x/y.png"}}]});
    let report = report_of(&mut observed, &asked, support::json("{}")).await;
    assert_eq!(
        report["request"]["messages"],
        json!([{"role": "tool", "tool_call_id": "c",
            "content": [{"type": "image_url", "image_url": {"url": "https://x/y.png"}}]}])
    );
}

#[tokio::test]
async fn instructions_of_a_stored_prompt_are_kept_because_no_request_has_them() {
    let mut observed = observed();
    let mut answer = answer();
    answer["prompt"] = json!({"id": "pmpt_1"});
    let asked = json!({"prompt": {"id": "pmpt_1"}});
    let report = report_of(&mut observed, &asked, support::json(answer.to_string())).await;
    assert_eq!(report["response"]["instructions"], "Be brief.");
}
