//! The settings of the program, from the environment.

use std::env::VarError;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use reconify_nats::{ConnectOptions, Servers, StreamSettings};
use tower_reconify::{Config, ConfigBuilder, RetryLimits};

const SERVERS: &str = "RECONIFY_NATS_SERVERS";
const CREDENTIALS: &str = "RECONIFY_NATS_CREDENTIALS";
const TOKEN: &str = "RECONIFY_NATS_TOKEN";
const USER: &str = "RECONIFY_NATS_USER";
const PASSWORD: &str = "RECONIFY_NATS_PASSWORD";
const CA: &str = "RECONIFY_NATS_CA";
const CERTIFICATE: &str = "RECONIFY_NATS_CERTIFICATE";
const KEY: &str = "RECONIFY_NATS_KEY";
const STREAM: &str = "RECONIFY_NATS_STREAM";
const SUBJECTS: &str = "RECONIFY_NATS_SUBJECTS";
const CONSUMER: &str = "RECONIFY_NATS_CONSUMER";
const MAX_BYTES: &str = "RECONIFY_NATS_MAX_BYTES";
const MAX_AGE: &str = "RECONIFY_NATS_MAX_AGE";
const REPLICAS: &str = "RECONIFY_NATS_REPLICAS";
const WINDOW: &str = "RECONIFY_NATS_DUPLICATE_WINDOW";
const ACK_WAIT: &str = "RECONIFY_NATS_ACK_WAIT";
const ACK_PENDING: &str = "RECONIFY_NATS_MAX_ACK_PENDING";
const DEAD_STREAM: &str = "RECONIFY_NATS_DEAD_STREAM";
const DEAD_SUBJECT: &str = "RECONIFY_NATS_DEAD_SUBJECT";
const DEAD_MAX_BYTES: &str = "RECONIFY_NATS_DEAD_MAX_BYTES";
const DEAD_MAX_AGE: &str = "RECONIFY_NATS_DEAD_MAX_AGE";
const DELIVERIES: &str = "RECONIFY_FORWARDER_DELIVERIES";
const SLOTS: &str = "RECONIFY_FORWARDER_SLOTS";
const ATTEMPTS: &str = "RECONIFY_FORWARDER_ATTEMPTS";
const GRACE: &str = "RECONIFY_FORWARDER_GRACE";
const LISTEN: &str = "RECONIFY_FORWARDER_LISTEN";

/// Every variable, its meaning and its default.
const VARIABLES: [(&str, &str, &str); 26] = [
    (SERVERS, "addresses of the servers, with commas between them", "required"),
    (CREDENTIALS, "path of a credentials file", "none"),
    (TOKEN, "token", "none"),
    (USER, "user name", "none"),
    (PASSWORD, "password", "none"),
    (CA, "path of a PEM file with further root certificates", "none"),
    (CERTIFICATE, "path of the client's certificate (PEM)", "none"),
    (KEY, "path of the client's key (PEM)", "none"),
    (STREAM, "name of the stream", "RECONIFY"),
    (SUBJECTS, "subjects of the stream, with commas between them", "reconify.reports.*"),
    (CONSUMER, "name of the consumer", "forwarder"),
    (MAX_BYTES, "maximum bytes of the stream", "required"),
    (MAX_AGE, "seconds for which a report is kept", "259200, 72 hours"),
    (REPLICAS, "servers with a copy of the streams", "3"),
    (WINDOW, "seconds for which the id of a stored report is known", "120"),
    (ACK_WAIT, "seconds after which a killed forwarder's reports come again", "60"),
    (ACK_PENDING, "maximum reports that all forwarders hold at once", "4096"),
    (DEAD_STREAM, "name of the stream of dead letters", "RECONIFY_DEAD"),
    (DEAD_SUBJECT, "beginning of their subjects", "reconify.dead"),
    (DEAD_MAX_BYTES, "maximum bytes of dead letters", "a tenth of the stream's"),
    (DEAD_MAX_AGE, "seconds for which a dead letter is kept", "2592000, 30 days"),
    (DELIVERIES, "reports sent at once, 1 to 1024", "32"),
    (SLOTS, "reports held at once", "8 times the above"),
    (ATTEMPTS, "attempts before a report becomes a dead letter", "20"),
    (GRACE, "seconds that a stop waits for reports on their way", "10"),
    (LISTEN, "address of /healthz and /metrics, or `off`", "0.0.0.0:8080"),
];

