//! Doors for the fuzz targets, built only for them.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};

use super::content::{self, Reading};
use super::sse::Events;
use crate::endpoint::Endpoint;
use crate::exchange::{Head, Message, Recording};

const LIMIT: usize = 1024 * 1024;

const CONTENT_TYPES: [&str; 4] =
    ["application/json", "text/event-stream", "multipart/form-data; boundary=B", "text/html"];

const CODINGS: [&str; 6] = ["gzip", "deflate", "br", "zstd", "gzip, br", "unknown"];

/// Splits a stream into events: none may hold more than there was.
pub fn events(stream: &[u8]) {
    let mut events = Events::new(stream);
    let mut left = events.left();
    while let Some(event) = events.next() {
        assert!(events.left() < left, "every event takes something");
        assert!(event.data.len() + event.name.len() <= left, "and holds no more than it took");
        left = events.left();
    }
}

/// Reads a body as any endpoint's request and answer. The first three bytes choose endpoint, type and coding.
pub fn body(input: &[u8]) {
    let [endpoint, content_type, coding, body @ ..] = input else { return };
    let Some(endpoint) = Endpoint::ALL.into_iter().cycle().nth(usize::from(*endpoint)) else { return };
    for is_translated in [true, false] {
        let reading = Reading { endpoint, limit: LIMIT, is_translated };
        let contents = [
            content::of_request(&reading, message(*content_type, *coding, body)),
            content::of_response(&reading, message(*content_type, *coding, body)),
        ];
        for content in contents {
            assert!(
                serde_json::from_str::<serde::de::IgnoredAny>(content.json.get()).is_ok(),
                "a report is JSON"
            );
        }
    }
}

fn message(content_type: u8, coding: u8, body: &[u8]) -> Message {
    let mut headers = HeaderMap::new();
    let mut set = |name, values: &[&'static str], choice: u8| {
        if let Some(value) = values.get(usize::from(choice)) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    };
    set(header::CONTENT_TYPE, &CONTENT_TYPES, content_type);
    set(header::CONTENT_ENCODING, &CODINGS, coding);
    let body = Recording {
        pieces: vec![Bytes::copy_from_slice(body)],
        passed: body.len() as u64,
        ..Recording::default()
    };
    Message { head: Head::of(&headers), body }
}
