//! Fuzzes whole bodies: decoded, assembled, converted and truncated.

use std::cell::Cell;

use serde_json::value::RawValue;

use super::{answer_of, budget, check, check_images, choice, message as message_of};
use crate::codec::json::lenient;
use crate::codec::json::tail;
use crate::codec::{json, multipart};
use crate::exchange::{BodyEnd, MediaType, RecordedMessage, Tail};
use crate::provider::Placeholder;
use crate::provider::openai::responses;
use crate::provider::operation::Operation;
use crate::translation::Effort;
use crate::translation::body::{self, ReportedBody};
use crate::translation::context::BodyContext;
use crate::translation::decoded_body::DecodedBody;

/// Reads a body as any operation's request and response.
///
/// The first three bytes choose the operation (`0` to `:`), the media type (`0` to `4`) and the
/// coding (`0` to `8`); any other byte chooses none.
pub fn body(input: &[u8]) {
    let [operation, content_type, coding, body @ ..] = input else { return };
    let Some(operation) = choice(Operation::ALL, *operation) else { return };
    let message = |body: &[u8]| message_of(*content_type, *coding, body);
    let budget = budget();
    let charged = Cell::new(0);
    let reading =
        BodyContext { operation, budget: &budget, converts: false, effort: Effort::Full, charged: &charged };
    let mut whole = message(body);
    let Some(received) = DecodedBody::of(&mut whole, &reading) else { return };
    let plain = Some(&received.bytes).filter(|_| !received.losses.is_truncated);
    let verbatim = plain.and_then(|plain| json::parse(plain)).map(RawValue::get);
    let is_form = matches!((&received.head.media_type, plain), (MediaType::Form(content_type), Some(plain))
        if multipart::fields(content_type, plain, &[]).is_some());
    for converts in [true, false] {
        let reading = BodyContext { converts, ..reading };
        let request = request_of(&reading, message(body));
        assert!(request.stream.is_none(), "nobody asks in a stream");
        check_body(
            &reading,
            &request,
            verbatim.filter(|_| !is_form),
            reading.placeholders().request.filter(|_| !is_form),
        );
        let answer = answer_of(&reading, message(body));
        check_body(
            &reading,
            &answer,
            verbatim.filter(|_| answer.stream.is_none()),
            reading.placeholders().response,
        );
        // A body with a beginning and an end, and a gap between them.
        let (beginning, end) = body.split_at(body.len() / 2);
        let cut = || {
            let mut message = message(beginning);
            message.body.passed += 1 + end.len() as u64;
            message.body.ended = BodyEnd::Complete;
            message.body.tail = Some(Box::new(Tail::of(end)));
            message
        };
        let (request, cut_answer) = (request_of(&reading, cut()), answer_of(&reading, cut()));
        for (content, placeholder) in
            [(request, reading.placeholders().request), (cut_answer, reading.placeholders().response)]
        {
            assert!(content.losses.is_truncated && content.json.get().contains("\"truncated\""));
            check(&content, placeholder);
        }
        if operation.is_image() {
            check_images(answer.json.into_raw());
        }
    }
    if let Some(verbatim) = verbatim {
        check_parts(verbatim);
    }
}

fn request_of(reading: &BodyContext, mut message: RecordedMessage) -> ReportedBody {
    body::of_request(reading, &mut message).expect("with all effort there is always something")
}

/// Asserts that the values read from truncated JSON are values of the whole.
fn check_parts(whole: &str) {
    let middle = (whole.len() / 2..).find(|at| whole.is_char_boundary(*at)).unwrap_or_default();
    let (beginning, end) = whole.split_at(middle);
    if let Some(read) = lenient::read(beginning).filter(|read| read.end > 0) {
        assert!(read.is_cut && beginning.starts_with(read.json.trim_end_matches(['}', ']'])), "{read:?}");
        assert!(json::parse(read.json.as_bytes()).is_some(), "{read:?}");
    }
    let Some(fields) = json::parse_object(whole.as_bytes()) else { return };
    if let Some(members) = tail::members(end.as_bytes()).filter(|_| middle > 0) {
        let members = format!("{{{members}}}");
        let members = json::parse_object(members.as_bytes()).expect("they are complete");
        let last = fields.iter().skip(fields.len() - members.len()).map(|(key, raw)| (key, raw.get()));
        assert!(
            last.eq(members.iter().map(|(key, raw)| (key, raw.get()))),
            "they are the last ones: {whole}"
        );
    }
}

/// Asserts that JSON is unchanged or converted, and that any other body becomes an object.
fn check_body(
    reading: &BodyContext,
    content: &ReportedBody,
    verbatim: Option<&str>,
    placeholder: Option<Placeholder>,
) {
    let Some(verbatim) = verbatim else {
        let losses = content.losses;
        // JSON that was only mended keeps exactly its own fields.
        let is_as_sent = losses.is_mended && !losses.is_truncated && content.stream.is_none();
        assert!(!is_as_sent || !json::is_null(&content.json.raw()), "it is JSON");
        if !is_as_sent {
            check(content, placeholder);
        }
        return;
    };
    if reading.operation == Operation::Responses && reading.converts {
        let raw = json::parse(verbatim.as_bytes()).expect("it was JSON before");
        let translations = [responses::chat_request(raw), responses::chat_response(raw)];
        for chat in translations.iter().flatten() {
            assert!(json::parse(chat.json.as_bytes()).is_some(), "a translation is JSON: {}", chat.json);
        }
        if content.json.get() != verbatim {
            let is_translation = translations.iter().flatten().any(|chat| chat.json == content.json.get());
            assert!(is_translation, "{verbatim} became {}", content.json.get());
            check(content, placeholder);
        }
    } else {
        assert_eq!(content.json.get(), verbatim, "what was JSON is as it was");
    }
}
