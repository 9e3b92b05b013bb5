use axum::body::Body;
use serde_json::{Value, json};

use crate::support::{assistant, chat, client, ids, user};

#[tokio::test]
async fn twenty_turns_show_each_message_once_and_a_question_asked_twice_twice() {
    let client = client();
    let mut messages = vec![json!({"role": "system", "content": "Be kind."})];
    for turn in 0..20 {
        let question = if turn == 7 { "question 6.".to_owned() } else { format!("question {turn}.") };
        messages.push(user(&question));
        client.taken(&chat("long", json!(messages), &format!("answer {turn}."))).await;
        messages.push(assistant(&format!("answer {turn}.")));
    }
    let session = client.get("/api/sessions/long").await;
    let turns = session["turns"].as_array().unwrap();
    let shown: usize = turns.iter().map(|turn| turn["messages"].as_array().unwrap().len()).sum();
    assert_eq!((turns.len(), shown, &session["threads"]), (20, 21, &json!(1)));
    assert!(turns.iter().skip(1).all(|turn| turn["relation"] == "continued"));
    let markdown = client.get_text("/api/sessions/long?format=md").await;
    assert_eq!(markdown.matches("Be kind.").count(), 1);
    for turn in 0..20 {
        assert_eq!(markdown.matches(&format!("\nanswer {turn}.\n")).count(), 1, "{turn}");
        let expected = match turn {
            6 => 2,
            7 => 0,
            _ => 1,
        };
        assert_eq!(markdown.matches(&format!("\nquestion {turn}.\n")).count(), expected, "{turn}");
    }
    assert_eq!(markdown.lines().next().unwrap(), "# Session long");
}

#[tokio::test]
async fn edited_history_and_branches_are_marked_with_what_changed() {
    let client = client();
    let system = json!({"role": "system", "content": "S"});
    client.taken(&chat("e", json!([system, user("one")]), "first")).await;
    let mut second = chat("e", json!([system, user("one"), assistant("first"), user("two")]), "second");
    second["request"]["temperature"] = json!(0.7);
    second["request"]["tools"] = json!([{"type": "function", "function": {"name": "f"}}]);
    client.taken(&second).await;
    client
        .taken(&chat(
            "e",
            json!([
                system,
                user("one, edited"),
                assistant("first"),
                user("two"),
                assistant("second"),
                user("three")
            ]),
            "third",
        ))
        .await;
    client
        .taken(&chat("e", json!([system, user("one"), assistant("first"), user("another")]), "fourth"))
        .await;
    let session = client.get("/api/sessions/e").await;
    let turns = session["turns"].as_array().unwrap();
    let relations: Vec<_> = turns.iter().map(|turn| turn["relation"].as_str().unwrap()).collect();
    assert_eq!(relations, ["start", "continued", "edited", "branch"]);
    assert_eq!(
        turns[1]["changes"],
        json!([{"name": "temperature", "from": null, "to": "0.7"}, {"name": "tools", "from": null, "to": "f"}])
    );
    let history = &turns[2]["history"];
    assert_eq!(history["removed"][0]["parts"][0]["text"], "one");
    assert_eq!(history["added"][0]["parts"][0]["text"], "one, edited");
    assert_eq!(
        history["diff"],
        json!([{"op": "removed", "text": "one"}, {"op": "added", "text": "one, edited"}])
    );
    assert_eq!(
        (&turns[2]["messages"].as_array().unwrap().len(), &turns[3]["parent"], &turns[3]["thread"]),
        (&1, &json!(1), &json!(1))
    );
    let comparison = client.get("/api/compare?a=1&b=3").await;
    assert_eq!((&comparison["common"], &comparison["tooLarge"]), (&json!(1), &json!(false)));
}

