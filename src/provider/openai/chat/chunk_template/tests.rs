use proptest::prelude::*;

use crate::provider::openai::chat::assembler::ChatAssembler;
use crate::provider::operation::Operation;
use crate::provider::stream::{Progress, StreamAssembler};

/// The results of a stream with and without comparison.
fn both(chunks: &[String]) -> [String; 2] {
    [ChatAssembler::default(), ChatAssembler::without_templates()].map(|mut assembler| {
        let mut progress = Progress::default();
        for chunk in chunks {
            if !assembler.push(b"", chunk.as_bytes(), &mut progress) {
                progress.skip();
            }
        }
        let whole = assembler.finish(Operation::Chat, &mut progress);
        format!("{progress:?}") + &whole
    })
}

/// A value that a stream may hold, well-formed or not.
fn value() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "null",
        "\"\"",
        "\"a\"",
        "\" b\"",
        "[]",
        "[ ]",
        "[1]",
        "{}",
        "{\"x\":1}",
        "{ \"x\" : 2, \"x\":3 }",
        "{\"name\":\"f\",\"arguments\":\"{\"}",
        "{\"data\":\"QQ==\",\"transcript\":\"t\"}",
        "0",
        "1",
        "true",
        "[{\"index\":0}]",
        "[{\"index\":0,\"type\":\"reasoning.text\",\"text\":\"t\"}]",
        "{\"content\":\"y\"}",
        "\"\\ud83d\"",
        "\"\\n\"",
        "[\"t\"]",
        "[{\"type\":\"text\",\"text\":\"t\"}]",
    ])
}

/// A text as it stands between quotes, well-formed or not.
fn text() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "a", " word", "", "é", "🎉", "\\n", "\\\"", "\\\\", "\\u00e9", "\\ud83c", "\\udf89", "\\u12", "\\x",
        "\t", "\"", "{", "}", "\\/", "\u{7f}",
    ]);
    // Mostly the words of a normal stream.
    prop_oneof![4 => Just(" word".to_owned()), 3 => prop::collection::vec(piece, 0..4).prop_map(|all| all.concat())]
}

fn field(keys: Vec<&'static str>) -> impl Strategy<Value = (&'static str, &'static str)> {
    (prop::sample::select(keys), value())
}

