//! Who is asking, from three headers: a stand-in for an application's own session cookie or token.
//!
//! Whoever can reach this gateway can claim to be anyone. An application takes the user from what it has verified.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use tower_reconify::{Identity, Session, User};

pub(crate) const HEADERS: [&str; 3] = ["x-user-id", "x-user-email", "x-session-id"];

/// The example's own extractor.
pub(crate) struct Caller {
    user: Option<User>,
    session: Option<Session>,
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let [id, email, session] = HEADERS.map(|name| text(&parts.headers, name));
        let user = match (id, email) {
            (Some(id), Some(email)) => Some(User::new(id).email(email)),
            (Some(id), None) => Some(User::new(id)),
            (None, Some(email)) => Some(User::from_email(email)),
            (None, None) => None,
        };
        Ok(Self { user, session: session.map(Session::new) })
    }
}

impl From<Caller> for Identity {
    fn from(Caller { user, session }: Caller) -> Self {
        let user = Self::from(user);
        session.map_or(user.clone(), |session| user.with_session(session))
    }
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = str::from_utf8(headers.get(name)?.as_bytes()).ok()?.trim();
    Some(value.to_owned()).filter(|value| !value.is_empty())
}
