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
        (with_keys().session_timeout(0), "session_timeout is 0, which is not a number of minutes: "),
        (with_keys().sample(1.5), "sample is 1.5, which is no part of a whole: "),
        (with_keys().sample(f64::NAN), "sample is NaN, which is no part of a whole: "),
        (with_keys().spool(""), "spool is empty: name a folder"),
        (with_keys().spool("a\0b"), "spool is \"a\\0b\", which is no path: "),
        (
            with_keys().spool("a").spool_max_bytes(0),
            "spool_max_bytes is 0, which leaves no room for any report: ",
        ),
        (with_keys().max_items(0), "max_items is 0, which leaves no room for any report: "),
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
fn the_size_of_the_spool_is_only_checked_if_there_is_a_spool() {
    assert!(with_keys().spool_max_bytes(0).build().is_ok());
}
