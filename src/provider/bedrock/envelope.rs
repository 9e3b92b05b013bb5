//! A report has the input and the output of a call in the shape of the AWS SDK, as Reconify's own
//! module sends them. The HTTP body is the field `body` of both.

use serde_json::value::RawValue;

use super::model::{ModelId, ModelPath};
use crate::codec::json::{Fields, Node};
use crate::codec::percent;
use crate::provider::spec::{Envelope, Enveloped};
use crate::provider::target::RequestTarget;

pub(super) const ENVELOPE: Envelope = Envelope { request, response: Some(response), encloses: true };

/// The media type that Bedrock assumes if a request has no header for it.
const JSON: &str = "application/json";

fn request(body: &RawValue, target: &RequestTarget) -> Enveloped {
    let mut fields = Fields::default();
    if let Some(ModelPath { id: ModelId(encoded), .. }) = ModelPath::of(&target.path) {
        let id = percent::decoded(encoded);
        let bare = ModelId(&id).bare();
        fields.set("modelId", Node::string(bare));
        if bare != id {
            fields.set("modelArn", Node::string(&id));
        }
    }
    let or_json = |header: &Option<Box<str>>| Node::string(header.as_deref().unwrap_or(JSON));
    fields.set("contentType", or_json(&target.content_type));
    fields.set("accept", or_json(&target.accept));
    // A report writes the body as a string. One that is a string on the wire is quoted again here,
    // because a string in this field counts as written.
    let is_string = body.get().starts_with('"');
    fields.set("body", if is_string { Node::string(body.get()) } else { Node::Raw(body) });
    Enveloped { json: fields.to_json(), kind: None }
}

fn response(body: &RawValue, request_id: Option<&str>) -> String {
    let mut fields = Fields::default();
    if let Some(request_id) = request_id {
        fields.set("requestId", Node::string(request_id));
    }
    fields.set("body", Node::Raw(body));
    fields.to_json()
}
