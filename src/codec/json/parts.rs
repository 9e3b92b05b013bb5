//! One parsed level of a JSON text.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::raw;
use crate::codec::allowance::{self, Held};

/// The parts of one level, held within the [allowance](crate::codec::allowance).
#[derive(Debug)]
pub(crate) struct ParsedLevel<T> {
    parts: Vec<T>,
    _held: Held,
}

/// The fields of one JSON object, in order.
pub(crate) type Entries<'a> = ParsedLevel<(Cow<'a, str>, &'a RawValue)>;

/// The elements of one JSON array.
pub(crate) type Values<'a> = ParsedLevel<&'a RawValue>;

/// The number of nodes charged per part: an element takes 16 bytes, a field 40, and lists grow by
/// doubling.
const ELEMENT: usize = 1;
const ENTRY: usize = 2;

/// The initial capacity. A chunk of OpenAI's has nine fields.
const MANY_FIELDS: usize = 12;

impl<T> ParsedLevel<T> {
    /// `None` if there is no room for all parts.
    fn read<E: Error>(weight: usize, mut next: impl FnMut() -> Result<Option<T>, E>) -> Result<Self, E> {
        let most = allowance::nodes_left() / weight;
        let mut parts = Vec::new();
        while let Some(part) = next()? {
            if parts.len() == most {
                allowance::refuse();
                return Err(E::custom("too many parts"));
            }
            if parts.is_empty() {
                parts.reserve(MANY_FIELDS.min(most));
            }
            parts.push(part);
        }
        let held = Held::new(parts.len() * weight);
        Ok(Self { parts, _held: held })
    }
}

impl<T> Default for ParsedLevel<T> {
    fn default() -> Self {
        Self { parts: Vec::new(), _held: Held::default() }
    }
}

impl<T> Deref for ParsedLevel<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.parts
    }
}

impl<T> IntoIterator for ParsedLevel<T> {
    type Item = T;
    type IntoIter = IntoParts<T>;

    fn into_iter(self) -> IntoParts<T> {
        IntoParts { parts: self.parts.into_iter(), _held: self._held }
    }
}

/// An iterator over the parts. It holds their nodes until the last part is taken.
pub(crate) struct IntoParts<T> {
    parts: std::vec::IntoIter<T>,
    _held: Held,
}

impl<T> Iterator for IntoParts<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.parts.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.parts.size_hint()
    }
}

impl<'s, T> IntoIterator for &'s ParsedLevel<T> {
    type Item = &'s T;
    type IntoIter = std::slice::Iter<'s, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.parts.iter()
    }
}

impl<T> FromIterator<T> for ParsedLevel<T> {
    fn from_iter<I: IntoIterator<Item = T>>(parts: I) -> Self {
        let parts: Vec<_> = parts.into_iter().collect();
        let _held = Held::new(parts.len() * ENTRY);
        Self { parts, _held }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Entries<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;

        impl<'de> Visitor<'de> for Collect {
            type Value = Entries<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                ParsedLevel::read(ENTRY, || {
                    let Some(name) = map.next_key()? else { return Ok(None) };
                    Ok(Some((key(name), map.next_value()?)))
                })
            }
        }

        deserializer.deserialize_map(Collect)
    }
}

/// A key without its escapes. A key with half a surrogate pair is not valid text and keeps its
/// escapes.
fn key(raw: &RawValue) -> Cow<'_, str> {
    let escaped = raw::text(raw).unwrap_or_default();
    if !escaped.as_bytes().contains(&b'\\') {
        return Cow::Borrowed(escaped);
    }
    serde_json::from_str(raw.get()).map_or(Cow::Borrowed(escaped), Cow::Owned)
}

impl<'de: 'a, 'a> Deserialize<'de> for Values<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;

        impl<'de> Visitor<'de> for Collect {
            type Value = Values<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                ParsedLevel::read(ELEMENT, || seq.next_element())
            }
        }

        deserializer.deserialize_seq(Collect)
    }
}
