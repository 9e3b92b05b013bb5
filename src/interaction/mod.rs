//! One interaction with a model, as it is reported.

mod body;
mod outcome;
mod redacted;

use std::borrow::Cow;
use std::fmt;
use std::time::{Duration, SystemTime};

use serde_json::Value;
use serde_json::value::to_raw_value;

pub(crate) use self::body::{Body, Text};
pub use self::outcome::Outcome;
use self::redacted::{redacted, without_field};
use crate::codec::json::rewrite;
use crate::error::{Error, Kind as ErrorKind};
use crate::identity::{Identity, Session, Tags, User};
use crate::provider::operation::Operation;
use crate::provider::{DetachedImage, ECHOES, OperationSpec};
pub use crate::provider::{InteractionKind, Provider};
use crate::stats::Losses;

/// One interaction with a model: the content of a report.
///
/// The layer makes one from every exchange. Interactions that did not pass through the layer can be
/// reported by hand, with [`Reporter::report`](crate::Reporter::report):
///
/// ```
/// use serde_json::json;
/// use tower_reconify::{Interaction, InteractionKind, User};
///
/// let interaction = Interaction::new(
///     InteractionKind::Chat,
///     &json!({"model": "gpt-4o", "messages": [{"role": "user", "content": "Tell a cat joke"}]}),
///     &json!({"choices": [{"index": 0, "message": {"role": "assistant", "content": "Meow."}}]}),
/// )?
/// .user(User::new("user-42"));
/// # Ok::<_, tower_reconify::Error>(())
/// ```
#[derive(Clone)]
pub struct Interaction {
    pub(crate) provider: Provider,
    pub(crate) kind: InteractionKind,
    pub(crate) request: Body,
    pub(crate) response: Body,
    pub(crate) identity: Identity,
    pub(crate) requested: SystemTime,
    pub(crate) responded: SystemTime,
    pub(crate) outcome: Outcome,
    pub(crate) details: Details,
    /// Images detached from the response.
    pub(crate) images: Vec<DetachedImage>,
}

/// Properties of an interaction beside its content: the source of a report's metadata.
#[derive(Clone, Debug, Default)]
pub(crate) struct Details {
    /// `None` if it was reported by hand.
    pub(crate) operation: Option<Operation>,
    pub(crate) status: Option<u16>,
    pub(crate) request_id: Option<Box<str>>,
    pub(crate) is_streamed: bool,
    pub(crate) chunks: u64,
    pub(crate) first_token: Option<Duration>,
    pub(crate) duration: Duration,
    pub(crate) losses: Losses,
}

impl Interaction {
    /// An interaction that took place now.
    ///
    /// Request and response are the JSON that was sent and received: a [`serde_json::Value`] or any
    /// other type that serialises to it. A [`RawValue`](serde_json::value::RawValue) is reported
    /// unchanged.
    ///
    /// # Errors
    ///
    /// If the request or the response cannot be serialised to JSON.
    pub fn new(
        kind: InteractionKind,
        request: &(impl serde::Serialize + ?Sized),
        response: &(impl serde::Serialize + ?Sized),
    ) -> Result<Self, Error> {
        let now = SystemTime::now();
        let raw = |part, source| Error::from(ErrorKind::Json { part, source });
        Ok(Self {
            provider: Provider::default(),
            kind,
            request: to_raw_value(request).map_err(|error| raw("request", error))?.into(),
            response: to_raw_value(response).map_err(|error| raw("response", error))?.into(),
            identity: Identity::default(),
            requested: now,
            responded: now,
            outcome: Outcome::Answered,
            details: Details::default(),
            images: Vec::new(),
        })
    }

    /// Adds a tag, which is reported in the metadata. It replaces a tag of the same name.
    #[must_use]
    pub fn tag(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.identity.overlay(Tags::new().with(name, value).into());
        self
    }

    /// The provider whose format the interaction has.
    pub fn provider(&self) -> Provider {
        self.provider
    }

    /// The type in the report.
    pub fn kind(&self) -> InteractionKind {
        self.kind
    }

    /// The called operation; `None` for an interaction made by hand.
    pub fn operation(&self) -> Option<Operation> {
        self.details.operation
    }

