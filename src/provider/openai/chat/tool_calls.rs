use std::borrow::Cow;

use indexmap::IndexMap;
use serde_json::value::RawValue;

use super::arguments::Extent;
use crate::codec::allowance::Held;
use crate::codec::json::{self, Entries, Fields, Node};
use crate::provider::merge;

/// The tool calls of one message. They arrive in pieces, which may alternate between calls.
#[derive(Debug, Default)]
pub(crate) struct ToolCalls<'a> {
    calls: Vec<Call<'a>>,
    held: Held,
    /// The number of lists of pieces so far.
    lists: u64,
    /// The call for each known index and id.
    places: IndexMap<CallKey<'a>, usize, foldhash::fast::RandomState>,
}

/// The maximum number of calls per message. Real messages have fewer; an attacker could send
/// millions. Further calls are skipped.
const MOST_CALLS: usize = 4_096;

/// The number of nodes charged for a call, with its id and index.
const CALL: usize = 6;

/// The maximum number of ids and indices in the look-up table.
const MOST_PLACES: usize = 4 * MOST_CALLS;

#[derive(Debug, Default)]
struct Call<'a> {
    fields: Fields<'a>,
    index: Option<u64>,
    /// The list that named the call, if the list had other pieces too.
    named_in: Option<u64>,
    arguments: Extent,
}

#[derive(Debug, PartialEq, Eq, Hash)]
enum CallKey<'a> {
    Index(&'a str),
    Id(&'a str),
}

impl<'a> ToolCalls<'a> {
    /// Adds the pieces of a list, or a single piece.
    pub(crate) fn add(&mut self, raw: &'a RawValue) {
        self.lists += 1;
        let pieces = match raw.get() {
            "{}" => return,
            text if text.starts_with('{') => [raw].into_iter().collect(),
            _ => json::array(raw).unwrap_or_default(),
        };
        let is_alone = pieces.len() == 1;
        for fields in pieces.into_iter().filter_map(json::object) {
            let named_in = (!is_alone && has_name(&fields)).then_some(self.lists);
            self.add_piece(fields, named_in);
        }
    }

    fn add_piece(&mut self, fields: Entries<'a>, named_in: Option<u64>) {
        let Some(call) = self.call_of(&fields) else { return };
        call.named_in = named_in.or(call.named_in);
        for (key, raw) in fields {
            match &*key {
                "index" => {}
                "id" | "type" => merge::first(&mut call.fields, key, raw),
                "function" | "custom" => add_call(&mut call.fields, key, raw),
                _ => merge::last(&mut call.fields, key, raw),
            }
        }
    }

    /// Finds the call of a piece: by its index, else by its id, else the latest.
    ///
    /// Some servers give every call the index 0, or neither index nor id. For those, a name can
    /// begin a new call.
    fn call_of(&mut self, piece: &[(Cow<'a, str>, &'a RawValue)]) -> Option<&mut Call<'a>> {
        let value = |name| json::field(piece, name);
        let index = value("index").map(RawValue::get).filter(|index| *index != "null");
        let id = value("id").and_then(json::text).filter(|id| !id.is_empty());
        let place = |place| self.places.get(&place).copied();
        let known = match (index, id) {
            // If every call has the index 0, the ids tell the pieces apart.
            (Some(index), Some(id)) if self.has(id, index) => place(CallKey::Id(id)),
            (Some(index), id) => {
                place(CallKey::Index(index)).filter(|place| !self.begins_another(*place, id, piece))
            }
            (None, Some(id)) => place(CallKey::Id(id)),
            (None, None) => {
                let latest = self.calls.len().checked_sub(1);
                latest.filter(|place| !self.begins_another(*place, None, piece))
            }
        };
        if known.is_none() && (self.calls.len() >= MOST_CALLS || !self.held.try_grow(CALL)) {
            return None;
        }
        let place = known.unwrap_or_else(|| {
            self.calls.push(Call { index: index.and_then(|index| index.parse().ok()), ..Call::default() });
            self.calls.len() - 1
        });
        let names = [index.map(CallKey::Index), id.map(CallKey::Id)];
        for name in names.into_iter().flatten() {
            // An attacker could give a call a new id with each piece.
            if self.places.len() < MOST_PLACES || self.places.contains_key(&name) {
                self.places.insert(name, place);
            }
        }
        self.calls.get_mut(place)
    }

    /// Whether a piece begins a new call, although its index, or its lack of one, points to this
    /// call.
    ///
    /// Both must have a name. In addition, their ids differ, or the piece has no id and both are in
    /// one list, or the call's arguments are complete.
    fn begins_another(
        &mut self,
        place: usize,
        id: Option<&str>,
        piece: &[(Cow<'a, str>, &'a RawValue)],
    ) -> bool {
        let Some(call) = self.calls.get_mut(place) else { return false };
        if !call.is_named() || (id.is_some() && call.id() == id) {
            return false;
        }
        // The search for a name is the slowest check, so it is the last.
        (id.is_some()
            || call.named_in == Some(self.lists)
            || call.id().is_none_or(str::is_empty) && call.is_whole())
            && has_name(piece)
    }

    /// Whether a call has this id and this index.
    fn has(&self, id: &'a str, index: &str) -> bool {
        let place = self.places.get(&CallKey::Id(id));
        let call = place.and_then(|place| self.calls.get(*place));
        call.is_some_and(|call| call.index == index.parse().ok() && call.id() == Some(id))
    }

    /// The calls in the order of their indices. With `has_indices`, each has the index that it was
    /// sent with.
    pub(crate) fn finish(mut self, has_indices: bool) -> Option<Node<'a>> {
        if self.calls.is_empty() {
            return None;
        }
        self.calls.sort_by_key(|call| call.index.unwrap_or(u64::MAX));
        let fields = self.calls.into_iter().map(|Call { mut fields, index, .. }| {
            if let Some(index) = index.filter(|_| has_indices) {
                fields.set("index", Node::number(index));
            }
            Node::Object(fields)
        });
        Some(Node::Array(fields.collect()))
    }
}

