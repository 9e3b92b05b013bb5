//! The log, on standard error: standard output has the lines for a person who starts the gateway.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// Starts the log with the values of `LOG_FORMAT` and `RUST_LOG`.
pub(crate) fn start(format: Option<&str>, filter: Option<&str>) -> Result<(), String> {
    let filter = env_filter(filter.unwrap_or("info"))?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format.unwrap_or("text") {
        "text" => log.with_ansi(false).init(),
        "json" => log.json().flatten_event(true).with_span_list(false).init(),
        other => return Err(format!("LOG_FORMAT is {other:?}, which is no format: use text or json")),
    }
    Ok(())
}

fn env_filter(text: &str) -> Result<EnvFilter, String> {
    let error = |error: &str| {
        format!("RUST_LOG is {text:?}, which is no filter ({error}): use one like info,tower_reconify=debug")
    };
    // EnvFilter takes a mistyped level for the name of a target, and then logs nothing else.
    for word in text.split(',').filter(|directive| !directive.contains(['=', '[', ':'])) {
        if word.trim().parse::<LevelFilter>().is_err() {
            return Err(error(&format!("{word:?} is no level")));
        }
    }
    EnvFilter::builder().parse(text).map_err(|invalid| error(&invalid.to_string()))
}
