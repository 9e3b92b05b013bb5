//! Promise 7: the application can redact, sample or skip per request; a hook that panics drops the content, not the
//! process.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use axum::body::Body;
use axum::http::{Extensions, Request};
use serde_json::{Value, json};
use tower_reconify::{
    Config, ConfigBuilder, DoNotReport, Interaction, InteractionKind, OmitContent, Session, User,
    WithholdReason,
};

use crate::support::{
    self, ANSWER, CHAT, Observed, assert_accounted, chat, exchange, field, observed, observed_with, post,
};

fn builder() -> ConfigBuilder {
    Config::builder("a", "b")
}

fn hooked(hook: impl Fn(Interaction) -> Option<Interaction> + Send + Sync + 'static) -> Observed {
    observed_with(builder().before_send(hook).build().unwrap())
}

fn asked_with(extend: impl FnOnce(&mut Extensions)) -> Request<Body> {
    let mut request = chat();
    extend(request.extensions_mut());
    request
}

#[tokio::test]
async fn an_opted_out_request_is_not_recorded() {
    let observed = &mut observed();
    let request = asked_with(|extensions| {
        extensions.insert(DoNotReport);
    });
    exchange(observed, request, support::json(ANSWER)).await;
    let (reports, stats) = observed.settle().await;
    assert!(reports.is_empty());
    assert_eq!((stats.captured, stats.withheld(WithholdReason::OptedOut), stats.bytes_held), (1, 1, 0));
    assert_accounted(&stats);
}

