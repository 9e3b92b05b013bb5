use super::*;
use crate::{Config, Error, Operation};

fn config(variables: &[(&str, &str)]) -> Result<Config, Error> {
    let variable = |name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into());
    read(variable, variables.iter().map(|(name, _)| name.into())).build()
}

fn error(variables: &[(&str, &str)]) -> String {
    config(variables).unwrap_err().to_string()
}

/// What is logged meanwhile.
fn logged(work: impl FnOnce()) -> String {
    let log = std::sync::Arc::new(tempfile::tempfile().unwrap());
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(log.clone()).finish();
    tracing::subscriber::with_default(subscriber, work);
    std::io::Seek::rewind(&mut &*log).unwrap();
    std::io::read_to_string(&*log).unwrap()
}

const KEYS: [(&str, &str); 2] = [("RECONIFY_APP_KEY", "APP"), ("RECONIFY_API_KEY", "s3cret")];

fn error_with(name: &str, value: &str) -> String {
    error(&[KEYS[0], KEYS[1], (name, value)])
}

#[test]
fn the_two_keys_are_enough() {
    let config = config(&KEYS).unwrap();
    let destination = config.destination.unwrap();
    assert_eq!(destination.endpoint, "https://track.reconify.com/track");
    assert_eq!(destination.upload_endpoint, "https://track.reconify.com/upload");
    assert_eq!(config.reporting.session_timeout, None);
}

#[test]
fn a_spool_is_a_folder_and_a_word() {
    let spool = ("RECONIFY_SPOOL", "/var/spool/reconify");
    let config = config(&[KEYS[0], KEYS[1], spool, ("RECONIFY_SPOOLING", "Always")]).unwrap();
    let spool = config.spool.unwrap();
    assert_eq!(spool.folder, std::path::Path::new("/var/spool/reconify"));
    assert_eq!(spool.spooling, Some(crate::Spooling::Always));
    let variables = [KEYS[0], KEYS[1], ("RECONIFY_SPOOLING", "always")];
    let variable = |name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into());
    let builder = read(variable, std::iter::empty()).spool(crate::Spool::at("/var/spool"));
    assert_eq!(builder.build().unwrap().spool.unwrap().spooling, Some(crate::Spooling::Always), "it stays");
    assert!(error_with("RECONIFY_SPOOLING", "often").contains("none of when-needed, always"));
    assert_eq!(
        error_with("RECONIFY_SPOOLING", "always"),
        "RECONIFY_SPOOLING is always, which needs a folder: set RECONIFY_SPOOL to one, or leave this out"
    );
    assert!(error_with("RECONIFY_SPOOL", "a\0b").contains("not a path"));
}

#[test]
fn a_missing_and_an_empty_key_are_errors_that_name_the_variable() {
    assert!(error(&[KEYS[0]]).starts_with("RECONIFY_API_KEY is not set"));
    assert!(error(&[KEYS[1]]).starts_with("RECONIFY_APP_KEY is not set"));
    assert!(error(&[KEYS[0], ("RECONIFY_API_KEY", " ")]).starts_with("RECONIFY_API_KEY is empty"));
}

#[test]
fn a_key_with_a_line_end_is_an_error_that_does_not_show_it() {
    let error = error(&[KEYS[0], ("RECONIFY_API_KEY", "s3cret\n")]);
    assert!(error.starts_with("RECONIFY_API_KEY is a key (not shown)"), "{error}");
    assert!(!error.contains("s3cret"));
}

#[test]
fn a_url_that_cannot_be_used_is_an_error_without_its_secrets() {
    for (url, problem) in [
        ("ftp://u:pw@host/track?t=pw", "neither http nor https"),
        ("u:pw@host/track", "not a URL"),
        ("//u:pw@host/track?t=pw", "not a URL"),
        ("http://u:pw@collector.example/track?t=pw", "plain http to a host that is not this machine"),
        ("http://u:pw@[::2]/track", "plain http to a host that is not this machine"),
    ] {
        for name in ["RECONIFY_ENDPOINT", "RECONIFY_UPLOAD_ENDPOINT"] {
            let error = error_with(name, url);
            assert!(error.starts_with(name) && error.contains(problem), "{error}");
            assert!(!error.contains("pw") && !error.contains("u:"), "{error}");
        }
    }
}

