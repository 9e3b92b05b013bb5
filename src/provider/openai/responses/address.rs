/// The ids and the index by which an event refers to an item. Ids are JSON text.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Address<'a> {
    pub(crate) id: Option<&'a str>,
    pub(crate) call_id: Option<&'a str>,
    pub(crate) index: Option<u64>,
}
