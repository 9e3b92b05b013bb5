//! One interaction with every operation, as it crosses the wire.

use serde_json::Value;
use tower_reconify::{Operation, Provider};

/// An interaction. The word `secret` stands in every text that a person or a model said.
pub(super) struct Sample {
    pub(super) operation: Operation,
    pub(super) path: &'static str,
    pub(super) request: &'static str,
    pub(super) response: &'static str,
    /// A stream with the same answer: its media type and its text, if it is text.
    pub(super) stream: Option<(&'static str, &'static str)>,
    /// The format, type and version of its report.
    pub(super) report: [&'static str; 3],
    /// The fields that a console looks for in request and response, and what is there without the
    /// content.
    pub(super) placeholders: [(&'static str, &'static str); 2],
    /// The header with the request id.
    pub(super) id: Option<&'static str>,
}

const EVENTS: &str = "text/event-stream";
const LINES: &str = "application/x-ndjson";

const MESSAGES: &str = r#"{"model":"claude-x","max_tokens":1.0e2,"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"aGVsbG8="}},{"type":"text","text":"a secret"}]}]}"#;
const MESSAGE: &str = r#"{"id":"msg_1","type":"message","role":"assistant","model":"claude-x","content":[{"type":"text","text":"my secret"}],"stop_reason":"end_turn","usage":{"input_tokens":1.0,"output_tokens":2}}"#;
const MESSAGE_STREAM: &str = concat!(
    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude-x\",\"content\":[],\"stop_reason\":null,\"usage\":{\"input_tokens\":1.0,\"output_tokens\":1}}}\n\n",
    "event: ping\ndata: {\"type\":\"ping\"}\n\n",
    "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"my \"}}\n\n",
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"secret\"}}\n\n",
    "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n",
    "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":2}}\n\n",
    "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
);

const TURN: &str = r#"{"contents":[{"parts":[{"inlineData":{"mimeType":"image/png","data":"aGVsbG8="}},{"text":"a secret"}]}],"generationConfig":{"temperature":0.10}}"#;
const CANDIDATES: &str = r#"{"candidates":[{"content":{"role":"model","parts":[{"text":"my secret"}]},"finishReason":"STOP"}],"usageMetadata":{"totalTokenCount":3.0},"modelVersion":"gemini-x","responseId":"r1"}"#;
const CANDIDATES_ARRAY: &str = "[{\"candidates\":[{\"content\":{\"role\":\"model\",\"parts\":[{\"text\":\"my \"}]}}],\"modelVersion\":\"gemini-x\",\"responseId\":\"r1\"}\n,\r\n{\"candidates\":[{\"content\":{\"role\":\"model\",\"parts\":[{\"text\":\"secret\"}]},\"finishReason\":\"STOP\"}],\"usageMetadata\":{\"totalTokenCount\":3.0}}\n]";

const CONVERSE: &str = r#"{"messages":[{"role":"user","content":[{"image":{"format":"png","source":{"bytes":"aGVsbG8="}}},{"text":"a secret"}]}],"inferenceConfig":{"temperature":0.10}}"#;
const CONVERSED: &str = r#"{"output":{"message":{"role":"assistant","content":[{"text":"my secret"}]}},"stopReason":"end_turn","usage":{"inputTokens":1.0,"outputTokens":2,"totalTokens":3}}"#;

const CONVERSED_USAGE: &str = r#"{"usage":{"inputTokens":1.0,"outputTokens":2,"totalTokens":3}}"#;
const MESSAGE_WITHOUT_CONTENT: &str =
    r#"{"id":"msg_1","model":"claude-x","usage":{"input_tokens":1.0,"output_tokens":2}}"#;

