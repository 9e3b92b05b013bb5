/// The data that ends a stream without being JSON, if a provider's streams have such an event.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EndMarker(pub(crate) Option<&'static str>);

impl EndMarker {
    #[inline]
    pub(crate) fn is(self, data: &[u8]) -> bool {
        self.0.is_some_and(|marker| data.trim_ascii() == marker.as_bytes())
    }
}
