/// How an exchange ended, seen from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// The model answered, and the answer was read to its end.
    Answered,
    /// The answer had a status other than a success.
    Refused,
    /// There was no answer: the inner service returned an error, or panicked.
    Failed,
    /// The answer broke off (its body returned an error or panicked), or carried an error in mid-stream.
    Interrupted,
    /// The caller went away before the end of the answer.
    Abandoned,
}
