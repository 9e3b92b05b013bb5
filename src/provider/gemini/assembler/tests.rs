#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]

mod hostile;
mod properties;

use std::cell::OnceCell;

use serde_json::{Value, json};

use super::*;
use crate::codec::end_marker::EndMarker;
use crate::codec::framing::Framing;
use crate::provider::gemini::bare_error::assemble_with_error;
use crate::provider::stream::{Assembled, RecordedStream};

fn assembled(framing: Framing, stream: &str) -> Assembled {
    let stream = RecordedStream {
        bytes: stream.as_bytes(),
        framing,
        end_marker: EndMarker(Some("[DONE]")),
        mended: &OnceCell::new(),
        truncated: None,
        charge: &|_| true,
    };
    assemble_with_error::<GeminiAssembler<'_>>(stream, Operation::GeminiGenerate)
}

fn events(chunks: &[String]) -> String {
    chunks.iter().map(|chunk| format!("data: {chunk}\r\n\r\n")).collect()
}

/// The response that these chunks add up to, as events and as an array.
fn response(chunks: &[String]) -> (Value, Progress) {
    let array = assembled(Framing::Array, &format!("[{}\n]", chunks.join("\n,\r\n")));
    let Assembled { json, progress, .. } = assembled(Framing::Events, &events(chunks));
    assert_eq!(json, array.json, "the framing changes nothing");
    assert_eq!((progress.chunks, progress.skipped), (array.progress.chunks, array.progress.skipped));
    assert!(array.progress.is_done && !progress.is_done, "only an array has an end");
    (serde_json::from_str(&json).unwrap(), progress)
}

