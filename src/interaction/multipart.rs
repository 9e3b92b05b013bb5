//! Forms, whose files are reported by name, type and size.

use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use futures_util::stream;
use indexmap::IndexMap;
use serde_json::{Value, json};

/// More fields than any request to OpenAI has: beyond them it is an attack.
const MOST_FIELDS: usize = 1_000;

/// The fields of a form as a JSON object: texts as they are, files as what is known of them, and a list where a name
/// occurs more than once. `None` if it is no form.
pub(super) fn fields(content_type: &str, body: &Bytes) -> Option<String> {
    let boundary = multer::parse_boundary(content_type).ok()?;
    let body = stream::iter([Ok::<_, Infallible>(body.clone())]);
    let mut form = pin!(read(multer::Multipart::new(body, boundary)));
    // The body is in memory: reading never has to wait.
    match form.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(fields) => fields.map(|fields| Value::Object(fields).to_string()),
        Poll::Pending => None,
    }
}

async fn read(mut form: multer::Multipart<'_>) -> Option<serde_json::Map<String, Value>> {
    let mut fields: IndexMap<String, Vec<Value>> = IndexMap::new();
    let mut parts = 0;
    while let Some(field) = form.next_field().await.ok()? {
        let name = field.name().unwrap_or_default().to_owned();
        let filename = field.file_name().map(str::to_owned);
        let content_type = field.content_type().map(ToString::to_string);
        let data = field.bytes().await.ok()?;
        let value = match (filename, str::from_utf8(&data)) {
            (None, Ok(text)) => Value::from(text),
            (filename, _) => json!({"filename": filename, "contentType": content_type, "bytes": data.len()}),
        };
        fields.entry(name).or_default().push(value);
        parts += 1;
        if parts > MOST_FIELDS {
            return None;
        }
    }
    let single = |mut values: Vec<Value>| match values.len() {
        1 => values.remove(0),
        _ => Value::Array(values),
    };
    Some(fields.into_iter().map(|(name, values)| (name, single(values))).collect())
}