    /// The user, session and tags.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The row of the format: that of the called operation, unless the interaction was converted.
    fn row(&self) -> &'static OperationSpec {
        let called = self.details.operation.map(Operation::spec);
        called.filter(|row| row.kind == self.kind).unwrap_or_else(|| self.provider.row(self.kind))
    }

    /// The request as JSON text.
    pub fn request(&self) -> Cow<'_, str> {
        self.request.text()
    }

    /// The response as JSON text.
    pub fn response(&self) -> Cow<'_, str> {
        self.response.text()
    }

    /// The request as a mutable tree.
    ///
    /// The first call parses it. From then on it is no longer byte for byte the request that was
    /// sent: numbers are those that a [`Value`] can hold, one of duplicate keys remains, and fields
    /// are in alphabetical order.
    ///
    /// Some requests do not fit into a tree: those with a number beyond `f64` or more than 127
    /// levels, and those that would take tens of megabytes (more than about 250,000 values; an
    /// object counts as eight). They are replaced by their [`omit_content`](Self::omit_content)
    /// form, so that no content bypasses a hook.
    pub fn request_mut(&mut self) -> &mut Value {
        let row = self.row();
        self.request.tree_or(|text| redacted(row, row.placeholders.request, text, text.len()))
    }

    /// The response as a mutable tree; see [`request_mut`](Self::request_mut).
    pub fn response_mut(&mut self) -> &mut Value {
        let row = self.row();
        self.response.tree_or(|text| redacted(row, row.placeholders.response, text, text.len()))
    }

    /// Removes the content.
    ///
    /// Ids, model and usage of request and response remain, and their lengths as
    /// `{"omitted":{"bytes":…}}`. Images are not uploaded.
    pub fn omit_content(&mut self) {
        let row = self.row();
        for (body, placeholder) in
            [(&mut self.request, row.placeholders.request), (&mut self.response, row.placeholders.response)]
        {
            body.omit(redacted(row, placeholder, &body.text(), body.whole_len()));
        }
        self.images.clear();
    }

    /// Replaces texts: passes every string of the request, the response and the tags' values to
    /// `redact`, which returns the text to report instead, or `None` to keep it.
    ///
    /// Strings are passed without escapes, keys and the data of uploaded images not at all. A string
    /// that is itself JSON, such as the arguments of a tool call, is one string. No tree is built. If
    /// `redact` replaces a string of the response, its log probabilities and tokens, and the `segments`
    /// and `words` of a transcription, become null, because they repeat the text in pieces. So does the
    /// `context` of Ollama, in request and response, if a string of either is replaced.
    ///
    /// ```
    /// use tower_reconify::Config;
    ///
    /// let config = Config::builder("app-key", "api-key")
    ///     .before_send(|mut interaction| {
    ///         interaction.redact(|text| text.contains("s3cret").then(|| text.replace("s3cret", "…")));
    ///         Some(interaction)
    ///     })
    ///     .build()?;
    /// # Ok::<_, tower_reconify::Error>(())
    /// ```
    pub fn redact(&mut self, mut redact: impl FnMut(&str) -> Option<String>) {
        let redact: &mut dyn FnMut(&str) -> Option<String> = &mut redact;
        let in_request = self.request.rewrite(|json| rewrite::strings(json, |_, text| redact(text)));
        let in_response = self.response.rewrite(|json| {
            let redacted = rewrite::strings(json, |_, text| redact(text))?;
            Some(rewrite::without_fields(&redacted, ECHOES))
        });
        if let Some(tokens) = self.provider.spec().tokens.filter(|_| in_request || in_response) {
            for body in [&mut self.request, &mut self.response] {
                body.rewrite(|json| without_field(json, tokens));
            }
        }
        for image in &mut self.images {
            image.redact(redact);
        }
        if let Some(tags) = &mut self.identity.tags {
            tags.redact(redact);
        }
    }

    /// A cheap copy to keep while a hook owns the interaction.
    pub(crate) fn share(&mut self) -> Self {
        self.request.share();
        self.response.share();
        self.clone()
    }

    /// Sets the provider whose format request and response have. Default: OpenAI.
    #[must_use]
    pub fn for_provider(mut self, provider: Provider) -> Self {
        self.provider = provider;
        self
    }

    /// How the exchange ended; [`Outcome::Answered`] for an interaction made by hand.
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// Sets the user.
    #[must_use]
    pub fn user(mut self, user: User) -> Self {
        self.identity.user = Some(user);
        self
    }

    /// Sets the session.
    #[must_use]
    pub fn session(mut self, session: Session) -> Self {
        self.identity.session = Some(session);
        self
    }

    /// Removes user and session. Tags stay.
    ///
    /// ```
    /// use tower_reconify::{Config, User};
    ///
    /// // Reports what guests ask, but not who they are.
    /// let config = Config::builder("app", "api").before_send(|interaction| {
    ///     let is_guest = interaction.identity().user().and_then(User::is_authenticated) != Some(true);
    ///     Some(if is_guest { interaction.without_identity() } else { interaction })
    /// });
    /// # config.build()?;
    /// # Ok::<_, tower_reconify::Error>(())
    /// ```
    #[must_use]
    pub fn without_identity(mut self) -> Self {
        (self.identity.user, self.identity.session) = (None, None);
        self
    }

    /// Sets the time of the request and the duration until the response was complete.
    #[must_use]
    pub fn at(mut self, requested: SystemTime, took: Duration) -> Self {
        self.requested = requested;
        self.responded = requested.checked_add(took).unwrap_or(requested);
        self.details.duration = took;
        self
    }
}

