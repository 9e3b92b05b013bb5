use super::*;

fn endpoint(path: &str) -> Option<Endpoint> {
    let routes = [
        ("/ask", Endpoint::Chat),
        ("/ask//deep/", Endpoint::Embedding),
        ("/fim/completions", Endpoint::Completion),
    ]
    .map(|(path, endpoint)| Route { path: path.to_owned(), endpoint })
    .to_vec();
    Endpoints { routes, known: Endpoint::ALL.into_iter().collect() }.of(&Method::POST, path)
}

#[test]
fn names_that_only_openai_uses_are_captured_under_any_prefix() {
    for (name, expected) in [
        ("/chat/completions", Endpoint::Chat),
        ("/images/generations", Endpoint::ImageGeneration),
        ("/images/edits", Endpoint::ImageEdit),
        ("/images/variations", Endpoint::ImageVariation),
        ("/audio/speech", Endpoint::Speech),
        ("/audio/transcriptions", Endpoint::Transcription),
        ("/audio/translations", Endpoint::Translation),
    ] {
        for prefix in ["", "/v1", "/api/tenants/7", "//openai/deployments/gpt-4o"] {
            assert_eq!(endpoint(&format!("{prefix}{name}")), Some(expected), "{prefix}{name}");
        }
    }
}

const GENERIC: [(&str, Endpoint); 4] = [
    ("completions", Endpoint::Completion),
    ("responses", Endpoint::Responses),
    ("embeddings", Endpoint::Embedding),
    ("moderations", Endpoint::Moderation),
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
            assert_eq!(endpoint(&format!("{prefix}{name}")), Some(expected), "{prefix}{name}");
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
            assert_eq!(endpoint(&format!("{prefix}{name}")), None, "{prefix}{name}");
        }
    }
    for path in ["/chats/completions", "/xchat/completions", "/myimages/edits", "/edits", "/v1/edits"] {
        assert_eq!(endpoint(path), None, "{path}");
    }
}

#[test]
fn trailing_and_doubled_slashes_change_nothing() {
    for (path, expected) in [
        ("/v1/chat/completions/", Some(Endpoint::Chat)),
        ("/v1//chat//completions//", Some(Endpoint::Chat)),
        ("//completions/", Some(Endpoint::Completion)),
        ("/v1//responses", Some(Endpoint::Responses)),
        ("/v1/responses///", Some(Endpoint::Responses)),
        ("/openai/deployments//gpt-4o//embeddings/", Some(Endpoint::Embedding)),
        ("/v1/images//generations/", Some(Endpoint::ImageGeneration)),
        ("/surveys/42//responses/", None),
        ("/surveys/42/responses//", None),
        ("/v1/models/", None),
        ("//", None),
        ("/ask/", Some(Endpoint::Chat)),
        ("/api//ask//", Some(Endpoint::Chat)),
        ("/ask//deep", Some(Endpoint::Embedding)),
        ("/ask/deep/", Some(Endpoint::Embedding)),
        ("/task//deep/", None),
    ] {
        assert_eq!(endpoint(path), expected, "{path}");
    }
}

#[test]
fn a_declared_route_comes_before_the_known_names_and_counts_under_any_prefix() {
    assert_eq!(endpoint("/ask"), Some(Endpoint::Chat));
    assert_eq!(endpoint("/api/ask"), Some(Endpoint::Chat));
    assert_eq!(endpoint("/v1/agents/completions"), None);
    assert_eq!(endpoint("/v1/fim/completions"), Some(Endpoint::Completion));
    for path in ["/task", "/ask/x", "ask", "/as", "/"] {
        assert_eq!(endpoint(path), None, "{path}");
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
        assert_eq!(endpoint(path), None, "{path}");
    }
    assert_eq!(Endpoints::default().of(&Method::GET, "/v1/chat/completions"), None);
    for path in ["/v1/responses", "/v1/images/generations"] {
        assert_eq!(Endpoints::default().of(&Method::POST, path), None);
    }
}