#[tokio::test]
async fn without_its_content_a_report_has_model_usage_and_lengths() {
    let mut observed = observed();
    let answer = r#"{"id":"c","object":"chat.completion","created":1.0e3,"model":"gpt-4o-x","choices":[{"message":{"content":"secret"}}],"usage":{"total_tokens":12345678901234567890}}"#;
    let request = asked_with(|extensions| {
        extensions.insert(OmitContent);
        extensions.insert(User::new("u"));
    });
    exchange(&observed, request, support::json(answer)).await;
    let report = observed.report_text().await;
    assert_eq!(
        field(&report, "request"),
        format!(r#"{{"model":"gpt-4o","messages":[],"omitted":{{"bytes":{}}}}}"#, CHAT.len())
    );
    assert_eq!(
        field(&report, "response"),
        format!(
            r#"{{"id":"c","object":"chat.completion","created":1.0e3,"model":"gpt-4o-x","usage":{{"total_tokens":12345678901234567890}},"choices":[],"omitted":{{"bytes":{}}}}}"#,
            answer.len()
        )
    );
    assert_eq!(field(&report, "user"), r#"{"userId":"u"}"#);
}

#[tokio::test]
async fn without_its_content_no_image_is_uploaded() {
    let mut observed = observed();
    let mut request = post("/v1/images/generations", r#"{"prompt":"secret"}"#);
    request.extensions_mut().insert(OmitContent);
    exchange(&observed, request, support::json(r#"{"data":[{"b64_json":"aGVsbG8="}]}"#)).await;
    let (reports, _) = observed.settle().await;
    assert_eq!(reports.len(), 1);
    assert_eq!((&reports[0]["response"]["data"], &reports[0]["request"]["prompt"]), (&json!([]), &json!("")));
}

#[tokio::test]
async fn a_hook_can_redact_tag_and_leave_out() {
    let config = builder().metadata(true).before_send(|mut interaction| {
        if interaction.request().contains("forbidden") {
            return None;
        }
        interaction.request_mut()["messages"][0]["content"] = "redacted".into();
        assert_eq!(interaction.kind(), InteractionKind::Chat);
        Some(interaction.tag("checked", "yes"))
    });
    let mut observed = observed_with(config.build().unwrap());
    exchange(&observed, chat(), support::json(ANSWER)).await;
    let forbidden = post("/v1/chat/completions", r#"{"messages":[{"content":"forbidden"}]}"#);
    exchange(&observed, forbidden, support::json(ANSWER)).await;
    let (reports, stats) = observed.settle().await;
    assert_eq!(reports.len(), 1);
    assert_eq!(reports[0]["request"]["messages"][0]["content"], "redacted");
    assert_eq!(reports[0]["response"], serde_json::from_str::<Value>(ANSWER).unwrap());
    assert_eq!(reports[0]["metadata"]["tags"], json!({"checked": "yes"}));
    assert_eq!((stats.withheld(WithholdReason::Hook), stats.delivered), (1, 1));
    assert_accounted(&stats);
}

#[tokio::test]
async fn a_part_that_no_hook_changes_stays_byte_for_byte() {
    let mut observed = hooked(|mut interaction| {
        assert!(interaction.request().contains("1.0e2"));
        interaction.response_mut()["seen"] = true.into();
        Some(interaction)
    });
    let request = r#"{"messages":[], "a":1.0e2,"dup":1,"dup":2,"s":"\ud83d"}"#;
    exchange(&observed, post("/v1/chat/completions", request), support::json(ANSWER)).await;
    let report = observed.report_text().await;
    assert_eq!(field(&report, "request"), request);
    assert!(field(&report, "response").contains(r#""seen":true"#));
}

#[tokio::test]
async fn a_hook_that_panics_loses_the_content_and_nothing_else() {
    let calls = AtomicU64::new(0);
    let mut observed = hooked(move |mut interaction| {
        interaction.request_mut()["half"] = "done".into();
        assert!(calls.fetch_add(1, SeqCst) > 0, "on purpose");
        Some(interaction)
    });
    for _ in 0..2 {
        exchange(&observed, chat(), support::json(ANSWER)).await;
    }
    let (reports, stats) = observed.settle().await;
    let (lost, kept): (Vec<&Value>, Vec<&Value>) =
        reports.iter().partition(|report| report["request"]["omitted"].is_object());
    assert_eq!((lost.len(), kept.len()), (1, 1));
    assert_eq!(
        lost[0]["request"],
        json!({"model": "gpt-4o", "messages": [], "omitted": {"bytes": CHAT.len()}})
    );
    assert_eq!(lost[0]["response"]["choices"], json!([]));
    assert_eq!((stats.delivered, stats.hook_panics), (2, 1));
}

#[tokio::test]
async fn omitting_content_more_than_once_keeps_the_original_lengths() {
    let mut observed = hooked(|mut interaction| {
        interaction.omit_content();
        interaction.omit_content();
        panic!("on purpose");
    });
    let request = asked_with(|extensions| {
        extensions.insert(OmitContent);
    });
    exchange(&observed, request, support::json(ANSWER)).await;
    let report = observed.report().await;
    assert_eq!(report["request"]["omitted"]["bytes"], CHAT.len());
    assert_eq!(report["response"]["omitted"]["bytes"], ANSWER.len());
}

#[tokio::test]
async fn fields_that_remain_without_content_contain_no_content() {
    let mut observed = observed();
    let mut request =
        post("/v1/chat/completions", r#"{"model":["secret"],"id":{"x":"secret"},"messages":[]}"#);
    request.extensions_mut().insert(OmitContent);
    exchange(&observed, request, support::json(ANSWER)).await;
    assert!(!observed.report_text().await.contains("secret"));
}

#[tokio::test]
async fn a_body_that_no_tree_can_hold_is_omitted_if_a_hook_asks_for_the_tree() {
    let mut observed = hooked(|mut interaction| {
        interaction.request_mut();
        Some(interaction)
    });
    let deep = format!("{}{}", "[".repeat(1_000), "]".repeat(1_000));
    for request in [
        r#"{"model":"m","x":1e999,"messages":["secret"]}"#,
        &format!(r#"{{"model":"m","x":{deep},"messages":["secret"]}}"#),
    ] {
        exchange(&observed, post("/v1/chat/completions", request.to_owned()), support::json(ANSWER)).await;
        let report = observed.report().await;
        assert_eq!(
            report["request"],
            json!({"model": "m", "messages": [], "omitted": {"bytes": request.len()}})
        );
    }
}

#[tokio::test]
async fn hooks_see_interactions_reported_by_hand() {
    let mut observed = hooked(|interaction| Some(interaction.user(User::new("from the hook"))));
    let interaction = Interaction::new(InteractionKind::Assistant, &json!({}), &json!({})).unwrap();
    observed.layer.reporter().report(interaction);
    assert_eq!(observed.report().await["user"]["userId"], "from the hook");
}

#[tokio::test]
async fn a_hook_can_report_an_exchange_without_user_and_session() {
    let mut observed = hooked(|interaction| Some(interaction.without_identity()));
    let mut request = chat();
    request.extensions_mut().insert(User::new("user-42").authenticated(true));
    request.extensions_mut().insert(Session::new("session-7"));
    exchange(&observed, request, support::json(ANSWER)).await;
    let report = observed.report().await;
    assert_eq!((&report["user"], &report["session"]), (&json!({}), &json!(null)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_that_hangs_does_not_hold_up_a_shutdown() {
    let (gate, hold) = std::sync::mpsc::channel::<()>();
    let hold = std::sync::Mutex::new(hold);
    let observed = hooked(move |interaction| {
        let _ = hold.lock().unwrap().recv();
        Some(interaction)
    });
    exchange(&observed, chat(), support::json(ANSWER)).await;
    let report = observed.layer.reporter().shutdown(std::time::Duration::from_millis(100)).await;
    assert_eq!((report.delivered, report.dropped), (0, 1));
    drop(gate);
}

#[tokio::test]
async fn a_session_can_be_derived_where_there_is_none() {
    let config = builder().session_from(|interaction| {
        let user = interaction.identity().user()?.id()?.to_owned();
        assert_ne!(user, "panic", "on purpose");
        Some(format!("of {user}"))
    });
    let mut observed = observed_with(config.build().unwrap());
    for (user, session, expected) in [
        (Some("u"), None, json!(["of u", null])),
        (Some("u"), Some(Session::new("s")), json!(["s", null])),
        (Some("u"), Some(Session::new("").with_timeout(Duration::from_secs(7 * 60))), json!(["of u", 7])),
        (None, None, json!([null, null])),
        (Some("panic"), None, json!([null, null])),
    ] {
        let request = asked_with(|extensions| {
            user.map(|user| extensions.insert(User::new(user)));
            session.map(|session| extensions.insert(session));
        });
        exchange(&observed, request, support::json(ANSWER)).await;
        let report = observed.report().await;
        assert_eq!(json!([report["session"], report["sessionTimeout"]]), expected);
    }
    assert_eq!(observed.layer.reporter().stats().hook_panics, 1);
}

#[tokio::test]
async fn sampling_keeps_or_drops_whole_sessions() {
    let mut observed = observed_with(builder().sample(0.5).build().unwrap());
    for turn in 0..300 {
        let request =
            asked_with(|extensions| drop(extensions.insert(Session::new(format!("s{}", turn % 100)))));
        exchange(&observed, request, support::json(ANSWER)).await;
    }
    let (reports, stats) = observed.settle().await;
    let mut sessions: HashMap<String, u32> = HashMap::new();
    for report in &reports {
        *sessions.entry(report["session"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    assert!(sessions.values().all(|turns| *turns == 3), "{sessions:?}");
    assert!((30..70).contains(&sessions.len()), "{}", sessions.len());
    assert_eq!(stats.withheld(WithholdReason::SampledOut), 300 - reports.len() as u64);
    assert_accounted(&stats);
}

#[tokio::test]
async fn a_derived_session_decides_about_the_sample() {
    let asked = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&asked);
    let config = builder().sample(0.5).session_from(move |_| {
        counted.fetch_add(1, SeqCst);
        // Its place is 0.61.
        Some("conversation-7".to_owned())
    });
    let mut observed = observed_with(config.build().unwrap());
    exchange(&observed, chat(), support::json(ANSWER)).await;
    assert_eq!(observed.settle().await.1.withheld(WithholdReason::SampledOut), 1);
    assert_eq!(asked.load(SeqCst), 1);
}

#[test]
fn a_sampling_rate_outside_of_zero_to_one_is_an_error_at_build() {
    for rate in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
        let error = builder().sample(rate).build().unwrap_err().to_string();
        assert!(error.contains("sample") && error.contains("from 0 to 1"), "{error}");
    }
}
