mod converse;
mod envelope;
mod hostile;
mod invoke;
mod paths;

use std::cell::OnceCell;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::PROVIDER;
use crate::codec::end_marker::EndMarker;
use crate::codec::frames::tests::event;
use crate::codec::framing::Framing;
use crate::codec::json::Node;
use crate::provider::operation::Operation;
use crate::provider::stream::{Assembled, Progress, RecordedStream};

/// Assembles frames as this operation's response.
fn assembled(operation: Operation, frames: &[u8], truncated: Option<Node<'_>>) -> Assembled {
    let stream = RecordedStream {
        bytes: frames,
        framing: Framing::Frames,
        end_marker: EndMarker(None),
        mended: &OnceCell::new(),
        truncated,
        charge: &|_| true,
    };
    let row = PROVIDER.operations.iter().find(|row| row.operation == operation).unwrap();
    (row.assemble)(stream, operation)
}

/// The object and the progress.
fn read(assembled: &Assembled) -> (Value, Progress) {
    (serde_json::from_str(&assembled.json).unwrap(), assembled.progress)
}

/// The events of a Converse stream, each a type and a payload.
fn frames(events: &[(&str, &str)]) -> Vec<u8> {
    events.iter().flat_map(|(name, payload)| event(name, payload)).collect()
}

fn converse(events: &[(&str, &str)]) -> (Value, Progress) {
    read(&assembled(Operation::BedrockConverse, &frames(events), None))
}

/// The frame of a chunk of an invoked model.
fn chunk(json: &str) -> Vec<u8> {
    event("chunk", &format!(r#"{{"bytes":"{}","p":"abcd"}}"#, STANDARD.encode(json)))
}

fn invoke(chunks: &[&str]) -> (Value, Progress) {
    let frames: Vec<u8> = chunks.iter().flat_map(|json| chunk(json)).collect();
    read(&assembled(Operation::BedrockInvoke, &frames, None))
}
