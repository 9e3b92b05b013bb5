/// How an exchange ended, seen from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// The model answered, and the answer was read to its end.
    Answered,
    /// The answer had a status other than a success, or was an error and nothing else.
    Refused,
    /// There was no answer: the inner service returned an error, or panicked.
    Failed,
    /// The answer broke off (its body returned an error or panicked), or was a stream that carried an error or ended before
    /// it was whole.
    Interrupted,
    /// The caller went away before the answer was whole.
    Abandoned,
}
