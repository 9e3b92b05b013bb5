//! The identity of a request (user, session and tags), and the ways to set it.

mod headers;
mod opt_out;
pub(crate) mod scope;
mod session;
mod slot;
mod tags;
mod user;

use http::Extensions;

pub(crate) use self::headers::{read as read_headers, remove as remove_headers};
pub(crate) use self::opt_out::OptOut;
pub use self::opt_out::{DoNotReport, OmitContent};
pub use self::scope::Scope;
pub use self::session::Session;
pub(crate) use self::session::whole_minutes;
pub(crate) use self::slot::Attributed;
pub use self::slot::IdentitySlot;
pub use self::tags::Tags;
pub use self::user::User;

/// The user, session and tags of a request, as far as they are known.
///
/// It is built from a [`User`], a [`Session`], [`Tags`], a pair of user and session, or step by
/// step. An `Option` of any of these converts too, and `None` is empty. A `Result` does not
/// convert: only the application can decide whether an error means an anonymous user.
///
/// ```compile_fail,E0277
/// # use tower_reconify::{Identity, User};
/// let login: Result<User, &str> = Err("the token has expired");
/// let identity = Identity::from(login);
/// ```
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
    pub(crate) opt_out: OptOut,
}

impl Identity {
    /// An empty identity.
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

    /// Opts this identity out of all reports, as [`DoNotReport`] does for a request.
    #[must_use]
    pub fn do_not_report(mut self) -> Self {
        self.opt_out = OptOut::Everything;
        self
    }

    /// Removes the content from reports with this identity, as [`OmitContent`] does for a request.
    #[must_use]
    pub fn omit_content(mut self) -> Self {
        self.opt_out = self.opt_out.max(OptOut::Content);
        self
    }

    /// The user, if known.
    pub fn user(&self) -> Option<&User> {
        self.user.as_ref()
    }

    /// The session, if known.
    pub fn session(&self) -> Option<&Session> {
        self.session.as_ref()
    }

    /// The tags, if there are any.
    pub fn tags(&self) -> Option<&Tags> {
        self.tags.as_ref()
    }

    /// Whether nothing is known and no opt-out is set.
    pub fn is_empty(&self) -> bool {
        let Self { user, session, tags, opt_out } = self;
        user.is_none() && session.is_none() && tags.is_none() && *opt_out == OptOut::Nothing
    }

    /// The memory size of its texts.
    #[inline]
    pub(crate) fn bytes(&self) -> usize {
        let Self { user, session, tags, opt_out: _ } = self;
        user.as_ref().map_or(0, User::bytes)
            + session.as_ref().map_or(0, Session::bytes)
            + tags.as_ref().map_or(0, Tags::bytes)
    }

    /// Inserts the identity into the extensions of a request, where the layer looks for it.
    ///
    /// Missing parts keep the value that the extensions already have. The exception is the session
    /// of another user, which is removed.
    pub fn insert_into(self, extensions: &mut Extensions) {
        let mut all = Self::of(extensions);
        all.overlay(self);
        let Self { user, session, tags, opt_out } = all;
        user.map(|user| extensions.insert(user));
        tags.map(|tags| extensions.insert(tags));
        match session {
            Some(session) => _ = extensions.insert(session),
            None => _ = extensions.remove::<Session>(),
        }
        match opt_out {
            OptOut::Nothing => {}
            OptOut::Content => _ = extensions.insert(OmitContent),
            OptOut::Everything => _ = extensions.insert(DoNotReport),
        }
    }

    /// The identity in the extensions of a request.
    pub(crate) fn of(extensions: &Extensions) -> Self {
        let mut left = extensions.len();
        Self {
            user: look_up(extensions, &mut left),
            session: look_up(extensions, &mut left),
            tags: look_up(extensions, &mut left),
            opt_out: if left > 0 { OptOut::of(extensions) } else { OptOut::Nothing },
        }
    }

    /// Fills missing parts from a source with lower precedence. The session and the tags of one
    /// user never go with another user.
    pub(crate) fn fill_from(self, other: Self) -> Self {
        let user = self.user.filter(User::is_known);
        let is_same_user = user.is_none() || other.user.is_none() || user == other.user;
        let (session, tags) = if is_same_user { (other.session, other.tags) } else { (None, None) };
        let has_id = self.session.as_ref().is_some_and(|session| session.id().is_some());
        Self {
            user: user.or(other.user),
            session: if has_id { self.session } else { session.or(self.session) },
            tags: match (tags, self.tags) {
                (Some(other), Some(own)) => Some(other.and(own)),
                (other, own) => own.or(other),
            },
            opt_out: self.opt_out.max(other.opt_out),
        }
    }

    /// Applies a later identity. A tag replaces one of the same name; another user ends the session
    /// of the previous one.
    pub(crate) fn overlay(&mut self, later: Self) {
        let Self { user, session, tags, opt_out } = later;
        let is_other_user = user.is_some() && self.user.is_some() && user != self.user;
        if is_other_user {
            self.session = None;
        }
        self.user = user.or(self.user.take());
        self.session = session.or(self.session.take());
        self.tags = match (self.tags.take(), tags) {
            (Some(tags), Some(later)) => Some(tags.and(later)),
            (tags, later) => later.or(tags),
        };
        self.opt_out = self.opt_out.max(opt_out);
    }
}

/// Looks up an extension, unless all extensions have been found: a failed look-up costs as much as
/// a successful one.
#[inline]
fn look_up<T: Clone + Send + Sync + 'static>(extensions: &Extensions, left: &mut usize) -> Option<T> {
    let found = if *left > 0 { extensions.get().cloned() } else { None };
    *left -= usize::from(found.is_some());
    found
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
