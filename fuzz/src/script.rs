//! Streams of which it is known what they add up to, however their pieces are mixed.

use std::collections::BTreeMap;

use arbitrary::{Arbitrary, Result, Unstructured};
use serde_json::{Value, json};

/// A stream, and what must be found in its report.
pub struct Script {
    pub events: Vec<String>,
    pub expected: Value,
    /// What is looked at in a report.
    pub said: fn(&Value) -> Value,
}

/// A piece of an answer.
#[derive(Arbitrary)]
struct Piece {
    place: Place,
    said: Said,
    text: String,
    /// In the same event as the piece before it, where an event can hold several.
    is_beside: bool,
}

#[derive(Arbitrary, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    First,
    Second,
    Third,
}

#[derive(Arbitrary, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Said {
    Content,
    Refusal,
    Reasoning,
    Call(Place),
}

/// What the pieces of each kind at each place add up to.
type Texts = BTreeMap<(Place, Said), String>;

/// The pieces that the bytes hold, and whether each is the first of its kind at its place.
fn pieces(bytes: &mut Unstructured<'_>) -> Result<(Vec<(Piece, bool)>, Texts)> {
    let mut texts = Texts::new();
    let mut pieces = Vec::new();
    while !bytes.is_empty() && pieces.len() < 64 {
        let piece = Piece::arbitrary(bytes)?;
        let is_first = !texts.contains_key(&(piece.place, piece.said));
        texts.entry((piece.place, piece.said)).or_default().push_str(&piece.text);
        pieces.push((piece, is_first));
    }
    Ok((pieces, texts))
}

/// Chunks with these choices, of which some share one.
fn chunks(choices: Vec<(Value, bool)>) -> Vec<String> {
    let mut chunks: Vec<Vec<Value>> = Vec::new();
    for (choice, is_beside) in choices {
        match chunks.last_mut() {
            Some(chunk) if is_beside => chunk.push(choice),
            _ => chunks.push(vec![choice]),
        }
    }
    let chunk = |choices| json!({"id": "c", "model": "m", "choices": choices}).to_string();
    chunks.into_iter().map(chunk).collect()
}

/// A chat of up to three choices, each of which may say and call several things at once.
pub fn chat(bytes: &mut Unstructured<'_>) -> Result<Script> {
    let (pieces, texts) = pieces(bytes)?;
    let choice = |(piece, is_first): (Piece, bool)| {
        let text = &piece.text;
        let delta = match piece.said {
            Said::Content => json!({"content": text}),
            Said::Refusal => json!({"refusal": text}),
            Said::Reasoning => json!({"reasoning_content": text}),
            Said::Call(call) => {
                let mut delta = json!({"index": call as u8, "function": {"arguments": text}});
                if is_first {
                    delta["id"] = format!("call_{}", call as u8).into();
                    delta["function"]["name"] = "f".into();
                }
                json!({"tool_calls": [delta]})
            }
        };
        (json!({"index": piece.place as u8, "delta": delta}), piece.is_beside)
    };
    Ok(Script {
        events: chunks(pieces.into_iter().map(choice).collect()),
        expected: messages(&texts),
        said: |report| {
            let choices = report["choices"].as_array().expect("choices are there").iter();
            let message = |choice: &Value| {
                let message = &choice["message"];
                let calls = message["tool_calls"].as_array().cloned().unwrap_or_default();
                let calls: Vec<_> = calls
                    .iter()
                    .map(|call| json!([call["id"], call["function"]["name"], call["function"]["arguments"]]))
                    .collect();
                json!([
                    choice["index"],
                    message["role"],
                    message["content"],
                    message["refusal"],
                    message["reasoning_content"],
                    calls
                ])
            };
            choices.map(message).collect()
        },
    })
}

/// The messages that these texts are, in the order of their choices.
fn messages(texts: &Texts) -> Value {
    let mut messages = Vec::new();
    for place in [Place::First, Place::Second, Place::Third] {
        if !texts.keys().any(|(choice, _)| *choice == place) {
            continue;
        }
        let text = |said| texts.get(&(place, said));
        let call =
            |call| text(Said::Call(call)).map(|text| json!([format!("call_{}", call as u8), "f", text]));
        let calls: Vec<_> =
            [Place::First, Place::Second, Place::Third].into_iter().filter_map(call).collect();
        messages.push(json!([
            place as u8,
            "assistant",
            text(Said::Content),
            text(Said::Refusal),
            text(Said::Reasoning),
            calls
        ]));
    }
    messages.into()
}

