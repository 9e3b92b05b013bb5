//! Promises 1 and 4 around an HTTP/2 client whose server resets streams wherever it likes.

use std::convert::Infallible;
use std::error::Error;
use std::net::SocketAddr;

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, Request, Response};
use futures_util::future::BoxFuture;
use futures_util::{StreamExt, stream};
use h2::{Reason, RecvStream};
use http_body::{Body, Frame};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, StreamBody};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use proptest::prelude::*;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tower::{Layer, Service, ServiceExt};
use tower_reconify::Config;

use crate::support::{PATIENCE, at_rest, observed_with};

/// What the server does, one thing after the other has arrived.
#[derive(Clone, Debug)]
struct Script {
    asked: Asked,
    /// `None`: the stream is reset before there is an answer.
    answer: Option<Answer>,
    /// The last thing that it does.
    end: End,
}

#[derive(Clone, Debug)]
struct Answer {
    status: u16,
    is_stream: bool,
    frames: Vec<usize>,
}

#[derive(Clone, Copy, Debug)]
enum End {
    Whole,
    Trailers,
    Reset(Reason),
}

/// The request's body.
#[derive(Clone, Debug)]
enum Asked {
    Whole {
        frames: Vec<usize>,
        has_trailers: bool,
    },
    /// It is still being sent when the answer ends.
    Unfinished,
}

fn trailers() -> HeaderMap {
    HeaderMap::from_iter([("x-sum".parse().unwrap(), HeaderValue::from_static("sum"))])
}

fn data(number: usize, length: usize) -> Bytes {
    vec![b'a' + (number % 26) as u8; length].into()
}

fn body(asked: &Asked) -> UnsyncBoxBody<Bytes, Infallible> {
    let frames = match asked {
        Asked::Whole { frames, .. } => frames.clone(),
        Asked::Unfinished => vec![10],
    };
    let frames: Vec<_> =
        frames.iter().enumerate().map(|(number, length)| Ok(Frame::data(data(number, *length)))).collect();
    let rest = match asked {
        Asked::Whole { has_trailers: true, .. } => stream::iter([Ok(Frame::trailers(trailers()))]).boxed(),
        Asked::Whole { .. } => stream::empty().boxed(),
        Asked::Unfinished => stream::pending().boxed(),
    };
    UnsyncBoxBody::new(StreamBody::new(stream::iter(frames).chain(rest)))
}

/// Follows the script with one request. It goes on whenever the client has said that it has seen the last step.
async fn serve(listener: TcpListener, script: Script, mut seen: mpsc::UnboundedReceiver<()>) -> Vec<String> {
    let connection = listener.accept().await.unwrap().0;
    connection.set_nodelay(true).unwrap();
    let mut connection = h2::server::handshake(connection).await.unwrap();
    let (request, mut respond) = connection.accept().await.unwrap().unwrap();
    let driver = tokio::spawn(async move { while connection.accept().await.is_some() {} });
    let (parts, mut body) = request.into_parts();
    let mut got = vec![format!("{} {} {:?}", parts.method, parts.uri.path(), parts.headers)];
    if let Asked::Whole { .. } = script.asked {
        got.extend(read(&mut body).await);
    }
    let Some(answer) = script.answer else {
        let End::Reset(reason) = script.end else { panic!("without an answer there is a reset") };
        respond.send_reset(reason);
        driver.await.unwrap();
        return got;
    };
    let mut head = Response::builder().status(answer.status).header("x-answer", "answer");
    if answer.is_stream {
        head = head.header("content-type", "text/event-stream");
    }
    let mut sending = respond.send_response(head.body(()).unwrap(), false).unwrap();
    seen.recv().await.unwrap();
    for (number, length) in answer.frames.iter().enumerate() {
        sending.send_data(data(number, *length), false).unwrap();
        seen.recv().await.unwrap();
    }
    match script.end {
        End::Whole => sending.send_data(Bytes::new(), true).unwrap(),
        End::Trailers => sending.send_trailers(trailers()).unwrap(),
        End::Reset(reason) => sending.send_reset(reason),
    }
    if let (Asked::Unfinished, End::Whole | End::Trailers) = (&script.asked, script.end) {
        // Once the client has seen the end, it may as well stop asking.
        while seen.recv().await.is_some() {}
        sending.send_reset(Reason::NO_ERROR);
    }
    driver.await.unwrap();
    got
}

