//! The environment variables of the gateway.

use std::env;
use std::error::Error;
use std::fmt::Display;
use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::http::Uri;
use axum::http::uri::Authority;
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;
use tower_reconify::{Config, ConfigBuilder, Provider, Reporter};

use crate::apis::{APIS, Api};
use crate::bounds::Bounds;
use crate::page;
use crate::simulated::{anthropic, collector, gemini, openai};

pub(crate) struct Settings {
    pub(crate) listen: String,
    /// The base URLs of the APIs that have one, in the order of `APIS`.
    pub(crate) bases: Vec<(&'static Api, Uri)>,
    pub(crate) reconify: Config,
    pub(crate) bounds: Bounds,
    /// How long the head of an answer may take.
    pub(crate) patience: Duration,
    /// How long requests are still accepted after the signal to stop.
    pub(crate) drain: Duration,
    /// How long running exchanges may go on after that.
    pub(crate) grace: Duration,
    has_simulated_providers: bool,
    local_collector: Option<SocketAddr>,
    /// Is given the reporter, whose counts the page of the local collector shows.
    pub(crate) reporter: Arc<OnceLock<Reporter>>,
}

impl Settings {
    /// Reads the settings, and starts the simulated counterpart of what they leave out.
    pub(crate) fn from_env(simulation: &Runtime) -> Result<Self, Box<dyn Error>> {
        let listen = text("LISTEN_ADDR")?.unwrap_or_else(|| "127.0.0.1:8787".to_owned());
        let bounds = Bounds {
            exchanges: Arc::new(Semaphore::new(number("MAX_EXCHANGES", 1_000_u16)?.into())),
            body_bytes: number("MAX_BODY_BYTES", 512 * 1024 * 1024)?,
            idle: patience("IDLE_SECONDS", 600)?,
        };
        let mut bases = Vec::new();
        for api in &APIS {
            if let Some(base) = text(api.variable)? {
                bases.push((api, base_url(api, &base)?));
            }
        }
        let has_simulated_providers = bases.is_empty();
        if has_simulated_providers {
            bases = simulation.block_on(simulated_providers())?;
        }

        let has_collector =
            ["RECONIFY_APP_KEY", "RECONIFY_API_KEY"].iter().any(|name| env::var_os(name).is_some())
                || text("RECONIFY_ENDPOINT")?.is_some();
        let mut builder = ConfigBuilder::from_env();
        let (mut local_collector, reporter) = (None, Arc::default());
        // Read once without keys, to know whether a collector is wanted at all.
        if !has_collector && !builder.clone().keys("demo", "demo").build()?.is_disabled() {
            let address = simulation.block_on(page::start(text("COLLECTOR_ADDR")?, Arc::clone(&reporter)))?;
            builder = builder
                .keys(collector::APP_KEY, collector::API_KEY)
                .endpoint(format!("http://{address}/track"))
                .metadata(true);
            local_collector = Some(address);
        }
        let reconify = builder.build()?;
        Ok(Self {
            listen,
            bases,
            reconify,
            bounds,
            patience: patience("ANSWER_SECONDS", 600)?,
            drain: seconds("DRAIN_SECONDS", 0)?,
            grace: seconds("GRACE_SECONDS", 3)?,
            has_simulated_providers,
            local_collector,
            reporter,
        })
    }

    pub(crate) fn is_all_simulated(&self) -> bool {
        self.has_simulated_providers && self.local_collector.is_some()
    }

    /// Says what is real and what is not.
    pub(crate) fn describe(&self) {
        for (Api { name, variable, .. }, base) in &self.bases {
            let label = format!("{name}:");
            match base.host() {
                Some(host) if !self.has_simulated_providers => println!("{label:<11} real, at {host}"),
                _ => println!("{label:<11} simulated, on {base} (set {variable} for a real one)"),
            }
        }
        let others = APIS.iter().filter(|api| self.bases.iter().all(|(other, _)| other.name != api.name));
        let others: Vec<_> = others.map(|api| api.variable).collect();
        if !others.is_empty() {
            println!("others:     not forwarded (set {})", others.join(", "));
        }
        match self.local_collector {
            Some(address) => {
                println!(
                    "Reconify:   local collector with demo keys, on http://{address}/track (set RECONIFY_APP_KEY and RECONIFY_API_KEY for the real one)"
                );
            }
            None if self.reconify.is_disabled() => println!("Reconify:   disabled, nothing is reported"),
            None => println!("Reconify:   real, as RECONIFY_* say"),
        }
    }
}

async fn simulated_providers() -> Result<Vec<(&'static Api, Uri)>, Box<dyn Error>> {
    let mut bases = Vec::new();
    for api in &APIS {
        let base = match api.provider {
            Provider::OpenAi => format!("http://{}/v1", openai::start().await?),
            Provider::Anthropic => format!("http://{}", anthropic::start().await?),
            Provider::Gemini => format!("http://{}", gemini::start().await?),
            _ => continue,
        };
        bases.push((api, base_url(api, &base)?));
    }
    Ok(bases)
}

fn base_url(api: &Api, text: &str) -> Result<Uri, String> {
    let uri = text.trim().trim_end_matches('/').parse::<Uri>().ok();
    let is_base = |uri: &Uri| {
        let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
        is_http && uri.authority().is_some_and(is_server) && uri.query().is_none()
    };
    uri.filter(is_base).ok_or_else(|| {
        let Api { variable, example, .. } = api;
        // A password must not be printed.
        let shown = text.rsplit_once('@').map_or_else(|| text.to_owned(), |(_, rest)| format!("…@{rest}"));
        format!(
            "{variable} is {shown:?}, which is not an http(s) URL without user and query: use one like {example}"
        )
    })
}

/// Whether this is a host, with a port or without. `Uri` takes any digits for a port, and no host at all.
fn is_server(authority: &Authority) -> bool {
    let (text, host) = (authority.as_str(), authority.host());
    !host.is_empty() && !text.contains('@') && (text == host || authority.port_u16().is_some())
}

/// How long something is waited for.
fn patience(name: &str, default: u32) -> Result<Duration, Box<dyn Error>> {
    match seconds(name, default)? {
        Duration::ZERO => {
            Err(format!("{name} is 0, which would let nothing pass: use one like {default}").into())
        }
        time => Ok(time),
    }
}

fn seconds(name: &str, default: u32) -> Result<Duration, Box<dyn Error>> {
    Ok(Duration::from_secs(number(name, default)?.into()))
}

fn number<N: FromStr<Err: Display> + Display>(name: &str, default: N) -> Result<N, Box<dyn Error>> {
    let Some(text) = text(name)? else { return Ok(default) };
    text.trim()
        .parse()
        .map_err(|error| format!("{name} is {text:?} ({error}): use a whole number like {default}").into())
}

/// A variable's text; the empty one counts as unset.
pub(crate) fn text(name: &str) -> Result<Option<String>, Box<dyn Error>> {
    match env::var(name) {
        Ok(text) if text.is_empty() => Ok(None),
        Ok(text) => Ok(Some(text)),
        Err(env::VarError::NotPresent) => Ok(None),
        Err(env::VarError::NotUnicode(_)) => {
            Err(format!("{name} is not valid Unicode: use plain text").into())
        }
    }
}
