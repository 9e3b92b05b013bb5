use axum::body::Body;
use axum::http::{Request, StatusCode};
use reconify_collector::{Collector, ServeError};
use serde_json::json;
use tokio::net::TcpListener;

use crate::support::{Client, chat, client, user};

#[tokio::test]
async fn a_name_of_a_stranger_reaches_neither_page_nor_api_but_applications_may_use_any() {
    let client = client();
    let get = |path: &str, host: &str| Request::get(path).header("host", host).body(Body::empty()).unwrap();
    for path in ["/", "/app.js", "/api/reports", "/api/events", "/metrics"] {
        let answer = client.send(get(path, "evil.example:8788")).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
        assert!(answer.text().contains("COLLECTOR_HOSTS"), "{path}");
    }
    for path in ["/healthz", "/readyz"] {
        assert_eq!(client.send(get(path, "collector")).await.text(), "ok");
    }
    let report = chat("s", json!([user("hi")]), "ok").to_string();
    let post = Request::post("/track").header("host", "collector").header("content-type", "application/json");
    assert_eq!(client.send(post.body(report.into()).unwrap()).await.status, StatusCode::OK);
    let named = Client::new(Collector::builder().hosts(["evil.example"]));
    assert_eq!(named.send(get("/api/reports", "evil.example:8788")).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_page_of_a_stranger_can_neither_send_reports_nor_change_anything() {
    let client = client();
    let report = chat("s", json!([user("hi")]), "ok").to_string();
    let json = ("content-type", "application/json");
    for headers in [
        vec![json, ("origin", "https://evil.example")],
        vec![json, ("sec-fetch-site", "cross-site")],
        vec![("content-type", "text/plain")],
        vec![json, ("origin", "http://localhost:8788")],
    ] {
        let answer = client.with("POST", "/track", &headers, report.clone()).await;
        assert!(answer.status.is_client_error(), "{headers:?}");
    }
    for headers in
        [vec![json, ("origin", "https://evil.example")], vec![("content-type", "text/plain")], vec![]]
    {
        for (method, path) in [
            ("DELETE", "/api/reports?q=*"),
            ("POST", "/api/faults"),
            ("POST", "/api/import"),
            ("POST", "/api/example"),
        ] {
            let answer = client.with(method, path, &headers, "{}").await;
            assert!(answer.status.is_client_error(), "{method} {path} {headers:?}");
        }
    }
    assert_eq!(client.get("/api/status").await["reports"], 0);
    // Those of web pages are not kept: they could push out the refusals that matter.
    assert_eq!(client.get("/api/refused").await["kept"], 1);
    assert_eq!(client.get("/api/status").await["refused"], 4);
}

#[tokio::test]
async fn a_token_is_shown_once_and_remembered_by_the_browser() {
    let client = Client::new(Collector::builder().token("t0ken"));
    assert_eq!(client.with("GET", "/", &[], Body::empty()).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(client.with("GET", "/api/reports", &[], Body::empty()).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(
        client.with("GET", "/?token=wrong", &[], Body::empty()).await.status,
        StatusCode::UNAUTHORIZED
    );
    let let_in = client.with("GET", "/?token=t0ken", &[], Body::empty()).await;
    assert_eq!(let_in.status, StatusCode::OK);
    assert!(let_in.text().contains("url=/\""), "the browser goes on by itself, and then sends the cookie");
    let cookie = let_in.headers["set-cookie"].to_str().unwrap();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    let cookie = cookie.split(';').next().unwrap();
    assert_eq!(
        client.with("GET", "/api/reports", &[("cookie", cookie)], Body::empty()).await.status,
        StatusCode::OK
    );
    assert_eq!(
        client.with("GET", "/", &[("authorization", "Bearer t0ken")], Body::empty()).await.status,
        StatusCode::OK
    );
    assert_eq!(client.track(&chat("s", json!([user("hi")]), "ok")).await.status, StatusCode::OK);
}

#[tokio::test]
async fn other_machines_reach_no_collector_without_a_token_and_keys() {
    for (builder, expected) in [
        (Collector::builder(), "COLLECTOR_TOKEN"),
        (Collector::builder().token("t"), "COLLECTOR_APP_KEY"),
        (Collector::builder().keys("a", "b"), "COLLECTOR_TOKEN"),
    ] {
        let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
        let error = builder.build().serve(listener).await.unwrap_err();
        assert!(
            matches!(error, ServeError::Unprotected(_)) && error.to_string().contains(expected),
            "{error}"
        );
    }
}

#[tokio::test]
async fn only_the_keys_that_are_set_are_accepted() {
    let client = Client::new(Collector::builder().keys("app-key-of-test", "another"));
    let answer = client.track(&chat("s", json!([user("hi")]), "ok")).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(answer.json()["fields"][0]["pointer"], "/reconify/apiKey");
    assert!(!answer.text().contains("another") && !answer.text().contains("api-key"), "{}", answer.text());
    let client = Client::new(Collector::builder().keys("app-key-of-test", "api-key-of-test"));
    assert_eq!(client.track(&chat("s", json!([user("hi")]), "ok")).await.status, StatusCode::OK);
}

#[tokio::test]
async fn the_page_runs_its_own_files_only() {
    let client = client();
    for (path, kind) in [
        ("/", "text/html"),
        ("/app.css", "text/css"),
        ("/app.js", "text/javascript"),
        ("/favicon.ico", "image/svg+xml"),
    ] {
        let answer = client.with("GET", path, &[], Body::empty()).await;
        assert!(answer.headers["content-type"].to_str().unwrap().starts_with(kind), "{path}");
        let policy = answer.headers["content-security-policy"].to_str().unwrap();
        assert!(
            policy.starts_with("default-src 'none';") && policy.ends_with("trusted-types 'none'"),
            "{policy}"
        );
        assert!(!policy.contains("unsafe") && !policy.contains('*') && !policy.contains("http"), "{policy}");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
        let tag = answer.headers["etag"].to_str().unwrap().to_owned();
        let again = client.with("GET", path, &[("if-none-match", &tag)], Body::empty()).await;
        assert_eq!((again.status, again.body.len()), (StatusCode::NOT_MODIFIED, 0));
    }
}

#[tokio::test]
async fn an_image_that_is_a_page_is_not_served() {
    let client = client();
    // `<svg onload=alert(1)>` and a tiny PNG.
    for (data, status) in [("PHN2ZyBvbmxvYWQ9YWxlcnQoMSk+", 415), ("iVBORw0KGgo=", 200)] {
        let url = format!("data:image/png;base64,{data}");
        let id = client
            .taken(&chat(
                "s",
                json!([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}]),
                "ok",
            ))
            .await;
        let detail = client.get(&format!("/api/reports/{id}")).await;
        let src = detail["turn"]["messages"][0]["parts"][0]["src"].as_str().unwrap().to_owned();
        let image = client.with("GET", &src, &[], Body::empty()).await;
        assert_eq!(image.status.as_u16(), status);
        if status == 200 {
            assert!(image.headers["content-security-policy"].to_str().unwrap().starts_with("sandbox"));
        }
    }
    let remote = json!([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://x.example/y.png"}}]}]);
    let id = client.taken(&chat("s", remote, "ok")).await;
    let part = client.get(&format!("/api/reports/{id}")).await["turn"]["messages"][0]["parts"][0].clone();
    assert_eq!((&part["src"], &part["url"]), (&json!(null), &json!("https://x.example/y.png")));
}
