/// How an event names an item. Ids are JSON texts.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Address<'a> {
    pub(crate) id: Option<&'a str>,
    pub(crate) call_id: Option<&'a str>,
    pub(crate) index: Option<u64>,
}
