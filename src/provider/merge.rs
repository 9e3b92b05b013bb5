//! Merges a value of a chunk with the values of earlier chunks.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::codec::allowance;
use crate::codec::json::{self, Entries, Fields, Node, Nodes, Values};

/// Keeps the last value that is not null. Objects are merged field by field.
pub(crate) fn last<'a>(fields: &mut Fields<'a>, key: Cow<'a, str>, raw: &'a RawValue) {
    let slot = fields.entry(key, || Node::Raw(raw));
    if json::is_null(raw) {
        return;
    }
    let Some(entries) = json::object(raw) else {
        *slot = Node::Raw(raw);
        return;
    };
    if let Some(known) = as_object(slot) {
        for (key, raw) in entries {
            replace(known, key, raw);
        }
    } else {
        *slot = Node::Raw(raw);
    }
}

/// Keeps the first value that is not blank.
pub(crate) fn first<'a>(fields: &mut Fields<'a>, key: Cow<'a, str>, raw: &'a RawValue) {
    let slot = fields.entry(key, || Node::Raw(raw));
    if let Node::Raw(known) = slot
        && (json::is_blank(known) || known.get() == "0")
        && !json::is_null(raw)
    {
        *slot = Node::Raw(raw);
    }
}

/// Keeps the last value that is not blank.
pub(crate) fn last_present<'a>(fields: &mut Fields<'a>, key: Cow<'a, str>, raw: &'a RawValue) {
    let slot = fields.entry(key, || Node::Raw(raw));
    if !json::is_blank(raw) {
        *slot = Node::Raw(raw);
    }
}

/// Appends a piece of text, or the parts of a list.
pub(crate) fn append<'a>(fields: &mut Fields<'a>, key: Cow<'a, str>, raw: &'a RawValue) {
    append_within(fields, key, raw, MAX_PART_DEPTH);
}

/// Parts contain texts or lists of parts (`thinking` in `thinking`). Levels deeper than any server
/// sends are kept as they are, which bounds the work and the stack for a hostile stream.
const MAX_PART_DEPTH: u8 = 3;

fn append_within<'a>(fields: &mut Fields<'a>, key: Cow<'a, str>, raw: &'a RawValue, depth: u8) {
    if let Some(piece) = json::text(raw) {
        append_piece(fields, key, piece);
    } else if let Some(items) = json::array(raw) {
        extend(fields, key, items, |parts, part| append_part(parts, part, depth));
    } else {
        last(fields, key, raw);
    }
}

/// Appends a piece of text that keeps its JSON escapes.
pub(crate) fn append_piece<'a>(fields: &mut Fields<'a>, key: Cow<'a, str>, piece: &str) {
    match fields.entry(key, || Node::Text(String::new())) {
        Node::Array(parts) => append_text(parts, piece),
        slot => join(slot, piece),
    }
}

/// Appends a text that is either a piece of a longer text or a label repeated in every chunk.
///
/// While all pieces are equal, they count as one label. Once they differ, every piece counts.
pub(crate) fn repeat<'a>(fields: &mut Fields<'a>, key: Cow<'a, str>, piece: &'a str, times: usize) {
    let slot = fields.entry(key, || Node::Repeated { piece, times: 0 });
    if let Node::Raw(raw) = slot
        && let Some(piece) = json::text(raw)
    {
        *slot = Node::Repeated { piece, times: 1 };
    }
    match slot {
        _ if piece.is_empty() => {}
        Node::Repeated { piece: known, times: so_far } if *known == piece => *so_far += times,
        Node::Repeated { piece: "", .. } => *slot = Node::Repeated { piece, times },
        Node::Repeated { .. } | Node::Text(_) => join(slot, &piece.repeat(times)),
        _ => *slot = Node::Repeated { piece, times },
    }
}

/// Joins a piece of an element that chunks send in full or in part. Text that is already there is
/// not repeated.
pub(crate) fn grow<'a>(fields: &mut Fields<'a>, key: Cow<'a, str>, raw: &'a RawValue) {
    match (fields.get(&key), json::text(raw)) {
        // The whole text again, after its pieces.
        (Some(Node::Text(known)), Some(piece)) if known == piece => {}
        (Some(Node::Raw(known)), None) if known.get() == raw.get() => {}
        (Some(Node::Array(_)), _) | (_, None) => append(fields, key, raw),
        (_, Some(piece)) => repeat(fields, key, piece, 1),
    }
}

/// Appends the elements of a list unchanged. For an object, appends the elements of each of its
/// fields.
pub(crate) fn concat<'a>(fields: &mut Fields<'a>, key: Cow<'a, str>, raw: &'a RawValue) {
    add_lists(fields, key, raw, push_elements);
}