/// The parts of the only candidate.
fn parts(parts: &[&str]) -> Value {
    let chunk =
        |parts: &&str| format!(r#"{{"candidates":[{{"content":{{"role":"model","parts":[{parts}]}}}}]}}"#);
    let chunks: Vec<String> = parts.iter().map(chunk).collect();
    response(&chunks).0["candidates"][0]["content"]["parts"].take()
}

fn candidate(fields: &str) -> String {
    format!(r#"{{"candidates":[{{{fields}}}]}}"#)
}

#[test]
fn chunks_add_up_to_the_response_of_the_unstreamed_call() {
    let chunk = |text: &str, more: &str, usage: &str| {
        format!(
            r#"{{"candidates": [{{"content": {{"parts": [{{"text": "{text}"}}],"role": "model"}}{more},"index": 0}}],"usageMetadata": {usage},"modelVersion": "m","responseId": "r"}}"#
        )
    };
    let (response, progress) = response(&[
        chunk("Gr", "", r#"{"promptTokenCount": 4,"totalTokenCount": 9}"#),
        chunk("\\u00fc", "", r#"{"promptTokenCount": 4,"totalTokenCount": 10}"#),
        chunk("\u{df}e", "", r#"{"promptTokenCount": 4,"totalTokenCount": 8}"#),
        chunk("", r#","finishReason": "STOP""#, r#"{"totalTokenCount": 7,"details": [{"x": 1}]}"#),
    ]);
    let expected = json!({
        "candidates": [{"content": {"role": "model", "parts": [{"text": "Gr\u{fc}\u{df}e"}]}, "finishReason": "STOP", "index": 0}],
        "usageMetadata": {"promptTokenCount": 4, "totalTokenCount": 7, "details": [{"x": 1}]},
        "modelVersion": "m",
        "responseId": "r",
    });
    assert_eq!(response, expected);
    assert!(progress.is_finished && progress.has_token && !progress.has_error);
    assert_eq!((progress.chunks, progress.skipped), (4, 0));
}

#[test]
fn texts_are_joined_up_to_a_signature_or_a_part_of_another_kind() {
    for (pieces, expected) in [
        (vec![r#"{"text":"a"}"#, r#"{"text":"b"},{"text":"c"}"#], json!([{"text": "abc"}])),
        (
            vec![r#"{"text":"a","thought":true}"#, r#"{"thought":true,"text":"b"}"#, r#"{"text":"c"}"#],
            json!([{"text": "ab", "thought": true}, {"text": "c"}]),
        ),
        (
            vec![r#"{"text":"a"}"#, r#"{"text":"","thoughtSignature":"s"}"#, r#"{"text":"b"}"#],
            json!([{"text": "a", "thoughtSignature": "s"}, {"text": "b"}]),
        ),
        (
            vec![r#"{"text":"a","thought":true}"#, r#"{"text":"","thoughtSignature":"s"}"#],
            json!([{"text": "a", "thought": true}, {"text": "", "thoughtSignature": "s"}]),
        ),
        (
            vec![r#"{"text":"a","thought_signature":"s"}"#, r#"{"text":"b"}"#],
            json!([{"text": "a", "thought_signature": "s"}, {"text": "b"}]),
        ),
        (
            vec![r#"{"text":"a"}"#, r#"{"functionCall":{"name":"f"}}"#, r#"{"text":"b"}"#, r#"{"text":"c"}"#],
            json!([{"text": "a"}, {"functionCall": {"name": "f"}}, {"text": "bc"}]),
        ),
        (
            vec![
                r#"{"text":"a","videoMetadata":{}}"#,
                r#"{"text":"b"}"#,
                r#"{"inlineData":{"data":"AA=="}}"#,
            ],
            json!([{"text": "a", "videoMetadata": {}}, {"text": "b"}, {"inlineData": {"data": "AA=="}}]),
        ),
    ] {
        assert_eq!(parts(&pieces), expected, "{pieces:?}");
    }
}

#[test]
fn values_that_are_not_joined_are_as_they_were_sent_letter_by_letter() {
    let part = r#"{"functionCall": {"name":"f","args":{"a":1e999,"a":0.10,"b":[ 1 ]}}}"#;
    let chunk = candidate(&format!(r#""content":{{"parts":[{part}]}},"avgLogprobs":-0.10"#));
    for stream in [format!("data: {chunk}\n\n"), format!("[{chunk}]")] {
        let framing = if stream.starts_with('[') { Framing::Array } else { Framing::Events };
        assert_eq!(assembled(framing, &stream).json, chunk);
    }
}

#[test]
fn arguments_of_a_call_arrive_in_pieces() {
    let calls = parts(&[
        r#"{"functionCall":{"name":"f","id":"1","willContinue":true},"thoughtSignature":"s"}"#,
        r#"{"functionCall":{"partialArgs":[{"jsonPath":"$.city","stringValue":"Ro","willContinue":true}],"willContinue":true}}"#,
        r#"{"functionCall":{"partialArgs":[{"jsonPath":"$.city","stringValue":"me"},{"jsonPath":"$.days[0]","numberValue":1}],"willContinue":true}}"#,
        r#"{"functionCall":{}}"#,
        r#"{"function_call":{"name":"g","will_continue":true,"partial_args":[{"json_path":"$.a","bool_value":false}]}}"#,
        r#"{"functionCall":{"name":"h","args":{"x":1}}}"#,
        r#"{"functionCall":{}}"#,
    ]);
    let expected = json!([
        {"functionCall": {"name": "f", "id": "1", "args": {"city": "Rome", "days": [1]}}, "thoughtSignature": "s"},
        {"function_call": {"name": "g", "args": {"a": false}}},
        {"functionCall": {"name": "h", "args": {"x": 1}}},
        {"functionCall": {}},
    ]);
    assert_eq!(calls, expected);
}

#[test]
fn candidates_are_told_apart_by_index_and_finished_one_by_one() {
    let chunk = |index: &str, text: &str, more: &str| {
        candidate(&format!(r#""index":{index},"content":{{"parts":[{{"text":"{text}"}}]}}{more}"#))
    };
    let mut chunks = vec![
        chunk("1", "b", ""),
        chunk("0", "a", r#","finishReason":1"#),
        chunk("1", "B", ""),
        candidate(r#""content":null"#),
    ];
    let (first, progress) = response(&chunks);
    let texts: Vec<_> = (0..2).map(|at| &first["candidates"][at]["content"]["parts"][0]["text"]).collect();
    assert_eq!(texts, ["a", "bB"]);
    assert!(!progress.is_finished);
    for (reason, is_finished) in [
        ("null", false),
        ("0", false),
        ("\"\"", false),
        ("\"FINISH_REASON_UNSPECIFIED\"", false),
        ("2", true),
    ] {
        chunks.push(chunk("1", "", &format!(r#","finishReason":{reason}"#)));
        assert_eq!(response(&chunks).1.is_finished, is_finished, "{reason}");
    }
}

#[test]
fn lists_of_sources_grow_however_they_are_sent() {
    let (response, _) = response(&[
        candidate(r#""groundingMetadata":{}"#),
        candidate(
            r#""groundingMetadata":{"groundingChunks":[{"a":1}],"webSearchQueries":["x"]},"citationMetadata":{"citations":[1]}"#,
        ),
        candidate(
            r#""groundingMetadata":{"groundingChunks":[{"a":1},{"a":2}],"webSearchQueries":["y"]},"citationMetadata":{"citations":[1]}"#,
        ),
        candidate(r#""logprobsResult":{"chosenCandidates":[1]}"#),
        candidate(
            r#""logprobsResult":{"chosenCandidates":[2]},"groundingMetadata":{"searchEntryPoint":{"x":1}}"#,
        ),
    ]);
    let expected = json!([{
        "groundingMetadata": {
            "groundingChunks": [{"a": 1}, {"a": 2}],
            "webSearchQueries": ["x", "y"],
            "searchEntryPoint": {"x": 1},
        },
        "citationMetadata": {"citations": [1, 1]},
        "logprobsResult": {"chosenCandidates": [1, 2]},
    }]);
    assert_eq!(response["candidates"], expected);
}

#[test]
fn a_blocked_prompt_has_no_candidates_and_is_finished() {
    let feedback = r#"{"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{"promptTokenCount":3}}"#;
    let (blocked, progress) = response(&[feedback.to_owned(), feedback.to_owned()]);
    assert_eq!(blocked, serde_json::from_str::<Value>(feedback).unwrap());
    assert!(progress.is_finished && !progress.has_token);
    let (missing, progress) = response(&[r#"{"usageMetadata":{}}"#.to_owned()]);
    assert_eq!(missing, json!({"usageMetadata": {}, "candidates": []}));
    assert!(!progress.is_finished);
}

const ERROR: &str = r#"{"error": {"code": 503,"message": "{\"overloaded\n","status": "UNAVAILABLE"}}"#;

#[test]
fn an_error_stands_beside_everything_that_had_arrived() {
    let text = candidate(r#""content":{"parts":[{"text":"a"}]}"#);
    let error: Value = serde_json::from_str(ERROR).unwrap();
    for chunks in [vec![text.clone(), ERROR.to_owned()], vec![text.clone(), format!("[{ERROR}]")]] {
        let stream = events(&chunks);
        let Assembled { json, progress, .. } = assembled(Framing::Events, &stream);
        let response: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(response["error"], error["error"]);
        assert_eq!(response["candidates"][0]["content"]["parts"][0]["text"], "a");
        assert!(progress.has_error && !progress.is_finished);
        assert_eq!((progress.chunks, progress.skipped), (2, 0));
    }
    let (alone, progress) = response(&[ERROR.to_owned()]);
    assert_eq!(alone, error);
    assert!(progress.has_error);
}

#[test]
fn an_error_may_be_printed_into_the_events_without_data() {
    let printed = format!("{:#}", serde_json::from_str::<Value>(ERROR).unwrap());
    for (stream, candidates, chunks) in [
        (format!("data: {}\r\n\r\n{printed}", candidate("")), json!([{}]), 2),
        (format!("data: {}\n{}\n\n", candidate(""), printed.replace('\n', "\r\n")), json!([{}]), 2),
        (format!("data: {}\n\n{{\"x\":1}}\n{{}}\n{printed}\n\n", candidate("")), json!([{}]), 2),
        (format!("data: {{}}\n\n{printed}\n"), Value::Null, 2),
        (format!(": ping\n\n{printed}\n"), Value::Null, 1),
    ] {
        let Assembled { json, progress, .. } = assembled(Framing::Events, &stream);
        let response: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(response["error"]["code"], 503, "{stream}");
        assert_eq!(response["candidates"], candidates, "{stream}");
        assert!(progress.has_error);
        assert_eq!((progress.chunks, progress.skipped), (chunks, 0), "{stream}");
    }
    let cut = &printed[..printed.find("\"status\"").unwrap()];
    let Assembled { json, progress, .. } = assembled(Framing::Events, &format!("data: {{}}\n\n{cut}"));
    let response: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(response, json!({"error": {"code": 503, "message": "{\"overloaded\n"}}));
    assert!(progress.has_error);
    for none in [
        "data: {}\n\n{\"error\":null}",
        "data: {}\n\n{\"x\":{\"error\":1}}",
        "data: {}\n{",
        "data: {\ndata: }\n\n",
    ] {
        assert!(!assembled(Framing::Events, none).progress.has_error, "{none}");
    }
}

#[test]
fn a_chunk_that_is_cut_off_is_counted_and_an_array_is_done_with_its_bracket() {
    let text = candidate(r#""content":{"parts":[{"text":"a"}]},"finishReason":"STOP""#);
    for (stream, is_done, skipped) in [
        (format!("[{text}\n]"), true, 0),
        (format!("[{text}\n,\r\n"), false, 0),
        (format!("\u{feff} [{text}\n,\r\n{}", &text[..text.len() - 2]), false, 1),
        (format!("[{text},5]"), true, 1),
    ] {
        let Assembled { progress, .. } = assembled(Framing::Array, &stream);
        assert_eq!((progress.is_done, progress.skipped), (is_done, skipped), "{stream}");
        assert!(progress.is_finished && progress.chunks == 1 + skipped);
    }
}

#[test]
fn a_token_is_a_text_a_thought_a_call_or_another_output() {
    for (part, has_token) in [
        (r#"{"text":"a"}"#, true),
        (r#"{"text":"a","thought":true}"#, true),
        (r#"{"functionCall":{"name":"f","willContinue":true}}"#, true),
        (r#"{"executableCode":{}}"#, true),
        (r#"{"text":""}"#, false),
        (r#"{"text":"","thoughtSignature":"s"}"#, false),
    ] {
        let chunk = candidate(&format!(r#""content":{{"parts":[{part}]}}"#));
        assert_eq!(response(&[chunk]).1.has_token, has_token, "{part}");
    }
    let before = format!("data: {}\n\n", candidate(r#""content":{"role":"model"}"#));
    let text = format!("data: {}\n\n", candidate(r#""content":{"parts":[{"text":"a"}]}"#));
    let first = assembled(Framing::Events, &format!("{before}{text}{text}")).first_token;
    assert_eq!(first, Some((before.len() + text.len()) as u64));
}
