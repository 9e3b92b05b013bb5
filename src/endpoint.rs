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
    pub(crate) known: Known,
}

/// Some of the endpoints: a bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Known(u16);

impl Known {
    fn contains(self, endpoint: Endpoint) -> bool {
        self.0 & (1 << endpoint as u16) != 0
    }
}

impl FromIterator<Endpoint> for Known {
    fn from_iter<I: IntoIterator<Item = Endpoint>>(endpoints: I) -> Self {
        Self(endpoints.into_iter().fold(0, |known, endpoint| known | 1 << endpoint as u16))
    }
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
    #[inline]
    fn known(path: &str) -> Option<Self> {
        // Most other paths end in other letters. Each name is compared by itself: its length is known, then.
        let ending = path.as_bytes().last_chunk()?;
        match u16::from_ne_bytes(*ending) {
            NS => {
                if let Some(prefix) = path.strip_suffix("/completions") {
                    return Some(if prefix.ends_with("/chat") { Self::Chat } else { Self::Completion });
                }
                None.or_else(|| path.ends_with("/images/generations").then_some(Self::ImageGeneration))
                    .or_else(|| path.ends_with("/images/variations").then_some(Self::ImageVariation))
                    .or_else(|| path.ends_with("/moderations").then_some(Self::Moderation))
                    .or_else(|| path.ends_with("/audio/transcriptions").then_some(Self::Transcription))
                    .or_else(|| path.ends_with("/audio/translations").then_some(Self::Translation))
            }
            ES => path.ends_with("/responses").then_some(Self::Responses),
            TS => path.ends_with("/images/edits").then_some(Self::ImageEdit),
            GS => path.ends_with("/embeddings").then_some(Self::Embedding),
            CH => path.ends_with("/audio/speech").then_some(Self::Speech),
            _ => None,
        }
    }
}

/// The last two letters of the known paths, as a number.
const NS: u16 = u16::from_ne_bytes(*b"ns");
const ES: u16 = u16::from_ne_bytes(*b"es");
const TS: u16 = u16::from_ne_bytes(*b"ts");
const GS: u16 = u16::from_ne_bytes(*b"gs");
const CH: u16 = u16::from_ne_bytes(*b"ch");

impl Endpoints {
    /// The endpoint that a request addresses, if it is one that is captured.
    #[inline]
    pub(crate) fn of(&self, method: &Method, path: &str) -> Option<Endpoint> {
        if method != Method::POST {
            return None;
        }
        if !self.routes.is_empty()
            && let Some(endpoint) = self.declared(path)
        {
            return Some(endpoint);
        }
        Endpoint::known(path).filter(|endpoint| self.known.contains(*endpoint))
    }

    #[inline(never)]
    fn declared(&self, path: &str) -> Option<Endpoint> {
        self.routes.iter().find(|route| path.ends_with(&route.path)).map(|route| route.endpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(path: &str) -> Option<Endpoint> {
        let routes = vec![Route { path: "/ask".to_owned(), endpoint: Endpoint::Chat }];
        Endpoints { routes, known: Endpoint::ALL.into_iter().collect() }.of(&Method::POST, path)
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
