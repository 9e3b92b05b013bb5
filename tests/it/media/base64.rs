//! Images, sound and files as base64: uploaded, kept or left out, as the settings say.

use proptest::prelude::*;
use serde_json::{Value, json};
use tower_reconify::{Config, Interaction, InteractionKind, Media, Operation, Responses};

use crate::support::{self, Observed, events, exchange, field, observed, observed_with, post};

/// Five bytes.
const HELLO: &str = "aGVsbG8=";

fn eliding() -> Observed {
    let config = Config::builder("a", "b").capture(Operation::ALL).media(Media::Elide);
    observed_with(config.build().unwrap())
}

#[tokio::test]
async fn type_and_length_stand_for_media_and_everything_else_stays_letter_by_letter() {
    let mut observed = eliding();
    let body = |image: &str, sound: &str, file: &str, answer: &str| {
        let request = format!(
            r#"{{"n": 1.0,"messages":[{{"content":[{{"type":"text","text":"data: not \"media\", data:x"}},{{"image_url":{{"url": {image}}}}},{{"input_audio":{{"data":{sound},"format":"wav"}}}},{{"file":{{"filename":"data","file_data":{file}}}}}]}}],"data":"not media","result":"x"}}"#
        );
        let response = format!(
            r#"{{"choices":[{{"message":{{"content":null,"audio":{{"id":"a","data":{answer},"transcript":"hi"}},"images":[{{"image_url":{{"url":{image}}}}}]}}}}]}}"#
        );
        (request, response)
    };
    let (request, response) = body(
        &format!(r#""data:image\/png;charset=x;base64,{HELLO}""#),
        &format!(r#""{HELLO}""#),
        &format!(r#""data:application/pdf;base64,{HELLO}""#),
        r#""aGVs\nbG8=""#,
    );
    exchange(&observed, post("/v1/chat/completions", request), support::json(response)).await;
    let report = observed.report_text().await;
    let (request, response) = body(
        r#""image/png, 5 bytes""#,
        r#""audio/wav, 5 bytes""#,
        r#""application/pdf, 5 bytes""#,
        r#""audio, 5 bytes""#,
    );
    assert_eq!((field(&report, "request"), field(&report, "response")), (&*request, &*response));
}

#[tokio::test]
async fn images_that_are_left_out_are_not_uploaded() {
    let mut observed = eliding();
    let answer = json!({"data": [{"b64_json": HELLO, "revised_prompt": "a cat"}]});
    exchange(&observed, post("/v1/images/generations", "{}"), support::json(answer.to_string())).await;
    let (reports, _) = observed.settle().await;
    assert_eq!(reports.len(), 1);
    assert_eq!(
        reports[0]["response"],
        json!({"data": [{"b64_json": "image, 5 bytes", "revised_prompt": "a cat"}]})
    );
}

#[tokio::test]
async fn streamed_sound_is_left_out_as_a_whole() {
    let mut observed = eliding();
    let delta =
        |data: &str| json!({"choices": [{"index": 0, "delta": {"audio": {"data": data}}}]}).to_string();
    exchange(&observed, support::chat(), events(&[&delta("aGVs"), &delta("bG8=")])).await;
    let message = observed.report().await["response"]["choices"][0]["message"].take();
    assert_eq!(message["audio"]["data"], "audio, 5 bytes");
}

fn drawn() -> Value {
    json!({"object": "response", "created_at": 1_700_000_000, "status": "completed", "output": [
        {"type": "image_generation_call", "id": "ig_1", "result": HELLO},
        {"id": "ig_2", "result": "d29ybGQ=", "type": "image_generation_call"},
        {"type": "other_call", "id": "o", "result": "kept"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "image_generation_call"}]}]})
}

async fn reported(config: Config, answer: &Value) -> Vec<Value> {
    let mut observed = observed_with(config);
    exchange(&observed, post("/v1/responses", r#"{"input":"x"}"#), support::json(answer.to_string())).await;
    observed.settle().await.0
}

#[tokio::test]
async fn images_of_the_responses_api_are_uploaded_too() {
    let config = |responses| Config::builder("a", "b").responses(responses).build().unwrap();
    for (responses, results) in [
        (
            Responses::Chat,
            [
                "/choices/0/message/tool_calls/0/image_generation_call/result",
                "/choices/0/message/tool_calls/1/image_generation_call/result",
            ],
        ),
        (Responses::Verbatim, ["/output/0/result", "/output/1/result"]),
    ] {
        let reports = reported(config(responses), &drawn()).await;
        assert_eq!(reports.len(), 3);
        for (index, data) in [HELLO, "d29ybGQ="].into_iter().enumerate() {
            let upload = &reports[index + 1]["upload"];
            assert_eq!(reports[0]["response"].pointer(results[index]), Some(&upload["filename"]));
            assert!(upload["filename"].as_str().unwrap().ends_with(&format!("-1700000000-{index}.png")));
            assert_eq!(upload["data"], json!({"b64_json": data}));
        }
        assert!(reports[0].to_string().contains("kept"));
    }
}

#[tokio::test]
async fn images_of_the_responses_api_can_be_left_out() {
    let config = Config::builder("a", "b").track_images(false).build().unwrap();
    let reports = reported(config, &drawn()).await;
    assert_eq!(reports.len(), 1);
    let calls = &reports[0]["response"]["choices"][0]["message"]["tool_calls"];
    assert_eq!(calls[0]["image_generation_call"]["result"], "image, 5 bytes");
    assert_eq!(calls[2]["other_call"]["result"], "kept");
}

#[tokio::test]
async fn media_are_found_under_hostile_nesting_without_harm() {
    let mut observed = eliding();
    let deep = format!("{}{}", "[".repeat(500_000), "]".repeat(500_000));
    let asked = format!(
        r#"{{"x":{deep},"b64_json":"{HELLO}","y":{}1{}}}"#,
        r#"{"result":"#.repeat(100_000),
        "}".repeat(100_000)
    );
    exchange(&observed, post("/v1/chat/completions", asked.clone()), support::json("{}")).await;
    assert_eq!(field(&observed.report_text().await, "request"), asked.replace(HELLO, "image, 5 bytes"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    /// Whatever there is beside media is not touched, and no base64 of theirs is left.
    #[test]
    fn only_media_are_replaced(texts in prop::collection::vec(any::<String>(), 1..8), sizes in prop::collection::vec(1..200usize, 1..8)) {
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            let content = |url: &dyn Fn(usize) -> String| {
                let parts = texts.iter().zip(&sizes);
                let parts: Vec<Value> = parts.map(|(text, size)| json!({"text": text, text: [text, {"url": url(*size)}]})).collect();
                json!({"messages": [{"content": parts}]})
            };
            let media = content(&|size| format!("data:image/png;base64,{}", "QUJD".repeat(size)));
            let mut observed = eliding();
            exchange(&observed, post("/v1/chat/completions", media.to_string()), support::json("{}")).await;
            let elided = content(&|size| format!("image/png, {} bytes", size * 3));
            assert_eq!(observed.report().await["request"], elided);
        });
    }
}

#[tokio::test]
async fn media_are_kept_by_default() {
    let mut observed = observed();
    let asked = format!(
        r#"{{"messages":[{{"content":[{{"image_url":{{"url":"data:image/png;base64,{HELLO}"}}}}]}}]}}"#
    );
    exchange(&observed, post("/v1/chat/completions", asked.clone()), support::json("{}")).await;
    assert_eq!(field(&observed.report_text().await, "request"), asked);
}

/// Fields of a request or an answer, and what stands there when media are left out.
#[tokio::test]
async fn media_are_told_apart_from_texts_and_links() {
    let mut observed = eliding();
    let long = "QUJD".repeat(100);
    for (field, elided) in [
        (json!({"text": "data:image/png;base64,aGVsbG8="}), None),
        (json!({"content": "data:image/png;base64,aGVsbG8= is what my browser shows. Why?"}), None),
        (json!({"input": "data:text/plain;base64,aGVsbG8="}), None),
        (json!({"x": "data: my encodings are utf8;base64, which is longer?"}), None),
        (json!({"token": "data:;base64,"}), None),
        (json!({"file_data": "https://example.com/paper.pdf"}), None),
        (json!({"audio": {"data": "The sensor data of today"}}), None),
        (json!({"audio": {"voice": "alloy", "format": "wav"}}), None),
        (json!({"audio": "alloy"}), None),
        (json!({"metadata": {"result": "ok", "data": "ok"}}), None),
        (json!({"audio": long}), Some(json!({"audio": "audio, 300 bytes"}))),
        (json!({"url": "DATA:image/png;BASE64,aGVsbG8="}), Some(json!({"url": "image/png, 5 bytes"}))),
        (
            json!({"url": "data:application/pdf;name=a,b.pdf;base64,aGVsbG8="}),
            Some(json!({"url": "application/pdf, 5 bytes"})),
        ),
        (
            json!({"source": {"type": "base64", "media_type": "image/gif", "data": HELLO}}),
            Some(
                json!({"source": {"type": "base64", "media_type": "image/gif", "data": "image/gif, 5 bytes"}}),
            ),
        ),
        (
            json!({"inline_data": {"data": HELLO, "mime_type": "image/gif"}}),
            Some(json!({"inline_data": {"data": "image/gif, 5 bytes", "mime_type": "image/gif"}})),
        ),
        (json!({"b64_json": "QQ==QQ=="}), Some(json!({"b64_json": "image, 2 bytes"}))),
        (
            json!({"type": "image_generation_call", "result": "data:image/webp;base64,aGVsbG8="}),
            Some(json!({"type": "image_generation_call", "result": "image, 5 bytes"})),
        ),
    ] {
        exchange(&observed, post("/v1/chat/completions", field.to_string()), support::json("{}")).await;
        let request = observed.report().await["request"].take();
        assert_eq!(request, elided.unwrap_or(field));
    }
}

#[tokio::test]
async fn the_reported_length_is_that_of_the_decoded_data_whatever_is_escaped() {
    let mut observed = eliding();
    for (data, bytes) in
        [(r"QQ\u003d\u003d", 1), (r"\u002B\u002b\u002B\u002B", 3), (r"aGVs\u000abG8=", 5), (r"\/\/\/\/", 3)]
    {
        let asked = format!(r#"{{"url":"data:image/svg\u002Bxml;base64,{data}"}}"#);
        exchange(&observed, post("/v1/chat/completions", asked), support::json("{}")).await;
        assert_eq!(observed.report().await["request"]["url"], format!("image/svg+xml, {bytes} bytes"));
    }
}

#[tokio::test]
async fn media_of_interactions_reported_by_hand_are_elided() {
    let mut observed = eliding();
    let asked = json!({"messages": [{"image_url": {"url": "data:image/png;base64,aGVsbG8="}}]});
    let mut interaction = Interaction::new(InteractionKind::Chat, &asked, &json!({})).unwrap();
    observed.layer.reporter().report(interaction.clone());
    interaction.request_mut()["seen"] = true.into();
    observed.layer.reporter().report(interaction);
    let [report, seen] = [observed.report().await, observed.report().await];
    assert_eq!(seen["request"]["messages"], report["request"]["messages"], "of a tree, too");
    assert_eq!(report["request"]["messages"][0]["image_url"]["url"], "image/png, 5 bytes");
}

#[tokio::test]
async fn a_body_with_too_many_media_or_too_deep_nesting_is_reported_without_content() {
    let mut observed = eliding();
    for body in [
        format!(r#"{{"model":"m","a":[{}"picture"]}}"#, r#"{"b64_json":"AAAA"},"#.repeat(10_001)),
        format!(
            r#"{{"model":"m","a":{}{{"b64_json":"{}"}}{}}}"#,
            "[".repeat(1_001),
            "A".repeat(400),
            "]".repeat(1_001)
        ),
    ] {
        exchange(&observed, post("/v1/chat/completions", body.clone()), support::json("{}")).await;
        let report = observed.report().await;
        assert_eq!(report["request"]["model"], "m");
        assert_eq!(report["request"]["omitted"]["bytes"], body.len());
        assert!(!report.to_string().contains("AAAA"));
    }
}
