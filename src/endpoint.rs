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
    /// `POST …/images/generations`, reported with the type `image`.
    ImageGeneration,
    /// `POST …/images/edits`, reported with the type `image`.
    ImageEdit,
    /// `POST …/images/variations`, reported with the type `image`.
    ImageVariation,
    /// `POST …/responses`, reported as [`ConfigBuilder::responses`](crate::ConfigBuilder::responses) says.
    Responses,
}

/// A path that an application gave to one of the endpoints.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    pub(crate) path: String,
    pub(crate) endpoint: Endpoint,
}

impl Endpoint {
    /// Whether it answers with images.
    pub(crate) fn is_image(self) -> bool {
        matches!(self, Self::ImageGeneration | Self::ImageEdit | Self::ImageVariation)
    }

    /// Its name in settings and reports.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Completion => "completion",
            Self::ImageGeneration => "image-generation",
            Self::ImageEdit => "image-edit",
            Self::ImageVariation => "image-variation",
            Self::Responses => "responses",
        }
    }
}

/// What is captured.
#[derive(Clone, Debug, Default)]
pub(crate) struct Endpoints {
    /// Paths that the application gave to endpoints. They come before the known names.
    pub(crate) routes: Vec<Route>,
    /// Whether the Responses API is captured under its known name.
    pub(crate) with_responses: bool,
    /// Whether images are captured under their known names.
    pub(crate) with_images: bool,
}

impl Endpoints {
    /// The endpoint that a request addresses, if it is one that is captured.
    pub(crate) fn of(&self, method: &Method, path: &str) -> Option<Endpoint> {
        if method != Method::POST {
            return None;
        }
        if let Some(route) = self.routes.iter().find(|route| path.ends_with(&route.path)) {
            return Some(route.endpoint);
        }
        // All known names end in the same letter, which most other paths do not.
        let name = path.strip_suffix('s')?;
        if let Some(prefix) = name.strip_suffix("/completion") {
            return Some(if prefix.ends_with("/chat") { Endpoint::Chat } else { Endpoint::Completion });
        }
        if name.ends_with("/response") {
            return self.with_responses.then_some(Endpoint::Responses);
        }
        let known = [
            ("/images/generation", Endpoint::ImageGeneration),
            ("/images/edit", Endpoint::ImageEdit),
            ("/images/variation", Endpoint::ImageVariation),
        ];
        let (_, endpoint) = known.into_iter().find(|(known, _)| name.ends_with(known))?;
        self.with_images.then_some(endpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(path: &str) -> Option<Endpoint> {
        let routes = vec![Route { path: "/ask".to_owned(), endpoint: Endpoint::Chat }];
        Endpoints { routes, with_responses: true, with_images: true }.of(&Method::POST, path)
    }

    #[test]
    fn known_paths_are_captured_under_any_prefix() {
        assert_eq!(endpoint("/v1/chat/completions"), Some(Endpoint::Chat));
        assert_eq!(endpoint("/chat/completions"), Some(Endpoint::Chat));
        assert_eq!(endpoint("//openai/deployments/gpt-4o/chat/completions"), Some(Endpoint::Chat));
        assert_eq!(endpoint("/v1/completions"), Some(Endpoint::Completion));
        assert_eq!(endpoint("/completions"), Some(Endpoint::Completion));
        assert_eq!(endpoint("/v1/responses"), Some(Endpoint::Responses));
        assert_eq!(endpoint("/v1/images/generations"), Some(Endpoint::ImageGeneration));
        assert_eq!(endpoint("/v1/images/edits"), Some(Endpoint::ImageEdit));
        assert_eq!(endpoint("/v1/images/variations"), Some(Endpoint::ImageVariation));
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
            "/v1/responses/resp_1",
            "/v1/responses/resp_1/cancel",
            "/v1/autocompletions",
        ] {
            assert_eq!(endpoint(path), None, "{path}");
        }
        assert_eq!(Endpoints::default().of(&Method::GET, "/v1/chat/completions"), None);
        for path in ["/v1/responses", "/v1/images/generations"] {
            assert_eq!(Endpoints::default().of(&Method::POST, path), None);
        }
    }
}