/// The settings of the program.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) servers: Servers,
    pub(crate) streams: StreamSettings,
    pub(crate) config: Config,
    pub(crate) slots: usize,
    pub(crate) grace: Duration,
    pub(crate) listen: Option<SocketAddr>,
}

/// The text of `--help`.
pub(crate) fn help() -> String {
    let width = VARIABLES.iter().map(|(name, ..)| name.len()).max().unwrap_or_default();
    let lines =
        VARIABLES.iter().map(|(name, meaning, default)| format!("  {name:width$}  {meaning} [{default}]\n"));
    format!(
        "reconify-forwarder takes reports from NATS JetStream and delivers them to Reconify.\n\n\
         It creates the streams and the consumer if they are missing, and refuses to start if they have other\n\
         settings. SIGTERM and SIGINT stop it gracefully.\n\n\
         Settings, all from the environment; an empty variable counts as unset:\n{}\n\
         RECONIFY_APP_KEY and RECONIFY_API_KEY are required. RECONIFY_ENDPOINT, RECONIFY_UPLOAD_ENDPOINT and\n\
         RECONIFY_ALLOW_HTTP have the meaning that they have for tower-reconify.\n\n\
         /healthz answers 200 if reports are being forwarded, otherwise 503 and the reason. /metrics answers in\n\
         Prometheus' text format.\n\n\
         Exit status: 0 after a stop, 1 if NATS refuses, 2 if a setting is not usable.\n",
        lines.collect::<String>()
    )
}

/// Reads variables. A value that is not usable is an error that names the variable, but not the value.
struct Variables<F>(F);

impl<F: Fn(&'static str) -> Result<String, VarError>> Variables<F> {
    fn text(&self, name: &'static str) -> Result<Option<String>, String> {
        match (self.0)(name) {
            Ok(text) => Ok(Some(text).filter(|text| !text.is_empty())),
            Err(VarError::NotPresent) => Ok(None),
            Err(VarError::NotUnicode(_)) => Err(format!("{name} is not Unicode")),
        }
    }

    fn required(&self, name: &'static str) -> Result<String, String> {
        self.text(name)?.ok_or_else(|| format!("{name} is not set; see --help"))
    }

    fn number<N: FromStr>(&self, name: &'static str, default: N) -> Result<N, String> {
        let text = self.text(name)?;
        text.map_or(Ok(default), |text| {
            text.parse().map_err(|_| format!("{name} is not a usable whole number"))
        })
    }

    fn seconds(&self, name: &'static str, default: Duration) -> Result<Duration, String> {
        self.number(name, default.as_secs()).map(Duration::from_secs)
    }
}

