//! What the layer adds on the caller's task, around a client of hyper's for HTTP/1. Its connections answer from memory, and
//! a read gives a frame, as when a stream trickles in.

mod caller;

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::future::{Fuse, FutureExt};
use http::{Request, Response};
use http_body::{Body, Frame};
use hyper::body::Incoming;
use hyper::client::conn::http1::{Connection, SendRequest, handshake};
use hyper::rt::{Read, ReadBufCursor, Write};
use tower::{BoxError, Layer, Service, service_fn};
use tower_http::trace::TraceLayer;

use caller::drive::{Asked, Variant};
use caller::scenario::Scenario;

/// Nobody is woken here: what waits is asked again, so often at most.
const TURNS: usize = 16;

fn main() {
    let Some(asked) = Asked::on_the_command_line() else { return };
    let request = Scenario::request;
    let inner = asked.scenario.clone();
    match asked.variant {
        Variant::Bare => asked.run(&client(inner), request),
        Variant::Wrapped => asked.refuse(),
        Variant::Trace => asked.run(&TraceLayer::new_for_http().layer(client(inner)), request),
        Variant::Reconify => asked.run_reported(|layer| layer.layer(client(inner)), request),
    }
}

/// A connection for each request.
fn client<B>(
    scenario: Scenario,
) -> impl Service<Request<B>, Response = Response<Driven<B>>, Error = hyper::Error> + Clone
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let answer = Canned::new(&scenario);
    service_fn(move |request| {
        let answer = answer.clone();
        async move {
            let (mut sender, connection) = handshake(answer).await?;
            let mut connection = Box::pin(connection.fuse());
            let mut response = pin!(sender.send_request(request));
            let response =
                poll_fn(|cx| driven(connection.as_mut(), cx, |cx| response.as_mut().poll(cx))).await?;
            Ok(response.map(|body| Driven { connection, body, _sender: sender }))
        }
    })
}

/// The answer's body, which drives its connection when it is polled.
struct Driven<B: Body + 'static> {
    connection: Pin<Box<Fuse<Connection<Canned, B>>>>,
    body: Incoming,
    _sender: SendRequest<B>,
}

impl<B> Body for Driven<B>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Self { connection, body, .. } = self.get_mut();
        driven(connection.as_mut(), cx, |cx| Pin::new(&mut *body).poll_frame(cx))
    }
}

fn driven<T>(
    mut connection: Pin<&mut impl Future>,
    cx: &mut Context<'_>,
    mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
) -> Poll<T> {
    for _ in 0..TURNS {
        _ = connection.as_mut().poll(cx);
        if let Poll::Ready(ready) = poll(cx) {
            return Poll::Ready(ready);
        }
    }
    Poll::Pending
}

/// What the other end sends once it was asked, a piece each time it is read.
#[derive(Clone)]
struct Canned {
    is_asked: bool,
    head: Bytes,
    chunk: Bytes,
    chunks: usize,
    end: Bytes,
}

impl Canned {
    fn new(scenario: &Scenario) -> Self {
        let mut head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n".to_vec();
        for (name, value) in scenario.response().headers() {
            head.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
        }
        head.extend(b"\r\n");
        let size = format!("{:x}\r\n", scenario.frame.len());
        let chunk = [size.as_bytes(), &scenario.frame, b"\r\n"];
        Self {
            is_asked: false,
            head: head.into(),
            chunk: chunk.concat().into(),
            chunks: scenario.frames,
            end: Bytes::from("0\r\n\r\n"),
        }
    }

    fn next(&mut self) -> Poll<Bytes> {
        if !self.is_asked {
            return Poll::Pending;
        }
        if !self.head.is_empty() {
            return Poll::Ready(std::mem::take(&mut self.head));
        }
        if self.chunks > 0 {
            self.chunks -= 1;
            return Poll::Ready(self.chunk.clone());
        }
        Poll::Ready(std::mem::take(&mut self.end))
    }
}

impl Read for Canned {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<std::io::Result<()>> {
        let piece = ready!(self.get_mut().next());
        assert!(buffer.remaining() >= piece.len(), "a read takes a piece");
        buffer.put_slice(&piece);
        Poll::Ready(Ok(()))
    }
}

impl Write for Canned {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        self.get_mut().is_asked = true;
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
