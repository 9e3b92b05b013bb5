//! Reports posted to Reconify.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, StatusCode};
use http_body::{Body, Frame, SizeHint};
use reqwest::{Client, redirect};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;
use tower::Service;
use url::Url;

use super::error::DeliveryError;
use crate::config::{ATTEMPT_TIMEOUT, CONNECT_TIMEOUT, Destination, MAX_DELIVERIES, is_this_machine};
use crate::report::Report;

/// How much of an answer is read. `{"status":"ok"}` has 15 bytes.
const LONGEST_ANSWER: usize = 64 * 1024;

/// Posts reports with reqwest, and adds the keys to them as it does.
pub(crate) struct HttpTransport {
    /// `None` if no client could be made: there is no TLS then, or no certificates to trust.
    interactions: Option<Target>,
    uploads: Option<Target>,
    keys: SecretString,
}

/// An address, and the client for it: whether there is a proxy on the way depends on the address.
struct Target {
    client: Client,
    url: Url,
}

/// A body of several parts whose length is known.
struct Parts(VecDeque<Bytes>);

/// What the collector says in a success.
#[derive(Deserialize)]
struct Answer {
    status: Option<Value>,
    error: Option<Value>,
}

impl HttpTransport {
    pub(crate) fn new(destination: Destination) -> Self {
        let Destination { app_key, api_key, endpoint, upload_endpoint } = destination;
        let text = |key: &SecretString| Value::from(key.expose_secret()).to_string();
        let keys = format!(r#","appKey":{},"apiKey":{}"#, text(&app_key), text(&api_key)).into();
        Self { interactions: Target::new(endpoint), uploads: Target::new(upload_endpoint), keys }
    }
}

impl Target {
    fn new(url: Url) -> Option<Self> {
        let client = client(&url).inspect_err(
            |error| tracing::error!(%error, "no HTTP client can be made: no report will be delivered"),
        );
        Some(Self { client: client.ok()?, url })
    }
}

fn client(endpoint: &Url) -> reqwest::Result<Client> {
    let builder = Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(ATTEMPT_TIMEOUT)
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        .pool_max_idle_per_host(MAX_DELIVERIES);
    // A proxy on the way to this machine would see what should stay here, and could not reach it.
    if is_this_machine(endpoint) { builder.no_proxy() } else { builder }.build()
}

impl Service<Report> for HttpTransport {
    type Response = ();
    type Error = DeliveryError;
    type Future = Pin<Box<dyn Future<Output = Result<(), DeliveryError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), DeliveryError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, report: Report) -> Self::Future {
        let target = if report.is_image_upload() { &self.uploads } else { &self.interactions };
        let Some(Target { client, url }) = target else {
            return Box::pin(std::future::ready(Err(DeliveryError::rejected())));
        };
        let (head, tail) = report.around_keys();
        let keys = Bytes::copy_from_slice(self.keys.expose_secret().as_bytes());
        // The report is sent as it is held, around the keys: a copy would be held beside it for as long.
        let body = reqwest::Body::wrap(Parts([head, keys, tail].into()));
        let request = client
            .post(url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, concat!("tower-reconify/", env!("CARGO_PKG_VERSION")))
            .header("idempotency-key", report.id().to_string())
            .body(body);
        Box::pin(post(request))
    }
}

impl Body for Parts {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|part| Ok(Frame::data(part))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.iter().map(|part| part.len() as u64).sum())
    }
}

async fn post(request: reqwest::RequestBuilder) -> Result<(), DeliveryError> {
    let response = request.send().await.map_err(|_| DeliveryError::unavailable())?;
    let status = response.status();
    if status.is_success() {
        return if is_taken(response).await { Ok(()) } else { Err(rejected(status)) };
    }
    match status.as_u16() {
        401 | 403 => Err(DeliveryError::unauthorized().status(status.as_u16())),
        408 | 425 | 429 | 500..=599 => {
            let error = DeliveryError::unavailable().status(status.as_u16());
            Err(match retry_after(response.headers(), SystemTime::now()) {
                Some(delay) => error.retry_after(delay),
                None => error,
            })
        }
        _ => Err(rejected(status)),
    }
}

fn rejected(status: StatusCode) -> DeliveryError {
    DeliveryError::rejected().status(status.as_u16())
}

/// A success that says anything but `ok` in its body is none. One that cannot be read is.
async fn is_taken(mut response: reqwest::Response) -> bool {
    let mut answer = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        answer.extend_from_slice(&chunk);
        if answer.len() > LONGEST_ANSWER {
            return true;
        }
    }
    match serde_json::from_slice::<Answer>(&answer) {
        Ok(Answer { status, error }) => {
            let no_error = [Value::Bool(false), Value::from("")];
            status.is_none_or(|status| status == "ok") && error.is_none_or(|error| no_error.contains(&error))
        }
        Err(_) => true,
    }
}

/// The pause that an answer asks for: seconds, or a date. What cannot be read asks for none.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    match value.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => {
            httpdate::parse_http_date(value).ok().map(|date| date.duration_since(now).unwrap_or_default())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::interaction::{Interaction, InteractionKind};

    /// The clock is paused: it jumps to the next timeout while nothing else can happen.
    #[tokio::test(start_paused = true)]
    async fn an_attempt_ends_within_ten_seconds_whatever_the_collector_does() {
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}/track", silent.local_addr().unwrap());
        let config = Config::builder("app", "key").endpoint(endpoint).build().unwrap();
        let mut transport = HttpTransport::new(config.destination.clone().unwrap());
        let interaction = Interaction::new(InteractionKind::Chat, &1, &2).unwrap();
        let started = tokio::time::Instant::now();
        let result = transport.call(Report::new(&interaction, &config.reporting).unwrap()).await;
        assert!(result.unwrap_err().is_retryable());
        let took = started.elapsed();
        assert!(took >= CONNECT_TIMEOUT && took <= ATTEMPT_TIMEOUT + Duration::from_millis(1), "{took:?}");
    }

    #[test]
    fn retry_after_is_read_as_seconds_or_a_date_and_junk_is_ignored() {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        let read = |value: &str| {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, value.parse().unwrap())]);
            retry_after(&headers, now).map(|delay| delay.as_secs())
        };
        assert_eq!(read("120"), Some(120));
        assert_eq!(read("0"), Some(0));
        assert_eq!(read("1000000000"), Some(1_000_000_000));
        assert_eq!(read("Sun, 06 Nov 1994 08:50:07 GMT"), Some(30));
        assert_eq!(read("Sun, 06 Nov 1994 08:00:00 GMT"), Some(0));
        assert_eq!(read("soon"), None);
        assert_eq!(read("-1"), None);
    }
}
