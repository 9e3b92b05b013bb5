//! The settings of the program, from its environment.

use std::env;

use reconify_collector::{Capacity, Collector, CollectorBuilder};

use crate::lines::Lines;

/// All settings: name, default and meaning.
const SETTINGS: &[(&str, &str, &str)] = &[
    ("COLLECTOR_ADDR", "127.0.0.1:8788", "where to listen; port 0 is any free one"),
    ("COLLECTOR_STRICT", "0", "1 refuses reports that Reconify accepts, but does not document"),
    (
        "COLLECTOR_APP_KEY",
        "",
        "the only app key that is accepted; needed if other machines can reach the address",
    ),
    (
        "COLLECTOR_API_KEY",
        "",
        "the only API key that is accepted; needed if other machines can reach the address",
    ),
    ("COLLECTOR_HOSTS", "", "names, with commas, under which the page may be reached beside localhost"),
    (
        "COLLECTOR_TOKEN",
        "",
        "what page and API want (/?token=…); needed if other machines can reach the address",
    ),
    ("COLLECTOR_NAME", "Collector", "the name on the page"),
    ("COLLECTOR_DB", "", "the file in which reports are kept; in memory without one"),
    (
        "COLLECTOR_MAX_REPORTS",
        "",
        "maximum number of reports; the oldest are removed (10000; in a file 100000)",
    ),
    ("COLLECTOR_MAX_MIB", "", "maximum MiB of reports; the oldest are removed (512; in a file 4096)"),
    ("COLLECTOR_QUIET", "0", "1 prints no line per report"),
];

/// The text of `--help`.
pub(crate) fn help() -> String {
    let mut out = String::from(
        "A local stand-in for Reconify's endpoints, with a page that shows every report.\n\nSettings, as environment variables:\n",
    );
    for (name, default, meaning) in SETTINGS {
        let default = if default.is_empty() { String::new() } else { format!(" ({default})") };
        out += &format!("  {name:<22} {meaning}{default}\n");
    }
    out
}

pub(crate) struct Settings {
    pub(crate) address: String,
    is_strict: bool,
    keys: Option<(String, String)>,
    hosts: Vec<String>,
    token: Option<String>,
    name: String,
    database: Option<String>,
    capacity: Capacity,
    is_quiet: bool,
}

impl Settings {
    /// Reads the variables. A misspelt one is an error.
    pub(crate) fn from_env() -> Result<Self, String> {
        for (name, _) in env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            if name.starts_with("COLLECTOR_") && !SETTINGS.iter().any(|(known, ..)| *known == name) {
                return Err(format!("there is no setting {name}: --help lists all"));
            }
        }
        let keys = match (text("COLLECTOR_APP_KEY")?, text("COLLECTOR_API_KEY")?) {
            (Some(app), Some(api)) => Some((app, api)),
            (None, None) => None,
            _ => {
                return Err(
                    "COLLECTOR_APP_KEY and COLLECTOR_API_KEY go together: set both or none".to_owned()
                );
            }
        };
        let token = text("COLLECTOR_TOKEN")?;
        let database = text("COLLECTOR_DB")?;
        let (reports, mib) = if database.is_some() { (100_000, 4096) } else { (10_000, 512) };
        let is_sane = |token: &String| {
            token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
        };
        if token.as_ref().is_some_and(|token| !is_sane(token)) {
            return Err("COLLECTOR_TOKEN has other characters than letters, digits, - . _ and ~".to_owned());
        }
        let hosts: Vec<_> = text("COLLECTOR_HOSTS")?
            .unwrap_or_default()
            .split(',')
            .map(|host| host.trim().to_owned())
            .filter(|host| !host.is_empty())
            .collect();
        if let Some(host) = hosts.iter().find(|host| host.contains(['/', '*', ' '])) {
            return Err(format!("COLLECTOR_HOSTS has {host:?}: use names like demo.example, with commas"));
        }
        Ok(Self {
            address: with_default("COLLECTOR_ADDR")?,
            is_strict: flag("COLLECTOR_STRICT")?,
            keys,
            hosts,
            token,
            name: with_default("COLLECTOR_NAME")?,
            database,
            capacity: Capacity {
                reports: number("COLLECTOR_MAX_REPORTS", reports)?,
                bytes: number("COLLECTOR_MAX_MIB", mib)? << 20,
            },
            is_quiet: flag("COLLECTOR_QUIET")?,
        })
    }

    pub(crate) fn collector(self, lines: &Lines) -> Result<Collector, String> {
        let mut builder = Collector::builder()
            .strict(self.is_strict)
            .hosts(self.hosts)
            .name(self.name)
            .capacity(self.capacity);
        if let Some((app, api)) = self.keys {
            builder = builder.keys(app, api);
        }
        if let Some(token) = self.token {
            builder = builder.token(token);
        }
        if !self.is_quiet {
            let lines = lines.clone();
            builder = builder.print(move |line| lines.print(line));
        }
        if let Some(path) = self.database {
            builder = with_database(builder, &path, self.capacity)?;
        }
        Ok(builder.build())
    }
}

/// A variable's text; the empty one counts as unset.
fn text(name: &str) -> Result<Option<String>, String> {
    match env::var(name) {
        Ok(text) if text.is_empty() => Ok(None),
        Ok(text) => Ok(Some(text)),
        Err(env::VarError::NotPresent) => Ok(None),
        Err(env::VarError::NotUnicode(_)) => Err(format!("{name} is not valid Unicode")),
    }
}

fn with_default(name: &str) -> Result<String, String> {
    let default = SETTINGS.iter().find(|(known, ..)| *known == name).map(|(_, default, _)| *default);
    Ok(text(name)?.unwrap_or_else(|| default.unwrap_or_default().to_owned()))
}

fn flag(name: &str) -> Result<bool, String> {
    match &*with_default(name)? {
        "1" | "true" => Ok(true),
        "0" | "false" => Ok(false),
        other => Err(format!("{name} is {other:?}: use 1 or 0")),
    }
}

fn number(name: &str, default: u64) -> Result<u64, String> {
    let Some(text) = text(name)? else { return Ok(default) };
    let number = text.parse::<u64>().ok().filter(|number| (1..=1 << 40).contains(number));
    number.ok_or_else(|| format!("{name} is {text:?}: use a whole number from 1"))
}

#[cfg(feature = "sqlite")]
fn with_database(
    builder: CollectorBuilder,
    path: &str,
    capacity: Capacity,
) -> Result<CollectorBuilder, String> {
    let store = reconify_collector::SqliteStore::open(path, capacity)
        .map_err(|error| format!("COLLECTOR_DB: {error}"))?;
    Ok(builder.store(store))
}

#[cfg(not(feature = "sqlite"))]
fn with_database(_: CollectorBuilder, _: &str, _: Capacity) -> Result<CollectorBuilder, String> {
    Err("COLLECTOR_DB is set, but this collector was built without the feature `sqlite`".to_owned())
}
