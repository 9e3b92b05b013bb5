//! Which requests are interactions with a model.

use http::Method;

/// An operation of the OpenAI HTTP API that the layer can report.
///
/// ```
/// use tower_reconify::{Config, Endpoint};
///
/// // `POST /ask` speaks the chat-completions format under a name of its own; embeddings are reported too.
/// let config = Config::builder("app", "key")
///     .route("/ask", Endpoint::Chat)
///     .capture([Endpoint::Chat, Endpoint::Embedding])
///     .build()?;
/// # Ok::<_, tower_reconify::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Endpoint {
    /// `POST …/chat/completions`, reported with the type `chat`.
    Chat,
    /// `POST …/completions`, reported with the type `completion`.
    Completion,
    /// `POST …/responses`, reported as [`ConfigBuilder::responses`](crate::ConfigBuilder::responses) says.
    Responses,
    /// `POST …/images/generations`, reported with the type `image`.
    ImageGeneration,
    /// `POST …/images/edits`, reported with the type `image`.
    ImageEdit,
    /// `POST …/images/variations`, reported with the type `image`.
    ImageVariation,
    /// `POST …/embeddings`, reported with the type `embedding` if asked for.
    Embedding,
    /// `POST …/moderations`, reported with the type `moderation` if asked for.
    Moderation,
    /// `POST …/audio/speech`, reported with the type `speech` if asked for.
    Speech,
    /// `POST …/audio/transcriptions`, reported with the type `transcription` if asked for.
    Transcription,
    /// `POST …/audio/translations`, reported with the type `translation` if asked for.
    Translation,
}

/// A path that an application gave to one of the endpoints.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    pub(crate) path: String,
    pub(crate) endpoint: Endpoint,
}

/// What is captured.
#[derive(Clone, Debug, Default)]
pub(crate) struct Endpoints {
    /// Paths that the application gave to endpoints. They come before the known names.
    pub(crate) routes: Vec<Route>,
    /// Endpoints that are captured under their known names.
    pub(crate) known: Vec<Endpoint>,
}

impl Endpoint {
    /// Every endpoint, in the order of their declaration.
    pub const ALL: [Self; 11] = [
        Self::Chat,
        Self::Completion,
        Self::Responses,
        Self::ImageGeneration,
        Self::ImageEdit,
        Self::ImageVariation,
        Self::Embedding,
        Self::Moderation,
        Self::Speech,
        Self::Transcription,
        Self::Translation,
    ];

    /// Those that are captured unless a setting says otherwise: Reconify documents no type for the others.
    pub(crate) const DEFAULT: [Self; 6] = [
        Self::Chat,
        Self::Completion,
        Self::Responses,
        Self::ImageGeneration,
        Self::ImageEdit,
        Self::ImageVariation,
    ];

    /// Its name in settings and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Completion => "completion",
            Self::Responses => "responses",
            Self::ImageGeneration => "image-generation",
            Self::ImageEdit => "image-edit",
            Self::ImageVariation => "image-variation",
            Self::Embedding => "embedding",
            Self::Moderation => "moderation",
            Self::Speech => "speech",
            Self::Transcription => "transcription",
            Self::Translation => "translation",
        }
    }

    /// Whether it answers with images.
    pub(crate) fn is_image(self) -> bool {
        matches!(self, Self::ImageGeneration | Self::ImageEdit | Self::ImageVariation)
    }

    /// The endpoint that has this path, under any prefix.
    fn known(path: &str) -> Option<Self> {
        // All known names but one end in the same letter, which most other paths do not.
        let Some(name) = path.strip_suffix('s') else {
            return path.ends_with("/audio/speech").then_some(Self::Speech);
        };
        if let Some(prefix) = name.strip_suffix("/completion") {
            return Some(if prefix.ends_with("/chat") { Self::Chat } else { Self::Completion });
        }
        let known = [
            ("/response", Self::Responses),
            ("/images/generation", Self::ImageGeneration),
            ("/images/edit", Self::ImageEdit),
            ("/images/variation", Self::ImageVariation),
            ("/embedding", Self::Embedding),
            ("/moderation", Self::Moderation),
            ("/audio/transcription", Self::Transcription),
            ("/audio/translation", Self::Translation),
        ];
        known.into_iter().find(|(known, _)| name.ends_with(known)).map(|(_, endpoint)| endpoint)
    }
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
        Endpoint::known(path).filter(|endpoint| self.known.contains(endpoint))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(path: &str) -> Option<Endpoint> {
        let routes = vec![Route { path: "/ask".to_owned(), endpoint: Endpoint::Chat }];
        Endpoints { routes, known: Endpoint::ALL.to_vec() }.of(&Method::POST, path)
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
        assert_eq!(endpoint("/v1/embeddings"), Some(Endpoint::Embedding));
        assert_eq!(endpoint("/v1/moderations"), Some(Endpoint::Moderation));
        assert_eq!(endpoint("/v1/audio/speech"), Some(Endpoint::Speech));
        assert_eq!(endpoint("/v1/audio/transcriptions"), Some(Endpoint::Transcription));
        assert_eq!(endpoint("/v1/audio/translations"), Some(Endpoint::Translation));
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
