//! Extractors that pass the identity found by middleware to handlers and further middleware.

use std::convert::Infallible;
use std::fmt;

use axum_core::body::Body;
use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use axum_core::response::{IntoResponse, Response};
use http::StatusCode;
use http::request::Parts;

use crate::identity::{Identity, IdentitySlot, Session, User};

/// The rejection of the extractors [`User`] and [`Session`] if no middleware has attached one.
///
/// It responds with `500 Internal Server Error`, because a missing middleware is a mistake in the
/// application; axum's `Extension` does the same. If the value may be missing, extract an `Option`
/// of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingIdentity(&'static str);

impl fmt::Display for MissingIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no {} is attached to the request: add the identify layer around this route", self.0)
    }
}

impl std::error::Error for MissingIdentity {}

impl IntoResponse for MissingIdentity {
    fn into_response(self) -> Response<Body> {
        (StatusCode::INTERNAL_SERVER_ERROR, self.to_string()).into_response()
    }
}

/// Makes a value attached to the request an extractor.
macro_rules! extract {
    ($value:ty, $name:literal) => {
        #[doc = concat!("The ", $name, " attached to the request.")]
        impl<S: Sync> FromRequestParts<S> for $value {
            type Rejection = MissingIdentity;

            async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, MissingIdentity> {
                parts.extensions.get().cloned().ok_or(MissingIdentity($name))
            }
        }

        impl<S: Sync> OptionalFromRequestParts<S> for $value {
            type Rejection = Infallible;

            async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
                Ok(parts.extensions.get().cloned())
            }
        }
    };
}

extract!(User, "user");
extract!(Session, "session");

/// The complete identity attached to the request; empty if there is none.
impl<S: Sync> FromRequestParts<S> for Identity {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.extensions))
    }
}

/// The slot of a captured request. On other requests it does nothing.
impl<S: Sync> FromRequestParts<S> for IdentitySlot {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let slot: Self = parts.extensions.get().cloned().unwrap_or_default();
        Ok(slot.in_this_scope())
    }
}
