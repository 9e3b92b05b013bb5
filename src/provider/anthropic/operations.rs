//! The operations of the Anthropic HTTP API, and the paths by which they are recognised.

use super::complete::CompleteAssembler;
use super::messages::MessageAssembler;
use super::vertex;
use crate::codec::end_marker::EndMarker;
use crate::codec::framing::Framing;
use crate::codec::json::Fields;
use crate::provider::error_body::{in_error, is_only_error, texts};
use crate::provider::kind::InteractionKind;
use crate::provider::operation::{Operation, Provider};
use crate::provider::placeholder::{Placeholder, Placeholders};
use crate::provider::spec::{Kept, OperationSpec, Proof};
use crate::provider::stream::assemble;

const MESSAGES: OperationSpec = OperationSpec {
    operation: Operation::AnthropicMessages,
    provider: Provider::Anthropic,
    name: "anthropic-messages",
    kind: InteractionKind::Chat,
    on_by_default: true,
    proof: Proof::Header("anthropic-version"),
    // The second is that of Google and of gateways.
    request_ids: &["request-id", "x-request-id"],
    placeholders: Placeholders {
        request: Some(Placeholder::new("messages", "[]")),
        response: Some(Placeholder::new("content", "[]")),
    },
    kept: Kept { scalars: &["id", "type", "model", "log_id"], values: &["usage"] },
    takes_forms: false,
    text_field: None,
    framings: &[Framing::Events],
    // OpenRouter sends it.
    end_marker: EndMarker(Some("[DONE]")),
    assemble: |stream, operation| assemble::<MessageAssembler<'_>>(stream, operation),
    envelope: None,
    convert: None,
    error,
    is_error: |response| is_only_error(response, &["content", "completion"]),
    images: None,
    reclassify: None,
};

/// One row per operation, in the order of the enum.
pub(super) const OPERATIONS: &[OperationSpec] = &[
    MESSAGES,
    OperationSpec {
        operation: Operation::AnthropicCompletion,
        name: "anthropic-completion",
        kind: InteractionKind::Completion,
        placeholders: Placeholders {
            request: Some(Placeholder::new("prompt", "\"\"")),
            response: Some(Placeholder::new("completion", "\"\"")),
        },
        assemble: |stream, operation| assemble::<CompleteAssembler<'_>>(stream, operation),
        ..MESSAGES
    },
    OperationSpec {
        operation: Operation::AnthropicVertex,
        name: "anthropic-vertex",
        proof: Proof::Path,
        envelope: Some(vertex::ENVELOPE),
        ..MESSAGES
    },
];

/// The operation whose path this is, under any prefix.
#[inline]
pub(super) fn recognise(path: &str) -> Option<Operation> {
    // Nearly all other paths end in other letters.
    match u32::from_ne_bytes(*path.as_bytes().last_chunk()?) {
        AGES => path.ends_with("/v1/messages").then_some(Operation::AnthropicMessages),
        LETE => path.ends_with("/v1/complete").then_some(Operation::AnthropicCompletion),
        DICT => vertex::model(path).map(|_| Operation::AnthropicVertex),
        _ => None,
    }
}

/// The last letters of the known paths, as numbers.
const AGES: u32 = u32::from_ne_bytes(*b"ages");
const LETE: u32 = u32::from_ne_bytes(*b"lete");
const DICT: u32 = u32::from_ne_bytes(*b"dict");

/// The response for a call that got none.
fn error(kind: &str, message: &str, _: Option<Placeholder>) -> Fields<'static> {
    let mut response = texts([("type", "error")]);
    response.extend(in_error([("type", kind), ("message", message)]));
    response
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;
    use crate::provider::target::RequestTarget;

    const VERTEX: &str = "/v1/projects/p/locations/l/publishers/anthropic/models";

    #[test]
    fn paths_of_anthropic_are_recognised_under_any_prefix_and_no_others() {
        for prefix in ["", "/api", "/anthropic", "//gateway/7"] {
            for (path, expected) in [
                ("/v1/messages", Operation::AnthropicMessages),
                ("/v1/complete", Operation::AnthropicCompletion),
                ("/publishers/anthropic/models/claude@1:rawPredict", Operation::AnthropicVertex),
                ("/publishers/anthropic/models/claude%401:streamRawPredict", Operation::AnthropicVertex),
            ] {
                assert_eq!(recognise(&format!("{prefix}{path}")), Some(expected), "{prefix}{path}");
            }
        }
        for path in [
            "",
            "/",
            "ages",
            "/messages",
            "/v2/messages",
            "/xv1/messages",
            "/v1/messages/",
            "/v1/messages/count_tokens",
            "/v1/messages/batches",
            "/v1/messages/batches/b/results",
            "/v1/autocomplete",
            "/v1/completes",
            "/v1/chat/complete",
            "/v1/publishers/google/models/gemini:rawPredict",
            "/v1/publishers/anthropic/models/count-tokens:rawPredict",
            "/v1/publishers/anthropic/models/:rawPredict",
            "/v1/publishers/anthropic/models/a/b:rawPredict",
            "/v1/publishers/anthropic/models/claude:predict",
            "/v1/publishers/anthropic/models/claude:xrawPredict",
            "/v1/endpoints/7:rawPredict",
            "publishers/anthropic/models/claude:rawPredict",
        ] {
            assert_eq!(recognise(path), None, "{path}");
        }
    }

    #[test]
    fn a_request_on_vertex_gets_the_model_of_its_path() {
        for (path, body, expected) in [
            (format!("{VERTEX}/claude@1:rawPredict"), r#"{"a":1}"#, r#"{"model":"claude@1","a":1}"#),
            (format!("{VERTEX}/claude%401:streamRawPredict"), "{}", r#"{"model":"claude@1"}"#),
            (format!("{VERTEX}/claude:rawPredict"), r#"{"model":"x"}"#, r#"{"model":"x"}"#),
            ("/ask".to_owned(), r#"{"a":1}"#, r#"{"a":1}"#),
            (String::new(), "{}", "{}"),
        ] {
            let body = RawValue::from_string(body.to_owned()).unwrap();
            let target = RequestTarget { path: path.as_str().into(), ..RequestTarget::default() };
            let enveloped = (vertex::ENVELOPE.request)(&body, &target);
            assert_eq!((&*enveloped.json, enveloped.kind), (expected, None), "{path}");
        }
    }

    #[test]
    fn an_error_has_the_shape_of_anthropics_and_is_one() {
        let json = error("timeout", "No \"answer\"", MESSAGES.placeholders.response).to_json();
        assert_eq!(json, r#"{"type":"error","error":{"type":"timeout","message":"No \"answer\""}}"#);
        for (answer, is_error) in [
            (json.as_str(), true),
            (r#"{"error":{"message":"x"},"content":[]}"#, true),
            (r#"{"error":null,"content":[]}"#, false),
            (r#"{"content":[{"text":"\"error\":1"}]}"#, false),
            (r#"{"error":{},"content":[{}]}"#, false),
            (r#"{"error":{},"completion":"x"}"#, false),
        ] {
            assert_eq!((MESSAGES.is_error)(answer.as_bytes()), is_error, "{answer}");
        }
    }
}
