use std::cell::OnceCell;

use serde_json::{Value, json};

use super::*;
use crate::codec::end_marker::EndMarker;
use crate::codec::framing::Framing;
use crate::provider::gemini::bare_error::assemble_with_error;
use crate::provider::stream::{Assembled, RecordedStream};

fn assembled(framing: Framing, bytes: &[u8]) -> Assembled {
    let stream = RecordedStream {
        bytes,
        framing,
        end_marker: EndMarker(Some("[DONE]")),
        mended: &OnceCell::new(),
        truncated: None,
        charge: &|_| true,
    };
    assemble_with_error::<GeminiAssembler<'_>>(stream, Operation::GeminiGenerate)
}

#[test]
#[ignore = "throw-away"]
fn corpus() {
    let folder = std::path::Path::new("/work/shared/providers/corpus");
    let mut names: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    let (mut count, mut wrong) = (0, 0);
    for path in names {
        let Ok(meta) = std::fs::read(path.join("meta.json")) else { continue };
        let meta: Value = serde_json::from_slice(&meta).unwrap();
        let is_ours = matches!(meta["provider"].as_str(), Some("gemini" | "vertex-gemini"));
        let framing = match meta["framing"].as_str() {
            Some("sse") => Framing::Events,
            Some("json-array") => Framing::Array,
            _ => continue,
        };
        if !is_ours || meta["kind"] == "interactions" {
            continue;
        }
        let body = std::fs::read(path.join("response.body")).unwrap();
        let oracle: Value =
            serde_json::from_slice(&std::fs::read(path.join("oracle.json")).unwrap()).unwrap();
        let assembled = assembled(framing, &body);
        let ours: Value = serde_json::from_str(&assembled.json).unwrap();
        count += 1;
        let progress = assembled.progress;
        if clean(&ours) != clean(&oracle)
            || progress.skipped > 0
            || !progress.is_finished
            || !progress.has_token
        {
            wrong += 1;
            println!(
                "{path:?} {progress:?}\n  {}\n  {}",
                clean(&ours).unwrap_or_default(),
                clean(&oracle).unwrap_or_default()
            );
        }
    }
    println!("{count} streams, {wrong} wrong");
    assert_eq!(wrong, 0);
}

fn clean(value: &Value) -> Option<Value> {
    match value {
        Value::Null => None,
        Value::Array(items) if items.is_empty() => None,
        Value::Object(fields) if fields.is_empty() => None,
        Value::Array(items) => Some(items.iter().map(|item| clean(item).unwrap_or_default()).collect()),
        Value::Object(fields) => {
            let fields: serde_json::Map<_, _> =
                fields.iter().filter_map(|(key, value)| Some((key.clone(), clean(value)?))).collect();
            (!fields.is_empty()).then_some(fields.into())
        }
        Value::Number(number) => Some(json!(number.as_f64())),
        other => Some(other.clone()),
    }
}
