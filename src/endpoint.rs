//! Which requests are interactions with a model.

use http::Method;

/// An operation of the OpenAI HTTP API that the layer reports.
///
/// ```
/// use tower_reconify::{Config, Endpoint};
///
/// // `POST /ask` speaks the chat-completions format under a name of its own.
/// let config = Config::builder("app", "key").route("/ask", Endpoint::Chat).build()?;
/// # Ok::<_, tower_reconify::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Endpoint {
    /// `POST …/chat/completions`, reported with the type `chat`.
    Chat,
    /// `POST …/completions`, reported with the type `completion`.
    Completion,
}

/// A path that an application gave to one of the endpoints.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    pub(crate) path: String,
    pub(crate) endpoint: Endpoint,
}

impl Endpoint {
    /// Its name in settings and reports.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Completion => "completion",
        }
    }

    /// The endpoint that a request addresses, if it is one. Declared routes come before the known names.
    pub(crate) fn of(method: &Method, path: &str, routes: &[Route]) -> Option<Self> {
        if method != Method::POST {
            return None;
        }
        if let Some(route) = routes.iter().find(|route| path.ends_with(&route.path)) {
            return Some(route.endpoint);
        }
        let prefix = path.strip_suffix("/completions")?;
        Some(if prefix.ends_with("/chat") { Self::Chat } else { Self::Completion })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(path: &str) -> Option<Endpoint> {
        let routes = [Route { path: "/ask".to_owned(), endpoint: Endpoint::Chat }];
        Endpoint::of(&Method::POST, path, &routes)
    }

    #[test]
    fn known_paths_are_captured_under_any_prefix() {
        assert_eq!(endpoint("/v1/chat/completions"), Some(Endpoint::Chat));
        assert_eq!(endpoint("/chat/completions"), Some(Endpoint::Chat));
        assert_eq!(endpoint("//openai/deployments/gpt-4o/chat/completions"), Some(Endpoint::Chat));
        assert_eq!(endpoint("/v1/completions"), Some(Endpoint::Completion));
        assert_eq!(endpoint("/completions"), Some(Endpoint::Completion));
    }

    #[test]
    fn a_declared_route_is_captured_as_what_it_was_declared() {
        assert_eq!(endpoint("/ask"), Some(Endpoint::Chat));
        assert_eq!(endpoint("/api/ask"), Some(Endpoint::Chat));
        assert_eq!(endpoint("/task"), None);
    }

    #[test]
    fn other_paths_and_methods_are_not_captured() {
        for path in [
            "/",
            "",
            "/v1/models",
            "/v1/chat/completions/",
            "/v1/chat/completions/chatcmpl-1",
            "/v1/autocompletions",
        ] {
            assert_eq!(endpoint(path), None, "{path}");
        }
        assert_eq!(Endpoint::of(&Method::GET, "/v1/chat/completions", &[]), None);
    }
}
