//! The exchanges that are not what the rules say, each with the reason.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::recorded::ProviderExchange;
use crate::corrections::{Correction, assert_all_used, correct};

const CORRECTIONS: [Correction; 2] = [
    // No expectation was recorded for these: what is unstreamed has the texts in `generations`, by the index of the
    // chunks, and the last chunk closes all of them.
    Correction {
        exchange: "307",
        place: "",
        right: |_| {
            json!({
                "generations": [
                    {"text": " In machine learning and natural language processing, Long Short", "finish_reason": "MAX_TOKENS"},
                    {"text": " A large language model (LLM) chain refers", "index": 1, "finish_reason": "MAX_TOKENS"},
                ],
                "amazon-bedrock-invocationMetrics": {
                    "inputTokenCount": 40, "outputTokenCount": 20, "invocationLatency": 597, "firstByteLatency": 273},
            })
        },
    },
    Correction {
        exchange: "308",
        place: "",
        right: |_| {
            json!({
                "generations": [{"text": " I am very happy to assist you! A Long", "finish_reason": "MAX_TOKENS"}],
                "amazon-bedrock-invocationMetrics": {
                    "inputTokenCount": 20, "outputTokenCount": 10, "invocationLatency": 347, "firstByteLatency": 194},
            })
        },
    },
];

/// Fields of the last chunk that the expectation leaves out. Unstreamed responses of the same model have them (287).
const LEFT_OUT: (&str, [&str; 2]) = ("320", ["amazon-bedrock-guardrailAction", "amazon-bedrock-trace"]);

/// How exchanges with status 200 ended that the model did not answer to the end.
const OUTCOMES: [(&str, &str); 1] = [
    // The body is only an error.
    ("446", "refused"),
];

/// Requests that break off in the recording, before their last brace.
const CUT_REQUESTS: [&str; 1] = ["208"];

/// The object that the stream of an exchange adds up to.
pub(crate) fn expected(exchange: &ProviderExchange) -> Value {
    let mut expected = exchange.oracle().unwrap_or_default();
    correct(&CORRECTIONS, &exchange.name, &mut expected);
    let (number, fields) = LEFT_OUT;
    if exchange.number() == number {
        let last = last_chunk(&exchange.response);
        fields.iter().for_each(|field| expected[*field] = last[*field].clone());
    }
    expected
}

/// The JSON in the last frame of an invoked model.
fn last_chunk(frames: &[u8]) -> Value {
    let text = String::from_utf8_lossy(frames);
    let (_, bytes) = text.rsplit_once("\"bytes\":\"").unwrap();
    serde_json::from_slice(&STANDARD.decode(bytes.split('"').next().unwrap()).unwrap()).unwrap()
}

pub(crate) fn outcome(exchange: &ProviderExchange) -> Option<&'static str> {
    OUTCOMES.iter().find(|(number, _)| *number == exchange.number()).map(|(_, outcome)| *outcome)
}

pub(crate) fn is_request_cut(exchange: &ProviderExchange) -> bool {
    CUT_REQUESTS.contains(&exchange.number())
}

/// Asserts that every exception is one of these exchanges', all of which were compared.
pub(crate) fn assert_used<'a>(compared: impl Iterator<Item = &'a ProviderExchange>) {
    let compared: Vec<_> = compared.collect();
    assert_all_used(&CORRECTIONS, compared.iter().map(|exchange| exchange.name.as_str()));
    for number in OUTCOMES.iter().map(|(number, _)| number).chain(&CUT_REQUESTS) {
        assert!(compared.iter().any(|exchange| exchange.number() == *number), "{number} is no exception");
    }
}
