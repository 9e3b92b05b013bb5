use std::collections::BTreeMap;
use std::sync::Arc;

/// Tags of the application for a request: pairs of name and value, reported in the metadata.
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
pub struct Tags(Arc<Named>);

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Named {
    values: BTreeMap<String, String>,
    /// Their memory size. It is kept up to date, because tags may be added one by one.
    bytes: usize,
}

/// The memory size of a tag beside its texts.
const ENTRY: usize = 64;

impl Named {
    fn insert(&mut self, name: String, value: String) {
        let unvalued = ENTRY + name.len();
        self.bytes += unvalued + value.len();
        if let Some(replaced) = self.values.insert(name, value) {
            self.bytes -= unvalued + replaced.len();
        }
    }
}

impl Tags {
    /// An empty set of tags.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a tag, which replaces one of the same name.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        Arc::make_mut(&mut self.0).insert(name.into(), value.into());
        self
    }

    /// The value of a tag.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.values.get(name).map(String::as_str)
    }

    /// The names and values, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.values.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.values.is_empty()
    }

    /// Adds other tags, which replace those of the same name.
    pub(super) fn and(mut self, others: Self) -> Self {
        let own = Arc::make_mut(&mut self.0);
        Arc::unwrap_or_clone(others.0).values.into_iter().for_each(|(name, value)| own.insert(name, value));
        self
    }

    /// Replaces values.
    pub(crate) fn redact(&mut self, redact: &mut dyn FnMut(&str) -> Option<String>) {
        let redacted = self.iter().filter_map(|(name, value)| Some((name.to_owned(), redact(value)?)));
        for (name, value) in redacted.collect::<Vec<_>>() {
            Arc::make_mut(&mut self.0).insert(name, value);
        }
    }

    /// Their memory size.
    pub(super) fn bytes(&self) -> usize {
        self.0.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tags_take_is_known_whatever_replaces_what() {
        let tags = Tags::new().with("a", "1").with("bb", "22").with("a", "333");
        assert_eq!(tags.bytes(), 2 * ENTRY + "a333bb22".len());
        let tags = tags.and(Tags::new().with("bb", "").with("c", "4"));
        assert_eq!(tags.bytes(), 3 * ENTRY + "a333bbc4".len());
    }
}
