//! Items that wait to be read, that are being read, or that are refused.

use std::sync::Arc;

use bytes::Bytes;
use http::{Extensions, HeaderMap, HeaderValue, StatusCode, header};

use super::*;
use crate::budget::Budget;
use crate::capture::Observer;
use crate::config::{Config, Limits};
use crate::handoff::{self, Receiver, Sender};
use crate::provider::operation::Operation;

const ROOM: usize = 4 * LEAST_WAITING;

fn ends() -> (Sender, Receiver, Aside) {
    ends_of(1 << 30)
}

fn ends_of(bytes: usize) -> (Sender, Receiver, Aside) {
    let limits = Limits { items: 100, bytes, body_bytes: 16 << 20 };
    let config = Config::builder("app", "key").report_failures(true).build().unwrap();
    let (sender, receiver) = handoff::channel(Arc::new(Budget::new(limits)), config.capturing);
    (sender, receiver, Aside::new(config.reporting, ROOM))
}

/// An exchange with this request body in this content encoding.
fn item(ends: &(Sender, Receiver, Aside), body: &[u8], coding: &'static str) -> QueueItem {
    item_of(ends, Bytes::copy_from_slice(body), coding)
}

/// The same, from a buffer that the item may keep.
fn item_of(
    (sender, receiver, _): &(Sender, Receiver, Aside),
    body: Bytes,
    coding: &'static str,
) -> QueueItem {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding));
    let (_, tap) = Observer::begin(sender, Operation::Chat, "", &headers, &mut Extensions::new());
    tap.record_whole(&body);
    drop(body);
    receiver.queue.pop().unwrap()
}

fn job(aside: &Aside, item: QueueItem, effort: Effort) -> Prepared {
    prepare::job(0, item, &aside.reporting, effort)
}

fn report(prepared: Prepared) -> serde_json::Value {
    let Prepared::Done(Ok(job)) = prepared else { panic!("there is a report") };
    serde_json::from_str(job.report.json()).unwrap()
}

#[cfg(feature = "decompression")]
fn request(prepared: Prepared) -> String {
    report(prepared)["request"].to_string()
}

#[cfg(feature = "decompression")]
fn gzip(text: &str) -> Vec<u8> {
    use async_compression::tokio::bufread::GzipEncoder;
    use tokio::io::AsyncReadExt;

    let mut body = Vec::new();
    futures_executor::block_on(GzipEncoder::new(text.as_bytes()).read_to_end(&mut body)).unwrap();
    body
}

#[test]
fn what_waits_to_be_read_has_a_limit_that_the_first_may_exceed() {
    let mut ends = ends();
    let large = vec![b' '; 2 * ROOM];
    for (bodies, waiting) in [(vec![&*large, b"{}"], 1), (vec![b"{}", &large], 1), (vec![b"{}"; 9], 4)] {
        let refused = bodies.iter().filter(|body| {
            let item = item(&ends, body, "identity");
            ends.2.wait(ends.2.len() as u64, item).is_err()
        });
        assert_eq!(refused.count(), bodies.len() - waiting);
        assert_eq!(ends.2.len(), waiting);
        ends.2.clear();
        ends.2.waiting_bytes = 0;
        assert_eq!((ends.2.len(), ends.0.budget().stats().pending), (0, 0));
    }
}

/// As from a connection: the body is a slice of the whole read buffer.
#[test]
fn what_waits_to_be_read_keeps_no_read_buffer() {
    let mut ends = ends();
    let buffer = Bytes::from(vec![b' '; 128 * 1024]);
    let item = item_of(&ends, buffer.slice(..10_000), "identity");
    let held = ends.0.budget().stats();
    assert!(!buffer.is_unique(), "as it came");
    assert!(ends.2.wait(0, item).is_ok());
    assert!(buffer.is_unique());
    assert_eq!(ends.0.budget().stats(), held, "it stays charged");
}

#[tokio::test]
async fn one_body_is_read_at_a_time_in_the_order_in_which_they_came() {
    let mut ends = ends();
    for id in 0..4 {
        let item = item(&ends, b"{}", "identity");
        assert!(ends.2.wait(id, item).is_ok());
    }
    for id in 0..4 {
        assert!(ends.2.read_next().is_none());
        assert_eq!(ends.2.waiting.len(), 3 - usize::try_from(id).unwrap());
        assert!(ends.2.read_next().is_none());
        assert_eq!(ends.2.reading.len(), 1, "a second one waits for the first");
        assert!(matches!(ends.2.next().await, (read, Prepared::Done(Ok(_))) if read == id));
    }
    assert_eq!((ends.2.len(), ends.2.waiting_bytes), (0, 0));
}

