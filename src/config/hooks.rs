//! The application's hooks.

use std::fmt;
use std::sync::Arc;

use crate::interaction::Interaction;

/// The functions of the application that run on the worker for every interaction.
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

/// Shows which hooks are set.
impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks")
            .field("session", &self.session.is_some())
            .field("before_send", &self.before_send.is_some())
            .finish()
    }
}
