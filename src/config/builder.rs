use super::{
    Config, DEFAULT_ENDPOINT, DEFAULT_MAX_BODY_BYTES, DEFAULT_MAX_BYTES, DEFAULT_MAX_ITEMS, Destination,
    Limits,
};
use super::{env, target};
use crate::endpoint::{Endpoint, Route};
use crate::error::{Error, Kind};

/// Collects settings for a [`Config`]; nothing is checked before [`build`](Self::build).
#[derive(Clone)]
pub struct ConfigBuilder {
    pub(super) app_key: Setting<String>,
    pub(super) api_key: Setting<String>,
    pub(super) endpoint: Setting<String>,
    pub(super) upload_endpoint: Setting<String>,
    pub(super) session_timeout: Setting<Number>,
    pub(super) allow_http: Setting<Flag>,
    pub(super) disabled: Setting<Flag>,
    routes: Vec<Route>,
    max_items: usize,
    max_bytes: usize,
    max_body_bytes: usize,
}

/// A value and where it was set, so that an error can name the variable or the setter.
#[derive(Clone)]
pub(super) struct Setting<T> {
    pub(super) name: &'static str,
    pub(super) value: Option<T>,
}

/// A number from code, or text from a variable that should be one.
#[derive(Clone)]
pub(super) enum Number {
    Value(u32),
    Text(String),
}

/// A switch from code, or text from a variable that should be one.
#[derive(Clone)]
pub(super) enum Flag {
    Value(bool),
    Text(String),
}

impl ConfigBuilder {
    pub(super) fn new(app_key: String, api_key: String) -> Self {
        Self {
            app_key: Setting { name: "app_key", value: Some(app_key) },
            api_key: Setting { name: "api_key", value: Some(api_key) },
            endpoint: Setting { name: "endpoint", value: None },
            upload_endpoint: Setting { name: "upload_endpoint", value: None },
            session_timeout: Setting { name: "session_timeout", value: None },
            allow_http: Setting { name: "allow_http", value: None },
            disabled: Setting { name: "disabled", value: None },
            routes: Vec::new(),
            max_items: DEFAULT_MAX_ITEMS,
            max_bytes: DEFAULT_MAX_BYTES,
            max_body_bytes: DEFAULT_MAX_BODY_BYTES,
        }
    }

    /// Starts from the variables that [`Config::from_env`] reads; setters called afterwards replace them.
    ///
    /// ```
    /// use tower_reconify::{ConfigBuilder, Endpoint};
    ///
    /// let config = ConfigBuilder::from_env().disabled(true).route("/ask", Endpoint::Chat).build()?;
    /// assert!(config.is_disabled());
    /// # Ok::<_, tower_reconify::Error>(())
    /// ```
    #[must_use]
    pub fn from_env() -> Self {
        env::read(std::env::var_os::<&str>)
    }

    /// The two keys of the Reconify console; for keys that come from elsewhere than the other settings.
    #[must_use]
    pub fn keys(mut self, app_key: impl Into<String>, api_key: impl Into<String>) -> Self {
        self.app_key = Setting { name: "app_key", value: Some(app_key.into()) };
        self.api_key = Setting { name: "api_key", value: Some(api_key.into()) };
        self
    }

    /// The URL to which interactions are posted. Default: `https://track.reconify.com/track`, which both of the
    /// vendor's modules use.
    #[must_use]
    pub fn endpoint(mut self, url: impl Into<String>) -> Self {
        self.endpoint = Setting { name: "endpoint", value: Some(url.into()) };
        self
    }

    /// The URL to which image data is posted. Default: the endpoint with its last path segment `track` replaced by
    /// `upload`; the endpoint itself where that segment has another name.
    #[must_use]
    pub fn upload_endpoint(mut self, url: impl Into<String>) -> Self {
        self.upload_endpoint = Setting { name: "upload_endpoint", value: Some(url.into()) };
        self
    }

    /// The timeout of sessions that have none of their own, in minutes, from 1. Default: unset (the collector's own).
    #[must_use]
    pub fn session_timeout(mut self, minutes: u32) -> Self {
        self.session_timeout = Setting { name: "session_timeout", value: Some(Number::Value(minutes)) };
        self
    }

    /// Allows plain `http://` to a host that is not this machine. Default: not allowed, because the keys and the
    /// conversations would cross the network in the clear.
    #[must_use]
    pub fn allow_http(mut self, allow: bool) -> Self {
        self.allow_http = Setting { name: "allow_http", value: Some(Flag::Value(allow)) };
        self
    }

    /// Passes everything through and captures nothing; all other settings are then ignored. Default: off.
    #[must_use]
    pub fn disabled(mut self, disabled: bool) -> Self {
        self.disabled = Setting { name: "disabled", value: Some(Flag::Value(disabled)) };
        self
    }

    /// Declares that `POST`s whose path ends in `path` speak the format of `endpoint`. It comes before the known
    /// names, so that `/agents/completions`, say, can be declared a chat.
    #[must_use]
    pub fn route(mut self, path: impl Into<String>, endpoint: Endpoint) -> Self {
        self.routes.push(Route { path: path.into(), endpoint });
        self
    }

