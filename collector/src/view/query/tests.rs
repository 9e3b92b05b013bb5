use super::*;
use crate::store::{Problem, Tokens, User};

const NOW: u64 = 1_796_069_209_000;

fn row() -> Summary {
    Summary {
        key: "k1".into(),
        received: NOW,
        requested: Some(NOW - 60_000),
        format: "openai".into(),
        kind: "chat".into(),
        session: Some("chat-2".into()),
        user: Some(User { key: "u-7".into(), email: Some("Боб@example.org".into()), ..User::default() }),
        model: Some("gpt-4o".into()),
        outcome: Some("interrupted".into()),
        status: Some(200),
        ttft: Some(300),
        duration: Some(2500),
        tokens: Tokens { asked: Some(3000), out: Some(1500), ..Tokens::default() },
        bytes: 2_000_000,
        tools: vec!["get_weather".into()],
        has: vec!["tool".into()],
        tags: [("tier".to_owned(), "Gold".to_owned())].into(),
        attempts: 3,
        faulted: 2,
        streamed: true,
        problems: vec![Problem { check: "two-users".into(), level: Level::Error, text: String::new() }],
        ..Summary::default()
    }
}

#[test]
fn terms_are_joined_by_and_and_values_by_or() {
    for (text, expected) in [
        ("", true),
        ("*", true),
        ("user:u-7", true),
        ("user:БОБ", true),
        (r#"user:"u-7" model:GPT"#, true),
        (r#"user:"u""#, false),
        (r#"session:"chat-2""#, true),
        ("model:claude,gpt", true),
        ("model:claude,gemini", false),
        ("-model:claude outcome:interrupted", true),
        ("-user:u-7", false),
        ("is:failed is:streamed is:faulted is:repeated is:interrupted", true),
        ("is:truncated", false),
        ("is:truncated,streamed has:image,tool", true),
        ("-is:truncated,streamed", false),
        ("has:tool has:two-users has:problem has:error", true),
        ("has:image", false),
        ("tool:weather tag.tier:gold", true),
        ("tag.other:gold", false),
        ("ttft>=300 ttft<301 ms>2000 ms<2.6s tokens>4000 tokens=4500 bytes>1M", true),
        ("bytes>2M", false),
        ("status:2xx", true),
        ("status:404,200", true),
        ("status>=400", false),
        ("after:10m", true),
        ("after:30s", false),
        ("after:20:00 before:20:06", true),
        ("before:2026-11-30", false),
        ("after:2026-11-30T20:05 before:1796069209000", true),
        ("type:chat format:openai key:k1", true),
    ] {
        let query = parse(text, NOW, 0).unwrap();
        assert_eq!(query.matches(&row()), expected, "{text}");
        assert!(query.words.is_empty(), "{text}");
    }
    assert!(parse("after:22:00 before:22:06", NOW, 120).unwrap().matches(&row()));
}

#[test]
fn words_and_phrases_are_looked_for_in_what_was_said() {
    let said = folded("Погода в Осло?\nСегодня дождь. 今天我很好 <b>a:b</b> https://x.org \"quoted\"");
    for (text, expected) in [
        ("погода", true),
        ("ОСЛО дожд", true),
        ("天我", true),
        ("\"в осло\"", true),
        ("осло в", true),
        ("\"осло в\"", false),
        ("-снег погода", true),
        ("-погода", false),
        ("<b>", true),
        ("\"a:b\"", true),
        ("https://x.org", true),
        (r#""\"quoted\"""#, true),
        (".*", false),
        ("%", false),
    ] {
        assert_eq!(parse(text, NOW, 0).unwrap().words.are_in(&said), expected, "{text}");
    }
}

#[test]
fn a_wrong_filter_says_what_is_wrong_and_where() {
    for (text, at, message) in [
        ("x nope:1", 2, "there is no filter `nope:`"),
        ("is:odd", 0, "there is no `is:odd`"),
        ("y  has:odd", 3, "there is no `has:odd`"),
        ("user:", 0, "`user:` has no value"),
        ("ms>fast", 0, "`fast` is not a number"),
        ("after:never", 0, "`never` is not a time"),
        ("after:1m,2m", 0, "one time only"),
        ("is:failed,odd", 0, "there is no `is:odd`"),
        ("я \"open", 2, "a quotation mark is not closed"),
        ("tag.:x", 0, "there is no filter"),
    ] {
        let error = parse(text, NOW, 0).unwrap_err();
        assert_eq!(error.at, at, "{text}");
        assert!(error.message.contains(message), "{text}: {}", error.message);
    }
    assert!(parse(&"x".repeat(5000), NOW, 0).is_err());
    assert_eq!(parse(&"x ".repeat(51), NOW, 0).unwrap_err().at, 100);
}