#[cfg(feature = "decompression")]
#[test]
fn a_body_that_takes_long_is_read_with_more_effort_or_reported_by_type_and_length() {
    let ends = ends();
    // 4 MB of text in 4 kB of gzip.
    let text = format!(r#"{{"messages":["{}"]}}"#, "a".repeat(4_000_000));
    let body = gzip(&text);
    let tried = |effort| {
        let item = item(&ends, &body, "gzip");
        let held = ends.0.budget().stats().bytes_held;
        let Prepared::TooMuch(item) = job(&ends.2, item, Effort::Try) else { panic!("it is too much") };
        assert_eq!(ends.0.budget().stats().bytes_held, held, "what was decoded is charged no longer");
        request(job(&ends.2, item, effort))
    };
    assert_eq!(tried(Effort::Full), text, "it is given back as it was");
    assert_eq!(
        tried(Effort::Unread),
        format!(r#"{{"bytes":{},"contentType":null,"messages":[]}}"#, body.len())
    );
    assert_eq!(ends.0.budget().stats().unread, 1);
}

#[test]
fn bodies_that_may_not_wait_are_reported_without_being_read_however_small() {
    let ends = ends();
    let reported = |has_response| {
        let (headers, mut extensions) = (HeaderMap::new(), Extensions::new());
        let (mut observer, request) =
            Observer::begin(&ends.0, Operation::ImageGeneration, "", &headers, &mut extensions);
        request.record_whole(&Bytes::from_static(br#"{"prompt":"a cat"}"#));
        if has_response {
            observer.on_response(StatusCode::OK, &headers);
            observer.into_tap().record_whole(&Bytes::from_static(br#"{"data":[{"b64_json":"AAAA"}]}"#));
        } else {
            observer.on_error();
            drop(observer);
        }
        let report = report(job(&ends.2, ends.1.queue.pop().unwrap(), Effort::Unread));
        assert_eq!(report["request"].to_string(), r#"{"bytes":18,"contentType":null,"prompt":""}"#);
        report["response"].clone()
    };
    assert_eq!(reported(true).to_string(), r#"{"bytes":30,"contentType":null,"data":[]}"#);
    assert_eq!(reported(false)["error"]["type"], "no_response", "it is our own");
    assert_eq!(ends.0.budget().stats().unread, 2);
}

/// 6 MB of text in 6 kB of gzip. The decoder's buffer grows by doubling, and 8 MiB are more than
/// half of the budget.
#[cfg(feature = "decompression")]
#[test]
fn what_a_small_body_becomes_by_decoding_leaves_half_of_the_budget_to_others() {
    let ends = ends_of(14 << 20);
    let text = format!(r#"{{"messages":["a","{}"]}}"#, "a".repeat(6_000_000));
    let item = item(&ends, &gzip(&text), "gzip");
    let request = report(job(&ends.2, item, Effort::Full))["request"].take();
    assert_eq!(request["messages"], serde_json::json!(["a"]));
    assert!(request["truncated"].is_object(), "{request}");
    assert_eq!(ends.0.budget().stats().truncated, 1);
}

#[cfg(feature = "decompression")]
#[test]
fn a_panic_while_a_body_is_read_keeps_nothing_charged() {
    use crate::stats::{DropReason, Settlement};

    struct Panics(Vec<u8>);

    impl AsRef<[u8]> for Panics {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }

    impl Drop for Panics {
        fn drop(&mut self) {
            std::panic::resume_unwind(Box::new("on purpose"));
        }
    }

    let ends = ends();
    let numbers = (0..20_000_u32).map(|number| number.wrapping_mul(2_654_435_761).to_string());
    let body = gzip(&format!("[{}]", numbers.collect::<Vec<_>>().join(",")));
    // The item keeps the body by reference, and drops it after decoding.
    let item = item_of(&ends, Bytes::from_owner(Panics(body)), "gzip");
    let Prepared::Done(Err((reservation, settlement))) = job(&ends.2, item, Effort::Full) else {
        panic!("its body panics")
    };
    assert!(matches!(settlement, Settlement::Dropped(DropReason::Panicked)));
    reservation.settle(settlement);
    let stats = ends.0.budget().stats();
    assert_eq!((stats.bytes_held, stats.pending), (0, 0), "{stats}");
}

/// Otherwise a flush would wait for its job for ever.
#[tokio::test]
async fn work_that_panics_comes_back_as_lost() {
    let mut tasks = JoinSet::new();
    assert!(spawn(&mut tasks, 7, || panic!("a defect")).is_ok());
    assert!(matches!(tasks.join_next().await, Some(Ok((7, Prepared::Lost)))));
}
