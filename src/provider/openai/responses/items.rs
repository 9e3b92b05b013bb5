//! The items of a streamed output, found by id, by index, or as the most recently opened one.
//!
//! Servers differ: some send no indices, no ids, changing ids, or indices that contradict the ids.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use serde_json::value::RawValue;

use super::MOST_ITEMS;
use super::address::Address;
use super::item::Item;
use super::streamed_item::StreamedItem;
use crate::codec::json;
use crate::provider::openai::chat::chunk::Chunk;

/// The items in the order in which they were opened.
#[derive(Debug, Default)]
pub(crate) struct Items<'a> {
    list: Vec<StreamedItem<'a>>,
    by_id: HashMap<&'a str, usize, RandomState>,
    by_index: HashMap<u64, usize, RandomState>,
    /// The most recently opened item of each class.
    latest: [Option<usize>; 5],
}

/// Classes of item types. A piece of one class never belongs to an item of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Message,
    Reasoning,
    Call,
    CallOutput,
    /// Unknown types, which may have any parts.
    Other,
}

impl StreamedItem<'_> {
    /// Whether an item of this type can be in this class.
    fn is_of(&self, kind: &str) -> bool {
        self.kind == kind || self.added.is_none() && Class::of(kind).fits(Class::of(self.kind))
    }
}

/// The maximum number of ids in the look-up table. Servers that change ids give several to an item.
const MOST_IDS: usize = 4 * MOST_ITEMS;

impl<'a> Items<'a> {
    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Finds the item of a piece, or opens one of this type; `None` if there are too many.
    pub(crate) fn of_event(
        &mut self,
        event: &Chunk<'a>,
        kind: &'static str,
    ) -> Option<&mut StreamedItem<'a>> {
        let address =
            Address { id: id(event.get("item_id")), call_id: None, index: number(event, "output_index") };
        let class = Class::of(kind);
        let found = self.named(address, class).or_else(|| {
            self.nearby(address, class, |item, is_here| {
                let has_other_id = item.address.id.is_some() && address.id.is_some();
                class.fits(Class::of(item.kind))
                    && (is_here || item.done.is_none() && (item.kind == kind || !has_other_id))
                    && !(item.done.is_some() && has_other_id)
            })
        });
        let at = self.named_or_opened(found, kind, address)?;
        self.list.get_mut(at)
    }

    /// Adds the item of an `output_item.added` event. An unknown id means a new item, unless pieces
    /// of the item came before.
    pub(crate) fn item_added(&mut self, event: &Chunk<'a>) -> Option<()> {
        let (raw, kind, address) = given(event)?;
        let class = Class::of(kind);
        let has_id = address.id.or(address.call_id).is_some();
        let found = self.find(address, kind).or_else(|| {
            self.nearby(address, class, |item, _| {
                let indices = (item.address.index, address.index);
                let is_unnamed = !has_id || item.address.id.or(item.address.call_id).is_none();
                let is_announced = item.added.is_some();
                is_unnamed
                    && item.done.is_none()
                    && class.fits(Class::of(item.kind))
                    && match indices {
                        (Some(known), Some(index)) => known == index && !(is_announced && has_id),
                        _ => !is_announced,
                    }
            })
        });
        let at = self.named_or_opened(found, kind, address)?;
        let item = self.list.get_mut(at)?;
        (item.kind, item.added) = (kind, Some(raw));
        Some(())
    }

    /// Adds a completed item, which replaces all its pieces.
    pub(crate) fn complete(&mut self, event: &Chunk<'a>) -> Option<()> {
        let (raw, kind, address) = given(event)?;
        let found = self.find(address, kind).or_else(|| {
            self.nearby(address, Class::of(kind), |item, is_here| {
                item.is_of(kind)
                    && !item.address.conflicts(address, item.done.is_some())
                    && (item.done.is_none() || is_here)
            })
        });
        let at = self.named_or_opened(found, kind, address)?;
        if let Some(id) = address.id
            && self.by_id.len() < MOST_IDS
        {
            self.by_id.entry(id).or_insert(at);
        }
        let item = self.list.get_mut(at)?;
        (item.kind, item.done) = (kind, Some(raw));
        Some(())
    }

    /// The elements of the output, as JSON text. An interim snapshot only adds items that were not
    /// streamed.
    pub(crate) fn into_output(mut self, snapshot: Option<&'a RawValue>) -> String {
        let given = snapshot.and_then(json::array).unwrap_or_default();
        let has_indices = self.list.iter().all(|item| item.address.index.is_some());
        // Without indices, the first message of the snapshot is the first streamed message.
        let mut streamed = HashMap::<&str, usize, RandomState>::default();
        for item in self.list.iter().filter(|_| !has_indices && !given.is_empty()) {
            *streamed.entry(item.kind).or_default() += 1;
        }
        for (index, raw) in given.into_iter().enumerate().take(MOST_ITEMS) {
            let Some((kind, address)) = address_of(raw, u64::try_from(index).ok()) else { continue };
            let is_known = self
                .find(address, kind)
                .or_else(|| self.at(address.index))
                .is_some_and(|at| self.list.get(at).is_some_and(|item| item.is_of(kind)));
            let is_counted = streamed.get_mut(kind).is_some_and(|left| match left.checked_sub(1) {
                Some(fewer) => {
                    *left = fewer;
                    true
                }
                None => false,
            });
            if !is_known
                && !is_counted
                && let Some(at) = self.open(kind, address)
                && let Some(item) = self.list.get_mut(at)
            {
                item.added = Some(raw);
            }
        }
        // The index of an item is its position in the output. Without indices, items keep the order
        // in which they were opened.
        if self.list.iter().all(|item| item.address.index.is_some()) {
            self.list.sort_by_key(|item| item.address.index);
        }
        let mut output = String::new();
        for item in self.list {
            item.write(&mut output);
        }
        output
    }

    /// The item with this id, if it can have a piece of this class.
    fn named(&self, address: Address<'a>, class: Class) -> Option<usize> {
        let at = *self.by_id.get(address.id?)?;
        self.list.get(at).is_some_and(|item| class.fits(Class::of(item.kind))).then_some(at)
    }

    /// The item with this id, or with this call id. The output of a call has the same call id.
    fn find(&self, address: Address<'a>, kind: &str) -> Option<usize> {
        self.named(address, Class::of(kind)).or_else(|| {
            let at = *self.by_id.get(address.call_id?)?;
            self.list.get(at).is_some_and(|item| item.is_of(kind)).then_some(at)
        })
    }

    fn at(&self, index: Option<u64>) -> Option<usize> {
        self.by_index.get(&index?).copied()
    }

    /// The item at the index, or else the latest of the class, if it fits. The second argument of
    /// `fits` is whether the item is at the index.
    fn nearby(
        &self,
        address: Address<'a>,
        class: Class,
        fits: impl Fn(&StreamedItem<'a>, bool) -> bool,
    ) -> Option<usize> {
        let at_index = self.at(address.index);
        let latest = self.latest.get(class as usize).copied().flatten();
        let is_fitting = |at: usize| self.list.get(at).is_some_and(|item| fits(item, Some(at) == at_index));
        [at_index, latest].into_iter().flatten().find(|at| is_fitting(*at))
    }

    /// Registers the ids and the index of an item, which is opened if none was found.
    fn named_or_opened(
        &mut self,
        found: Option<usize>,
        kind: &'a str,
        address: Address<'a>,
    ) -> Option<usize> {
        let at = found.or_else(|| self.open(kind, address))?;
        self.name(at, address);
        Some(at)
    }

    fn open(&mut self, kind: &'a str, address: Address<'a>) -> Option<usize> {
        let at = self.list.len();
        if at >= MOST_ITEMS {
            return None;
        }
        self.list.push(StreamedItem::new(kind));
        if let Some(latest) = self.latest.get_mut(Class::of(kind) as usize) {
            *latest = Some(at);
        }
        // From now on, an id or index refers to its latest item.
        if let Some(id) = address.id {
            self.by_id.insert(id, at);
        }
        if let Some(index) = address.index {
            self.by_index.insert(index, at);
        }
        self.name(at, address);
        Some(at)
    }

    /// Registers the ids and the index of an item.
    fn name(&mut self, at: usize, address: Address<'a>) {
        let Some(StreamedItem { address: known, .. }) = self.list.get_mut(at) else { return };
        if known.index.is_none()
            && let Some(index) = address.index
        {
            known.index = Some(index);
            self.by_index.entry(index).or_insert(at);
        }
        for (known, id) in [(&mut known.id, address.id), (&mut known.call_id, address.call_id)] {
            if known.is_none()
                && let Some(id) = id
            {
                *known = Some(id);
                self.by_id.entry(id).or_insert(at);
            }
        }
    }
}

