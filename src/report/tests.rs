use serde_json::value::RawValue;

use super::*;

fn interaction(request: &str) -> Interaction {
    let request = RawValue::from_string(request.to_owned()).unwrap();
    let interaction = Interaction::new(InteractionKind::Chat, &request, &"an answer").unwrap();
    interaction.user(User::new("alice")).session(Session::new("s"))
}

#[test]
fn a_report_tells_what_it_is_about_until_it_is_read_back_from_disk() {
    let report = Report::new(&interaction("{}"), &ReportOptions::default(), Default::default).unwrap();
    assert_eq!((report.user(), report.session()), (Some(&User::new("alice")), Some(&Session::new("s"))));
    assert_eq!((report.kind(), report.outcome()), (Some(InteractionKind::Chat), Some(Outcome::Answered)));
    assert_eq!((report.provider(), report.operation()), (Some(Provider::default()), None));
    let restored = Report::restore(report.id(), report.bytes(), report.keys_at(), false).unwrap();
    assert_eq!((restored.json(), restored.id()), (report.json(), report.id()));
    assert_eq!((restored.user(), restored.session(), restored.kind()), (None, None, None));
    assert_eq!((restored.provider(), restored.outcome(), restored.operation()), (None, None, None));
}

#[test]
fn a_report_that_was_stored_elsewhere_is_restored_with_the_same_place_for_the_keys() {
    let mut interaction = interaction("{}");
    let element = RawValue::from_string(r#"{"b64_json":"aGVsbG8="}"#.to_owned()).unwrap();
    interaction.images.push(DetachedImage { filename: "image.png".to_owned(), element });
    let report = Report::new(&interaction, &ReportOptions::default(), Default::default).unwrap();
    let uploads = Report::uploads(&interaction).unwrap();
    for report in [report].iter().chain(&uploads) {
        let stored = Report::from_stored(report.id(), report.bytes()).unwrap();
        assert_eq!((stored.id(), stored.json()), (report.id(), report.json()));
        assert_eq!(stored.keys_at(), report.keys_at());
        assert_eq!(stored.is_image_upload(), report.is_image_upload());
    }
}

#[test]
fn a_text_that_would_take_the_keys_to_another_place_is_not_a_report() {
    let opening = r#"{"reconify":{"format":"openai","type":"chat","version":"1.0.0"}"#;
    for (text, problem) in [
        (String::new(), "begin"),
        ("{}".to_owned(), "begin"),
        (format!(" {opening}}}"), "begin"),
        (opening.replace("openai", "open\\u0061i") + "}", "begin"),
        (opening.replace("chat", "") + "}", "begin"),
        (opening.replace("1.0.0\"", "1.0.0\",\"appKey\":\"x\"") + "}", "begin"),
        (opening.replace("openai", "unknown") + "}", "format"),
        (opening.to_owned(), "JSON"),
        (format!("{opening}}}{{}}"), "JSON"),
        (format!(r#"{opening},"a":1e}}"#), "JSON"),
        (format!(r#"{opening},"reconify":{{}}}}"#), "second"),
        (format!(r#"{opening},"recon\u0069fy":{{}}}}"#), "second"),
    ] {
        let error = Report::from_stored(Uuid::nil(), text.clone()).unwrap_err().to_string();
        assert!(error.contains(problem), "{text}: {error}");
    }
    let error = Report::from_stored(Uuid::nil(), [opening.as_bytes(), b",\"a\":\"\xff\"}"].concat());
    assert!(error.is_err());
}

#[test]
fn a_json_line_is_one_line_and_the_same_json_even_if_the_request_has_line_breaks() {
    let request = "{\n  \"a\":\r\n \"x\\ny\"\n}";
    let report = Report::new(&interaction(request), &ReportOptions::default(), Default::default).unwrap();
    assert!(report.json().contains(request), "the request is reported unchanged");
    let line = report.json_line();
    assert!(!line.contains(['\n', '\r']), "{line}");
    let parsed = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    assert_eq!(parsed(&line), parsed(report.json()));
    let report = Report::new(&interaction("{}"), &ReportOptions::default(), Default::default).unwrap();
    assert!(matches!(report.json_line(), Cow::Borrowed(_)));
}

#[test]
fn the_texts_of_user_and_session_count_as_memory_of_the_report() {
    let report = Report::new(&interaction("{}"), &ReportOptions::default(), Default::default).unwrap();
    assert_eq!(report.held(), report.len() + "alice".len() + "s".len());
}