impl<'a> Call<'a> {
    fn id(&self) -> Option<&str> {
        self.fields.get("id").and_then(Node::as_text)
    }

    fn function(&self) -> Option<&Fields<'a>> {
        match self.fields.get("function").or(self.fields.get("custom")) {
            Some(Node::Object(function)) => Some(function),
            _ => None,
        }
    }

    fn is_named(&self) -> bool {
        self.function().is_some_and(|function| function.contains("name"))
    }

    /// Whether the arguments so far are a complete JSON object.
    fn is_whole(&mut self) -> bool {
        let mut extent = self.arguments;
        let arguments =
            self.function().and_then(|function| function.get("arguments").or(function.get("input")));
        let is_whole = match arguments {
            Some(Node::Text(text)) => extent.reaches_end(text),
            Some(Node::Raw(raw)) => raw.get().starts_with('{'),
            Some(Node::Object(_)) => true,
            _ => false,
        };
        self.arguments = extent;
        is_whole
    }
}

/// Whether a piece names a function or tool.
fn has_name(piece: &[(Cow<'_, str>, &RawValue)]) -> bool {
    let function = piece.iter().find(|(key, _)| key == "function" || key == "custom");
    let fields = function.and_then(|(_, raw)| json::object(raw)).unwrap_or_default();
    fields.iter().any(|(key, raw)| key == "name" && !json::is_blank(raw))
}

/// Adds a piece of a function call, a tool call or spoken audio: identifiers are set once, texts
/// grow.
pub(crate) fn add_call<'a>(fields: &mut Fields<'a>, key: Cow<'a, str>, raw: &'a RawValue) {
    let Some(entries) = json::object(raw) else {
        merge::last(fields, key, raw);
        return;
    };
    let slot = fields.entry(key, || Node::Object(Fields::default()));
    if !matches!(slot, Node::Object(_)) {
        *slot = Node::Object(Fields::default());
    }
    let Node::Object(call) = slot else { return };
    for (key, raw) in entries {
        match &*key {
            "name" => merge::name(call, key, raw),
            "id" => merge::first(call, key, raw),
            "arguments" | "input" | "data" | "transcript" if json::is_null(raw) => {
                call.entry(key, || Node::Text(String::new()));
            }
            "arguments" | "input" | "data" | "transcript" => merge::append(call, key, raw),
            _ => merge::last(call, key, raw),
        }
    }
}
