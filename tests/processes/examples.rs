//! The examples as a newcomer runs them: without settings, on their own simulated OpenAI and
//! collector. The gateway has `gateway.rs`, and the programs of the README have `programs.rs`.

/// For its unit tests: cargo runs none of an example without ceasing to build the example itself.
#[path = "../../examples/redact/redaction.rs"]
mod redaction;

use crate::support;

/// What an example prints when it runs to its end: the answers that it got, and the reports that its collector took.
struct Shown {
    answers: Vec<String>,
    reports: Vec<String>,
    last: String,
}

async fn run(example: &str) -> Shown {
    let output = support::example::run(example, &[]).await;
    let (printed, errors) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success() && errors.is_empty(), "{printed}{errors}");
    let lines = |mark: &str| -> Vec<String> {
        printed.lines().filter_map(|line| line.strip_prefix(mark)).map(str::to_owned).collect()
    };
    let mut reports = lines("report    ");
    // Calls that are made at once are reported in any order.
    reports.sort_by_key(|line| field(line, "asked=").to_owned());
    Shown {
        answers: lines("answer    "),
        reports,
        last: printed.lines().last().unwrap_or_default().to_owned(),
    }
}

/// What stands behind `name=` in the line of a report: up to its end for a quoted text, else one word.
fn field<'a>(line: &'a str, name: &str) -> &'a str {
    let (_, rest) = line.split_once(name).unwrap_or_else(|| panic!("{name} is in {line}"));
    if rest.starts_with('"') { rest } else { rest.split(' ').next().unwrap_or_default() }
}

impl Shown {
    /// Asserts that these interactions, and no others, were reported: type, user, session, and a part of what was
    /// asked and answered.
    #[track_caller]
    fn assert_reported(&self, expected: &[(&str, &str, &str, &str)]) {
        assert_eq!(self.reports.len(), expected.len(), "{:?}", self.reports);
        for (line, (kind, user, session, text)) in self.reports.iter().zip(expected) {
            let shown = (field(line, "type="), field(line, "user="), field(line, "session="));
            assert_eq!(shown, (*kind, *user, *session), "{line}");
            assert!(line.contains("model=gpt-4o") && line.contains(text), "{line}");
        }
        let counts = format!("counts    {0} captured = {0} delivered + 0 rejected", expected.len());
        assert!(self.last.starts_with(&counts), "{}", self.last);
    }
}

const CAT_JOKE: &str = r#"asked="Tell a cat joke" answered="This is answer 1 to \"Tell a cat joke\"""#;

#[tokio::test]
async fn a_call_of_a_hyper_client_is_reported_with_the_user_of_its_extensions() {
    let shown = run("hyper_client").await;
    assert_eq!(shown.answers, [r#""This is answer 1 to \"Tell a cat joke\"""#]);
    shown.assert_reported(&[("chat", "alice", "alice-1", CAT_JOKE)]);
}

#[tokio::test]
async fn a_server_of_hyper_reports_with_the_user_of_its_login_and_ends_without_a_loss() {
    let shown = run("hyper_server").await;
    assert_eq!(shown.answers, [r#""You said: \"Tell a cat joke\"""#]);
    let said = r#"asked="Tell a cat joke" answered="You said: \"Tell a cat joke\"""#;
    shown.assert_reported(&[("chat", "alice", "alice-1", said)]);
}

#[cfg(feature = "reqwest-middleware")]
#[tokio::test]
async fn a_call_through_reqwest_middleware_is_reported_with_the_user_that_it_carries() {
    let shown = run("reqwest_middleware").await;
    assert_eq!(shown.answers, [r#""This is answer 1 to \"Tell a cat joke\"""#]);
    shown.assert_reported(&[("chat", "alice", "alice-1", CAT_JOKE)]);
}

#[tokio::test]
async fn calls_of_async_openai_are_reported_once_each_with_the_user_of_the_request_that_is_handled() {
    let mut shown = run("async_openai").await;
    let chat = r#"This is answer 1 to "Tell a cat joke""#;
    assert_eq!(shown.answers, [chat, chat, r#"This is the response to "Tell a cat joke""#]);
    shown.reports.sort_by_key(|line| field(line, "user=").to_owned());
    let response = r#"asked="Tell a cat joke" answered="This is the response to \"Tell a cat joke\"""#;
    shown.assert_reported(&[
        ("chat", "alice", "alice-1", CAT_JOKE),
        ("chat", "bob", "bob-1", CAT_JOKE),
        ("chat", "carol", "carol-1", response),
    ]);
}

#[tokio::test]
async fn an_app_says_who_asked_by_its_own_extractor_and_by_its_handler() {
    let shown = run("identify").await;
    assert_eq!(shown.answers.len(), 2);
    shown.assert_reported(&[
        ("chat", "alice", "cats", r#"answered="This is answer 1 to \"Tell a joke about cats\"""#),
        ("chat", "-", "dogs", r#"answered="This is answer 1 to \"Tell a joke about dogs\"""#),
    ]);
}

#[tokio::test]
async fn a_spawned_task_has_the_user_that_is_carried_into_it() {
    let shown = run("spawn").await;
    assert_eq!(shown.answers.len(), 3);
    shown.assert_reported(&[
        ("chat", "alice", "alice-1", CAT_JOKE),
        ("chat", "alice", "alice-1", r#"answered="This is answer 1 to \"Tell a dog joke\"""#),
        ("chat", "-", "-", r#"answered="This is answer 1 to \"Tell nobody's joke\"""#),
    ]);
}

#[tokio::test]
async fn addresses_and_keys_are_redacted_in_the_report_and_not_in_the_answer() {
    let shown = run("redact").await;
    let question = r#"I am jane@example.com, my key is sk-proj-0123456789abcdef"#;
    assert_eq!(shown.answers, [format!(r#""This is answer 1 to \"{question}\"""#)]);
    shown.assert_reported(&[(
        "chat",
        "-",
        "-",
        r#"asked="I am [e-mail], my key is [key]" answered="This is answer 1 to \"I am [e-mail], my key is [key]\"""#,
    )]);
}
