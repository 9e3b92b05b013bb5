//! Drives exchanges through a service, for callgrind: `.ci/instructions` runs what is here.
//!
//! `SCENARIO VARIANT EXCHANGES` drives that number of exchanges through `measured`, which is where callgrind counts; what the
//! worker does meanwhile on its thread is not the caller's. Without arguments nothing is done: times mean nothing here.
//! A binary has one kind of service: with several the compiler puts fewer functions in line.

#![allow(clippy::panic, reason = "a measurement that is not one must not look like one")]

use std::convert::Infallible;
use std::fmt::Debug;
use std::future::{Future, poll_fn};
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tower::{Service, service_fn};
use tower_reconify::{Config, Limits, ReconifyLayer, Report};

use super::frames::drain;
use super::scenario::Scenario;

/// What is to be driven.
pub struct Asked {
    pub scenario: Scenario,
    pub variant: Variant,
    exchanges: usize,
}

pub enum Variant {
    Bare,
    /// Both bodies are wrapped, and nothing else is done: in a router, where that has a price, no layer that sees both can
    /// add less.
    Wrapped,
    Trace,
    Reconify,
}

impl Asked {
    pub fn on_the_command_line() -> Option<Self> {
        let arguments: Vec<String> =
            std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
        let [name, variant, exchanges] = &arguments[..] else { return None };
        let variant = match variant.as_str() {
            "bare" => Variant::Bare,
            "wrapped" => Variant::Wrapped,
            "trace" => Variant::Trace,
            "reconify" => Variant::Reconify,
            _ => panic!("{variant} is none of bare, wrapped, trace, reconify"),
        };
        let scenario = Scenario::named(name).unwrap_or_else(|| panic!("{name} is no scenario"));
        let exchanges = exchanges.parse().unwrap_or_else(|_| panic!("{exchanges} is no number"));
        Some(Self { scenario, variant, exchanges })
    }

    /// Where types are known wrapping is free, but another kind of service in a binary is not.
    #[allow(dead_code, reason = "the router measures it")]
    pub fn refuse(&self) {
        panic!("bodies that are wrapped only are measured in a router");
    }

    pub fn run<S, B, R>(&self, service: &S, request: impl Fn(&Scenario) -> Request<B>)
    where
        S: Service<Request<B>, Response = Response<R>, Error: Debug> + Clone,
        R: Body<Data = Bytes>,
    {
        self.run_with_pauses(service, request, || ());
    }

    /// Through the layer of this crate, which has to report every exchange.
    pub fn run_reported<S, B, R>(
        &self,
        layered: impl FnOnce(ReconifyLayer) -> S,
        request: impl Fn(&Scenario) -> Request<B>,
    ) where
        S: Service<Request<B>, Response = Response<R>, Error: Debug> + Clone,
        R: Body<Data = Bytes>,
    {
        let config = Config::builder("app", "key")
            .limits(Limits { bytes: 1 << 30, items: 1_000_000, ..Limits::default() })
            .build();
        let sink = service_fn(|report: Report| {
            black_box(report);
            std::future::ready(Ok::<_, Infallible>(()))
        });
        let layer = ReconifyLayer::with_transport(config.unwrap_or_else(|error| panic!("{error}")), sink);
        let reporter = layer.reporter();
        let flush = || futures_executor::block_on(reporter.flush(Duration::from_secs(600)));
        self.run_with_pauses(&layered(layer), request, || _ = flush());
        let flushed = flush();
        let expected = if self.scenario.path.ends_with("/models") { 0 } else { self.exchanges as u64 };
        let stats = reporter.stats();
        assert_eq!(
            (stats.delivered, flushed.pending),
            (expected, 0),
            "what was measured was reported: {stats}"
        );
    }

    /// Exchanges one after another, with time for the worker after each 32: it keeps up, as it does in a service at any
    /// load that it can bear. What is waited for is not counted.
    fn run_with_pauses<S, B, R>(
        &self,
        service: &S,
        request: impl Fn(&Scenario) -> Request<B>,
        pause: impl Fn(),
    ) where
        S: Service<Request<B>, Response = Response<R>, Error: Debug> + Clone,
        R: Body<Data = Bytes>,
    {
        for exchange in 1..=self.exchanges {
            measured(service, request(&self.scenario));
            if exchange % 32 == 0 {
                pause();
            }
        }
    }
}

/// One exchange, read to its end. Callgrind counts what happens in here.
#[inline(never)]
fn measured<S, B, R>(service: &S, request: Request<B>)
where
    S: Service<Request<B>, Response = Response<R>, Error: Debug> + Clone,
    R: Body<Data = Bytes>,
{
    let mut service = service.clone();
    let exchange = async move {
        poll_fn(|cx| service.poll_ready(cx)).await.unwrap_or_else(|error| panic!("{error:?}"));
        match service.call(request).await {
            Ok(response) => drain(response.into_body()).await,
            Err(error) => panic!("{error:?}"),
        }
    };
    let exchange = pin!(exchange);
    assert!(exchange.poll(&mut Context::from_waker(Waker::noop())).is_ready());
}
