//! The meaning of a response of the collector.

use std::time::{Duration, SystemTime};

use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderValue, StatusCode};
use reqwest::Url;
use serde::Deserialize;
use serde_json::Value;

use super::error::DeliveryError;
use crate::config::collector_url;

/// The most bytes of a response to read. `{"status":"ok"}` has 15 bytes.
const LONGEST_ANSWER: usize = 64 * 1024;

/// The body of a successful response.
#[derive(Deserialize)]
struct Answer {
    status: Option<Value>,
    error: Option<Value>,
}

/// Turns the response to a report posted to `asked` into a result.
pub(crate) async fn classify(response: reqwest::Response, asked: &Url) -> Result<(), DeliveryError> {
    let status = response.status();
    if response.url() != asked {
        // The client followed a redirect, so the response does not belong to the posted report.
        return Err(DeliveryError::rejected());
    }
    if status.is_success() {
        return if is_taken(response).await { Ok(()) } else { Err(rejected(status)) };
    }
    match status.as_u16() {
        401 | 403 => Err(DeliveryError::unauthorized().with_status(status.as_u16())),
        // A server that does not support the request will not support a retry either.
        501 | 505 => Err(rejected(status)),
        408 | 425 | 429 | 500..=599 => {
            let error = DeliveryError::unavailable().with_status(status.as_u16());
            Err(match retry_after(response.headers(), SystemTime::now()) {
                Some(delay) => error.with_retry_after(delay),
                None => error,
            })
        }
        404 | 405 => Err(rejected(status).with_source(format!(
            "{} takes no reports: the path of Reconify is /track",
            collector_url::shown(&asked.as_str().parse().unwrap_or_default())
        ))),
        _ => Err(rejected(status)),
    }
}

fn rejected(status: StatusCode) -> DeliveryError {
    DeliveryError::rejected().with_status(status.as_u16())
}

/// A success status counts as a failure if its JSON contains an error or a status other than `ok`.
/// Without readable JSON it counts as a success.
async fn is_taken(mut response: reqwest::Response) -> bool {
    let mut answer = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        answer.extend_from_slice(&chunk);
        if answer.len() > LONGEST_ANSWER {
            return true;
        }
    }
    if answer.is_empty() {
        return true;
    }
    match serde_json::from_slice::<Answer>(&answer) {
        Ok(Answer { status, error }) => {
            let no_error = [Value::Bool(false), Value::from("")];
            status.is_none_or(|status| status == "ok") && error.is_none_or(|error| no_error.contains(&error))
        }
        Err(_) => true,
    }
}

/// The pause that a response asks for: the longest, if there are several.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    headers.get_all(RETRY_AFTER).iter().filter_map(|value| pause(value, now)).max()
}

/// Parses seconds or a date. An invalid value asks for no pause.
fn pause(value: &HeaderValue, now: SystemTime) -> Option<Duration> {
    let value = value.to_str().ok()?.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // A number that overflows means the longest pause.
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

    /// The pause in seconds of a response with these headers.
    fn asked(values: &[&str]) -> Option<u64> {
        let headers =
            values.iter().map(|value| (RETRY_AFTER, HeaderValue::from_str(value).unwrap())).collect();
        retry_after(&headers, httpdate::parse_http_date(NOW).unwrap()).map(|delay| delay.as_secs())
    }

    #[test]
    fn retry_after_is_a_number_of_seconds() {
        for (value, seconds) in [
            ("120", 120),
            ("0", 0),
            ("007", 7),
            ("  5\t", 5),
            ("1000000000", 1_000_000_000),
            ("18446744073709551615", u64::MAX),
            ("18446744073709551616", u64::MAX),
            ("99999999999999999999999999999999999999999", u64::MAX),
        ] {
            assert_eq!(asked(&[value]), Some(seconds), "{value}");
        }
    }

    #[test]
    fn or_a_date_in_each_of_the_three_forms() {
        for (value, seconds) in [
            ("Sun, 06 Nov 1994 08:50:07 GMT", 30),
            ("Sunday, 06-Nov-94 08:50:07 GMT", 30),
            ("Sun Nov  6 08:50:07 1994", 30),
            (" Sun, 06 Nov 1994 08:50:07 GMT ", 30),
            (NOW, 0),
            ("Sun, 06 Nov 1994 08:00:00 GMT", 0),
            ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
            ("Fri, 31 Dec 9999 23:59:59 GMT", 252_618_189_022),
        ] {
            assert_eq!(asked(&[value]), Some(seconds), "{value}");
        }
    }

    #[test]
    fn what_is_neither_asks_for_nothing() {
        for value in [
            "",
            " ",
            "soon",
            "-1",
            "+5",
            "1.5",
            "1e3",
            "0x10",
            "5 s",
            "5, 6",
            "Sun, 06 Nov 1994",
            "Sun, 06 Nov 1994 08:50:07 CET",
            "Xyz, 99 Nov 1994 08:50:07 GMT",
        ] {
            assert_eq!(asked(&[value]), None, "{value}");
        }
        assert_eq!(asked(&[]), None);
        let not_text = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_bytes(b"\xff5").unwrap())]);
        assert_eq!(retry_after(&not_text, SystemTime::now()), None);
    }

    #[test]
    fn of_several_the_longest_counts() {
        assert_eq!(asked(&["5", "60", "7"]), Some(60));
        assert_eq!(asked(&["soon", "5"]), Some(5));
        assert_eq!(asked(&["5", "Sun, 06 Nov 1994 08:50:07 GMT"]), Some(30));
    }
}
