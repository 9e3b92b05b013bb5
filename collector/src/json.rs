//! JSON read one level at a time. A report may contain numbers that no type holds, strings that are
//! not Unicode, and any depth of nesting; none of that may stop it from being shown.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The text of one valid JSON value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Json<'a>(&'a str);

/// The fields of an object, in order, duplicates included.
#[derive(Clone, Debug, Default)]
pub(crate) struct Object<'a>(Vec<(Cow<'a, str>, Json<'a>)>);

impl<'a> Json<'a> {
    /// `Err` with the reason if the text is not JSON.
    pub(crate) fn parse(text: &'a str) -> Result<Self, serde_json::Error> {
        serde_json::from_str::<&RawValue>(text).map(|raw| Self(raw.get()))
    }

    pub(crate) fn text(self) -> &'a str {
        self.0
    }

    fn starts_with(self, start: u8) -> bool {
        self.0.as_bytes().first() == Some(&start)
    }

    pub(crate) fn is_object(self) -> bool {
        self.starts_with(b'{')
    }

    pub(crate) fn is_array(self) -> bool {
        self.starts_with(b'[')
    }

    pub(crate) fn is_string(self) -> bool {
        self.starts_with(b'"')
    }

    pub(crate) fn is_null(self) -> bool {
        self.0 == "null"
    }

    pub(crate) fn is_true(self) -> bool {
        self.0 == "true"
    }

    /// The fields of an object; empty for any other value.
    pub(crate) fn object(self) -> Object<'a> {
        if !self.is_object() {
            return Object::default();
        }
        serde_json::from_str(self.0).unwrap_or_default()
    }

    /// The elements of an array; empty for any other value.
    pub(crate) fn items(self) -> Vec<Json<'a>> {
        if !self.is_array() {
            return Vec::new();
        }
        let items = serde_json::from_str::<Vec<&RawValue>>(self.0).unwrap_or_default();
        items.into_iter().map(|raw| Self(raw.get())).collect()
    }

    /// A field of an object that is not null.
    pub(crate) fn get(self, name: &str) -> Option<Json<'a>> {
        self.object().get(name)
    }

    /// A value inside of nested objects that is not null.
    pub(crate) fn at(self, names: &[&str]) -> Option<Json<'a>> {
        names.iter().try_fold(self, |json, name| json.get(name))
    }

    /// A string's text. A lone surrogate becomes U+FFFD.
    pub(crate) fn string(self) -> Option<Cow<'a, str>> {
        if !self.is_string() {
            return None;
        }
        serde_json::from_str::<Lossy<'_>>(self.0).ok().map(|text| text.0)
    }

    /// A string's text, unless it is empty.
    pub(crate) fn filled(self) -> Option<Cow<'a, str>> {
        self.string().filter(|text| !text.is_empty())
    }

    /// A number that is not negative, rounded down.
    pub(crate) fn number(self) -> Option<u64> {
        self.0.parse().ok().or_else(|| {
            let number = self.0.parse::<f64>().ok().filter(|number| (0.0..9e15).contains(number))?;
            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "the range is checked"
            )]
            Some(number as u64)
        })
    }
}

impl<'a> Object<'a> {
    /// The last field of that name, as most parsers have it, if it is not null.
    pub(crate) fn get(&self, name: &str) -> Option<Json<'a>> {
        self.any(name).filter(|json| !json.is_null())
    }

    /// The same, null included.
    pub(crate) fn any(&self, name: &str) -> Option<Json<'a>> {
        self.0.iter().rev().find(|(key, _)| key == name).map(|(_, json)| *json)
    }

    /// The first of several names that has a value.
    pub(crate) fn first(&self, names: &[&str]) -> Option<Json<'a>> {
        names.iter().find_map(|name| self.get(name))
    }

    pub(crate) fn string(&self, name: &str) -> Option<Cow<'a, str>> {
        self.get(name)?.string()
    }

    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.get(name)?.number()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, Json<'a>)> {
        self.0.iter().map(|(name, json)| (&**name, *json))
    }
}

/// A string, even if it is not Unicode.
struct Lossy<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Lossy<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Lossy<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_bytes<E>(self, bytes: &'de [u8]) -> Result<Self::Value, E> {
                Ok(Lossy(String::from_utf8_lossy(bytes)))
            }
            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Self::Value, E> {
                Ok(Lossy(String::from_utf8_lossy(bytes).into_owned().into()))
            }
        }
        deserializer.deserialize_bytes(Text)
    }
}

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Object<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut fields = Vec::new();
                while let Some((key, value)) = map.next_entry::<Lossy<'de>, &'de RawValue>()? {
                    fields.push((key.0, Json(value.get())));
                }
                Ok(Object(fields))
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_no_type_holds_is_read_beside_all_others() {
        let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
        let text = format!(r#"{{"a":1e999,"b\ud800":"x\udc00y","c":{deep},"d":3.9,"d":-1,"e":null}}"#);
        let object = Json::parse(&text).unwrap().object();
        assert_eq!(object.get("a").unwrap().text(), "1e999");
        assert_eq!(object.get("a").unwrap().number(), None);
        let (name, lone) = object.iter().nth(1).unwrap();
        assert!(name.starts_with('b') && name.contains('\u{fffd}'), "{name:?}");
        assert!(lone.string().unwrap().starts_with("x\u{fffd}"), "{lone:?}");
        assert_eq!(object.get("c").unwrap().items().len(), 1);
        assert_eq!((object.number("d"), object.get("e"), object.any("e").is_some()), (None, None, true));
        assert!(Json::parse("{\"a\":}").is_err() && Json::parse("{} x").is_err());
    }
}
