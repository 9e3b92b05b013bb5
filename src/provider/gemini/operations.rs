//! The operation of Gemini's HTTP API, and the paths by which it is recognised.

use super::assembler::GeminiAssembler;
use super::bare_error::assemble_with_error;
use super::turns;
use crate::codec::end_marker::EndMarker;
use crate::codec::framing::Framing;
use crate::provider::error_body::{in_error, is_only_error};
use crate::provider::kept_images::KEPT_IMAGES;
use crate::provider::kind::InteractionKind;
use crate::provider::operation::{Operation, Provider};
use crate::provider::placeholder::{Placeholder, Placeholders};
use crate::provider::spec::{Envelope, Kept, OperationSpec, Proof};

pub(super) const OPERATIONS: &[OperationSpec] = &[OperationSpec {
    operation: Operation::GeminiGenerate,
    provider: Provider::Gemini,
    name: "gemini-generate",
    kind: InteractionKind::Generate,
    on_by_default: true,
    proof: Proof::Path,
    // Google sends none, gateways do.
    request_ids: &["x-request-id"],
    placeholders: Placeholders {
        request: Some(Placeholder::new("contents", "[]")),
        // A blocked prompt has no candidates.
        response: Some(Placeholder {
            unless: Some("promptFeedback"),
            ..Placeholder::new("candidates", "[]")
        }),
    },
    kept: Kept {
        scalars: &["responseId", "createTime", "modelVersion", "model"],
        values: &["usageMetadata"],
    },
    takes_forms: false,
    text_field: None,
    framings: &[Framing::Events, Framing::Array],
    // Google sends no marker, gateways do.
    end_marker: EndMarker(Some("[DONE]")),
    assemble: |stream, operation| assemble_with_error::<GeminiAssembler<'_>>(stream, operation),
    envelope: Some(Envelope { request: turns::enveloped, response: None, encloses: false }),
    convert: None,
    error: |kind, message, _| in_error([("message", message), ("status", kind)]),
    is_error: |response| is_only_error(response, &["candidates"]),
    images: Some(KEPT_IMAGES),
    reclassify: None,
}];

/// The operation of a path that ends in a model and one of the two verbs. Gateways keep such paths
/// under a prefix of their own.
#[inline]
pub(super) fn recognise(path: &str) -> Option<Operation> {
    // Nearly all other paths end in other letters.
    let is_possible = path.as_bytes().last_chunk() == Some(b"Content");
    (is_possible && turns::model(path).is_some()).then_some(Operation::GeminiGenerate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_gemini_and_vertex_are_recognised_under_any_prefix_and_no_others() {
        for prefix in ["", "/gateway/7"] {
            for parents in [
                "/v1beta/models",
                "/v1/tunedModels",
                "/v1/projects/p/locations/l/publishers/google/models",
                "/v1beta1/publishers/google/models",
                "/v1/projects/p/locations/l/endpoints",
            ] {
                for verb in ["generateContent", "streamGenerateContent"] {
                    let path = format!("{prefix}{parents}/gemini-2.5-flash%40001:{verb}");
                    assert_eq!(recognise(&path), Some(Operation::GeminiGenerate), "{path}");
                    assert_eq!(turns::model(&path), Some("gemini-2.5-flash%40001"));
                }
            }
        }
        for path in [
            "",
            "Content",
            "/Content",
            ":generateContent",
            "/:generateContent",
            "/generateContent",
            "/v1beta/models/m/generateContent",
            "/v1beta/models/:generateContent",
            "/v1beta/models/m:generateContent/",
            "/v1beta/models/m:countTokens",
            "/v1beta/models/m:batchGenerateContent",
            "/v1beta/models/m:embedContent",
            "/v1beta/models/m:xgenerateContent",
            "/v1beta/models/a/b:generateContent",
            "/v1beta/mymodels/m:generateContent",
            "/v1beta/m:generateContent",
            "/v1beta/interactions",
            "/v1beta/cachedContent",
            "/v1/projects/p/locations/l/publishers/meta/models/m:generateContent",
            "/v1/publishers/anthropic/models/m:streamGenerateContent",
            "models/m:generateContent",
        ] {
            assert_eq!(recognise(path), None, "{path}");
        }
    }

    #[test]
    fn an_error_has_the_shape_of_googles_and_is_one() {
        let row = &OPERATIONS[0];
        let json = (row.error)("timeout", "No \"answer\"", row.placeholders.response).to_json();
        assert_eq!(json, r#"{"error":{"message":"No \"answer\"","status":"timeout"}}"#);
        for (answer, is_error) in [
            (json.as_str(), true),
            (r#"{"error":{"code":503},"candidates":[]}"#, true),
            (r#"{"error":null,"candidates":[]}"#, false),
            (r#"{"error":{"code":503},"candidates":[{}]}"#, false),
            (r#"{"promptFeedback":{"blockReason":"SAFETY"}}"#, false),
        ] {
            assert_eq!((row.is_error)(answer.as_bytes()), is_error, "{answer}");
        }
    }
}
