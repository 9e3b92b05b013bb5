//! Chat completions and text completions.

pub(crate) mod arguments;
pub(crate) mod assembler;
pub(crate) mod choice;
pub(crate) mod chunk;
pub(crate) mod chunk_template;
pub(crate) mod elements;
pub(crate) mod tool_calls;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::provider::operation::Operation;

/// Tells a chat from a completion by its request: below a nested router, `/chat/completions` may
/// appear as `/completions`.
pub(crate) fn operation_of_completion(request: &str) -> Operation {
    #[derive(Deserialize)]
    struct RequestFields {
        messages: Option<IgnoredAny>,
        prompt: Option<IgnoredAny>,
    }

    let is_chat = request.starts_with('{')
        && serde_json::from_str(request)
            .is_ok_and(|fields: RequestFields| fields.messages.is_some() && fields.prompt.is_none());
    if is_chat { Operation::Chat } else { Operation::Completion }
}
