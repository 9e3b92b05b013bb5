//! The bounds of [`identify`](super::identify) as traits of its own, so that the compiler's error
//! says what to do. No other crate can name or implement them.

#![expect(unnameable_types, reason = "they are bounds only; blanket implementations cover all types")]

use std::future::Future;

use axum_core::extract::FromRequestParts;
use axum_core::response::IntoResponse;
use http::request::Parts;

use crate::identity::Identity;

/// `FromRequestParts`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an extractor with the state `{S}`",
    label = "`identify` cannot extract `{Self}`",
    note = "if it needs the state of the application: `identify::<{Self}>().with_state(state)`",
    note = "`identify::<Option<E>>()` needs axum's `OptionalFromRequestParts` for `E`; without it, \
            `identify::<E>().anonymous_if(|rejection| …)` makes a login optional"
)]
pub trait Extractor<S>: Sized {
    type Rejection: IntoResponse;

    fn extract(parts: &mut Parts, state: &S) -> impl Future<Output = Result<Self, Self::Rejection>> + Send;
}

#[diagnostic::do_not_recommend]
impl<E: FromRequestParts<S>, S> Extractor<S> for E {
    type Rejection = E::Rejection;

    fn extract(parts: &mut Parts, state: &S) -> impl Future<Output = Result<E, E::Rejection>> + Send {
        E::from_request_parts(parts, state)
    }
}

/// `Into<Identity>`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be converted into an `Identity`",
    label = "`identify` needs an identity",
    note = "implement `From<{Self}> for tower_reconify::Identity`, or convert with \
            `identify::<E>().map(|extracted| User::new(…))`"
)]
pub trait IntoIdentity {
    fn into_identity(self) -> Identity;
}

#[diagnostic::do_not_recommend]
impl<I: Into<Identity>> IntoIdentity for I {
    fn into_identity(self) -> Identity {
        self.into()
    }
}

/// A function that accepts the rejections that mean "not logged in", or `()`, which accepts none.
pub trait AnonymousIf<R> {
    fn accepts(&self, rejection: &R) -> bool;
}

impl<R> AnonymousIf<R> for () {
    fn accepts(&self, _: &R) -> bool {
        false
    }
}

impl<R, P: Fn(&R) -> bool> AnonymousIf<R> for P {
    fn accepts(&self, rejection: &R) -> bool {
        self(rejection)
    }
}
