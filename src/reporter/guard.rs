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

#[cfg(test)]
mod tests {
    use tower::service_fn;

    use super::*;
    use crate::config::Config;
    use crate::interaction::{Interaction, InteractionKind};
    use crate::middleware::ReconifyLayer;
    use crate::report::Report;
    use crate::transport::DeliveryError;

    const PATIENCE: Duration = Duration::from_secs(60);

    fn reporting() -> Reporter {
        let config = Config::builder("app", "key").build().unwrap();
        let transport = service_fn(async |_: Report| Ok::<_, DeliveryError>(()));
        ReconifyLayer::with_transport(config, transport).reporter()
    }

    /// A `main` that leaves early.
    fn ends_early(reporter: &Reporter) -> Result<(), &'static str> {
        let _guard = reporter.guard(PATIENCE);
        reporter.report(Interaction::new(InteractionKind::Chat, &1, &2).unwrap());
        Err("an error")?;
        Ok(())
    }

    #[test]
    fn a_program_that_leaves_main_through_an_error_delivers_its_reports() {
        let reporter = reporting();
        ends_early(&reporter).unwrap_err();
        assert_eq!(reporter.stats().delivered, 1);
    }

    #[tokio::test]
    async fn a_guard_works_on_the_only_thread_of_a_runtime_and_under_another_executor() {
        let reporter = reporting();
        ends_early(&reporter).unwrap_err();
        assert_eq!(reporter.stats().delivered, 1);
        let reporter = reporting();
        futures_executor::block_on(async { ends_early(&reporter).unwrap_err() });
        assert_eq!(reporter.stats().delivered, 1);
    }

    #[test]
    fn a_blocking_shutdown_says_what_came_of_the_reports() {
        let reporter = reporting();
        reporter.report(Interaction::new(InteractionKind::Chat, &1, &2).unwrap());
        let summary = reporter.shutdown_blocking(PATIENCE);
        assert_eq!((summary.delivered, summary.is_complete()), (1, true));
        let shown = "1 delivered, 0 rejected, 0 dropped, 0 withheld, 0 spooled, 0 exchanges_open";
        assert_eq!(summary.to_string(), shown);
    }
}
