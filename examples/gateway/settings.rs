//! The environment variables of the gateway.

use std::env;
use std::error::Error;
use std::net::SocketAddr;

use axum::http::Uri;
use tokio::runtime::Runtime;
use tower_reconify::{Config, ConfigBuilder};

use crate::simulated::{collector, openai};

pub(crate) struct Settings {
    pub(crate) listen: String,
    pub(crate) upstream: Uri,
    pub(crate) reconify: Config,
    simulated_openai: Option<SocketAddr>,
    local_collector: Option<SocketAddr>,
}

impl Settings {
    /// Reads the settings, and starts the simulated counterpart of what they leave out.
    pub(crate) fn from_env(simulation: &Runtime) -> Result<Self, Box<dyn Error>> {
        let listen = text("LISTEN_ADDR")?.unwrap_or_else(|| "127.0.0.1:8787".to_owned());
        let base = text("OPENAI_BASE_URL")?;
        let has_collector =
            ["RECONIFY_APP_KEY", "RECONIFY_API_KEY"].iter().any(|name| env::var_os(name).is_some())
                || text("RECONIFY_ENDPOINT")?.is_some();

        let mut builder = ConfigBuilder::from_env();
        let mut local_collector = None;
        // Read once without keys, to know whether a collector is wanted at all.
        if !has_collector && !builder.clone().keys("demo", "demo").build()?.is_disabled() {
            let address = simulation.block_on(collector::start())?;
            builder = builder
                .keys(collector::APP_KEY, collector::API_KEY)
                .endpoint(format!("http://{address}/track"));
            local_collector = Some(address);
        }
        let reconify = builder.build()?;
        let (upstream, simulated_openai) = match base {
            Some(base) => (base_url(&base)?, None),
            None => {
                let address = simulation.block_on(openai::start())?;
                (base_url(&format!("http://{address}/v1"))?, Some(address))
            }
        };
        Ok(Self { listen, upstream, reconify, simulated_openai, local_collector })
    }

    pub(crate) fn is_all_simulated(&self) -> bool {
        self.simulated_openai.is_some() && self.local_collector.is_some()
    }

    /// Says what is real and what is not.
    pub(crate) fn describe(&self) {
        match self.simulated_openai {
            Some(address) => {
                println!("OpenAI:   simulated, on http://{address}/v1 (set OPENAI_BASE_URL for a real one)")
            }
            None => println!("OpenAI:   real, at {}", self.upstream.host().unwrap_or_default()),
        }
        match self.local_collector {
            Some(address) => {
                println!(
                    "Reconify: local collector with demo keys, on http://{address}/track (set RECONIFY_APP_KEY and RECONIFY_API_KEY for the real one)"
                );
            }
            None if self.reconify.is_disabled() => println!("Reconify: disabled, nothing is reported"),
            None => println!("Reconify: real, as RECONIFY_* say"),
        }
    }
}

fn base_url(text: &str) -> Result<Uri, Box<dyn Error>> {
    let uri = text.trim().trim_end_matches('/').parse::<Uri>().ok();
    uri.filter(|uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.query().is_none()).ok_or_else(
        || {
            "OPENAI_BASE_URL is not an http(s) URL without a query: use one like https://api.openai.com/v1"
                .into()
        },
    )
}

/// A variable's text; the empty one counts as unset.
fn text(name: &str) -> Result<Option<String>, Box<dyn Error>> {
    match env::var(name) {
        Ok(text) if text.is_empty() => Ok(None),
        Ok(text) => Ok(Some(text)),
        Err(env::VarError::NotPresent) => Ok(None),
        Err(env::VarError::NotUnicode(_)) => {
            Err(format!("{name} is not valid Unicode: use plain text").into())
        }
    }
}
