//! Who is asking: user, session and tags of one request, and how the application says so.

#[cfg(feature = "axum")]
mod extract;
mod headers;
#[cfg(feature = "axum")]
mod layer;
mod omit;
mod session;
mod slot;
mod tags;
mod task;
mod user;

use http::Extensions;

#[cfg(feature = "axum")]
pub use self::extract::MissingIdentity;
pub(crate) use self::headers::{read as read_headers, remove as remove_headers};
#[cfg(feature = "axum")]
pub use self::layer::{Identify, IdentifyLayer, identify};
pub use self::omit::{DoNotReport, OmitContent};
pub use self::session::Session;
pub use self::slot::IdentitySlot;
pub(crate) use self::slot::{Attributed, Change};
pub use self::tags::Tags;
pub use self::task::Scope;
pub use self::user::User;

/// User, session and tags of a request, as far as they are known.
///
/// Made of a [`User`], a [`Session`], [`Tags`], a pair of user and session, or step by step; of an `Option` or a
/// `Result` of any of these it is empty where they are.
///
/// ```
/// use tower_reconify::{Identity, Session, User};
///
/// struct Claims { subject: String, conversation: Option<String> }
///
/// impl From<Claims> for Identity {
///     fn from(claims: Claims) -> Self {
///         let user = User::new(claims.subject).authenticated(true);
///         Identity::from(claims.conversation.map(Session::new)).with_user(user)
///     }
/// }
///
/// let identity = Identity::from(Claims { subject: "user-42".into(), conversation: None });
/// assert_eq!(identity.user().and_then(User::id), Some("user-42"));
/// assert!(identity.session().is_none());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    pub(crate) user: Option<User>,
    pub(crate) session: Option<Session>,
    pub(crate) tags: Option<Tags>,
}

impl Identity {
    /// Nobody, in no session.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the user.
    #[must_use]
    pub fn with_user(mut self, user: User) -> Self {
        self.user = Some(user);
        self
    }

    /// Sets the session.
    #[must_use]
    pub fn with_session(mut self, session: Session) -> Self {
        self.session = Some(session);
        self
    }

    /// Sets the tags.
    #[must_use]
    pub fn with_tags(mut self, tags: Tags) -> Self {
        self.tags = Some(tags);
        self
    }

    /// The user, if there is one.
    pub fn user(&self) -> Option<&User> {
        self.user.as_ref()
    }

    /// The session, if there is one.
    pub fn session(&self) -> Option<&Session> {
        self.session.as_ref()
    }

    /// The tags, if there are any.
    pub fn tags(&self) -> Option<&Tags> {
        self.tags.as_ref()
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.user.is_none() && self.session.is_none() && self.tags.is_none()
    }

    /// Puts what is known into the extensions of a request, where the layer looks for it; the rest stays as it is there.
    pub fn attach(self, extensions: &mut Extensions) {
        let Self { user, session, tags } = self;
        user.map(|user| extensions.insert(user));
        session.map(|session| extensions.insert(session));
        tags.map(|tags| extensions.insert(tags));
    }

    /// What the extensions of a request hold.
    pub(crate) fn of(extensions: &Extensions) -> Self {
        if extensions.is_empty() {
            return Self::default();
        }
        Self {
            user: extensions.get().cloned(),
            session: extensions.get().cloned(),
            tags: extensions.get().cloned(),
        }
    }

    /// Fills what is missing from a source that has less to say. The session of one user never goes with another.
    pub(crate) fn or(self, other: Self) -> Self {
        let is_same_user = self.user.is_none() || self.user == other.user;
        Self {
            session: self.session.or(other.session.filter(|_| is_same_user)),
            user: self.user.or(other.user),
            tags: self.tags.or(other.tags),
        }
    }

    /// Whether another source has nothing to add.
    pub(crate) fn is_complete(&self) -> bool {
        self.user.is_some() && self.session.is_some()
    }

    /// Takes over what is said later. A tag replaces one of the same name.
    pub(crate) fn change(&mut self, later: Self) {
        let Self { user, session, tags } = later;
        self.user = user.or(self.user.take());
        self.session = session.or(self.session.take());
        self.tags = match (self.tags.take(), tags) {
            (Some(tags), Some(later)) => Some(tags.and(later)),
            (tags, later) => later.or(tags),
        };
    }
}

impl From<User> for Identity {
    fn from(user: User) -> Self {
        Self::new().with_user(user)
    }
}

impl From<Session> for Identity {
    fn from(session: Session) -> Self {
        Self::new().with_session(session)
    }
}

impl From<Tags> for Identity {
    fn from(tags: Tags) -> Self {
        Self::new().with_tags(tags)
    }
}

impl From<(User, Session)> for Identity {
    fn from((user, session): (User, Session)) -> Self {
        Self::new().with_user(user).with_session(session)
    }
}

impl<T: Into<Self>> From<Option<T>> for Identity {
    fn from(option: Option<T>) -> Self {
        option.map(Into::into).unwrap_or_default()
    }
}

/// Of an error nothing is known: a login that is optional.
impl<T: Into<Self>, E> From<Result<T, E>> for Identity {
    fn from(result: Result<T, E>) -> Self {
        result.map(Into::into).unwrap_or_default()
    }
}
