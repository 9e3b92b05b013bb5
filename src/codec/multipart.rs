//! Reads forms. Their files are reported by name, type and size.

use bytes::Bytes;
use indexmap::IndexMap;
use memchr::memmem;

use super::json::{Fields, Node};

/// The maximum number of fields. No request to OpenAI has more, so further ones are an attack.
const MOST_FIELDS: usize = 1_000;

/// The maximum total length of a form's texts. Longer texts are reported by their length, like
/// files. Prompts are far shorter, and a control character takes six times as much in JSON.
const MOST_TEXT: usize = 1024 * 1024;

/// The maximum length of a part's headers, which are read once for each value.
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
    let media_type = content_type.split(';').next()?.trim();
    if !media_type.eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let delimiter = format!("\r\n--{}", parameter(content_type, "boundary")?);
    let mut parts = FormParts::default();
    // A form may begin with a delimiter, without the line break before it.
    let begin = memmem::find(body, delimiter.trim_start().as_bytes())?;
    let is_whole = parts.read(body.get(begin + delimiter.trim_start().len()..)?, &delimiter)?;
    // A delimiter never occurs inside a part, so the first one in the tail begins a part or ends the
    // form.
    if let Some(begin) = memmem::find(tail, delimiter.as_bytes()) {
        parts.read(tail.get(begin + delimiter.len()..)?, &delimiter)?;
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

impl FormParts {
    /// Reads what follows a delimiter to the end, and returns whether that was the end of the form.
    /// `None` if there are too many parts, or one whose headers are too long.
    fn read(&mut self, mut rest: &[u8], delimiter: &str) -> Option<bool> {
        while !rest.starts_with(b"--") {
            let Some(end) = memmem::find(rest.get(..MOST_HEADERS).unwrap_or(rest), b"\r\n\r\n") else {
                return (rest.len() <= MOST_HEADERS).then_some(false);
            };
            if self.count == MOST_FIELDS {
                return None;
            }
            let head = String::from_utf8_lossy(rest.get(..end)?);
            let content = rest.get(end + 4..)?;
            let end = memmem::find(content, delimiter.as_bytes());
            if !self.add(&head, end.and_then(|end| content.get(..end))) {
                return Some(false);
            }
            rest = content.get(end? + delimiter.len()..)?;
        }
        Some(true)
    }

    /// Adds a part. Returns whether it is complete.
    fn add(&mut self, head: &str, data: Option<&[u8]>) -> bool {
        let header = |name: &str| {
            let mut headers = head.split("\r\n").filter_map(|line| line.split_once(':'));
            headers.find(|(key, _)| key.trim().eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
        };
        let disposition = header("content-disposition").unwrap_or_default();
        let filename = parameter(disposition, "filename");
        let value = match (&filename, data.map(str::from_utf8)) {
            (None, Some(Ok(text))) if self.text + text.len() <= MOST_TEXT => {
                self.text += text.len();
                Node::string(text)
            }
            (None, None) => return false,
            _ => file(filename.as_deref(), header("content-type"), data.map(<[u8]>::len)),
        };
        let name = parameter(disposition, "name").unwrap_or_default();
        self.fields.entry(name).or_default().push(value);
        self.count += 1;
        data.is_some()
    }
}

/// A parameter of a header's value, such as `a` for the name `boundary` in
/// `multipart/form-data; boundary="a"`.
fn parameter(value: &str, name: &str) -> Option<String> {
    let (_, mut rest) = value.split_once(';')?;
    loop {
        let (key, value) = rest.split_once('=')?;
        let value = value.trim_start();
        let is_quoted = value.starts_with('"');
        let text = value.strip_prefix('"').unwrap_or(value);
        let mut before = ' ';
        let end = text.find(|character| {
            let is_end = if is_quoted { character == '"' && before != '\\' } else { character == ';' };
            before = character;
            is_end
        });
        let (text, after) = text.split_at(end.unwrap_or(text.len()));
        // Names without a value may come before.
        if key.rsplit(';').next().is_some_and(|key| key.trim().eq_ignore_ascii_case(name)) {
            return Some(if is_quoted { text.replace("\\\"", "\"") } else { text.trim().to_owned() });
        }
        (_, rest) = after.split_once(';')?;
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

    #[test]
    fn parameters_are_read_with_and_without_quotes_in_any_order() {
        let value = r#"form-data; filename="a;\"name=\" b.png"; Name = c ; x; empty="#;
        for (name, expected) in [
            ("filename", Some(r#"a;"name=" b.png"#)),
            ("name", Some("c")),
            ("empty", Some("")),
            ("file", None),
        ] {
            assert_eq!(parameter(value, name).as_deref(), expected, "{name}");
        }
        assert_eq!(parameter("a; b=\"cut", "b").as_deref(), Some("cut"));
        assert_eq!(parameter("boundary=a", "boundary"), None);
    }

    #[test]
    fn a_form_is_read_as_far_as_it_goes_wherever_it_is_cut() {
        let parts = ["name=\"a\"\r\n\r\n1\r\n2", "name=b; filename=c\r\nContent-Type: d/e\r\n\r\n"];
        let text = "before\r\n".to_owned() + &form(&parts.map(str::to_owned));
        let file = json!({"filename": "c", "contentType": "d/e", "bytes": 0});
        let read = |length: usize| fields(TYPE, &Bytes::copy_from_slice(&text.as_bytes()[..length]), &[]);
        let whole = read(text.len()).unwrap();
        let reported: Value = serde_json::from_str(&whole.fields.to_json()).unwrap();
        assert_eq!((reported, whole.is_whole), (json!({"a": "1\r\n2", "b": file}), true));
        let mut known = 0;
        for length in 0..text.len() - 4 {
            let form = read(length);
            assert!(form.as_ref().is_none_or(|form| !form.is_whole), "{length}");
            let fields: Value =
                form.map_or(json!({}), |form| serde_json::from_str(&form.fields.to_json()).unwrap());
            let fields = fields.as_object().unwrap();
            assert!(fields.len() >= known, "{length}");
            assert!(fields.get("a").is_none_or(|a| a == "1\r\n2"), "{length}");
            known = fields.len();
        }
        assert_eq!(known, 2);
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
