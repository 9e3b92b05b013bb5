//! The arguments of a call, streamed as values of JSON paths.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::codec::json::{self, Entries, Fields, Node, Nodes};
use crate::provider::merge;

/// The number of values that a stream may still add by path.
#[derive(Debug)]
pub(super) struct Room(usize);

impl Default for Room {
    /// More than the arguments of any call. Each value may be an object of its own, which takes some
    /// 400 bytes.
    fn default() -> Self {
        Self(16_384)
    }
}

impl Room {
    fn take(&mut self) -> Option<()> {
        self.0 = self.0.checked_sub(1)?;
        Some(())
    }
}

/// The maximum depth of a path. No arguments are deeper, and writing them recurses.
const MOST_STEPS: usize = 64;

/// Adds pieces of arguments. Returns how many could not be added.
pub(super) fn add<'a>(arguments: &mut Node<'a>, pieces: &'a RawValue, room: &mut Room) -> u64 {
    let Some(pieces) = json::array(pieces) else { return u64::from(!json::is_null(pieces)) };
    let is_lost = |piece: &&'a RawValue| {
        json::object(piece).and_then(|piece| add_piece(arguments, &piece, room)).is_none()
    };
    pieces.into_iter().filter(is_lost).count() as u64
}

fn add_piece<'a>(arguments: &mut Node<'a>, piece: &Entries<'a>, room: &mut Room) -> Option<()> {
    let field = |names: [&str; 2]| names.into_iter().find_map(|name| json::field(piece, name));
    let path = unescaped(field(["jsonPath", "json_path"])?)?;
    let steps = steps(&path)?;
    let mut slot = arguments;
    for step in steps {
        slot = descend(slot, step, room)?;
    }
    if let Some(text) = field(["stringValue", "string_value"]).and_then(json::text) {
        merge::join(slot, text);
    } else if let Some(raw) = field(["numberValue", "number_value"]).or(field(["boolValue", "bool_value"])) {
        *slot = Node::Raw(raw);
    }
    // A new value is null.
    Some(())
}

/// The value below another one, created if it is new. An element of a list must be one of those that
/// are there, or the next.
fn descend<'s, 'a>(slot: &'s mut Node<'a>, step: Step<'_>, room: &mut Room) -> Option<&'s mut Node<'a>> {
    match step {
        Step::Key(key) => {
            if slot.is_null() {
                *slot = Node::Object(Fields::default());
            }
            let fields = merge::as_object(slot)?;
            if !fields.contains(key) {
                room.take()?;
            }
            Some(fields.entry(Cow::Owned(key.to_owned()), || Node::NULL))
        }
        Step::Index(index) => {
            if slot.is_null() {
                *slot = Node::Array(Nodes::default());
            }
            let items = as_array(slot)?;
            if index == items.len() {
                room.take()?;
                items.push(Node::NULL);
            }
            items.get_mut(index)
        }
    }
}

/// Expands a raw array so that its elements can change.
fn as_array<'s, 'a>(slot: &'s mut Node<'a>) -> Option<&'s mut Nodes<'a>> {
    if let Node::Raw(raw) = slot {
        *slot = Node::Array(json::array(raw)?.into_iter().map(Node::Raw).collect());
    }
    match slot {
        Node::Array(items) => Some(items),
        _ => None,
    }
}

/// A string without its escapes.
fn unescaped(raw: &RawValue) -> Option<Cow<'_, str>> {
    let text = json::text(raw)?;
    match text.contains('\\') {
        true => serde_json::from_str(raw.get()).ok().map(Cow::Owned),
        false => Some(text.into()),
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Step<'p> {
    Key(&'p str),
    Index(usize),
}

/// The steps of a path such as `$.a.b[0]['c d']`. `None` if it is malformed, too long, or the root.
fn steps(path: &str) -> Option<Vec<Step<'_>>> {
    let mut rest = path.strip_prefix('$')?;
    let mut steps = Vec::new();
    while !rest.is_empty() && steps.len() < MOST_STEPS {
        let (step, after) = first_step(rest)?;
        steps.push(step);
        rest = after;
    }
    (rest.is_empty() && matches!(steps.first(), Some(Step::Key(_)))).then_some(steps)
}

