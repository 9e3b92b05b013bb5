//! The HTTP client of the example gateway, on a paused clock.

#[path = "../../examples/gateway/client.rs"]
mod gateway_client;

use axum::body::Body;
use axum::http::Request;
use tokio::net::TcpListener;

use self::gateway_client::{CONNECT, http_client};

/// The clock jumps to the next timer whenever nothing else can run.
#[tokio::test(start_paused = true)]
async fn a_provider_that_does_not_answer_in_tls_is_given_up() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let request = Request::get(format!("https://{}/", silent.local_addr().unwrap()));
    let answer = http_client().unwrap().request(request.body(Body::empty()).unwrap());
    let answer = tokio::time::timeout(2 * CONNECT, answer).await.expect("the client gives up");
    let error = answer.unwrap_err();
    assert!(error.is_connect(), "{error:?}");
}