async fn read(body: &mut RecvStream) -> Vec<String> {
    let mut whole = Vec::new();
    while let Some(Ok(data)) = body.data().await {
        body.flow_control().release_capacity(data.len()).unwrap();
        whole.extend_from_slice(&data);
    }
    let trailers = body.trailers().await.ok().flatten();
    vec![String::from_utf8(whole).unwrap(), format!("{trailers:?}")]
}

/// Everything that can be seen from outside.
#[derive(Debug, PartialEq)]
struct Observation {
    client: Vec<String>,
    server: Vec<String>,
    end: Ended,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Ended {
    WithoutAnswer,
    Broken,
    Whole,
}

/// An error and all that it stands for, and whether it names a reason.
fn shown(error: &(dyn Error + 'static)) -> String {
    let mut chain = vec![error];
    while let Some(source) = chain[chain.len() - 1].source() {
        chain.push(source);
    }
    let reasons = chain.iter().map(|error| error.downcast_ref::<h2::Error>().map(h2::Error::reason));
    format!(
        "{error:?} {:?} {:?}",
        chain.iter().map(ToString::to_string).collect::<Vec<_>>(),
        reasons.collect::<Vec<_>>()
    )
}

async fn observe<S, B>(
    service: S,
    asked: &Asked,
    address: SocketAddr,
    next: mpsc::UnboundedSender<()>,
) -> (Vec<String>, Ended)
where
    S: Service<Request<UnsyncBoxBody<Bytes, Infallible>>, Response = Response<B>>,
    S::Error: Error + 'static,
    B: Body<Data = Bytes> + Unpin,
    B::Error: Error + 'static,
{
    let request = Request::post(format!("http://{address}/v1/chat/completions"));
    let response = match service.oneshot(request.body(body(asked)).unwrap()).await {
        Ok(response) => response,
        Err(error) => return (vec![shown(&error)], Ended::WithoutAnswer),
    };
    let (parts, mut body) = response.into_parts();
    let mut seen = vec![format!("{:?} {} {:?}", parts.version, parts.status, parts.headers)];
    loop {
        seen.push(format!("{} {:?}", body.is_end_stream(), body.size_hint()));
        // Only now the server may go on: two steps in one would be a matter of luck.
        let _ = next.send(());
        match body.frame().await {
            Some(Ok(frame)) => seen.push(format!("{frame:?}")),
            Some(Err(error)) => {
                seen.push(shown(&error));
                return (seen, Ended::Broken);
            }
            None => return (seen, Ended::Whole),
        }
    }
}

fn client<B: Body + Send>() -> Client<HttpConnector, B>
where
    B::Data: Send,
{
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    Client::builder(TokioExecutor::new()).http2_only(true).build(connector)
}

/// One request to a server of its own, through what is made of a client.
async fn exchange<S, B>(script: &Script, service: impl FnOnce() -> S) -> Observation
where
    S: Service<Request<UnsyncBoxBody<Bytes, Infallible>>, Response = Response<B>>,
    S::Error: Error + 'static,
    B: Body<Data = Bytes> + Unpin,
    B::Error: Error + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (next, seen) = mpsc::unbounded_channel();
    let server = tokio::spawn(serve(listener, script.clone(), seen));
    // The client goes with its service, and its connection with the client.
    let (client, end) = observe(service(), &script.asked, address, next).await;
    Observation { client, server: server.await.unwrap(), end }
}

async fn check(script: Script) {
    let bare = exchange(&script, client).await;
    let config = Config::builder("a", "b").metadata(true).report_failures(true).build().unwrap();
    let mut observed = observed_with(config);
    let layered = exchange(&script, || observed.layer.layer(client())).await;
    assert_eq!(layered, bare, "{script:?}");

    let report = observed.report().await;
    let is_success = script.answer.as_ref().is_some_and(|answer| answer.status == 200);
    let outcome = match bare.end {
        Ended::WithoutAnswer => "failed",
        _ if !is_success => "refused",
        Ended::Broken => "interrupted",
        // None of these streams says that it is whole.
        Ended::Whole if script.answer.as_ref().is_some_and(|answer| answer.is_stream) => "interrupted",
        Ended::Whole => "answered",
    };
    assert_eq!(report["metadata"]["outcome"], outcome, "{script:?}");
    let stats = at_rest(&observed.layer).await;
    assert_eq!((stats.captured, stats.delivered), (1, 1));
}

fn scripts() -> impl Strategy<Value = Script> {
    let frames = || proptest::collection::vec(1..1_000usize, 0..6);
    let asked = prop_oneof![
        3 => (frames(), any::<bool>()).prop_map(|(frames, has_trailers)| Asked::Whole { frames, has_trailers }),
        1 => Just(Asked::Unfinished),
    ];
    let status = prop_oneof![4 => Just(200), 1 => Just(429), 1 => Just(503)];
    let answer = (status, any::<bool>(), frames()).prop_map(|(status, is_stream, frames)| Answer {
        status,
        is_stream,
        frames,
    });
    // Every reason there is, and some that there are not.
    let reset = || (0..20u32).prop_map(|code| End::Reset(code.into()));
    let end = prop_oneof![1 => Just(End::Whole), 1 => Just(End::Trailers), 3 => reset()];
    prop_oneof![
        5 => (asked.clone(), answer, end)
            .prop_map(|(asked, answer, end)| Script { asked, answer: Some(answer), end }),
        1 => (asked, reset()).prop_map(|(asked, end)| Script { asked, answer: None, end }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn frames_trailers_and_resets_are_the_same_as_without_the_layer(script in scripts()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async { tokio::time::timeout(PATIENCE, check(script)).await.expect("it ends") });
    }
}

/// Every reason, before and after the head, and after a frame.
#[tokio::test]
async fn a_reset_with_any_reason_passes_wherever_it_comes() {
    let asked = Asked::Whole { frames: vec![100], has_trailers: false };
    for reason in 0..15u32 {
        for frames in [None, Some(vec![]), Some(vec![100])] {
            let answer = frames.map(|frames| Answer { status: 200, is_stream: true, frames });
            let script = Script { asked: asked.clone(), answer, end: End::Reset(reason.into()) };
            tokio::time::timeout(PATIENCE, check(script)).await.expect("it ends");
        }
    }
}

type Server = fn(TcpListener, mpsc::UnboundedReceiver<()>) -> BoxFuture<'static, ()>;

/// What a client sees of such a server, without the layer and with it; and the interaction's outcome.
async fn both(server: Server) -> ([(Vec<String>, Ended); 2], Value) {
    let config = Config::builder("a", "b").report_failures(true).metadata(true).build().unwrap();
    let mut observed = observed_with(config);
    let asked = Asked::Whole { frames: vec![10], has_trailers: false };
    let start = async || {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (next, seen) = mpsc::unbounded_channel();
        tokio::spawn(server(listener, seen));
        (address, next)
    };
    let (address, next) = start().await;
    let bare = observe(client(), &asked, address, next).await;
    let (address, next) = start().await;
    let layered = observe(observed.layer.layer(client()), &asked, address, next).await;
    ([bare, layered], observed.report().await["metadata"]["outcome"].take())
}

#[tokio::test]
async fn a_connection_that_is_lost_is_the_same_error_as_without_the_layer() {
    let ([bare, layered], outcome) = both(|listener, mut next| {
        Box::pin(async move {
            let mut connection = h2::server::handshake(listener.accept().await.unwrap().0).await.unwrap();
            let (_request, mut respond) = connection.accept().await.unwrap().unwrap();
            let mut sending = respond.send_response(Response::new(()), false).unwrap();
            sending.send_data(Bytes::from_static(b"data: 1\n\n"), false).unwrap();
            let is_seen = async {
                // The head, and the frame.
                next.recv().await;
                next.recv().await;
            };
            tokio::select! {
                _ = connection.accept() => {}
                () = is_seen => {}
            }
        })
    })
    .await;
    assert_eq!(layered, bare);
    assert_eq!((bare.1, outcome), (Ended::Broken, "interrupted".into()));
}

#[tokio::test]
async fn a_server_that_speaks_another_protocol_is_the_same_error_as_without_the_layer() {
    let ([bare, layered], outcome) = both(|listener, _| {
        Box::pin(async move {
            let mut connection = listener.accept().await.unwrap().0;
            let answer = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
            connection.write_all(answer).await.unwrap();
            // Until the client is gone.
            while connection.read(&mut [0; 100]).await.is_ok_and(|read| read > 0) {}
        })
    })
    .await;
    assert_eq!(layered, bare);
    assert_eq!((bare.1, outcome), (Ended::WithoutAnswer, "failed".into()));
}
