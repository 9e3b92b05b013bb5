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

    pub(crate) fn pairs(&self) -> &BTreeMap<String, String> {
        &self.0
    }
}
