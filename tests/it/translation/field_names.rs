//! Promise 5 and the console's: fields of odd names neither hide what was said nor take the place of what is reached for.

use serde_json::Value;

use crate::support::{events, exchange, json, observed, post};

#[tokio::test]
async fn a_streamed_response_with_an_unknown_object_name_still_has_choices() {
    let mut observed = observed();
    let stream = events(&[r#"{"type":"response.completed","response":{"object":"x","id":"resp_1"}}"#]);
    exchange(&observed, post("/v1/responses", "{}"), stream).await;
    let response = observed.report().await["response"].take();
    assert!(response["choices"].is_array(), "{response}");
}

#[tokio::test]
async fn a_field_named_choices_in_a_response_does_not_replace_the_converted_choices() {
    let mut observed = observed();
    let output = r#"[{"type":"message","content":[{"type":"output_text","text":"Hi"}]}]"#;
    for answer in [
        format!(r#"{{"object":"response","output":{output},"choices":1}}"#),
        format!(r#"{{"object":"response","choices":1,"output":[],"output":{output}}}"#),
    ] {
        exchange(&observed, post("/v1/responses", "{}"), json(answer)).await;
        let response = observed.report().await["response"].take();
        assert_eq!(response["choices"][0]["message"]["content"], "Hi", "{response}");
    }
}

#[tokio::test]
async fn a_field_named_messages_in_a_request_does_not_replace_the_converted_messages() {
    let mut observed = observed();
    for question in [r#"{"input":"Hi","messages":1}"#, r#"{"messages":1,"input":[],"input":"Hi"}"#] {
        exchange(&observed, post("/v1/responses", question), json("{}")).await;
        let request = observed.report().await["request"].take();
        assert_eq!(request["messages"][0]["content"], "Hi", "{request}");
    }
}

#[tokio::test]
async fn image_data_leaves_a_report_even_if_its_list_is_there_twice() {
    let mut observed = observed();
    let answer = r#"{"created":1,"data":[{"b64_json":"AAAA"}],"data":[{"b64_json":"BBBB"}]}"#;
    exchange(&observed, post("/v1/images/generations", "{}"), json(answer)).await;
    let response: Value = observed.report().await["response"].take();
    assert!(!response.to_string().contains("b64_json"), "{response}");
}