#[test]
fn plain_http_is_for_this_machine_unless_allowed() {
    for url in
        ["http://localhost:1/track", "http://127.0.0.9/track", "http://[::1]:80/track", "https://example.com"]
    {
        assert!(config(&[KEYS[0], KEYS[1], ("RECONIFY_ENDPOINT", url)]).is_ok(), "{url}");
    }
    let remote = ("RECONIFY_ENDPOINT", "http://collector.example/track");
    assert!(error(&[KEYS[0], KEYS[1], remote]).contains("RECONIFY_ALLOW_HTTP"));
    assert!(config(&[KEYS[0], KEYS[1], remote, ("RECONIFY_ALLOW_HTTP", "1")]).is_ok());
}

#[test]
fn a_timeout_that_is_not_a_number_of_minutes_is_an_error() {
    for text in ["ten", "-1", "0", "10.5", "99999999999"] {
        let error = error_with("RECONIFY_SESSION_TIMEOUT", text);
        assert!(error.starts_with(&format!("RECONIFY_SESSION_TIMEOUT is {text:?}")), "{error}");
    }
    assert_eq!(
        config(&[KEYS[0], KEYS[1], ("RECONIFY_SESSION_TIMEOUT", "15")]).unwrap().reporting.session_timeout,
        Some(15)
    );
}

#[test]
fn a_switch_that_is_neither_on_nor_off_is_an_error() {
    assert!(error_with("RECONIFY_ALLOW_HTTP", "maybe").starts_with("RECONIFY_ALLOW_HTTP is \"maybe\""));
    assert!(error_with("RECONIFY_RESPONSES", "maybe").starts_with("RECONIFY_RESPONSES is \"maybe\""));
    for name in ["RECONIFY_REPORT_FAILURES", "RECONIFY_METADATA", "RECONIFY_TRACK_IMAGES"] {
        assert!(error_with(name, "maybe").starts_with(name));
        assert!(config(&[KEYS[0], KEYS[1], (name, "1")]).is_ok());
    }
    assert!(error(&[("RECONIFY_DISABLED", "2")]).starts_with("RECONIFY_DISABLED is \"2\""));
}

#[test]
fn the_captured_endpoints_are_a_list_of_known_names_or_all() {
    let known = |list| config(&[KEYS[0], KEYS[1], ("RECONIFY_CAPTURE", list)]).unwrap().operations.known;
    assert_eq!(known(""), Operation::on_by_default().collect());
    assert_eq!(known("All"), Operation::ALL.iter().copied().collect());
    assert_eq!(known(" chat, Embedding ,"), [Operation::Chat, Operation::Embedding].into_iter().collect());
    assert!(
        error_with("RECONIFY_CAPTURE", " ,")
            .starts_with("RECONIFY_CAPTURE is \"\", which is none of all, openai, ")
    );
    let error = error_with("RECONIFY_CAPTURE", "chat,chats");
    assert!(error.starts_with("RECONIFY_CAPTURE is \"chats\", which is none of "), "{error}");
    assert!(Operation::ALL.iter().all(|endpoint| error.contains(endpoint.as_str())), "{error}");
}

#[test]
fn without_both_keys_the_layer_is_off_if_that_is_wanted_and_one_key_alone_is_an_error() {
    let or_disabled = |variables: &[(&str, &str)]| {
        let variable =
            |name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into());
        read(variable, std::iter::empty()).or_disabled().build()
    };
    let told = logged(|| assert!(or_disabled(&[]).unwrap().is_disabled()));
    assert_eq!(told.lines().count(), 1, "{told}");
    assert!(told.contains("WARN tower_reconify: nothing is reported"), "{told}");
    assert!(!or_disabled(&KEYS).unwrap().is_disabled());
    assert!(or_disabled(&KEYS[..1]).unwrap_err().to_string().starts_with("RECONIFY_API_KEY is not set"));
    assert!(or_disabled(&KEYS[1..]).unwrap_err().to_string().starts_with("RECONIFY_APP_KEY is not set"));
    let told = logged(|| assert!(or_disabled(&[("RECONIFY_DISABLED", "1")]).unwrap().is_disabled()));
    assert_eq!(told, "");
}

