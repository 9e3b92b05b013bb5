use serde_json::{Value, json};

use super::{assembled, delta, open, start, text};
use crate::codec::allowance::{Allowance, Cost};
use crate::provider::stream::Assembled;

/// The message of this many events, and the cost of assembling it.
fn cost(count: usize, event: impl Fn(usize) -> String) -> (Assembled, Cost) {
    let stream: String = (0..count).map(|at| format!("data: {}\n\n", event(at))).collect();
    Allowance::LARGE.within(|| assembled(&stream))
}

#[test]
fn hostile_streams_stay_within_the_allowance_and_take_one_pass() {
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    let deep = json!(deep).to_string();
    let events: [&dyn Fn(usize) -> String; 8] = [
        &|at| open(at as u64, &json!({"type": "text", "text": ""})).to_string(),
        &|at| open(1_000_000_000 * at as u64, &json!([])).to_string(),
        &|at| text(1_000_000_000 - at as u64, "x").to_string(),
        &|at| text(at as u64 % 2, "x").to_string(),
        &|_| delta(0, "citations_delta", "citation", json!({})).to_string(),
        &|at| json!({"type": "message_delta", "usage": {(at.to_string()): at}}).to_string(),
        &|at| json!({"type": "message_delta", "delta": {(at.to_string()): at}}).to_string(),
        &|at| start(&at.to_string()).to_string(),
    ];
    for (at, event) in events.into_iter().enumerate() {
        let (few, many) = (cost(2_000, event), cost(20_000, event));
        assert!(many.1.peak <= Allowance::LARGE.nodes + 64, "{at}: {:?}", many.1);
        assert!(!many.1.is_exhausted && many.1.work <= 11 * few.1.work, "{at}: {:?} {:?}", few.1, many.1);
        assert!(serde_json::from_str::<Value>(&few.0.json).is_ok(), "{at}");
    }
    let (many, cost) =
        cost(100_000, |at| format!(r#"{{"type":"content_block_start","index":{at},"content_block":{{}}}}"#));
    assert!(cost.left_out > 30_000 && cost.peak <= Allowance::LARGE.nodes, "{cost:?}");
    assert_eq!(many.progress.skipped, cost.left_out);

    let deep = format!(
        r#"{{"type":"content_block_delta","index":0,"delta":{{"type":"input_json_delta","partial_json":{deep}}}}}"#
    );
    let Assembled { json, .. } = assembled(&format!("data: {deep}\n\n"));
    assert!(json.contains("[[[[") && json.len() < 200_100);
}

#[test]
fn a_message_that_starts_with_a_million_blocks_keeps_them_as_text() {
    let blocks = vec!["{}"; 1_000_000].join(",");
    let start = format!(r#"data: {{"type":"message_start","message":{{"content":[{blocks}]}}}}"#);
    let (message, cost) = Allowance::LARGE.within(|| assembled(&start));
    assert_eq!(message.json, format!(r#"{{"content":[{blocks}]}}"#));
    assert!(!cost.is_exhausted && cost.peak <= Allowance::LARGE.nodes, "{cost:?}");
}