/// Makes chunks that differ only in the text and the padding.
fn shape() -> impl Strategy<Value = String> {
    let top = || {
        field(vec![
            "id",
            "model",
            "created",
            "usage",
            "error",
            "service_tier",
            "type",
            "x",
            "choices",
            "obfuscation",
        ])
    };
    let choice = || {
        field(vec![
            "index",
            "finish_reason",
            "logprobs",
            "message",
            "text",
            "delta",
            "content_filter_results",
            "usage",
            "token_ids",
            "x",
        ])
    };
    let delta = || {
        field(vec![
            "role",
            "content",
            "refusal",
            "reasoning",
            "tool_calls",
            "function_call",
            "audio",
            "thinking",
            "name",
            "reasoning_details",
            "channel",
            "cot_id",
            "cot_summary",
            "x",
        ])
    };
    let some = |all: Vec<(&str, &str)>| {
        all.iter().map(|(key, value)| format!(r#","{key}":{value}"#)).collect::<String>()
    };
    let tops = prop::collection::vec(top(), 0..3).prop_map(some);
    let choices = prop::collection::vec(choice(), 0..3).prop_map(some);
    let deltas = prop::collection::vec(delta(), 0..3).prop_map(some);
    let hole = prop::sample::select(vec![
        r#""delta":{"content":"TEXT"DELTA}CHOICE"#,
        r#""delta":{"role":"assistant"DELTA,"reasoning_content":"TEXT"}CHOICE"#,
        r#""delta":{"content":"TEXT","cot_id":"cot_1"DELTA}CHOICE"#,
        r#""delta":{"content":"TEXT","cot_summary":"PADDING"DELTA}CHOICE"#,
        r#""delta":{"cot_summary":"TEXT"DELTA}CHOICE"#,
        r#""delta":{"cot_id":"cot_1"DELTA},"text":"TEXT"CHOICE"#,
        r#""delta":{"content":"TEXT","x":"a","y":"a","z":"a","cot_id":"a","cot_summary":"a"DELTA}CHOICE"#,
        r#""delta":{"content":"TEXT","reasoning_details":[{"index":0,"text":"TEXT"}]DELTA}CHOICE"#,
        r#""text":"TEXT"CHOICE"#,
        r#""delta":{"content":"TEXT"DELTA},"text":"TEXT"CHOICE"#,
        r#""delta":{"tool_calls":[{"index":0,"function":{"arguments":"TEXT"}}]DELTA}CHOICE"#,
    ]);
    let frame = prop::sample::select(vec![
        r#"{"id":"c","choices":[{"index":INDEX,HOLE}],"obfuscation":"PADDING"TOP}"#,
        r#"{"p":"PADDING","choices":[{"index":INDEX,HOLE}]TOP}"#,
        r#"{"id":"c"TOP, "choices" : [ {"index":INDEX,HOLE} ] }"#,
        r#"{"choices":[{"index":INDEX,HOLE},{"index":1,"delta":{"content":"b"}}]TOP}"#,
    ]);
    let index = prop::sample::select(vec!["0", "1", "null", "\"0\""]);
    (frame, hole, index, tops, choices, deltas).prop_map(|(frame, hole, index, top, choice, delta)| {
        let hole = hole.replace("DELTA", &delta).replace("CHOICE", &choice);
        frame.replace("HOLE", &hole).replace("INDEX", index).replace("TOP", &top)
    })
}

/// Chunks of several shapes in a row.
fn stream() -> impl Strategy<Value = Vec<String>> {
    let said = || prop::collection::vec((text(), text()), 1..6);
    let fill = |(shape, said): (String, Vec<(String, String)>)| {
        said.into_iter().map(move |(text, padding)| shape.replace("TEXT", &text).replace("PADDING", &padding))
    };
    let part = (shape(), said()).prop_map(move |part| fill(part).collect::<Vec<_>>());
    prop::collection::vec(part, 1..5).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn chunks_that_are_compared_add_up_to_the_same_as_chunks_that_are_read(chunks in stream()) {
        let [compared, read] = both(&chunks);
        prop_assert_eq!(compared, read);
    }
}

/// Whether each chunk was compared, and the assembled result.
fn compared(chunks: &[String]) -> (Vec<bool>, String) {
    let (mut assembler, mut progress) = (ChatAssembler::default(), Progress::default());
    let mut compared = Vec::new();
    for data in chunks {
        compared.push(assembler.add_matching(data.as_bytes()));
        if compared.last() == Some(&false) {
            assembler.push(b"", data.as_bytes(), &mut progress);
        }
    }
    (compared, assembler.finish(Operation::Chat, &mut progress))
}

#[test]
fn from_the_third_on_chunks_that_are_alike_are_compared() {
    let chunk = |text: &str, padding: &str| {
        format!(
            r#"{{"id":"c","choices":[{{"index":0,"delta":{{"content":"{text}"}},"logprobs":null,"finish_reason":null}}],"usage":null,"obfuscation":"{padding}"}}"#
        )
    };
    let other = chunk("", "").replace("null}]", "\"stop\"}]");
    let chunks = [chunk(" a", "x"), chunk(" b", "yy"), chunk(" \\u00e9\\n", ""), chunk(" d", "z"), other];
    let (compared, whole) = compared(&chunks);
    assert_eq!(compared, [false, false, true, true, false]);
    assert!(whole.contains(r#""content":" a b \u00e9\n d""#), "{whole}");
}

#[test]
fn an_unknown_text_beside_the_text_counts_as_often_as_it_was_said_in_chunks_that_were_compared() {
    let chunk = |text: &str, summary: &str| {
        format!(
            r#"{{"choices":[{{"index":0,"delta":{{"content":"{text}","cot_id":"7","cot_summary":"{summary}"}}}}]}}"#
        )
    };
    let mut chunks: Vec<_> = ["a", "b", "c", "d"].map(|text| chunk(text, "no")).to_vec();
    let (compared_to, whole) = compared(&chunks);
    assert_eq!(compared_to, [false, false, true, true]);
    assert!(whole.contains(r#""content":"abcd","cot_id":"7","cot_summary":"no""#), "{whole}");
    chunks.push(chunk("e", "!"));
    let (_, whole) = compared(&chunks);
    assert!(whole.contains(r#""content":"abcde","cot_id":"7","cot_summary":"nononono!""#), "{whole}");
}

#[test]
fn padding_may_stand_before_the_text() {
    let chunk = |text: &str, padding: &str| {
        format!(r#"{{"p":"{padding}","choices":[{{"index":0,"delta":{{"content":"{text}"}}}}]}}"#)
    };
    let (compared, whole) = compared(&[chunk("a", "x"), chunk(" b", "yy"), chunk(" c", "")]);
    assert_eq!(compared, [false, false, true]);
    assert!(whole.contains(r#""content":"a b c""#), "{whole}");
}

#[test]
fn text_is_compared_after_many_chunks_that_could_not_be() {
    let call = |at: usize| {
        format!(
            r#"{{"choices":[{{"index":0,"delta":{{"tool_calls":[{{"index":0,"function":{{"arguments":"{at}"}}}}]}}}}]}}"#
        )
    };
    let text = r#"{"choices":[{"index":0,"delta":{"content":"a"}}]}"#.to_owned();
    let chunks: Vec<_> = (0..200).map(call).chain(std::iter::repeat_n(text, 100)).collect();
    let (compared, whole) = compared(&chunks);
    assert!(compared[200..].iter().filter(|compared| **compared).count() > 80, "{compared:?}");
    assert!(whole.contains(&"a".repeat(100)), "{whole}");
}

#[test]
fn text_of_a_choice_too_many_counts_as_skipped_however_alike_it_is() {
    let chunk = |index: usize| format!(r#"{{"choices":[{{"index":{index},"delta":{{"content":"a"}}}}]}}"#);
    let chunks: Vec<_> = (0..1_024).chain([2_000; 40]).map(chunk).collect();
    let [compared, read] = both(&chunks);
    assert_eq!(compared, read);
    assert!(compared.contains("skipped: 40"), "{compared}");
}