#[test]
fn a_disabled_layer_needs_nothing_else() {
    let broken = [("RECONIFY_DISABLED", "1"), ("RECONIFY_ENDPOINT", "nonsense")];
    assert!(config(&broken).unwrap().is_disabled());
}

#[test]
fn a_disabled_layer_takes_identity_headers_out_unless_it_is_told_to_let_them_pass() {
    use crate::IdentityHeaders::{Ignore, Read, Take};
    for (word, meant) in [
        ("", Ignore),
        ("ignore", Ignore),
        (" Read ", Read),
        ("take", Take),
        ("tale", Take),
        ("ignored", Take),
        ("1", Take),
        (" ", Take),
        ("\0", Take),
    ] {
        let config = config(&[("RECONIFY_DISABLED", "1"), ("RECONIFY_IDENTITY_HEADERS", word)]).unwrap();
        assert_eq!(config.capturing.identity_headers, meant, "{word:?}");
    }
    assert_eq!(config(&[("RECONIFY_DISABLED", "1")]).unwrap().capturing.identity_headers, Ignore);
    assert!(error_with("RECONIFY_IDENTITY_HEADERS", "tale").contains("none of ignore, read, take"));
}

#[test]
fn an_empty_optional_variable_counts_as_unset() {
    for name in ["RECONIFY_ENDPOINT", "RECONIFY_SESSION_TIMEOUT", "RECONIFY_DISABLED", "RECONIFY_ALLOW_HTTP"]
    {
        assert!(config(&[KEYS[0], KEYS[1], (name, "")]).is_ok(), "{name}");
    }
}

#[cfg(unix)]
#[test]
fn a_value_that_is_not_unicode_is_an_error() {
    use std::os::unix::ffi::OsStringExt;
    let broken = |wanted: &'static str| {
        let variable = move |name| match name {
            name if name == wanted => Some(OsString::from_vec(vec![b'1', 0xff])),
            "RECONIFY_APP_KEY" | "RECONIFY_API_KEY" => Some("key".into()),
            _ => None,
        };
        read(variable, [OsString::from_vec(b"RECONIFY_\xff".to_vec())].into_iter()).build()
    };
    for name in ["RECONIFY_APP_KEY", "RECONIFY_API_KEY", "RECONIFY_ENDPOINT", "RECONIFY_SESSION_TIMEOUT"] {
        assert!(broken(name).unwrap_err().to_string().starts_with(name));
    }
}

#[test]
fn a_misspelled_variable_is_one_warning_with_the_right_name_and_without_its_value() {
    let told = logged(|| {
        let misspelled = [("RECONIFY_APP_KEYS", "s3cret"), ("RECONIFY_IDENTITY_HEADER", "s3cret")];
        let other = [("RECONIFY_CONSOLE_URL", "s3cret"), ("RECONIFY_METADATA", "1")];
        config(&[&KEYS[..], &misspelled, &other].concat()).unwrap();
    });
    let lines: Vec<_> = told.lines().collect();
    assert_eq!(lines.len(), 2, "{told}");
    assert!(lines.iter().all(|line| line.contains("WARN") && !line.contains("s3cret")), "{told}");
    assert!(lines[0].contains("RECONIFY_APP_KEYS is not read: RECONIFY_APP_KEY may be meant"), "{told}");
    assert!(lines[1].contains("RECONIFY_IDENTITY_HEADER is not read: RECONIFY_IDENTITY_HEADERS may"));
}

#[test]
fn every_documented_variable_is_read_and_so_never_a_warning() {
    let documented = include_str!("../env.rs").split("/// | `RECONIFY_").skip(1);
    let documented = documented.map(|row| format!("RECONIFY_{}", row.split('`').next().unwrap()));
    let mut documented: Vec<_> = documented.collect();
    let mut known = VARIABLES.map(|(name, _)| name);
    documented.sort();
    known.sort_unstable();
    assert_eq!(documented, known);
}

#[test]
fn debug_output_shows_no_key() {
    let config = config(&KEYS).unwrap();
    assert!(!format!("{config:?}").contains("s3cret"));
    let builder = Config::builder("APPKEY", "s3cret").endpoint("https://u:pw@host");
    let shown = format!("{builder:?}");
    assert!(!shown.contains("s3cret") && !shown.contains("APPKEY") && !shown.contains("pw"));
}
