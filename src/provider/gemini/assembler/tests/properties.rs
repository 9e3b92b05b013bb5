use proptest::prelude::*;
use serde_json::{Value, json};

use super::{GeminiAssembler, response};
use crate::provider::operation::Operation;
use crate::provider::stream::{Progress, StreamAssembler};

#[derive(Clone, Debug)]
struct Said {
    index: u8,
    is_thought: bool,
    text: String,
    tokens: u32,
}

fn said() -> impl Strategy<Value = Said> {
    let text = "[a\"\\\\\n\u{e9}\u{1F600}{}]{0,3}";
    (0..2_u8, prop::bool::weighted(0.2), text, 0..200_u32)
        .prop_map(|(index, is_thought, text, tokens)| Said { index, is_thought, text, tokens })
}

impl Said {
    fn chunk(&self, is_printed: bool) -> String {
        let mut part = json!({"text": self.text});
        if self.is_thought {
            part["thought"] = true.into();
        }
        let chunk = json!({
            "candidates": [{"content": {"parts": [part], "role": "model"}, "index": self.index}],
            "usageMetadata": {"total": self.tokens, "details": [{"T1": "7", "count": self.tokens / 10}]},
            "id": "r",
        });
        if is_printed { format!("{chunk:#}").replace('\n', " ") } else { chunk.to_string() }
    }
}

fn assembled<'a>(mut assembler: GeminiAssembler<'a>, chunks: &'a [String]) -> String {
    let mut progress = Progress::default();
    for chunk in chunks {
        assert!(assembler.push(b"", chunk.as_bytes(), &mut progress));
    }
    let json = assembler.finish(Operation::GeminiGenerate, &mut progress);
    format!("{progress:?}{json}")
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn chunks_that_are_compared_add_up_to_the_same_as_chunks_that_are_read(
        said in prop::collection::vec((said(), 1..4_usize), 1..30),
        is_printed: bool,
    ) {
        let chunks: Vec<String> =
            said.iter().flat_map(|(said, times)| vec![said.chunk(is_printed); *times]).collect();
        let compared = assembled(GeminiAssembler::default(), &chunks);
        prop_assert_eq!(compared, assembled(GeminiAssembler::without_templates(), &chunks));
        let (response, progress) = response(&chunks);
        prop_assert_eq!(progress.chunks, chunks.len() as u64);
        prop_assert_eq!(&response["usageMetadata"]["total"], &Value::from(said.last().unwrap().0.tokens));
        for index in 0..2 {
            let texts = said.iter().filter(|(said, _)| said.index == index);
            let expected: String = texts.clone().map(|(said, times)| said.text.repeat(*times)).collect();
            let candidates = response["candidates"].as_array().unwrap();
            let known = candidates.iter().find(|candidate| candidate["index"] == index);
            prop_assert_eq!(known.is_some(), texts.count() > 0);
            let parts = known.and_then(|known| known["content"]["parts"].as_array());
            let joined: String = parts.into_iter().flatten().map(|part| part["text"].as_str().unwrap()).collect();
            prop_assert_eq!(joined, expected);
        }
    }
}

/// Otherwise the property compares nothing.
#[test]
fn from_the_third_on_chunks_that_are_alike_are_compared() {
    let said = |tokens| Said { index: 0, is_thought: false, text: "a".to_owned(), tokens };
    let chunks: Vec<String> = (0..5).map(|at| said(at * 60).chunk(false)).collect();
    let (mut assembler, mut progress) = (GeminiAssembler::default(), Progress::default());
    for (at, chunk) in chunks.iter().enumerate() {
        assert!(assembler.push(b"", chunk.as_bytes(), &mut progress));
        assert_eq!(assembler.pending.len(), at.saturating_sub(1), "chunk {at}");
    }
}
