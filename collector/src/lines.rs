//! Prints on a thread of its own, so that a terminal or pipe that nobody reads does not block reports.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, channel, sync_channel};
use std::thread;
use std::time::Duration;

/// The maximum number of waiting lines. Further ones are left out.
const WAITING: usize = 1000;

/// Where lines go.
#[derive(Clone)]
pub(crate) struct Lines {
    lines: SyncSender<String>,
    left_out: Arc<AtomicU64>,
}

/// Tells when the thread has ended, which it does when all [`Lines`] are dropped.
pub(crate) struct Written(Receiver<()>);

impl Lines {
    /// Starts the thread.
    pub(crate) fn start(mut out: impl Write + Send + 'static) -> std::io::Result<(Self, Written)> {
        let (lines, waiting) = sync_channel::<String>(WAITING);
        let left_out = Arc::new(AtomicU64::new(0));
        let (end, ended) = channel();
        let count = Arc::clone(&left_out);
        thread::Builder::new().name("lines".to_owned()).spawn(move || {
            let _end: std::sync::mpsc::Sender<()> = end;
            for line in waiting {
                let left_out = count.swap(0, Ordering::Relaxed);
                // A terminal that is gone is no reason to stop.
                if left_out > 0 {
                    drop(writeln!(out, "{left_out} lines are left out: nobody read them"));
                }
                drop(writeln!(out, "{line}"));
                drop(out.flush());
            }
        })?;
        Ok((Self { lines, left_out }, Written(ended)))
    }

    /// Writes a line, or leaves it out if too many wait.
    pub(crate) fn print(&self, line: &str) {
        if let Err(TrySendError::Full(_)) = self.lines.try_send(line.to_owned()) {
            self.left_out.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Written {
    /// Waits for the last line, but not long.
    pub(crate) fn wait(&self) -> bool {
        self.0.recv_timeout(Duration::from_millis(200)) == Err(RecvTimeoutError::Disconnected)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// An output that waits until it is opened.
    struct Gate(Receiver<()>, Arc<Mutex<Vec<u8>>>);

    impl Write for Gate {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            // Open from the moment at which the other end is dropped.
            let _ = self.0.recv();
            self.1.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_that_nobody_reads_hold_up_no_one_and_are_counted() {
        let (gate, closed) = channel();
        let text = Arc::new(Mutex::new(Vec::new()));
        let (lines, written) = Lines::start(Gate(closed, Arc::clone(&text))).unwrap();
        for number in 0..WAITING + 500 {
            lines.print(&number.to_string());
        }
        drop(gate);
        drop(lines);
        assert!((0..100).any(|_| written.wait()), "the thread ends");
        let text = String::from_utf8(text.lock().unwrap().clone()).unwrap();
        let (notes, lines): (Vec<_>, Vec<_>) = text.lines().partition(|line| line.contains("left out"));
        let left_out = notes.iter().map(|note| note.split(' ').next().unwrap().parse::<usize>().unwrap());
        assert_eq!(lines.len() + left_out.sum::<usize>(), WAITING + 500);
        assert!((WAITING..=WAITING + 1).contains(&lines.len()), "{}", lines.len());
        assert_eq!(lines.first(), Some(&"0"));
    }
}
