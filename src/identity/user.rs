use std::sync::Arc;

use serde::{Serialize, Serializer};

/// The user on whose behalf a request is made.
///
/// Put one into the extensions of a request before the layer sees it, in any middleware of the
/// application. A clone costs one reference count.
///
/// A user has an id, an e-mail address or both, because Reconify tells users apart by these. An
/// empty id or address counts as unset, and a user with neither is reported as no user. All other
/// fields are optional and are left out of the report if unset.
///
/// ```
/// use tower_reconify::User;
///
/// let user = User::new("user-42").email("jane@example.com").first_name("Jane").authenticated(true);
/// let mut request = http::Request::new(());
/// request.extensions_mut().insert(user);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct User(Arc<UserFields>);

/// The fields under Reconify's names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
struct UserFields {
    #[serde(skip_serializing_if = "String::is_empty")]
    user_id: String,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_number")]
    is_authenticated: Option<bool>,
    #[serde(skip_serializing_if = "String::is_empty")]
    first_name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    last_name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    email: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    phone: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    gender: String,
}

impl User {
    /// A user with the application's own id (`userId`).
    pub fn new(id: impl Into<String>) -> Self {
        Self(Arc::new(UserFields { user_id: id.into(), ..UserFields::default() }))
    }

    /// A user with an e-mail address only.
    pub fn from_email(address: impl Into<String>) -> Self {
        Self(Arc::new(UserFields { email: address.into(), ..UserFields::default() }))
    }

    /// Sets the e-mail address.
    #[must_use]
    pub fn email(self, address: impl Into<String>) -> Self {
        self.set(|fields| fields.email = address.into())
    }

    /// Sets whether the user is logged in (`isAuthenticated`, reported as 1 or 0, and left out if
    /// unset).
    #[must_use]
    pub fn authenticated(self, authenticated: bool) -> Self {
        self.set(|fields| fields.is_authenticated = Some(authenticated))
    }

    /// Sets the first name.
    #[must_use]
    pub fn first_name(self, name: impl Into<String>) -> Self {
        self.set(|fields| fields.first_name = name.into())
    }

    /// Sets the last name.
    #[must_use]
    pub fn last_name(self, name: impl Into<String>) -> Self {
        self.set(|fields| fields.last_name = name.into())
    }

    /// Sets the telephone number.
    #[must_use]
    pub fn phone(self, number: impl Into<String>) -> Self {
        self.set(|fields| fields.phone = number.into())
    }

    /// Sets the gender.
    #[must_use]
    pub fn gender(self, gender: impl Into<String>) -> Self {
        self.set(|fields| fields.gender = gender.into())
    }

    /// The application's own id, or `None` if it is empty.
    pub fn id(&self) -> Option<&str> {
        Some(&*self.0.user_id).filter(|id| !id.is_empty())
    }

    /// The e-mail address, or `None` if it is empty.
    pub fn address(&self) -> Option<&str> {
        Some(&*self.0.email).filter(|address| !address.is_empty())
    }

    /// Whether the user is logged in, if set.
    pub fn is_authenticated(&self) -> Option<bool> {
        self.0.is_authenticated
    }

    /// Whether Reconify can tell this user from others.
    pub(crate) fn is_known(&self) -> bool {
        self.id().or(self.address()).is_some()
    }

    /// The memory size of its texts.
    #[inline]
    pub(crate) fn bytes(&self) -> usize {
        let UserFields { user_id, is_authenticated: _, first_name, last_name, email, phone, gender } =
            &*self.0;
        user_id.len() + first_name.len() + last_name.len() + email.len() + phone.len() + gender.len()
    }

    fn set(mut self, change: impl FnOnce(&mut UserFields)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }
}

impl Serialize for User {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

#[expect(clippy::ref_option, reason = "the signature that serde calls")]
fn as_number<S: Serializer>(flag: &Option<bool>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u8(u8::from(*flag == Some(true)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_has_the_name_that_reconify_gives_it() {
        let user = User::new("ABC123")
            .authenticated(true)
            .first_name("Jane")
            .last_name("Doe")
            .email("jane@example.com")
            .phone("555-555-5555")
            .gender("female");
        assert_eq!(
            serde_json::to_string(&user).unwrap(),
            r#"{"userId":"ABC123","isAuthenticated":1,"firstName":"Jane","lastName":"Doe","email":"jane@example.com","phone":"555-555-5555","gender":"female"}"#
        );
    }

    #[test]
    fn unset_fields_are_left_out() {
        assert_eq!(serde_json::to_string(&User::from_email("a@b")).unwrap(), r#"{"email":"a@b"}"#);
        assert_eq!(
            serde_json::to_string(&User::new("").authenticated(false)).unwrap(),
            r#"{"isAuthenticated":0}"#
        );
    }

    #[test]
    fn changing_a_clone_leaves_the_original_alone() {
        let original = User::new("1");
        let changed = original.clone().email("a@b");
        assert_ne!(original, changed);
        assert_eq!(original, User::new("1"));
    }
}
