//! The program: its settings, its end, and what it keeps when it is killed.

#![cfg(all(unix, feature = "binary"))]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

struct Program {
    child: Child,
    address: String,
}

fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reconify-collector"));
    command.env_clear().env("COLLECTOR_ADDR", "127.0.0.1:0").env("COLLECTOR_QUIET", "1");
    command
}

impl Program {
    fn start(variables: &[(&str, &str)]) -> Self {
        let mut child = command().envs(variables.iter().copied()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("page:      http://").unwrap_or_else(|| panic!("{line:?}"));
        Self { address: address.trim_end_matches('/').to_owned(), child }
    }

    fn connect(&self) -> TcpStream {
        TcpStream::connect(&self.address).unwrap()
    }

    fn signal(&self, name: &str) {
        assert!(Command::new("kill").args([name, &self.child.id().to_string()]).status().unwrap().success());
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a request; the answer, if there is one.
fn ask(mut stream: &TcpStream, head: &str, body: &str) -> Option<String> {
    let request = format!(
        "{head} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = Vec::new();
    let mut chunk = [0; 65_536];
    loop {
        let count = stream.read(&mut chunk).ok().filter(|count| *count > 0)?;
        answer.extend_from_slice(&chunk[..count]);
        let text = String::from_utf8_lossy(&answer);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head
            .to_lowercase()
            .split("content-length: ")
            .nth(1)
            .map(|rest| rest.lines().next().unwrap().parse::<usize>().unwrap());
        if length.is_some_and(|length| body.len() >= length) {
            return Some(text.into_owned());
        }
    }
}

#[cfg(feature = "sqlite")]
fn report(text: &str) -> String {
    format!(
        r#"{{"reconify":{{"format":"openai","type":"chat","version":"1.0.0","appKey":"app","apiKey":"api"}},"timestamps":{{"request":1,"response":2}},"session":"s","sessionTimeout":null,"user":{{}},"request":{{"model":"m","messages":[{{"role":"user","content":"{text}"}}]}},"response":{{"choices":[]}}}}"#
    )
}

fn refused(variables: &[(&str, &str)]) -> String {
    let output = command().envs(variables.iter().copied()).output().unwrap();
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn sigterm_ends_it_within_a_second_although_events_are_streamed_and_a_fault_hangs() {
    let mut program = Program::start(&[]);
    let streams: Vec<_> = (0..5).map(|_| program.connect()).collect();
    for mut stream in &streams {
        stream.write_all(b"GET /api/events HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
        // Its head has come: it is open.
        assert!(stream.read(&mut [0; 1000]).unwrap() > 0);
    }
    let api = program.connect();
    assert!(ask(&api, "POST /api/faults", r#"{"hang":true}"#).unwrap().starts_with("HTTP/1.1 201"));
    let hanging = program.connect();
    (&hanging).write_all("POST /track HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}".as_bytes()).unwrap();
    while !ask(&api, "GET /api/faults", "").unwrap().ends_with(r#"{"faults":[]}"#) {}
    program.signal("-TERM");
    let start = Instant::now();
    assert!(program.child.wait().unwrap().success());
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
}

#[test]
fn help_lists_every_setting_and_a_misspelt_one_is_an_error() {
    let output = command().arg("--help").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let source = include_str!("../src/settings.rs");
    for name in source.split('"').filter(|name| {
        name.starts_with("COLLECTOR_") && name.chars().all(|c| c == '_' || c.is_ascii_uppercase())
    }) {
        assert!(help.contains(name), "{name}");
    }
    for (variables, expected) in [
        ([("COLLECTOR_ADRR", "x")], "no setting COLLECTOR_ADRR"),
        ([("COLLECTOR_STRICT", "maybe")], "use 1 or 0"),
        ([("COLLECTOR_APP_KEY", "x")], "go together"),
        ([("COLLECTOR_TOKEN", "a b")], "COLLECTOR_TOKEN"),
        ([("COLLECTOR_HOSTS", "https://demo.example/")], "COLLECTOR_HOSTS"),
        ([("COLLECTOR_MAX_REPORTS", "0")], "whole number"),
        ([("COLLECTOR_ADDR", "0.0.0.0:0")], "COLLECTOR_TOKEN"),
        ([("COLLECTOR_ADDR", "nowhere")], "COLLECTOR_ADDR"),
        #[cfg(feature = "sqlite")]
        ([("COLLECTOR_DB", "/dev/null/x")], "COLLECTOR_DB"),
    ] {
        let error = refused(&variables);
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn the_program_serves_its_page() {
    let program = Program::start(&[]);
    let page = ask(&program.connect(), "GET /", "").unwrap();
    assert!(
        page.contains("<!doctype html>") && page.contains("content-security-policy: default-src 'none'"),
        "{page}"
    );
}

#[cfg(feature = "sqlite")]
mod files {
    use std::collections::BTreeSet;
    use std::sync::mpsc;

    use super::*;

    /// All keys in the store.
    fn keys(program: &Program) -> BTreeSet<String> {
        let mut stream = program.connect();
        stream
            .write_all(
                b"GET /api/reports?format=csv HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n",
            )
            .unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (head, rows) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        rows.lines()
            .filter_map(|row| row.split(',').find(|cell| cell.starts_with("key-")))
            .map(str::to_owned)
            .collect()
    }

    /// `COLLECTOR_KILLS=100` kills it a hundred times.
    #[test]
    fn what_was_answered_ok_is_there_after_a_kill_under_load() {
        let kills: u64 = std::env::var("COLLECTOR_KILLS").map_or(4, |kills| kills.parse().unwrap());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.db");
        let variables = [("COLLECTOR_DB", path.to_str().unwrap()), ("COLLECTOR_MAX_REPORTS", "1000000")];
        let mut answered = BTreeSet::new();
        for kill in 0..kills {
            let program = Program::start(&variables);
            let found = keys(&program);
            assert!(
                answered.is_subset(&found),
                "lost: {:?}",
                answered.difference(&found).collect::<Vec<_>>()
            );
            let (sender, receiver) = mpsc::channel();
            let before = answered.len();
            std::thread::scope(|scope| {
                for client in 0..4 {
                    let (sender, stream) = (sender.clone(), program.connect());
                    scope.spawn(move || {
                        for number in 0.. {
                            let key = format!("key-{kill}-{client}-{number}");
                            let head = format!("POST /track HTTP/1.1\r\nidempotency-key: {key}\r\nx-rest:");
                            let Some(answer) = ask(&stream, &head, &report(&"x".repeat(3000))) else { break };
                            assert!(answer.ends_with("{\"status\":\"ok\"}"), "{answer}");
                            if sender.send(key).is_err() {
                                break;
                            }
                        }
                    });
                }
                // Another number of reports each time, so that the kill meets another moment.
                answered.extend(receiver.iter().take(usize::try_from(20 + kill * 7 % 53).unwrap()));
                program.signal("-KILL");
                drop(sender);
                answered.extend(receiver.iter());
            });
            assert!(answered.len() >= before + 20);
        }
        let program = Program::start(&variables);
        assert!(answered.is_subset(&keys(&program)));
    }

    #[test]
    fn a_file_in_use_is_refused_by_a_second_program() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.db");
        let variables = [("COLLECTOR_DB", path.to_str().unwrap())];
        let program = Program::start(&variables);
        assert!(refused(&variables).contains("in use by another collector"));
        program.signal("-TERM");
    }
}
