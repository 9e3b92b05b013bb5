//! From settings to a configuration: everything is checked here.

use std::sync::Arc;

use super::builder::ConfigBuilder;
use super::collector_url;
use super::defaults::DEFAULT_ENDPOINT;
use super::options::{
    Capturing, Config, Destination, IdentityHeaders, Limits, Patience, Reporting, Responses,
};
use super::setting::Setting;
use super::spool::Spool;
use crate::error::{Error, Kind};
use crate::provider::operation::{Endpoint, Endpoints, Route};

impl ConfigBuilder {
    /// Checks the settings.
    ///
    /// # Errors
    ///
    /// Names the first setting, or environment variable, that is missing, empty or not usable. No key, and no
    /// user-info or query of a URL, is in the error's text.
    pub fn build(self) -> Result<Config, Error> {
        if self.disabled.flag()? {
            // A disabled layer still removes identity headers. A setting that cannot be read may have meant `take`.
            let identity_headers = self.identity_headers.choice().unwrap_or(IdentityHeaders::Take);
            let capturing = Capturing { identity_headers, ..Capturing::default() };
            return Ok(Config { capturing, ..Config::disabled() });
        }
        let app_key = self.app_key.key("the application's key from the Reconify console")?;
        let api_key = self.api_key.key("the API key from the Reconify console")?;
        let allow_http = self.allow_http.flag()?;
        let allow_hint = self.allow_http.name;
        let endpoint = match &self.endpoint.value {
            Some(url) => collector_url::check(self.endpoint.name, url, allow_http, allow_hint)?,
            None => collector_url::check(self.endpoint.name, DEFAULT_ENDPOINT, allow_http, allow_hint)?,
        };
        let upload_endpoint = match &self.upload_endpoint.value {
            Some(url) => collector_url::check(self.upload_endpoint.name, url, allow_http, allow_hint)?,
            None => collector_url::upload_of(&endpoint),
        };
        for route in &self.routes {
            check_route(route)?;
        }
        let spool = self.checked_spool()?;
        let responses = self.responses.choice()?;
        let track_images = self.track_images.flag_or(true)?;
        let mut known = self.capture.endpoints()?;
        let is_wanted = |endpoint: &Endpoint| match endpoint {
            Endpoint::Responses => responses != Responses::Off,
            endpoint if endpoint.is_image() => track_images,
            _ => true,
        };
        known.retain(is_wanted);
        let routes = self.routes.into_iter().filter(|route| is_wanted(&route.endpoint)).collect();
        let limits = Limits {
            items: at_least_one("max_items", self.max_items)?,
            bytes: at_least_one("max_bytes", self.max_bytes)?,
            body_bytes: at_least_one("max_body_bytes", self.max_body_bytes)?,
        };
        let attempts = at_least_one("max_attempts", self.max_attempts)?;
        let patience = Patience { attempts, age: self.max_age };
        let metadata = self.metadata.flag()?;
        Ok(Config {
            destination: Some(Destination { app_key, api_key, endpoint, upload_endpoint }),
            reporting: Arc::new(Reporting {
                session_timeout: self.session_timeout.minutes()?,
                failures: self.report_failures.flag()?,
                metadata,
                responses,
                media: self.media.choice()?,
                images: track_images,
                sample: self.sample.part()?,
                hooks: self.hooks,
            }),
            capturing: Capturing {
                metadata,
                identity_headers: self.identity_headers.choice()?,
                outermost_only: self.outermost_only.flag()?,
            },
            endpoints: Endpoints { routes, known: known.into_iter().collect() },
            limits,
            patience,
            spool,
        })
    }

    fn checked_spool(&self) -> Result<Option<Spool>, Error> {
        let (spooling, max_bytes) = (self.spooling.choice()?, self.spool_max_bytes);
        let Setting { name, value: Some(folder) } = &self.spool else { return Ok(None) };
        let invalid = |setting: &'static str, value, problem: &'static str, hint| {
            Error::from(Kind::Invalid { setting: setting.into(), value, problem: problem.into(), hint })
        };
        if folder.is_empty() {
            return Err(Kind::Empty { setting: (*name).into(), hint: "name a folder" }.into());
        }
        if folder.as_encoded_bytes().contains(&0) {
            let hint = "name a folder on a disk of this machine";
            return Err(invalid(name, format!("{folder:?}"), "which is no path", hint));
        }
        if max_bytes == 0 {
            let hint = "use a larger number, or no spool";
            return Err(invalid(
                "spool_max_bytes",
                "0".to_owned(),
                "which leaves no room for any report",
                hint,
            ));
        }
        Ok(Some(Spool { folder: folder.into(), spooling, max_bytes }))
    }
}

fn check_route(route: &Route) -> Result<(), Error> {
    if route.path.starts_with('/') && route.path.contains(|letter| letter != '/') {
        return Ok(());
    }
    Err(Kind::Invalid {
        setting: "route".into(),
        value: format!("{:?}", route.path),
        problem: "which is not a path that a request can be told by".into(),
        hint: "start it with a slash and name at least one segment, as in \"/ask\"",
    }
    .into())
}

fn at_least_one<N: Default + PartialEq>(setting: &'static str, value: N) -> Result<N, Error> {
    if value != N::default() {
        return Ok(value);
    }
    Err(Kind::Invalid {
        setting: setting.into(),
        value: "0".to_owned(),
        problem: "which leaves no room for any report".into(),
        hint: "use a larger number, or disable the layer",
    }
    .into())
}
