//! Reads forms. Their files are reported by name, type and size.

use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use futures_util::stream;
use indexmap::IndexMap;
use memchr::memmem;

use super::json::{Fields, Node};

/// The maximum number of fields. No request to OpenAI has more, so further ones are an attack.
const MOST_FIELDS: usize = 1_000;

/// The maximum total length of a form's texts. Longer texts are reported by their length, like
/// files. Prompts are far shorter, and a control character takes six times as much in JSON.
const MOST_TEXT: usize = 1024 * 1024;

/// The maximum length of a part's headers. The parser of a media type builds a list of its
/// parameters.
const MOST_HEADERS: usize = 4 * 1024;

/// The content of a form.
pub(crate) struct Form {
    /// Texts as they are, descriptions of files, and a list for each name that occurs more than
    /// once.
    pub(crate) fields: Fields<'static>,
    /// Whether the form is complete.
    pub(crate) is_whole: bool,
}

/// The complete fields in the beginning of a form and, if its middle is missing, in its tail.
/// `None` if the body is not a form.
pub(crate) fn fields(content_type: &str, body: &Bytes, tail: &[u8]) -> Option<Form> {
    let boundary = multer::parse_boundary(content_type).ok()?;
    if !has_short_headers(body, &boundary) || !has_short_headers(tail, &boundary) {
        return None;
    }
    let mut parts = FormParts::default();
    let is_whole = read(body.clone(), &boundary, &mut parts)?;
    // A boundary never occurs inside a part, so the first one in the tail begins a part or ends the
    // form.
    let delimiter = format!("\r\n--{boundary}");
    if let Some(begin) = memmem::find(tail, delimiter.as_bytes()) {
        read(Bytes::copy_from_slice(tail.get(begin + 2..)?), &boundary, &mut parts)?;
    }
    if parts.count == 0 && !is_whole {
        return None;
    }
    let mut fields = Fields::default();
    for (name, mut values) in parts.fields {
        fields.set(
            name,
            if values.len() == 1 { values.remove(0) } else { Node::Array(values.into_iter().collect()) },
        );
    }
    Some(Form { fields, is_whole })
}

#[derive(Default)]
struct FormParts {
    fields: IndexMap<String, Vec<Node<'static>>>,
    count: usize,
    /// The total length of all texts.
    text: usize,
}

/// Whether the headers of each part are short, as far as they are recorded.
fn has_short_headers(form: &[u8], boundary: &str) -> bool {
    let delimiter = format!("--{boundary}");
    memmem::find_iter(form, delimiter.as_bytes()).all(|start| {
        let part = form.get(start + delimiter.len()..).unwrap_or_default();
        let headers = part.get(..MOST_HEADERS).unwrap_or(part);
        part.starts_with(b"--") || part.len() <= MOST_HEADERS || memmem::find(headers, b"\r\n\r\n").is_some()
    })
}

/// Reads parts to the end, and returns whether that was the end of the form. `None` if there are
/// too many.
fn read(body: Bytes, boundary: &str, parts: &mut FormParts) -> Option<bool> {
    let body = stream::iter([Ok::<_, Infallible>(body)]);
    let mut reading = pin!(read_parts(multer::Multipart::new(body, boundary), parts));
    // The body is in memory, so reading never has to wait.
    match reading.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(is_whole) => is_whole,
        Poll::Pending => None,
    }
}

async fn read_parts(mut form: multer::Multipart<'_>, parts: &mut FormParts) -> Option<bool> {
    loop {
        let field = match form.next_field().await {
            Ok(Some(field)) => field,
            Ok(None) => return Some(true),
            Err(_) => return Some(false),
        };
        if parts.count == MOST_FIELDS {
            return None;
        }
        let name = field.name().unwrap_or_default().to_owned();
        let filename = field.file_name().map(str::to_owned);
        let content_type = field.content_type().map(ToString::to_string);
        let data = field.bytes().await.ok();
        let value = match (filename, data.as_deref().map(str::from_utf8)) {
            (None, Some(Ok(text))) if parts.text + text.len() <= MOST_TEXT => {
                parts.text += text.len();
                Node::string(text)
            }
            (None, None) => return Some(false),
            (filename, _) => {
                file(filename.as_deref(), content_type.as_deref(), data.as_ref().map(Bytes::len))
            }
        };
        parts.fields.entry(name).or_default().push(value);
        parts.count += 1;
        if data.is_none() {
            return Some(false);
        }
    }
}

/// The description of a file. The size of a truncated file is unknown.
fn file(filename: Option<&str>, content_type: Option<&str>, bytes: Option<usize>) -> Node<'static> {
    let mut file = Fields::default();
    file.set("filename", filename.map_or(Node::NULL, Node::string));
    file.set("contentType", content_type.map_or(Node::NULL, Node::string));
    if let Some(bytes) = bytes {
        file.set("bytes", Node::number(bytes as u64));
    }
    Node::Object(file)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const TYPE: &str = "multipart/form-data; boundary=b";

    fn form(parts: &[String]) -> String {
        let parts: Vec<_> =
            parts.iter().map(|part| format!("--b\r\ncontent-disposition: form-data; {part}\r\n")).collect();
        parts.concat() + "--b--\r\n"
    }

    /// A control character takes six times as much in JSON.
    #[test]
    fn texts_beyond_a_megabyte_together_are_reported_by_their_length() {
        let text = "\u{1}".repeat(MOST_TEXT / 2 - 1);
        let parts = [&*text, &text, &text, "b"].map(|text| format!("name=\"a\"\r\n\r\n{text}"));
        let form = fields(TYPE, &form(&parts).into(), &[]).unwrap();
        let json = form.fields.to_json();
        assert!(form.is_whole && json.len() < 6 * MOST_TEXT + 1_000, "{} bytes", json.len());
        let by_length = json!({"filename": null, "contentType": null, "bytes": text.len()});
        let reported: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(reported, json!({"a": [text, text, by_length, "b"]}));
    }

    #[test]
    fn a_part_with_long_headers_makes_no_form_wherever_it_stands() {
        for (length, is_form) in [(MOST_HEADERS - 100, true), (MOST_HEADERS, false), (2 * 1024 * 1024, false)]
        {
            let parameters = "; a=b".repeat(length / 5);
            let long = format!("name=\"a\"\r\ncontent-type: text/plain{parameters}\r\n\r\nx");
            let short = "name=\"c\"\r\n\r\nd".to_owned();
            let (alone, behind) = (form(std::slice::from_ref(&long)), form(&[short.clone(), long]));
            assert_eq!(fields(TYPE, &alone.clone().into(), &[]).is_some(), is_form, "{length}");
            assert_eq!(fields(TYPE, &behind.into(), &[]).is_some(), is_form, "{length}");
            let tail = format!("\r\n{alone}");
            assert_eq!(fields(TYPE, &form(&[short]).into(), tail.as_bytes()).is_some(), is_form, "{length}");
        }
    }
}