/// Does the same, but a list that repeats the elements so far, and more, replaces them.
pub(crate) fn concat_new<'a>(fields: &mut Fields<'a>, key: Cow<'a, str>, raw: &'a RawValue) {
    add_lists(fields, key, raw, |list, items| {
        let more = items.strip_prefix(list.as_str()).map(str::trim_ascii_start);
        if more.is_some_and(|more| more.is_empty() || more.starts_with(',')) {
            list.clear();
        }
        push_elements(list, items);
    });
}

fn add_lists<'a>(fields: &mut Fields<'a>, key: Cow<'a, str>, raw: &'a RawValue, add: fn(&mut String, &str)) {
    if let Some(items) = json::items(raw) {
        add(list(fields, key), items);
    } else if let Some(entries) = json::object(raw) {
        let slot = fields.entry(key, || Node::Object(Fields::default()));
        if !matches!(slot, Node::Object(_)) {
            *slot = Node::Object(Fields::default());
        }
        if let Node::Object(known) = slot {
            for (key, raw) in entries {
                match json::items(raw) {
                    Some(items) => add(list(known, key), items),
                    None => replace(known, key, raw),
                }
            }
        }
    } else {
        replace(fields, key, raw);
    }
}

/// The text of a list. Any value other than a list is replaced.
fn list<'s, 'a>(fields: &'s mut Fields<'a>, key: Cow<'a, str>) -> &'s mut String {
    let slot = fields.entry(key, || Node::List(String::new()));
    loop {
        match slot {
            Node::List(list) => return list,
            Node::Raw(raw) => *slot = Node::List(json::items(raw).unwrap_or_default().to_owned()),
            _ => *slot = Node::List(String::new()),
        }
    }
}

/// Appends elements to the list in a field. Any value other than a list is replaced.
pub(crate) fn append_elements<'a>(fields: &mut Fields<'a>, key: Cow<'a, str>, elements: &str) {
    push_elements(list(fields, key), elements);
}

/// Appends elements to the inside of a list. Both are text, with commas between the elements.
pub(crate) fn push_elements(list: &mut String, elements: &str) {
    if !elements.is_empty() {
        if !list.is_empty() {
            list.push(',');
        }
        list.push_str(elements);
    }
}

/// Sets a name once: a repetition is ignored, a further piece is appended.
pub(crate) fn name<'a>(fields: &mut Fields<'a>, key: Cow<'a, str>, raw: &'a RawValue) {
    let known = fields.get(&key).and_then(Node::as_text);
    if known.is_none() || known != json::text(raw) {
        append(fields, key, raw);
    }
}

/// Replaces the value, unless the new one is null.
pub(crate) fn replace<'a>(fields: &mut Fields<'a>, key: Cow<'a, str>, raw: &'a RawValue) {
    let slot = fields.entry(key, || Node::Raw(raw));
    if !json::is_null(raw) {
        *slot = Node::Raw(raw);
    }
}

fn extend<'a>(
    fields: &mut Fields<'a>,
    key: Cow<'a, str>,
    items: Values<'a>,
    mut add: impl FnMut(&mut Nodes<'a>, &'a RawValue),
) {
    let slot = fields.entry(key, || Node::Array(Nodes::default()));
    if !matches!(slot, Node::Array(_)) {
        *slot = Node::Array(elements(slot));
    }
    if let Node::Array(known) = slot {
        for item in items {
            if known.len() < MOST_PARTS {
                add(known, item);
            }
        }
    }
}

/// The maximum number of parts. No message has more; an attacker could send millions. Further parts
/// are skipped.
const MOST_PARTS: usize = 100_000;

/// The initial elements of a list that follows an earlier value: the elements of that value, or its
/// text as a part.
fn elements<'a>(slot: &mut Node<'a>) -> Nodes<'a> {
    match slot {
        Node::Array(items) => std::mem::take(items),
        Node::Text(text) if !text.is_empty() => [text_part(std::mem::take(text))].into_iter().collect(),
        Node::Raw(raw) if !json::is_blank(raw) => match (json::array(raw), json::text(raw)) {
            (Some(items), _) => items.into_iter().map(Node::Raw).collect(),
            (None, Some(text)) => [text_part(text.to_owned())].into_iter().collect(),
            (None, None) => [Node::Raw(raw)].into_iter().collect(),
        },
        _ => Nodes::default(),
    }
}

/// A content part of this text, with its JSON escapes.
fn text_part<'a>(text: String) -> Node<'a> {
    let mut part = Fields::default();
    part.set("type", Node::Text("text".to_owned()));
    part.set("text", Node::Text(text));
    Node::Object(part)
}