/// A completion of up to three choices.
pub fn completion(bytes: &mut Unstructured<'_>) -> Result<Script> {
    let (pieces, _) = pieces(bytes)?;
    let mut texts = BTreeMap::<Place, String>::new();
    for (piece, _) in &pieces {
        texts.entry(piece.place).or_default().push_str(&piece.text);
    }
    let choice = |(piece, _): (Piece, bool)| {
        (json!({"index": piece.place as u8, "text": piece.text, "finish_reason": null}), piece.is_beside)
    };
    Ok(Script {
        events: chunks(pieces.into_iter().map(choice).collect()),
        expected: texts.into_iter().map(|(place, text)| json!([place as u8, text])).collect(),
        said: |report| {
            let choices = report["choices"].as_array().expect("choices are there").iter();
            choices.map(|choice| json!([choice["index"], choice["text"]])).collect()
        },
    })
}

/// A response of up to three messages and of several calls, which is then a chat.
pub fn responses(bytes: &mut Unstructured<'_>) -> Result<Script> {
    let (pieces, texts) = pieces(bytes)?;
    let mut events = Vec::new();
    let mut announced = Vec::new();
    for (piece, _) in pieces {
        let (kind, part) = match piece.said {
            Said::Content => ("output_text", 0),
            Said::Refusal => ("refusal", 1),
            Said::Reasoning => ("reasoning_text", 0),
            Said::Call(_) => ("function_call_arguments", 0),
        };
        let place = output_index(piece.place, piece.said);
        if !announced.contains(&place) {
            announced.push(place);
            let item = match piece.said {
                Said::Content | Said::Refusal => {
                    json!({"type": "message", "role": "assistant", "content": []})
                }
                Said::Reasoning => json!({"type": "reasoning", "summary": []}),
                Said::Call(_) => {
                    json!({"type": "function_call", "call_id": format!("call_{place}"), "name": "f", "arguments": ""})
                }
            };
            let added = json!({"type": "response.output_item.added", "output_index": place, "item": item});
            events.push(added.to_string());
        }
        let delta = json!({
            "type": format!("response.{kind}.delta"),
            "output_index": place,
            "content_index": part,
            "delta": piece.text,
        });
        events.push(delta.to_string());
    }
    Ok(Script {
        events,
        expected: answer(&texts),
        said: |report| {
            let message = &report["choices"][0]["message"];
            let calls = message["tool_calls"].as_array().cloned().unwrap_or_default();
            let calls: Vec<_> = calls
                .iter()
                .map(|call| json!([call["id"], call["function"]["name"], call["function"]["arguments"]]))
                .collect();
            json!([message["content"], message["refusal"], message["reasoning_content"], calls])
        },
    })
}

/// Messages first, then what was thought, then calls.
fn output_index(place: Place, said: Said) -> usize {
    match said {
        Said::Content | Said::Refusal => place as usize,
        Said::Reasoning => 3 + place as usize,
        Said::Call(call) => 6 + 3 * place as usize + call as usize,
    }
}

/// The one message that these texts are.
fn answer(texts: &Texts) -> Value {
    let of = |wanted: Said| {
        texts.iter().filter(move |((_, said), _)| *said == wanted).map(|(_, text)| text.as_str())
    };
    // A text that nobody began is none.
    let joined = |said, between: &str| match of(said).count() {
        0 => Value::Null,
        _ => of(said).collect::<Vec<_>>().join(between).into(),
    };
    let calls: Vec<_> = texts
        .iter()
        .filter(|((_, said), _)| matches!(said, Said::Call(_)))
        .map(|((place, said), text)| json!([format!("call_{}", output_index(*place, *said)), "f", text]))
        .collect();
    json!([joined(Said::Content, ""), joined(Said::Refusal, ""), joined(Said::Reasoning, "\n\n"), calls])
}

/// A message of blocks that grow at once.
pub fn message(bytes: &mut Unstructured<'_>) -> Result<Script> {
    let (pieces, texts) = pieces(bytes)?;
    let event = |(piece, is_first): (Piece, bool)| {
        let (place, (block, field, kind, key)) = (block_index(piece.place, piece.said), block(piece.said));
        let mut events = Vec::new();
        let mut text = piece.text;
        if is_first {
            let block = json!({"type": block, field: if field == "input" { json!({}) } else { json!("") }});
            events.push(json!({"type": "content_block_start", "index": place, "content_block": block}));
            // The text of a call is JSON only by accident, and never with this letter before it.
            text.insert_str(0, if field == "input" { "x" } else { "" });
        }
        events
            .push(json!({"type": "content_block_delta", "index": place, "delta": {"type": kind, key: text}}));
        events
    };
    let mut expected = BTreeMap::new();
    for ((place, said), text) in &texts {
        let (block, field, ..) = block(*said);
        let text = if field == "input" { format!("x{text}") } else { text.clone() };
        expected.insert(block_index(*place, *said), json!([block, text]));
    }
    Ok(Script {
        events: pieces.into_iter().flat_map(event).map(|event| event.to_string()).collect(),
        expected: expected.into_values().collect(),
        said: |report| {
            let blocks = report["content"].as_array().expect("blocks are there").iter();
            let field = |block: &Value| {
                ["text", "thinking", "input"].into_iter().find_map(|field| block.get(field).cloned())
            };
            blocks.map(|block| json!([block["type"], field(block)])).collect()
        },
    })
}

