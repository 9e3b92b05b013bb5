//! An error in the middle of an event stream, written as a printed object without `data:`.

use memchr::memmem;
use serde_json::value::RawValue;

use crate::codec::framing::Framing;
use crate::codec::json::{self, lenient};
use crate::codec::json_array::end_of_value;
use crate::provider::operation::Operation;
use crate::provider::stream::{Assembled, RecordedStream, StreamAssembler, assemble};

/// Assembles a stream and adds such an error to the result.
pub(super) fn assemble_with_error<'a, A: StreamAssembler<'a>>(
    stream: RecordedStream<'a>,
    operation: Operation,
) -> Assembled {
    let (bytes, framing) = (stream.bytes, stream.framing);
    let mut assembled = assemble::<A>(stream, operation);
    if framing == Framing::Events
        && !assembled.progress.has_error
        && let Some(error) = bare_error(bytes)
    {
        let json = &mut assembled.json;
        // Beside an error, no placeholder is needed.
        let end = ["\"candidates\":[]}", "}"].into_iter().find_map(|end| json.strip_suffix(end));
        json.truncate(end.map_or(0, str::len));
        if !json.ends_with(['{', ',']) {
            json.push(',');
        }
        json.push_str("\"error\":");
        json.push_str(&error);
        json.push('}');
        assembled.progress.has_error = true;
        assembled.progress.chunks += 1;
    }
    assembled
}

/// The error in an object that begins a line. A line of an event begins with the name of a field.
fn bare_error(stream: &[u8]) -> Option<String> {
    let mut from = 0;
    loop {
        from += memmem::find(stream.get(from..)?, b"\n{")? + 1;
        let rest = stream.get(from..)?;
        let end = end_of_value(rest);
        // Objects are passed over as a whole, so that each byte is looked at once.
        if let Some(error) = rest.get(..end).and_then(error_in) {
            return Some(error);
        }
        from += end;
    }
}

/// The error in an object, which may be cut off.
fn error_in(object: &[u8]) -> Option<String> {
    let error_of = |text: &str| {
        let fields = json::parse_object(text.as_bytes())?;
        json::field(&fields, "error").filter(|error| !json::is_null(error)).map(RawValue::to_string)
    };
    let text = lenient::text(object);
    error_of(&text).or_else(|| error_of(&lenient::read(&text)?.json))
}
