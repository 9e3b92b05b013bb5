//! Exchanges whose bodies come in frames of all sizes, which must make no difference to what is reported.

use std::convert::Infallible;
use std::ops::Range;

use async_compression::tokio::bufread::GzipEncoder;
use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::{Request, Response};
use fastrand::Rng;
use serde_json::Value;
use tokio::io::AsyncReadExt;
use tower_reconify::{Config, Limits, Session};

use super::{Observed, exchange, field};

/// Room for every cutting of a body at once.
pub fn config() -> Config {
    let config = Config::builder("test-app-key", "test-api-key").endpoint("http://127.0.0.1:9/track");
    config
        .capture(tower_reconify::Operation::ALL)
        .limits(Limits { bytes: 4 << 30, ..Limits::default() })
        .build()
        .unwrap()
}

/// Random numbers that can be had again: `RECONIFY_SEED` is the seed that an earlier run printed.
pub fn random() -> Rng {
    random_from(fastrand::u64(..))
}

/// Random numbers from this seed, or from `RECONIFY_SEED`.
pub fn random_from(seed: u64) -> Rng {
    let wanted = std::env::var("RECONIFY_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = wanted.unwrap_or(seed);
    println!("RECONIFY_SEED={seed} cuts at the same places again");
    Rng::with_seed(seed)
}

/// An exchange, both bodies in one piece.
#[derive(Clone, Debug)]
pub struct Whole {
    pub path: String,
    pub request_type: String,
    pub request: Bytes,
    pub response_type: Option<String>,
    pub coding: Option<String>,
    pub response: Bytes,
}

impl Whole {
    /// A request without content, answered with this.
    pub fn answered(path: &str, content_type: &str, response: impl Into<Bytes>) -> Self {
        Self {
            path: path.to_owned(),
            request_type: "application/json".to_owned(),
            request: Bytes::from_static(b"{}"),
            response_type: Some(content_type.to_owned()),
            coding: None,
            response: response.into(),
        }
    }

    /// The same, its answer encoded as this many members that follow each other.
    pub async fn gzipped(&self, members: usize) -> Self {
        let mut response = Vec::new();
        for member in self.response.chunks(self.response.len().div_ceil(members).max(1)) {
            GzipEncoder::new(member).read_to_end(&mut response).await.unwrap();
        }
        Self { coding: Some("gzip".to_owned()), response: response.into(), ..self.clone() }
    }

    /// Lets it pass with its bodies in these frames, under a session that tells how they were cut.
    async fn pass(&self, observed: &Observed, cutting: &Cutting) {
        let request = Request::post(&self.path).header(CONTENT_TYPE, &self.request_type);
        let mut request = request.body(cutting.body(&self.request)).unwrap();
        request.extensions_mut().insert(Session::new(format!("{cutting:?}")));
        let mut response = Response::builder();
        if let Some(content_type) = &self.response_type {
            response = response.header(CONTENT_TYPE, content_type);
        }
        if let Some(coding) = &self.coding {
            response = response.header(CONTENT_ENCODING, coding);
        }
        let response = response.body(cutting.body(&self.response)).unwrap();
        assert_eq!(exchange(observed, request, response).await, self.response, "{cutting:?}");
    }
}

/// Where bodies are cut.
#[derive(Debug)]
pub enum Cutting {
    Nowhere,
    Every(usize),
    /// In two, after this number of bytes.
    Once(usize),
    /// At that many places, found with this seed.
    At(usize, u64),
}

impl Cutting {
    /// Frames of 1 to 64 bytes, and of the powers of two that are less than this length.
    pub fn even(length: usize) -> impl Iterator<Item = Self> {
        let powers = (7..).map(|power| 1 << power).take_while(move |size| *size < length);
        (1..=64).chain(powers).map(Self::Every)
    }

    /// 200 random cuttings.
    pub fn odd(random: &mut Rng) -> impl Iterator<Item = Self> {
        (0..200).map(|_| Self::At(random.usize(1..=100), random.u64(..)))
    }

    fn body(&self, whole: &Bytes) -> Body {
        let frames: Vec<_> = self
            .frames(whole.len())
            .into_iter()
            .map(|frame| Ok::<_, Infallible>(whole.slice(frame)))
            .collect();
        Body::from_stream(futures_util::stream::iter(frames))
    }

    /// The frames of a body of this length. Random ones may be empty.
    fn frames(&self, length: usize) -> Vec<Range<usize>> {
        let mut ends: Vec<usize> = match self {
            Self::Nowhere => Vec::new(),
            Self::Every(size) => (*size..length).step_by(*size).collect(),
            Self::Once(place) => vec![(*place).min(length)],
            Self::At(places, seed) => {
                let mut random = Rng::with_seed(*seed);
                (0..*places).map(|_| random.usize(0..=length)).collect()
            }
        };
        ends.sort_unstable();
        ends.push(length);
        let starts = [0].into_iter().chain(ends.clone());
        starts.zip(ends).map(|(start, end)| start..end).collect()
    }
}

/// Asserts that an exchange is reported the same however its bodies are cut, and returns what is reported of it.
pub async fn assert_same_however_cut(
    observed: &mut Observed,
    whole: &Whole,
    cuttings: &[Cutting],
) -> Vec<String> {
    whole.pass(observed, &Cutting::Nowhere).await;
    let report = observed.report_text().await;
    let mut uncut = vec![told(&report)];
    for _ in names(&report) {
        uncut.push(told(&observed.report_text().await));
    }
    for cutting in cuttings {
        whole.pass(observed, cutting).await;
    }
    for _ in 0..cuttings.len() * uncut.len() {
        let report = observed.report_text().await;
        let cut = told(&report);
        let known = if is_upload(&report) { &uncut[1..] } else { &uncut[..1] };
        assert!(known.contains(&cut), "{} in other frames\n  {report}\n  uncut {known:?}", whole.path);
    }
    uncut
}

fn is_upload(report: &str) -> bool {
    report.contains("\"type\":\"image-upload\"")
}

/// What a report says of its exchange, without the part of a name that is never the same.
fn told(report: &str) -> String {
    let said = match is_upload(report) {
        true => field(report, "upload").to_owned(),
        false => [field(report, "request"), field(report, "response")].join("\n"),
    };
    names(report).iter().fold(said, |said, name| said.replace(name, &name[36..]))
}

/// The names that stand in a report for images.
fn names(report: &str) -> Vec<String> {
    if !report.contains(".png\"") {
        return Vec::new();
    }
    let report: Value = serde_json::from_str(report).unwrap();
    let names = match &report["upload"]["filename"] {
        Value::Null => {
            let list = |path: &str| report["response"].pointer(path).and_then(Value::as_array).cloned();
            let calls = list("/choices/0/message/tool_calls").unwrap_or_default();
            let results = calls.iter().map(|call| call["image_generation_call"]["result"].clone());
            list("/data").unwrap_or_default().into_iter().chain(results).collect()
        }
        name => vec![name.clone()],
    };
    names.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}
