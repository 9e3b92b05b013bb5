//! What the recorded expectations have wrong, seen by reading the exchanges.

use serde_json::{Value, json};

use super::recorded::Recorded;

/// What is right at one place of what an exchange is expected to add up to.
pub(crate) struct Correction {
    /// The number that the exchange's name begins with.
    pub(crate) exchange: &'static str,
    /// A JSON pointer to what is wrong.
    pub(crate) place: &'static str,
    /// Makes what is right from what is there.
    pub(crate) right: fn(&Value) -> Value,
}

const CORRECTIONS: [Correction; 7] = [
    // Elements with an index are joined; the expectations have one for every chunk.
    Correction {
        exchange: "175",
        place: "/choices/0/message/reasoning_details",
        right: |_| {
            let text = "The function returned -3, which is the correct result of 2 - 5. I should provide this answer to the user.";
            json!([{"format": "unknown", "index": 0, "text": text, "type": "reasoning.text"}])
        },
    },
    Correction {
        exchange: "214",
        place: "/choices/0/message/reasoning_details",
        right: |_| json!([{"type": "reasoning.text", "text": "We need to respond to a greeting. The user", "index": 0}]),
    },
    Correction {
        exchange: "218",
        place: "/choices/0/message/reasoning_details",
        right: |_| json!([{"format": "anthropic-claude-v1", "id": "reasoning-text-1", "index": 0, "text": "15 * 27 = 405", "type": "reasoning.text"}]),
    },
    // The pieces of a thought say that it is closed, as an unstreamed answer does.
    Correction {
        exchange: "199",
        place: "/choices/0/message/content/0",
        right: |thought| {
            let mut closed = thought.clone();
            closed["closed"] = true.into();
            closed
        },
    },
    // A tool that the server runs is announced without its output, and then given whole under the same index.
    Correction {
        exchange: "203",
        place: "/choices/0/message/executed_tools",
        right: |_| {
            let code = r#"{"code": "import math; print(math.sqrt(101))"}"#;
            json!([{"index": 0, "type": "python", "arguments": code, "output": "10.04987562112089\n", "search_results": {"results": []}}])
        },
    },
    Correction {
        exchange: "207",
        place: "/choices/0/message/executed_tools",
        right: |tools| {
            let query = r#"{"query": "What is the weather in San Francisco today?"}"#;
            assert_eq!((&tools[0]["arguments"], &tools[1]["arguments"]), (&json!(query), &json!(query)));
            json!([tools[1]])
        },
    },
    // Two calls, with ids and names of their own, came under one index; the expectation fuses their arguments into a text
    // that is no JSON.
    Correction {
        exchange: "204",
        place: "/choices/0/message/tool_calls",
        right: |fused| {
            let arguments = fused[0]["function"]["arguments"].as_str().unwrap();
            let arguments: Vec<_> = arguments.split_inclusive("\"}").collect();
            let ids = ["tooluse_448k6WHnTpS28K0Bd1bhgA", "tooluse_2SRF2HShTXOoLdGrjWuGiw"];
            assert_eq!(arguments.len(), ids.len());
            ids.iter().zip(arguments).map(|(id, arguments)| {
                json!({"id": id, "type": "function", "function": {"name": "edit_file", "arguments": arguments}})
            }).collect()
        },
    },
];

/// Exchanges of an agent's own route, `/v1/agents/completions`. A generic name counts only where an API has it: an application's
/// routes are not captured by accident.
const NOT_CAPTURED: [&str; 2] = ["252", "264"];

impl Recorded {
    pub(crate) fn is_captured(&self) -> bool {
        !NOT_CAPTURED.contains(&number(&self.name))
    }

    /// Corrects what it is expected to add up to.
    pub(crate) fn correct(&self, expected: &mut Value) {
        correct(&CORRECTIONS, &self.name, expected);
    }
}

/// Asserts that every correction was one of these exchanges', all of which were compared.
pub(crate) fn assert_used<'a>(compared: impl Iterator<Item = &'a Recorded>) {
    assert_all_used(&CORRECTIONS, compared.map(|exchange| exchange.name.as_str()));
}

/// The number that the name of an exchange begins with.
pub(crate) fn number(name: &str) -> &str {
    name.split('-').next().unwrap_or_default()
}

/// Corrects what the exchange of this name is expected to add up to. Every correction changes something.
pub(crate) fn correct(corrections: &[Correction], name: &str, expected: &mut Value) {
    for Correction { place, right, .. } in corrections.iter().filter(|one| one.exchange == number(name)) {
        let wrong = expected.pointer_mut(place).unwrap_or_else(|| panic!("{name} has no {place}"));
        let right = right(wrong);
        assert_ne!(*wrong, right, "{name} is right as it is at {place}");
        *wrong = right;
    }
}

/// Asserts that every correction belongs to one of the exchanges of these names.
pub(crate) fn assert_all_used<'a>(corrections: &[Correction], names: impl Iterator<Item = &'a str>) {
    let compared: Vec<_> = names.map(number).collect();
    for Correction { exchange, .. } in corrections {
        assert!(compared.contains(exchange), "{exchange} needs no correction any more");
    }
}