const CHAT: &str = r#"{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,aGVsbG8="}},{"type":"text","text":"a secret"}]}],"temperature":0.10}"#;
const CHATTED: &str = r#"{"id":"c1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"my secret"},"finish_reason":"stop"}],"usage":{"total_tokens":3.0}}"#;
const CHAT_STREAM: &str = concat!(
    "data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"my \"},\"finish_reason\":null}]}\n\n",
    "data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"secret\"},\"finish_reason\":\"stop\"}],\"usage\":{\"total_tokens\":3.0}}\n\n",
);

pub(super) const SAMPLES: &[Sample] = &[
    Sample {
        operation: Operation::AnthropicMessages,
        path: "/v1/messages",
        request: MESSAGES,
        response: MESSAGE,
        stream: Some((EVENTS, MESSAGE_STREAM)),
        report: ["anthropic", "chat", "3.0.0"],
        placeholders: [("messages", "[]"), ("content", "[]")],
        id: Some("request-id"),
    },
    Sample {
        operation: Operation::AnthropicCompletion,
        path: "/v1/complete",
        request: r#"{"model":"claude-2","prompt":"\n\nHuman: a secret\n\nAssistant:","max_tokens_to_sample":1.0e2}"#,
        response: r#"{"id":"compl_1","type":"completion","completion":" my secret","stop_reason":"stop_sequence","model":"claude-2"}"#,
        stream: Some((
            EVENTS,
            "event: completion\r\ndata: {\"type\":\"completion\",\"id\":\"compl_1\",\"completion\":\" my \",\"stop_reason\":null,\"model\":\"claude-2\"}\r\n\r\nevent: completion\r\ndata: {\"type\":\"completion\",\"id\":\"compl_1\",\"completion\":\"secret\",\"stop_reason\":\"stop_sequence\",\"model\":\"claude-2\"}\r\n\r\n",
        )),
        report: ["anthropic", "completion", "3.0.0"],
        placeholders: [("prompt", "\"\""), ("completion", "\"\"")],
        id: Some("request-id"),
    },
    Sample {
        operation: Operation::AnthropicVertex,
        path: "/v1/projects/p/locations/l/publishers/anthropic/models/claude-x%4020250219:streamRawPredict",
        request: r#"{"anthropic_version":"vertex-2023-10-16","messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"aGVsbG8="}},{"type":"text","text":"a secret"}]}],"temperature":0.10}"#,
        response: MESSAGE,
        stream: Some((EVENTS, MESSAGE_STREAM)),
        report: ["anthropic", "chat", "3.0.0"],
        placeholders: [("messages", "[]"), ("content", "[]")],
        id: Some("request-id"),
    },
    Sample {
        operation: Operation::GeminiGenerate,
        path: "/v1beta/models/gemini-x:streamGenerateContent",
        request: TURN,
        response: CANDIDATES,
        stream: Some(("application/json", CANDIDATES_ARRAY)),
        report: ["gemini", "generate", "2.2.0"],
        placeholders: [("contents", "[]"), ("candidates", "[]")],
        id: None,
    },
    Sample {
        operation: Operation::BedrockConverse,
        path: "/model/us.anthropic.claude-x-v1%3A0/converse",
        request: CONVERSE,
        response: CONVERSED,
        stream: None,
        report: ["bedrock", "chat", "1.0.0"],
        placeholders: [("body", "\"{}\""), ("body", CONVERSED_USAGE)],
        id: Some("x-amzn-requestid"),
    },
    Sample {
        operation: Operation::BedrockInvoke,
        path: "/model/anthropic.claude-x-v1:0/invoke",
        request: MESSAGES,
        response: MESSAGE,
        stream: None,
        report: ["bedrock", "chat", "1.0.0"],
        placeholders: [("body", r#""{\"model\":\"claude-x\"}""#), ("body", MESSAGE_WITHOUT_CONTENT)],
        id: Some("x-amzn-requestid"),
    },
    Sample {
        operation: Operation::CohereChat,
        path: "/v2/chat",
        request: CHAT,
        response: r#"{"id":"c1","finish_reason":"COMPLETE","message":{"role":"assistant","content":[{"type":"text","text":"my secret"}]},"usage":{"tokens":{"input_tokens":1.0,"output_tokens":2}}}"#,
        stream: Some((
            EVENTS,
            "event: message-start\ndata: {\"type\":\"message-start\",\"id\":\"c1\",\"delta\":{\"message\":{\"role\":\"assistant\",\"content\":[],\"tool_plan\":\"\",\"tool_calls\":[],\"citations\":[]}}}\n\nevent: content-start\ndata: {\"type\":\"content-start\",\"index\":0,\"delta\":{\"message\":{\"content\":{\"type\":\"text\",\"text\":\"\"}}}}\n\nevent: content-delta\ndata: {\"type\":\"content-delta\",\"index\":0,\"delta\":{\"message\":{\"content\":{\"text\":\"my \"}}}}\n\nevent: content-delta\ndata: {\"type\":\"content-delta\",\"index\":0,\"delta\":{\"message\":{\"content\":{\"text\":\"secret\"}}}}\n\nevent: content-end\ndata: {\"type\":\"content-end\",\"index\":0}\n\nevent: message-end\ndata: {\"type\":\"message-end\",\"delta\":{\"finish_reason\":\"COMPLETE\",\"usage\":{\"tokens\":{\"input_tokens\":1.0,\"output_tokens\":2}}}}\n\n",
        )),
        report: ["cohere", "chat", "2.1.0"],
        placeholders: [("messages", "[]"), ("message", "{}")],
        id: None,
    },
    Sample {
        operation: Operation::CohereChatV1,
        path: "/v1/chat",
        request: r#"{"model":"command","message":"a secret","temperature":0.10}"#,
        response: r#"{"response_id":"r1","text":"my secret","generation_id":"g1","finish_reason":"COMPLETE","meta":{"tokens":{"input_tokens":1.0}}}"#,
        stream: Some((
            "application/stream+json",
            "{\"is_finished\":false,\"event_type\":\"stream-start\",\"generation_id\":\"g1\"}\n{\"is_finished\":false,\"event_type\":\"text-generation\",\"text\":\"my secret\"}\n{\"is_finished\":true,\"event_type\":\"stream-end\",\"response\":{\"response_id\":\"r1\",\"text\":\"my secret\",\"generation_id\":\"g1\",\"meta\":{\"tokens\":{\"input_tokens\":1.0}}},\"finish_reason\":\"COMPLETE\"}\n",
        )),
        report: ["cohere", "chat", "2.1.0"],
        placeholders: [("message", "\"\""), ("text", "\"\"")],
        id: None,
    },
    Sample {
        operation: Operation::CohereGenerate,
        path: "/v1/generate",
        request: r#"{"model":"command","prompt":"a secret","temperature":0.10}"#,
        response: r#"{"id":"r1","generations":[{"id":"g1","text":"my secret","finish_reason":"COMPLETE"}],"prompt":"a secret","meta":{"billed_units":{"input_tokens":1.0}}}"#,
        stream: None,
        report: ["cohere", "generate", "2.1.0"],
        placeholders: [("prompt", "\"\""), ("generations", "[]")],
        id: None,
    },
    Sample {
        operation: Operation::MistralChat,
        path: "/v1/chat/completions",
        request: CHAT,
        response: CHATTED,
        stream: Some((EVENTS, CHAT_STREAM)),
        report: ["mistral", "chat", "2.4.0"],
        placeholders: [("messages", "[]"), ("choices", "[]")],
        id: None,
    },
    Sample {
        operation: Operation::PerplexityChat,
        path: "/chat/completions",
        request: CHAT,
        response: CHATTED,
        stream: Some((EVENTS, CHAT_STREAM)),
        report: ["perplexity", "chat", "2.4.0"],
        placeholders: [("messages", "[]"), ("choices", "[]")],
        id: None,
    },
    Sample {
        operation: Operation::OllamaChat,
        path: "/api/chat",
        request: r#"{"model":"llama","messages":[{"role":"user","content":"a secret","images":["aGVsbG8haGVsbG8haGVsbG8haGVsbG8haGVsbG8haGVsbG8haGVsbG8haGVsbG8haGVsbG8h"]}],"options":{"temperature":0.10}}"#,
        response: r#"{"model":"llama","created_at":"2026-11-01T00:00:00Z","message":{"role":"assistant","content":"my secret"},"done":true,"done_reason":"stop","eval_count":2.0}"#,
        stream: Some((
            LINES,
            "{\"model\":\"llama\",\"created_at\":\"2026-10-31T23:59:59Z\",\"message\":{\"role\":\"assistant\",\"content\":\"my \"},\"done\":false}\n{\"model\":\"llama\",\"created_at\":\"2026-10-31T23:59:59Z\",\"message\":{\"role\":\"assistant\",\"content\":\"secret\"},\"done\":false}\n{\"model\":\"llama\",\"created_at\":\"2026-11-01T00:00:00Z\",\"message\":{\"role\":\"assistant\",\"content\":\"\"},\"done\":true,\"done_reason\":\"stop\",\"eval_count\":2.0}\n",
        )),
        report: ["universal", "chat", "3.1.0"],
        placeholders: [("messages", "[]"), ("message", "{}")],
        id: None,
    },
    Sample {
        operation: Operation::OllamaGenerate,
        path: "/api/generate",
        request: r#"{"model":"llama","prompt":"a secret","images":["aGVsbG8haGVsbG8haGVsbG8haGVsbG8haGVsbG8haGVsbG8haGVsbG8haGVsbG8haGVsbG8h"],"options":{"temperature":0.10}}"#,
        response: r#"{"model":"llama","created_at":"2026-11-01T00:00:00Z","response":"my secret","done":true,"done_reason":"stop","eval_count":2.0}"#,
        stream: Some((
            LINES,
            "{\"model\":\"llama\",\"created_at\":\"2026-10-31T23:59:59Z\",\"response\":\"my \",\"done\":false}\n{\"model\":\"llama\",\"created_at\":\"2026-11-01T00:00:00Z\",\"response\":\"secret\",\"done\":true,\"done_reason\":\"stop\",\"eval_count\":2.0}\n",
        )),
        report: ["universal", "chat", "3.1.0"],
        placeholders: [("prompt", "\"\""), ("response", "\"\"")],
        id: None,
    },
];

impl Sample {
    pub(super) fn provider(&self) -> Provider {
        self.operation.provider()
    }

    /// The request as it is reported.
    pub(super) fn reported_request(&self) -> String {
        let with_model = |model: &str| format!(r#"{{"model":"{model}",{}"#, &self.request[1..]);
        let enclosed = |facts: &str| {
            let body = serde_json::to_string(self.request).unwrap();
            format!(
                r#"{{{facts},"contentType":"application/json","accept":"application/json","body":{body}}}"#
            )
        };
        match self.operation {
            Operation::AnthropicVertex => with_model("claude-x@20250219"),
            Operation::GeminiGenerate => with_model("gemini-x"),
            Operation::BedrockConverse => {
                enclosed(r#""modelId":"anthropic.claude-x-v1:0","modelArn":"us.anthropic.claude-x-v1:0""#)
            }
            Operation::BedrockInvoke => enclosed(r#""modelId":"anthropic.claude-x-v1:0""#),
            _ => self.request.to_owned(),
        }
    }

    /// The response as it is reported, with this request id.
    pub(super) fn reported_response(&self, id: &str) -> String {
        match self.provider() {
            Provider::Bedrock => format!(r#"{{"requestId":"{id}","body":{}}}"#, self.response),
            _ => self.response.to_owned(),
        }
    }

    pub(super) fn response_value(&self) -> Value {
        serde_json::from_str(self.response).unwrap_or_default()
    }
}
