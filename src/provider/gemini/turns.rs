//! Requests as Reconify's own module sends them: with the model, and the last turn apart from the
//! earlier ones.

use serde_json::value::RawValue;

use crate::codec::json;
use crate::codec::percent;
use crate::provider::kind::InteractionKind;
use crate::provider::model::with_model;
use crate::provider::spec::Enveloped;
use crate::provider::target::RequestTarget;

/// The model of a path, with its percent-encoding; `None` for any other path.
pub(super) fn model(path: &str) -> Option<&str> {
    let (path, verb) = path.rsplit_once(':')?;
    let (parents, model) = path.rsplit_once('/')?;
    let is_ours = matches!(verb, "generateContent" | "streamGenerateContent")
        && !model.is_empty()
        && match parents.rsplit_once('/')? {
            (parents, "models") => is_googles(parents),
            (_, "tunedModels" | "endpoints") => true,
            _ => false,
        };
    is_ours.then_some(model)
}

/// Whether these parents of a model name no other publisher.
fn is_googles(parents: &str) -> bool {
    let mut segments = parents.rsplit('/');
    match (segments.next(), segments.next()) {
        (Some(publisher), Some("publishers")) => publisher == "google",
        _ => true,
    }
}

/// The request with the model of the path. Of several turns, the last one stays in `contents`, and
/// the earlier ones follow it in `history`. Every value is copied byte for byte.
pub(super) fn enveloped(body: &RawValue, target: &RequestTarget) -> Enveloped {
    let mut json = match model(&target.path).map(percent::decoded) {
        Some(model) => with_model(body, model.strip_prefix("models/").unwrap_or(&model)),
        None => body.get().to_owned(),
    };
    let fields = json::object(body).unwrap_or_default();
    let contents = json::field(&fields, "contents").filter(|contents| json::items(contents).is_some());
    let Some(contents) = contents else {
        return Enveloped { json, kind: Some(InteractionKind::Generate) };
    };
    // A list without room for its elements has many.
    let turns = json::array(contents);
    let are_several = turns.as_ref().is_none_or(|turns| turns.len() > 1);
    let kind = if are_several { InteractionKind::Chat } else { InteractionKind::Generate };
    if are_several
        && json::field(&fields, "history").is_none()
        && let Some(divided) = turns.and_then(|turns| divided(contents.get(), &turns))
        && let Some(place) = json::place(contents.get(), body.get().as_bytes())
    {
        // What the model added stands before it.
        let added = json.len().saturating_sub(body.get().len());
        let place = place.start + added..place.end + added;
        if json.get(place.clone()) == Some(contents.get()) {
            json.replace_range(place, &divided);
        }
    }
    Enveloped { json, kind: Some(kind) }
}

/// The last of several turns as the only one, and the others as the history.
fn divided(contents: &str, turns: &[&RawValue]) -> Option<String> {
    let (last, earlier) = turns.split_last()?;
    let start = json::place(earlier.first()?.get(), contents.as_bytes())?.start;
    let end = json::place(earlier.last()?.get(), contents.as_bytes())?.end;
    Some(format!("[{last}],\"history\":[{}]", contents.get(start..end)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = "/v1beta/models/gemini-2.5-flash:generateContent";

    fn enveloped_at(path: &str, body: &str) -> (String, InteractionKind) {
        let body = RawValue::from_string(body.to_owned()).unwrap();
        let target = RequestTarget { path: path.into(), ..RequestTarget::default() };
        let Enveloped { json, kind } = enveloped(&body, &target);
        (json, kind.unwrap())
    }

    #[test]
    fn one_turn_stays_as_it_is_and_of_several_the_earlier_ones_become_the_history() {
        use InteractionKind::{Chat, Generate};
        for (body, expected, kind) in [
            (r#"{"contents":{"parts":[]},"x":1e999}"#, r#""contents":{"parts":[]},"x":1e999}"#, Generate),
            (r#"{"contents":[]}"#, r#""contents":[]}"#, Generate),
            (r#"{"contents": [ 0.10 ] }"#, r#""contents": [ 0.10 ] }"#, Generate),
            (r#"{"contents":"x"}"#, r#""contents":"x"}"#, Generate),
            (r#"{"contents":[1,2]}"#, r#""contents":[2],"history":[1]}"#, Chat),
            (
                r#"{"a":0.10,"contents": [ {"a":1e999,"a":0.10} ,{"é":2}, {"b":"]"} ] ,"a":1e999}"#,
                r#""a":0.10,"contents": [{"b":"]"}],"history":[{"a":1e999,"a":0.10} ,{"é":2}] ,"a":1e999}"#,
                Chat,
            ),
            (
                r#"{"contents":[1,2],"contents":[3,4]}"#,
                r#""contents":[1,2],"contents":[4],"history":[3]}"#,
                Chat,
            ),
            (r#"{"history":[0],"contents":[1,2]}"#, r#""history":[0],"contents":[1,2]}"#, Chat),
        ] {
            let expected = format!(r#"{{"model":"gemini-2.5-flash",{expected}"#);
            assert_eq!(enveloped_at(PATH, body), (expected, kind), "{body}");
        }
        assert_eq!(enveloped_at(PATH, "[1,2]"), ("[1,2]".to_owned(), Generate));
    }

    #[test]
    fn the_model_is_that_of_the_body_or_else_of_the_path() {
        for (path, body, expected) in [
            (PATH, r#"{"model":"models/x"}"#, r#"{"model":"models/x"}"#),
            (PATH, r#"{"contents":[1,2],"model":"x"}"#, r#"{"contents":[2],"history":[1],"model":"x"}"#),
            ("/v1/models/models%2Fgemini%40001:generateContent", "{}", r#"{"model":"gemini@001"}"#),
            ("/ask", r#"{"contents":[1,2]}"#, r#"{"contents":[2],"history":[1]}"#),
            ("", "{}", "{}"),
        ] {
            assert_eq!(enveloped_at(path, body).0, expected, "{path}");
        }
    }
}
