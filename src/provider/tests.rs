//! Checks the table of operations in `docs/providers/README.md`.

use super::operation::Operation;
use super::spec::{OperationSpec, Proof, ProviderSpec};
use super::{InteractionKind, PROVIDERS};
use crate::codec::framing::Framing;

const README: &str = include_str!("../../docs/providers/README.md");

const HEAD: &str = "\
| operation | provider | path (`POST`) | format, version | type | captured without asking | streams |
| --- | --- | --- | --- | --- | --- | --- |
";

/// The paths of an operation. `…` is any prefix, and braces hold a name.
fn paths(operation: Operation) -> &'static [&'static str] {
    match operation {
        Operation::Chat => &["…/chat/completions"],
        Operation::Completion => &["…/v1/completions"],
        Operation::Responses => &["…/v1/responses"],
        Operation::ImageGeneration => &["…/images/generations"],
        Operation::ImageEdit => &["…/images/edits"],
        Operation::ImageVariation => &["…/images/variations"],
        Operation::Embedding => &["…/v1/embeddings"],
        Operation::Moderation => &["…/v1/moderations"],
        Operation::Speech => &["…/audio/speech"],
        Operation::Transcription => &["…/audio/transcriptions"],
        Operation::Translation => &["…/audio/translations"],
        Operation::AnthropicMessages => &["…/v1/messages"],
        Operation::AnthropicCompletion => &["…/v1/complete"],
        Operation::AnthropicVertex => &[
            "…/publishers/anthropic/models/{model}:rawPredict",
            "…/publishers/anthropic/models/{model}:streamRawPredict",
        ],
        Operation::GeminiGenerate => &[
            "…/v1beta/models/{model}:generateContent",
            "…/v1beta/models/{model}:streamGenerateContent",
            "…/publishers/google/models/{model}:generateContent",
            "…/publishers/google/models/{model}:streamGenerateContent",
        ],
        Operation::BedrockConverse => &["…/model/{model}/converse", "…/model/{model}/converse-stream"],
        Operation::BedrockInvoke => {
            &["…/model/{model}/invoke", "…/model/{model}/invoke-with-response-stream"]
        }
        Operation::CohereChat => &["…/v2/chat"],
        Operation::CohereChatV1 => &["…/v1/chat"],
        Operation::CohereGenerate => &["…/v1/generate"],
        Operation::MistralChat => &["…/v1/chat/completions"],
        Operation::PerplexityChat => &["…/chat/completions"],
        Operation::OllamaChat => &["…/api/chat"],
        Operation::OllamaGenerate => &["…/api/generate"],
    }
}

/// The line of an operation.
fn line(provider: &ProviderSpec, row: &OperationSpec) -> String {
    let list = |texts: Vec<String>| texts.join(", ");
    let quoted = |text: &str| format!("`{text}`");
    let hosts = || list(provider.hosts.iter().copied().map(quoted).collect());
    let asked = match row.proof {
        _ if !row.on_by_default => "no".to_owned(),
        Proof::Path => "yes".to_owned(),
        Proof::Header(name) => format!("with the header `{name}`, or on {}", hosts()),
        Proof::Host => format!("on {}", hosts()),
    };
    let kind = |kind: InteractionKind| quoted(kind.as_str());
    let kinds = match row.convert {
        Some(convert) if convert.is_optional => format!("{}, or {}", kind(convert.kind), kind(row.kind)),
        Some(convert) => kind(convert.kind),
        None => kind(row.kind),
    };
    let framings = row.framings.iter().map(|framing| match framing {
        Framing::Events => "SSE".to_owned(),
        Framing::Lines => "NDJSON".to_owned(),
        Framing::Array => "JSON array".to_owned(),
        Framing::Frames => "AWS event stream".to_owned(),
    });
    format!(
        "| {} | {} | {} | {} {} | {kinds} | {asked} | {} |\n",
        quoted(row.name),
        quoted(provider.name),
        list(paths(row.operation).iter().copied().map(quoted).collect()),
        quoted(provider.format),
        provider.version,
        list(framings.collect()),
    )
}

#[test]
fn the_table_of_operations_in_the_documentation_is_that_of_the_code() {
    let lines =
        PROVIDERS.iter().flat_map(|provider| provider.operations.iter().map(|row| line(provider, row)));
    let table = HEAD.to_owned() + &lines.collect::<String>();
    assert!(
        README.contains(&format!("\n{table}\n")),
        "docs/providers/README.md needs this table:\n\n{table}"
    );
}

#[test]
fn the_paths_in_the_documentation_are_recognised() {
    for provider in PROVIDERS {
        for row in provider.operations {
            for path in paths(row.operation) {
                for (prefix, model) in [("", "vendor.name"), ("/a/b", "vendor.name-v1")] {
                    let path = path.replace('…', prefix).replace("{model}", model);
                    assert_eq!((provider.recognise)(&path), Some(row.operation), "{path}");
                }
            }
        }
    }
}
