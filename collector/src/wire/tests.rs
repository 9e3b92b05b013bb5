use serde_json::{Value, json};

use super::*;

fn report() -> Value {
    json!({
        "reconify": {"format": "openai", "type": "chat", "version": "1.0.0", "appKey": "APP", "apiKey": "API"},
        "timestamps": {"request": 1, "response": 2},
        "session": null, "sessionTimeout": null, "user": {},
        "request": {"model": "gpt-4o", "messages": []}, "response": {"choices": []}
    })
}

fn check(report: &Value, is_strict: bool) -> Result<Accepted, Rejected> {
    let rules = Rules { is_strict, ..Rules::default() };
    rules.check(report.to_string().as_bytes(), Target::Track)
}

fn pointers(fields: &[Field]) -> Vec<&str> {
    fields.iter().map(|field| &*field.pointer).collect()
}

#[test]
fn a_report_within_the_contract_is_taken_in_either_mode() {
    for is_strict in [false, true] {
        let accepted = check(&report(), is_strict).unwrap();
        assert_eq!(accepted.deviations, []);
        assert!(accepted.text.contains(r#""appKey":"…""#), "{}", accepted.text);
    }
}

#[test]
fn a_report_without_keys_is_refused_in_either_mode() {
    for is_strict in [false, true] {
        let mut report = report();
        report["reconify"] = json!({"format": "openai", "type": "chat", "version": "1.0.0", "apiKey": ""});
        let rejected = check(&report, is_strict).unwrap_err();
        assert_eq!(pointers(&rejected.fields), ["/reconify/appKey", "/reconify/apiKey"]);
        assert_eq!((&*rejected.fields[0].found, &*rejected.fields[1].found), ("nothing", "\"\""));
    }
}

#[test]
fn a_refusal_names_every_offending_field_with_what_was_found_and_expected() {
    let report = json!({
        "reconify": {"format": "openai", "type": "chat", "version": 1, "appKey": "APP", "apiKey": "API"},
        "timestamps": {"request": "now", "response": -1},
        "session": "", "sessionTimeout": "5", "user": {"firstName": "A", "a/b~": 1, "isAuthenticated": true},
        "request": {"messages": {}}, "response": {}
    });
    let rejected = check(&report, true).unwrap_err();
    assert_eq!(rejected.status, 400);
    assert_eq!(
        pointers(&rejected.fields),
        [
            "/reconify/version",
            "/timestamps/request",
            "/timestamps/response",
            "/session",
            "/sessionTimeout",
            "/user/a~1b~0",
            "/user/isAuthenticated",
            "/user",
            "/request/messages",
            "/response/choices"
        ]
    );
    let timeout = &rejected.fields[4];
    assert_eq!((&*timeout.found, &*timeout.expected), ("\"5\"", "null or a number of minutes"));
}

#[test]
fn what_the_vendors_modules_send_is_taken_with_its_deviations_and_refused_when_strict() {
    let mut report = report();
    report["reconify"]["version"] = json!("3.0.0");
    report["session"] = json!("");
    report["sessionTimeout"] = json!("");
    report["response"] = json!({"controller": {}});
    let accepted = check(&report, false).unwrap();
    let expected = ["/reconify/version", "/session", "/sessionTimeout", "/response/choices"];
    assert_eq!(pointers(&accepted.deviations), expected);
    assert_eq!(pointers(&check(&report, true).unwrap_err().fields), expected);
}

#[test]
fn every_format_is_taken_in_its_own_shape_and_its_own_errors() {
    let body = r#"{"messages":[]}"#;
    for (format, version, kind, request, responses) in [
        (
            "openai",
            "1.0.0",
            "completion",
            json!({"prompt": [1]}),
            vec![json!({"choices": []}), json!({"error": {}})],
        ),
        ("openai", "1.0.0", "image", json!({}), vec![json!({"data": []})]),
        (
            "anthropic",
            "3.0.0",
            "chat",
            json!({"messages": []}),
            vec![json!({"content": []}), json!({"type": "error", "error": {}})],
        ),
        ("anthropic", "3.0.0", "completion", json!({"prompt": ""}), vec![json!({"completion": ""})]),
        (
            "gemini",
            "2.2.0",
            "generate",
            json!({"contents": [], "model": "g"}),
            vec![json!({"candidates": []}), json!({"promptFeedback": {}})],
        ),
        (
            "gemini",
            "2.2.0",
            "chat",
            json!({"contents": [], "history": [], "model": "g"}),
            vec![json!({"candidates": []})],
        ),
        ("bedrock", "1.0.0", "chat", json!({"modelId": "m", "body": body}), vec![json!({"body": {}})]),
        (
            "cohere",
            "2.1.0",
            "chat",
            json!({"messages": []}),
            vec![json!({"message": {}}), json!({"message": "too many"})],
        ),
        ("cohere", "2.1.0", "chat", json!({"message": "x"}), vec![json!({"text": ""})]),
        ("cohere", "2.1.0", "generate", json!({"prompt": "x"}), vec![json!({"generations": []})]),
        (
            "mistral",
            "2.4.0",
            "chat",
            json!({"messages": []}),
            vec![json!({"choices": []}), json!({"object": "error", "message": "x"})],
        ),
        ("perplexity", "2.4.0", "chat", json!({"messages": []}), vec![json!({"choices": []})]),
        ("universal", "3.1.0", "chat", json!({"prompt": "x"}), vec![json!({"response": "y"})]),
    ] {
        for response in responses {
            let mut report = report();
            report["reconify"]["format"] = json!(format);
            report["reconify"]["version"] = json!(version);
            report["reconify"]["type"] = json!(kind);
            report["request"] = request.clone();
            report["response"] = response.clone();
            let checked = check(&report, true);
            assert!(checked.is_ok(), "{format} {kind} {response}: {:?}", checked.unwrap_err().fields);
            report["response"] = json!([]);
            assert!(check(&report, true).is_err(), "{format} {kind}");
        }
    }
}

#[test]
fn a_wrong_key_is_refused_and_never_shown() {
    let rules =
        Rules { app_key: Some("APP".to_owned()), api_key: Some("another".to_owned()), ..Rules::default() };
    let mut wrong = report();
    wrong["reconify"]["apiKey"] = json!("secret-secret-1234");
    wrong["request"]["p"] = json!("secret-secret-1234");
    let rejected = rules.check(wrong.to_string().as_bytes(), Target::Track).unwrap_err();
    assert_eq!(rejected.status, 401);
    assert_eq!((&*rejected.fields[0].pointer, &*rejected.fields[0].found), ("/reconify/apiKey", "…1234"));
    assert!(!format!("{rejected:?}").contains("secret"), "{rejected:?}");
}

#[test]
fn an_image_needs_its_name_and_data_and_its_own_endpoint() {
    let mut upload = json!({
        "reconify": {"format": "openai", "type": "image-upload", "version": "1.0.0", "appKey": "APP", "apiKey": "API"},
        "upload": {"filename": "a.png", "type": "response-image", "format": "b64_json", "data": {"b64_json": ""}}
    });
    let rules = Rules { is_strict: true, ..Rules::default() };
    let check =
        |upload: &Value, target| rules.check(upload.to_string().as_bytes(), target).map_err(|e| e.fields);
    assert!(check(&upload, Target::Upload).is_ok());
    assert_eq!(pointers(&check(&upload, Target::Track).unwrap_err()), ["/reconify/type"]);
    upload["upload"] = json!({"filename": ""});
    assert_eq!(
        pointers(&check(&upload, Target::Upload).unwrap_err()),
        ["/upload/filename", "/upload/data", "/upload/type", "/upload/format"]
    );
}

#[test]
fn what_is_no_json_is_refused_with_its_first_bytes_without_keys() {
    let rules = Rules::default();
    for body in ["{\"reconify\":{\"appKey\":\"secret-secret-1234\"", "[\"appKey\"]", "\u{1b}[2J", ""] {
        let rejected = rules.check(body.as_bytes(), Target::Track).unwrap_err();
        assert_eq!((rejected.status, &*rejected.fields[0].pointer), (400, ""));
        assert!(!rejected.head.contains("secret") && !rejected.head.contains('\u{1b}'), "{}", rejected.head);
    }
    assert_eq!(rules.check(b"\xff\xfe", Target::Track).unwrap_err().status, 400);
}

#[test]
fn no_key_is_named_as_what_was_found() {
    let key = "key-in-the-wrong-place";
    let mut misplaced = report();
    misplaced["reconify"]["apiKey"] = json!(key);
    misplaced["session"] = json!({"of": key});
    misplaced["user"] = json!({key: 1});
    for body in [
        json!(format!("appKey={key}")),
        json!([{"appKey": key}]),
        json!({"reconify": {"app_key": key}}),
        misplaced,
    ] {
        let rules = Rules { is_strict: true, ..Rules::default() };
        let rejected = rules.check(body.to_string().as_bytes(), Target::Track).unwrap_err();
        assert!(!rejected.fields.is_empty() && !format!("{rejected:?}").contains(key), "{rejected:?}");
    }
}

#[test]
fn a_long_name_makes_no_long_pointer() {
    let mut report = report();
    report["user"] = json!({"n".repeat(1_000_000): 1, "userId": "u"});
    assert!(check(&report, false).unwrap().deviations[0].pointer.len() < 200);
}
