//! Variants in processes of their own: none finds the memory and the caches as another one has left them.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::variants::Run;

/// The argument before the names of a scenario and of a variant, with which a process is one that measures.
const APART: &str = "apart";

/// The scenario and the variant that this process is there for, if it is.
pub fn asked_for() -> Option<(String, String)> {
    let mut arguments = std::env::args().skip(1);
    (arguments.next()? == APART).then_some((arguments.next()?, arguments.next()?))
}

/// Runs as many exchanges as each line of the input says, and answers with nanoseconds, until the input ends.
pub fn serve(mut run: Run) {
    for line in std::io::stdin().lines() {
        let exchanges = line.ok().and_then(|line| line.parse().ok()).expect("a number of exchanges");
        println!("{}", run(exchanges).as_nanos());
    }
}

/// The variant of this program that runs in a process of its own, which ends with this.
pub fn start(scenario: &str, variant: &str) -> Run {
    let mut child = Ended(
        Command::new(std::env::current_exe().expect("this program"))
            .args([APART, scenario, variant])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("another process"),
    );
    let mut input = child.0.stdin.take().expect("its input");
    let mut output = BufReader::new(child.0.stdout.take().expect("its output"));
    Box::new(move |exchanges| {
        let _ = &child;
        writeln!(input, "{exchanges}").expect("a process that listens");
        let mut line = String::new();
        output.read_line(&mut line).expect("a process that answers");
        Duration::from_nanos(line.trim().parse().expect("nanoseconds"))
    })
}

/// A process that does not outlive this.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
