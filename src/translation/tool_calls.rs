use std::borrow::Cow;

use indexmap::IndexMap;
use serde_json::value::RawValue;

use super::choice::add_call;
use super::json::{self, Entries, Fields, Node};
use super::merge;

/// The tool calls of one message, which arrive in pieces and may arrive side by side.
#[derive(Debug, Default)]
pub(super) struct ToolCalls<'a> {
    calls: Vec<Call<'a>>,
    /// The call that a further piece with this index, or this id, belongs to.
    places: IndexMap<Place<'a>, usize, foldhash::fast::RandomState>,
}

/// More calls than any message has. Further ones are passed over: an attack could make millions.
const MOST_CALLS: usize = 4_096;

#[derive(Debug, Default)]
struct Call<'a> {
    fields: Fields<'a>,
    index: Option<u64>,
}

#[derive(Debug, PartialEq, Eq, Hash)]
enum Place<'a> {
    Index(&'a str),
    Id(&'a str),
}

impl<'a> ToolCalls<'a> {
    pub(super) fn add(&mut self, raw: &'a RawValue) {
        for piece in json::array(raw).into_iter().flatten() {
            if let Some(fields) = json::object(piece) {
                self.add_piece(fields);
            }
        }
    }

    fn add_piece(&mut self, fields: Entries<'a>) {
        let Some(call) = self.call_of(&fields) else { return };
        for (key, raw) in fields {
            match &*key {
                "index" => {}
                "id" | "type" => merge::first(&mut call.fields, key, raw),
                "function" | "custom" => add_call(&mut call.fields, key, raw),
                _ => merge::last(&mut call.fields, key, raw),
            }
        }
    }

    /// The call that a piece belongs to: that of its index, else that of its id, else the latest. A name under another
    /// id begins a new call, since some servers give every call the index 0.
    fn call_of(&mut self, piece: &[(Cow<'a, str>, &'a RawValue)]) -> Option<&mut Call<'a>> {
        let value = |name| piece.iter().find(|(key, _)| key == name).map(|(_, raw)| *raw);
        let index = value("index").map(RawValue::get).filter(|index| *index != "null");
        let id = value("id").and_then(json::text).filter(|id| !id.is_empty());
        let place = |place| self.places.get(&place).copied();
        let known = match (index, id) {
            // Where every call has the index 0, further pieces are told by their ids.
            (Some(index), Some(id)) if self.has(id, index) => place(Place::Id(id)),
            (Some(index), id) => place(Place::Index(index)).filter(|place| {
                let other_id = id.is_some() && self.calls.get(*place).and_then(Call::id) != id;
                !(other_id && self.calls.get(*place).is_some_and(Call::is_named) && has_name(piece))
            }),
            (None, Some(id)) => place(Place::Id(id)),
            (None, None) => self.calls.len().checked_sub(1),
        };
        if known.is_none() && self.calls.len() >= MOST_CALLS {
            return None;
        }
        let place = known.unwrap_or_else(|| {
            self.calls
                .push(Call { fields: Fields::default(), index: index.and_then(|index| index.parse().ok()) });
            self.calls.len() - 1
        });
        if let Some(index) = index {
            self.places.insert(Place::Index(index), place);
        }
        if let Some(id) = id {
            self.places.insert(Place::Id(id), place);
        }
        self.calls.get_mut(place)
    }

    /// Whether there is a call that had this id and this index.
    fn has(&self, id: &'a str, index: &str) -> bool {
        let place = self.places.get(&Place::Id(id));
        let call = place.and_then(|place| self.calls.get(*place));
        call.is_some_and(|call| call.index == index.parse().ok() && call.id() == Some(id))
    }

    pub(super) fn finish(mut self) -> Option<Node<'a>> {
        if self.calls.is_empty() {
            return None;
        }
        self.calls.sort_by_key(|call| call.index.unwrap_or(u64::MAX));
        Some(Node::Array(self.calls.into_iter().map(|call| Node::Object(call.fields)).collect()))
    }
}

impl Call<'_> {
    fn id(&self) -> Option<&str> {
        self.fields.get("id").and_then(Node::as_text)
    }

    fn is_named(&self) -> bool {
        let function = self.fields.get("function").or(self.fields.get("custom"));
        matches!(function, Some(Node::Object(function)) if function.contains("name"))
    }
}

/// Whether a piece names a function or tool.
fn has_name(piece: &[(Cow<'_, str>, &RawValue)]) -> bool {
    let function = piece.iter().find(|(key, _)| key == "function" || key == "custom");
    let fields = function.and_then(|(_, raw)| json::object(raw)).unwrap_or_default();
    fields.iter().any(|(key, raw)| key == "name" && !json::is_blank(raw))
}
