use bytes::Bytes;
use futures_executor::block_on;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use tower::{Layer, ServiceExt, service_fn};

use super::*;
use crate::identity::DoNotReport;

const SHORT: Duration = Duration::from_millis(20);

type Answer = Response<crate::capture::ResponseBody<Full<Bytes>>>;

async fn call(layer: &ReconifyLayer, path: &str, user: Option<&'static str>) -> Answer {
    let inner = service_fn(async |request: Request<crate::capture::RequestBody<Full<Bytes>>>| {
        let _ = request.into_body().collect().await;
        Ok::<_, std::convert::Infallible>(Response::new(Full::from(r#"{"choices":[]}"#)))
    });
    let mut request = Request::post(path).body(Full::from(r#"{"model":"m"}"#)).unwrap();
    match user {
        Some("nobody") => drop(request.extensions_mut().insert(DoNotReport)),
        Some(user) => {
            request.extensions_mut().insert(User::new(user));
            request.extensions_mut().insert(Session::new("s"));
        }
        None => {}
    }
    layer.layer(inner).oneshot(request).await.unwrap()
}

async fn exchange(layer: &ReconifyLayer, path: &str, user: Option<&'static str>) {
    call(layer, path, user).await.into_body().collect().await.unwrap();
}

#[test]
fn a_test_sees_user_session_operation_request_and_response_of_each_report_in_order() {
    block_on(async {
        let (layer, mut reports) = recording();
        for user in ["alice", "bob"] {
            exchange(&layer, "/v1/chat/completions", Some(user)).await;
        }
        for user in ["alice", "bob"] {
            let report = reports.next().await.unwrap();
            assert_eq!((report.user_id(), report.session_id()), (Some(user), Some("s")));
            assert_eq!(report.operation(), Some(Operation::Chat));
            assert_eq!(report.request()["model"], "m");
            assert!(report.response()["choices"].is_array());
            assert_eq!(report.json()["reconify"]["type"], "chat");
            assert_eq!(report.report().kind(), Some(InteractionKind::Chat));
        }
        reports.none().await.unwrap();
    });
}

#[test]
fn a_report_that_does_not_come_is_explained() {
    block_on(async {
        let (layer, reports) = recording();
        let mut reports = reports.within(SHORT);
        exchange(&layer, "/ask", None).await;
        let error = reports.next().await.unwrap_err();
        assert!(error.to_string().contains("no request was captured"), "{error}");

        let open = call(&layer, "/v1/chat/completions", None).await;
        let error = reports.next().await.unwrap_err();
        assert!(
            error.to_string().contains("1 exchange is captured, its response has not been read"),
            "{error}"
        );
        assert_eq!(format!("{error}"), format!("{error:?}"));
        drop(open);
        let mut reports = reports.within(LIMIT);
        assert_eq!(reports.next().await.unwrap().report().outcome(), Some(crate::Outcome::Abandoned));

        exchange(&layer, "/v1/chat/completions", Some("nobody")).await;
        let mut reports = reports.within(SHORT);
        let error = reports.next().await.unwrap_err();
        assert!(error.to_string().contains("withheld: 1 opted_out"), "{error}");
    });
}

#[test]
fn none_finds_a_report_and_an_exchange_that_may_still_be_reported() {
    block_on(async {
        let (layer, reports) = recording();
        let mut reports = reports.within(SHORT);
        reports.none().await.unwrap();
        let open = call(&layer, "/v1/chat/completions", Some("alice")).await;
        let error = reports.none().await.unwrap_err();
        assert!(error.to_string().contains("1 exchange is captured"), "{error}");
        drop(open);
        let mut reports = reports.within(LIMIT);
        let error = reports.none().await.unwrap_err();
        assert!(error.to_string().contains("there is a report: a chat of alice"), "{error}");
    });
}

/// A paused clock jumps ahead while all tasks wait.
#[tokio::test(start_paused = true)]
async fn a_paused_clock_does_not_cut_the_wait_for_a_report_short() {
    let (layer, mut reports) = recording();
    exchange(&layer, "/v1/chat/completions", Some("alice")).await;
    assert_eq!(reports.next().await.unwrap().user_id(), Some("alice"));
}

#[test]
fn settings_of_the_application_apply_to_what_is_recorded() {
    block_on(async {
        let settings =
            Config::builder("", "").route("/ask", Operation::Chat).before_send(|mut interaction| {
                *interaction.request_mut() = "redacted".into();
                Some(interaction)
            });
        let (layer, mut reports) = recording_with(settings).unwrap();
        exchange(&layer, "/ask", None).await;
        assert_eq!(reports.next().await.unwrap().request(), "redacted");
        assert!(recording_with(Config::builder("", "").sample(2.0)).is_err());
    });
}
