//! JSON that is cut off, or contains invalid numbers.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::codec::allowance::Allowance;

fn cut(text: &str) -> Option<String> {
    let read = read(text)?;
    assert!(read.is_cut && !read.is_mended, "{read:?}");
    Some(read.json)
}

#[test]
fn every_complete_value_of_a_text_that_is_cut_off_is_kept_in_its_place() {
    for (text, complete) in [
        (r#"{"a":1,"b":2"#, r#"{"a":1}"#),
        (r#"{"a":1,"b":2,"#, r#"{"a":1,"b":2}"#),
        (r#"{"a":[1,{"b":"x","c":"y"#, r#"{"a":[1,{"b":"x"}]}"#),
        (r#"{"a":true,"b":[[{"c":"#, r#"{"a":true}"#),
        (r#"{"a":"\"}\\","b":"\"#, r#"{"a":"\"}\\"}"#),
        (r#"{"a" : {} , "b" : fal"#, r#"{"a" : {}}"#),
        (r#"{"a":[]"#, r#"{"a":[]}"#),
        ("[1,-", "[1]"),
    ] {
        assert_eq!(cut(text).as_deref(), Some(complete), "{text}");
    }
}

#[test]
fn a_text_without_a_complete_value_is_an_empty_object_or_array() {
    for (text, empty) in [("{", "{}"), ("[[[", "[]"), (r#"{"a":1"#, "{}"), (" {\"a\"", "{}"), ("[", "[]")] {
        let read = read(text).unwrap();
        assert_eq!((&*read.json, read.end, read.is_cut), (empty, 0, true), "{text}");
    }
}

#[test]
fn a_text_that_is_no_json_or_nested_too_deeply_gives_nothing() {
    for text in ["", " ", r#"{"a"""#, "x", "1", "{1:2,", "[1}", "[1]]", "[1 2,", "[,1", "{}x", "{x", "[nul,"]
    {
        assert_eq!(read(text), None, "{text}");
    }
    assert_eq!(read(&format!("[1,{}", "[".repeat(MAX_DEPTH))), None);
}

#[test]
fn numbers_that_json_does_not_have_become_strings_and_strings_stay() {
    let text = r#"{"NaN":NaN,"a":[-Infinity,Infinity],"b":"NaN, \"Infinity"} "#;
    let Lenient { json, is_cut, is_mended, .. } = read(text).unwrap();
    assert_eq!(json, r#"{"NaN":"NaN","a":["-Infinity","Infinity"],"b":"NaN, \"Infinity"}"#);
    assert!(is_mended && !is_cut);
    let cut = read(r#"[{"a":NaN,"b":Inf"#).unwrap();
    assert_eq!((&*cut.json, cut.is_cut, cut.is_mended), (r#"[{"a":"NaN"}]"#, true, true));
}

#[test]
fn a_text_of_numbers_that_json_does_not_have_is_cut_where_it_would_grow_by_too_much() {
    let most = MAX_GROWTH / 2;
    for (numbers, is_cut) in [(most, false), (most + 1, true), (2 * most, true)] {
        let text = format!("[{}]", vec!["NaN"; numbers].join(","));
        let (read, cost) = Allowance::LARGE.within(|| read(&text).unwrap());
        assert_eq!((read.is_cut, read.is_mended), (is_cut, true));
        assert_eq!(read.json.matches("NaN").count(), numbers.min(most));
        assert!(read.json.capacity() < text.len() + 2 * MAX_GROWTH, "{}", read.json.capacity());
        assert_eq!((cost.work, cost.is_exhausted), (text.len(), false), "one pass");
    }
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 60, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((any::<String>(), inner), 0..5)
                .prop_map(|fields| fields.into_iter().collect()),
        ]
    })
}

/// Whether a value equals the beginning of another one.
fn is_beginning(part: &Value, whole: &Value) -> bool {
    match (part, whole) {
        (Value::Object(part), Value::Object(whole)) => {
            part.iter().all(|(key, value)| whole.get(key).is_some_and(|all| is_beginning(value, all)))
        }
        (Value::Array(part), Value::Array(whole)) => {
            part.len() <= whole.len() && part.iter().zip(whole).all(|(part, all)| is_beginning(part, all))
        }
        _ => part == whole,
    }
}

proptest! {
    #[test]
    fn wherever_json_is_cut_what_is_read_is_a_part_of_it(value in values(), pretty: bool) {
        let whole = json!({"a": value, "z": [1, "end"]});
        let text = if pretty { format!("{whole:#}") } else { whole.to_string() };
        let mut before = 0;
        for (at, _) in text.char_indices() {
            let Some(read) = read(&text[..at]) else { continue };
            let part = serde_json::from_str(&read.json).expect("it is JSON");
            prop_assert!(is_beginning(&part, &whole), "{part} of {whole}");
            prop_assert!(read.is_cut && !read.is_mended && read.end >= before, "it grows");
            before = read.end;
        }
        let read = read(&text).unwrap();
        prop_assert_eq!((read.json, read.is_cut), (text, false));
    }
}