/// Appends a content part. A text part is joined to the previous part if both have the same type.
fn append_part<'a>(parts: &mut Nodes<'a>, part: &'a RawValue, depth: u8) {
    if let Some(shallower) = depth.checked_sub(1)
        && let Some(entries) = json::object(part)
        && let Some(known) = parts.last_mut().and_then(as_object)
        && is_continued(known, &entries)
    {
        join_part(known, entries, shallower);
    } else {
        parts.push(Node::Raw(part));
    }
}

/// Joins a part to the previous one if it continues that one. Returns whether it did.
pub(crate) fn continue_part<'a>(before: Option<&mut Node<'a>>, entries: Entries<'a>) -> bool {
    let Some(known) = before.and_then(as_object) else { return false };
    let is_continued = is_continued(known, &entries);
    if is_continued {
        join_part(known, entries, MAX_PART_DEPTH - 1);
    }
    is_continued
}

fn join_part<'a>(known: &mut Fields<'a>, entries: Entries<'a>, depth: u8) {
    for (key, raw) in entries {
        match &*key {
            "text" | "thinking" | "reasoning" | "summary" => append_within(known, key, raw, depth),
            "signature" | "closed" => last_present(known, key, raw),
            // The first piece already has the other fields.
            _ => {}
        }
    }
}

/// Appends text that follows a list of parts: to the last part, if that is text.
fn append_text<'a>(parts: &mut Nodes<'a>, piece: &str) {
    let is_text = |part: &Fields<'_>| part.get("type").and_then(Node::as_text) == Some("text");
    if let Some(part) = parts.last_mut().and_then(as_object)
        && is_text(part)
    {
        join(part.entry("text".into(), || Node::Text(String::new())), piece);
    } else {
        parts.push(text_part(piece.to_owned()));
    }
}

/// Appends to a text. Any value other than a string is replaced.
pub(crate) fn join(slot: &mut Node<'_>, piece: &str) {
    match slot {
        Node::Text(text) => text.push_str(piece),
        Node::Repeated { piece: known, times } => *slot = Node::Text(known.repeat(*times) + piece),
        slot => *slot = Node::Text([slot.as_text().unwrap_or_default(), piece].concat()),
    }
}

/// Whether a part continues the previous one.
///
/// Both must have the same type, its texts must come in pieces, and no signature may have closed
/// the previous part.
fn is_continued(known: &Fields<'_>, entries: &[(Cow<'_, str>, &RawValue)]) -> bool {
    let text = |name| json::field(entries, name).and_then(json::text);
    let known = |name| known.get(name).and_then(Node::as_text);
    let kind = text("type").filter(|kind| *kind == "text" || is_reasoning(kind));
    let is_closed = known("signature").is_some_and(|signature| !signature.is_empty());
    kind.is_some() && kind == known("type") && !(is_closed && known("signature") != text("signature"))
}

/// Whether parts of this type are reasoning.
pub(crate) fn is_reasoning(kind: &str) -> bool {
    REASONING.contains(&kind)
}

/// The types of reasoning parts whose texts come in pieces.
const REASONING: [&str; 6] =
    ["thinking", "reasoning", "reasoning.text", "reasoning.summary", "reasoning_text", "summary_text"];

/// The object in a field, created if it is missing. `None` if the field has another value.
pub(crate) fn object<'s, 'a>(fields: &'s mut Fields<'a>, key: Cow<'a, str>) -> Option<&'s mut Fields<'a>> {
    as_object(fields.entry(key, || Node::Object(Fields::default())))
}

/// Expands a raw object so that its fields can change.
pub(crate) fn as_object<'s, 'a>(slot: &'s mut Node<'a>) -> Option<&'s mut Fields<'a>> {
    if let Node::Raw(raw) = slot {
        *slot = Node::Object(Fields::of(json::object(raw)?));
    }
    match slot {
        Node::Object(fields) => Some(fields),
        _ => None,
    }
}

/// The JSON value in the inside of a string. A text that is not JSON, because the stream was cut or
/// reached the limit of tokens, remains a string.
pub(crate) fn parsed<'a>(mut text: String) -> Node<'a> {
    text.insert(0, '"');
    text.push('"');
    let json = allowance::examine(2 * text.len()).then(|| serde_json::from_str::<String>(&text).ok());
    match json.flatten().filter(|json| serde_json::from_str::<&RawValue>(json).is_ok()) {
        Some(json) => Node::Literal(json.into()),
        None => Node::Literal(text.into()),
    }
}
