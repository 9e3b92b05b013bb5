//! Lists in a delta. Each chunk may add elements, or pieces of elements.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::codec::json::{self, Elements, Entries, Fields, Node, Place};
use crate::provider::merge;

/// The maximum number of elements per stream that accept further pieces. Real streams have a few.
/// Further elements are kept as they are.
pub(crate) const MOST_JOINED: usize = 16_384;

/// Adds the elements of a list. `joined` counts the elements of the stream that accept further
/// pieces.
pub(crate) fn add<'a>(fields: &mut Fields<'a>, key: Cow<'a, str>, raw: &'a RawValue, joined: &mut usize) {
    let is_open = matches!(fields.get(&key), Some(Node::Elements(_)));
    // Only objects accept further pieces. Most lists hold none.
    let may_join = raw.get().contains('{') && (is_open || *joined < MOST_JOINED);
    let elements = if may_join { json::array(raw) } else { None };
    if !is_open && elements.is_none() {
        merge::concat(fields, key, raw);
        return;
    }
    let slot = fields.entry(key, || Node::NULL);
    if !is_open {
        *joined += 1;
        *slot = Node::Elements(Box::new(Elements::after(slot)));
    }
    let Node::Elements(known) = slot else { return };
    match elements {
        Some(elements) => elements.into_iter().for_each(|element| known.add(element, joined)),
        None => known.push_text(json::items(raw).unwrap_or_default()),
    }
}

impl<'a> Elements<'a> {
    /// The state of a list after an earlier value: it starts with the elements of that value.
    fn after(before: &Node<'a>) -> Self {
        let mut elements = Self::default();
        match before {
            Node::List(items) => elements.push_text(items),
            Node::Raw(raw) => elements.push_text(json::items(raw).unwrap_or_default()),
            _ => {}
        }
        elements
    }

    fn add(&mut self, raw: &'a RawValue, joined: &mut usize) {
        let Some(entries) = json::object(raw) else {
            self.push_text(raw.get());
            return;
        };
        let value = |name| json::field(&entries, name);
        let kind = value("type").and_then(json::text).unwrap_or_default();
        let is_reasoning = merge::is_reasoning(kind);
        if let Some(index) = value("index").and_then(|index| index.get().parse().ok()) {
            if let Some(known) = self.at(index, kind) {
                join(known, entries);
            } else if self.push(raw, joined) {
                self.places.insert(index, Place { item: self.items.len() - 1, kind });
            }
        } else if is_reasoning {
            if !merge::continue_part(self.items.last_mut(), entries) {
                self.push(raw, joined);
            }
        } else {
            self.push_text(raw.get());
        }
    }

    /// The element with this index. A piece of another type starts a new element.
    fn at(&mut self, index: u64, kind: &'a str) -> Option<&mut Fields<'a>> {
        let place = self.places.get_mut(&index)?;
        if place.kind.is_empty() {
            place.kind = kind;
        }
        if !kind.is_empty() && place.kind != kind {
            return None;
        }
        self.items.get_mut(place.item).and_then(merge::as_object)
    }

    /// Adds an element that accepts further pieces, unless there are too many. Returns whether it
    /// was added.
    fn push(&mut self, raw: &'a RawValue, joined: &mut usize) -> bool {
        if *joined >= MOST_JOINED {
            self.push_text(raw.get());
            return false;
        }
        *joined += 1;
        self.items.push(Node::Raw(raw));
        true
    }

    /// Adds elements that accept no further pieces.
    fn push_text(&mut self, items: &str) {
        if items.is_empty() {
            return;
        }
        if let Some(Node::Literal(Cow::Owned(text))) = self.items.last_mut() {
            text.push(',');
            text.push_str(items);
        } else {
            self.items.push(Node::Literal(Cow::Owned(items.to_owned())));
        }
    }
}

/// Joins a piece to an element: texts grow; of any other field, the last value that is not blank
/// counts.
fn join<'a>(known: &mut Fields<'a>, entries: Entries<'a>) {
    for (key, raw) in entries {
        match &*key {
            "text" | "thinking" | "summary" | "data" => merge::grow(known, key, raw),
            _ => merge::last_present(known, key, raw),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::MOST_JOINED;
    use crate::provider::openai::chat::assembler::ChatAssembler;
    use crate::provider::operation::Operation;
    use crate::provider::stream::{Progress, StreamAssembler};

    /// The assembled lists of these deltas.
    fn lists(deltas: &[String]) -> Value {
        let chunk = |delta: &String| format!(r#"{{"choices":[{{"index":0,"delta":{delta}}}]}}"#);
        let chunks: Vec<String> = deltas.iter().map(chunk).collect();
        let (mut assembler, mut progress) = (ChatAssembler::default(), Progress::default());
        chunks.iter().for_each(|chunk| assert!(assembler.push(b"", chunk.as_bytes(), &mut progress)));
        let mut whole: Value =
            serde_json::from_str(&assembler.finish(Operation::Chat, &mut progress)).unwrap();
        whole["choices"][0]["message"].take()
    }

    #[test]
    fn elements_beyond_the_most_that_are_joined_are_kept_as_they_are() {
        let most = MOST_JOINED;
        let count = most + 500;
        let mut deltas: Vec<_> =
            (0..count).map(|index| format!(r#"{{"x":[{{"index":{index},"text":"a"}}]}}"#)).collect();
        // One more element accepts pieces, the next does not.
        deltas.push(r#"{"x":[{"index":7,"text":"b"}]}"#.to_owned());
        deltas.push(format!(
            r#"{{"x":[{{"index":{},"text":"b"}}],"y":[{{"index":0}},{{"index":0}}]}}"#,
            count - 1
        ));
        let whole = lists(&deltas);
        let elements = whole["x"].as_array().unwrap();
        assert_eq!(elements.len(), count + 1);
        assert_eq!((&elements[7]["text"], &elements[count]["text"]), (&"ab".into(), &"b".into()));
        assert_eq!(whole["y"].as_array().unwrap().len(), 2);
    }

    #[test]
    fn many_lists_share_what_can_be_joined() {
        let deltas: Vec<_> = (0..2 * MOST_JOINED).map(|key| format!(r#"{{"x{key}":[{{}}]}}"#)).collect();
        let whole = lists(&deltas);
        assert_eq!(whole.as_object().unwrap().len(), 2 * MOST_JOINED + 2);
    }
}