fn first_step(path: &str) -> Option<(Step<'_>, &str)> {
    if let Some(path) = path.strip_prefix('.') {
        let (key, rest) = path.split_at(path.find(['.', '[']).unwrap_or(path.len()));
        return (!key.is_empty()).then_some((Step::Key(key), rest));
    }
    let inside = path.strip_prefix('[')?;
    for (quote, end) in [('\'', "']"), ('"', "\"]")] {
        if let Some(key) = inside.strip_prefix(quote) {
            let (key, rest) = key.split_once(end)?;
            return Some((Step::Key(key), rest));
        }
    }
    let (index, rest) = inside.split_once(']')?;
    Some((Step::Index(index.parse().ok()?), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn added(pieces: &[&str]) -> (String, u64) {
        let pieces: Vec<Box<RawValue>> =
            pieces.iter().map(|pieces| RawValue::from_string((*pieces).to_owned()).unwrap()).collect();
        let mut arguments = Fields::default();
        arguments.set("args", Node::Object(Fields::default()));
        let mut room = Room::default();
        let slot = arguments.entry("args".into(), || Node::NULL);
        let lost = pieces.iter().map(|pieces| add(slot, pieces, &mut room)).sum();
        (arguments.to_json(), lost)
    }

    #[test]
    fn values_stand_at_their_paths_and_texts_of_a_path_are_joined() {
        let (arguments, lost) = added(&[
            r#"[{"jsonPath":"$.a.b[0]","stringValue":"x\u0061","willContinue":true},{"jsonPath":"$.n","numberValue":1e999}]"#,
            r#"[{"jsonPath":"$.a.b[0]","stringValue":"y"},{"json_path":"$.a.b[1]['c.d']","bool_value":true}]"#,
            r#"[{"jsonPath":"$['e\"f']","nullValue":"NULL_VALUE"},{"jsonPath":"$.a.b[2][0]","numberValue":0.10}]"#,
        ]);
        let expected = r#"{"args":{"a":{"b":["x\u0061y",{"c.d":true},[0.10]]},"n":1e999,"e\"f":null}}"#;
        assert_eq!((arguments.as_str(), lost), (expected, 0));
    }

    #[test]
    fn paths_that_lead_nowhere_are_counted_and_allocate_nothing() {
        for path in [
            "",
            "$",
            "a",
            "$.",
            "$..a",
            "$.a[",
            "$.a[-1]",
            "$.a[*]",
            "$.a[1000000000]",
            "$[0]",
            "$.a[99999999999999999999]",
            "$['a",
        ] {
            let piece = format!(r#"[{{"jsonPath":"{path}","stringValue":"x"}}]"#);
            let (arguments, lost) = added(&[&piece]);
            assert_eq!(lost, 1, "{path}");
            assert!(arguments.len() < 20, "{arguments}");
        }
        assert_eq!(added(&[r#"[1,{"stringValue":"x"},{"jsonPath":1}]"#, "5", "null"]).1, 4);
        let through_text = r#"[{"jsonPath":"$.a","stringValue":"x"},{"jsonPath":"$.a.b","stringValue":"y"}]"#;
        assert_eq!(added(&[through_text]), (r#"{"args":{"a":"x"}}"#.to_owned(), 1));
    }

    #[test]
    fn deep_paths_and_many_paths_have_a_limit() {
        let deep = |steps| format!(r#"[{{"jsonPath":"${}","numberValue":1}}]"#, ".a".repeat(steps));
        assert_eq!(added(&[&deep(MOST_STEPS)]).1, 0);
        assert_eq!(added(&[&deep(MOST_STEPS + 1)]), (r#"{"args":{}}"#.to_owned(), 1));
        let piece = |n| format!(r#"{{"jsonPath":"$.a{n}.b","numberValue":1}}"#);
        let many = format!("[{}]", (0..100_000).map(piece).collect::<Vec<_>>().join(","));
        assert_eq!(added(&[&many]).1, 100_000 - 16_384 / 2);
    }
}
