use std::collections::BTreeMap;
use std::sync::Arc;

/// Words of the application about a request: pairs of name and value, reported in the metadata.
///
/// Put them into the extensions of a request before the layer sees it. They are reported only with
/// [`ConfigBuilder::metadata`](crate::ConfigBuilder::metadata). A clone costs one reference count.
///
/// ```
/// use tower_reconify::Tags;
///
/// let tags = Tags::new().with("tenant", "acme").with("experiment", "b");
/// let mut request = http::Request::new(());
/// request.extensions_mut().insert(tags);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Tags(Arc<BTreeMap<String, String>>);

impl Tags {
    /// No tags.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a tag; a second one of the same name replaces the first.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        Arc::make_mut(&mut self.0).insert(name.into(), value.into());
        self
    }

    /// The value of a tag.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Names and values, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds others, which replace those of the same name.
    pub(super) fn and(mut self, others: Self) -> Self {
        Arc::make_mut(&mut self.0).extend(Arc::unwrap_or_clone(others.0));
        self
    }
}
