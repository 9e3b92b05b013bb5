//! A server that follows a script, byte by byte, and tells the test what it sees.

#![allow(unreachable_pub, reason = "shared by the test files as a module of each")]
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// One thing to do with a connection. After the last the server waits until the other side is gone.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Reads a request to its end.
    Take,
    /// Reads this number of bytes, and leaves the rest.
    TakeSome(usize),
    Say(Vec<u8>),
    /// Says it byte by byte, with a pause after each.
    Trickle(Vec<u8>, Duration),
    /// Sends the same bytes again and again, up to this total.
    Repeat(Vec<u8>, u64),
    /// Ends the connection at once, with a reset.
    Reset,
    /// Ends the connection.
    Close,
}

/// What the server sees.
#[derive(Debug)]
pub enum Seen {
    Connected,
    /// A request, or so much of it as was to be taken.
    Taken(Vec<u8>),
    /// The other side closed its connection, after this number of bytes was sent on it.
    Gone(u64),
}

pub struct Scripted {
    pub address: SocketAddr,
    seen: mpsc::UnboundedReceiver<Seen>,
}

impl Scripted {
    /// The first connection gets the first script, and so on; further ones get the last.
    pub async fn playing(scripts: impl IntoIterator<Item = Vec<Step>>) -> Self {
        let listener = TcpListener::bind((own_address(), 0)).await.unwrap();
        Self::on(listener, scripts)
    }

    /// On a listener that may have let connections wait.
    pub fn on(listener: TcpListener, scripts: impl IntoIterator<Item = Vec<Step>>) -> Self {
        let scripts: Vec<_> = scripts.into_iter().collect();
        let address = listener.local_addr().unwrap();
        let (sender, seen) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            let turn = Arc::new(AtomicUsize::new(0));
            while let Ok((connection, _)) = listener.accept().await {
                let turn = turn.fetch_add(1, SeqCst).min(scripts.len() - 1);
                tokio::spawn(play(connection, scripts[turn].clone(), sender.clone()));
            }
        });
        Self { address, seen }
    }

    pub async fn next(&mut self) -> Seen {
        tokio::time::timeout(Duration::from_secs(1_000), self.seen.recv()).await.unwrap().unwrap()
    }

    /// The next request, or what was taken of it.
    pub async fn taken(&mut self) -> Vec<u8> {
        loop {
            if let Seen::Taken(bytes) = self.next().await {
                return bytes;
            }
        }
    }

    /// Waits until a connection is closed by the other side; says how much was said on it.
    pub async fn gone(&mut self) -> u64 {
        loop {
            if let Seen::Gone(said) = self.next().await {
                return said;
            }
        }
    }

    /// Whether nobody has come, or said more than was asked for.
    pub fn is_untouched(&mut self) -> bool {
        self.seen.try_recv().is_err()
    }
}

/// A loopback address for each server: a late attempt of another test, to a port that was freed and
/// is used again, would get the script of this one. Only Linux has all of 127.0.0.0/8.
fn own_address() -> Ipv4Addr {
    static SERVERS: AtomicU16 = AtomicU16::new(0);
    if !cfg!(target_os = "linux") {
        return Ipv4Addr::LOCALHOST;
    }
    let [high, low] = SERVERS.fetch_add(1, SeqCst).to_be_bytes();
    Ipv4Addr::new(127, 1, high, low)
}

async fn play(mut connection: TcpStream, script: Vec<Step>, seen: mpsc::UnboundedSender<Seen>) {
    let tell = |what| drop(seen.send(what));
    tell(Seen::Connected);
    let mut said = 0;
    for step in script {
        let result = match step {
            Step::Take => request(&mut connection).await.map(|request| tell(Seen::Taken(request))),
            Step::TakeSome(bytes) => {
                let mut taken = vec![0; bytes];
                connection.read_exact(&mut taken).await.map(|_| tell(Seen::Taken(taken)))
            }
            Step::Say(bytes) => say(&mut connection, &bytes, &mut said).await,
            Step::Trickle(bytes, pause) => trickle(&mut connection, &bytes, pause, &mut said).await,
            Step::Repeat(bytes, most) => repeat(&mut connection, &bytes, most, &mut said).await,
            Step::Reset => return connection.set_zero_linger().unwrap(),
            Step::Close => return,
        };
        if result.is_err() {
            break;
        }
    }
    // To the end, or to a reset: either way the other side has let go of it.
    let mut rest = [0; 4096];
    while connection.read(&mut rest).await.is_ok_and(|read| read > 0) {}
    tell(Seen::Gone(said));
}

async fn say(connection: &mut TcpStream, bytes: &[u8], said: &mut u64) -> std::io::Result<()> {
    connection.write_all(bytes).await?;
    *said += bytes.len() as u64;
    Ok(())
}

async fn trickle(
    connection: &mut TcpStream,
    bytes: &[u8],
    pause: Duration,
    said: &mut u64,
) -> std::io::Result<()> {
    for byte in bytes {
        say(connection, &[*byte], said).await?;
        tokio::time::sleep(pause).await;
    }
    Ok(())
}

async fn repeat(connection: &mut TcpStream, bytes: &[u8], most: u64, said: &mut u64) -> std::io::Result<()> {
    while *said < most {
        say(connection, bytes, said).await?;
    }
    Ok(())
}

/// A request of a known length, head and body.
async fn request(connection: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut request = Vec::new();
    loop {
        if let Some(end) = request.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&request[..end]).to_lowercase();
            let length = head.split("content-length:").nth(1).and_then(|rest| rest.lines().next());
            let length: usize = length.map_or(0, |length| length.trim().parse().unwrap());
            if request.len() >= end + 4 + length {
                return Ok(request);
            }
        }
        if connection.read_buf(&mut request).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
}