/// Every kind of piece has a block of its own.
fn block_index(place: Place, said: Said) -> usize {
    output_index(place, said) + if said == Said::Refusal { 1_000_000_000 } else { 0 }
}

/// The type of a block, the field that grows, the type of its deltas, and their field.
fn block(said: Said) -> (&'static str, &'static str, &'static str, &'static str) {
    match said {
        Said::Content => ("text", "text", "text_delta", "text"),
        Said::Refusal => ("refusal", "text", "text_delta", "text"),
        Said::Reasoning => ("thinking", "thinking", "thinking_delta", "thinking"),
        Said::Call(_) => ("tool_use", "input", "input_json_delta", "partial_json"),
    }
}

/// Candidates that say, think and call. A call is open from its first argument on.
pub fn generated(bytes: &mut Unstructured<'_>) -> Result<Script> {
    let (pieces, _) = pieces(bytes)?;
    let mut expected = BTreeMap::new();
    let mut chunks: Vec<Vec<Value>> = Vec::new();
    for (piece, _) in pieces {
        let (index, text) = (piece.place as u8, piece.text);
        let said = expected.entry(index).or_insert_with(|| json!([index, "", "", {}]));
        let (part, known) = match piece.said {
            Said::Content | Said::Refusal => (json!({"text": text}), &mut said[1]),
            Said::Reasoning => (json!({"text": text, "thought": true}), &mut said[2]),
            Said::Call(name) => {
                let path = format!("$.a{}", name as u8);
                let argument = json!({"jsonPath": path, "stringValue": text, "willContinue": true});
                let call = json!({"partialArgs": [argument], "willContinue": true});
                (json!({"functionCall": call}), &mut said[3][format!("a{}", name as u8)])
            }
        };
        *known = (known.as_str().unwrap_or_default().to_owned() + &text).into();
        let candidate = json!({"content": {"role": "model", "parts": [part]}, "index": index});
        match chunks.last_mut() {
            Some(chunk) if piece.is_beside => chunk.push(candidate),
            _ => chunks.push(vec![candidate]),
        }
    }
    let chunk = |(number, candidates): (usize, Vec<Value>)| {
        json!({"candidates": candidates, "usageMetadata": {"totalTokenCount": number}}).to_string()
    };
    Ok(Script {
        events: chunks.into_iter().enumerate().map(chunk).collect(),
        expected: expected.into_values().collect(),
        said: |report| {
            let candidates = report["candidates"].as_array().expect("candidates are there").iter();
            let said = |candidate: &Value| {
                let parts = candidate["content"]["parts"].as_array().cloned().unwrap_or_default();
                let texts = |is_thought: bool| -> String {
                    let parts = parts.iter().filter(|part| part.get("thought").is_some() == is_thought);
                    parts.filter_map(|part| part["text"].as_str()).collect()
                };
                let call =
                    parts.iter().find_map(|part| part.get("functionCall")).map(|call| call["args"].clone());
                json!([candidate["index"], texts(false), texts(true), call.unwrap_or_else(|| json!({}))])
            };
            candidates.map(said).collect()
        },
    })
}

/// Images of which the previews leave nothing behind.
pub fn images(bytes: &mut Unstructured<'_>) -> Result<Script> {
    let (pieces, _) = pieces(bytes)?;
    let is_final = |piece: &Piece| piece.said != Said::Content;
    let event = |(piece, _): &(Piece, bool)| {
        let kind = if is_final(piece) { "completed" } else { "partial_image" };
        json!({"type": format!("image_generation.{kind}"), "b64_json": piece.text, "url": piece.text})
            .to_string()
    };
    let image = |(piece, _): &(Piece, bool)| json!({"b64_json": piece.text, "url": piece.text});
    let expected: Vec<_> = pieces.iter().filter(|(piece, _)| is_final(piece)).map(image).collect();
    // Where nothing final came, the latest preview stands.
    let expected =
        if expected.is_empty() { pieces.last().map(image).into_iter().collect() } else { expected };
    Ok(Script {
        events: pieces.iter().map(event).collect(),
        expected: expected.into(),
        said: |report| report["data"].clone(),
    })
}

/// A transcription.
pub fn transcription(bytes: &mut Unstructured<'_>) -> Result<Script> {
    let (pieces, _) = pieces(bytes)?;
    let delta = |piece: &Piece| json!({"type": "transcript.text.delta", "delta": piece.text}).to_string();
    let expected: String = pieces.iter().map(|(piece, _)| piece.text.as_str()).collect();
    Ok(Script {
        events: pieces.iter().map(|(piece, _)| delta(piece)).collect(),
        expected: expected.into(),
        // No text at all is not said.
        said: |report| report["text"].as_str().unwrap_or_default().into(),
    })
}
