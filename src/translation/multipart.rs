//! Forms, whose files are reported by name, type and size.

use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use futures_util::stream;
use indexmap::IndexMap;

use super::json::{Fields, Node};

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
        Poll::Ready(fields) => fields.map(|fields| fields.to_json()),
        Poll::Pending => None,
    }
}

async fn read(mut form: multer::Multipart<'_>) -> Option<Fields<'static>> {
    let mut fields: IndexMap<String, Vec<Node<'static>>> = IndexMap::new();
    let mut parts = 0;
    while let Some(field) = form.next_field().await.ok()? {
        let name = field.name().unwrap_or_default().to_owned();
        let filename = field.file_name().map(str::to_owned);
        let content_type = field.content_type().map(ToString::to_string);
        let data = field.bytes().await.ok()?;
        let value = match (filename, str::from_utf8(&data)) {
            (None, Ok(text)) => Node::string(text),
            (filename, _) => file(filename.as_deref(), content_type.as_deref(), data.len()),
        };
        fields.entry(name).or_default().push(value);
        parts += 1;
        if parts > MOST_FIELDS {
            return None;
        }
    }
    let single = |mut values: Vec<_>| match values.len() {
        1 => values.remove(0),
        _ => Node::Array(values.into_iter().collect()),
    };
    let mut form = Fields::default();
    for (name, values) in fields {
        form.set(name, single(values));
    }
    Some(form)
}

/// What stands for a file.
fn file(filename: Option<&str>, content_type: Option<&str>, bytes: usize) -> Node<'static> {
    let mut file = Fields::default();
    file.set("filename", filename.map_or(Node::NULL, Node::string));
    file.set("contentType", content_type.map_or(Node::NULL, Node::string));
    file.set("bytes", Node::number(bytes as u64));
    Node::Object(file)
}
