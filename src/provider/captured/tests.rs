use super::*;

fn operation(path: &str) -> Option<Operation> {
    let routes = [
        ("/ask", Operation::Chat),
        ("/ask//deep/", Operation::Embedding),
        ("/fim/completions", Operation::Completion),
    ]
    .map(|(path, operation)| Route { path: path.to_owned(), operation })
    .to_vec();
    of(&Operations::new(routes, Operation::ALL.iter().copied(), true), &Method::POST, path)
}

fn of(operations: &Operations, method: &Method, path: &str) -> Option<Operation> {
    operations.of(&RequestFacts { method, path, authority: "", headers: &HeaderMap::new() })
}

#[test]
fn names_that_only_openai_uses_are_captured_under_any_prefix() {
    for (name, expected) in [
        ("/chat/completions", Operation::Chat),
        ("/images/generations", Operation::ImageGeneration),
        ("/images/edits", Operation::ImageEdit),
        ("/images/variations", Operation::ImageVariation),
        ("/audio/speech", Operation::Speech),
        ("/audio/transcriptions", Operation::Transcription),
        ("/audio/translations", Operation::Translation),
    ] {
        for prefix in ["", "/v1", "/api/tenants/7", "//openai/deployments/gpt-4o"] {
            assert_eq!(operation(&format!("{prefix}{name}")), Some(expected), "{prefix}{name}");
        }
    }
}

const GENERIC: [(&str, Operation); 4] = [
    ("completions", Operation::Completion),
    ("responses", Operation::Responses),
    ("embeddings", Operation::Embedding),
    ("moderations", Operation::Moderation),
];

#[test]
fn generic_names_are_captured_where_openai_azure_and_compatible_servers_have_them() {
    for (name, expected) in GENERIC {
        for prefix in [
            "/",
            "/v1/",
            "/v10/",
            "/api/paas/v4/",
            "/openai/",
            "/openai/v1/",
            "/openai/deployments/gpt-4o/",
            "/deployments/responses/",
            "/v1/engines/davinci/",
        ] {
            assert_eq!(operation(&format!("{prefix}{name}")), Some(expected), "{prefix}{name}");
        }
    }
}

#[test]
fn generic_names_in_an_applications_own_paths_are_not_captured() {
    for (name, _) in GENERIC {
        for prefix in [
            "/surveys/42/",
            "/surveys/",
            "/v1/surveys/42/",
            "/v1/agents/",
            "/v1beta/",
            "/v/",
            "/v1.0/",
            "/v-1/",
            "/xv1/",
            "/V1/",
            "/vv1/",
            "/myopenai/",
            "/openai/surveys/",
            "/deployments/",
            "/engines/",
            "/deployments/a/b/",
            "/my-deployments/a/",
            "/x",
        ] {
            assert_eq!(operation(&format!("{prefix}{name}")), None, "{prefix}{name}");
        }
    }
    for path in ["/chats/completions", "/xchat/completions", "/myimages/edits", "/edits", "/v1/edits"] {
        assert_eq!(operation(path), None, "{path}");
    }
}

#[test]
fn trailing_and_doubled_slashes_change_nothing() {
    for (path, expected) in [
        ("/v1/chat/completions/", Some(Operation::Chat)),
        ("/v1//chat//completions//", Some(Operation::Chat)),
        ("//completions/", Some(Operation::Completion)),
        ("/v1//responses", Some(Operation::Responses)),
        ("/v1/responses///", Some(Operation::Responses)),
        ("/openai/deployments//gpt-4o//embeddings/", Some(Operation::Embedding)),
        ("/v1/images//generations/", Some(Operation::ImageGeneration)),
        ("/surveys/42//responses/", None),
        ("/surveys/42/responses//", None),
        ("/v1/models/", None),
        ("//", None),
        ("/ask/", Some(Operation::Chat)),
        ("/api//ask//", Some(Operation::Chat)),
        ("/ask//deep", Some(Operation::Embedding)),
        ("/ask/deep/", Some(Operation::Embedding)),
        ("/task//deep/", None),
    ] {
        assert_eq!(operation(path), expected, "{path}");
    }
}

#[test]
fn a_declared_route_comes_before_the_known_names_and_counts_under_any_prefix() {
    assert_eq!(operation("/ask"), Some(Operation::Chat));
    assert_eq!(operation("/api/ask"), Some(Operation::Chat));
    assert_eq!(operation("/v1/agents/completions"), None);
    assert_eq!(operation("/v1/fim/completions"), Some(Operation::Completion));
    for path in ["/task", "/ask/x", "ask", "/as", "/"] {
        assert_eq!(operation(path), None, "{path}");
    }
}

#[test]
fn other_paths_and_methods_are_not_captured() {
    for path in [
        "/",
        "",
        "/v1/models",
        "/v1/chat/completions/chatcmpl-1",
        "/v1/responses/resp_1",
        "/v1/responses/resp_1/cancel",
        "/v1/autocompletions",
        "/v1/conversations",
    ] {
        assert_eq!(operation(path), None, "{path}");
    }
    assert_eq!(of(&Operations::default(), &Method::GET, "/v1/chat/completions"), None);
    for path in ["/v1/responses", "/v1/images/generations"] {
        assert_eq!(of(&Operations::default(), &Method::POST, path), None);
    }
}

#[test]
fn a_set_holds_each_operation_by_itself() {
    for operation in Operation::ALL.iter().copied() {
        let set = OperationSet::from_iter([operation]);
        for other in Operation::ALL.iter().copied() {
            assert_eq!(set.contains(other), other == operation, "{operation}, {other}");
        }
    }
    let numbers: Vec<usize> = Operation::ALL.iter().map(|operation| *operation as usize).collect();
    assert_eq!(
        numbers,
        (0..Operation::ALL.len()).collect::<Vec<_>>(),
        "ALL has every operation once, in order"
    );
}
