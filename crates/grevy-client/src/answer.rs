//! The answer to a request that is already under way.

use crate::error::{Error, Operation};
use crate::machine::Failure;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::sync::oneshot;

/// What the session answers.
pub(crate) type Outcome = Result<Vec<u8>, Failure>;

type Finish<T> = Box<dyn FnOnce(Outcome) -> Result<T, Error> + Send>;

/// The answer to a request. The request was queued when the method was called, so requests are
/// sent in the order of the calls, whenever and in whichever order their answers are awaited.
/// Dropping it does not call the request back.
///
/// ```
/// # grevy_testing::run(async |client| {
/// use grevy_client::CreateOptions;
///
/// let create = client.create("/a", b"1", &CreateOptions::persistent());
/// let set = client.set_data("/a", b"2", None);
/// let read = client.get_data("/a");
/// // All three are under way, and the last one sees what the others did.
/// assert_eq!(read.await?.0, b"2");
/// create.await?;
/// set.await?;
/// # Ok(())
/// # });
/// ```
#[must_use = "the request is under way; await its answer to learn how it ended"]
pub struct Answer<T>(State<T>);

enum State<T> {
    Waiting(oneshot::Receiver<Outcome>, Finish<T>),
    Refused(Error),
    Done,
}

impl<T> Answer<T> {
    pub(crate) fn new(
        receiver: oneshot::Receiver<Outcome>,
        finish: impl FnOnce(Outcome) -> Result<T, Error> + Send + 'static,
    ) -> Self {
        Self(State::Waiting(receiver, Box::new(finish)))
    }

    /// For what is wrong before anything is sent.
    pub(crate) fn refused(error: Error) -> Self {
        Self(State::Refused(error))
    }
}

impl<T> Future for Answer<T> {
    type Output = Result<T, Error>;

    /// # Panics
    ///
    /// If it is polled after it was ready.
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let outcome = match &mut self.0 {
            State::Waiting(receiver, _) => match Pin::new(receiver).poll(context) {
                Poll::Pending => return Poll::Pending,
                // Without a session's task there is no session.
                Poll::Ready(outcome) => outcome.unwrap_or(Err(Failure::Closed)),
            },
            State::Refused(_) | State::Done => Err(Failure::Closed),
        };
        match std::mem::replace(&mut self.0, State::Done) {
            State::Waiting(_, finish) => Poll::Ready(finish(outcome)),
            State::Refused(error) => Poll::Ready(Err(error)),
            State::Done => panic!("an answer was polled after it was ready"),
        }
    }
}

/// Nothing in it is pinned.
impl<T> Unpin for Answer<T> {}

impl<T> fmt::Debug for Answer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            State::Waiting(..) => "Answer(waiting)",
            State::Refused(_) => "Answer(refused)",
            State::Done => "Answer(done)",
        })
    }
}

/// How a record becomes a result, and errors a name.
pub(crate) fn finish<T>(
    operation: Operation,
    decode: impl FnOnce(&[u8]) -> Result<T, grevy_proto::DecodeError>,
) -> impl FnOnce(Outcome) -> Result<T, Error> {
    move |outcome| match outcome {
        Ok(record) => decode(&record).map_err(|reason| Error::BadReply { operation, reason }),
        Err(failure) => Err(Error::from_failure(failure, operation)),
    }
}
