use std::fmt;
use std::sync::Arc;

use super::builder::ConfigBuilder;
use super::setting::{Part, Setting};
use crate::interaction::Interaction;

/// What the application has to say to every interaction, on the worker.
#[derive(Clone, Default)]
pub(crate) struct Hooks {
    pub(crate) session: Option<Arc<SessionHook>>,
    pub(crate) before_send: Option<Arc<BeforeSend>>,
}

impl Hooks {
    pub(crate) fn is_empty(&self) -> bool {
        self.session.is_none() && self.before_send.is_none()
    }
}

pub(crate) type SessionHook = dyn Fn(&Interaction) -> Option<String> + Send + Sync;
pub(crate) type BeforeSend = dyn Fn(Interaction) -> Option<Interaction> + Send + Sync;

/// Shows which hooks there are.
impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks")
            .field("session", &self.session.is_some())
            .field("before_send", &self.before_send.is_some())
            .finish()
    }
}

/// What the application has to say to interactions.
impl ConfigBuilder {
    /// Reports a part of the sessions only, from 0 (none) to 1 (all, the default), and these as a whole: the id of a session
    /// decides, in every process and version alike. Without a session the user's id does, or else chance. What is left out is
    /// counted as withheld.
    #[must_use]
    pub fn sample(mut self, rate: f64) -> Self {
        self.sample = Setting { name: "sample", value: Some(Part::Value(rate)) };
        self
    }

    /// Derives the id of the session from an interaction that has none: from its user, say, or the beginning of its
    /// conversation. It runs on a thread of the reporter, never on the caller's task. If it panics, there is no session,
    /// and [`Stats::hook_panics`](crate::Stats::hook_panics) counts it.
    ///
    /// ```
    /// use tower_reconify::{Config, Interaction, User};
    ///
    /// let config = Config::builder("app-key", "api-key")
    ///     .session_from(|interaction: &Interaction| {
    ///         interaction.identity().user().and_then(User::id).map(|id| format!("all of {id}"))
    ///     })
    ///     .build()?;
    /// # Ok::<_, tower_reconify::Error>(())
    /// ```
    #[must_use]
    pub fn session_from(
        mut self,
        hook: impl Fn(&Interaction) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        self.hooks.session = Some(Arc::new(hook));
        self
    }

    /// Shows every interaction to a hook before it is reported: to redact, to tag, or to leave it out (`None`, counted as
    /// withheld).
    ///
    /// It runs on threads of the reporter, up to two at once, never on the caller's task. It must not wait for the reporter
    /// (`flush`), which waits for it. JSON is parsed only for a hook
    /// that asks for a tree. If it panics, the report goes without content ([`Interaction::omit_content`]), and
    /// [`Stats::hook_panics`](crate::Stats::hook_panics) counts it. An answer with image data has lost that already: the
    /// images follow as uploads, unless [`media`](Self::media) leaves them out or the hook omits the content.
    ///
    /// ```
    /// use tower_reconify::Config;
    ///
    /// let config = Config::builder("app-key", "api-key")
    ///     .before_send(|mut interaction| {
    ///         if interaction.request().contains("internal-model") {
    ///             return None;
    ///         }
    ///         if let Some(user) = interaction.request_mut().get_mut("user") {
    ///             *user = "redacted".into();
    ///         }
    ///         Some(interaction.tag("redacted", "yes"))
    ///     })
    ///     .build()?;
    /// # Ok::<_, tower_reconify::Error>(())
    /// ```
    #[must_use]
    pub fn before_send(
        mut self,
        hook: impl Fn(Interaction) -> Option<Interaction> + Send + Sync + 'static,
    ) -> Self {
        self.hooks.before_send = Some(Arc::new(hook));
        self
    }
}
