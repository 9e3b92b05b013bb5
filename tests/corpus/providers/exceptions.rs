//! The exchanges that are not what the rules say, each with the reason.

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

/// Fields of the answer that the expectation leaves out.
const LEFT_OUT: [(&str, &[&str]); 1] = [
    // A guardrail's verdict, which an unstreamed answer has beside the model's own fields.
    ("320", &["amazon-bedrock-guardrailAction", "amazon-bedrock-trace"]),
];

/// How exchanges with status 200 ended that the model did not answer to the end.
const OUTCOMES: [(&str, &str); 3] = [
    // The model broke off: the last event has the finish reason `ERROR`, and the error.
    ("372", "interrupted"),
    ("373", "interrupted"),
    // The body is only an error.
    ("446", "refused"),
];

/// Requests that break off before their last brace, in the recording too.
const CUT_REQUESTS: [&str; 1] = ["208"];

/// The object that the stream of an exchange adds up to.
pub(crate) fn expected(exchange: &ProviderExchange) -> Value {
    let mut expected = exchange.oracle().unwrap_or_default();
    correct(&CORRECTIONS, &exchange.name, &mut expected);
    expected
}

/// Takes the fields out of an answer that the expectation leaves out. All of them must be there.
pub(crate) fn leave_out(exchange: &ProviderExchange, response: &mut Value) {
    for name in
        LEFT_OUT.iter().filter(|(number, _)| *number == exchange.number()).flat_map(|(_, names)| *names)
    {
        let left_out = response.as_object_mut().and_then(|fields| fields.remove(*name));
        assert!(left_out.is_some(), "{} has no {name}", exchange.name);
    }
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
    let left_out = LEFT_OUT.iter().map(|(number, _)| number);
    for number in OUTCOMES.iter().map(|(number, _)| number).chain(left_out).chain(&CUT_REQUESTS) {
        assert!(compared.iter().any(|exchange| exchange.number() == *number), "{number} is no exception");
    }
}
