use crate::names::named;

/// How an exchange ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// The model responded, and the response was read to its end.
    Answered,
    /// The response had an error status, or was only an error.
    Refused,
    /// There was no response: the inner service returned an error, or panicked.
    Failed,
    /// The response was interrupted: its body returned an error or panicked, or a stream carried an
    /// error or ended early.
    Interrupted,
    /// The caller stopped reading before the response was complete.
    Abandoned,
}

named!(Outcome {
    Answered => "answered",
    Refused => "refused",
    Failed => "failed",
    Interrupted => "interrupted",
    Abandoned => "abandoned",
});
