use serde_json::value::RawValue;

use super::*;
use crate::provider::media;
use crate::provider::target::RequestTarget;

fn raw(json: &str) -> Box<RawValue> {
    RawValue::from_string(json.to_owned()).unwrap()
}

fn request(path: &str, headers: [Option<&str>; 2], body: &str) -> String {
    let [content_type, accept] = headers.map(|header| header.map(Into::into));
    let target = RequestTarget { path: path.into(), content_type, accept };
    let envelope = PROVIDER.operations[0].envelope.unwrap();
    (envelope.request)(&raw(body), &target).json
}

#[test]
fn a_request_has_the_model_of_its_path_and_its_headers_and_the_body_letter_by_letter() {
    const ARN: &str = "arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fus.anthropic.claude-v1%3A0";
    for (id, model) in [
        ("amazon.nova-lite-v1%3A0", r#""modelId":"amazon.nova-lite-v1:0""#),
        ("openai.gpt-oss-120b-1:0", r#""modelId":"openai.gpt-oss-120b-1:0""#),
        ("us.a.b", r#""modelId":"a.b","modelArn":"us.a.b""#),
        ("us-gov.a.b", r#""modelId":"a.b","modelArn":"us-gov.a.b""#),
        ("global.a.b", r#""modelId":"a.b","modelArn":"global.a.b""#),
        // A name, not a region.
        ("eu.model", r#""modelId":"eu.model""#),
        ("m", r#""modelId":"m""#),
        (
            ARN,
            r#""modelId":"anthropic.claude-v1:0","modelArn":"arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-v1:0""#,
        ),
    ] {
        let body = r#"{ "a":1e999, "a":0.10 }"#;
        let expected = format!(
            r#"{{{model},"contentType":"application/json","accept":"application/json","body":{body}}}"#
        );
        assert_eq!(request(&format!("/model/{id}/invoke"), [None, None], body), expected);
    }
}

#[test]
fn the_headers_of_the_request_come_before_the_defaults() {
    let json = request("/ask", [Some("text/x"), Some("*/*")], "{}");
    assert_eq!(json, r#"{"contentType":"text/x","accept":"*/*","body":{}}"#, "a declared route has no model");
}

#[test]
fn a_body_that_is_a_string_is_the_json_of_a_string() {
    let json = request("/ask", [None, None], r#""a\n""#);
    let body = &serde_json::from_str::<Value>(&json).unwrap()["body"];
    assert_eq!(body.as_str().unwrap(), r#""a\n""#);
}

#[test]
fn a_response_has_its_id_if_the_header_has_one() {
    let response = PROVIDER.operations[1].envelope.unwrap().response.unwrap();
    assert_eq!(response(&raw("[0.10]"), Some("a-1")), r#"{"requestId":"a-1","body":[0.10]}"#);
    assert_eq!(response(&raw("{}"), None), r#"{"body":{}}"#);
}

#[test]
fn a_response_with_a_message_only_is_an_error() {
    let row = &PROVIDER.operations[0];
    let made = (row.error)("no_response", "\"", row.placeholders.response).to_json();
    assert_eq!(made, r#"{"type":"no_response","message":"\""}"#);
    for (answer, is_error) in [
        (&*made, true),
        (r#"{"message":"x"}"#, true),
        (r#"{"Message":"x","__type":"y"}"#, true),
        (r#"{"message":"a video","finishReason":"stop"}"#, false),
        (r#"{"output":{"message":{}}}"#, false),
        (r#"{"type":"message"}"#, false),
        ("{}", false),
        ("[]", false),
    ] {
        assert_eq!((row.is_error)(answer.as_bytes()), is_error, "{answer}");
    }
}

#[test]
fn images_and_files_of_converse_are_found_by_their_source() {
    let elided = |json: &str| media::elide(raw(json)).unwrap().get().to_owned();
    for (before, after) in [
        (
            r#"{"image":{"format":"png","source":{"bytes":"aW1hZ2U="}}}"#,
            r#"{"image":{"format":"png","source":{"bytes":"image/png, 5 bytes"}}}"#,
        ),
        (
            r#"[{"document":{"source":{"bytes":"aW1hZ2U="},"name":"n","format":"pdf"}},{"video":{"source":{"bytes":"YQ=="}}}]"#,
            r#"[{"document":{"source":{"bytes":"document/pdf, 5 bytes"},"name":"n","format":"pdf"}},{"video":{"source":{"bytes":"video, 1 bytes"}}}]"#,
        ),
        (
            r#"{"guardContent":{"image":{"format":"jpeg","source":{"bytes":"YQ=="}}}}"#,
            r#"{"guardContent":{"image":{"format":"jpeg","source":{"bytes":"image/jpeg, 1 bytes"}}}}"#,
        ),
    ] {
        assert_eq!(elided(before), after);
    }
    for other in [
        r#"{"bytes":"YQ=="}"#,
        r#"{"source":{"bytes":"YQ=="}}"#,
        r#"{"other":{"source":{"bytes":"YQ=="}}}"#,
        r#"{"image":{"bytes":"YQ==","source":{"s3Location":{"uri":"s3://a"}}}}"#,
        r#"{"image":{"source":{"bytes":"no base64!"}}}"#,
    ] {
        assert_eq!(elided(other), other);
    }
}