impl Address<'_> {
    /// Whether an address with unknown ids must belong to another item.
    ///
    /// Some servers change ids, but never those of calls, and never after an item is done.
    fn conflicts(self, other: Self, is_done: bool) -> bool {
        self.call_id.is_some() && other.call_id.is_some()
            || is_done && self.id.is_some() && other.id.is_some()
    }
}

impl Class {
    fn of(kind: &str) -> Self {
        match kind {
            "message" => Self::Message,
            "reasoning" => Self::Reasoning,
            kind if kind.ends_with("_call") => Self::Call,
            kind if kind.ends_with("_call_output") => Self::CallOutput,
            _ => Self::Other,
        }
    }

    fn fits(self, other: Self) -> bool {
        self == other || self == Self::Other || other == Self::Other
    }
}

/// The item in an event, with its type and address.
fn given<'a>(event: &Chunk<'a>) -> Option<(&'a RawValue, &'a str, Address<'a>)> {
    let raw = event.get("item")?;
    let (kind, mut address) = address_of(raw, number(event, "output_index"))?;
    address.id = address.id.or_else(|| id(event.get("item_id")));
    Some((raw, kind, address))
}

fn address_of(raw: &RawValue, index: Option<u64>) -> Option<(&str, Address<'_>)> {
    let item = Item::of(raw)?;
    Some((item.kind(), Address { id: id(item.get("id")), call_id: id(item.get("call_id")), index }))
}

/// An id as JSON text. Some servers send empty ids.
fn id(raw: Option<&RawValue>) -> Option<&str> {
    raw.filter(|raw| !json::is_blank(raw)).map(RawValue::get)
}

/// The index in an event, if it is a number.
pub(crate) fn number(event: &Chunk<'_>, name: &str) -> Option<u64> {
    event.get(name)?.get().parse().ok()
}
