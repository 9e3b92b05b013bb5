use super::*;

fn error(builder: ConfigBuilder) -> String {
    builder.build().unwrap_err().to_string()
}

fn with_keys() -> ConfigBuilder {
    Config::builder("app", "api")
}

#[test]
fn a_value_from_code_that_cannot_be_used_is_an_error_that_names_its_setter() {
    for (builder, expected) in [
        (
            with_keys().session_timeout(Duration::ZERO),
            "session_timeout is 0ns, after which every session has ended: ",
        ),
        (with_keys().sample(1.5), "sample is 1.5, which is not a rate: "),
        (with_keys().sample(f64::NAN), "sample is NaN, which is not a rate: "),
        (with_keys().spool(Spool::at("")), "spool is empty: name a folder"),
        (with_keys().spool(Spool::at("a\0b")), "spool is \"a\\0b\", which is not a path: "),
        (
            with_keys().spool(Spool::at("a").with_max_bytes(0)),
            "spool.max_bytes is 0, which leaves no room for any report: ",
        ),
        (
            with_keys().limits(Limits { items: 0, ..Limits::default() }),
            "limits.items is 0, which leaves no room for any report: ",
        ),
        (
            with_keys().retry(RetryLimits { attempts: 0, ..RetryLimits::default() }),
            "retry.attempts is 0, which leaves no room for any report: ",
        ),
        (with_keys().keys("app", " "), "api_key is empty: the API key from the Reconify console"),
        (
            with_keys().upload_endpoint("host"),
            "upload_endpoint is a text of 4 bytes (not shown), which is not a URL: ",
        ),
        (
            with_keys().endpoint("http://collector.example"),
            "endpoint is http://collector.example/, which is plain http to a host that is not this machine, and \
             allow_http is not set: ",
        ),
    ] {
        let error = error(builder);
        assert!(error.starts_with(expected), "{error}");
    }
}

/// As an error that `main` returns is shown.
#[test]
fn the_debug_output_of_an_error_is_its_text() {
    let error = with_keys().sample(2.0).build().unwrap_err();
    assert_eq!(format!("{error:?}"), error.to_string());
}

#[test]
fn a_later_value_replaces_one_that_cannot_be_used() {
    assert!(with_keys().sample(2.0).sample(0.5).build().is_ok());
    assert!(Config::builder("", "").keys("app", "api").build().is_ok());
}

#[test]
fn build_reports_a_key_before_any_other_setting_whatever_the_order_of_the_setters() {
    assert!(error(Config::builder("app", "api").sample(2.0).keys("", "api")).starts_with("app_key is empty"));
}

#[test]
fn the_names_of_settings_are_parsed_in_any_case_and_an_unknown_one_lists_them() {
    assert_eq!("Elide".parse::<Media>().unwrap(), Media::Elide);
    assert_eq!(Media::ALL.iter().map(Media::to_string).collect::<Vec<_>>(), ["keep", "elide"]);
    let error = "off".parse::<Responses>().unwrap_err().to_string();
    assert_eq!(error, "responses is \"off\", which is none of chat, verbatim: use one of these names");
}

#[test]
fn a_session_timeout_is_rounded_up_to_whole_minutes() {
    for (seconds, minutes) in [(1, 1), (60, 1), (61, 2), (u64::MAX, u32::MAX)] {
        let config = with_keys().session_timeout(Duration::from_secs(seconds)).build().unwrap();
        assert_eq!(config.reporting.session_timeout, Some(minutes));
    }
}