impl Settings {
    pub(crate) async fn read(
        variable: impl Fn(&'static str) -> Result<String, VarError>,
    ) -> Result<Self, String> {
        let variables = Variables(variable);
        let max_bytes = variables.required(MAX_BYTES)?;
        let max_bytes = max_bytes.parse().map_err(|_| format!("{MAX_BYTES} is not a usable whole number"))?;
        let servers = Servers::new(&variables.required(SERVERS)?).map_err(|error| error.to_string())?;
        let servers = servers.options(options(&variables).await?);
        let streams = streams(&variables, StreamSettings::new(max_bytes))?;
        let deliveries: usize = variables.number(DELIVERIES, 32)?;
        let attempts = variables.number(ATTEMPTS, RetryLimits::default().attempts)?;
        let config = ConfigBuilder::from_env()
            .concurrent_deliveries(deliveries)
            .retry(RetryLimits { attempts, ..RetryLimits::default() })
            .build();
        let config = config.map_err(|error| error.to_string())?;
        if config.is_disabled() {
            return Err("RECONIFY_DISABLED is set: there is nothing to do".to_owned());
        }
        let listen = match variables.text(LISTEN)?.as_deref() {
            Some("off") => None,
            Some(address) => Some(address.parse().map_err(|_| format!("{LISTEN} is not an address"))?),
            None => Some(SocketAddr::from(([0, 0, 0, 0], 8080))),
        };
        Ok(Self {
            servers,
            streams,
            config,
            slots: variables.number(SLOTS, deliveries.saturating_mul(8))?,
            grace: variables.seconds(GRACE, Duration::from_secs(10))?,
            listen,
        })
    }
}

/// The client's options.
async fn options<F>(variables: &Variables<F>) -> Result<ConnectOptions, String>
where
    F: Fn(&'static str) -> Result<String, VarError>,
{
    let mut options = ConnectOptions::new().name("reconify-forwarder");
    if let Some(path) = variables.text(CREDENTIALS)? {
        let read = options.credentials_file(path).await;
        options = read.map_err(|error| format!("{CREDENTIALS} names no usable file: {error}"))?;
    }
    if let Some(token) = variables.text(TOKEN)? {
        options = options.token(token);
    }
    if let Some(user) = variables.text(USER)? {
        options = options.user_and_password(user, variables.text(PASSWORD)?.unwrap_or_default());
    }
    if let Some(path) = variables.text(CA)? {
        options = options.add_root_certificates(path.into());
    }
    match (variables.text(CERTIFICATE)?, variables.text(KEY)?) {
        (Some(certificate), Some(key)) => {
            Ok(options.add_client_certificate(PathBuf::from(certificate), PathBuf::from(key)))
        }
        (None, None) => Ok(options),
        _ => Err(format!("{CERTIFICATE} and {KEY} are only usable together")),
    }
}

fn streams<F>(variables: &Variables<F>, defaults: StreamSettings) -> Result<StreamSettings, String>
where
    F: Fn(&'static str) -> Result<String, VarError>,
{
    let list = |text: String| text.split(',').map(|subject| subject.trim().to_owned()).collect();
    Ok(StreamSettings {
        stream: variables.text(STREAM)?.unwrap_or(defaults.stream),
        subjects: variables.text(SUBJECTS)?.map_or(defaults.subjects, list),
        consumer: variables.text(CONSUMER)?.unwrap_or(defaults.consumer),
        max_bytes: defaults.max_bytes,
        max_age: variables.seconds(MAX_AGE, defaults.max_age)?,
        replicas: variables.number(REPLICAS, defaults.replicas)?,
        duplicate_window: variables.seconds(WINDOW, defaults.duplicate_window)?,
        ack_wait: variables.seconds(ACK_WAIT, defaults.ack_wait)?,
        max_ack_pending: variables.number(ACK_PENDING, defaults.max_ack_pending)?,
        dead_stream: variables.text(DEAD_STREAM)?.unwrap_or(defaults.dead_stream),
        dead_subject: variables.text(DEAD_SUBJECT)?.unwrap_or(defaults.dead_subject),
        dead_max_bytes: variables.number(DEAD_MAX_BYTES, defaults.dead_max_bytes)?,
        dead_max_age: variables.seconds(DEAD_MAX_AGE, defaults.dead_max_age)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn among(set: &'static [(&str, &str)]) -> impl Fn(&'static str) -> Result<String, VarError> {
        move |name| {
            let found = set.iter().find(|(other, _)| *other == name);
            found.map(|(_, value)| (*value).to_owned()).ok_or(VarError::NotPresent)
        }
    }

    #[tokio::test]
    async fn an_unusable_setting_is_named() {
        for (set, problem) in [
            (&[][..], MAX_BYTES),
            (&[(MAX_BYTES, "10 GB")], MAX_BYTES),
            (&[(MAX_BYTES, "1000")], SERVERS),
            (&[(MAX_BYTES, "1000"), (SERVERS, "nats://a"), (CREDENTIALS, "/nowhere")], CREDENTIALS),
            (&[(MAX_BYTES, "1000"), (SERVERS, "nats://a"), (KEY, "/key")], CERTIFICATE),
            (&[(MAX_BYTES, "1000"), (SERVERS, "nats://a"), (ACK_WAIT, "-1")], ACK_WAIT),
            (&[(MAX_BYTES, "1000"), (SERVERS, "nats://a")], "RECONIFY_APP_KEY"),
        ] {
            let error = Settings::read(among(set)).await.unwrap_err();
            assert!(error.contains(problem), "{set:?}: {error}");
        }
    }

    #[test]
    fn the_help_names_every_variable_and_the_defaults_are_those_of_the_library() {
        let variables = Variables(among(&[]));
        let defaults = StreamSettings::new(1_000);
        assert_eq!(streams(&variables, defaults.clone()).unwrap(), defaults);
        let help = help();
        for default in [&defaults.stream, &defaults.subjects[0], &defaults.consumer, &defaults.dead_stream] {
            assert!(help.contains(&format!("[{default}]")), "{default}");
        }
        for (name, seconds) in
            [(MAX_AGE, defaults.max_age), (WINDOW, defaults.duplicate_window), (ACK_WAIT, defaults.ack_wait)]
        {
            let line = help.lines().find(|line| line.trim_start().starts_with(name)).unwrap();
            assert!(line.contains(&format!("[{}", seconds.as_secs())), "{line}");
        }
    }
}