#[tokio::test]
async fn two_users_in_one_session_are_detected() {
    let client = client();
    client.taken(&chat("shared", json!([user("one")]), "ok")).await;
    let mut other = chat("shared", json!([user("two")]), "ok");
    other["user"]["userId"] = json!("eve");
    client.taken(&other).await;
    let mut changed = chat("shared", json!([user("three")]), "ok");
    changed["user"]["isAuthenticated"] = json!(0);
    client.taken(&changed).await;
    assert_eq!(ids(&client.get("/api/reports?q=has:two-users").await), [3, 2]);
    assert_eq!(ids(&client.get("/api/reports?q=has:user-changed").await), [3]);
    let problems = client.get("/api/problems").await;
    assert_eq!(
        (&problems["problems"][0]["check"], &problems["problems"][0]["count"]),
        (&json!("two-users"), &json!(2))
    );
    let session = &client.get("/api/sessions").await["sessions"][0];
    assert_eq!((&session["users"], &session["interactions"]), (&json!(2), &json!(3)));
}

#[tokio::test]
async fn checks_find_what_a_reporter_gets_wrong() {
    let client = client();
    let tool = json!({"role": "assistant", "content": null, "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]});
    let mut report = chat("c", json!([user("my card is 4111 1111 1111 1111"), tool]), "ok");
    report["session"] = json!("");
    report["user"] = json!({});
    report["timestamps"] = json!({"request": 9_999_999_999_999_u64, "response": 9_999_999_999_998_u64});
    report["response"]["choices"][0]["finish_reason"] = json!("length");
    report["response"]["choices"][0]["message"]["tool_calls"] =
        json!([{"id": "c2", "function": {"name": "g", "arguments": "{\"a\":"}}]);
    report["response"]["usage"] = json!(null);
    report["metadata"] =
        json!({"outcome": "answered", "truncated": {"response": 100}, "skipped": 3, "streamed": true});
    client.taken(&report).await;
    let detail = client.get("/api/reports/1").await;
    let mut checks: Vec<_> = detail["summary"]["problems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|problem| problem["check"].as_str().unwrap())
        .collect();
    checks.sort_unstable();
    assert_eq!(
        checks,
        [
            "arguments-invalid",
            "call-unanswered",
            "clock",
            "finish-length",
            "no-session",
            "no-user",
            "secret",
            "skipped",
            "time-order",
            "truncated",
            "usage-missing",
            "wire"
        ]
    );
    let history = json!([user("one"), assistant("ok"), user("two")]);
    client.taken(&chat("h", json!([user("one")]), "ok")).await;
    client.taken(&chat("h", history.clone(), "ok")).await;
    let mut forged = history;
    forged[1]["content"] = json!("not what it said");
    client.taken(&chat("h", forged, "ok")).await;
    assert_eq!(ids(&client.get("/api/reports?q=has:answer-changed").await), [4]);
}

#[tokio::test]
async fn reports_without_a_session_are_one_list_and_odd_names_are_reachable() {
    let client = client();
    for session in [json!(null), json!("~none"), json!("a/b ?#%"), json!("\u{202e}x")] {
        let mut report = chat("", json!([user("hi")]), "ok");
        report["session"] = session;
        client.taken(&report).await;
    }
    for (path, id) in [("~none", 1), ("~~none", 2), ("a%2Fb%20%3F%23%25", 3), ("%E2%80%AEx", 4)] {
        let session = client.get(&format!("/api/sessions/{path}")).await;
        assert_eq!(session["turns"][0]["report"]["id"], id, "{path}");
    }
    let odd = client.get("/api/sessions/%E2%80%AEx").await;
    assert_eq!((&odd["label"], &odd["session"]), (&json!("⟨U+202E⟩x"), &json!("\u{202e}x")));
}

#[tokio::test]
async fn an_answer_that_was_cut_and_a_failure_are_shown_with_their_reason() {
    let client = client();
    let mut cut = chat("t", json!([user("one")]), "half an ans");
    cut["metadata"] = json!({"outcome": "interrupted", "status": 200});
    client.taken(&cut).await;
    let mut failed = chat("t", json!([user("one")]), "");
    failed["response"] =
        json!({"error": {"type": "rate_limit", "message": "slow <b>down</b>"}, "choices": []});
    failed["metadata"] = json!({"outcome": "refused", "status": 429});
    client.taken(&failed).await;
    let turns = client.get("/api/sessions/t").await["turns"].clone();
    assert_eq!(
        (&turns[0]["torn"], &turns[0]["answers"][0][0]["parts"][0]["text"]),
        (&json!("interrupted"), &json!("half an ans"))
    );
    assert_eq!(
        (&turns[1]["torn"], &turns[1]["error"]),
        (&json!("refused"), &json!("rate_limit: slow <b>down</b>"))
    );
    assert_eq!(turns[1]["relation"], "again");
    assert_eq!(ids(&client.get("/api/reports?q=is:failed").await), [2, 1]);
}

/// Formats other than OpenAI's, with two turns each: the second resends the first.
#[tokio::test]
async fn every_format_is_drawn_as_one_conversation() {
    let bedrock = |body: &Value| json!({"modelId": "anthropic.claude", "contentType": "application/json", "accept": "application/json", "body": body.to_string()});
    let converse = |texts: &[&str]| json!({"system": [{"text": "S"}], "messages": texts.iter().enumerate().map(|(index, text)| json!({"role": if index % 2 == 0 { "user" } else { "assistant" }, "content": [{"text": text}]})).collect::<Vec<_>>()});
    let claude = |texts: &[&str]| json!({"model": "claude", "system": "S", "messages": texts.iter().enumerate().map(|(index, text)| json!({"role": if index % 2 == 0 { "user" } else { "assistant" }, "content": text})).collect::<Vec<_>>()});
    let content = |role: &str, text: &str| json!({"role": role, "parts": [{"text": text}]});
    let system = json!({"parts": [{"text": "S"}]});
    let openai = |texts: &[&str]| {
        let mut messages = vec![json!({"role": "system", "content": "S"})];
        messages.extend(texts.iter().enumerate().map(|(index, text)| json!({"role": if index % 2 == 0 { "user" } else { "assistant" }, "content": text})));
        json!({"model": "m", "messages": messages})
    };
    let choice = |text: &str| json!({"choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}]});
    let cases = [
        (
            "anthropic",
            "3.0.0",
            "chat",
            claude(&["q1"]),
            json!({"role": "assistant", "content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "a1"}], "stop_reason": "end_turn"}),
            claude(&["q1", "a1", "q2"]),
        ),
        (
            "gemini",
            "2.2.0",
            "generate",
            json!({"model": "g", "systemInstruction": system, "contents": [content("user", "q1")]}),
            json!({"candidates": [{"content": content("model", "a1"), "finishReason": "STOP"}]}),
            json!({"model": "g", "systemInstruction": system, "history": [content("user", "q1"), content("model", "a1")], "contents": [content("user", "q2")]}),
        ),
        (
            "bedrock",
            "1.0.0",
            "chat",
            bedrock(&converse(&["q1"])),
            json!({"body": {"output": {"message": {"role": "assistant", "content": [{"text": "a1"}]}}, "stopReason": "end_turn"}}),
            bedrock(&converse(&["q1", "a1", "q2"])),
        ),
        (
            "bedrock",
            "1.0.0",
            "chat",
            bedrock(&claude(&["q1"])),
            json!({"body": {"role": "assistant", "content": [{"type": "text", "text": "a1"}]}}),
            bedrock(&claude(&["q1", "a1", "q2"])),
        ),
        (
            "cohere",
            "2.1.0",
            "chat",
            openai(&["q1"]),
            json!({"finish_reason": "COMPLETE", "message": {"role": "assistant", "content": [{"type": "text", "text": "a1"}]}}),
            openai(&["q1", "a1", "q2"]),
        ),
        (
            "cohere",
            "2.1.0",
            "chat",
            json!({"preamble": "S", "message": "q1"}),
            json!({"text": "a1", "finish_reason": "COMPLETE"}),
            json!({"preamble": "S", "message": "q2", "chat_history": [{"role": "USER", "message": "q1"}, {"role": "CHATBOT", "message": "a1"}]}),
        ),
        ("mistral", "2.4.0", "chat", openai(&["q1"]), choice("a1"), openai(&["q1", "a1", "q2"])),
        ("perplexity", "2.4.0", "chat", openai(&["q1"]), choice("a1"), openai(&["q1", "a1", "q2"])),
        (
            "universal",
            "3.1.0",
            "chat",
            openai(&["q1"]),
            json!({"message": {"role": "assistant", "content": "a1"}, "done_reason": "stop"}),
            openai(&["q1", "a1", "q2"]),
        ),
        (
            "openai",
            "1.0.0",
            "response",
            json!({"model": "m", "instructions": "S", "input": "q1"}),
            json!({"id": "r1", "output": [{"type": "reasoning", "summary": []}, {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "a1"}]}], "status": "completed"}),
            json!({"model": "m", "instructions": "S", "previous_response_id": "r1", "input": "q2"}),
        ),
    ];
    for (index, (format, version, kind, first, answer, second)) in cases.into_iter().enumerate() {
        let client = client();
        for request in [first, second] {
            let mut report = chat("f", json!([]), "");
            report["reconify"] =
                json!({"format": format, "version": version, "type": kind, "appKey": "a", "apiKey": "b"});
            report["request"] = request;
            report["response"] = answer.clone();
            client.taken(&report).await;
        }
        let turns = client.get("/api/sessions/f").await["turns"].clone();
        let said = |turn: &Value| {
            let messages =
                turn["messages"].as_array().unwrap().iter().chain(turn["answers"][0].as_array().unwrap());
            let text = |part: &Value| part["text"].as_str().unwrap().to_owned();
            messages
                .map(|message| {
                    format!(
                        "{}:{}",
                        message["role"].as_str().unwrap(),
                        message["parts"].as_array().unwrap().iter().map(text).collect::<Vec<_>>().join("+")
                    )
                })
                .collect::<Vec<_>>()
        };
        let answer = if format == "anthropic" { "assistant:hm+a1" } else { "assistant:a1" };
        assert_eq!(said(&turns[0]), ["system:S", "user:q1", answer], "{index} {format}");
        assert_eq!(
            (turns[1]["relation"].as_str(), &turns[1]["parent"]),
            (Some("continued"), &json!(1)),
            "{index} {format}"
        );
        let rest =
            if kind == "response" { vec!["system:S", "user:q2", answer] } else { vec!["user:q2", answer] };
        assert_eq!(said(&turns[1]), rest, "{index} {format}");
    }
}

#[tokio::test]
async fn an_unknown_format_is_kept_and_shown_as_it_is() {
    let client = client();
    let mut report = chat("u", json!([user("hi")]), "ok");
    report["reconify"]["format"] = json!("homegrown");
    client.taken(&report).await;
    let turn = client.get("/api/sessions/u").await["turns"][0].clone();
    assert_eq!((&turn["isConversation"], &turn["messages"]), (&json!(false), &json!([])));
}

#[tokio::test]
async fn images_are_joined_with_their_uploads() {
    let client = client();
    let mut image = chat("i", json!([]), "");
    image["reconify"]["type"] = json!("image");
    image["request"] = json!({"model": "gpt-image-1", "prompt": "a cat"});
    image["response"] = json!({"created": 1, "data": ["u-1-0.png"]});
    client.taken(&image).await;
    let upload = json!({
        "reconify": {"format": "openai", "type": "image-upload", "version": "1.0.0", "appKey": "a", "apiKey": "b"},
        "upload": {"filename": "u-1-0.png", "type": "response-image", "format": "b64_json", "data": {"b64_json": "iVBORw0KGgo="}}
    });
    assert_eq!(
        client.get("/api/reports/1").await["files"],
        json!([{"filename": "u-1-0.png", "upload": null}])
    );
    client.write("POST", "/upload", &upload).await;
    assert_eq!(client.get("/api/reports/1").await["files"][0]["upload"], 2);
    let session = client.get("/api/sessions/i").await;
    assert_eq!(session["turns"][0]["answers"][0][0]["parts"][0]["src"], "/api/reports/2/media/0");
    assert_eq!(client.with("GET", "/api/reports/2/media/0", &[], Body::empty()).await.body.len(), 8);
}
