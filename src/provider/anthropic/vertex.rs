//! Anthropic's models on Vertex AI. The path has the model.

use serde_json::value::RawValue;

use crate::codec::percent;
use crate::provider::model::with_model;
use crate::provider::spec::{Envelope, Enveloped};
use crate::provider::target::RequestTarget;

/// Requests get the model of the path. Responses have the model already.
pub(super) const ENVELOPE: Envelope = Envelope { request, response: None, encloses: false };

/// The model of a path, with its percent-encoding; `None` for any other path.
pub(super) fn model(path: &str) -> Option<&str> {
    let (path, _) =
        path.rsplit_once(':').filter(|(_, verb)| matches!(*verb, "rawPredict" | "streamRawPredict"))?;
    let (models, model) = path.rsplit_once('/')?;
    // The API that counts tokens has its name in the place of the model.
    (models.ends_with("/publishers/anthropic/models") && !matches!(model, "" | "count-tokens"))
        .then_some(model)
}

fn request(body: &RawValue, target: &RequestTarget) -> Enveloped {
    let json = match model(&target.path) {
        Some(model) => with_model(body, &percent::decoded(model)),
        None => body.get().to_owned(),
    };
    Enveloped { json, kind: None }
}