    /// How many exchanges may be on their way (being captured, queued, being delivered) at once. Beyond it the newest
    /// is not recorded, and counted as dropped. Default: 10,000, ten seconds of 1,000 exchanges a second.
    #[must_use]
    pub fn max_items(mut self, items: usize) -> Self {
        self.max_items = items;
        self
    }

    /// How many bytes of recorded bodies and reports may be held at once. Beyond it the newest is dropped and counted.
    /// Default: 64 MiB, about 16,000 exchanges of 4 KiB.
    #[must_use]
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// How many bytes of one body are kept. Default: 16 MiB, so that answers with several base64 images fit. A longer
    /// event stream is reported up to this point; any other longer body is reported by its length only.
    #[must_use]
    pub fn max_body_bytes(mut self, bytes: usize) -> Self {
        self.max_body_bytes = bytes;
        self
    }

    /// Checks the settings.
    ///
    /// # Errors
    ///
    /// Names the first setting, or environment variable, that is missing, empty or not usable. No key, and no
    /// user-info or query of a URL, is in the error's text.
    pub fn build(self) -> Result<Config, Error> {
        if self.disabled.flag()? {
            return Ok(Config::disabled());
        }
        let app_key = self.app_key.key("the application's key from the Reconify console")?;
        let api_key = self.api_key.key("the API key from the Reconify console")?;
        let allow_http = self.allow_http.flag()?;
        let allow_hint = self.allow_http.name;
        let endpoint = match &self.endpoint.value {
            Some(url) => target::check(self.endpoint.name, url, allow_http, allow_hint)?,
            None => target::check(self.endpoint.name, DEFAULT_ENDPOINT, allow_http, allow_hint)?,
        };
        let upload_endpoint = match &self.upload_endpoint.value {
            Some(url) => target::check(self.upload_endpoint.name, url, allow_http, allow_hint)?,
            None => target::upload_of(&endpoint),
        };
        for route in &self.routes {
            check_route(route)?;
        }
        let limits = Limits {
            items: at_least_one("max_items", self.max_items)?,
            bytes: at_least_one("max_bytes", self.max_bytes)?,
            body_bytes: at_least_one("max_body_bytes", self.max_body_bytes)?,
        };
        Ok(Config {
            destination: Some(Destination { app_key, api_key, endpoint, upload_endpoint }),
            session_timeout: self.session_timeout.minutes()?,
            routes: self.routes,
            limits,
        })
    }
}

/// Shows which settings are there, and neither keys nor URLs.
impl std::fmt::Debug for ConfigBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConfigBuilder").field("routes", &self.routes).finish_non_exhaustive()
    }
}

impl Setting<String> {
    fn key(&self, hint: &'static str) -> Result<secrecy::SecretString, Error> {
        let setting = self.name.into();
        match self.value.as_deref() {
            None => Err(Kind::Missing { setting, hint: KEY_HINT }.into()),
            Some(key) if key.trim().is_empty() => Err(Kind::Empty { setting, hint }.into()),
            Some(key) if key.trim() != key || key.contains(char::is_control) => Err(Kind::Invalid {
                setting,
                value: "a key (not shown)".to_owned(),
                problem: "with white space at an end, or control characters".into(),
                hint: "remove them; a line end copied from a file is the usual cause",
            }
            .into()),
            Some(key) => Ok(key.into()),
        }
    }
}

const KEY_HINT: &str = "set it to the key that the Reconify console shows, or disable the layer";

impl Setting<Number> {
    fn minutes(&self) -> Result<Option<u32>, Error> {
        let (minutes, text) = match &self.value {
            None => return Ok(None),
            Some(Number::Value(minutes)) => (Some(*minutes), minutes.to_string()),
            Some(Number::Text(text)) => (text.trim().parse().ok(), format!("{text:?}")),
        };
        match minutes {
            Some(minutes) if minutes > 0 => Ok(Some(minutes)),
            _ => Err(Kind::Invalid {
                setting: self.name.into(),
                value: text,
                problem: "which is not a number of minutes".into(),
                hint: "use a whole number from 1, such as 10",
            }
            .into()),
        }
    }
}

impl Setting<Flag> {
    fn flag(&self) -> Result<bool, Error> {
        match &self.value {
            None => Ok(false),
            Some(Flag::Value(flag)) => Ok(*flag),
            Some(Flag::Text(text)) => match text.trim().to_ascii_lowercase().as_str() {
                "1" | "true" | "yes" | "on" => Ok(true),
                "0" | "false" | "no" | "off" => Ok(false),
                _ => Err(Kind::Invalid {
                    setting: self.name.into(),
                    value: format!("{text:?}"),
                    problem: "which is neither on nor off".into(),
                    hint: "use 1 or 0",
                }
                .into()),
            },
        }
    }
}

fn check_route(route: &Route) -> Result<(), Error> {
    if route.path.starts_with('/') && route.path.len() > 1 {
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

fn at_least_one(setting: &'static str, value: usize) -> Result<usize, Error> {
    if value > 0 {
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
