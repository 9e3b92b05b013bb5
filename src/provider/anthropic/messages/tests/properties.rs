use proptest::prelude::*;
use serde_json::{Value, json};

use super::{assembled, delta, input, open, text};
use crate::provider::anthropic::messages::MessageAssembler;
use crate::provider::operation::Operation;
use crate::provider::stream::{Assembled, Progress, StreamAssembler};

#[derive(Clone, Debug)]
enum Step {
    Text(u64, String),
    Thought(u64, String),
    Input(u64, String),
    Ping,
}

fn step() -> impl Strategy<Value = Step> {
    let text = || "[a\"\\\\\n\u{e9}\u{1F600}{}]{0,3}";
    prop_oneof![
        4 => (0..3_u64, text()).prop_map(|(index, text)| Step::Text(index, text)),
        2 => (0..3_u64, text()).prop_map(|(index, text)| Step::Thought(index, text)),
        2 => (0..3_u64, text()).prop_map(|(index, text)| Step::Input(index, text)),
        1 => Just(Step::Ping),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn events_that_are_compared_give_what_parsed_events_would(
        steps in prop::collection::vec((step(), 0..3_usize), 0..40),
        blanks in prop::sample::select(vec!["", " ", "\t ", "       "]),
    ) {
        let mut expected = vec![json!({"text": "", "thinking": "", "partial": ""}); 3];
        let mut stream = String::new();
        let block = json!({"type": "any", "text": "", "thinking": "", "input": {}});
        for index in 0..3 {
            stream += &format!("data: {}\n\n", open(index, &block));
        }
        for (step, times) in &steps {
            let (event, grown) = match step {
                Step::Text(index, piece) => (text(*index, piece), Some((*index, "text", piece))),
                Step::Thought(index, piece) => {
                    (delta(*index, "thinking_delta", "thinking", piece.as_str()), Some((*index, "thinking", piece)))
                }
                Step::Input(index, piece) => (input(*index, piece), Some((*index, "partial", piece))),
                Step::Ping => (json!({"type": "ping"}), None),
            };
            for _ in 0..=*times {
                let event = event.to_string();
                let padded = format!("{}{blanks}}}", event.strip_suffix('}').unwrap());
                stream += &format!("data: {padded}\n\n");
                if let Some((index, key, piece)) = grown {
                    let field = &mut expected[index as usize][key];
                    *field = Value::String(field.as_str().unwrap().to_owned() + piece);
                }
            }
        }
        let Assembled { json, progress, .. } = assembled(&stream);
        let whole: Value = serde_json::from_str(&json).unwrap();
        for (block, expected) in whole["content"].as_array().unwrap().iter().zip(&expected) {
            prop_assert_eq!(&block["text"], &expected["text"]);
            prop_assert_eq!(&block["thinking"], &expected["thinking"]);
            let partial = expected["partial"].as_str().unwrap();
            let input = match serde_json::from_str(partial) {
                Ok(input) => input,
                Err(_) if partial.is_empty() => json!({}),
                Err(_) => json!(partial),
            };
            prop_assert_eq!(&block["input"], &input);
        }
        prop_assert_eq!(progress.skipped, 0);
    }

    #[test]
    fn any_events_give_json_and_count_each(events in prop::collection::vec(event(), 0..12)) {
        let (mut assembler, mut progress) = (MessageAssembler::default(), Progress::default());
        let events: Vec<_> = events.iter().map(Value::to_string).collect();
        for event in &events {
            assembler.push(b"", event.as_bytes(), &mut progress);
        }
        let json = assembler.finish(Operation::Chat, &mut progress);
        prop_assert!(serde_json::from_str::<serde_json::Map<String, Value>>(&json).is_ok(), "{}", json);
        prop_assert_eq!(progress.chunks, events.len() as u64);
    }
}

/// Events with fields of the right names and of any types.
fn event() -> impl Strategy<Value = Value> {
    let name = |names: &[&'static str]| prop::sample::select(names.to_vec());
    let leaf = prop_oneof![
        Just(Value::Null),
        Just(json!({})),
        Just(json!([])),
        Just(json!([{"type": "text", "text": []}, 1])),
        Just(json!("{")),
        Just(json!(0)),
    ];
    let kinds =
        ["message_start", "content_block_start", "content_block_delta", "message_delta", "message", "x"];
    let deltas = [
        "text_delta",
        "input_json_delta",
        "thinking_delta",
        "citations_delta",
        "signature_delta",
        "compaction_delta",
    ];
    let keys = [
        "text",
        "partial_json",
        "input",
        "citation",
        "citations",
        "thinking",
        "signature",
        "content",
        "id",
        "usage",
        "model",
        "stop_reason",
        "type",
        "error",
    ];
    let fields = move || prop::collection::btree_map(name(&keys), leaf.clone(), 0..4);
    (name(&kinds), 0..3_u64, name(&deltas), fields(), fields()).prop_map(|(kind, index, delta, inner, outer)| {
        let with = |kind: &str| {
            let mut fields = json!({"type": kind});
            inner.iter().for_each(|(key, value)| fields[*key] = value.clone());
            fields
        };
        let mut event = json!({"index": index, "delta": with(delta), "content_block": with("tool_use"), "message": with("message")});
        outer.iter().for_each(|(key, value)| event[*key] = value.clone());
        event["type"] = kind.into();
        event
    })
}
