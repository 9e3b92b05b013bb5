use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use super::handle::Reporter;
use super::summary::ShutdownSummary;

/// Shuts a [`Reporter`] down when dropped, so that a program that leaves `main` early, for example
/// through `?`, still delivers its reports. Made by [`Reporter::guard`].
#[must_use = "dropping the guard shuts the reporter down: `let _guard = …` keeps it, `let _ = …` does not"]
#[derive(Debug)]
pub struct ReporterGuard {
    reporter: Reporter,
    deadline: Duration,
}

impl Reporter {
    /// A guard that [shuts the reporter down](Self::shutdown) when dropped, and blocks until then for
    /// up to the deadline.
    ///
    /// Bind it to a variable in `main`. `let _ = reporter.guard(…)` drops it at once, and
    /// [`std::process::exit`] and aborts skip it.
    ///
    /// ```no_run
    /// use std::time::Duration;
    /// use tower_reconify::{Config, ReconifyLayer};
    ///
    /// fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     let reconify = ReconifyLayer::new(Config::from_env()?);
    ///     let _guard = reconify.reporter().guard(Duration::from_secs(5));
    ///     let question = std::fs::read_to_string("question.txt")?;
    ///     // Calls to the model.
    /// #   drop(question);
    ///     Ok(())
    /// }
    /// ```
    pub fn guard(&self, deadline: Duration) -> ReporterGuard {
        ReporterGuard { reporter: self.clone(), deadline }
    }

    /// [Shuts down](Self::shutdown) and blocks the current thread meanwhile, for programs without an
    /// async runtime. It also works inside one, but blocks its thread.
    pub fn shutdown_blocking(&self, deadline: Duration) -> ShutdownSummary {
        block_on(self.shutdown(deadline))
    }
}

impl Drop for ReporterGuard {
    fn drop(&mut self) {
        self.reporter.shutdown_blocking(self.deadline);
    }
}

/// Runs a future on this thread. The executors of Tokio and of the futures crate panic inside of
/// another one.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}