/// Shows type, user and session, but neither request nor response.
impl fmt::Debug for Interaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interaction")
            .field("kind", &self.kind)
            .field("outcome", &self.outcome)
            .field("identity", &self.identity)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn interaction() -> Interaction {
        let request = json!({"messages": [{"role": "user", "content": "I am a@b.c"}], "n": 1});
        let response = json!({"choices": [{"message": {"content": "Hello a@b.c", "tool_calls": [
            {"function": {"arguments": "{\"to\":\"a@b.c\"}"}}]}, "logprobs": {"content": [{"token": "a"}]}}]});
        let mut interaction = Interaction::new(InteractionKind::Chat, &request, &response).unwrap();
        let element = to_raw_value(&json!({"b64_json": "aGVsbG8=", "revised_prompt": "of a@b.c"})).unwrap();
        interaction.images.push(DetachedImage { filename: "image.png".to_owned(), element });
        interaction.tag("from", "a@b.c").tag("tenant", "acme")
    }

    fn without_address(text: &str) -> Option<String> {
        text.contains("a@b.c").then(|| text.replace("a@b.c", "…"))
    }

    #[test]
    fn a_redaction_reaches_every_text_of_request_response_images_and_tags_and_drops_logprobs() {
        let mut redacted = interaction();
        redacted.redact(without_address);
        let all = [
            redacted.request().into_owned(),
            redacted.response().into_owned(),
            redacted.images[0].element.to_string(),
            format!("{:?}", redacted.identity.tags()),
        ];
        assert!(all.iter().all(|text| text.contains('…') && !text.contains("a@b.c")), "{all:?}");
        assert!(redacted.response().contains(r#""logprobs":null"#), "{}", redacted.response());
        assert!(redacted.images[0].element.get().contains("aGVsbG8="));
        assert_eq!(redacted.identity.tags().unwrap().get("tenant"), Some("acme"));
    }

    #[test]
    fn the_tokens_of_no_provider_repeat_a_text_that_is_redacted() {
        for tokens in [
            json!({"logprobsResult": {"chosenCandidates": [{"token": "a"}, {"token": "@b.c"}]}}),
            json!({"generations": [{"token_likelihoods": [{"token": "a"}, {"token": "@b.c"}]}]}),
            json!({"tokens": [{"generatedToken": {"token": "@b.c"}, "topTokens": [{"token": "@b.c"}]}]}),
        ] {
            let response = json!({"text": "Hello a@b.c", "beside": tokens});
            let mut redacted = Interaction::new(InteractionKind::Chat, &json!({}), &response).unwrap();
            redacted.redact(without_address);
            assert!(!redacted.response().contains("@b.c"), "{}", redacted.response());
        }
    }

    #[test]
    fn the_tokens_of_a_conversation_with_ollama_are_removed_from_both_sides() {
        for (prompt, answer, is_kept) in [("a@b.c", "x", false), ("x", "a@b.c", false), ("x", "y", true)] {
            let request = json!({"prompt": prompt, "context": [1, 2], "options": {"context": 3}});
            let response = json!({"response": answer, "context": [1, 2, 3]});
            let interaction = Interaction::new(InteractionKind::Chat, &request, &response).unwrap();
            let mut redacted = interaction.for_provider(Provider::Ollama);
            redacted.redact(without_address);
            for body in [redacted.request(), redacted.response()] {
                assert_eq!(body.contains(r#""context":[1,2"#), is_kept, "{body}");
                assert_eq!(body.contains(r#""context":null"#), !is_kept, "{body}");
            }
            assert!(redacted.request().contains(r#""context":3"#));
        }
    }

    #[test]
    fn a_redaction_that_matches_nothing_changes_nothing_and_builds_no_tree() {
        let (mut kept, original) = (interaction(), interaction());
        let mut seen = 0;
        kept.redact(|_| {
            seen += 1;
            None
        });
        assert_eq!(seen, 2 + 3 + 1 + 2, "role and content; two texts and a token; a prompt; two tags");
        assert_eq!((kept.request(), kept.response()), (original.request(), original.response()));
        assert!(!kept.request.has_tree() && !kept.response.has_tree());
    }

    #[test]
    fn a_redaction_sees_what_a_hook_has_changed_before() {
        let mut changed = interaction();
        changed.request_mut()["messages"][0]["content"] = "now x@y and a@b.c".into();
        changed.redact(without_address);
        assert!(changed.request().contains("now x@y and …"), "{}", changed.request());
    }
}
