use serde_json::Value;

use super::{assembled, candidate};
use crate::codec::allowance::{Allowance, Cost};
use crate::codec::framing::Framing;
use crate::provider::stream::Assembled;

/// The response of this many chunks, and the cost of assembling it.
fn cost(count: usize, chunk: impl Fn(usize) -> String) -> (Assembled, Cost) {
    let stream: String = (0..count).map(|at| format!("data: {}\n\n", chunk(at))).collect();
    Allowance::LARGE.within(|| assembled(Framing::Events, &stream))
}

fn part(part: &str) -> String {
    candidate(&format!(r#""content":{{"parts":[{part}]}}"#))
}

fn piece(path: &str) -> String {
    part(&format!(
        r#"{{"functionCall":{{"partialArgs":[{{"jsonPath":"{path}","stringValue":"x"}}],"willContinue":true}}}}"#
    ))
}

#[test]
fn hostile_streams_stay_within_the_allowance_and_take_one_pass() {
    let chunks: [&dyn Fn(usize) -> String; 14] = [
        &|at| candidate(&format!(r#""index":{}"#, 1_000_000_000 * at)),
        &|at| candidate(&format!(r#""index":{},"content":{{"parts":[{{"text":"x"}}]}}"#, at % 2)),
        &|_| part(r#"{"inlineData":{}}"#),
        &|at| part(&format!(r#"{{"text":"x","thought":{}}}"#, at % 2 == 0)),
        &|at| piece(&format!("$.a[{at}]")),
        &|at| piece(&format!("$.a[{}]", 1_000_000_000 - at)),
        &|at| piece(&format!("$.k{at}.a.b.c")),
        &|_| piece(&"[0].a".repeat(100)),
        &|_| piece("$.a"),
        &|at| part(&format!(r#"{{"functionCall":{{"name":"f{at}","willContinue":true}}}}"#)),
        &|at| candidate(&format!(r#""groundingMetadata":{{"k{at}":[{at}]}}"#)),
        &|at| candidate(&format!(r#""groundingMetadata":{{"k":[{at}]}},"x{at}":0"#)),
        &|at| format!(r#"{{"usageMetadata":{{"k{at}":{at}}}}}"#),
        &|at| format!(r#"{{"k{at}":{at}}}"#),
    ];
    for (at, chunk) in chunks.into_iter().enumerate() {
        let (few, many) = (cost(1_000, chunk), cost(8_000, chunk));
        assert!(many.1.peak <= Allowance::LARGE.nodes + 64, "{at}: {:?}", many.1);
        assert!(!many.1.is_exhausted && many.1.work <= 10 * few.1.work, "{at}: {:?} {:?}", few.1, many.1);
        assert!(serde_json::from_str::<Value>(&few.0.json).is_ok(), "{at}");
        assert!(serde_json::from_str::<Value>(&many.0.json).is_ok(), "{at}");
    }
}

#[test]
fn one_chunk_may_hold_more_of_anything_than_there_is_room_for() {
    let many = |element: &str| vec![element; 300_000].join(",");
    let path = format!(r#"{{"jsonPath":"${}","numberValue":1}}"#, ".a".repeat(60));
    for (at, chunk) in [
        format!(r#"{{"candidates":[{}]}}"#, many("{}")),
        part(&many("{}")),
        part(&many(r#"{"text":""}"#)),
        part(&format!(r#"{{"functionCall":{{"partialArgs":[{}],"willContinue":true}}}}"#, many("{}"))),
        part(&format!(
            r#"{{"functionCall":{{"partialArgs":[{}],"willContinue":true}}}}"#,
            (0..20_000).map(|at| path.replacen(".a", &format!(".k{at}"), 1)).collect::<Vec<_>>().join(",")
        )),
        candidate(&format!(r#""groundingMetadata":{{"k":[{}]}}"#, many("1"))),
        format!(r#"{{"usageMetadata":{{"k":[{}]}}}}"#, many("1")),
        format!(r#"{{"x":{}{}}}"#, "[".repeat(300_000), "]".repeat(300_000)),
    ]
    .into_iter()
    .enumerate()
    {
        let (whole, cost) = cost(2, |_| chunk.clone());
        assert!(cost.peak <= 2 * Allowance::LARGE.nodes && !cost.is_exhausted, "{at}: {cost:?}");
        assert!(whole.json.starts_with('{') && whole.json.len() <= 2 * chunk.len() + 100, "{at}");
    }
}

#[test]
fn many_lines_that_begin_like_an_error_are_read_once() {
    for line in ["{\n", "{}\n", "{\"error\":null}\n", "{\"error\":\n", "\n{\"\n"] {
        let stream = format!("data: {{}}\n\n{}", line.repeat(200_000));
        let (whole, cost) = Allowance::LARGE.within(|| assembled(Framing::Events, &stream));
        assert!(!cost.is_exhausted && cost.work <= 10 * stream.len(), "{line}: {cost:?}");
        assert!(whole.json.len() < 100);
    }
}
