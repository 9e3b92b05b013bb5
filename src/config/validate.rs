//! Checks the settings of a builder and makes a configuration of them.

use std::path::PathBuf;
use std::sync::Arc;

use super::builder::ConfigBuilder;
use super::collector_url;
use super::defaults::MAX_CONCURRENT_DELIVERIES;
use super::options::{CaptureOptions, Config, Destination, IdentityHeaders, Limits, ReportOptions};
use super::setting::{Problem, Setting};
use super::spool::{Spool, Spooling};
use crate::error::Error;
use crate::provider::captured::{Operations, Route};
use crate::provider::operation::Operation;

impl ConfigBuilder {
    /// Checks the settings.
    ///
    /// # Errors
    ///
    /// Names the first setting, or environment variable, that is missing, empty or not usable. No key, and no
    /// user-info or query of a URL, is in the error's text.
    pub fn build(self) -> Result<Config, Error> {
        if self.disabled.get()? {
            // A disabled layer still removes identity headers. A setting that cannot be read may have meant `take`.
            let identity_headers = self.identity_headers.get().unwrap_or(IdentityHeaders::Take);
            let capturing = CaptureOptions { identity_headers, ..CaptureOptions::default() };
            return Ok(Config { capturing, ..Config::disabled() });
        }
        let (app_key, api_key) = (self.app_key.get()?, self.api_key.get()?);
        let allow_hint = self.allow_http.name;
        let allow_http = self.allow_http.get()?;
        let checked = |name, url| collector_url::check(name, url, allow_http, allow_hint);
        let endpoint = checked(self.endpoint.name, self.endpoint.get()?)?;
        let upload_name = self.upload_endpoint.name;
        let upload_endpoint = match self.upload_endpoint.get()? {
            Some(url) => checked(upload_name, url)?,
            None => collector_url::upload_of(&endpoint),
        };
        for route in &self.routes {
            check_route(route)?;
        }
        let spool = checked_spool(self.spooling, self.spool, self.spool_max_bytes)?;
        let images = self.track_images.get()?;
        let is_wanted = |operation: &Operation| images || !operation.is_image();
        let asked_for = self.capture.get()?;
        let is_asked_for = asked_for.is_some();
        let known = asked_for.unwrap_or_else(|| Operation::on_by_default().collect());
        let known = known.into_iter().filter(is_wanted);
        let routes = self.routes.into_iter().filter(|route| is_wanted(&route.operation)).collect();
        let Limits { items, bytes, body_bytes } = self.limits;
        at_least_one("limits.items", items)?;
        at_least_one("limits.bytes", bytes)?;
        at_least_one("limits.body_bytes", body_bytes)?;
        at_least_one("retry.attempts", self.retry.attempts)?;
        let concurrent_deliveries = self.concurrent_deliveries;
        if !(1..=MAX_CONCURRENT_DELIVERIES).contains(&concurrent_deliveries) {
            let problem = Problem::Invalid {
                value: concurrent_deliveries.to_string(),
                problem: format!("which is not in 1 to {MAX_CONCURRENT_DELIVERIES}").into(),
                hint: "use a number in that range; the default is 32",
            };
            return Err(problem.with("concurrent_deliveries"));
        }
        let metadata = self.metadata.get()?;
        Ok(Config {
            destination: Some(Destination { app_key, api_key, endpoint, upload_endpoint }),
            reporting: Arc::new(ReportOptions {
                session_timeout: self.session_timeout.get()?,
                failures: self.report_failures.get()?,
                metadata,
                responses: self.responses.get()?,
                media: self.media.get()?,
                images,
                sample: self.sample.get()?,
                hooks: self.hooks,
            }),
            capturing: CaptureOptions {
                metadata,
                identity_headers: self.identity_headers.get()?,
                outermost_only: self.outermost_only.get()?,
            },
            operations: Operations::new(routes, known, is_asked_for),
            limits: self.limits,
            retry_limits: self.retry,
            concurrent_deliveries,
            spool,
        })
    }
}

fn checked_spool(
    spooling: Setting<Spooling>,
    folder: Setting<Option<PathBuf>>,
    max_bytes: u64,
) -> Result<Option<Spool>, Error> {
    let name = spooling.name;
    let spooling = spooling.get()?;
    let Some(folder) = folder.get()? else {
        return if spooling == Spooling::Always { Err(no_folder(name)) } else { Ok(None) };
    };
    if max_bytes == 0 {
        return Err(no_room("spool.max_bytes", "use a larger number, or no spool"));
    }
    Ok(Some(Spool { folder, spooling: Some(spooling), max_bytes: Some(max_bytes) }))
}

fn check_route(route: &Route) -> Result<(), Error> {
    if route.path.starts_with('/') && route.path.contains(|letter| letter != '/') {
        return Ok(());
    }
    let problem = Problem::Invalid {
        value: format!("{:?}", route.path),
        problem: "which does not distinguish any request".into(),
        hint: "start it with a slash and name at least one segment, as in \"/ask\"",
    };
    Err(problem.with("route"))
}

fn at_least_one<N: Default + PartialEq>(setting: &'static str, value: N) -> Result<(), Error> {
    if value != N::default() {
        return Ok(());
    }
    Err(no_room(setting, "use a larger number, or disable the layer"))
}

/// Without this error, a user who relies on the disk would lose reports unnoticed.
fn no_folder(setting: &'static str) -> Error {
    let problem = Problem::Invalid {
        value: Spooling::Always.to_string(),
        problem: "which needs a folder".into(),
        hint: "set RECONIFY_SPOOL to one, or leave this out",
    };
    problem.with(setting)
}

fn no_room(setting: &'static str, hint: &'static str) -> Error {
    let problem = "which leaves no room for any report".into();
    Problem::Invalid { value: "0".to_owned(), problem, hint }.with(setting)
}
